package flow

// verdictFirst is verdict as RulesFirst have it: everybody has one voice, a change of people is not judged, and an approval that asks fewer people
// than must approve is never over. It stays as it is, for tickets that were opened under those rules.
func (n *node) verdictFirst(s NodeState) (over, pass bool) {
	if len(s.Votes) == 0 {
		return false, false
	}
	t := s.count(false)
	if last := s.Votes[len(s.Votes)-1]; !last.Pass && n.vetoes(s.Roster)(last.Who) {
		return true, false
	}
	asked := tally{left: len(s.Asked)}
	early := n.Finish == FinishDecided
	var decided bool
	switch n.Rule {
	case AllOf, Sequence:
		pass, decided = t.rejects == 0, t.rejects > 0
	case NOfM, PartOf:
		need := n.need(asked)
		if asked.left < need {
			return false, false
		}
		pass = t.passes >= need
		decided = pass || t.passes+t.left < need
		early = early || n.Finish == ""
	default:
		return true, s.Votes[0].Pass
	}
	if t.left == 0 || early && decided {
		return true, pass
	}
	if n.finish != nil {
		if ok, err := (exprEnv{first: t.seen()}).holds(n.finish); ok && err == nil {
			return true, pass
		}
	}
	return false, false
}
