package flow

import (
	"maps"
	"slices"
)

// Roster is who is asked at a node, and what each of them carries. At an approval everybody who is asked has a voice. Whoever takes over from others
// has theirs, so that those who replace others can decide what the others could still have decided, and no change of people takes the weight from
// the votes that were given.
type Roster struct {
	Asked  []string       `json:"asked,omitempty"`  // those who have voted included; in sequence, in this order
	Anyone bool           `json:"anyone,omitempty"` // anybody may act
	Pool   int            `json:"pool,omitempty"`   // the voices of the next one who votes without being asked, where anybody may; 0 means one
	Voices map[string]int `json:"voices,omitempty"` // of those asked who carry more than one; kept when they have voted
	Vetoes []string       `json:"vetoes,omitempty"` // who has taken over from somebody with a veto
}

// voices is how many voices a person carries who is asked.
func (o *Roster) voices(who string) int { return max(1, o.Voices[who]) }

// pool is how many voices are open to anyone.
func (o *Roster) pool() int {
	if !o.Anyone {
		return 0
	}
	return max(1, o.Pool)
}

func (o *Roster) carry(who string, voices int) {
	if voices > 1 {
		if o.Voices == nil {
			o.Voices = map[string]int{}
		}
		o.Voices[who] = voices
		return
	}
	if delete(o.Voices, who); len(o.Voices) == 0 {
		o.Voices = nil // as JSON gives it back
	}
}

func (o Roster) clone() Roster {
	o.Asked, o.Voices, o.Vetoes = slices.Clone(o.Asked), maps.Clone(o.Voices), slices.Clone(o.Vetoes)
	return o
}

// handOver is a change of people: some give up their places, and others take them. With nobody in from, places are added.
type handOver struct {
	from   []string // who gives up a place, unless also among to
	open   bool     // the place that is open to anyone is given up as well
	to     []string // each once
	anyone bool     // anybody may act besides
	at     int      // where in the order those in to come
}

// place makes a change without regard to voices.
func (o *Roster) place(h handOver) {
	from := setOf(h.from)
	gone := func(who string) bool { return from[who] }
	before, after := slices.Clone(o.Asked[:h.at]), slices.Clone(o.Asked[h.at:])
	o.Asked = distinct(slices.Concat(slices.DeleteFunc(before, gone), h.to, slices.DeleteFunc(after, gone)))
	o.Anyone = h.anyone || o.Anyone && !h.open
}

// hand makes a change. The voices of those who give up their places go to those who take them, evenly and rounded up, and nobody carries less than
// one; a place that is open to anyone counts as one person. A veto that would be lost goes to all of them.
func (o *Roster) hand(h handOver, vetoes func(string) bool) {
	before := o.clone()
	asked, from, to := setOf(before.Asked), setOf(h.from), setOf(h.to)
	total, veto := 0, false
	for _, who := range h.from {
		total += before.voices(who)
		veto = veto || !to[who] && vetoes(who)
	}
	if h.open {
		total += before.pool()
	}
	heirs := len(h.to)
	if h.anyone {
		heirs++
	}
	each := max(1, (total+heirs-1)/max(1, heirs))
	o.place(h)
	for _, who := range h.from {
		if !to[who] {
			o.carry(who, 1)
		}
	}
	o.Vetoes = slices.DeleteFunc(o.Vetoes, func(who string) bool { return from[who] && !to[who] })
	have := setOf(o.Vetoes)
	for _, who := range h.to {
		voices := each
		if asked[who] && !from[who] {
			voices += before.voices(who)
		}
		o.carry(who, voices)
		if veto && !have[who] {
			o.Vetoes = append(o.Vetoes, who)
		}
	}
	if len(o.Vetoes) == 0 {
		o.Vetoes = nil // as JSON gives it back
	}
	if h.open || h.anyone && !before.Anyone {
		if o.Pool = 0; h.anyone && each > 1 {
			o.Pool = each
		}
	}
}

// voted reports whether the person has voted in this round.
func (s NodeState) voted(who string) bool {
	return slices.ContainsFunc(s.Votes, func(v Vote) bool { return v.Who == who })
}

// voters are those who have voted in this round.
func (s NodeState) voters() set {
	out := make(set, len(s.Votes))
	for _, v := range s.Votes {
		out[v.Who] = true
	}
	return out
}

// silent lists those of a roster who have not voted.
func (s NodeState) silent(o Roster) []string {
	voted := s.voters()
	return slices.DeleteFunc(slices.Clone(o.Asked), func(who string) bool { return voted[who] })
}

// set is for looking up, never for going through: a map has no order.
type set map[string]bool

func setOf(list []string) set {
	out := make(set, len(list))
	for _, item := range list {
		out[item] = true
	}
	return out
}
