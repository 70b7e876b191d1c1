package desk_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/desk"
	"signalbox/flow"
	"signalbox/people"
	"signalbox/ticket"
)

const asking = `
key: asking
name: Asking
nodes:
  - {id: v, name: Vote, type: approval, rule: all, processors: {persons: [ann, bob]}, next: g}
  - {id: g, name: Group, type: approval, processors: {groups: [finance]}, next: over}
  - {id: over, name: Over, type: end}
`

// absences is a directory of people with these absences, in which those who are named are not active.
func absences(at time.Time, left string, list ...people.Absence) *people.Directory {
	var persons []people.Person
	for _, id := range []string{"ann", "bob", "deb", "boss"} {
		persons = append(persons, people.Person{ID: id, Active: id != left, Manager: "boss"})
	}
	for i := range list {
		list[i].From = at.Add(-time.Hour)
	}
	return people.NewDirectory(persons, []people.Group{{ID: "finance", Members: []people.Member{{Person: "ann"}}}}, list)
}

// TestTicketsAreToldWhoIsAbsent: once, by an operation of the system, and as long as it is so; who has left is told likewise.
func TestTicketsAreToldWhoIsAbsent(t *testing.T) {
	w, b := newWorld(), &book{Directory: absences(time.Time{}, "")}
	d := desk.New(ledger{w.healthy()}, engine{w.healthy()}, desk.Options{Now: w.clock, NewID: w.newID, People: b})
	def, faults := flow.Parse([]byte(asking))
	require.Empty(t, faults)
	var id ticket.Identity
	r := request{key: "opens", fingerprint: "f"}
	_, err := d.Open(t.Context(), r.envelope(), desk.Opening{Series: ticket.SeriesIM,
		Draft:  ticket.Draft{Channel: ticket.ChannelIssue, App: "demo", Origin: "customs", Title: "a case", Service: "asking", Definition: &def},
		Answer: func(of ticket.Identity) desk.Answer { id = of; return r.answer(of.Number) }})
	require.NoError(t, err)
	attend := func() desk.Attendance {
		t.Helper()
		came, err := d.Attend(t.Context(), id)
		require.NoError(t, err)
		return came
	}
	acts := 0
	act := func(who string, action ticket.Action) error {
		acts++
		_, err := d.Handle(t.Context(), request{key: fmt.Sprint("act", acts), fingerprint: "f", ticket: id.Number}.envelope(), desk.Handling{Ticket: id.Number, Command: ticket.Command{Action: action, Operator: who}})
		return err
	}
	require.Zero(t, attend(), "everybody is there")

	b.Directory = absences(w.clock(), "", people.Absence{Person: "ann", Deputy: "deb"})
	require.Equal(t, desk.Attendance{Told: 1, StandIn: 1}, attend())
	require.Zero(t, attend(), "it has been told")
	row := w.row(t, id.Number)
	require.Equal(t, []string{"ann", "bob", "deb"}, row.WaitingFor())
	b.away = errors.New("it is away")
	_, err = d.Attend(t.Context(), id)
	require.True(t, ticket.Is(err, ticket.Unavailable), "%v", err)
	b.away = nil

	b.Directory = absences(w.clock(), "")
	require.Equal(t, desk.Attendance{Told: 1, StandDown: 1}, attend())
	require.True(t, ticket.Is(act("deb", ticket.Approve), ticket.Forbidden))
	b.Directory = absences(w.clock(), "", people.Absence{Person: "ann", Deputy: "deb"})
	attend()
	require.NoError(t, act("deb", ticket.Approve))
	votes := w.row(t, id.Number).Nodes()[0].Votes
	require.Equal(t, "ann", votes[0].Who)
	require.Equal(t, "deb", votes[0].By)

	b.Directory = absences(w.clock(), "bob", people.Absence{Person: "ann", Deputy: "deb"})
	require.Equal(t, desk.Attendance{Told: 1, TakenOver: 1}, attend())
	require.Equal(t, []string{"boss"}, w.row(t, id.Number).WaitingFor())
	require.NoError(t, act("boss", ticket.Approve))
	require.Equal(t, []string{"ann", "deb"}, w.row(t, id.Number).WaitingFor(), "who is found in a group is known to be absent at once")
	require.NoError(t, act("deb", ticket.Approve))
	require.Equal(t, ticket.Completed, w.row(t, id.Number).Status)
	require.Zero(t, attend())
}
