package desk_test

import (
	"testing"

	"signalbox/desk/desktest"
)

// What stands in for the database in the desk's tests keeps the promises of the true ones.
func TestTheLedgerOfTheseTests(t *testing.T) {
	w := newWorld()
	desktest.TestLedger(t, desktest.LedgerFixture{Ledger: ledger{w.healthy()}, Now: w.clock, Pass: w.advance})
}
