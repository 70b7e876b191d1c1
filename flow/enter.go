package flow

// move is a token on its way: to a node, in the branches of in.
type move struct {
	to string
	in scope

	back     bool   // a rejection leads there, and it matters when
	from     string // it does from this node, to which the ticket comes straight back
	straight bool   // the ticket comes straight back to where it was rejected
}

// send puts a token on its way.
func (r *run) send(to string, in scope) { r.agenda = append(r.agenda, move{to: to, in: in}) }

// settle moves tokens until every one of them rests. Check refuses loops in which none would; the bound is there for the mistakes of
// Check.
func (r *run) settle() error {
	for steps := 0; len(r.agenda) > 0; steps++ {
		if steps > 100*MaxNodes {
			return refuse(Conflict, "", "the process does not come to rest")
		}
		m := r.agenda[0]
		r.agenda = r.agenda[1:]
		to := r.p.nodes[m.to]
		if to.Type == Join {
			r.arrive(to, m.in)
			continue
		}
		if len(to.scope) < len(m.in) && to.Type != End {
			r.leaveBranches(to.scope, m.in)
		}
		r.enter(to, m)
	}
	return nil
}

// leaveBranches gives up the parallels that a rejection leads out of: what is open in their other branches is cancelled.
func (r *run) leaveBranches(outer, inner scope) {
	gone := scope(inner[:len(outer)+1])
	parallel := gone[len(outer)].parallel
	for i := range r.pos.Nodes {
		n := r.p.nodes[r.pos.Nodes[i].Node]
		if n == nil || !r.pos.Nodes[i].State.Open() {
			continue
		}
		inside := len(n.scope) > len(outer) && n.scope.within(outer) && n.scope[len(outer)].parallel == parallel
		if inside || n.opens == parallel {
			r.drop(n)
		}
	}
}

// arrive notes that a branch has reached its join. The last one to arrive goes on.
func (r *run) arrive(join *node, in scope) {
	s := r.touch(join)
	s.Met = append(s.Met, join.opens.Branches[in[len(in)-1].branch].Name)
	if len(s.Met) == len(join.opens.Branches) {
		if join.Status != "" {
			r.out.Status = join.Status
		}
		r.leave(join, s, Done, LogEntry{})
		r.send(join.Next, join.scope)
	}
}

// enter lets a token into a node: people are asked, a clock starts, a request becomes pending, or the token goes on at once.
func (r *run) enter(n *node, m move) {
	s := r.touch(n)
	before := *s
	*s = NodeState{Node: n.ID, Type: n.Type, Round: before.Round + 1, Entered: r.env.Now}
	if r.env.Rules >= RulesWeighed {
		r.remember(s, before)
	}
	if s.Resubmit, s.Returned = m.from, copied(before.Returned); m.back {
		s.Returned = copied(&r.env.Now)
	}
	var barred []string
	var why string
	if n.Status != "" {
		r.out.Status = n.Status
	}
	switch n.Type {
	case Task, Approval:
		barred, why = r.people(n, s, before, m.straight)
	case Call:
		r.request(s)
	case Wait:
		r.enterWait(n, s)
	}
	if len(n.stages) > 0 {
		s.Worked = n.clocks(r.env.Now)
		r.schedule(n, s)
	}
	r.say(Entered, s, LogEntry{To: n.pending(*s)})
	r.met(n, s, barred, why)
	switch n.Type {
	case Task, Approval, Call:
		if s.State == Calling {
			r.tryCall(n, s)
		} else {
			r.begin(n, s, m.straight)
		}
	case Wait:
		if s.Due == nil || !s.Due.After(r.env.Now) {
			r.leave(n, s, Done, LogEntry{})
			r.send(n.Next, n.scope)
		}
	case Branch:
		r.choose(n, s)
	case Parallel:
		r.fork(n, s)
	case End:
		r.finish(n, s)
	}
}

// people works out who is asked at a node that is being entered, or has it asked for.
func (r *run) people(n *node, s *NodeState, before NodeState, straight bool) (barred []string, why string) {
	if n.Distribute == ByAssign || n.Distribute == AssignThenClaim {
		s.State = Assigning
		s.Asked, s.Anyone = r.persons(n.Assigners), n.Assigners.Anyone
		return nil, ""
	}
	roster, known := r.ask(n, before)
	if !known {
		r.seek(n, s, before, straight)
		return nil, ""
	}
	return r.meet(n, s, roster, before.Votes, straight)
}

// meet has people asked who were found: without those who may not vote, and with the votes that count here already.
func (r *run) meet(n *node, s *NodeState, roster Roster, votes []Vote, straight bool) (barred []string, why string) {
	s.Roster = roster
	if n.Type == Task {
		r.offer(n, s)
		return nil, ""
	}
	s.State = Active
	barred, why = r.admit(n, &s.Roster, nil)
	r.bring(n, s, votes, straight)
	return barred, why
}

// met tells how those asked were found, who was left out, and which votes count already.
func (r *run) met(n *node, s *NodeState, barred []string, why string) {
	r.sayFound(s)
	r.sayBarred(s, barred, why)
	r.attendNow(n, s)
	if n.Type == Approval {
		r.sayCarried(s)
	}
}

// begin goes on at once where nobody has to be heard, or nobody is there.
func (r *run) begin(n *node, s *NodeState, straight bool) {
	if !straight {
		r.judge(n, s, afterMove)
	} else {
		r.judge(n, s, afterChange)
	}
	if s.State.Open() && n.IfNobody == SkipIfNobody && !s.Anyone && len(s.Asked) == 0 {
		r.say(Passed, s, LogEntry{Note: "nobody is asked"})
		r.leave(n, s, Skipped, LogEntry{})
		r.onward(n, s)
	}
}

// remember keeps in the state of a node at which people can act whose act led to it, and how its last round was left.
func (r *run) remember(s *NodeState, before NodeState) {
	switch s.Type {
	case Task, Approval, Call, Branch:
	default:
		return
	}
	if r.led != nil && r.led.Who != "" {
		s.Led = copied(r.led)
	}
	if before.Round > 0 {
		s.Was = &Was{State: before.State, Result: before.Result, By: before.By, Hands: before.Hands}
	}
}

// offer decides whether a task has to be claimed first; with one candidate only it is theirs (itsm.md 5.5).
func (r *run) offer(n *node, s *NodeState) {
	s.State, s.Claimed = Active, ""
	if n.Distribute != ByClaim && n.Distribute != AssignThenClaim {
		return
	}
	if len(s.Asked) == 1 && !s.Anyone {
		s.Claimed = s.Asked[0]
		return
	}
	s.State = Claiming
}

func (r *run) enterWait(n *node, s *NodeState) {
	s.State = Waiting
	due := n.pause.from(r.env.Now)
	if n.Until != "" {
		text, _ := r.env.Fields[n.Until].(string)
		at, err := parseTime(text, r.env.zone())
		if err != nil {
			return // nothing to wait for
		}
		if due = at.UTC(); r.weighed() {
			due = roundedUp(at)
		}
		due = Nearest(due)
	}
	s.Due = &due
}

// fork starts every branch of a parallel. The join is open from now on: that is what says that the parallel is running.
func (r *run) fork(n *node, s *NodeState) {
	r.leave(n, s, Done, LogEntry{})
	join := r.touch(r.p.nodes[n.Join])
	*join = NodeState{Node: n.Join, Type: Join, State: Waiting, Round: join.Round + 1, Entered: r.env.Now}
	for i, branch := range n.Branches {
		r.send(branch.Next, n.scope.inner(n, i))
	}
}

// choose takes the first case that holds. An expression that cannot be computed is shown and waits for a person: going on by default would
// be a decision that nobody took.
func (r *run) choose(n *node, s *NodeState) {
	world := r.world(n)
	for _, c := range n.cases {
		ok, err := world.holds(c.when)
		if err != nil {
			s.State, s.Reason = Failed, c.When+": "+err.Error()
			r.say(BranchFailed, s, LogEntry{Note: s.Reason})
			return
		}
		if ok {
			name := c.Name
			if name == "" {
				name = c.When
			}
			r.leave(n, s, Done, LogEntry{Note: name})
			r.send(c.Next, n.scope)
			return
		}
	}
	r.leave(n, s, Done, LogEntry{})
	r.send(n.Default, n.scope)
}

// leave closes a node that has done its work.
func (r *run) leave(n *node, s *NodeState, state State, h LogEntry) {
	r.put(s, state)
	s.Reason = ""
	if n.Type != End {
		h.Pass = copied(s.Result)
		r.say(Left, s, h)
	}
}

// finish ends the process; whatever is open elsewhere is cancelled.
func (r *run) finish(n *node, s *NodeState) {
	r.leave(n, s, Done, LogEntry{})
	r.over(n.Status, s, LogEntry{Note: n.Name})
}

// over ends the process with a status.
func (r *run) over(status Status, s *NodeState, h LogEntry) {
	r.agenda = nil
	node := s.Node
	for _, open := range r.pos.Nodes {
		if open.State.Open() && open.Node != node {
			r.drop(r.p.nodes[open.Node])
		}
	}
	r.out.Status = status
	r.out.Ending = r.ending(status)
	ended, _ := r.pos.Find(node)
	r.say(Finished, &ended, h)
}

// refused sends the token where a rejection leads.
func (r *run) refused(n *node, s *NodeState, who, comment, to string) {
	switch n.Reject.Then {
	case GoBack, GoChoose:
		to = r.target(n, to)
		r.say(WentBack, s, LogEntry{Who: who, To: []string{to}, Note: comment})
		r.sendBack(n, to)
	case GoEnd:
		r.over(Terminated, s, LogEntry{Who: who, Note: comment})
	default:
		r.send(n.Next, n.scope)
	}
}
