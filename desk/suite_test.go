package desk_test

import (
	"testing"

	"signalbox/desk"
	"signalbox/desk/desktest"
	"signalbox/ticket"
)

// What stands in for the database in the desk's tests keeps the promises of the true ones.
func TestTheLedgerOfTheseTests(t *testing.T) {
	w := newWorld()
	desktest.TestLedger(t, desktest.LedgerFixture{Ledger: ledger{w.healthy()}, Now: w.clock, Pass: w.advance})
}

func TestMemoryEngine(t *testing.T) {
	for name, page := range map[string]int{"whole": 0, "paged": 2} {
		t.Run(name, func(t *testing.T) {
			desktest.TestEngine(t, func(_ *testing.T, ledger desk.Ledger, updates int) desktest.EngineFixture {
				e := &desktest.Engine{Project: ledger.Project, Updates: updates, Page: page}
				return desktest.EngineFixture{
					Engine: e,
					Signal: func(_ *testing.T, id ticket.Identity, generation int, operator string) {
						e.Signal(id.Number, generation, ticket.Command{Action: ticket.Accept, Operator: operator, Channel: ticket.ChannelSignal, App: "signal"})
					},
					Workers: func(_ *testing.T, up bool) {
						if e.Down = !up; up {
							e.Wake()
						}
					},
				}
			})
		})
	}
}
