package tickets

import (
	"context"
	"sync"

	"signalbox/store/chain"
	"signalbox/store/db"
	"signalbox/store/outbox"
	"signalbox/store/vault"
)

// Projections is the read model of tickets.
type Projections struct {
	db     *db.DB
	vault  *vault.Vault
	chain  *chain.Chain
	outbox *outbox.Outbox

	background context.Context // of what goes on beside the calls
	stop       context.CancelFunc
	ended      sync.WaitGroup
	mu         sync.Mutex
	posting    bool
}

// New gives the tickets of a database.
func New(d *db.DB, v *vault.Vault, c *chain.Chain, o *outbox.Outbox) *Projections {
	p := &Projections{db: d, vault: v, chain: c, outbox: o}
	p.background, p.stop = context.WithCancel(context.Background())
	return p
}

// End ends what goes on beside the calls, before the database is closed.
func (p *Projections) End() {
	p.mu.Lock()
	p.stop()
	p.mu.Unlock()
	p.ended.Wait()
}
