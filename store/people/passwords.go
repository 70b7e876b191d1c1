package people

import (
	"cmp"
	"context"
	"errors"

	"signalbox/internal/password"
	directory "signalbox/people"
	"signalbox/store/db"
	"signalbox/ticket"
)

// hashedAtOnce bounds how many passwords a process hashes at once; each takes 19 MiB and a processor for some hundredths of a second.
const hashedAtOnce = 4

// errSignIn is all that is told whoever may not sign in: not whether there is such a person.
var errSignIn = ticket.Refuse(ticket.Unauthorized, "the person or the password is not right")

// busy makes a refusal of a hasher's error.
func busy(err error) error {
	if errors.Is(err, password.ErrBusy) {
		return ticket.Refuse(ticket.Unavailable, "too many sign in at once")
	}
	return err
}

// HashPassword checks a password that a person is to have and gives what is kept of it. It takes its time, and belongs in no transaction. Invalid; Unavailable.
func (b *Book) HashPassword(ctx context.Context, person, plain string) (directory.PasswordHash, error) {
	faults := directory.CheckPassword("password", person, plain)
	if len(faults) == 0 && !password.Usable(plain) {
		faults = directory.Faults{{Field: "password", Message: "must not contain control characters"}}
	}
	if err := refusal(faults); err != nil {
		return "", err
	}
	hash, err := b.passwords.Hash(ctx, plain)
	return directory.PasswordHash(hash), busy(err)
}

// SetPassword gives a person a password; mustChange has them choose another one before they do anything with it. It joins the transaction that ctx carries.
// NotFound.
func (b *Book) SetPassword(ctx context.Context, tenant, app string, k directory.Key, hash directory.PasswordHash, mustChange bool) error {
	return b.change(ctx, tenant, app, func(ctx context.Context, s *edit) error {
		had, known, err := findPerson(ctx, s.Tx, tenant, k)
		if err == nil && !known {
			err = errNoPerson
		}
		if err != nil {
			return err
		}
		err = s.Later(ctx, `INSERT INTO directory_passwords (tenant, person, hash, must_change, changed_at) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (tenant, person) DO UPDATE SET hash = excluded.hash, must_change = excluded.must_change, changed_at = excluded.changed_at`,
			tenant, had.UID, string(hash), mustChange, db.At(s.Now()))
		return db.Wrap("set a password", err)
	})
}

// RemovePassword takes a person's password away: they sign in by the identity provider from then on, or not at all. It joins the transaction that ctx carries. NotFound.
func (b *Book) RemovePassword(ctx context.Context, tenant, app string, k directory.Key) error {
	return b.change(ctx, tenant, app, func(ctx context.Context, s *edit) error {
		had, known, err := findPerson(ctx, s.Tx, tenant, k)
		if err == nil && !known {
			err = errNoPerson
		}
		if err == nil {
			err = s.Later(ctx, `DELETE FROM directory_passwords WHERE tenant = ? AND person = ?`, tenant, had.UID)
		}
		return err
	})
}

// CheckPassword finds the active person whose password that is, by the id whatever the case. Unauthorized: there is none, which takes as long to be told as that the
// password is wrong; Unavailable.
func (b *Book) CheckPassword(ctx context.Context, tenant, id, plain string) (directory.Account, error) {
	var row struct {
		ID   string `db:"id"`
		UID  string `db:"uid"`
		Hash string `db:"hash"`
	}
	err := b.db.Read(ctx, func(q *db.Tx) error {
		_, err := q.Find(ctx, &row, `SELECT p.id, p.uid, w.hash FROM directory_persons p JOIN directory_passwords w ON w.tenant = p.tenant AND w.person = p.uid
			WHERE p.tenant = ? AND p.folded = ? AND p.active`, db.CleanText(tenant), db.CleanText(directory.Folded(id)))
		return db.Wrap("find a password", err)
	})
	if err != nil {
		return directory.Account{}, err
	}
	ok, stale, err := b.passwords.Matches(ctx, plain, row.Hash)
	switch {
	case err != nil:
		return directory.Account{}, busy(err)
	case !ok:
		return directory.Account{}, errSignIn
	}
	if stale {
		if err := b.hashAnew(ctx, tenant, row.UID, row.Hash, plain); err != nil {
			b.db.Log.WarnContext(ctx, "password.stale", "error", err)
		}
	}
	account, err := b.Account(ctx, tenant, row.ID)
	if err == nil && (!account.Active || account.PasswordAt.IsZero()) {
		err = errSignIn
	}
	return account, err
}

// hashAnew has a password that somebody has just shown be kept at today's cost.
func (b *Book) hashAnew(ctx context.Context, tenant, uid, had, plain string) error {
	hash, err := b.passwords.Hash(ctx, plain)
	if err != nil {
		return err
	}
	return b.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		_, err := q.Exec(ctx, `UPDATE directory_passwords SET hash = ? WHERE tenant = ? AND person = ? AND hash = ?`, hash, tenant, uid, had)
		return err
	})
}

// Account tells who a person is at present. Somebody whom the directory does not know is in no group.
func (b *Book) Account(ctx context.Context, tenant, id string) (a directory.Account, err error) {
	a.ID = id
	err = b.db.Read(ctx, func(q *db.Tx) error {
		var rec directory.PersonRecord
		if rec, a.Known, err = findPerson(ctx, q, tenant, directory.Key{ID: id}); err != nil || !a.Known {
			return err
		}
		a.Person = rec.Person
		var row struct {
			MustChange bool         `db:"must_change"`
			ChangedAt  db.Timestamp `db:"changed_at"`
		}
		has, err := q.Find(ctx, &row, `SELECT must_change, changed_at FROM directory_passwords WHERE tenant = ? AND person = ?`, tenant, rec.UID)
		if err != nil {
			return db.Wrap("look for a password", err)
		}
		if has {
			a.MustChange, a.PasswordAt = row.MustChange, row.ChangedAt.Time
		}
		err = q.All(ctx, &a.Groups, `WITH RECURSIVE above(id) AS (
				SELECT grp FROM directory_members WHERE tenant = ? AND kind = 'person' AND member = ?
				UNION
				SELECT m.grp FROM above a `+q.Each("directory_members", "m", `m.tenant = ? AND m.kind = 'group' AND m.member = a.id`)+`
			) SELECT id FROM above ORDER BY id`, tenant, rec.ID, tenant)
		return db.Wrap("find the groups of a person", err)
	})
	return a, err
}

// PasswordTenants tells which tenant has persons with passwords, and whether there are several; empty: there is none.
func (b *Book) PasswordTenants(ctx context.Context) (one string, several bool, err error) {
	err = b.db.Read(ctx, func(q *db.Tx) error {
		for range 2 {
			var next *string
			if err := q.Get(ctx, &next, `SELECT MIN(tenant) FROM directory_passwords WHERE tenant > ?`, one); err != nil {
				return db.Wrap("look for passwords", err)
			}
			if next == nil {
				return nil
			}
			one, several = cmp.Or(one, *next), one != ""
		}
		return nil
	})
	return one, several, err
}
