package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
)

// Purpose is what data keys are for. No key serves two.
type Purpose string

const (
	KeyAudit   Purpose = "audit"   // chains the timelines, so that a changed row is found
	KeyPayload Purpose = "payload" // encrypts what Temporal keeps
	KeyToken   Purpose = "token"   // makes the tokens of callbacks, which hold for as long as their tickets exist
	KeyKept    Purpose = "kept"    // seals what cannot be sealed anew, because it is part of an event, or is too much
)

// Purposes lists every purpose.
var Purposes = []Purpose{KeyAudit, KeyPayload, KeyToken, KeyKept}

// DataKey is a key of 32 bytes that outlives the master key: it lies in the database sealed, and a new master key seals it anew.
type DataKey struct {
	ID  string // tells nothing of the key, and may stand beside what was done with it
	Key []byte
}

// DataKeys gives the keys of a purpose: first the one in force, then earlier ones, newest first. The first is made where there is none; of
// several processes that ask at once all get the same. It reads the database each time. An error tells that a key cannot be opened: the master
// key that it was sealed with is not here.
func (s *Store) DataKeys(ctx context.Context, purpose Purpose) (keys []DataKey, err error) {
	err = s.read(ctx, func(q *session) error {
		keys, err = q.readKeys(ctx, purpose)
		return err
	})
	if err != nil || len(keys) > 0 {
		return keys, err
	}
	err = s.write(ctx, func(ctx context.Context, q *session) error {
		keys, err = q.dataKeys(ctx, purpose)
		return err
	})
	return keys, err
}

// EnsureDataKeys makes the first key of every purpose that has none, and tells of those that cannot be opened.
func (s *Store) EnsureDataKeys(ctx context.Context) error {
	var failed []error
	for _, purpose := range Purposes {
		_, err := s.DataKeys(ctx, purpose)
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// keysOf is DataKeys that remembers, for use outside a transaction.
func (s *Store) keysOf(ctx context.Context, purpose Purpose) ([]DataKey, error) {
	if keys := s.keys.get(purpose); len(keys) > 0 {
		return keys, nil
	}
	keys, err := s.DataKeys(ctx, purpose)
	if err == nil && s.carried(ctx) == nil {
		s.keys.put(purpose, keys)
	}
	return keys, err
}

// dataKey gives the key of a purpose that is in force, as DataKeys does, but remembers it. It is for use within a transaction.
func (q *session) dataKey(ctx context.Context, purpose Purpose) (DataKey, error) {
	keys, err := q.dataKeys(ctx, purpose)
	if err != nil {
		return DataKey{}, err
	}
	return keys[0], nil
}

// dataKeys gives the keys of a purpose, and makes the first. What it reads is remembered for as long as the process generations: keys never change.
func (q *session) dataKeys(ctx context.Context, purpose Purpose) ([]DataKey, error) {
	if keys := q.keys.get(purpose); len(keys) > 0 {
		return keys, nil
	}
	keys, err := q.readKeys(ctx, purpose)
	if err == nil && len(keys) == 0 {
		if err = q.makeKeys(ctx, purpose); err != nil {
			return nil, err
		}
		keys, err = q.readKeys(ctx, purpose)
	}
	if err != nil {
		return nil, err
	}
	// A key that this transaction made is gone when it is rolled back.
	if !q.marked(madeKey{}) {
		q.keys.put(purpose, keys)
	}
	return keys, nil
}

// readKeys reads the keys of a purpose, the one in force first.
func (q *session) readKeys(ctx context.Context, purpose Purpose) ([]DataKey, error) {
	var rows []struct {
		ID     string `db:"id"`
		Sealed string `db:"sealed"`
	}
	if err := q.all(ctx, &rows, `SELECT id, sealed FROM data_keys WHERE purpose = ? ORDER BY n DESC`, string(purpose)); err != nil {
		return nil, wrap("read data keys", err)
	}
	keys := make([]DataKey, 0, len(rows))
	for _, row := range rows {
		key, err := q.seals.open(row.Sealed, dataKeyOf(purpose, row.ID))
		if err != nil {
			return nil, fmt.Errorf("open the %s key %s: %w", purpose, row.ID, err)
		}
		keys = append(keys, DataKey{row.ID, []byte(key)})
	}
	return keys, nil
}

// madeKey marks a transaction that made a data key, which is not there before the commit.
type madeKey struct{}

// makeKeys makes the first key of a purpose, unless somebody else does so at this moment: then it waits for them.
func (q *session) makeKeys(ctx context.Context, purpose Purpose) error {
	if err := q.knowMaster(ctx); err != nil {
		return err
	}
	keys, err := q.firstKeys(ctx, purpose)
	if err != nil {
		return err
	}
	for i, key := range keys {
		raw := make([]byte, 8)
		_, _ = rand.Read(raw)
		id := hex.EncodeToString(raw)
		n, err := q.exec(ctx, `INSERT INTO data_keys (id, purpose, n, sealed, created_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT (purpose, n) DO NOTHING`,
			id, string(purpose), i+1, q.seals.seal(string(key), dataKeyOf(purpose, id)), at(q.now()))
		if err != nil {
			return wrap("make a data key", err)
		}
		if n > 0 {
			q.mark(madeKey{})
		}
	}
	return nil
}

// knowMaster refuses a master key that opens no app's secret where there are some. Keys that came to lie under a wrong one would keep out the
// right one, and tokens that were given out under the right one would never hold again.
func (q *session) knowMaster(ctx context.Context) error {
	var rows []struct {
		App    string `db:"app"`
		Sealed string `db:"sealed"`
	}
	if err := q.all(ctx, &rows, `SELECT app, sealed FROM app_secrets`); err != nil {
		return wrap("read secrets of apps", err)
	}
	var failed error
	for _, row := range rows {
		if _, failed = q.seals.open(row.Sealed, row.App); failed == nil {
			return nil
		}
	}
	return wrap("make data keys under a master key that opens no app's secret", failed)
}

// firstKeys gives what a purpose begins with, the key in force last: random bytes, but where tokens have been given out before there were data
// keys, what those were made with.
func (q *session) firstKeys(ctx context.Context, purpose Purpose) ([][]byte, error) {
	if purpose == KeyToken {
		var tickets int64
		if had, err := q.find(ctx, &tickets, `SELECT value FROM counters WHERE name = ?`, counterTickets); err != nil || had {
			return q.derived, wrap("look whether there are tickets", err)
		}
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	return [][]byte{key}, nil
}

// dataKeyOf is the owner of a sealed data key.
func dataKeyOf(purpose Purpose, id string) string { return "data key:" + string(purpose) + ":" + id }

// keep seals what an event or a delivery keeps of a secret.
func (q *session) keep(ctx context.Context, secret, owner string) (string, error) {
	s, err := q.keeping(ctx)
	if err != nil {
		return "", err
	}
	return s.seal(secret, owner), nil
}

// kept gives back what keep sealed for that owner.
func (q *session) kept(ctx context.Context, sealed, owner string) (string, error) {
	s, err := q.keeping(ctx)
	if err != nil {
		return "", err
	}
	return s.open(sealed, owner)
}

func (q *session) keeping(ctx context.Context) (*seals, error) {
	keys, err := q.dataKeys(ctx, KeyKept)
	if err != nil {
		return nil, err
	}
	return sealsOf(keys)
}

// keyring remembers data keys.
type keyring struct {
	mu   sync.Mutex
	keys map[Purpose][]DataKey
}

func (k *keyring) get(purpose Purpose) []DataKey {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.keys[purpose]
}

func (k *keyring) put(purpose Purpose, keys []DataKey) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys[purpose] = keys
}
