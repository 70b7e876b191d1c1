package services

import (
	"math"

	"signalbox/store/db"
	"signalbox/store/vault"
)

// Catalogue is the services of all tenants.
type Catalogue struct {
	db    *db.DB
	vault *vault.Vault
}

// New gives the services of a database.
func New(d *db.DB, v *vault.Vault) *Catalogue { return &Catalogue{db: d, vault: v} }

// asked gives the version that somebody asks for, or the place of a page among versions, as a number that the column can have: PostgreSQL cannot be asked for any other. No version comes
// near its bounds.
func asked[N int | int64](version N) N { return max(0, min(version, math.MaxInt32)) }
