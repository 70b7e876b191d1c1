package verify

import (
	"signalbox/store/chain"
	"signalbox/store/db"
	"signalbox/store/tickets"
	"signalbox/store/vault"
)

// Verifier looks for what was changed by hand.
type Verifier struct {
	db      *db.DB
	vault   *vault.Vault
	chain   *chain.Chain
	tickets *tickets.Projections
}

// New gives the verifier of a database.
func New(d *db.DB, v *vault.Vault, c *chain.Chain, t *tickets.Projections) *Verifier {
	return &Verifier{db: d, vault: v, chain: c, tickets: t}
}
