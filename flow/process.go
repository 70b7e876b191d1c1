package flow

import "signalbox/calendar"

// Process is a definition that has been checked and compiled. It never changes and may be used by many goroutines at once. Compiling costs
// milliseconds: callers keep what they compiled.
type Process struct {
	def   Definition
	nodes map[string]*node
	types map[string]FieldType // of every field that any form declares
	keys  []string             // of types, sorted
	slas  []promise

	looksUp bool // people are named who have to be looked up
	returns bool // it matters when the ticket was last sent back
}

// node is a Node with everything worked out that does not depend on a ticket. What a type does not have stays empty.
type node struct {
	Node
	index  int
	path   string         // in the definition: nodes[3]
	scope  scope          // the branches it lies in
	known  bool           // its scope has been worked out: it can be reached
	opens  *node          // join: the parallel it belongs to
	before []*node        // nodes that can have run before it, in the order of the definition
	came   map[*node]bool // the same

	stages  []stage
	cases   []choice
	finish  *formula
	request *request
	pause   length // wait for
}

type stage struct {
	Stage
	after length
}

type choice struct {
	Case
	when *formula
}

// Compile makes a process of a definition. The error is the Faults that Check finds.
func Compile(def Definition) (*Process, error) {
	p, faults := build(def, false)
	if len(faults) > 0 {
		return nil, faults
	}
	return p, nil
}

// Check names everything that is wrong with a definition, in the order of its nodes. Without faults it compiles.
func Check(def Definition) Faults {
	_, faults := build(def, false)
	return faults
}

// publishable names besides what was once published and is refused now: headers that no node may set, lists that name nobody, and
// loops of calls. It is no part of Check, because such definitions have to compile for as long as there are tickets that run through them.
func publishable(def Definition) Faults {
	_, faults := build(def, true)
	return append(faults, callHeaders(def)...)
}

// Definition gives back what was compiled. It must not be changed.
func (p *Process) Definition() Definition { return p.def }

// Node gives a node with everything filled in that its definition left out.
func (p *Process) Node(id string) (Node, bool) {
	n := p.nodes[id]
	if n == nil {
		return Node{}, false
	}
	return n.Node, true
}

// Numbered gives the node with that integer id (itsm: state_id).
func (p *Process) Numbered(number int64) (Node, bool) {
	for _, n := range p.def.Nodes {
		if number != 0 && n.Number == number {
			return p.Node(n.ID)
		}
	}
	return Node{}, false
}

// first is where a ticket begins.
func (p *Process) first() *node { return p.nodes[p.def.Nodes[0].ID] }

// build checks and compiles in one go, so that nothing can pass the one and fail the other.
func build(def Definition, publishing bool) (*Process, Faults) {
	b := newBuilder(def, publishing)
	b.build()
	return b.p, b.faults
}

func newBuilder(def Definition, publishing bool) *builder {
	return &builder{publishing: publishing, p: &Process{def: def, nodes: map[string]*node{}, types: map[string]FieldType{}}, inside: map[*node]bool{},
		outs: map[*node][]*node{}}
}

func (b *builder) build() {
	b.definition()
	b.calendars()
	for _, n := range b.order {
		b.members(n)
	}
	b.graph()
	b.p.keys = sortedKeys(b.p.types)
	b.declared()
	b.promises()
	for _, n := range b.order {
		b.expressions(n)
	}
}

type builder struct {
	p      *Process
	order  []*node        // all nodes, also those whose id is taken
	inside map[*node]bool // parallels whose branches are being followed
	faults Faults

	outs   map[*node][]*node  // where the edges of a node lead; see out
	forms  map[string][]*node // the nodes that declare a field; nil among them: the opening form does
	looked int                // nodes and names that were looked at, of which there may be only so many as a definition is large

	hours map[string]*calendar.Hours // the calendars that the definition was given, by key

	publishing bool   // a definition that no ticket runs through yet
	checked    budget // what its expressions took
}

func (b *builder) add(path, format string, values ...any) { b.faults.add(path, format, values...) }
