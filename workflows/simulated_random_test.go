package workflows

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"pgregory.net/rapid"

	"signalbox/flow"
	"signalbox/ticket"
)

var people = []string{"ann", "bob", "joe", "sue", "olga"}

// drawDraft draws a ticket of a process at random. All its times are whole minutes.
func drawDraft(t *rapid.T) ticket.Draft {
	m := &maker{t: t}
	first := m.chain("done", 0)
	for i, n := range m.nodes {
		if n.ID == first {
			m.nodes[0], m.nodes[i] = m.nodes[i], m.nodes[0]
		}
	}
	def := flow.Definition{Key: "random", Name: "Random", Version: 1, Nodes: append(m.nodes, flow.Node{ID: "done", Name: "Done", Type: flow.End}), Fields: []flow.Field{
		{Key: "n", Type: flow.Int, Default: 1.0}, {Key: "m", Type: flow.Members, Default: "ann,joe"}, {Key: "when", Type: flow.DateTime, Default: "2026-01-02 09:07:05"},
		{Key: "s", Type: flow.String, Default: "x"}}}
	if faults := flow.Check(def); len(faults) > 0 {
		t.Fatalf("a definition without faults: %s", faults.Error())
	}
	return ticket.Draft{Channel: ticket.ChannelIssue, App: "demo", Origin: "customs", Title: "a case", Opener: "olga", Assignee: m.one("assignee", "", "bob"),
		Service: "random", Definition: &def, Form: map[string]any{"n": m.pick("n", 4)}}
}

// maker makes the nodes of a process that has no faults.
type maker struct {
	t     *rapid.T
	nodes []flow.Node
	count int
	forks []string // in whose branches the next node lies
}

// pick draws one of n evenly; rapid itself likes small numbers best, which would leave most of what can be drawn undrawn. It shrinks to the first.
func (m *maker) pick(label string, n int) int {
	return int(uint32(rapid.Uint16().Draw(m.t, label))*2_654_435_761>>8) % n
}

func (m *maker) chance(label string, percent int) bool { return m.pick(label, 100) >= 100-percent }

func (m *maker) one(label string, of ...string) string { return of[m.pick(label, len(of))] }

func (m *maker) id(kind string) string {
	m.count++
	return fmt.Sprintf("%s%d", kind, m.count)
}

// chain makes one to four elements in a row, the last of which leads to next, and gives the id of the first.
func (m *maker) chain(next string, depth int) string {
	for range 2 - min(depth, 1) + m.pick("elements", 3-depth) {
		kinds := 9
		if depth >= 2 || m.count > 12 {
			kinds = 6
		}
		switch m.pick("kind", kinds) {
		case 0:
			next = m.approval(next)
		case 1, 2:
			next = m.task(next)
		case 3:
			next = m.call(next)
		case 4:
			next = m.poll(next)
		case 5:
			n := flow.Node{ID: m.id("wait"), Name: "Wait", Type: flow.Wait, Next: next, For: fmt.Sprintf("%dm", 20+m.pick("for", 40))}
			if m.chance("until", 30) {
				n.For, n.Until = "", "when"
			}
			m.nodes, next = append(m.nodes, n), n.ID
		case 6:
			n := flow.Node{ID: m.id("branch"), Name: "Branch", Type: flow.Branch, Default: next, Cases: []flow.Case{{When: fmt.Sprintf("fields.n > %d", m.pick("than", 4)), Next: next}}}
			n.Cases[0].Next = m.chain(next, depth+1)
			if m.chance("impossible", 20) {
				n.Cases[0].When = "1 % fields.n == 1"
			}
			m.nodes, next = append(m.nodes, n), n.ID
		default:
			join := m.id("join")
			n := flow.Node{ID: m.id("fork"), Name: "Fork", Type: flow.Parallel, Join: join}
			m.forks = append(m.forks, n.ID)
			for _, name := range []string{"l", "r"} {
				n.Branches = append(n.Branches, flow.Path{Name: name, Next: m.chain(join, depth+1)})
			}
			m.forks = m.forks[:len(m.forks)-1]
			m.nodes, next = append(m.nodes, n, flow.Node{ID: join, Name: "Join", Type: flow.Join, Next: next}), n.ID
		}
	}
	return next
}

func (m *maker) processors() *flow.Processors {
	return []*flow.Processors{{Persons: []string{"ann", "bob"}}, {Persons: []string{"ann", "bob", "joe"}}, {Opener: true}, {Fields: []string{"m"}},
		{Assignee: true}, {Anyone: true}}[m.pick("who", 6)]
}

// rejection goes on, ends, or back to the node itself or to a parallel that it lies in.
func (m *maker) rejection(id string) *flow.Rejection {
	return []*flow.Rejection{{Then: flow.GoOn}, {Then: flow.GoEnd}, {Then: flow.GoBack, To: m.one("back", append(m.forks[:len(m.forks):len(m.forks)], id)...)},
		{Then: flow.GoBack, To: id, Resubmit: flow.ToRejector}}[m.pick("reject", 4)]
}

func (m *maker) deadline(verdict bool) (stages []flow.Stage) {
	for i := range m.pick("stages", 3) {
		s := flow.Stage{After: fmt.Sprintf("%dm", 50*(i+1)+m.pick("minutes", 40)), Do: flow.DoRemind}
		switch m.pick("do", 4) {
		case 0:
			s.Do, s.To = flow.DoEscalate, &flow.Processors{Persons: []string{"sue"}}
		case 1:
			s.Do, s.To = flow.DoReassign, &flow.Processors{Persons: []string{"joe"}}
		case 2:
			if verdict && i > 0 {
				s.Do = []flow.Remedy{flow.DoApprove, flow.DoReject}[m.pick("verdict", 2)]
			}
		}
		stages = append(stages, s)
		if s.Do == flow.DoApprove || s.Do == flow.DoReject {
			break
		}
	}
	return stages
}

func (m *maker) form() []flow.Field {
	if !m.chance("form", 40) {
		return nil
	}
	return []flow.Field{{Key: "s", Type: flow.String, Required: m.chance("required", 50)}, {Key: "n", Type: flow.Int}}
}

func (m *maker) task(next string) string {
	n := flow.Node{ID: m.id("task"), Name: "Task", Type: flow.Task, Next: next, Processors: m.processors(), Terminable: m.chance("terminable", 10), Fields: m.form()}
	n.Action = []flow.Action{flow.Accept, flow.CommitSolution, flow.Confirm, flow.Submit}[m.pick("action", 4)]
	n.Status = flow.Status(m.one("status", "", "acknowledged", "resolved"))
	if n.Action == flow.Confirm {
		n.Reject = m.rejection(n.ID)
	}
	n.Distribute = []flow.Distribution{flow.ByAll, flow.ByClaim, flow.ByAssign}[m.pick("distribute", 3)]
	if n.Distribute == flow.ByAssign {
		n.Assigners = &flow.Processors{Persons: []string{"sue"}}
	}
	if m.chance("deliver", 30) {
		n.Deliver = &flow.Processors{Anyone: true}
	}
	if n.Distribute != flow.ByAssign {
		m.outside(&n)
	}
	n.Deadline = m.deadline(n.Action == flow.Confirm && len(n.Fields) == 0)
	m.nodes = append(m.nodes, n)
	return n.ID
}

func (m *maker) approval(next string) string {
	n := flow.Node{ID: m.id("vote"), Name: "Vote", Type: flow.Approval, Next: next, Processors: m.processors(), Fields: m.form()}
	n.Reject = m.rejection(n.ID)
	if !n.Processors.Anyone { // other rules count those who are asked
		n.Rule = []flow.Rule{flow.AnyOf, flow.AllOf, flow.NOfM, flow.PartOf, flow.Sequence}[m.pick("rule", 5)]
	}
	switch n.Rule {
	case flow.NOfM:
		n.N = 1
	case flow.PartOf:
		n.Percent = 60
	}
	if m.chance("veto", 20) {
		n.Veto = &flow.Veto{Anyone: true}
	}
	if m.chance("add", 30) {
		n.Add = &flow.Processors{Anyone: true}
	}
	n.FourEyes = m.chance("four eyes", 20) && !n.Processors.Opener
	n.Retract = n.Rule != flow.AnyOf && n.Rule != "" && m.chance("retract", 40)
	if m.chance("if nobody", 20) && len(n.Fields) == 0 {
		n.IfNobody = flow.SkipIfNobody
	}
	m.outside(&n)
	n.Deadline = m.deadline(len(n.Fields) == 0)
	m.nodes = append(m.nodes, n)
	return n.ID
}

// outside has it asked for who is asked, now and then.
func (m *maker) outside(n *flow.Node) {
	if m.chance("outside", 25) {
		n.Processors.HTTP = &flow.Request{Method: "GET", URL: "https://who/${opener}", Retry: &flow.Tries{Attempts: 1 + m.pick("attempts", 3), Interval: "45m"}}
	}
}

func (m *maker) call(next string) string {
	c := &flow.Request{Method: m.one("method", "POST", "GET"), URL: "https://host/${fields.s}/hosts?by=${opener}", Headers: map[string]string{"X-N": "${fields.n}"},
		Retry: &flow.Tries{Attempts: 1 + m.pick("attempts", 3), Interval: "45m", Coefficient: 2}}
	if c.Method == "POST" {
		c.Body = map[string]any{"n": "${fields.n}", "at": "${now}"}
	}
	switch m.pick("answer", 3) {
	case 0:
		c.Answer = map[string]string{"n": "body.n"}
	case 1:
		c.Answer = map[string]string{"s": `headers["x-run"]`}
	}
	n := flow.Node{ID: m.id("call"), Name: "Call", Type: flow.Call, Next: next, Call: c, Processors: &flow.Processors{Persons: []string{"bob"}}}
	m.nodes = append(m.nodes, n)
	return n.ID
}

// poll asks until it is told something else than 202.
func (m *maker) poll(next string) string {
	rest, again := m.id("rest"), m.id("again")
	m.nodes = append(m.nodes, flow.Node{ID: again, Name: "Again?", Type: flow.Branch, Default: next})
	branch := len(m.nodes) - 1
	call := m.call(again)
	m.nodes[branch].Cases = []flow.Case{{When: "nodes." + call + ".status == 202", Next: rest}}
	m.nodes = append(m.nodes, flow.Node{ID: rest, Name: "Rest", Type: flow.Wait, For: "33m", Next: call})
	return rest
}

// drawScript draws what people and receivers do: mostly what can be done where the ticket stands, and some nonsense. It gives what the simulation of
// it comes to.
func drawScript(t *rapid.T, d ticket.Draft) (script ticket.Script, simulated ticket.Simulation) {
	m := &maker{t: t}
	for _, n := range d.Definition.Nodes {
		for i := range 12 {
			switch {
			case n.Type == flow.Call:
				script.Calls = append(script.Calls, m.scriptedCall(n.ID))
			case n.Processors != nil && n.Processors.HTTP != nil:
				c := m.scriptedCall(n.ID)
				if i%2 == 0 {
					c = ticket.ScriptedCall{Node: n.ID, After: c.After, Status: 200, Body: m.one("persons", `["ann","sue"]`, `"bob"`, `["olga"]`, `[]`)}
				}
				script.Calls = append(script.Calls, c)
			}
		}
	}
	for range 12 {
		var err error
		if simulated, err = ticket.Simulate(d, script, epoch); err != nil {
			t.Fatalf("a script that can be read: %v", err)
		}
		if simulated.Ending != nil || len(simulated.Unused) > 0 {
			break
		}
		a := m.scriptedAct(simulated)
		last := time.Duration(0)
		for _, before := range script.Answers {
			if after, err := flow.ParseDuration(before.After); err == nil && before.Node == a.Node {
				last = max(last, after)
			}
		}
		a.After = fmt.Sprintf("%dm", int(last.Minutes())+1+m.pick("after", 150))
		script.Answers = append(script.Answers, a)
	}
	simulated, _ = ticket.Simulate(d, script, epoch)
	return script, simulated
}

func (m *maker) scriptedCall(node string) ticket.ScriptedCall {
	c := ticket.ScriptedCall{Node: node, After: fmt.Sprintf("%dm", 1+m.pick("after", 30)), Status: []int{200, 200, 200, 202, 404, 503, 429}[m.pick("status", 7)]}
	switch m.pick("body", 5) {
	case 0:
		c.Body, c.Headers = `{"n":3}`, map[string]string{"X-Run": "r7", "Content-Type": "application/json"}
	case 1:
		c.Body, c.Headers = `{"n":"many"}`, map[string]string{"x-run": strings.Repeat("r", 256)}
	case 2:
		c.Body = m.one("number", `{"n":2}`, `{"n":7615917337495251231}`, `{"n":9007199254740991.5}`)
	case 3:
		c.Error, c.Status = "connection refused", 0
	case 4:
		c.Body = "not JSON"
	}
	return c
}

// scriptedAct is something that can be done where the ticket stands, by somebody who can, with all that is asked for; or nearly so.
func (m *maker) scriptedAct(at ticket.Simulation) ticket.ScriptedAct {
	rests := at.Rests
	out := ticket.ScriptedAct{Act: flow.Act{Comment: m.one("comment", "fine", "fine", "")}}
	out.Actor = m.one("actor", people...)
	out.Admin = m.chance("admin", 15)
	out.Pass = m.chance("pass", 70)
	if at.Suspended && m.chance("resume", 70) {
		out.Action = flow.Action(ticket.Unsuspend)
		return out
	}
	if len(rests) == 0 || m.chance("whole ticket", 20) {
		out.Action = flow.Action(m.one("whole", "suspend", "suspend", "suspend", "suspend", "suspend", "unsuspend", "close", "terminate", "withdraw"))
		return out
	}
	asked := rests[m.pick("node", len(rests))]
	out.Node = asked.Node
	if len(asked.Actions) > 0 {
		out.Action = asked.Actions[m.pick("action", len(asked.Actions))]
	} else {
		out.Action = flow.Reassign
	}
	if len(asked.Pending) > 0 && m.chance("asked", 85) {
		out.Actor = asked.Pending[m.pick("pending", len(asked.Pending))]
	}
	if m.chance("otherwise", 10) {
		out.Action = flow.Actions[m.pick("any action", len(flow.Actions))]
	}
	if out.Admin && m.chance("on behalf", 30) {
		out.OnBehalf = m.one("for", people...)
	}
	switch out.Action {
	case flow.Assign, flow.Deliver, flow.Add, flow.Remove, flow.Reassign:
		out.Targets = []string{m.one("target", people...)}
		if out.Action == flow.Add {
			out.Place = flow.Place(m.one("place", "", "before", "beside", "after"))
		}
	case flow.CommitSolution:
		out.Solution = &ticket.Solution{Type: "inc_type_p_config_issues", Cause: "a cause", Text: "a solution"}
		switch m.pick("solution", 8) {
		case 0:
			out.Solution = nil
		case 1:
			out.Solution.Cause = strings.Repeat("x", ticket.MaxCause+1)
		}
	case flow.Confirm:
		if m.chance("long", 10) {
			out.Comment = strings.Repeat("x", ticket.MaxComment+1)
		}
	}
	if len(asked.Fields) > 0 && m.chance("filled in", 80) {
		out.Fields = map[string]any{"s": m.one("s", "y", "a b", "", ".."), "n": []any{2.0, "3", "many", json.Number("7615917337495251231")}[m.pick("n", 4)]}
	}
	return out
}
