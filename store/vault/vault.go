package vault

import "signalbox/store/db"

// Vault keeps what is secret.
type Vault struct {
	ReadAtOnce int // how many rows Reseal and SealedUnder read at once; 200

	db      *db.DB
	master  box
	derived [][]byte // what tokens were made with before there were data keys, oldest first
	keys    *keyCache
}

// New gives a vault that Use must give its database. master is the key that encrypts, of 32 random bytes; old ones only decrypt what was encrypted
// with them. A key of another length is an error.
func New(master []byte, old [][]byte) (*Vault, error) {
	keys, err := newMasterBox(master, old)
	if err != nil {
		return nil, err
	}
	derived, err := derivedTokenKeys(master, old)
	if err != nil {
		return nil, err
	}
	return &Vault{ReadAtOnce: 200, master: keys, derived: derived, keys: &keyCache{keys: map[Purpose][]DataKey{}}}, nil
}

// Use says which database the vault keeps its data keys in.
func (v *Vault) Use(d *db.DB) { v.db = d }

// Encrypt encrypts a secret under the master key. owner is what it belongs to: moved to another row it does not decrypt. Reseal has to know every
// column that keeps such text; see sealedColumns.
func (v *Vault) Encrypt(secret, owner string) string { return v.master.encrypt(secret, owner) }

// Decrypt gives back what Encrypt encrypted for that owner. ErrNoKey: its master key is not here.
func (v *Vault) Decrypt(encrypted, owner string) (string, error) {
	return v.master.decrypt(encrypted, owner)
}
