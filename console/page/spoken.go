package page

import (
	"slices"
	"sync"

	"signalbox/flow"
	"signalbox/ticket"
)

// Spoken gives a process in the visitor's language: what is built in is called there as the locales call it, what somebody has published, or is writing, as they call it. All
// pages name services, their nodes and the fields of their forms through it, or through SpokenTicket and SpokenEvent. It is for what is shown alone: what is decided, sent or
// kept takes the process as it is.
func (v *Visit) Spoken(def flow.Definition) flow.Definition {
	if process := v.spoken(def); process != nil {
		return process.Definition()
	}
	return def
}

// SpokenTicket gives a ticket that names what it runs through as Spoken does.
func (v *Visit) SpokenTicket(t ticket.Ticket) ticket.Ticket {
	if process, err := t.Process(); err == nil {
		if process = v.spoken(process.Definition()); process != nil {
			return t.Through(process)
		}
	}
	return t
}

// SpokenEvent gives an event of a ticket, which SpokenTicket gave, in whose process log ends are called as Spoken calls them: events keep their names.
func (v *Visit) SpokenEvent(t ticket.Ticket, e ticket.Event) ticket.Event {
	process, err := t.Process()
	if err != nil || !builtIn(process.Definition()) {
		return e
	}
	def := process.Definition()
	was, is := namesOf(flow.Builtin()[def.Key].Definition()), namesOf(def)
	e.ProcessLog = slices.Clone(e.ProcessLog)
	for i := range e.ProcessLog {
		if h := &e.ProcessLog[i]; h.Kind == flow.Finished && h.Note == was[h.Node] {
			h.Note = is[h.Node]
		}
	}
	return e
}

func namesOf(def flow.Definition) map[string]string {
	out := map[string]string{}
	for _, n := range def.Nodes {
		out[n.ID] = n.Name
	}
	return out
}

// builtIn reports whether a process is one of those that are there without being published: what somebody publishes, or writes, under the key of one has another number.
func builtIn(def flow.Definition) bool {
	own, ok := flow.Builtin()[def.Key]
	return ok && own.Definition().Number == def.Number
}

// spokenProcesses keeps the built-in processes by language and key, compiled.
var spokenProcesses sync.Map

type inLanguage struct{ language, key string }

// spoken gives the built-in process that this is in the visitor's language; nil: it is none.
func (v *Visit) spoken(def flow.Definition) *flow.Process {
	if !builtIn(def) {
		return nil
	}
	at := inLanguage{v.look.Language, def.Key}
	if have, ok := spokenProcesses.Load(at); ok {
		return have.(*flow.Process)
	}
	out := flow.Builtin()[def.Key].Definition()
	name := func(to *string, key string) {
		if text := v.Word("process", key); text != key {
			*to = text
		}
	}
	name(&out.Name, out.Key)
	name(&out.Description, out.Key+".about")
	out.Fields, out.Nodes = slices.Clone(out.Fields), slices.Clone(out.Nodes)
	for i := range out.Fields {
		name(&out.Fields[i].Name, out.Key+".field."+out.Fields[i].Key)
	}
	for i := range out.Nodes {
		name(&out.Nodes[i].Name, out.Key+".node."+out.Nodes[i].ID)
	}
	process, err := flow.Compile(out)
	if err != nil {
		panic("console: " + err.Error()) // it differs in names alone from one that compiles
	}
	spokenProcesses.Store(at, process)
	return process
}
