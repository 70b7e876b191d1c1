package verify

import (
	"signalbox/store/chain"
	"signalbox/store/db"
	"signalbox/store/vault"
)

// Verifier looks for what was changed by hand.
type Verifier struct {
	db    *db.DB
	vault *vault.Vault
	chain *chain.Chain
}

// New gives the verifier of a database.
func New(d *db.DB, v *vault.Vault, c *chain.Chain) *Verifier {
	return &Verifier{db: d, vault: v, chain: c}
}
