package callers

import (
	"sync/atomic"

	"signalbox/store/db"
	"signalbox/store/vault"
)

// Directory knows the apps that call, and counts what they use up.
type Directory struct {
	db         *db.DB
	vault      *vault.Vault
	apps       *cache
	signatures atomic.Int64 // used since the start
}

// New gives the callers of a database.
func New(d *db.DB, v *vault.Vault) *Directory { return &Directory{db: d, vault: v, apps: newCache()} }
