package vault

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"

	"signalbox/internal/aead"
	"signalbox/store/db"
)

// Purpose is what data keys are for. No key serves two.
type Purpose string

const (
	KeyAudit   Purpose = "audit"   // chains the timelines, so that a changed row is found
	KeyPayload Purpose = "payload" // encrypts what Temporal keeps
	KeyToken   Purpose = "token"   // makes the tokens of callbacks, which hold for as long as their tickets exist
	KeyKept    Purpose = "kept"    // encrypts what cannot be encrypted anew, because it is part of an event, or is too much
)

// Purposes lists every purpose.
var Purposes = []Purpose{KeyAudit, KeyPayload, KeyToken, KeyKept}

// DataKey is a key of 32 bytes that outlives the master key: it lies in the database encrypted, and a new master key encrypts it anew. Its ID tells
// nothing of the key, and may stand beside what was done with it.
type DataKey = aead.Key

// DataKeys gives the keys of a purpose: first the one in force, then earlier ones, newest first. The first is made where there is none; of
// several processes that ask at once all get the same. It reads the database each time. An error tells that a key cannot be opened: the master
// key that it was encrypted with is not here.
func (v *Vault) DataKeys(ctx context.Context, purpose Purpose) (keys []DataKey, err error) {
	err = v.db.Read(ctx, func(q *db.Tx) error {
		keys, err = v.readKeys(ctx, q, purpose)
		return err
	})
	if err != nil || len(keys) > 0 {
		return keys, err
	}
	err = v.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		keys, err = v.KeysIn(ctx, q, purpose)
		return err
	})
	return keys, err
}

// EnsureDataKeys makes the first key of every purpose that has none, and tells of those that cannot be opened.
func (v *Vault) EnsureDataKeys(ctx context.Context) error {
	var failed []error
	for _, purpose := range Purposes {
		_, err := v.DataKeys(ctx, purpose)
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// CheckDataKeys tells of data keys that cannot be opened, and makes those that are missing. What is known already is not read again.
func (v *Vault) CheckDataKeys(ctx context.Context) error {
	for _, purpose := range Purposes {
		if _, err := v.cachedKeys(ctx, purpose); err != nil {
			return err
		}
	}
	return nil
}

// cachedKeys is DataKeys that remembers, for use outside a transaction.
func (v *Vault) cachedKeys(ctx context.Context, purpose Purpose) ([]DataKey, error) {
	if keys := v.keys.get(purpose); len(keys) > 0 {
		return keys, nil
	}
	keys, err := v.DataKeys(ctx, purpose)
	if err == nil && v.db.Carried(ctx) == nil {
		v.keys.put(purpose, keys)
	}
	return keys, err
}

// dataKey gives the key of a purpose that is in force, as DataKeys does, but remembers it. It is for use within a transaction.
func (v *Vault) dataKey(ctx context.Context, q *db.Tx, purpose Purpose) (DataKey, error) {
	keys, err := v.KeysIn(ctx, q, purpose)
	if err != nil {
		return DataKey{}, err
	}
	return keys[0], nil
}

// KeysIn gives the keys of a purpose, and makes the first, within a transaction. What it reads is remembered for as long as the process lives: keys never change.
func (v *Vault) KeysIn(ctx context.Context, q *db.Tx, purpose Purpose) ([]DataKey, error) {
	if keys := v.keys.get(purpose); len(keys) > 0 {
		return keys, nil
	}
	keys, err := v.readKeys(ctx, q, purpose)
	if err == nil && len(keys) == 0 {
		if err = v.makeKeys(ctx, q, purpose); err != nil {
			return nil, err
		}
		keys, err = v.readKeys(ctx, q, purpose)
	}
	if err != nil {
		return nil, err
	}
	// A key that this transaction made is gone when it is rolled back.
	if !q.Marked(madeKey{}) {
		v.keys.put(purpose, keys)
	}
	return keys, nil
}

// readKeys reads the keys of a purpose, the one in force first.
func (v *Vault) readKeys(ctx context.Context, q *db.Tx, purpose Purpose) ([]DataKey, error) {
	var rows []struct {
		ID     string `db:"id"`
		Sealed string `db:"sealed"`
	}
	if err := q.All(ctx, &rows, `SELECT id, sealed FROM data_keys WHERE purpose = ? ORDER BY n DESC`, string(purpose)); err != nil {
		return nil, db.Wrap("read data keys", err)
	}
	keys := make([]DataKey, 0, len(rows))
	for _, row := range rows {
		key, err := v.master.decrypt(row.Sealed, dataKeyOwner(purpose, row.ID))
		if err != nil {
			return nil, fmt.Errorf("open the %s key %s: %w", purpose, row.ID, err)
		}
		keys = append(keys, DataKey{ID: row.ID, Key: []byte(key)})
	}
	return keys, nil
}

// madeKey marks a transaction that made a data key, which is not there before the commit.
type madeKey struct{}

// makeKeys makes the first key of a purpose, unless somebody else does so at this moment: then it waits for them.
func (v *Vault) makeKeys(ctx context.Context, q *db.Tx, purpose Purpose) error {
	if err := v.checkMasterKey(ctx, q); err != nil {
		return err
	}
	keys, err := v.firstKeys(ctx, q, purpose)
	if err != nil {
		return err
	}
	for i, key := range keys {
		raw := make([]byte, 8)
		_, _ = rand.Read(raw)
		id := hex.EncodeToString(raw)
		n, err := q.Exec(ctx, `INSERT INTO data_keys (id, purpose, n, sealed, created_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT (purpose, n) DO NOTHING`,
			id, string(purpose), i+1, v.master.encrypt(string(key), dataKeyOwner(purpose, id)), db.At(q.Now()))
		if err != nil {
			return db.Wrap("make a data key", err)
		}
		if n > 0 {
			q.Mark(madeKey{})
		}
	}
	return nil
}

// checkMasterKey refuses a master key that opens no app's secret where there are some. Keys that came to lie under a wrong one would keep out the
// right one, and tokens that were given out under the right one would never hold again.
func (v *Vault) checkMasterKey(ctx context.Context, q *db.Tx) error {
	var rows []struct {
		App    string `db:"app"`
		Sealed string `db:"sealed"`
	}
	if err := q.All(ctx, &rows, `SELECT app, sealed FROM app_secrets`); err != nil {
		return db.Wrap("read secrets of apps", err)
	}
	var failed error
	for _, row := range rows {
		if _, failed = v.master.decrypt(row.Sealed, row.App); failed == nil {
			return nil
		}
	}
	return db.Wrap("make data keys under a master key that opens no app's secret", failed)
}

// firstKeys gives what a purpose begins with, the key in force last: random bytes, but where tokens have been given out before there were data
// keys, what those were made with.
func (v *Vault) firstKeys(ctx context.Context, q *db.Tx, purpose Purpose) ([][]byte, error) {
	if purpose == KeyToken {
		var tickets int64
		if _, err := q.Find(ctx, &tickets, `SELECT value FROM counters WHERE name = ?`, db.TicketCounter); err != nil || tickets > 0 {
			return v.derived, db.Wrap("look whether there are tickets", err)
		}
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	return [][]byte{key}, nil
}

// dataKeyOwner is the owner of an encrypted data key.
func dataKeyOwner(purpose Purpose, id string) string { return "data key:" + string(purpose) + ":" + id }

// EncryptLasting encrypts under a data key what an event or a delivery keeps of a secret.
func (v *Vault) EncryptLasting(ctx context.Context, q *db.Tx, secret, owner string) (string, error) {
	s, err := v.lastingBox(ctx, q)
	if err != nil {
		return "", err
	}
	return s.encrypt(secret, owner), nil
}

// DecryptLasting gives back what EncryptLasting encrypted for that owner.
func (v *Vault) DecryptLasting(ctx context.Context, q *db.Tx, encrypted, owner string) (string, error) {
	s, err := v.lastingBox(ctx, q)
	if err != nil {
		return "", err
	}
	return s.decrypt(encrypted, owner)
}

func (v *Vault) lastingBox(ctx context.Context, q *db.Tx) (box, error) {
	keys, err := v.KeysIn(ctx, q, KeyKept)
	if err != nil {
		return box{}, err
	}
	return dataKeyBox(keys)
}

// keyCache remembers data keys.
type keyCache struct {
	mu   sync.Mutex
	keys map[Purpose][]DataKey
}

func (k *keyCache) get(purpose Purpose) []DataKey {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.keys[purpose]
}

func (k *keyCache) put(purpose Purpose, keys []DataKey) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys[purpose] = keys
}
