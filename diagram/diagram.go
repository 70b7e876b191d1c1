package diagram

import (
	"unicode/utf8"

	"signalbox/flow"
)

// SVG draws a definition, and with a position what of it is done, current, skipped or cancelled. It is one element that stands alone or
// inside a page: text is escaped, every node has a title, nothing is loaded from elsewhere, and no style sheet is needed, though a page
// can restyle it by its classes. Equal arguments give equal bytes. With pos nil nothing is marked.
func SVG(def flow.Definition, pos *flow.Position) []byte {
	drawing := flow.Draw(def, pos)
	p := arrange(drawing)
	return p.svg(drawing)
}

const (
	lineHeight = 16.0
	charWidth  = 7.0  // of a Latin letter at 13 px, on the safe side
	wideWidth  = 13.5 // of a Chinese, Japanese or Korean one
	maxText    = 34   // characters shown of a name; the title has all of it
)

// width estimates how wide a text is drawn.
func width(text string) float64 {
	w := 0.0
	for _, r := range text {
		if r >= 0x1100 {
			w += wideWidth
		} else {
			w += charWidth
		}
	}
	return w
}

// short cuts a text to what is shown.
func short(text string) string {
	if utf8.RuneCountInString(text) <= maxText {
		return text
	}
	return string([]rune(text)[:maxText-1]) + "…"
}
