package page

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/flow"
)

// ruleRooms are the packages whose refusals a person can hear.
var ruleRooms = []string{"ticket", "flow", "notice", "people", "calendar", "desk", "store", "store/*", "api/houseapi", "console/*"}

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
		case (name == "add" || name == "complain") && len(call.Args) >= 2:
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
		`every approval was passed: "组长" was approved by wang; "HR" was approved by a deadline`: "所有审批均已通过：“组长” 由 wang 同意；“HR” 由 时限 同意",
		"unknown field dais (at character 8)":                                                   "没有字段 dais（第 8 个字符）",
		"invalid operation: > (mismatched types int and string) (at character 10)":              "运算 > 无效：类型 int 与 string 不匹配（第 10 个字符）",
	} {
		require.Equal(t, want, chineseRefusals().say("zh", english))
	}
}

// reasons are the functions that say why something ended, failed or waits for somebody.
var reasons = map[string][]string{
	"flow/judgement.go": {"ending", "account"}, "flow/waiting.go": {"problem"}, "ticket/decide.go": {"end"}, "notice/grade.go": {"Grade"}, "notice/retry.go": {"Lost", "DecideRetry"},
}

// TestEveryReasonIsThereInEveryLanguage reads the sources for the sentences that tell why.
func TestEveryReasonIsThereInEveryLanguage(t *testing.T) {
	found := 0
	for file, functions := range reasons {
		parsed, err := parser.ParseFile(token.NewFileSet(), "../../"+file, nil, 0)
		require.NoError(t, err)
		for _, d := range parsed.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || !slices.Contains(functions, f.Name.Name) {
				continue
			}
			ast.Inspect(f.Body, func(n ast.Node) bool {
				e, ok := n.(ast.Expr)
				if !ok {
					return true
				}
				switch e.(type) {
				case *ast.BasicLit, *ast.BinaryExpr, *ast.CallExpr:
				default:
					return true
				}
				sentence := sentenceOf(e)
				if !strings.Contains(strings.TrimSpace(verb.ReplaceAllString(sentence, "")), " ") || strings.Contains(sentence, "%s == %s") {
					return true
				}
				found++
				plain := filled(sentence)
				if said := chineseRefusals().say("zh", plain); said == plain {
					t.Errorf("%s says %q, which locales/refusals.zh.toml has not", file, sentence)
				}
				return false
			})
		}
	}
	require.Greater(t, found, 15)
}

// TestEveryFaultIsToldInChinese goes through the faults that definitions are refused with, those of the readers of YAML and of expressions included.
func TestEveryFaultIsToldInChinese(t *testing.T) {
	raw, err := os.ReadFile("../../flow/testdata/faults.txt")
	require.NoError(t, err)
	place := regexp.MustCompile(`^! \d+:\d+ (?:[\pL\d_.\[\]-]+(?: [a-z])?: )?`)
	han, english := regexp.MustCompile(`\p{Han}`), regexp.MustCompile(`[a-z]{3,} [a-z]{2,} [a-z]{2,}`)
	found := 0
	for line := range strings.Lines(string(raw)) {
		at := place.FindString(line)
		if at == "" {
			continue
		}
		found++
		sentence := strings.TrimSuffix(line[len(at):], "\n")
		said := chineseRefusals().say("zh", sentence)
		if said == sentence || !han.MatchString(said) || english.MatchString(said) {
			t.Errorf("locales/refusals.zh.toml has not, or not all of, %q (%q)", sentence, said)
		}
	}
	require.Greater(t, found, 200)
}

// TestPicturesSpeakChinese reads the sources of pictures for what they say.
func TestPicturesSpeakChinese(t *testing.T) {
	said := slices.Clone(flow.Vocabulary["type"])
	for _, mark := range []flow.Mark{flow.IsDone, flow.IsCurrent, flow.IsSkipped, flow.IsCancelled} {
		said = append(said, string(mark))
	}
	said = append(said, string(flow.AnyOf), string(flow.AllOf), string(flow.Sequence))
	said = append(said, flow.Vocabulary["status"]...)
	calls := 0
	for _, file := range []string{"flow/drawing.go", "diagram/svg.go", "diagram/dot.go"} {
		parsed, err := parser.ParseFile(token.NewFileSet(), "../../"+file, nil, 0)
		require.NoError(t, err)
		ast.Inspect(parsed, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok && calledName(call) == "Say" {
				if text, ok := literal(call.Args[0]); ok {
					said, calls = append(said, text), calls+1
				}
			}
			return true
		})
	}
	require.Greater(t, calls, 12)
	for _, english := range said {
		chinese, ok := chineseDrawings()[english]
		require.True(t, ok, "locales/drawing.zh.toml has not %q", english)
		require.Equal(t, strings.Count(english, "%"), strings.Count(chinese, "%"), english)
	}
}
