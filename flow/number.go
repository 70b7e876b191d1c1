package flow

// AssignNumbers gives the service and each of its nodes an integer id: the one it has in an earlier version, otherwise the next. Clients
// store these ids (itsm: service_id, state_id), so a node keeps its own for ever, also when a version in between was without it; pass all
// earlier versions that are kept. Numbers that def came with do not count. next must give numbers from FirstNumber that it never gave
// before.
func AssignNumbers(def Definition, earlier []Definition, next func() int64) Definition {
	had := map[string]int64{}
	def.Number = 0
	for _, version := range earlier {
		if version.Number != 0 {
			def.Number = version.Number
		}
		for _, n := range version.Nodes {
			if n.Number != 0 {
				had[n.ID] = n.Number
			}
		}
	}
	if def.Number == 0 {
		def.Number = next()
	}
	def.Nodes = append([]Node(nil), def.Nodes...)
	for i := range def.Nodes {
		n := &def.Nodes[i]
		if n.Number = had[n.ID]; n.Number == 0 {
			n.Number = next()
		}
	}
	return def
}
