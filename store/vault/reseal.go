package vault

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"signalbox/store/db"
)

// sealedColumn is a column that holds text encrypted under the master key. Every such column is one of sealedColumns.
type sealedColumn struct {
	what   string   // it holds, for people
	table  string   //
	key    []string // columns of the primary key
	column string
	owned  []string // columns that tell whose a text is
	owner  func(owned []string) string
	each   func(text string, f func(encrypted string) (string, error)) (string, error) // gives the text with each encrypted text in it as f has it
}

var sealedColumns = []sealedColumn{
	{"secrets of apps", "app_secrets", []string{"hash"}, "sealed", []string{"app"}, first, only},
	{"secrets of subscriptions", "subscriptions", []string{"id"}, "secret", []string{"id"}, first, only},
	{"earlier secrets of subscriptions", "subscriptions", []string{"id"}, "older", []string{"id"}, first, listed},
	{"headers of subscriptions", "subscriptions", []string{"id"}, "headers", []string{"id"}, func(o []string) string { return HeadersOwner(o[0]) }, only},
	{"TLS of subscriptions", "subscriptions", []string{"id"}, "tls", []string{"id"}, func(o []string) string { return TLSOwner(o[0]) }, only},
	{"secrets of services", "services", []string{"tenant", "key"}, "secret", []string{"tenant", "key"}, ofService, only},
	{"earlier secrets of services", "services", []string{"tenant", "key"}, "older", []string{"tenant", "key"}, ofService, listed},
	{"webhooks of persons", "directory_persons", []string{"tenant", "id"}, "hooks", []string{"uid"}, func(o []string) string { return HooksOwner(o[0]) }, only},
	{"answers that tell a secret", "operations", []string{"id"}, "body", []string{"id"}, first, marked},
	{"data keys", "data_keys", []string{"id"}, "sealed", []string{"purpose", "id"}, func(o []string) string { return dataKeyOwner(Purpose(o[0]), o[1]) }, only},
}

func first(owned []string) string { return owned[0] }

func ofService(owned []string) string { return ServiceOwner(owned[0], owned[1]) }

// only is for columns that hold an encrypted text, or nothing.
func only(text string, f func(string) (string, error)) (string, error) {
	if text == "" {
		return "", nil
	}
	return f(text)
}

// marked is for columns in which only some texts are encrypted.
func marked(text string, f func(string) (string, error)) (string, error) {
	encrypted, is := strings.CutPrefix(text, EncryptedMark)
	if !is {
		return text, nil
	}
	next, err := f(encrypted)
	return EncryptedMark + next, err
}

// listed is for columns with earlier secrets.
func listed(text string, f func(string) (string, error)) (string, error) {
	var older []olderSecret
	if err := json.Unmarshal([]byte(text), &older); err != nil || len(older) == 0 {
		return text, err
	}
	for i := range older {
		var err error
		if older[i].Sealed, err = f(older[i].Sealed); err != nil {
			return text, err
		}
	}
	next, err := json.Marshal(older)
	return string(next), err
}

// Sealed counts what is encrypted under one master key.
type Sealed struct {
	What    string
	Key     string // id of the master key
	InForce bool   // whether it is the one that encrypts now
	N       int
}

// Unreadable stands for the key of what is damaged, so that it cannot be told.
const Unreadable = "cannot be read"

// SealedUnder counts what is encrypted under which master key, by what it is. Nothing is opened, so no key has to be here.
func (v *Vault) SealedUnder(ctx context.Context) ([]Sealed, error) {
	var out []Sealed
	for _, p := range sealedColumns {
		counts := map[string]int{}
		err := v.walk(ctx, p, func(_ []string, text string) error {
			if _, err := p.each(text, func(encrypted string) (string, error) {
				id, _, _ := strings.Cut(encrypted, ".")
				counts[id]++
				return encrypted, nil
			}); err != nil {
				counts[Unreadable]++
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("count %s: %w", p.what, err)
		}
		for key, n := range counts {
			out = append(out, Sealed{p.what, key, key == v.master.InForce(), n})
		}
	}
	slices.SortStableFunc(out, func(a, b Sealed) int { return cmp.Or(cmp.Compare(a.What, b.What), cmp.Compare(a.Key, b.Key)) })
	return out, nil
}

// Resealed counts what Reseal did to one kind of encrypted text.
type Resealed struct {
	What   string
	N      int // encrypted anew
	Failed int // could not be opened and were left as they are; the log has which and why
}

// Reseal encrypts everything anew that is encrypted under another master key than the one in force. It works row by row beside processes that use
// the database, and may be ended and begun again at any time: what was encrypted anew stays so, and a row that somebody changes meanwhile is never
// overwritten. Processes whose key in force is another one go on to encrypt under that.
func (v *Vault) Reseal(ctx context.Context) ([]Resealed, error) {
	var out []Resealed
	for _, p := range sealedColumns {
		done := Resealed{What: p.what}
		for missed := true; missed; {
			missed, done.Failed = false, 0
			err := v.walk(ctx, p, func(row []string, text string) error {
				n, failed, changed, err := v.reseal(ctx, p, row, text)
				done.N, done.Failed, missed = done.N+n, done.Failed+failed, missed || changed
				return err
			})
			if err != nil {
				return append(out, done), fmt.Errorf("reseal %s: %w", p.what, err)
			}
		}
		out = append(out, done)
	}
	return out, nil
}

// reseal encrypts a row's text anew, where it needs to be: n encrypted texts in it were, and failed ones cannot be. changed tells that the row is no
// longer what it was read as, and nothing was done.
func (v *Vault) reseal(ctx context.Context, p sealedColumn, row []string, text string) (n, failed int, changed bool, err error) {
	key, owner := row[:len(p.key)], p.owner(row[len(p.key):])
	next, err := p.each(text, func(encrypted string) (string, error) {
		if strings.HasPrefix(encrypted, v.master.InForce()+".") {
			return encrypted, nil
		}
		plain, err := v.master.decrypt(encrypted, owner)
		if err != nil {
			failed++
			v.db.Log.ErrorContext(ctx, "reseal.failed", "what", p.what, "table", p.table, "row", strings.Join(key, "/"), "error", err)
			return encrypted, nil
		}
		n++
		return v.master.encrypt(plain, owner), nil
	})
	if err != nil { // damaged, which must not keep the others
		v.db.Log.ErrorContext(ctx, "reseal.failed", "what", p.what, "table", p.table, "row", strings.Join(key, "/"), "error", err)
		return 0, 1, false, nil
	}
	if n == 0 {
		return 0, failed, false, nil
	}
	args := []any{next}
	for _, part := range key {
		args = append(args, part)
	}
	err = v.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		touched, err := q.Exec(ctx, `UPDATE `+p.table+` SET `+p.column+` = ? WHERE `+strings.Join(p.key, ` = ? AND `)+` = ? AND `+p.column+` = ?`, append(args, text)...)
		changed = touched == 0
		return db.Wrap("change a row of "+p.table, err)
	})
	if err != nil || changed {
		return 0, failed, changed, err
	}
	return n, failed, false, nil
}

// walk shows every row of a column, step by step in the order of its key: the columns of the key, then those that tell the owner, and the text.
func (v *Vault) walk(ctx context.Context, p sealedColumn, f func(row []string, text string) error) error {
	keys := strings.Join(p.key, ", ")
	query := `SELECT ` + keys + `, ` + strings.Join(p.owned, ", ") + `, ` + p.column + ` FROM ` + p.table
	order := fmt.Sprintf(` ORDER BY %s LIMIT %d`, keys, v.ReadAtOnce)
	var after []any
	for {
		where := ""
		if len(after) > 0 {
			where = ` WHERE (` + keys + `) > (?` + strings.Repeat(`, ?`, len(after)-1) + `)`
		}
		var rows [][]string
		err := v.db.Read(ctx, func(q *db.Tx) (err error) {
			rows, err = q.Texts(ctx, query+where+order, after...)
			return err
		})
		if err != nil {
			return err
		}
		for _, row := range rows {
			if err := f(row[:len(row)-1], row[len(row)-1]); err != nil {
				return err
			}
		}
		if len(rows) < v.ReadAtOnce {
			return nil
		}
		after = after[:0]
		for _, part := range rows[len(rows)-1][:len(p.key)] {
			after = append(after, part)
		}
	}
}

// SealedColumns lists where text that is encrypted under the master key lies, as table.column.
func SealedColumns() (list []string) {
	for _, c := range sealedColumns {
		list = append(list, c.table+"."+c.column)
	}
	return list
}
