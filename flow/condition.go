package flow

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/optimizer"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/types"
	"github.com/expr-lang/expr/vm"
	"github.com/shopspring/decimal"
)

// builtins are the functions an expression may call. All are pure and cheap: nothing that reads a clock, makes long lists or loops in
// loops may run inside a workflow.
var builtins = []string{"len", "lower", "upper", "trim", "any", "all", "none", "one", "count", "int", "float", "string", "abs", "min", "max", "round", "duration"}

// counts is what a finish condition sees, by itsm's names: how many have voted, approved and rejected, and the latter two as a percentage
// of all who are asked.
var counts = types.Map{"PROCESS_COUNT": types.Int, "PASS_COUNT": types.Int, "REJECT_COUNT": types.Int, "PASS_RATE": types.Float, "REJECT_RATE": types.Float}

// answers is what success and answer of a call see.
var answers = types.Map{"status": types.Int, "headers": types.TypeOf(map[string]string{}), "body": types.Any}

// sees is what an expression at this node may speak of: the fields of the opening form and of the forms that can have been filled in
// before, and the results of nodes that can have run before. A field nobody filled in and a node that did not run have the zero value of
// their type.
func (p *Process) sees(n *node) types.Map {
	fields, nodes := types.Map{}, types.Map{}
	declare := func(form []Field) {
		for _, f := range form {
			fields[f.Key] = f.Type.seen()
		}
	}
	declare(p.def.Fields)
	for _, earlier := range n.before {
		declare(earlier.Fields)
		if seen := earlier.result(); seen != nil {
			nodes[earlier.ID] = seen
		}
	}
	return types.Map{"fields": fields, "nodes": nodes, "opener": types.String, "assignee": types.String, "now": types.TypeOf(time.Time{})}
}

// sees is what p.sees gives, as far as an expression speaks of it: what is handed to the compiler is gone through for every expression, and all fields of a
// large definition together are many.
func (b *builder) sees(n *node, code string) types.Map {
	names, whole := spoken(code)
	if whole {
		sees := b.p.sees(n)
		b.looked += len(sees["fields"].(types.Map)) + len(sees["nodes"].(types.Map))
		return sees
	}
	fields, nodes := types.Map{}, types.Map{}
	for _, key := range names["fields"] {
		if b.fillable(n, key) {
			fields[key] = b.p.types[key].seen()
		}
	}
	for _, id := range names["nodes"] {
		if earlier := b.p.nodes[id]; earlier != nil && n.came[earlier] {
			if seen := earlier.result(); seen != nil {
				nodes[id] = seen
			}
		}
	}
	b.looked += len(names["fields"]) + len(names["nodes"])
	return types.Map{"fields": fields, "nodes": nodes, "opener": types.String, "assignee": types.String, "now": types.TypeOf(time.Time{})}
}

// declared notes which forms have which fields.
func (b *builder) declared() {
	b.forms = map[string][]*node{}
	for _, f := range b.p.def.Fields {
		b.forms[f.Key] = append(b.forms[f.Key], nil)
	}
	for _, n := range b.order {
		for _, f := range n.Fields {
			b.forms[f.Key] = append(b.forms[f.Key], n)
		}
	}
}

// fillable reports whether a field can have been filled in before a ticket comes to a node.
func (b *builder) fillable(n *node, key string) bool {
	for _, form := range b.forms[key] {
		b.looked++
		if form == nil || n.came[form] {
			return true
		}
	}
	return false
}

// spoken lists the names of fields and of nodes that an expression speaks of. whole: it speaks of one of the two in another way, as by a name that it works out.
// Of one that cannot be read nothing is listed; compiling it says what is wrong.
func spoken(code string) (names map[string][]string, whole bool) {
	tree, err := parser.Parse(code)
	if err != nil {
		return nil, false
	}
	m := mentions{names: map[string][]string{}}
	ast.Walk(&tree.Node, &m)
	return m.names, m.bare > m.members
}

// mentions collects what an expression says of fields and nodes.
type mentions struct {
	names         map[string][]string
	bare, members int // how often either is named at all, and how often with a member
}

// Visit is called by ast.Walk.
func (m *mentions) Visit(at *ast.Node) {
	switch n := (*at).(type) {
	case *ast.IdentifierNode:
		if n.Value == "fields" || n.Value == "nodes" {
			m.bare++
		}
	case *ast.MemberNode:
		of, is := n.Node.(*ast.IdentifierNode)
		name, plain := n.Property.(*ast.StringNode)
		if is && plain && (of.Value == "fields" || of.Value == "nodes") {
			m.members++
			m.names[of.Value] = append(m.names[of.Value], name.Value)
		}
	}
}

func (t FieldType) seen() types.Type {
	switch t {
	case Int:
		return types.Int
	case Bool:
		return types.Bool
	case Date, DateTime:
		return types.TypeOf(time.Time{})
	case Checkbox, Multiselect, Members:
		return types.Array(types.String)
	}
	return types.String
}

// result is what later expressions may ask a node.
func (n *node) result() types.Map {
	switch n.Type {
	case Approval:
		seen := types.Map{"done": types.Bool, "passed": types.Bool, "by": types.Array(types.String)}
		for name, kind := range counts {
			seen[name] = kind
		}
		return seen
	case Task:
		return types.Map{"done": types.Bool, "passed": types.Bool, "by": types.Array(types.String)}
	case Call:
		return types.Map{"done": types.Bool, "passed": types.Bool, "status": types.Int}
	}
	return nil
}

// formula is an expression that has been checked: the program by which tickets of RulesFirst work it out, and the tree by which all others do.
type formula struct {
	program *vm.Program
	tree    ast.Node
}

// compile checks an expression; the error is one line.
func compile(code string, sees types.Map, options ...expr.Option) (*formula, error) {
	if strings.TrimSpace(code) == "" {
		return nil, errors.New("is required")
	}
	if len(code) > MaxExpression {
		return nil, errors.New(Over(MaxExpression, "bytes", len(code)))
	}
	guard, config := &guard{}, *language
	config.Visitors = []ast.Visitor{guard}
	config.WithEnv(sees)
	for _, option := range options {
		option(&config)
	}
	program, err := translate(code, &config)
	if guard.err != nil {
		return nil, guard.err
	}
	var at *file.Error
	if errors.As(err, &at) {
		return nil, fmt.Errorf("%s (at character %d)", at.Message, at.Column+1)
	}
	if err != nil {
		return nil, err
	}
	plain, err := checker.ParseCheck(code, &config) // the program's own tree has been worked out in part
	if err != nil {
		return nil, err
	}
	ast.Walk(&plain.Node, literals{[]rune(code)})
	return &formula{program, plain.Node}, nil
}

// language is what expressions may call. Compilations share its maps, which nobody writes to: filling them takes longer than what is compiled.
var language = func() *conf.Config {
	c := conf.CreateNew()
	expr.DisableAllBuiltins()(c)
	for _, name := range builtins {
		expr.EnableBuiltin(name)(c)
	}
	for name := range c.Disabled {
		delete(c.Builtins, name)
	}
	return c
}()

// translate is expr.Compile with a configuration that is there already.
func translate(code string, config *conf.Config) (*vm.Program, error) {
	tree, err := checker.ParseCheck(code, config)
	if err != nil {
		return nil, err
	}
	if err = optimizer.Optimize(&tree.Node, config); err != nil {
		var at *file.Error
		if errors.As(err, &at) {
			return nil, at.Bind(tree.Source)
		}
		return nil, err
	}
	return compiler.Compile(tree, config)
}

// literals gives the decimals of an expression the digits they are written with: the parser has made them float64.
type literals struct{ code []rune }

// Visit is called by ast.Walk.
func (l literals) Visit(at *ast.Node) {
	n, ok := (*at).(*ast.FloatNode)
	if !ok {
		return
	}
	place := n.Location()
	text := strings.ReplaceAll(string(l.code[place.From:place.To]), "_", "")
	if d, err := number(text); err == nil {
		ast.Patch(at, &ast.ConstantNode{Value: d})
	}
}

// guard refuses what could take long, however short it is written.
type guard struct{ err error }

// Visit is called by the compiler for every part of an expression.
func (g *guard) Visit(at *ast.Node) {
	switch n := (*at).(type) {
	case *ast.BinaryNode:
		if n.Operator == ".." {
			g.err = errors.New("ranges are not taken")
		}
		if n.Operator == "**" || n.Operator == "^" {
			g.err = errors.New("powers are not taken")
		}
	case *ast.BuiltinNode: // those with a predicate are not disabled by the compiler
		if !slices.Contains(builtins, n.Name) {
			g.err = fmt.Errorf("there is no function %s", n.Name)
		}
	case *ast.PredicateNode:
		inner := &loops{}
		ast.Walk(&n.Node, inner)
		if inner.found {
			g.err = errors.New("a loop in a loop is not taken")
		}
	}
}

type loops struct{ found bool }

// Visit is called by ast.Walk.
func (l *loops) Visit(at *ast.Node) {
	if _, ok := (*at).(*ast.PredicateNode); ok {
		l.found = true
	}
}

// exprEnv is what an expression sees; it has exactly the members that sees declares, so that nothing can be missing.
type exprEnv struct {
	first map[string]any           // by RulesFirst
	names func(string) (any, bool) // by all others
	spent *budget
}

// compute works an expression out.
func (e exprEnv) compute(f *formula) (any, error) {
	if e.names != nil {
		return evaluate(f.tree, e.names, e.spent)
	}
	value, err := expr.Run(f.program, e.first)
	if err != nil {
		return nil, errors.New(firstLine(err))
	}
	return value, nil
}

// holds works out a condition. Nothing but true and false is taken for either.
func (e exprEnv) holds(f *formula) (bool, error) {
	value, err := e.compute(f)
	if err != nil {
		return false, err
	}
	if e.names != nil {
		return verdict(value)
	}
	yes, _ := value.(bool)
	return yes, nil
}

// world is what the expressions of a node see.
func (r *run) world(n *node) exprEnv {
	if r.env.Rules < RulesWeighed {
		return exprEnv{first: r.firstWorld(n)}
	}
	fields := lookup{r.field, func() map[string]any {
		out := map[string]any{}
		for _, key := range r.p.keys {
			out[key] = r.field(key)
		}
		return out
	}}
	nodes := lookup{func(id string) any {
		if earlier := r.p.nodes[id]; earlier != nil && slices.Contains(n.before, earlier) {
			return r.nodeResult(earlier)
		}
		return nil
	}, func() map[string]any {
		out := map[string]any{}
		for _, earlier := range n.before {
			out[earlier.ID] = r.nodeResult(earlier)
		}
		return out
	}}
	return r.given(map[string]any{"fields": fields, "nodes": nodes, "opener": r.env.Opener, "assignee": r.env.Assignee, "now": r.env.Now.In(r.env.zone())})
}

// given makes a world of what is known already.
func (r *run) given(names map[string]any) exprEnv {
	if r.env.Rules < RulesWeighed {
		return exprEnv{first: names}
	}
	return exactly(names, &r.spent)
}

// exactly is the world of all rules but the first.
func exactly(names map[string]any, spent *budget) exprEnv {
	return exprEnv{spent: spent, names: func(name string) (any, bool) {
		value, ok := names[name]
		return value, ok
	}}
}

// exact gives the counts of a vote with rates that are not rounded to what a float64 holds.
func (t tally) exact() map[string]any {
	seen, all := t.seen(), decimal.NewFromInt(int64(max(1, t.all())))
	rate := func(count int) any { return digits(decimal.NewFromInt(int64(count)*100).DivRound(all, MaxDigits)) }
	seen["PASS_RATE"], seen["REJECT_RATE"] = rate(t.passes), rate(t.rejects)
	return seen
}

// field gives a field as expressions see it; nil for one that no form declares.
func (r *run) field(key string) any {
	kind, declared := r.p.types[key]
	if !declared {
		return nil
	}
	return kind.exact(r.env.Fields[key], r.env.zone())
}

// nodeResult is what expressions see of a node that can have run before.
func (r *run) nodeResult(n *node) map[string]any {
	state, _ := r.pos.Find(n.ID)
	by := state.By
	if by == nil {
		by = []string{}
	}
	seen := map[string]any{"done": state.State == Done, "passed": state.Result != nil && *state.Result, "by": by, "status": state.Status}
	if n.Type == Approval {
		maps.Copy(seen, state.count(true).exact())
	}
	return seen
}

// exact gives a kept value the type that expressions see; what is missing or does not fit is the zero value.
func (t FieldType) exact(kept any, zone *time.Location) any {
	switch t {
	case Int:
		if n, err := whole(kept); err == nil {
			return n
		}
		return json.Number("0")
	case Members:
		if items := persons(kept); items != nil {
			return items
		}
		return []string{}
	}
	return t.value(kept, zone)
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
