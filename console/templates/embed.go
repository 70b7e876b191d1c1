// Package templates holds the templates of the pages: the layout, the parts that all share, and a folder per area.
package templates

import "embed"

// Files are all of them. A page is called by its path without the ending: "tickets/list". What a file defines by itself is a part, and its name is
// given once among all of them.
//
//go:embed *.html */*.html */parts/*.html
var Files embed.FS
