package itsm

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"signalbox/flow"
	"signalbox/ticket"
)

// A flow as the original exports it becomes a definition (itsm.md 1.10, 5). One rule holds throughout: nothing that decides, which way a ticket goes or
// whether it is approved, is changed without a word. Where it cannot be carried over, the import is refused. What can be left to people is left to people
// (whoever has a role that is unknown here, what a system of the original's does), and what only decorates is left out; both are named.

// translation is a flow on its way to a definition.
type translation struct {
	states      map[int64]member
	fields      map[int64]member
	out         map[int64][]wayOn
	outputs     map[string]output // by the key of a variable
	keys        map[string]string // of fields, as they are called here
	types       map[string]flow.FieldType
	groups      []string          // of the directory
	meets       map[int64][]int64 // see coverages
	start, form int64
	left        []ticket.NotCarried
	faults      ticket.Faults
	def         flow.Definition
}

// output is a variable of an approval: what came of it.
type output struct {
	state int64
	code  string
}

// wayOn is a transition.
type wayOn struct {
	id, to int64
	name   string
	always bool
	when   member
}

// member is an object of the export. Ids are numbers or digits in a text there, so nothing is decoded into a struct.
type member map[string]any

func (m member) text(name string) string {
	switch v := m[name].(type) {
	case string:
		return v
	case json.Number:
		return string(v)
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

func (m member) id(name string) int64 {
	n, _ := strconv.ParseInt(m.text(name), 10, 64)
	return n
}

func (m member) yes(name string) bool { return m.text(name) == "true" }

func (m member) object(name string) member {
	o, _ := m[name].(map[string]any)
	return o
}

// list gives what is in a list, or in an object whatever the names.
func (m member) list(name string) (out []member) {
	switch v := m[name].(type) {
	case []any:
		for _, one := range v {
			if o, ok := one.(map[string]any); ok {
				out = append(out, o)
			}
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if o, ok := v[key].(map[string]any); ok {
				out = append(out, o)
			}
		}
	}
	return out
}

// byID gives what is in a list or an object by the ids that its members have.
func (m member) byID(name string) map[int64]member {
	out := map[int64]member{}
	for _, one := range m.list(name) {
		out[one.id("id")] = one
	}
	return out
}

// groupKinds are the types of processors that name roles and departments by their ids (itsm.md 5.4). A group of the directory with the same id is taken for each.
var groupKinds = []string{"GENERAL", "CMDB", "IAM", "ORGANIZATION"}

// groupsIn lists the ids of roles and departments that an exported flow names.
func groupsIn(workflow member) (ids []string) {
	for _, s := range workflow.list("states") {
		for _, name := range []string{"processors", "assignors", "delivers"} {
			if slices.Contains(groupKinds, s.text(name+"_type")) {
				ids = append(ids, flow.SplitPersons(s.text(name))...)
			}
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// translate makes a definition of an exported flow; groups are those of the directory that there are, of those that it names. left says what it has nothing for;
// faults say why it cannot be imported.
func translate(workflow member, groups []string) (def flow.Definition, left []ticket.NotCarried, faults ticket.Faults) {
	t := &translation{states: workflow.byID("states"), fields: workflow.byID("fields"), out: map[int64][]wayOn{}, outputs: map[string]output{},
		keys: map[string]string{}, types: map[string]flow.FieldType{}, groups: groups, meets: map[int64][]int64{}}
	transitions := workflow.byID("transitions")
	if n := len(t.states); n > flow.MaxNodes+2 { // its beginning and its form are no nodes here
		t.faults.Add("workflow.states", ticket.Over(flow.MaxNodes+2, "items", n))
	}
	if n := len(transitions); n > flow.MaxNodes*flow.MaxPaths {
		t.faults.Add("workflow.transitions", ticket.Over(flow.MaxNodes*flow.MaxPaths, "items", n))
	}
	if len(t.faults) > 0 {
		return def, nil, t.faults
	}
	for _, id := range slices.Sorted(maps.Keys(transitions)) {
		l := transitions[id]
		from := l.id("from_state")
		always := l.text("condition_type") != "by_field" || len(l.object("condition").list("expressions")) == 0
		t.out[from] = append(t.out[from], wayOn{id, l.id("to_state"), l.text("name"), always, l.object("condition")})
	}
	for _, id := range slices.Sorted(maps.Keys(t.states)) {
		s := t.states[id]
		if s.text("type") == "START" {
			t.start = id
		}
		for _, o := range s.object("variables").list("outputs") {
			if code := o.object("meta").text("code"); code != "" {
				t.outputs[o.text("key")] = output{id, code}
			}
		}
	}
	if len(t.out[t.start]) != 1 {
		t.faults.Add("workflow.states", "there must be a START with one transition")
		return def, nil, t.faults
	}
	t.form = t.out[t.start][0].to
	for _, id := range slices.Sorted(maps.Keys(t.fields)) {
		f := t.fields[id]
		t.keys[f.text("key")], t.types[f.text("key")] = ourKey(f.text("key")), ourType(f)
	}
	t.def.Description = workflow.text("desc")
	t.def.Fields = t.fieldsOf(t.form)
	t.decorations(workflow)
	t.nodes()
	if len(t.faults) > 0 {
		return def, nil, t.faults
	}
	return t.def, t.left, nil
}

// leave names something that is not carried over.
func (t *translation) leave(at, why string, about ...any) {
	t.left = append(t.left, ticket.NotCarried{At: at, Why: fmt.Sprintf(why, about...)})
}

// decorations names what a flow has beside its nodes.
func (t *translation) decorations(w member) {
	for _, trigger := range w.list("triggers") {
		t.leave("workflow.triggers", "the trigger %q (%s) is not made: subscribe to what happens instead", trigger.text("name"), trigger.text("signal"))
	}
	for name, why := range map[string]string{
		"is_auto_approve":     "nobody is taken to approve because they opened the ticket",
		"is_task_needed":      "tasks of the original are not made",
		"is_biz_needed":       "no business is asked for",
		"is_iam_used":         "there are no roles of IAM here",
		"is_supervise_needed": "nobody supervises",
	} {
		if w.yes(name) {
			t.leave("workflow."+name, "%s", why)
		}
	}
	if revoke := w.object("revoke_config").text("type"); w.text("is_revocable") == "false" || revoke != "" && revoke != "1" {
		t.leave("workflow.revoke_config", "the opener may withdraw at any time")
	}
	for _, name := range []string{"notify", "task_schemas"} {
		if len(w.list(name)) > 0 {
			t.leave("workflow."+name, "is not made")
		}
	}
	slices.SortStableFunc(t.left, func(a, b ticket.NotCarried) int { return cmp.Compare(a.At, b.At) })
}

// nodes makes the nodes, in the order in which a ticket comes to them.
func (t *translation) nodes() {
	seen := map[int64]bool{t.start: true, t.form: true}
	t.way(t.form, fmt.Sprintf("workflow.states.%d", t.form))
	queue := t.targets(t.form)
	for len(queue) > 0 {
		id := queue[0]
		queue = queue[1:]
		if seen[id] {
			continue
		}
		seen[id] = true
		if _, ok := t.states[id]; !ok {
			t.faults.Add(fmt.Sprintf("workflow.states.%d", id), "is led to and is not there")
			continue
		}
		t.node(id)
		queue = append(queue, t.targets(id)...)
	}
	for _, id := range slices.Sorted(maps.Keys(t.states)) {
		if !seen[id] {
			t.leave(fmt.Sprintf("workflow.states.%d", id), "%q: no way leads to it", t.states[id].text("name"))
		}
	}
}

func (t *translation) targets(id int64) (to []int64) {
	for _, l := range t.out[id] {
		to = append(to, l.to)
	}
	return to
}

// idOf is what a node is called here. Integer ids of nodes stay those of their names through all versions, and so does this.
func idOf(state int64) string { return fmt.Sprintf("s%d", state) }

// way gives where it goes on from a state. Where several lines leave it, the original takes the first whose condition holds: a branch of its own does that
// here.
func (t *translation) way(state int64, at string) string {
	lines := t.out[state]
	switch {
	case len(lines) == 0:
		t.faults.Add(at, "no way leads on from it")
		return ""
	case len(lines) == 1 && lines[0].always:
		return t.target(lines[0].to)
	case len(lines) == 1:
		t.leave(fmt.Sprintf("workflow.transitions.%d.condition", lines[0].id), "the only way on is taken whatever holds")
		return t.target(lines[0].to)
	}
	id := idOf(state) + "_way"
	t.def.Nodes = append(t.def.Nodes, t.branch(id, t.named(state), lines))
	return id
}

// named is the name of a state, and something where it has none.
func (t *translation) named(state int64) string {
	return cmp.Or(strings.TrimSpace(t.states[state].text("name")), t.states[state].text("type"), idOf(state))
}

// branch makes a branch of lines: the first that holds is taken, and the one without a condition where none does.
func (t *translation) branch(id, name string, lines []wayOn) flow.Node {
	n := flow.Node{ID: id, Name: name, Type: flow.Branch}
	for _, l := range lines {
		if l.always && n.Default == "" {
			n.Default = t.target(l.to)
		}
	}
	for i, l := range lines {
		if l.always {
			continue
		}
		if n.Default == "" && i == len(lines)-1 {
			t.leave(fmt.Sprintf("workflow.transitions.%d.condition", l.id), "is taken where no other line holds; the original would stop there")
			n.Default = t.target(l.to)
			break
		}
		n.Cases = append(n.Cases, flow.Case{Name: l.name, When: t.condition(fmt.Sprintf("workflow.transitions.%d.condition", l.id), l.when, false), Next: t.target(l.to)})
	}
	return n
}

// target is the node that a line leads to.
func (t *translation) target(state int64) string { return idOf(state) }

// node makes a node of a state.
func (t *translation) node(id int64) {
	s, at := t.states[id], fmt.Sprintf("workflow.states.%d", id)
	n := flow.Node{ID: idOf(id), Name: t.named(id)}
	kind := s.text("type")
	switch kind {
	case "END":
		n.Type = flow.End
		t.def.Nodes = append(t.def.Nodes, n)
		return
	case "ROUTER":
		t.def.Nodes = append(t.def.Nodes, t.branch(n.ID, n.Name, t.out[id]))
		return
	case "ROUTER-P":
		t.parallel(id, n, at)
		return
	case "COVERAGE":
		n.Type = flow.Join
	case "NORMAL":
		n.Type, n.Fields = flow.Task, t.fieldsOf(id)
		t.people(&n, s, at)
	case "APPROVAL", "SIGN":
		n.Type, n.Fields = flow.Approval, t.fieldsOf(id)
		t.approval(&n, s, at)
	case "WEBHOOK":
		t.webhook(&n, s, at)
	default:
		t.byHand(&n, s, at, fmt.Sprintf("a node of type %s is done by people here, and they say when it is", kind))
	}
	if status := s.object("extras").object("ticket_status"); status.text("type") != "" && status.text("type") != "keep" {
		t.leave(at+".extras.ticket_status", "the ticket's status is not set to %q", status.text("name"))
	}
	// Its own place first: a branch that way makes comes behind it.
	place := len(t.def.Nodes)
	t.def.Nodes = append(t.def.Nodes, n)
	next := t.way(id, at)
	t.def.Nodes[place].Next = next
}

// byHand makes a task of what a system of the original's does.
func (t *translation) byHand(n *flow.Node, s member, at, why string) {
	t.leave(at, "%s", why)
	n.Type, n.Call = flow.Task, nil
	n.Processors = t.processors(s.text("processors_type"), s.text("processors"), at+".processors")
}

// distributes are our words for the original's.
var distributes = map[string]flow.Distribution{
	"CLAIM_THEN_PROCESS": flow.ByClaim, "DISTRIBUTE_THEN_PROCESS": flow.ByAssign, "DISTRIBUTE_THEN_CLAIM": flow.AssignThenClaim,
}

func (t *translation) people(n *flow.Node, s member, at string) {
	n.Processors = t.processors(s.text("processors_type"), s.text("processors"), at+".processors")
	n.Terminable = s.yes("is_terminable")
	if s.yes("can_deliver") {
		n.Deliver = t.others(s, "delivers", at)
	}
	distribute := distributes[s.text("distribute_type")]
	if distribute == "" {
		return
	}
	if n.Processors.Caller {
		t.leave(at+".distribute_type", "whoever the caller names does it at once")
		return
	}
	n.Distribute = distribute
	if distribute != flow.ByClaim {
		n.Assigners = t.others(s, "assignors", at)
	}
}

// others says who may be handed over to, or who assigns: anybody where the original asks for nobody in particular.
func (t *translation) others(s member, name, at string) *flow.Processors {
	p := t.processors(s.text(name+"_type"), s.text(name), at+"."+name)
	if p.Caller {
		return &flow.Processors{Anyone: true}
	}
	return p
}

// processors says in our words who is asked (itsm.md 5.4). For whom we have no word the caller names somebody, and until then nobody is asked: the node is
// never passed by.
func (t *translation) processors(kind, who, at string) *flow.Processors {
	names := flow.SplitPersons(who)
	switch {
	case kind == "PERSON" && len(names) > 0:
		return &flow.Processors{Persons: names}
	case kind == "OPEN", kind == "BY_ASSIGNOR":
		return &flow.Processors{Anyone: true}
	case kind == "STARTER":
		return &flow.Processors{Opener: true}
	case kind == "VARIABLE" && len(names) > 0:
		p := &flow.Processors{}
		for _, name := range names {
			p.Fields = append(p.Fields, cmp.Or(t.keys[name], name))
		}
		return p
	case slices.Contains(groupKinds, kind) && len(names) > 0 && len(names) <= flow.MaxGroups && t.known(names):
		return &flow.Processors{Groups: names}
	case kind == "STARTER_LEADER":
		return &flow.Processors{ManagerOf: "opener"}
	case kind == "VARIABLE_LEADER" && len(names) == 1:
		return &flow.Processors{ManagerOf: cmp.Or(t.keys[names[0]], names[0])}
	case kind == "EMPTY" || kind == "":
	default:
		t.leave(at, "%s %q names nobody here: name them for the node (meta.state_processors), or let an admin reassign it", kind, who)
	}
	return &flow.Processors{Caller: true}
}

// known reports whether the directory has a group of each id.
func (t *translation) known(ids []string) bool {
	return !slices.ContainsFunc(ids, func(id string) bool { return !slices.Contains(t.groups, id) })
}

func (t *translation) approval(n *flow.Node, s member, at string) {
	t.people(n, s, at)
	n.Distribute, n.Assigners = "", nil
	if s.text("distribute_type") != "PROCESS" && s.text("distribute_type") != "" {
		t.leave(at+".distribute_type", "everybody who is asked can vote at once")
	}
	switch {
	case s.yes("is_sequential"):
		n.Rule = flow.Sequence
	case s.yes("is_multi") || s.text("type") == "SIGN":
		n.Rule = flow.AllOf
	}
	if n.Rule != "" {
		if condition := s.object("finish_condition"); len(condition.list("expressions")) > 0 {
			n.Finish = t.condition(at+".finish_condition", condition, true)
		}
		if n.Processors.Anyone {
			t.leave(at+".processors", "votes of anybody cannot be counted: name those who are asked (meta.state_processors), or let an admin reassign it")
			n.Processors = &flow.Processors{Caller: true}
		}
	}
	if s.object("extras").yes("enable_terminate_ticket_when_rejected") {
		n.Reject = &flow.Rejection{Then: flow.GoEnd}
	}
	if s.yes("is_allow_skip") {
		t.leave(at+".is_allow_skip", "where nobody is asked the node waits for an admin, and is not passed")
	}
}

// parallel makes a parallel of a state whose lines are all taken, and that meet again at a COVERAGE. A line with a condition goes straight there where it
// does not hold.
func (t *translation) parallel(id int64, n flow.Node, at string) {
	meet := t.meeting(id)
	if meet == 0 {
		t.faults.Add(at, "its lines must meet at a COVERAGE")
		return
	}
	n.Type, n.Join = flow.Parallel, t.target(meet)
	place := len(t.def.Nodes)
	t.def.Nodes = append(t.def.Nodes, n)
	for i, l := range t.out[id] {
		path := flow.Path{Name: cmp.Or(strings.TrimSpace(l.name), t.named(l.to)), Next: t.target(l.to)}
		if slices.ContainsFunc(t.def.Nodes[place].Branches, func(b flow.Path) bool { return b.Name == path.Name }) {
			path.Name = fmt.Sprintf("%s (%d)", path.Name, i+1)
		}
		if !l.always {
			path.Next = fmt.Sprintf("%s_way%d", n.ID, i+1)
			t.def.Nodes = append(t.def.Nodes, flow.Node{ID: path.Next, Name: path.Name, Type: flow.Branch, Default: n.Join,
				Cases: []flow.Case{{Name: l.name, When: t.condition(fmt.Sprintf("workflow.transitions.%d.condition", l.id), l.when, false), Next: t.target(l.to)}}})
		}
		t.def.Nodes[place].Branches = append(t.def.Nodes[place].Branches, path)
	}
}

// meeting finds the nearest COVERAGE that every line of a state leads to; 0: there is none.
func (t *translation) meeting(id int64) int64 {
	lines := t.targets(id)
	if len(lines) == 0 {
		return 0
	}
	for _, meet := range t.coverages(lines[0]) {
		if !slices.ContainsFunc(lines, func(to int64) bool { return !slices.Contains(t.coverages(to), meet) }) {
			return meet
		}
	}
	return 0
}

// coverages lists the states of this type that a state leads to, the nearest first. It is worked out once for each.
func (t *translation) coverages(from int64) (out []int64) {
	if out, known := t.meets[from]; known {
		return out
	}
	seen := map[int64]bool{}
	for queue := []int64{from}; len(queue) > 0; queue = queue[1:] {
		id := queue[0]
		if seen[id] {
			continue
		}
		seen[id] = true
		if t.states[id].text("type") == "COVERAGE" {
			out = append(out, id)
		}
		queue = append(queue, t.targets(id)...)
	}
	t.meets[from] = out
	return out
}

// countCodes are the variables of an approval that count, by the original's codes; they are called the same here.
var countCodes = []string{"PROCESS_COUNT", "PASS_COUNT", "REJECT_COUNT", "PASS_RATE", "REJECT_RATE"}

// condition writes a condition of the original's (itsm.md 5.10) as an expression; counting: one over what is counted at an approval while it is on. What
// it cannot say is a fault: it would decide otherwise.
func (t *translation) condition(at string, c member, counting bool) string {
	var parts []string
	for i, e := range c.list("expressions") {
		inner := fmt.Sprintf("%s.expressions[%d]", at, i)
		if len(e.list("expressions")) > 0 {
			parts = append(parts, "("+t.condition(inner, e, counting)+")")
			continue
		}
		part, err := t.leaf(e, counting)
		if err != nil {
			t.faults.Add(inner, err.Error())
			continue
		}
		parts = append(parts, part)
	}
	word := " && "
	if c.text("type") == "or" {
		word = " || "
	}
	return strings.Join(parts, word)
}

// comparisons are the operators that two values can be compared with.
var comparisons = []string{"==", "!=", ">", "<", ">=", "<="}

func (t *translation) leaf(e member, counting bool) (string, error) {
	key, operator, value := e.text("key"), e.text("condition"), e.text("value")
	if key == "G_INT_1" {
		if operator == "==" && value == "1" {
			return "true", nil
		}
		return "", fmt.Errorf("G_INT_1 is always 1")
	}
	compared := slices.Contains(comparisons, operator)
	number := regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`).MatchString(value)
	if out, ok := t.outputs[key]; ok {
		switch name := fmt.Sprintf("nodes.%s.%s", idOf(out.state), out.code); {
		case out.code == "NODE_APPROVE_RESULT" && (operator == "==" || operator == "!=") && (value == "true" || value == "false") && !counting:
			passed := fmt.Sprintf("nodes.%s.passed", idOf(out.state))
			if (value == "true") != (operator == "==") {
				return "!" + passed, nil
			}
			return passed, nil
		case slices.Contains(countCodes, out.code) && compared && number && counting:
			return fmt.Sprintf("%s %s %s", out.code, operator, value), nil
		case slices.Contains(countCodes, out.code) && compared && number:
			return fmt.Sprintf("%s %s %s", name, operator, value), nil
		}
		return "", fmt.Errorf("%s %s %q cannot be said of an approval", out.code, operator, value)
	}
	kind, known := t.types[key]
	if !known || counting {
		return "", fmt.Errorf("%q is no field and no result of this flow", key)
	}
	name, quoted := "fields."+t.keys[key], strconv.Quote(value)
	list := kind == flow.Checkbox || kind == flow.Multiselect || kind == flow.Members
	switch {
	case kind == flow.Int && compared && number:
		return fmt.Sprintf("%s %s %s", name, operator, value), nil
	case kind == flow.Bool && (value == "true" || value == "false") && (operator == "==" || operator == "!="):
		return fmt.Sprintf("%s %s %s", name, operator, value), nil
	case (kind == flow.Date || kind == flow.DateTime || kind == flow.Int || kind == flow.Bool) && operator != "in" && operator != "notin":
	case !list && (operator == "==" || operator == "!="):
		return fmt.Sprintf("%s %s %s", name, operator, quoted), nil
	case list && (operator == "issuperset" || operator == "notissuperset"):
		var all []string
		for _, one := range strings.Split(value, ",") {
			all = append(all, fmt.Sprintf("%s in %s", strconv.Quote(strings.TrimSpace(one)), name))
		}
		if operator == "notissuperset" {
			return "!(" + strings.Join(all, " && ") + ")", nil
		}
		return "(" + strings.Join(all, " && ") + ")", nil
	case !list && kind != flow.Int && kind != flow.Bool && kind != flow.Date && kind != flow.DateTime && (operator == "in" || operator == "notin"):
		var any []string
		for _, one := range strings.Split(value, ",") {
			any = append(any, fmt.Sprintf("%s == %s", name, strconv.Quote(strings.TrimSpace(one))))
		}
		if operator == "notin" {
			return "!(" + strings.Join(any, " || ") + ")", nil
		}
		return "(" + strings.Join(any, " || ") + ")", nil
	}
	return "", fmt.Errorf("%s %s %q of the type %s cannot be said here", key, operator, value, kind)
}

// fieldTypes are our types of the original's (itsm.md 5.6); what has none is kept as a text.
var fieldTypes = map[string]flow.FieldType{
	"STRING": flow.String, "TEXT": flow.Text, "INT": flow.Int, "DATE": flow.Date, "DATETIME": flow.DateTime, "SELECT": flow.Select, "RADIO": flow.Radio,
	"CHECKBOX": flow.Checkbox, "MULTISELECT": flow.Multiselect, "MEMBER": flow.Member, "MEMBERS": flow.Members, "LINK": flow.Link, "INPUTSELECT": flow.String,
}

var (
	plainWord = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	anyWord   = regexp.MustCompile(`^[A-Za-z0-9_]+$`)
)

// fieldsOf makes the form of a state, but for what every approval asks for here by itself: the result and the two remarks.
func (t *translation) fieldsOf(state int64) (out []flow.Field) {
	ids, _ := t.states[state]["fields"].([]any)
	var own []member
	result := ""
	for _, id := range ids {
		f, ok := t.fields[member{"id": id}.id("id")]
		if !ok {
			continue
		}
		if f.object("meta").text("code") == "APPROVE_RESULT" {
			result = f.text("key")
			continue
		}
		own = append(own, f)
	}
	for _, f := range own {
		conditions := f.object("show_conditions").list("expressions")
		remark := slices.ContainsFunc(conditions, func(c member) bool { return result != "" && c.text("key") == result })
		if !remark || f.text("type") != "TEXT" {
			out = append(out, t.field(f, len(conditions) > 0))
		}
	}
	return out
}

func (t *translation) field(f member, hidden bool) flow.Field {
	at := fmt.Sprintf("workflow.fields.%d", f.id("id"))
	field := flow.Field{Key: ourKey(f.text("key")), Name: f.text("name"), Type: ourType(f), Required: f.text("validate_type") == "REQUIRE"}
	if field.Key != f.text("key") {
		t.leave(at+".key", "%q is called %q here", f.text("key"), field.Key)
	}
	switch known := fieldTypes[f.text("type")]; {
	case known == "":
		t.leave(at+".type", "%s is kept as a text", f.text("type"))
	case chosen(known) && field.Type == flow.String:
		t.leave(at+".choice", "what may be chosen comes from %s %q and is not known here: any text is taken", f.text("source_type"), f.text("source_uri"))
	case chosen(known):
		for _, c := range f.list("choice") {
			field.Choice = append(field.Choice, flow.Choice{Key: c.text("key"), Name: c.text("name")})
		}
	}
	if hidden && field.Required {
		t.leave(at+".show_conditions", "%q is not hidden, and may be left out", field.Key)
		field.Required = false
	}
	switch regex, custom := f.text("regex"), f.text("custom_regex"); {
	case custom != "" && (field.Type == flow.String || field.Type == flow.Text):
		if _, err := regexp.Compile(custom); err != nil {
			t.leave(at+".custom_regex", "%q is no regular expression here", custom)
		} else {
			field.Regex = custom
		}
	case regex != "" && regex != "EMPTY":
		t.leave(at+".regex", "%s is not checked", regex)
	}
	if text := f.text("default"); text != "" && f.text("type") != "RADIO" && len(f.object("default")) == 0 {
		field.Default = text
	}
	return field
}

// ourKey is what a field is called here: its own key, but for one that begins with a digit.
func ourKey(key string) string {
	if !plainWord.MatchString(key) && anyWord.MatchString(key) {
		return "f_" + key
	}
	return key
}

func chosen(kind flow.FieldType) bool {
	return slices.Contains([]flow.FieldType{flow.Select, flow.Radio, flow.Checkbox, flow.Multiselect}, kind)
}

// ourType is the type of a field here. Of choices that are not in the export one is taken as a text.
func ourType(f member) flow.FieldType {
	kind := fieldTypes[f.text("type")]
	switch source := f.text("source_type"); {
	case kind == "":
		return flow.Text
	case chosen(kind) && (len(f.list("choice")) == 0 || source != "" && source != "CUSTOM"):
		return flow.String
	}
	return kind
}

// Holes of webhooks: what is in double braces.
var hole = regexp.MustCompile(`\{\{\s*([A-Za-z0-9_]+)\s*\}\}`)

// holes are what can be said of a ticket in a request, by the original's names.
var holes = map[string]string{"ticket_title": "fields.title", "ticket_creator": "opener"}

// filled writes a text of a webhook with holes as our requests have them.
func (t *translation) filled(at, text string) string {
	text = strings.ReplaceAll(text, "${", "$${")
	return hole.ReplaceAllStringFunc(text, func(found string) string {
		name := hole.FindStringSubmatch(found)[1]
		if key, ok := t.keys[name]; ok {
			return "${fields." + key + "}"
		}
		if ours, ok := holes[name]; ok && (name != "ticket_title" || t.keys["title"] != "") {
			return "${" + ours + "}"
		}
		t.leave(at, "%s is empty here", found)
		return ""
	})
}

var simpleSuccess = regexp.MustCompile(`^\s*resp\.data\.([A-Za-z_][A-Za-z0-9_.]*)\s*(==|!=)\s*("[^"]*"|'[^']*'|-?[0-9]+|true|false)\s*$`)

// webhook makes a call of a webhook; one that we cannot make as it is meant is done by hand.
func (t *translation) webhook(n *flow.Node, s member, at string) {
	hook, inner := s.object("extras").object("webhook_info"), at+".extras.webhook_info"
	call := &flow.Request{Method: cmp.Or(hook.text("method"), "POST"), URL: t.filled(inner+".url", strings.TrimSpace(hook.text("url"))), Headers: map[string]string{},
		Retry: &flow.Tries{Attempts: 1}}
	if query := hook.list("query_params"); len(query) > 0 {
		values := make([]string, len(query))
		for i, q := range query {
			values[i] = url.QueryEscape(q.text("key")) + "=" + t.filled(inner+".query_params", q.text("value"))
		}
		call.URL += "?" + strings.Join(values, "&")
	}
	for _, h := range hook.list("headers") {
		if name := h.text("key"); name != "" && !flow.Reserved(name) {
			call.Headers[name] = t.filled(inner+".headers."+name, h.text("value"))
		} else if name != "" {
			t.leave(inner+".headers."+name, "is not sent: Signalbox says it itself")
		}
	}
	auth := hook.object("auth").object("auth_config")
	if kind := hook.object("auth").text("auth_type"); kind == "bearer_token" && auth.text("token") != "" {
		call.Headers["Authorization"] = "Bearer " + auth.text("token")
	} else if kind != "" && kind != "no_auth" && kind != "bearer_token" {
		t.byHand(n, s, inner+".auth", "a request with "+kind+" is not made: people do it, and say when it is done")
		return
	}
	switch body := hook.object("body"); {
	case body.text("content") == "" && body.text("type") != "form-data" && body.text("type") != "x-www-form-urlencoded":
	case body.text("type") == "raw" && body.text("raw_type") == "JSON":
		if err := flow.DecodeExact([]byte(t.filled(inner+".body", body.text("content"))), &call.Body); err != nil {
			t.byHand(n, s, inner+".body", "a body that is no JSON is not sent: people do it, and say when it is done")
			return
		}
	default:
		t.byHand(n, s, inner+".body", "a body of the type "+body.text("type")+" is not sent: people do it, and say when it is done")
		return
	}
	if seconds := hook.object("settings").id("timeout"); seconds > 0 {
		call.Timeout = fmt.Sprintf("%ds", seconds)
	}
	switch found := simpleSuccess.FindStringSubmatch(hook.text("success_exp")); {
	case found != nil:
		call.Success = fmt.Sprintf("body.%s %s %s", found[1], found[2], strings.ReplaceAll(found[3], "'", `"`))
	case hook.text("success_exp") != "":
		t.byHand(n, s, inner+".success_exp", fmt.Sprintf("what %q calls a success cannot be said: people make the request, and say when it is done", hook.text("success_exp")))
		return
	}
	n.Type, n.Call = flow.Call, call
	n.Processors = t.processors(s.text("processors_type"), s.text("processors"), at+".processors")
}
