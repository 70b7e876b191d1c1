package desk_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/desk"
	"signalbox/flow"
	"signalbox/people"
	"signalbox/ticket"
)

// book is a directory that can be away, and counts how often it is asked.
type book struct {
	*people.Directory
	asked int
	away  error
}

func (b *book) Lookup(_ context.Context, tenant string, want people.Want) (people.Facts, error) {
	b.asked++
	if tenant != "a" {
		return people.NewDirectory(nil, nil, nil).Find(want), b.away
	}
	return b.Find(want), b.away
}

const grouped = `
key: grouped
name: Grouped
nodes:
  - {id: first, name: First, type: approval, processors: {groups: [finance]}, next: second}
  - {id: second, name: Second, type: approval, processors: {manager_of: opener, groups: [none]}, next: third}
  - {id: third, name: Third, type: approval, processors: {groups: [finance]}, reject: {then: back, to: first}, next: over}
  - {id: over, name: Over, type: end}
`

func finance(members ...string) *people.Directory {
	persons := []people.Person{{ID: "olga", Active: true, Manager: "boss"}, {ID: "boss", Active: true}}
	group := people.Group{ID: "finance"}
	for _, who := range members {
		persons = append(persons, people.Person{ID: who, Active: true})
		group.Members = append(group.Members, people.Member{Person: who})
	}
	return people.NewDirectory(persons, []people.Group{group}, nil)
}

// A caller's request brings the facts along: the engine is given each command once, and the directory is asked where people are asked anew, and not otherwise.
func TestCommandsBringTheFacts(t *testing.T) {
	w, b := newWorld(), &book{Directory: finance("ann", "bob")}
	d := desk.New(ledger{w.healthy()}, engine{w.healthy()}, desk.Options{Now: w.clock, NewID: w.newID, People: b})
	def, faults := flow.Parse([]byte(grouped))
	require.Empty(t, faults)
	var number string
	r := request{key: "opens", fingerprint: "f"}
	_, err := d.Open(t.Context(), r.envelope(), desk.Opening{Series: ticket.SeriesIM,
		Draft:  ticket.Draft{Channel: ticket.ChannelIssue, App: "demo", Origin: "customs", Title: "a case", Opener: "olga", Service: "grouped", Definition: &def},
		Answer: func(id ticket.Identity) desk.Answer { number = id.Number; return r.answer(id.Number) }})
	require.NoError(t, err)
	require.Equal(t, []string{"ann", "bob"}, w.row(t, number).WaitingFor())
	require.Equal(t, 1, b.asked)

	act := func(key, who string, action ticket.Action) error {
		_, err := d.Handle(t.Context(), request{key: key, fingerprint: key, ticket: number}.envelope(),
			desk.Handling{Ticket: number, Command: ticket.Command{Action: action, Operator: who}})
		return err
	}
	require.True(t, ticket.Is(act("eve", "eve", ticket.Approve), ticket.Forbidden))
	require.Equal(t, 1, b.asked, "who is refused has nobody looked up")
	require.NoError(t, act("ann", "ann", ticket.Approve))
	require.Equal(t, 2, b.asked)
	require.Equal(t, []string{"boss"}, w.row(t, number).WaitingFor())

	b.away = errors.New("it is away")
	require.True(t, ticket.Is(act("boss", "boss", ticket.Approve), ticket.Unavailable))
	require.Equal(t, []string{"boss"}, w.row(t, number).WaitingFor(), "nothing has happened")
	b.away, b.Directory = nil, finance("sue")
	w.advance(beyondLease)
	require.NoError(t, act("boss", "boss", ticket.Approve), "the same request again")
	require.Equal(t, []string{"sue"}, w.row(t, number).WaitingFor(), "who is in the group now")
	asked := b.asked
	require.NoError(t, act("sue", "sue", ticket.Reject))
	require.Equal(t, []string{"sue"}, w.row(t, number).WaitingFor())
	require.Equal(t, asked+1, b.asked)
}
