package store_test

import (
	"testing"

	"signalbox/desk/desktest"
)

func TestTheLedgerKeepsItsPromises(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		desktest.TestLedger(t, desktest.LedgerFixture{Ledger: b.ledger, Now: b.clock.Now, Pass: b.clock.pass})
	})
}
