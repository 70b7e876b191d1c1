package flow

import (
	"slices"
)

// complete does a task.
func (r *run) complete(n *node, s *NodeState, a Act) error {
	pass := n.Action != Confirm || a.Pass
	values, err := r.filled(n, a, pass)
	if err == nil {
		err = r.chosen(n, a, pass)
	}
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
		r.onward(n, s)
	} else {
		r.refused(n, s, a.Actor, a.Comment, a.To)
	}
	return nil
}

// filled checks what somebody filled into a node's form, and gives it as it is kept. Who says no, by a vote or a confirm, answers the question and
// not the form: they may leave everything out, required fields too, and what they do fill in is checked and kept. Before RulesWeighed a confirm
// that says no, and a rejection with any field, had to fill in all that is required.
func (r *run) filled(n *node, a Act, pass bool) (map[string]any, error) {
	switch {
	case len(n.Fields) == 0 && len(a.Fields) == 0:
		return nil, nil
	case pass, r.env.Rules < RulesWeighed && (n.Type == Task || len(a.Fields) > 0):
		return r.env.Rules.fill(n.Fields, a.Fields)
	}
	optional := slices.Clone(n.Fields)
	for i := range optional {
		optional[i].Required, optional[i].Default = false, nil
	}
	return r.env.Rules.fill(optional, a.Fields)
}

// weighed reports whether votes are weighed by the voices that people carry, and clocks count what suspensions took.
func (r *run) weighed() bool { return r.env.Rules >= RulesWeighed }

// vote counts one vote. Whether the person may vote, and has not done so, is known already.
func (r *run) vote(n *node, s *NodeState, a Act) error {
	v := Vote{Who: a.Actor, Pass: a.Action == Approve, Comment: a.Comment, At: r.env.Now}
	if v.By = a.hand; a.OnBehalf != "" {
		v.Who, v.By = a.OnBehalf, a.Actor
	}
	values, err := r.filled(n, a, v.Pass)
	if err == nil {
		v.To, err = a.To, r.chosen(n, a, v.Pass)
	}
	if err != nil {
		return err
	}
	r.set(values)
	if t := s.turn(v.Who); t != nil && len(t.Rest) > 0 && v.Pass {
		r.agree(n, s, t, a)
		return nil
	}
	if r.weighed() {
		v.Voices = n.cast(s, v.Who)
	}
	s.Votes = append(s.Votes, v)
	r.say(Voted, s, LogEntry{Who: a.Actor, For: a.OnBehalf, Pass: &v.Pass, Note: v.Comment})
	r.judge(n, s, afterVote)
	return nil
}

// cast takes the voices of somebody who votes, 0 for one. Who is not asked has those that are open to anyone, and the next such person has none.
func (n *node) cast(s *NodeState, who string) int {
	voices := s.voices(who)
	if !slices.Contains(s.Asked, who) && n.Rule != AnyOf {
		voices = s.pool()
		if s.Lasting == nil {
			lasting := s.Roster.clone()
			s.Lasting = &lasting
		}
		s.Anyone, s.Pool = false, 0
	}
	if voices == 1 {
		return 0
	}
	return voices
}

// occasion is why an approval is judged.
type occasion int

const (
	afterVote   occasion = iota // the last of its votes has just been given
	afterChange                 // other people are asked
	afterMove                   // it has come from another version, whose rule was another
)

// judge closes an approval that is over. Everything that changes its votes or its people comes here.
func (r *run) judge(n *node, s *NodeState, on occasion) {
	if n.Type != Approval {
		return
	}
	over, pass := false, false
	switch {
	case r.weighed():
		over, pass = n.verdict(*s, on)
	case on == afterVote:
		over, pass = n.verdictFirst(*s)
	}
	if over {
		r.decide(n, s, pass)
	}
}

// decide closes an approval with the result that its votes have come to.
func (r *run) decide(n *node, s *NodeState, pass bool) {
	s.Result, s.By = &pass, nil
	var last Vote
	for _, v := range s.Votes {
		if v.Pass == pass {
			s.By = append(s.By, v.Who)
		}
		if v.Pass == pass || !r.weighed() {
			last = v
		}
	}
	r.leave(n, s, Done, LogEntry{})
	if pass {
		r.onward(n, s)
	} else {
		r.refused(n, s, last.Who, last.Comment, last.To)
	}
}

// verdict tells whether an approval is over, and its result. With nobody left to vote it is; with finish `decided`, which n-of-m and percent have
// unless `everyone` is said, as soon as no missing vote can change the result; with a condition, as soon as that holds; and with a veto at once. A
// change of people decides nothing that the votes had not decided, unless nobody is left. An approval that asks for more voices than there are is
// not over: somebody has to be added, and it is shown (Waiting.Problem). A rejection alone does not end `all`: everybody is heard, unless finish says
// otherwise (itsm.md 5.8).
//
// A vote for never leads to a rejection, and one against never to a pass, that was not decided before it: passes and left together stay the same
// with a vote for, passes alone with one against, and no change of people lowers the one or the other below what the rule needs.
func (n *node) verdict(s NodeState, on occasion) (over, pass bool) {
	if len(s.Votes) == 0 {
		return false, false
	}
	looked := s.Votes
	if on != afterMove {
		looked = looked[len(looked)-1:]
	}
	vetoes := n.vetoes(s.Roster)
	if on != afterChange && slices.ContainsFunc(looked, func(v Vote) bool { return !v.Pass && vetoes(v.Who) }) {
		return true, false
	}
	if n.Rule == AnyOf {
		return true, s.Votes[0].Pass
	}
	t := s.count(true)
	if n.lacking(t) > 0 {
		return false, false
	}
	pass, decided := n.passed(t), n.decided(t)
	switch {
	case t.left == 0:
		return true, pass
	case on == afterChange:
		return false, false
	case decided && (n.Finish == FinishDecided || n.Finish == "" && (n.Rule == NOfM || n.Rule == PartOf)):
		return true, pass
	case n.finish != nil:
		// The counts are whole numbers and nothing else is seen, so it can only fail by a division by zero or a number without bounds; then everybody is heard.
		ok, err := exactly(t.exact(), &budget{}).holds(n.finish)
		return ok && err == nil, pass
	}
	return false, false
}

// passed tells whether the voices counted so far are enough, and nothing speaks against it.
func (n *node) passed(t tally) bool {
	if n.Rule == NOfM || n.Rule == PartOf {
		return t.passes >= n.need(t)
	}
	return t.rejects == 0
}

// decided tells whether the voices that are left cannot change what has passed.
func (n *node) decided(t tally) bool {
	if n.Rule == NOfM || n.Rule == PartOf {
		return n.passed(t) || t.passes+t.left < n.need(t)
	}
	return t.rejects > 0
}

// need is how many voices must approve.
func (n *node) need(t tally) int {
	switch n.Rule {
	case NOfM:
		return n.N
	case PartOf:
		return (t.all()*n.Percent + 99) / 100
	}
	return t.all()
}

// lacking is how many voices there are too few of, so that the rule could not be met by all of them together.
func (n *node) lacking(t tally) int { return max(0, n.need(t)-t.all()) }

// spoken is what comes of an approval when a deadline says yes or no for everybody who has not voted, and in the place of voices that nobody has
// yet: the rule then decides. Whoever has a veto and is silent says no with the others.
func (n *node) spoken(s NodeState, pass bool) bool {
	if n.Rule == AnyOf {
		return pass // with a vote it would be over
	}
	t := s.count(true)
	silent := t.left + n.lacking(t)
	if t.all()+silent == 0 {
		silent = 1
	}
	vetoes := n.vetoes(s.Roster)
	if !pass && (slices.ContainsFunc(s.silent(s.Roster), vetoes) || n.Veto != nil && n.Veto.Anyone && silent > 0) {
		return false
	}
	t.left = 0
	if pass {
		t.passes += silent
	} else {
		t.rejects += silent
	}
	return n.passed(t)
}

// vetoes tells who decides by a single rejection: those whom the definition names, and who has taken over from them.
func (n *node) vetoes(o Roster) func(who string) bool {
	if n.Veto == nil {
		return func(string) bool { return false }
	}
	named, heirs := setOf(n.Veto.Persons), setOf(o.Vetoes)
	return func(who string) bool { return n.Veto.Anyone || named[who] || heirs[who] }
}

// tally is how many voices have approved, have rejected, and have not been heard in this round.
type tally struct{ passes, rejects, left int }

func (t tally) all() int { return t.passes + t.rejects + t.left }

// count adds up the voices of a node; those that are open to anyone only where pool is said.
func (s NodeState) count(pool bool) (t tally) {
	for _, v := range s.Votes {
		if v.Pass {
			t.passes += max(1, v.Voices)
		} else {
			t.rejects += max(1, v.Voices)
		}
	}
	for _, who := range s.silent(s.Roster) {
		t.left += s.voices(who)
	}
	if pool {
		t.left += s.pool()
	}
	return t
}

// seen gives a tally under itsm's names.
func (t tally) seen() map[string]any {
	all := float64(max(1, t.all()))
	return map[string]any{
		"PROCESS_COUNT": t.passes + t.rejects, "PASS_COUNT": t.passes, "REJECT_COUNT": t.rejects,
		"PASS_RATE": float64(t.passes) * 100 / all, "REJECT_RATE": float64(t.rejects) * 100 / all,
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
	out := s.silent(s.Roster)
	if n.Rule == Sequence && len(out) > 1 {
		out = out[:1]
	}
	return out
}
