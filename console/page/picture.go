package page

import (
	"encoding/base64"
	"html/template"
)

// Inline is the address of an SVG that a page carries along: whatever the SVG holds, scripts in an image do not run and it loads nothing.
func Inline(svg []byte) template.URL {
	return template.URL("data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString(svg)) //nolint:gosec // what it holds is harmless in an image
}
