package page

import (
	"encoding/base64"
	"html/template"
	"sync"

	"github.com/BurntSushi/toml"

	"signalbox/console/locales"
	"signalbox/diagram"
	"signalbox/flow"
)

// Inline is the address of an SVG that a page carries along: whatever the SVG holds, scripts in an image do not run and it loads nothing.
func Inline(svg []byte) template.URL {
	return template.URL("data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString(svg)) //nolint:gosec // what it holds is harmless in an image
}

// Draw draws a process in the visitor's language; see diagram.Draw.
func (v *Visit) Draw(def flow.Definition, pos *flow.Position) diagram.Picture {
	if v.look.Language != "zh" {
		return diagram.Draw(def, pos)
	}
	return diagram.DrawIn(def, pos, chineseDrawings())
}

// DrawNamed is Draw for a picture that is served by itself: persons are called by their names in it, which are looked up for it.
func (v *Visit) DrawNamed(def flow.Definition, pos *flow.Position) diagram.Picture {
	who := newNamed()
	flow.DrawFor(def, pos, nil, func(id string) string { who.number(id); return id })
	names := v.namesOf(who.order)
	if len(names) == 0 {
		return v.Draw(def, pos)
	}
	var in flow.Phrases
	if v.look.Language == "zh" {
		in = chineseDrawings()
	}
	return diagram.DrawFor(def, pos, in, who.labels(names))
}

var chineseDrawings = sync.OnceValue(func() flow.Phrases {
	var out flow.Phrases
	if _, err := toml.Decode(locales.ChineseDrawings, &out); err != nil {
		panic("console: locales/drawing.zh.toml: " + err.Error()) // a fault of the build, found by any test
	}
	return out
})
