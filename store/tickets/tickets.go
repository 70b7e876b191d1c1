package tickets

import (
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
}

// New gives the tickets of a database.
func New(d *db.DB, v *vault.Vault, c *chain.Chain, o *outbox.Outbox) *Projections {
	return &Projections{db: d, vault: v, chain: c, outbox: o}
}
