package flow

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Whom a node asks can be asked for over HTTP, as a call makes its request: it is pending, is made and tried again by the same hands, and what comes of it is the same
// input. Until it has come nobody is asked; what is no answer is shown, and an admin has it made again or reassigns the node.

// answerPersons is what the answer to such a request is mapped to.
const answerPersons = "persons"

// outside reports whether whom the node asks has to be asked for.
func (n *node) outside() bool {
	return n.Processors.HTTP != nil && (n.Type == Task || n.Type == Approval)
}

// seeking reports whether it is not known yet whom a node asks.
func (s NodeState) seeking() bool {
	return (s.Type == Task || s.Type == Approval) && (s.State == Calling || s.State == Failed)
}

// outsiders checks the requests that name people: only who is asked as a node is entered can be asked for.
func (b *builder) outsiders(n *node) {
	b.p.def.Nodes[n.index].everyProcessors(n.path, func(at string, p *Processors) {
		switch assigned := n.Distribute == ByAssign || n.Distribute == AssignThenClaim; {
		case p.HTTP == nil:
		case at != n.path+".processors" || n.Type != Task && n.Type != Approval || assigned:
			b.add(at+".http", "only the processors of an approval, and of a task that nobody assigns, can be asked for")
		default:
			n.request = b.request(p.HTTP, at+".http")
			for _, key := range sortedKeys(p.HTTP.Answer) {
				if key != answerPersons {
					b.add(at+".http.answer."+key, "only %s can be told from the answer", answerPersons)
				}
			}
		}
	})
}

// host is the machine that a request asks, which no field can choose.
func (r *Request) host() string {
	if r == nil {
		return ""
	}
	text, _, _ := strings.Cut(r.URL, "${")
	if at, err := url.Parse(text); err == nil && at.Host != "" {
		return at.Host
	}
	return text
}

// seek has it asked for whom a node asks. Where the ticket comes straight back to it, the votes of the round before are kept until they are found.
func (r *run) seek(n *node, s *NodeState, before NodeState, straight bool) {
	r.request(s)
	if straight {
		s.Straight = &Straight{Votes: slices.Clone(before.Votes)}
	}
}

// find takes the answer that says whom a node asks. While the ticket is suspended no token moves: what follows from who was found follows then.
func (r *run) find(n *node, s *NodeState, c Called) {
	names, err := r.namesIn(n, c)
	if err != nil {
		r.fail(n, s, err.Error())
		return
	}
	why := "the answer of " + n.Processors.HTTP.host()
	if len(names) == 0 {
		why += ", which names nobody"
	}
	r.found = append(r.found, LogEntry{To: names, Note: why})
	votes, straight := []Vote(nil), s.Straight != nil
	if straight {
		votes = s.Straight.Votes
	}
	s.Straight, s.Reason = nil, ""
	barred, reason := r.meet(n, s, r.roster(n, names), votes, straight)
	r.say(CallDone, s, LogEntry{To: n.pending(*s), Note: fmt.Sprintf("HTTP %d", c.Status)})
	r.met(n, s, barred, reason)
	if s.Paused != nil {
		s.Judge = true
		return
	}
	r.begin(n, s, straight)
}

// namesIn reads an answer that names people.
func (r *run) namesIn(n *node, c Called) ([]string, error) {
	world, _, err := r.read(n, c)
	if err != nil {
		return nil, err
	}
	value, err := world.compute(n.request.answer[answerPersons])
	if err != nil {
		return nil, fmt.Errorf("answer %s: %w", answerPersons, err)
	}
	var names []string
	switch v := value.(type) {
	case string:
		names = r.env.Rules.persons(v)
	case []string:
		names = slices.Clone(v)
	case []any:
		for _, item := range v {
			name, text := item.(string)
			if !text {
				return nil, fmt.Errorf("answer %s: %s is no list of persons, but has %s in it", answerPersons, show(value), show(item))
			}
			names = append(names, name)
		}
	default:
		return nil, fmt.Errorf("answer %s: %s is no list of persons", answerPersons, show(value))
	}
	for i, name := range names {
		if names[i] = strings.TrimSpace(name); !isName(names[i]) {
			return nil, fmt.Errorf("answer %s: %q is no name", answerPersons, name)
		}
	}
	if names = distinct(names); len(names) > MaxItems {
		return nil, errors.New("answer " + answerPersons + ": " + Over(MaxItems, "persons", len(names)))
	}
	return names, nil
}

// isName reports whether somebody can be called so.
func isName(who string) bool {
	return who != "" && !strings.Contains(who, ",") && !strings.ContainsFunc(who, unicode.IsControl) && utf8.RuneCountInString(who) <= MaxName
}
