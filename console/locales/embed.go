// Package locales holds every text of the pages in every language that they speak: a folder per language, and in it a file per area with the
// same keys. go-i18n takes id, description, hash, leftdelim, rightdelim, zero, one, two, few, many and other for its own, so no key is called so but the
// forms of a plural.
package locales

import "embed"

// Files are all of them.
//
//go:embed */*.toml
var Files embed.FS

// ChineseDrawings is what pictures of processes say, in Chinese.
//
//go:embed drawing.zh.toml
var ChineseDrawings string

// ChineseRefusals is what the rules refuse, in Chinese.
//
//go:embed refusals.zh.toml
var ChineseRefusals string
