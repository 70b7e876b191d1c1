// Package assets holds what browsers load beside the pages: styles, scripts and pictures. Nothing is loaded from anywhere else.
package assets

import "embed"

// Files are all of them. The styles of the areas (*.css) are served as one file.
//
//go:embed *.css *.svg *.js *.txt
var Files embed.FS
