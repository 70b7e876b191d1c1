package callers

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"signalbox/desk"
	"signalbox/store/db"
	"signalbox/store/vault"
	"signalbox/ticket"
)

type appRow struct {
	Code     string `db:"code"`
	Tenant   string `db:"tenant"`
	Scopes   string `db:"scopes"`
	Disabled bool   `db:"disabled"`
	Rate     int    `db:"rate"`
	Burst    int    `db:"burst"`

	UsedAt *db.Timestamp `db:"used_at"`
}

const appColumns = `a.code, a.tenant, a.scopes, a.disabled, a.rate, a.burst, a.used_at`

func (r appRow) app() (desk.App, error) {
	a := desk.App{Code: r.Code, Tenant: r.Tenant, Disabled: r.Disabled, Rate: r.Rate, Burst: r.Burst}
	if err := json.Unmarshal([]byte(r.Scopes), &a.Scopes); err != nil {
		return a, fmt.Errorf("read app %s: %w", r.Code, err)
	}
	return a, nil
}

// Limits on what an app is called, in characters.
const (
	maxCode   = 64
	maxTenant = 64
	minSecret = 8
	maxSecret = 255
	maxRate   = 1_000_000 // requests a minute
)

// checkApp tells everything that is wrong with an app that is to be made.
func checkApp(a desk.App) error {
	var f ticket.Faults
	f.Word("code", a.Code, maxCode)
	f.Name("tenant", a.Tenant, 1, maxTenant)
	if len(a.Scopes) == 0 {
		f.Add("scopes", "must name at least one")
	}
	if a.Code == desk.PagesApp {
		f.Add("code", "is kept for those who act on the pages")
	}
	for _, s := range a.Scopes {
		if s != desk.Read && s != desk.Write && s != desk.Directory && s != desk.Admin {
			f.Add("scopes", fmt.Sprintf("there is no scope %q", s))
		}
	}
	checkRate(&f, a.Rate, a.Burst)
	return f.Err()
}

func checkRate(f *ticket.Faults, rate, burst int) {
	if rate < 0 || rate > maxRate {
		f.Add("rate", fmt.Sprintf("must be from 0 to %d requests a minute", maxRate))
	}
	if burst < 0 || burst > max(rate, 0) {
		f.Add("burst", "must be from 0 to the rate")
	}
}

// secretAlphabet is how secrets of apps are written: in a URL, a header and JSON they need no escaping.
var secretAlphabet = base64.RawURLEncoding

// CreateApp makes an app and gives its secret, which nobody can ask for again. Conflict: the code is taken.
func (d *Directory) CreateApp(ctx context.Context, a desk.App) (secret string, err error) {
	if err := checkApp(a); err != nil {
		return "", err
	}
	secret = vault.NewSecret("", secretAlphabet)
	err = d.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		made, err := d.addApp(ctx, q, a)
		switch {
		case err != nil:
			return err
		case !made:
			return ticket.RefuseField(ticket.Conflict, "code", "there is an app with this code")
		}
		return d.addSecret(ctx, q, a.Code, secret)
	})
	if err != nil {
		return "", err
	}
	return secret, nil
}

// EnsureApp makes sure that there is an app and that the secret works for it. An app that is there keeps its tenant, its scopes and its other
// secrets, and stays disabled if it is; a secret that was taken out of use by a rotation stays so.
func (d *Directory) EnsureApp(ctx context.Context, code, secret, tenant string, scopes []desk.Scope) error {
	a := desk.App{Code: code, Tenant: tenant, Scopes: scopes}
	if err := checkApp(a); err != nil {
		return err
	}
	var f ticket.Faults
	f.Name("secret", secret, minSecret, maxSecret)
	if err := f.Err(); err != nil {
		return err
	}
	return d.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		if _, err := d.addApp(ctx, q, a); err != nil {
			return err
		}
		var owner string
		found, err := q.Find(ctx, &owner, `SELECT app FROM app_secrets WHERE hash = ?`, hashOf(secret))
		switch {
		case err != nil:
			return db.Wrap("look for a secret", err)
		case found && owner != code:
			return ticket.RefuseField(ticket.Conflict, "secret", "is the secret of another app")
		case found:
			return nil
		}
		return d.addSecret(ctx, q, code, secret)
	})
}

// addApp inserts an app; false: there is one with its code.
func (d *Directory) addApp(ctx context.Context, q *db.Tx, a desk.App) (bool, error) {
	scopes, err := json.Marshal(a.Scopes)
	if err != nil {
		return false, fmt.Errorf("write app %s: %w", a.Code, err)
	}
	now := db.At(q.Now())
	n, err := q.Exec(ctx, `INSERT INTO apps (code, tenant, scopes, disabled, rate, burst, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (code) DO NOTHING`, a.Code, a.Tenant, string(scopes), a.Disabled, a.Rate, a.Burst, now, now)
	return n == 1, db.Wrap("insert an app", err)
}

func (d *Directory) addSecret(ctx context.Context, q *db.Tx, code, secret string) error {
	_, err := q.Exec(ctx, `INSERT INTO app_secrets (hash, app, sealed, created_at) VALUES (?, ?, ?, ?) ON CONFLICT (hash) DO NOTHING`,
		hashOf(secret), code, d.vault.Encrypt(secret, code), db.At(q.Now()))
	return db.Wrap("insert a secret", err)
}

// ListApps lists a tenant's apps, or with an empty tenant all of them, by code.
func (d *Directory) ListApps(ctx context.Context, tenant string) (apps []desk.App, err error) {
	err = d.db.Read(ctx, func(q *db.Tx) error {
		var rows []appRow
		if err := q.All(ctx, &rows, `SELECT `+appColumns+` FROM apps a WHERE a.tenant = ? OR ? = '' ORDER BY a.code`, tenant, tenant); err != nil {
			return db.Wrap("list apps", err)
		}
		for _, row := range rows {
			a, err := row.app()
			if err != nil {
				return err
			}
			apps = append(apps, a)
		}
		return nil
	})
	return apps, err
}

// SetAppDisabled turns an app off or on again. Every process knows it within cacheFor. NotFound: there is no such app.
func (d *Directory) SetAppDisabled(ctx context.Context, code string, disabled bool) error {
	defer d.apps.forget()
	return d.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		n, err := q.Exec(ctx, `UPDATE apps SET disabled = ?, updated_at = ? WHERE code = ?`, disabled, db.At(q.Now()), code)
		if err == nil && n == 0 {
			return errNoApp
		}
		return db.Wrap("change an app", err)
	})
}

// SetAppRate limits an app's requests a minute, and of these how many at once (0: all); a rate of 0 means that the setting for all apps counts.
// Every process knows it within cacheFor. NotFound: there is no such app.
func (d *Directory) SetAppRate(ctx context.Context, code string, rate, burst int) error {
	var f ticket.Faults
	checkRate(&f, rate, burst)
	if err := f.Err(); err != nil {
		return err
	}
	defer d.apps.forget()
	return d.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		n, err := q.Exec(ctx, `UPDATE apps SET rate = ?, burst = ?, updated_at = ? WHERE code = ?`, rate, burst, db.At(q.Now()), code)
		if err == nil && n == 0 {
			return errNoApp
		}
		return db.Wrap("change an app", err)
	})
}

var errNoApp = ticket.RefuseField(ticket.NotFound, "code", "there is no such app")

// RotateSecret gives an app a new secret, which nobody can ask for again. Its other secrets work on for the time of the overlap (0: they stop
// at once), unless they end earlier. NotFound: there is no such app.
func (d *Directory) RotateSecret(ctx context.Context, code string, overlap time.Duration) (secret string, err error) {
	defer d.apps.forget()
	secret = vault.NewSecret("", secretAlphabet)
	err = d.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		n, err := q.Exec(ctx, `UPDATE apps SET updated_at = ? WHERE code = ?`, db.At(q.Now()), code)
		switch {
		case err != nil:
			return db.Wrap("change an app", err)
		case n == 0:
			return errNoApp
		}
		end := db.At(q.Now().Add(max(overlap, 0)))
		if _, err := q.Exec(ctx, `UPDATE app_secrets SET expires_at = ? WHERE app = ? AND (expires_at IS NULL OR expires_at > ?)`, end, code, end); err != nil {
			return db.Wrap("end older secrets", err)
		}
		return d.addSecret(ctx, q, code, secret)
	})
	if err != nil {
		return "", err
	}
	return secret, nil
}

// hashOf is how a secret is looked up. Secrets that we make are random enough to need no salt.
func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
