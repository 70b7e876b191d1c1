package flow

import (
	"slices"
)

// complete does a task.
func (r *run) complete(n *node, s *NodeState, a Act) error {
	pass := n.Action != Confirm || a.Pass
	values, err := r.filled(n, a, pass)
	if err != nil {
		return err
	}
	r.set(values)
	if a.Actor != "" {
		s.By = []string{a.Actor}
	}
	if n.Action == Accept && a.Actor != "" {
		r.env.Assignee = a.Actor
		r.out.Assignee = &a.Actor
	}
	if n.Action == Confirm {
		s.Result = &pass
	}
	r.say(Acted, s, LogEntry{Who: a.Actor, Action: n.Action, Pass: copied(s.Result), Note: a.Comment})
	r.leave(n, s, Done, LogEntry{})
	if pass {
		r.send(n.Next, n.scope)
	} else {
		r.refused(n, s, a.Actor, a.Comment)
	}
	return nil
}

// filled checks what somebody filled into a node's form, and gives it as it is kept. Who says no, by a vote or a confirm, answers the question and
// not the form: they may leave everything out, required fields too, and what they do fill in is checked and kept. Before RulesWeighed a confirm
// that says no, and a rejection with any field, had to fill in all that is required.
func (r *run) filled(n *node, a Act, pass bool) (map[string]any, error) {
	switch {
	case pass, r.env.Rules < RulesWeighed && (n.Type == Task || len(a.Fields) > 0):
		return r.env.Rules.fill(n.Fields, a.Fields)
	}
	optional := slices.Clone(n.Fields)
	for i := range optional {
		optional[i].Required, optional[i].Default = false, nil
	}
	return r.env.Rules.fill(optional, a.Fields)
}

// vote counts one vote. Whether the person may vote, and has not done so, is known already.
func (r *run) vote(n *node, s *NodeState, a Act) error {
	v := Vote{Who: a.Actor, Pass: a.Action == Approve, Comment: a.Comment, At: r.env.Now}
	if a.OnBehalf != "" {
		v.Who, v.By = a.OnBehalf, a.Actor
	}
	values, err := r.filled(n, a, v.Pass)
	if err != nil {
		return err
	}
	r.set(values)
	s.Votes = append(s.Votes, v)
	r.say(Voted, s, LogEntry{Who: a.Actor, For: a.OnBehalf, Pass: &v.Pass, Note: v.Comment})
	if over, pass := n.decided(*s); over {
		r.decide(n, s, pass, v.Comment)
	}
	return nil
}

// decide closes an approval with its result.
func (r *run) decide(n *node, s *NodeState, pass bool, comment string) {
	s.Result, s.By = &pass, nil
	for _, v := range s.Votes {
		if v.Pass == pass {
			s.By = append(s.By, v.Who)
		}
	}
	who := ""
	if len(s.Votes) > 0 {
		who = s.Votes[len(s.Votes)-1].Who
	}
	r.leave(n, s, Done, LogEntry{})
	if pass {
		r.send(n.Next, n.scope)
	} else {
		r.refused(n, s, who, comment)
	}
}

// decided tells whether an approval is over, and its result. With nobody left to vote it is; with finish `decided`, which n-of-m and
// percent have unless `everyone` is said, as soon as no missing vote can change the result; with a condition, as soon as that holds; and
// with a veto at once. An approval that asks fewer people than must approve is not over: somebody has to be added, and it is shown
// (Waiting.Problem). A rejection alone does not end `all`: everybody is heard, unless finish says otherwise (itsm.md 5.8).
func (n *node) decided(s NodeState) (over, pass bool) {
	if len(s.Votes) == 0 {
		return false, false
	}
	passes, rejects, left := s.countVotes()
	if last := s.Votes[len(s.Votes)-1]; !last.Pass && n.vetoed(last.Who) {
		return true, false
	}
	asked := len(s.Asked)
	early := n.Finish == FinishDecided
	var decided bool
	switch n.Rule {
	case AllOf, Sequence:
		pass, decided = rejects == 0, rejects > 0
	case NOfM, PartOf:
		need := n.need(asked)
		if asked < need {
			return false, false
		}
		pass = passes >= need
		decided = pass || passes+left < need
		early = early || n.Finish == ""
	default:
		return true, s.Votes[0].Pass
	}
	if left == 0 || early && decided {
		return true, pass
	}
	if n.finish != nil {
		// The counts are whole numbers and nothing else is seen, so it can only fail by a division by zero; then everybody is heard.
		if ok, err := (exprEnv{first: s.counts()}).holds(n.finish); ok && err == nil {
			return true, pass
		}
	}
	return false, false
}

// need is how many of those asked must approve.
func (n *node) need(asked int) int {
	if n.Rule == NOfM {
		return n.N
	}
	return (asked*n.Percent + 99) / 100
}

func (n *node) vetoed(who string) bool {
	return n.Veto != nil && (n.Veto.Anyone || slices.Contains(n.Veto.Persons, who))
}

// countVotes counts the votes of this round, and those asked who have not voted.
func (s NodeState) countVotes() (passes, rejects, left int) {
	for _, v := range s.Votes {
		if v.Pass {
			passes++
		} else {
			rejects++
		}
	}
	for _, who := range s.Asked {
		if !s.voted(who) {
			left++
		}
	}
	return passes, rejects, left
}

// counts gives what countVotes gives under itsm's names.
func (s NodeState) counts() map[string]any {
	passes, rejects, left := s.countVotes()
	all := float64(max(1, passes+rejects+left))
	return map[string]any{
		"PROCESS_COUNT": passes + rejects, "PASS_COUNT": passes, "REJECT_COUNT": rejects,
		"PASS_RATE": float64(passes) * 100 / all, "REJECT_RATE": float64(rejects) * 100 / all,
	}
}

// pending lists who can act at a node now, so far as they are named.
func (n *node) pending(s NodeState) []string {
	switch {
	case !s.State.Open():
		return nil
	case s.Claimed != "":
		return []string{s.Claimed}
	case n.Type != Approval:
		return slices.Clone(s.Asked)
	}
	var out []string
	for _, who := range s.Asked {
		if !s.voted(who) {
			out = append(out, who)
			if n.Rule == Sequence {
				break
			}
		}
	}
	return out
}
