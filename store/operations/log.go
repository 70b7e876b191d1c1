package operations

import (
	"time"

	"signalbox/store/chain"
	"signalbox/store/db"
	"signalbox/store/vault"
)

// Log is the table of operations.
type Log struct {
	db    *db.DB
	vault *vault.Vault
	chain *chain.Chain
	zone  *time.Location // of the day that numbers are counted by
}

// New gives the operations of a database. zone is that of the day that tickets' numbers are counted by.
func New(d *db.DB, v *vault.Vault, c *chain.Chain, zone *time.Location) *Log {
	return &Log{db: d, vault: v, chain: c, zone: zone}
}
