package e2e

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"signalbox/cmd/dev/e2e/harness"
	"signalbox/console/page"
)

// thing is an element of a page, as the browser tells of it to those who do not see: by a role and a name. What nobody can see or reach is none.
type thing struct {
	id   int64 // in the DOM
	role string
	name string
}

// say gives a text of the pages in the visitor's language.
func (v *tab) say(key string, with ...any) string { return page.Say(v.look.language[:2], key, with...) }

// run is do for what may fail because the page is being exchanged.
func (v *tab) run(actions ...chromedp.Action) error {
	ctx, cancel := context.WithTimeout(v.ctx, tabPatience)
	defer cancel()
	return chromedp.Run(ctx, actions...)
}

// object is a value in the page.
type object struct {
	Object struct {
		ID string `json:"objectId"`
	} `json:"object"`
	Result struct {
		ID    string `json:"objectId"`
		Value any    `json:"value"`
	} `json:"result"`
	Exception *struct {
		Text string `json:"text"`
	} `json:"exceptionDetails"`
}

// things gives what of the page, or of a part of it, has one of some roles, in the order of the page.
func (v *tab) things(in []thing, roles ...string) (list []thing, err error) {
	err = v.run(chromedp.ActionFunc(func(ctx context.Context) error {
		where := map[string]any{}
		if len(in) > 0 {
			where["backendNodeId"] = in[0].id
		} else {
			var page object
			if err := cdp.Execute(ctx, "Runtime.evaluate", map[string]any{"expression": "document"}, &page); err != nil {
				return err
			}
			where["objectId"] = page.Result.ID
		}
		for _, role := range roles {
			where["role"] = role
			var found struct {
				Nodes []struct {
					Ignored bool  `json:"ignored"`
					ID      int64 `json:"backendDOMNodeId"`
					Name    struct {
						Value string `json:"value"`
					} `json:"name"`
				} `json:"nodes"`
			}
			if err := cdp.Execute(ctx, "Accessibility.queryAXTree", where, &found); err != nil {
				return err
			}
			for _, n := range found.Nodes {
				if !n.Ignored && n.ID != 0 {
					list = append(list, thing{n.ID, role, strings.Join(strings.Fields(n.Name.Value), " ")})
				}
			}
		}
		return nil
	}))
	return list, err
}

// call has a function of the page work on a thing, and gives what it gives.
func (v *tab) call(t thing, function string, args ...any) (out any, err error) {
	err = v.run(chromedp.ActionFunc(func(ctx context.Context) error {
		var of, given object
		if err := cdp.Execute(ctx, "DOM.resolveNode", map[string]any{"backendNodeId": t.id}, &of); err != nil {
			return err
		}
		with := []map[string]any{}
		for _, a := range args {
			with = append(with, map[string]any{"value": a})
		}
		if err := cdp.Execute(ctx, "Runtime.callFunctionOn", map[string]any{"objectId": of.Object.ID, "functionDeclaration": function, "arguments": with, "returnByValue": true}, &given); err != nil {
			return err
		}
		if given.Exception != nil {
			return fmt.Errorf("%s: %s", function, given.Exception.Text)
		}
		out = given.Result.Value
		return nil
	}))
	return out, err
}

// fields are the roles of what one writes into, or chooses from.
var fields = []string{"textbox", "searchbox", "combobox", "spinbutton", "Date", "DateTime"}

// the finds the one thing of a role and name, in a part of the page where one is named, and waits until it is there. What must be filled in may say so behind its name.
func (v *tab) the(role, name string, in ...thing) thing {
	v.t.Helper()
	roles := []string{role}
	if role == "field" {
		roles = fields
	}
	var out thing
	harness.Until(v.t, fmt.Sprintf("one %s %q in %s (%s)", role, name, v.path(), v.look), tabPatience, func() error {
		list, err := v.things(in, roles...)
		if err != nil {
			return err
		}
		var found []thing
		var names []string
		for _, t := range list {
			names = append(names, t.name)
			if t.name == name || role == "field" && t.name == name+" "+v.say("form.required") {
				found = append(found, t)
			}
		}
		if len(found) != 1 {
			return fmt.Errorf("there are %d among %q", len(found), names)
		}
		out = found[0]
		return nil
	})
	return out
}

// none asserts that there is no such thing on the page, or in a part of it.
func (v *tab) none(role, name string, in ...thing) {
	v.t.Helper()
	list, err := v.things(in, role)
	require.NoError(v.t, err)
	require.False(v.t, slices.ContainsFunc(list, func(t thing) bool { return t.name == name }), "there is a %s %q at %s", role, name, v.path())
}

// part finds the smallest part of a role that shows some texts, such as the row of a ticket.
func (v *tab) part(role string, texts ...string) thing {
	v.t.Helper()
	var out thing
	harness.Until(v.t, fmt.Sprintf("a %s with %q in %s (%s)", role, texts, v.path(), v.look), tabPatience, func() error {
		list, err := v.things(nil, role)
		if err != nil {
			return err
		}
		least := math.MaxInt
		for _, t := range list {
			shown, err := v.call(t, `function() { return this.innerText || this.textContent; }`)
			if err != nil {
				return err
			}
			text, _ := shown.(string)
			if len(text) < least && !slices.ContainsFunc(texts, func(want string) bool { return !strings.Contains(text, want) }) {
				least, out = len(text), t
			}
		}
		if least == math.MaxInt {
			return fmt.Errorf("none of %d", len(list))
		}
		return nil
	})
	return out
}

// reads waits until the page shows a text to people.
func (v *tab) reads(texts ...string) {
	v.t.Helper()
	for _, text := range texts {
		v.shows("body", text)
	}
}

// reach scrolls to a thing and points at it, as one who clicks does; what lies above it would be hit in its place.
func (v *tab) reach(t thing) (x, y float64, err error) {
	err = v.run(chromedp.ActionFunc(func(ctx context.Context) error {
		at := map[string]any{"backendNodeId": t.id}
		if err := cdp.Execute(ctx, "DOM.scrollIntoViewIfNeeded", at, nil); err != nil {
			return err
		}
		var box struct {
			Quads [][]float64 `json:"quads"`
		}
		if err := cdp.Execute(ctx, "DOM.getContentQuads", at, &box); err != nil {
			return err
		}
		if len(box.Quads) == 0 {
			return fmt.Errorf("%s %q takes no room", t.role, t.name)
		}
		q := box.Quads[0]
		x, y = (q[0]+q[2]+q[4]+q[6])/4, (q[1]+q[3]+q[5]+q[7])/4
		return nil
	}))
	if err != nil {
		return x, y, err
	}
	above, err := v.call(t, `function(x, y) { const e = document.elementFromPoint(x, y); return e && (this.contains(e) || e.contains(this)) ? '' : e ? e.outerHTML.slice(0, 200) : 'nothing'; }`, x, y)
	if err == nil && above != "" {
		err = fmt.Errorf("over %s %q lies %v", t.role, t.name, above)
	}
	return x, y, err
}

// point clicks on a thing, and goes nowhere.
func (v *tab) point(t thing) {
	v.t.Helper()
	harness.Until(v.t, fmt.Sprintf("%s %q can be clicked in %s (%s)", t.role, t.name, v.path(), v.look), tabPatience, func() error {
		x, y, err := v.reach(t)
		if err != nil {
			return err
		}
		return v.run(chromedp.MouseClickXY(x, y))
	})
}

// tap clicks on what has a role and a name, and goes nowhere.
func (v *tab) tap(role, name string, in ...thing) {
	v.t.Helper()
	v.point(v.the(role, name, in...))
}

// goes clicks on what has a role and a name, and waits for the page that it leads to, which must be there.
func (v *tab) goes(role, name string, in ...thing) {
	v.t.Helper()
	require.EqualValues(v.t, 200, v.comes(role, name, in...), "%s %q leads to %s", role, name, v.path())
}

// comes is goes where the page may say that something is wrong. It gives its status.
func (v *tab) comes(role, name string, in ...thing) int64 {
	v.t.Helper()
	t := v.the(role, name, in...)
	var x, y float64
	harness.Until(v.t, fmt.Sprintf("%s %q can be clicked", role, name), tabPatience, func() (err error) {
		x, y, err = v.reach(t)
		return err
	})
	return v.load(chromedp.MouseClickXY(x, y))
}

// write writes into the field of a name, in place of what is there.
func (v *tab) write(name, text string, in ...thing) {
	v.t.Helper()
	t := v.the("field", name, in...)
	v.point(t)
	_, err := v.call(t, `function() { this.select(); }`)
	require.NoError(v.t, err)
	if text == "" {
		v.do(chromedp.KeyEvent(kb.Delete))
		return
	}
	v.do(chromedp.ActionFunc(func(ctx context.Context) error { return input.InsertText(text).Do(ctx) }))
}

// holds gives what is written in the field of a name.
func (v *tab) holds(name string, in ...thing) string {
	v.t.Helper()
	value, err := v.call(v.the("field", name, in...), `function() { return this.value; }`)
	require.NoError(v.t, err)
	return fmt.Sprint(value)
}

// choose takes one of the choices of a field, by what it is called.
func (v *tab) choose(name, choice string, in ...thing) {
	v.t.Helper()
	none, err := v.call(v.the("combobox", name, in...), `function(label) {
		const found = [...this.options].find((o) => o.label.trim() === label);
		if (!found) return [...this.options].map((o) => o.label).join(', ');
		this.value = found.value;
		this.dispatchEvent(new Event('input', {bubbles: true}));
		this.dispatchEvent(new Event('change', {bubbles: true}));
		return '';
	}`, choice)
	require.NoError(v.t, err)
	require.Empty(v.t, none, "%s has no %q", name, choice)
}

// focused gives what the keyboard works on.
func (v *tab) focused() (t thing) {
	v.t.Helper()
	v.do(chromedp.ActionFunc(func(ctx context.Context) error {
		var at object
		if err := cdp.Execute(ctx, "Runtime.evaluate", map[string]any{"expression": "document.activeElement"}, &at); err != nil {
			return err
		}
		var found struct {
			Nodes []struct {
				ID   int64 `json:"backendDOMNodeId"`
				Role struct {
					Value string `json:"value"`
				} `json:"role"`
				Name struct {
					Value string `json:"value"`
				} `json:"name"`
			} `json:"nodes"`
		}
		if err := cdp.Execute(ctx, "Accessibility.getPartialAXTree", map[string]any{"objectId": at.Result.ID, "fetchRelatives": false}, &found); err != nil {
			return err
		}
		for _, n := range found.Nodes {
			t = thing{n.ID, n.Role.Value, strings.Join(strings.Fields(n.Name.Value), " ")}
			break
		}
		return nil
	}))
	return t
}

// keys gives keystrokes to whatever has the focus.
func (v *tab) keys(text string) {
	v.t.Helper()
	v.do(chromedp.KeyEvent(text))
}

// tabTo goes by the tabulator to what has a role and a name, and no further than once around the page.
func (v *tab) tabTo(role, name string) thing {
	v.t.Helper()
	var passed []string
	for range 200 {
		v.keys(kb.Tab)
		t := v.focused()
		if t.role == role && t.name == name {
			return t
		}
		passed = append(passed, t.role+" "+t.name)
	}
	require.Fail(v.t, "the tabulator does not come to "+role+" "+name, "%q", passed)
	return thing{}
}
