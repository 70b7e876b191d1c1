package docs

import (
	"fmt"
	"net/http"
	"strings"

	"signalbox/api/openapi"
	"signalbox/console/page"
)

// callView is a call or webhook as it is shown.
type callView struct {
	Shelves []shelf
	Book    bookView
	entry
	About      html
	Others     []entry // the same call at other addresses
	Told       []entry // webhooks by which what it begins is told
	Inputs     []inputView
	Body       *bodyView
	Answers    []answerView
	Command    string // for a shell
	CanBeTried bool
}

// inputView is a parameter, as a field of the form by which the call is tried.
type inputView struct {
	ID, Name, In string
	About        html
	Kind, Limits string
	Required     bool
	List         bool
	Words        []string
	Value        string
}

type bodyView struct {
	Required bool
	Types    []string
	Kind     string
	Rows     []rowView
	Examples []openapi.Example
}

type answerView struct {
	Status, Type string
	About        html
	Kind         string
	Headers      []inputView
	Rows         []rowView
	Example      string
}

type rowView struct {
	Depth        int
	Name         string
	Any          bool // any name
	Between      string
	Required     bool
	Kind, Limits string
	Words        []string
	About        html
}

func (r *Room) call(v *page.Visit) error {
	b, err := bookAt(v)
	if err != nil {
		return err
	}
	id, err := v.Param("call")
	if err != nil {
		return err
	}
	c := b.Call(id)
	if c == nil {
		return page.ErrNoPage
	}
	view := callView{Shelves: shelves(v, b, c), Book: bookOf(v, b, false), entry: entryOf(b, c), About: markdown(c.About), Told: entriesOf(b, c.Told), CanBeTried: !c.Webhook}
	for _, other := range c.Same {
		if other != c {
			view.Others = append(view.Others, entryOf(b, other))
		}
	}
	for i, p := range c.Parameters {
		view.Inputs = append(view.Inputs, inputOf(v, fmt.Sprintf("p%d", i), p))
	}
	if c.Body != nil {
		view.Body = &bodyView{Required: c.Body.Required, Types: c.Body.Types, Kind: kindOf(v, c.Body.Form.Kinds), Rows: rowsOf(v, c.Body.Rows), Examples: c.Body.Examples}
		for i := range view.Body.Examples {
			if view.Body.Examples[i].Name == "" {
				view.Body.Examples = []openapi.Example{{Name: v.T("docs.required_only"), Text: view.Body.Examples[i].Text}}
			}
		}
	}
	for _, a := range c.Answers {
		answer := answerView{Status: a.Status, Type: a.Type, About: markdown(a.About), Kind: kindOf(v, a.Form.Kinds), Rows: rowsOf(v, a.Rows), Example: a.Example}
		for i, h := range a.Headers {
			answer.Headers = append(answer.Headers, inputOf(v, fmt.Sprintf("h%d", i), h))
		}
		view.Answers = append(view.Answers, answer)
	}
	view.Command = command(r.origin(v), c)
	return v.Render(http.StatusOK, "docs/call", c.Summary, view)
}

func inputOf(v *page.Visit, id string, p openapi.Parameter) inputView {
	in := inputView{ID: id, Name: p.Name, In: p.In, About: markdown(p.About), Kind: kindOf(v, p.Kinds), Limits: limitsOf(v, p.Limits), Required: p.Required || p.In == "path", List: p.List,
		Words: p.Words, Value: p.Example}
	if len(in.Words) == 0 && len(p.Kinds) == 1 && p.Kinds[0].Name == "boolean" {
		in.Words = []string{"true", "false"}
	}
	return in
}

func rowsOf(v *page.Visit, rows []openapi.Row) (out []rowView) {
	for _, r := range rows {
		out = append(out, rowView{Depth: r.Depth, Name: r.Name, Any: r.Name == openapi.AnyName, Between: r.Between, Required: r.Required, Kind: kindOf(v, r.Kinds), Limits: limitsOf(v, r.Limits),
			Words: r.Words, About: markdown(r.About)})
	}
	return out
}

// kindOf says a type in words: "text or nothing", "list of whole number".
func kindOf(v *page.Visit, kinds []openapi.Kind) string {
	if len(kinds) == 0 {
		return v.Word("kind", "any")
	}
	var words []string
	for _, k := range kinds {
		word := v.Word("kind", k.Name)
		if k.Name == "array" && len(k.Of) > 0 {
			word = v.T("docs.list_of", "Of", kindOf(v, k.Of))
		}
		words = append(words, word)
	}
	return strings.Join(words, v.T("docs.or"))
}

// limitsOf says limits in words.
func limitsOf(v *page.Visit, limits []openapi.Limit) string {
	var out []string
	for _, l := range limits {
		unit := ""
		if l.What == openapi.LimitLength || l.What == openapi.LimitItems || l.What == openapi.LimitMembers {
			unit = v.Word("limit", l.What)
		}
		switch {
		case l.What == openapi.LimitDefault:
			out = append(out, v.T("docs.unless_said", "Value", l.Least))
		case unit != "" && l.Least == "1" && l.Most == "":
			out = append(out, v.T("docs.not_empty"))
		case l.Most == "":
			out = append(out, v.T("docs.at_least", "Least", l.Least, "Unit", unit))
		case l.Least == "":
			out = append(out, v.T("docs.at_most", "Most", l.Most, "Unit", unit))
		default:
			out = append(out, v.T("docs.between", "Least", l.Least, "Most", l.Most, "Unit", unit))
		}
	}
	return strings.Join(out, v.T("docs.and"))
}

// command is the call for a shell, which has the key as $KEY; empty for a webhook.
func command(origin string, c *openapi.Call) string {
	if c.Webhook {
		return ""
	}
	var query []string
	for _, p := range c.Parameters {
		if p.In == "query" && p.Required {
			query = append(query, p.Name+"={"+p.Name+"}")
		}
	}
	address := origin + c.Path
	if len(query) > 0 {
		address += "?" + strings.Join(query, "&")
	}
	var out strings.Builder
	out.WriteString("curl -s")
	if c.Method != http.MethodGet && (c.Method != http.MethodPost || c.Body == nil) {
		out.WriteString(" -X " + c.Method)
	}
	out.WriteString(" " + shell(address) + " \\\n  -H \"Authorization: Access_Key $KEY\"")
	if c.Body != nil && len(c.Body.Examples) > 0 {
		out.WriteString(" \\\n  -H 'Content-Type: " + c.Body.Types[0] + "' \\\n  -d " + shell(c.Body.Examples[0].Text))
	}
	return out.String()
}

// shell quotes a word for a shell (POSIX).
func shell(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
