package flow

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
	"github.com/shopspring/decimal"
)

// What expressions may cost, in steps: one for each part of an expression each time it is worked out, one for each item of a list and each textUnit
// bytes of a text that is gone through. A step is the same on every machine, and takes about a fifth of a microsecond.
const (
	MaxSteps    = 50_000  // of one expression
	MaxAllSteps = 100_000 // of all that one input to a process has worked out
	textUnit    = 16
	reckoning   = 4 // of one operation with numbers, beside its parts
)

// evaluation is an expression being worked out by the rules of RulesWeighed: numbers are exact decimals, texts are counted in characters, and what
// cannot be worked out within its budget, or is not what an operator takes, is an error. It can see nothing but names, which are looked up once.
type evaluation struct {
	names  func(string) (any, bool)
	seen   map[string]any // what names gave
	spent  *budget
	left   int
	locals []local
	items  []any                       // what the loops have come to, the innermost last
	sets   map[*string]map[string]bool // of the texts of a list, by its first item
	match  map[string]*regexp.Regexp
	whole  bool // every part is worked out, whatever the others come to; what has no value is nil. See builder.affordable
}

// budget counts what the expressions have taken that one input has worked out.
type budget struct{ steps int }

// lookup is an object whose members are made when they are asked for.
type lookup struct {
	one func(key string) any
	all func() map[string]any
}

type local struct {
	name  string
	value any
}

// part stands for a part of an answer where its cost is estimated: a text of so many bytes, a list of MaxItems that are as long together, or an object of which
// each member may be all there is. Whatever uses it takes it for what it needs.
type part int

func (p part) text() string { return largestText[:p] }

// asText gives the text that a part may be, and any other value as it is.
func asText(value any) any {
	if p, ok := value.(part); ok {
		return p.text()
	}
	return value
}

// evaluate gives what an expression comes to: nil, bool, string, json.Number, a list, a map, time.Time or time.Duration.
func evaluate(tree ast.Node, names func(string) (any, bool), all *budget) (any, error) {
	value, err := newEvaluation(names, all).value(tree)
	if err != nil {
		return nil, err
	}
	return settled(value), nil
}

// worst works out every part of an expression, and tells how many steps that took. The error is a tooMuch.
func worst(tree ast.Node, names map[string]any) (steps int, err error) {
	var spent budget
	e := newEvaluation(func(name string) (any, bool) { value, ok := names[name]; return value, ok }, &spent)
	e.whole = true
	_, err = e.value(tree)
	return spent.steps, err
}

func newEvaluation(names func(string) (any, bool), all *budget) *evaluation {
	return &evaluation{names: names, seen: map[string]any{}, spent: all, left: MaxSteps, sets: map[*string]map[string]bool{}, match: map[string]*regexp.Regexp{}}
}

func (e *evaluation) value(tree ast.Node) (any, error) {
	value, err := e.eval(tree)
	if err == nil {
		err = e.weigh(value)
	}
	return value, err
}

// weigh spends what going through all of a value takes: a list of lists of one list is short to write and endless to read.
func (e *evaluation) weigh(value any) error {
	switch v := value.(type) {
	case string:
		return e.read(v)
	case part:
		return e.read(v.text())
	case []string:
		return e.spend(len(v))
	case []any:
		for _, one := range v {
			if err := e.weigh(one); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, key := range sortedKeys(v) {
			if err := e.weigh(v[key]); err != nil {
				return err
			}
		}
	}
	return e.spend(1)
}

// settled writes the numbers that were worked out as they are kept.
func settled(value any) any {
	switch v := value.(type) {
	case decimal.Decimal:
		return digits(v)
	case []any:
		out := make([]any, len(v))
		for i, one := range v {
			out[i] = settled(one)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for _, key := range sortedKeys(v) {
			out[key] = settled(v[key])
		}
		return out
	}
	return value
}

// tooMuch is the error of what takes more than its budget.
type tooMuch string

// Error implements error.
func (t tooMuch) Error() string { return string(t) }

// spend takes steps off the budget.
func (e *evaluation) spend(steps int) error {
	e.left -= steps
	e.spent.steps += steps
	switch {
	case e.left < 0:
		return tooMuch(fmt.Sprintf("takes more than the %d steps that an expression may take", MaxSteps))
	case e.spent.steps > MaxAllSteps:
		return tooMuch(fmt.Sprintf("together with what was worked out before it takes more than %d steps", MaxAllSteps))
	}
	return nil
}

// read spends what going through texts takes.
func (e *evaluation) read(texts ...string) error {
	size := 0
	for _, text := range texts {
		size += len(text) / textUnit
	}
	return e.spend(size)
}

// errNothing ends a chain of ?. at something that is not there.
var errNothing = errors.New("nothing")

func (e *evaluation) eval(at ast.Node) (any, error) {
	value, err := e.work(at)
	if e.whole && err != nil && !errors.As(err, new(tooMuch)) {
		return nil, nil
	}
	return value, err
}

func (e *evaluation) work(at ast.Node) (any, error) {
	if err := e.spend(1); err != nil {
		return nil, err
	}
	switch n := at.(type) {
	case *ast.NilNode:
		return nil, nil
	case *ast.BoolNode:
		return n.Value, nil
	case *ast.StringNode:
		return n.Value, nil
	case *ast.ConstantNode:
		return n.Value, nil
	case *ast.IntegerNode:
		return decimal.NewFromInt(int64(n.Value)), nil
	case *ast.FloatNode: // see literals
		return nil, tooLong(strconv.FormatFloat(n.Value, 'g', -1, 64))
	case *ast.IdentifierNode:
		return e.identifier(n.Value)
	case *ast.PointerNode:
		return e.items[len(e.items)-1], nil
	case *ast.ChainNode:
		value, err := e.eval(n.Node)
		if errors.Is(err, errNothing) {
			return nil, nil
		}
		return value, err
	case *ast.MemberNode:
		return e.member(n)
	case *ast.SliceNode:
		return e.slice(n)
	case *ast.UnaryNode:
		return e.unary(n)
	case *ast.BinaryNode:
		return e.binary(n)
	case *ast.ConditionalNode:
		yes, err := e.verdict(n.Cond)
		if err != nil {
			return nil, err
		}
		if e.whole {
			if _, err := e.eval(n.Exp2); err != nil {
				return nil, err
			}
		}
		if yes || e.whole {
			return e.eval(n.Exp1)
		}
		return e.eval(n.Exp2)
	case *ast.VariableDeclaratorNode:
		value, err := e.eval(n.Value)
		if err != nil {
			return nil, err
		}
		e.locals = append(e.locals, local{n.Name, value})
		value, err = e.eval(n.Expr)
		e.locals = e.locals[:len(e.locals)-1]
		return value, err
	case *ast.SequenceNode:
		var last any
		for _, one := range n.Nodes {
			value, err := e.eval(one)
			if err != nil {
				return nil, err
			}
			last = value
		}
		return last, nil
	case *ast.ArrayNode:
		return e.all(n.Nodes)
	case *ast.MapNode:
		return e.mapping(n)
	case *ast.BuiltinNode:
		return e.function(n)
	case *ast.CallNode:
		return e.method(n)
	}
	return nil, fmt.Errorf("%T is not taken", at) // the checker of expressions lets no other through
}

func (e *evaluation) all(nodes []ast.Node) ([]any, error) {
	out := make([]any, len(nodes))
	for i, one := range nodes {
		value, err := e.eval(one)
		if err != nil {
			return nil, err
		}
		out[i] = value
	}
	return out, nil
}

func (e *evaluation) identifier(name string) (any, error) {
	value, err := e.named(name)
	if of, ok := value.(lookup); ok {
		all := of.all()
		return all, e.spend(len(all))
	}
	return value, err
}

// named gives what a name stands for; a lookup as it is.
func (e *evaluation) named(name string) (any, error) {
	for _, l := range slices.Backward(e.locals) {
		if l.name == name {
			return l.value, nil
		}
	}
	value, ok := e.names(name)
	if !ok {
		return nil, fmt.Errorf("there is no %s", name)
	}
	return value, nil
}

// memberOf gives a member of a lookup, made once: that a list is the same each time lets what was found out about it be kept.
func (e *evaluation) memberOf(name string, of lookup, key string) any {
	full := name + "." + key
	if _, ok := e.seen[full]; !ok {
		e.seen[full] = of.one(key)
	}
	return e.seen[full]
}

func (e *evaluation) mapping(n *ast.MapNode) (any, error) {
	out := map[string]any{}
	for _, one := range n.Pairs {
		pair, ok := one.(*ast.PairNode)
		if !ok {
			return nil, fmt.Errorf("%T is not taken", one)
		}
		key, err := e.text(pair.Key)
		if err != nil {
			return nil, err
		}
		if out[key], err = e.eval(pair.Value); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// verdict works out what must be true or false: nothing else is taken for either.
func (e *evaluation) verdict(at ast.Node) (bool, error) {
	value, err := e.eval(at)
	if err != nil {
		return false, err
	}
	if yes, ok := value.(bool); ok || e.whole {
		return yes, nil
	}
	return verdict(value)
}

func verdict(value any) (bool, error) {
	if yes, ok := value.(bool); ok {
		return yes, nil
	}
	return false, fmt.Errorf("gives %s, which is neither true nor false", told(value))
}

// told names a value and what it is.
func told(value any) string {
	switch v := value.(type) {
	case nil:
		return "nothing"
	case bool:
		return strconv.FormatBool(v)
	case string:
		return "the text " + quoted(v)
	case json.Number, decimal.Decimal, int:
		return "the number " + quoted(settled(value))
	case []any, []string:
		return "a list"
	case map[string]any, map[string]string:
		return "an object"
	case time.Time:
		return "the time " + show(v)
	case time.Duration:
		return "the length of time " + v.String()
	}
	return "something else"
}

func (e *evaluation) text(at ast.Node) (string, error) {
	value, err := e.eval(at)
	if err != nil {
		return "", err
	}
	return textOf(value)
}

func textOf(value any) (string, error) {
	if text, ok := asText(value).(string); ok {
		return text, nil
	}
	return "", fmt.Errorf("%s is no text", told(value))
}

// index works out a whole number that fits an int.
func (e *evaluation) index(at ast.Node) (int, error) {
	value, err := e.eval(at)
	if err != nil {
		return 0, err
	}
	return indexOf(value)
}

func indexOf(value any) (int, error) {
	d, ok, err := numeric(value)
	switch {
	case err != nil:
		return 0, err
	case !ok || !d.IsInteger() || !d.BigInt().IsInt64() || d.IntPart() > math.MaxInt32 || d.IntPart() < math.MinInt32:
		return 0, fmt.Errorf("%s is no whole number that can count something", told(value))
	}
	return int(d.IntPart()), nil
}

// listOf gives the items of a list.
func listOf(value any) ([]any, bool) {
	switch v := value.(type) {
	case []any:
		return v, true
	case []string:
		out := make([]any, len(v))
		for i, text := range v {
			out[i] = text
		}
		return out, true
	case part:
		if each := v / MaxItems; each > 0 {
			return slices.Repeat([]any{each}, MaxItems), true
		}
	}
	return nil, false
}

func (e *evaluation) member(n *ast.MemberNode) (any, error) {
	if root, ok := n.Node.(*ast.IdentifierNode); ok {
		if value, err := e.named(root.Value); err == nil {
			if of, ok := value.(lookup); ok {
				key, err := e.text(n.Property)
				return e.memberOf(root.Value, of, key), err
			}
		}
	}
	from, err := e.eval(n.Node)
	if err != nil {
		return nil, err
	}
	if from == nil && n.Optional {
		return nil, errNothing
	}
	key, err := e.eval(n.Property)
	if err != nil {
		return nil, err
	}
	switch v := from.(type) {
	case part:
		return v, nil
	case map[string]any:
		name, err := textOf(key)
		return v[name], err
	case map[string]string:
		name, err := textOf(key)
		return v[name], err
	case string:
		runes := []rune(v)
		at, err := within(len(runes), key)
		if err != nil {
			return nil, err
		}
		return string(runes[at]), e.read(v)
	case []string:
		at, err := within(len(v), key)
		if err != nil {
			return nil, err
		}
		return v[at], nil
	}
	items, ok := listOf(from)
	if !ok {
		return nil, fmt.Errorf("%s has no member %s", told(from), told(key))
	}
	at, err := within(len(items), key)
	if err != nil {
		return nil, err
	}
	return items[at], nil
}

// within gives the place that a number means, from the end where it is below zero.
func within(size int, key any) (int, error) {
	at, err := indexOf(key)
	if err != nil {
		return 0, err
	}
	given := at
	if at < 0 {
		at += size
	}
	if at < 0 || at >= size {
		return 0, fmt.Errorf("there is no place %d among %d", given, size)
	}
	return at, nil
}

// slice takes a part of a list, or of a text by its characters.
func (e *evaluation) slice(n *ast.SliceNode) (any, error) {
	of, err := e.eval(n.Node)
	if err != nil {
		return nil, err
	}
	text, isText := asText(of).(string)
	items, isList := listOf(of)
	size := len(items)
	if isText {
		size = utf8.RuneCountInString(text)
	}
	if !isText && !isList {
		return nil, fmt.Errorf("%s has no parts", told(of))
	}
	if err := e.spend(size / textUnit); err != nil {
		return nil, err
	}
	from, to := 0, size
	if n.From != nil {
		if from, err = e.index(n.From); err != nil {
			return nil, err
		}
	}
	if n.To != nil {
		if to, err = e.index(n.To); err != nil {
			return nil, err
		}
	}
	if from < 0 {
		from = max(0, from+size)
	}
	if to < 0 {
		to = max(0, to+size)
	}
	to = min(to, size)
	from = min(from, to)
	if !isText {
		return items[from:to], nil
	}
	text = string([]rune(text)[from:to])
	if _, ok := of.(part); ok {
		return part(len(text)), nil
	}
	return text, nil
}

func (e *evaluation) unary(n *ast.UnaryNode) (any, error) {
	if n.Operator == "!" || n.Operator == "not" {
		yes, err := e.verdict(n.Node)
		return !yes, err
	}
	value, err := e.eval(n.Node)
	if err != nil {
		return nil, err
	}
	if d, ok := value.(time.Duration); ok && n.Operator == "-" {
		return -d, nil
	}
	d, ok, err := numeric(value)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, fmt.Errorf("%s is no number", told(value))
	case n.Operator == "-":
		return d.Neg(), nil
	}
	return d, nil
}

func (e *evaluation) binary(n *ast.BinaryNode) (any, error) {
	switch n.Operator {
	case "and", "&&", "or", "||":
		left, err := e.verdict(n.Left)
		if err != nil || left == (n.Operator == "or" || n.Operator == "||") && !e.whole {
			return left, err
		}
		return e.verdict(n.Right)
	case "??":
		if left, err := e.eval(n.Left); err != nil || left != nil && !e.whole {
			return left, err
		}
		return e.eval(n.Right)
	}
	left, err := e.eval(n.Left)
	if err != nil {
		return nil, err
	}
	right, err := e.eval(n.Right)
	if err != nil {
		return nil, err
	}
	if left = asText(left); n.Operator != "in" {
		right = asText(right)
	}
	switch n.Operator {
	case "==":
		return e.equal(left, right)
	case "!=":
		same, err := e.equal(left, right)
		return !same, err
	case "<", "<=", ">", ">=":
		order, err := e.compare(left, right)
		return n.Operator[0] == '<' && order < 0 || n.Operator[0] == '>' && order > 0 || len(n.Operator) == 2 && order == 0, err
	case "in":
		return e.in(left, right)
	case "contains", "startsWith", "endsWith", "matches":
		return e.about(n.Operator, left, right)
	case "+", "-", "*", "/", "%":
		return e.reckon(n.Operator, left, right)
	}
	return nil, fmt.Errorf("%s is not taken", n.Operator)
}

// equal compares by value. Values of different kinds are different; numbers are equal however they are written.
func (e *evaluation) equal(left, right any) (bool, error) {
	if err := e.spend(1); err != nil {
		return false, err
	}
	switch l := left.(type) {
	case nil:
		return right == nil, nil
	case bool:
		r, ok := right.(bool)
		return ok && l == r, nil
	case string:
		r, ok := right.(string)
		if !ok || len(l) != len(r) {
			return false, nil
		}
		return l == r, e.read(l)
	case time.Time:
		r, ok := right.(time.Time)
		return ok && l.Equal(r), nil
	case time.Duration:
		r, ok := right.(time.Duration)
		return ok && l == r, nil
	}
	l, isNumber, err := numeric(left)
	if err != nil {
		return false, err
	}
	if isNumber {
		r, ok, err := numeric(right)
		return ok && err == nil && l.Equal(r), err
	}
	if l, ok := listOf(left); ok {
		r, ok := listOf(right)
		if !ok || len(l) != len(r) {
			return false, nil
		}
		for i := range l {
			if same, err := e.equal(l[i], r[i]); err != nil || !same {
				return false, err
			}
		}
		return true, nil
	}
	a, b := object(left), object(right)
	if a == nil || b == nil || len(a) != len(b) {
		return false, nil
	}
	for _, key := range sortedKeys(a) {
		other, ok := b[key]
		if !ok {
			return false, nil
		}
		if same, err := e.equal(a[key], other); err != nil || !same {
			return false, err
		}
	}
	return true, nil
}

func object(value any) map[string]any {
	switch v := value.(type) {
	case map[string]any:
		return v
	case map[string]string:
		out := map[string]any{}
		for _, key := range sortedKeys(v) {
			out[key] = v[key]
		}
		return out
	}
	return nil
}

// compare orders two numbers, texts, times or lengths of time.
func (e *evaluation) compare(left, right any) (int, error) {
	switch l := left.(type) {
	case string:
		if r, ok := right.(string); ok {
			return strings.Compare(l, r), e.read(l)
		}
	case time.Time:
		if r, ok := right.(time.Time); ok {
			return l.Compare(r), nil
		}
	case time.Duration:
		if r, ok := right.(time.Duration); ok {
			return cmp.Compare(l, r), nil
		}
	}
	l, isNumber, err := numeric(left)
	if err != nil {
		return 0, err
	}
	r, isNumberToo, err := numeric(right)
	if err != nil {
		return 0, err
	}
	if err := e.spend(reckoning); err != nil {
		return 0, err
	}
	if !isNumber || !isNumberToo {
		return 0, fmt.Errorf("%s and %s have no order", told(left), told(right))
	}
	return l.Cmp(r), nil
}

// in reports whether a list has an item, or an object a member. The texts of a list are gone through once, however often it is asked.
func (e *evaluation) in(needle, hay any) (bool, error) {
	if p, ok := hay.(part); ok {
		hay, _ = listOf(p)
	}
	switch v := hay.(type) {
	case nil:
		return false, nil
	case []string:
		text, ok := needle.(string)
		if !ok || len(v) == 0 {
			return false, nil
		}
		set := e.sets[&v[0]]
		if set == nil {
			if err := e.spend(len(v)); err != nil {
				return false, err
			}
			set = make(map[string]bool, len(v))
			for _, one := range v {
				set[one] = true
			}
			e.sets[&v[0]] = set
		}
		return set[text], e.read(text)
	case []any:
		for _, one := range v {
			if same, err := e.equal(one, needle); err != nil || same {
				return same, err
			}
		}
		return false, nil
	}
	if members := object(hay); members != nil {
		name, err := textOf(needle)
		_, ok := members[name]
		return ok, err
	}
	return false, fmt.Errorf("nothing can be in %s", told(hay))
}

// about answers a question about a text.
func (e *evaluation) about(question string, left, right any) (bool, error) {
	text, err := textOf(left)
	if err != nil {
		return false, err
	}
	what, err := textOf(right)
	if err != nil {
		return false, err
	}
	if len(what) > len(text) && question != "matches" {
		return false, nil
	}
	if err := e.read(what); err != nil {
		return false, err
	}
	if question == "contains" || question == "matches" {
		if err := e.read(text); err != nil {
			return false, err
		}
	}
	switch question {
	case "contains":
		return strings.Contains(text, what), nil
	case "startsWith":
		return strings.HasPrefix(text, what), nil
	case "endsWith":
		return strings.HasSuffix(text, what), nil
	}
	// A repetition of a few characters can stand for a thousand states.
	states := len(what)
	if strings.Contains(what, "{") {
		states *= 100
	}
	pattern := e.match[what]
	if pattern == nil {
		if err := e.spend(states); err != nil {
			return false, err
		}
		if pattern, err = regexp.Compile(what); err != nil {
			return false, fmt.Errorf("%s is no regular expression", quoted(what))
		}
		e.match[what] = pattern
	}
	if err := e.spend(len(text) / textUnit * states); err != nil {
		return false, err
	}
	return pattern.MatchString(text), nil
}

// reckon adds, subtracts, multiplies, divides, and gives the rest of a division. Numbers are exact; a quotient that has no end is rounded to MaxDigits
// decimals.
func (e *evaluation) reckon(operator string, left, right any) (any, error) {
	if err := e.spend(reckoning); err != nil {
		return nil, err
	}
	if value, ok, err := e.together(operator, left, right); ok || err != nil {
		return value, err
	}
	l, isNumber, err := numeric(left)
	if err != nil {
		return nil, err
	}
	r, isNumberToo, err := numeric(right)
	if err != nil {
		return nil, err
	}
	if !isNumber || !isNumberToo {
		return nil, fmt.Errorf("%s %s %s cannot be worked out", told(left), operator, told(right))
	}
	if r.IsZero() && (operator == "/" || operator == "%") {
		return nil, errors.New("division by zero")
	}
	var out decimal.Decimal
	switch operator {
	case "+":
		out = l.Add(r)
	case "-":
		out = l.Sub(r)
	case "*":
		out = l.Mul(r)
	case "/":
		out = l.DivRound(r, MaxDigits)
	default:
		if !l.IsInteger() || !r.IsInteger() {
			return nil, errors.New("% takes whole numbers")
		}
		out = l.Mod(r)
	}
	return out, bounded(out)
}

// together does what an operator does to texts and times; false where it is about numbers.
func (e *evaluation) together(operator string, left, right any) (any, bool, error) {
	switch l := left.(type) {
	case string:
		if r, ok := right.(string); ok && operator == "+" {
			return l + r, true, e.read(l, r)
		}
	case time.Time:
		switch r := right.(type) {
		case time.Duration:
			switch operator {
			case "+":
				return l.Add(r), true, nil
			case "-":
				return l.Add(-r), true, nil
			}
		case time.Time:
			if operator == "-" {
				return l.Sub(r), true, nil
			}
		}
	case time.Duration:
		switch r := right.(type) {
		case time.Time:
			if operator == "+" {
				return r.Add(l), true, nil
			}
		case time.Duration:
			switch operator {
			case "+", "-":
				return e.length(operator, decimal.NewFromInt(int64(l)), decimal.NewFromInt(int64(r)))
			}
		default:
			if times, ok, err := numeric(right); operator == "*" && ok && err == nil {
				return e.length("*", decimal.NewFromInt(int64(l)), times)
			}
		}
	default:
		if r, ok := right.(time.Duration); ok && operator == "*" {
			if times, ok, err := numeric(left); ok && err == nil {
				return e.length("*", decimal.NewFromInt(int64(r)), times)
			}
		}
	}
	return nil, false, nil
}

// length works out a length of time, which must fit 292 years.
func (e *evaluation) length(operator string, l, r decimal.Decimal) (any, bool, error) {
	out := l.Mul(r)
	switch operator {
	case "+":
		out = l.Add(r)
	case "-":
		out = l.Sub(r)
	}
	if out = out.Truncate(0); !out.BigInt().IsInt64() {
		return nil, true, errors.New("the length of time is too long")
	}
	return time.Duration(out.IntPart()), true, nil
}

// function calls one of builtins.
func (e *evaluation) function(n *ast.BuiltinNode) (any, error) {
	switch n.Name {
	case "any", "all", "none", "one", "count":
		return e.loop(n)
	}
	given, err := e.all(n.Arguments)
	if err != nil {
		return nil, err
	}
	if len(given) == 0 {
		return nil, fmt.Errorf("%s takes an argument", n.Name)
	}
	if n.Name != "min" && n.Name != "max" {
		given[0] = asText(given[0])
	}
	switch n.Name {
	case "len":
		return e.size(given[0])
	case "lower", "upper", "trim", "duration":
		return e.ofText(n.Name, given)
	case "string":
		if err := e.weigh(given[0]); err != nil {
			return nil, err
		}
		return show(settled(given[0])), nil
	case "min", "max":
		return e.extreme(n.Name, given)
	}
	if text, ok := given[0].(string); ok && (n.Name == "int" || n.Name == "float") {
		if !written.MatchString(text) {
			return nil, fmt.Errorf("%s is no number", told(text))
		}
		given[0] = json.Number(text)
	}
	d, ok, err := numeric(given[0])
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, fmt.Errorf("%s is no number", told(given[0]))
	}
	switch n.Name {
	case "int":
		return d.Truncate(0), nil
	case "float":
		return d, nil
	case "abs":
		return d.Abs(), nil
	case "round": // halves away from zero
		return d.Round(0), nil
	}
	return nil, fmt.Errorf("there is no function %s", n.Name)
}

// written is how a text may say a number.
var written = regexp.MustCompile(`^[+-]?\d+(\.\d+)?([eE][+-]?\d+)?$`)

// size counts the items of a list, the members of an object, or the characters of a text.
func (e *evaluation) size(value any) (any, error) {
	n := 0
	switch v := value.(type) {
	case string:
		n = utf8.RuneCountInString(v)
		if err := e.read(v); err != nil {
			return nil, err
		}
	case []string:
		n = len(v)
	case []any:
		n = len(v)
	case map[string]any:
		n = len(v)
	case map[string]string:
		n = len(v)
	default:
		return nil, fmt.Errorf("%s has no length", told(value))
	}
	return decimal.NewFromInt(int64(n)), nil
}

func (e *evaluation) ofText(name string, given []any) (any, error) {
	text, err := textOf(given[0])
	if err != nil {
		return nil, err
	}
	if err := e.read(text); err != nil {
		return nil, err
	}
	switch {
	case name == "lower":
		return strings.ToLower(text), nil
	case name == "upper":
		return strings.ToUpper(text), nil
	case name == "duration":
		d, err := time.ParseDuration(text)
		if err != nil {
			return nil, fmt.Errorf("%s is no length of time", quoted(text))
		}
		return d, nil
	case len(given) > 1:
		cutset, err := textOf(given[1])
		if err == nil {
			err = e.spend(len(text) / textUnit * len(cutset))
		}
		return strings.Trim(text, cutset), err
	}
	return strings.TrimSpace(text), nil
}

// extreme gives the smallest or the largest of numbers and lists of numbers; nil where there is none.
func (e *evaluation) extreme(name string, given []any) (any, error) {
	var best any
	for _, one := range given {
		if items, ok := listOf(one); ok {
			if err := e.spend(len(items)); err != nil {
				return nil, err
			}
			inner, err := e.extreme(name, items)
			if err != nil {
				return nil, err
			}
			if inner == nil {
				continue
			}
			one = inner
		}
		d, ok, err := numeric(one)
		switch {
		case err != nil:
			return nil, err
		case !ok:
			return nil, fmt.Errorf("%s is no number", told(one))
		}
		if have, ok := best.(decimal.Decimal); !ok || name == "min" && d.LessThan(have) || name == "max" && d.GreaterThan(have) {
			best = d
		}
	}
	return best, nil
}

// loop asks a question about each item of a list, until the answer is known.
func (e *evaluation) loop(n *ast.BuiltinNode) (any, error) {
	of, err := e.eval(n.Arguments[0])
	if err != nil {
		return nil, err
	}
	items, ok := listOf(of)
	if !ok {
		return nil, fmt.Errorf("%s is no list", told(of))
	}
	if err := e.spend(len(items)); err != nil {
		return nil, err
	}
	count := 0
	for _, one := range items {
		yes, err := e.asked(n, one)
		if err != nil {
			return nil, err
		}
		if yes {
			count++
		}
		switch {
		case e.whole:
		case n.Name == "any" && yes:
			return true, nil
		case n.Name == "all" && !yes, n.Name == "none" && yes:
			return false, nil
		}
	}
	switch n.Name {
	case "any":
		return false, nil
	case "one":
		return count == 1, nil
	case "count":
		return decimal.NewFromInt(int64(count)), nil
	}
	return true, nil
}

// asked answers a loop's question about one item; without a question the item itself is the answer.
func (e *evaluation) asked(n *ast.BuiltinNode, one any) (bool, error) {
	if len(n.Arguments) == 1 {
		return verdict(one)
	}
	question := n.Arguments[1]
	if predicate, ok := question.(*ast.PredicateNode); ok {
		question = predicate.Node
	}
	e.items = append(e.items, one)
	yes, err := e.verdict(question)
	e.items = e.items[:len(e.items)-1]
	return yes, err
}

// methods are what can be called of times and lengths of time. None of them reads a clock or the zone of the machine.
var methods = []string{"Add", "AddDate", "After", "Before", "Compare", "Equal", "Sub", "Year", "Month", "Day", "Hour", "Minute", "Second", "Weekday",
	"YearDay", "Unix", "UnixMilli", "IsZero", "Format", "UTC", "Truncate", "Round", "Hours", "Minutes", "Seconds", "Milliseconds", "Abs", "String"}

// method calls a method of a time or a length of time.
func (e *evaluation) method(n *ast.CallNode) (any, error) {
	callee, ok := n.Callee.(*ast.MemberNode)
	if !ok {
		return nil, errors.New("it calls what is no function")
	}
	of, err := e.eval(callee.Node)
	if err != nil {
		return nil, err
	}
	if of == nil && callee.Optional {
		return nil, errNothing
	}
	name, err := e.text(callee.Property)
	if err != nil {
		return nil, err
	}
	given, err := e.all(n.Arguments)
	if err != nil {
		return nil, err
	}
	switch of.(type) {
	case time.Time, time.Duration:
	default:
		return nil, fmt.Errorf("%s has no %s()", told(of), name)
	}
	method := reflect.ValueOf(of).MethodByName(name)
	if !slices.Contains(methods, name) || !method.IsValid() {
		return nil, fmt.Errorf("%s() cannot be called here", name)
	}
	if method.Type().NumIn() != len(given) {
		return nil, fmt.Errorf("%s() takes %d arguments", name, method.Type().NumIn())
	}
	in := make([]reflect.Value, len(given))
	for i, value := range given {
		want := method.Type().In(i)
		if want.Kind() == reflect.Int {
			at, err := indexOf(value)
			if err != nil {
				return nil, err
			}
			value = at
		}
		if value == nil || reflect.TypeOf(value) != want {
			return nil, fmt.Errorf("%s() does not take %s", name, told(value))
		}
		in[i] = reflect.ValueOf(value)
	}
	switch out := method.Call(in)[0]; out.Kind() {
	case reflect.Int, reflect.Int64:
		if d, ok := out.Interface().(time.Duration); ok {
			return d, nil
		}
		return decimal.NewFromInt(out.Int()), nil
	case reflect.Float64:
		d, _, err := numeric(out.Float())
		return d, err
	default:
		return out.Interface(), nil
	}
}
