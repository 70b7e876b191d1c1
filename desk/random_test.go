package desk_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"signalbox/desk"
	"signalbox/ticket"
)

// TestAnyDisorder lets requests, repetitions, sweeps, signals, roll-overs and outages happen in any order, with processes that die, hear no
// answer, or stand still while all the rest goes on. In the end, once everything is settled, every request that was answered has happened
// exactly once, every other at most once, and the read model is what Temporal knows.
func TestAnyDisorder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &disorder{T: t, w: newWorld(), answered: map[string]string{}, counter: rapid.IntRange(0, 1).Draw(t, "first")}
		m.w.engine.Updates = rapid.IntRange(0, 3).Draw(t, "updates in a run")
		m.w.engine.Keep = rapid.Bool().Draw(t, "kept by the server")
		for range rapid.IntRange(5, 40).Draw(t, "steps") {
			m.step()
		}
		settleAll(t, m.w)
		for _, r := range m.requests {
			n := m.w.count(r)
			body, answered := m.answered[r.key]
			if n > 1 || answered && n == 0 && !idle(r) {
				t.Fatalf("%s %s (answered: %t) happened %d times", r.key, r.command.Action, answered, n)
			}
			if !answered {
				continue
			}
			reply, err := m.w.healthy().do(context.Background(), r)
			require.NoError(t, err)
			require.True(t, reply.Replayed, "what was answered is answered again")
			require.JSONEq(t, body, string(reply.Body))
		}
		sound(t, m.w)
	})
}

// idle tells whether a request may be answered without having anything to do.
func idle(r request) bool {
	return r.command.Action == ticket.Close || r.command.Action == ticket.Reopen
}

type disorder struct {
	*rapid.T
	w        *world
	requests []request
	answered map[string]string
	counter  int
	depth    int
}

func (m *disorder) step() {
	switch rapid.IntRange(0, 15).Draw(m.T, "what") {
	case 0, 1, 2, 3, 4, 5:
		m.send(m.fresh())
	case 6, 7, 8:
		if len(m.requests) > 0 {
			m.send(rapid.SampledFrom(m.requests).Draw(m.T, "repeated"))
		}
	case 9, 10:
		m.w.advance(time.Duration(rapid.SampledFrom([]int{1, 12, 31}).Draw(m.T, "seconds")) * time.Second)
	case 11, 12:
		p := m.w.process(m.faults())
		_, _, _ = p.run(func() (desk.Reply, error) {
			_, err := p.Settle(context.Background(), 10)
			return desk.Reply{}, err
		})
	case 13:
		if numbers := m.known(); len(numbers) > 0 {
			m.w.signal(rapid.SampledFrom(numbers).Draw(m.T, "signalled"), rapid.IntRange(0, 1).Draw(m.T, "generation"),
				ticket.Command{Action: ticket.Accept, Operator: "signal", Channel: ticket.ChannelSignal})
		}
	case 14:
		if numbers := m.known(); len(numbers) > 0 {
			if number := rapid.SampledFrom(numbers).Draw(m.T, "rolled"); !m.w.engine.Down {
				m.w.roll(number, 0)
			}
		}
	case 15:
		if m.w.engine.Down {
			m.w.wake()
		} else {
			m.w.engine.Down = rapid.IntRange(0, 3).Draw(m.T, "down") == 0
		}
	}
}

// known lists the tickets that callers can address, in a stable order.
func (m *disorder) known() []string {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	var out []string
	for number := range m.w.rows {
		out = append(out, number)
	}
	slices.Sort(out)
	return out
}

func (m *disorder) fresh() request {
	m.counter++
	key := fmt.Sprintf("key-%d", m.counter)
	numbers := m.known()
	r := request{key: key, fingerprint: "f"}
	if len(numbers) > 0 && rapid.IntRange(0, 5).Draw(m.T, "open") > 0 {
		r = ask(key, rapid.SampledFrom(numbers[:min(2, len(numbers))]).Draw(m.T, "ticket"), rapid.SampledFrom([]ticket.Action{
			ticket.Accept, ticket.CommitSolution, ticket.Confirm, ticket.Close, ticket.Close, ticket.Reopen, ticket.Reopen, ticket.Terminate,
			ticket.Say, ticket.Say, ticket.Relate, ticket.Suspend, ticket.Unsuspend,
		}).Draw(m.T, "action"))
	}
	m.requests = append(m.requests, r)
	return r
}

func (m *disorder) send(r request) {
	_, before := m.answered[r.key] // one that is answered while this one is on its way may leave it Busy
	p := m.w.process(m.faults())
	reply, err, died := p.run(func() (desk.Reply, error) { return p.do(context.Background(), r) })
	switch {
	case died:
	case err == nil:
		m.answered[r.key] = string(reply.Body)
	default:
		require.NotNil(m, ticket.AsError(err), "%v", err)
		require.True(m, !before || ticket.Is(err, ticket.Unavailable), "what was answered is not refused later: %v", err)
	}
}

// faults chooses what goes wrong at the steps of one process. While one stands still, others act.
func (m *disorder) faults() func(int, string) fault {
	m.depth++
	defer func() { m.depth-- }()
	depth, rate := m.depth, rapid.SampledFrom([]int{0, 6, 3}).Draw(m.T, "rate")
	return func(int, string) fault {
		if rate == 0 || rapid.IntRange(0, rate).Draw(m.T, "trouble") > 0 {
			return fault{}
		}
		others := func() {
			if m.depth += depth; m.depth < 4 {
				m.step()
				m.step()
			}
			m.depth -= depth
		}
		return rapid.SampledFrom([]fault{{before: errCrash}, {after: errCrash}, {before: errNetwork}, {after: errNetwork}, {pause: others}, {later: others}}).Draw(m.T, "fault")
	}
}
