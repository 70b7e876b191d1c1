package services

import (
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
