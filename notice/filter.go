package notice

import (
	"strings"

	"signalbox/ticket"
)

// Filter chooses events of the stream; what is empty matches everything. A key that ends in "*" matches every key that begins like it.
type Filter struct {
	Source string `json:"source,omitempty"`
	Topic  string `json:"topic,omitempty"`
	Type   string `json:"type,omitempty"`
	Status string `json:"status,omitempty"`
	Key    string `json:"key,omitempty"`
}

// Matches says whether the filter chooses the event. It is what selectors have to agree with.
func (f Filter) Matches(p Published) bool {
	prefix, open := strings.CutSuffix(f.Key, "*")
	return (f.Source == "" || f.Source == p.Source) && (f.Topic == "" || f.Topic == p.Topic) && (f.Type == "" || f.Type == p.Type) &&
		(f.Status == "" || f.Status == p.Status) && (f.Key == "" || f.Key == p.Key || open && strings.HasPrefix(p.Key, prefix))
}

// Covers says whether the filter chooses whatever other chooses.
func (f Filter) Covers(other Filter) bool {
	word := func(f, other string) bool { return f == "" || f == other }
	prefix, open := strings.CutSuffix(f.Key, "*")
	return word(f.Source, other.Source) && word(f.Topic, other.Topic) && word(f.Type, other.Type) && word(f.Status, other.Status) &&
		(f.Key == "" || f.Key == "*" || f.Key == other.Key || open && strings.HasPrefix(strings.TrimSuffix(other.Key, "*"), prefix))
}

// Check tells everything that is wrong with a filter, in the names of the subscription's members.
func (f Filter) Check() error {
	var faults ticket.Faults
	faults.Name("source", f.Source, 0, MaxEventWord)
	faults.Name("topic", f.Topic, 0, MaxEventWord)
	faults.Name("type", f.Type, 0, MaxEventWord)
	faults.Name("status", f.Status, 0, MaxEventWord)
	faults.Name("key", f.Key, 0, MaxEventWord)
	return faults.Err()
}
