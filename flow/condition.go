package flow

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/types"
	"github.com/expr-lang/expr/vm"
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

// compile makes a program of an expression; the error is one line.
func compile(code string, sees types.Map, options ...expr.Option) (*vm.Program, error) {
	if strings.TrimSpace(code) == "" {
		return nil, errors.New("is required")
	}
	if len(code) > MaxExpression {
		return nil, fmt.Errorf("must have at most %d bytes", MaxExpression)
	}
	guard := &guard{}
	options = append(options, expr.Env(sees), expr.DisableAllBuiltins(), expr.Patch(guard))
	for _, name := range builtins {
		options = append(options, expr.EnableBuiltin(name))
	}
	program, err := expr.Compile(code, options...)
	if guard.err != nil {
		return nil, guard.err
	}
	var at *file.Error
	if errors.As(err, &at) {
		return nil, fmt.Errorf("%s (at character %d)", at.Message, at.Column+1)
	}
	return program, err
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

// world is what an expression sees at run time; it has exactly the members that sees declares, so that nothing can be missing.
func (r *run) world(n *node) map[string]any {
	fields, nodes := map[string]any{}, map[string]any{}
	for _, key := range r.p.keys {
		fields[key] = r.p.types[key].value(r.env.Fields[key], r.env.zone())
	}
	for _, earlier := range n.before {
		state, _ := r.pos.Find(earlier.ID)
		passed := state.Result != nil && *state.Result
		by := slices.Clone(state.By)
		if by == nil {
			by = []string{}
		}
		seen := map[string]any{"done": state.State == Done, "passed": passed, "by": by, "status": state.Status}
		if earlier.Type == Approval {
			maps.Copy(seen, state.counts())
		}
		nodes[earlier.ID] = seen
	}
	return map[string]any{"fields": fields, "nodes": nodes, "opener": r.env.Opener, "assignee": r.env.Assignee, "now": r.env.Now.In(r.env.zone())}
}

// value gives a kept value the type that expressions see; what is missing or does not fit is the zero value.
func (t FieldType) value(kept any, zone *time.Location) any {
	switch t {
	case Int:
		n, err := wholeNumber(kept)
		if err != nil {
			return 0
		}
		return int(n.(float64))
	case Bool:
		return kept == true || kept == "true"
	case Date, DateTime:
		text, _ := kept.(string)
		at, err := parseTime(text, zone)
		if err != nil {
			return time.Time{}
		}
		return at
	case Checkbox, Multiselect, Members:
		if items := list(kept); items != nil {
			return items
		}
		return []string{}
	}
	text, _ := kept.(string)
	return text
}

// holds runs a condition.
func holds(program *vm.Program, world map[string]any) (bool, error) {
	out, err := expr.Run(program, world)
	if err != nil {
		return false, errors.New(firstLine(err))
	}
	ok, _ := out.(bool)
	return ok, nil
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
