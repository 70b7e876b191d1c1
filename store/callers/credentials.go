package callers

import (
	"context"
	"crypto/subtle"
	"errors"
	"sync"
	"time"

	"signalbox/desk"
	"signalbox/store/db"
	"signalbox/store/vault"
	"signalbox/ticket"
)

var errCredential = ticket.Refuse(ticket.Unauthorized, "the credential is not valid")

// BySecret finds the enabled app that has this secret; Unauthorized when there is none.
func (d *Directory) BySecret(ctx context.Context, secret string) (desk.App, error) {
	hash := hashOf(secret)
	if a, ok := d.apps.get(hash, d.db.Now()); ok {
		return a, nil
	}
	var row struct {
		appRow
		Hash      string        `db:"hash"`
		ExpiresAt *db.Timestamp `db:"expires_at"`
	}
	var a desk.App
	err := d.db.Read(ctx, func(q *db.Tx) error {
		found, err := q.Find(ctx, &row, `SELECT `+appColumns+`, s.hash, s.expires_at FROM app_secrets s JOIN apps a ON a.code = s.app
			WHERE s.hash = ? AND (s.expires_at IS NULL OR s.expires_at > ?)`, hash, db.At(q.Now()))
		switch {
		case err != nil:
			return db.Wrap("find an app", err)
		case !found, row.Disabled, subtle.ConstantTimeCompare([]byte(row.Hash), []byte(hash)) != 1:
			return errCredential
		}
		a, err = row.app()
		return err
	})
	if err != nil {
		return desk.App{}, err
	}
	d.apps.put(hash, a, d.db.Now(), row.ExpiresAt.Pointer())
	d.used(ctx, row.appRow)
	return a, nil
}

// ByCode finds an enabled app by its code and checks the secret; Unauthorized when either is wrong.
func (d *Directory) ByCode(ctx context.Context, code, secret string) (desk.App, error) {
	a, err := d.BySecret(ctx, secret)
	if err == nil && subtle.ConstantTimeCompare([]byte(a.Code), []byte(code)) != 1 {
		return desk.App{}, errCredential
	}
	return a, err
}

// App finds an enabled app by its code alone, for somebody who has shown its secret before; Unauthorized when there is none.
func (d *Directory) App(ctx context.Context, code string) (a desk.App, err error) {
	var row appRow
	err = d.db.Read(ctx, func(q *db.Tx) error {
		found, err := q.Find(ctx, &row, `SELECT `+appColumns+` FROM apps a WHERE a.code = ?`, db.CleanText(code))
		switch {
		case err != nil:
			return db.Wrap("find an app", err)
		case !found, row.Disabled:
			return errCredential
		}
		a, err = row.app()
		return err
	})
	if err == nil {
		d.used(ctx, row)
	}
	return a, err
}

// Secrets finds an enabled app by its code and gives the plain secrets that are valid now, newest first, for checking a signature.
// Unauthorized when there is no such app or no secret of it can be read.
func (d *Directory) Secrets(ctx context.Context, code string) (a desk.App, secrets []string, err error) {
	var rows []struct {
		appRow
		Sealed string `db:"sealed"`
	}
	err = d.db.Read(ctx, func(q *db.Tx) error {
		err := q.All(ctx, &rows, `SELECT `+appColumns+`, s.sealed FROM app_secrets s JOIN apps a ON a.code = s.app
			WHERE s.app = ? AND (s.expires_at IS NULL OR s.expires_at > ?) ORDER BY s.created_at DESC, s.hash`, db.CleanText(code), db.At(q.Now()))
		if err != nil {
			return db.Wrap("find an app", err)
		}
		for _, row := range rows {
			if row.Disabled {
				return errCredential
			}
			secret, err := d.vault.Decrypt(row.Sealed, row.Code)
			if errors.Is(err, vault.ErrNoKey) {
				continue
			}
			if err != nil {
				return db.Wrap("read a secret of "+row.Code, err)
			}
			secrets = append(secrets, secret)
		}
		if len(secrets) == 0 {
			return errCredential
		}
		a, err = rows[0].app()
		return err
	})
	if err != nil {
		return desk.App{}, nil, err
	}
	d.used(ctx, rows[0].appRow)
	return a, secrets, nil
}

const (
	// cacheFor is how long a process may go on with what it knows of an app.
	cacheFor = time.Second
	// maxCached bounds what is remembered. Only secrets that work are.
	maxCached = 1_000
)

// cache remembers for a moment which app a secret belongs to.
type cache struct {
	mu      sync.Mutex
	entries map[string]cached
}

type cached struct {
	app   desk.App
	until time.Time
}

func newCache() *cache { return &cache{entries: map[string]cached{}} }

func (c *cache) get(hash string, now time.Time) (desk.App, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[hash]
	return e.app, ok && now.Before(e.until)
}

func (c *cache) put(hash string, a desk.App, now time.Time, expires *time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.entries) >= maxCached {
		clear(c.entries)
	}
	until := now.Add(cacheFor)
	if expires != nil && expires.Before(until) {
		until = *expires
	}
	c.entries[hash] = cached{a, until}
}

func (c *cache) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.entries)
}
