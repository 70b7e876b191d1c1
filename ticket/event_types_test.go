package ticket_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/flow"
	"signalbox/ticket"
)

// A type of event is a constant and a line of the table; whoever writes the first and forgets the second, or a word of it, is told what is
// missing where.
func TestEveryEventHasALabelOnEveryChannel(t *testing.T) {
	for _, kind := range eventConstants(t) {
		labels := ticket.Event{Type: kind}.Labels()
		if !kind.Known() {
			labels = ticket.Labels{}
			t.Errorf("the event %q has no line in the table of event types", kind)
		}
		v := reflect.ValueOf(labels)
		for i := range v.NumField() {
			if member := v.Type().Field(i); v.Field(i).String() == "" {
				t.Errorf("the event %q has no label on channel %s (%s)", kind, member.Tag.Get("channel"), member.Name)
			}
		}
		switch kind.About() {
		case ticket.AboutProcess, ticket.AboutRelations, ticket.AboutConversation, ticket.AboutCase, ticket.AboutNothing:
		default:
			t.Errorf("the table does not say what the event %q is about, so nobody knows who moved the ticket", kind)
		}
	}
	require.ElementsMatch(t, eventConstants(t), ticket.Types)
}

var (
	han         = regexp.MustCompile(`\p{Han}`)
	latin       = regexp.MustCompile(`^[A-Z][A-Za-z ,-]+$`)
	placeholder = regexp.MustCompile(`\{(who|node|remark)\}`)
)

func TestLabelsOfEvents(t *testing.T) {
	titles, names := map[string]ticket.Type{}, map[string]ticket.Type{}
	for _, kind := range ticket.Types {
		own := ticket.Event{Type: kind}.Labels()
		for _, first := range append([]string{""}, flow.Kinds...) {
			labels := ticket.Event{Type: kind, ProcessLog: []flow.LogEntry{{Kind: first}}}.Labels()
			require.Regexp(t, latin, labels.Title, kind)
			require.Regexp(t, latin, labels.ActionEn, kind)
			require.Regexp(t, han, labels.ActionZh, kind)
			require.Equal(t, []string{own.Action, own.Log}, []string{labels.Action, labels.Log}, "%s: what programs read does not depend on the outcome", kind)
			for word, taken := range map[string]map[string]ticket.Type{labels.Title: titles, labels.ActionEn: names} {
				if other, ok := taken[word]; ok && other != kind {
					t.Errorf("the events %q and %q are both called %q", other, kind, word)
				}
				taken[word] = kind
			}
		}
		require.NotContains(t, placeholder.ReplaceAllString(own.Log, ""), "{", kind)
		// Section 5 of the itsm contract: what clients find votes by.
		require.Equal(t, kind == ticket.Approved, strings.Contains(own.Log, "通过"), kind)
		require.Equal(t, kind == ticket.Rejected, strings.Contains(own.Log, "拒绝"), kind)
	}
	title := func(kind ticket.Type, happened ...string) string {
		e := ticket.Event{Type: kind}
		for _, kind := range happened {
			e.ProcessLog = append(e.ProcessLog, flow.LogEntry{Kind: kind})
		}
		return e.Labels().Title
	}
	require.Equal(t, "Call given up", title(ticket.Called, flow.CallFailed))
	require.Equal(t, "Call answered", title(ticket.Called, flow.CallDone, flow.Left, flow.Entered, flow.CallFailed), "the failure is that of the next call")
	require.Equal(t, "Reminded", title(ticket.Elapsed, flow.Reminded))
	require.Equal(t, "Time came", title(ticket.Elapsed, flow.Left, flow.Entered), "a wait is over")
	unknown := ticket.Event{Type: "from-a-newer-build"}
	require.Equal(t, ticket.Labels{Title: "from-a-newer-build", Action: "from-a-newer-build", ActionZh: "from-a-newer-build", ActionEn: "from-a-newer-build",
		Log: "{who} 处理了单据"}, unknown.Labels())
	require.False(t, unknown.Type.Known())
	require.Equal(t, ticket.AboutProcess, unknown.Type.About())
}

// eventConstants finds the types of events that the package's source declares.
func eventConstants(t *testing.T) (found []ticket.Type) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "Type" && len(spec.Values) == 1 {
				if text, ok := spec.Values[0].(*ast.BasicLit); ok {
					word, err := strconv.Unquote(text.Value)
					require.NoError(t, err)
					found = append(found, ticket.Type(word))
				}
			}
			return true
		})
	}
	require.NotEmpty(t, found)
	return found
}
