package page

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// ruleRooms are the packages whose refusals a person can hear.
var ruleRooms = []string{"ticket", "flow", "notice", "people", "calendar", "desk"}

// noRefusals are files that call functions of the same names for something else: lines of drawings, letters and alerts.
var noRefusals = []string{"drawing.go", "chat.go", "alert.go"}

var units = regexp.MustCompile(`at most %d ([a-zA-Z ]+), not %d$`)

// TestEveryRefusalIsThereInEveryLanguage reads the sources of the rules for the sentences in which they refuse.
func TestEveryRefusalIsThereInEveryLanguage(t *testing.T) {
	found := 0
	for _, room := range ruleRooms {
		files, err := filepath.Glob("../../" + room + "/*.go")
		require.NoError(t, err)
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") || slices.Contains(noRefusals, filepath.Base(file)) {
				continue
			}
			for _, sentence := range sentencesOf(t, file) {
				plain := filled(sentence)
				found++
				said := chineseRefusals().say("zh", plain)
				unit := units.FindStringSubmatch(sentence)
				if said == plain || strings.Contains(said, "{") || unit != nil && strings.Contains(said, unit[1]) {
					t.Errorf("%s refuses with %q, which locales/refusals.zh.toml has not (%q)", file, sentence, said)
				}
			}
		}
	}
	require.Greater(t, found, 200)
}

// filled puts something into the open places of a sentence.
func filled(sentence string) string {
	return verb.ReplaceAllStringFunc(sentence, func(v string) string {
		return map[string]string{"%d": "7", "%q": `"x"`, "%%": "%"}[v] + map[bool]string{true: "xyz"}[v == "%s" || v == "%v"]
	})
}

// sentencesOf gives the sentences that a file refuses with, with verbs of fmt where something is not known before. What is nothing but such is left out.
func sentencesOf(t *testing.T, file string) (out []string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	require.NoError(t, err)
	ast.Inspect(parsed, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		var sentence string
		switch name := calledName(call); {
		case name == "Refuse" && len(call.Args) == 2:
			sentence = sentenceOf(call.Args[1])
		case name == "RefuseField" && len(call.Args) == 3:
			sentence = sentenceOf(call.Args[2])
		case name == "Add" && len(call.Args) == 2:
			sentence = sentenceOf(call.Args[1])
		case name == "refuse" && len(call.Args) >= 3:
			sentence = formatOf(call.Args[2], call.Args[3:])
		case name == "add" && len(call.Args) >= 2:
			sentence = formatOf(call.Args[1], call.Args[2:])
		}
		if strings.Trim(verb.ReplaceAllString(sentence, ""), " .,:;") != "" {
			out = append(out, sentence)
		}
		return true
	})
	return out
}

// formatOf gives a format, in which a parameter that is a sentence of its own is filled in.
func formatOf(e ast.Expr, values []ast.Expr) string {
	format, ok := literal(e)
	switch {
	case !ok:
		return sentenceOf(e)
	case format == "%s" && len(values) == 1:
		return sentenceOf(values[0])
	}
	return format
}

func calledName(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.SelectorExpr:
		return f.Sel.Name
	case *ast.Ident:
		return f.Name
	}
	return ""
}

func literal(e ast.Expr) (string, bool) {
	if l, ok := e.(*ast.BasicLit); ok && l.Kind == token.STRING {
		text, err := strconv.Unquote(l.Value)
		return text, err == nil
	}
	return "", false
}

// sentenceOf gives the text of an expression, with %s for what is not written there.
func sentenceOf(e ast.Expr) string {
	if text, ok := literal(e); ok {
		return strings.ReplaceAll(text, "%", "%%")
	}
	switch x := e.(type) {
	case *ast.BinaryExpr:
		return sentenceOf(x.X) + sentenceOf(x.Y)
	case *ast.CallExpr:
		if format, ok := literal(firstOf(x.Args)); ok && calledName(x) == "Sprintf" {
			return format
		}
		if calledName(x) == "Over" && len(x.Args) == 3 {
			if unit, ok := literal(x.Args[1]); ok {
				return fmt.Sprintf("must have at most %%d %s, not %%d", unit)
			}
			return "must have at most %d %s, not %d"
		}
	}
	return "%s"
}

func firstOf(args []ast.Expr) ast.Expr {
	if len(args) == 0 {
		return nil
	}
	return args[0]
}

func TestRefusalsAreTranslatedWithTheirParameters(t *testing.T) {
	for english, want := range map[string]string{
		"the ticket is suspended":                        "工单已挂起",
		"the ticket is completed":                        "工单处于“已完成”状态",
		"the ticket is completed: ann has voted already": "工单处于“已完成”状态：ann 已经投过票",
		`the process has no node "付款(1)"`:                "流程中没有节点 “付款(1)”",
		"must have at most 10 characters, not 12":        "最多 10 个字符，实际为 12",
		"is required; url: is no URL":                    "必填；url：不是 URL",
		"must be from 1 % to 99 %, such as 80 %":         "必须在 1 % 到 99 % 之间，例如 80 %",
		"something nobody has foreseen":                  "something nobody has foreseen",
	} {
		require.Equal(t, want, chineseRefusals().say("zh", english))
	}
}
