// Package people keeps the directories of tenants: persons, groups, absences, and what happened to persons that others react to. Its tables are
// directories, directory_persons, directory_passwords, directory_groups, directory_members, directory_absences and directory_changes. (The table people, of package tickets,
// says who had which part in a ticket.) It ends the subscriptions by which a person is told when that one is removed, and has those tried again whose address is another.
//
// What may be kept, and every answer about it, is ruled by package people of the rules, here called directory.
package people

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"signalbox/internal/password"
	directory "signalbox/people"
	"signalbox/store/db"
	"signalbox/store/vault"
	"signalbox/ticket"
)

// Book keeps the directories of all tenants.
type Book struct {
	db        *db.DB
	vault     *vault.Vault
	passwords *password.Hasher
	empty     *empty
}

// New gives the directories of a database.
func New(d *db.DB, v *vault.Vault) *Book {
	return &Book{db: d, vault: v, passwords: password.NewHasher(hashedAtOnce), empty: newEmpty()}
}

// refusal makes a refusal of faults; nil where there are none.
func refusal(faults directory.Faults) error {
	var f ticket.Faults
	for _, fault := range faults {
		f.Add(fault.Field, fault.Message)
	}
	return f.Err()
}

var (
	errNoPerson  = ticket.Refuse(ticket.NotFound, "there is no such person")
	errNoGroup   = ticket.Refuse(ticket.NotFound, "there is no such group")
	errNoAbsence = ticket.Refuse(ticket.NotFound, "there is no such absence")
)

// edit is one change of a tenant's directory, which holds its row.
type edit struct {
	*db.Tx
	vault           *vault.Vault
	tenant, app     string
	seq             int64
	persons, groups int64
}

// change runs f with the tenant's directory held. It joins the transaction that ctx carries.
func (b *Book) change(ctx context.Context, tenant, app string, f func(ctx context.Context, s *edit) error) error {
	b.empty.changes(tenant, b.db.Now())
	return b.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		row, err := q.LockDirectory(ctx, tenant)
		if err != nil {
			return err
		}
		s := &edit{Tx: q, vault: b.vault, tenant: tenant, app: app, seq: row.Seq, persons: row.Persons, groups: row.Groups}
		if err := f(ctx, s); err != nil {
			return err
		}
		if s.seq == row.Seq {
			return nil
		}
		err = q.Later(ctx, `UPDATE directories SET seq = ?, persons = ?, groups = ? WHERE tenant = ?`, s.seq, s.persons, s.groups, tenant)
		return db.Wrap("update a directory", err)
	})
}

// next draws the number of a change.
func (s *edit) next() int64 {
	s.seq++
	return s.seq
}

// happened writes down what others react to.
func (s *edit) happened(ctx context.Context, kind directory.ChangeKind, person, other string) error {
	err := s.Insert(ctx, `directory_changes (tenant, seq, kind, person, other, at, app)`, [][]any{{s.tenant, s.next(), string(kind), person, other, db.At(s.Now()), s.app}})
	return db.Wrap("write down a change", err)
}

// known tells which of the ids are in a table.
func (s *edit) known(ctx context.Context, table string, ids []string) (map[string]bool, error) {
	found := map[string]bool{}
	for chunk := range slices.Chunk(ids, db.MaxParameters/2) {
		var some []string
		if err := s.AllIn(ctx, &some, `SELECT id FROM `+table+` WHERE tenant = ? AND id IN (?)`, s.tenant, chunk); err != nil {
			return nil, db.Wrap("find members", err)
		}
		for _, id := range some {
			found[id] = true
		}
	}
	return found, nil
}

// key gives a text as it is searched by. Long texts are found by their beginning.
func key(text string) []byte {
	folded := []byte(db.CleanText(directory.Folded(text)))
	return folded[:min(len(folded), maxKey)]
}

// maxKey keeps keys well below what an index takes (PostgreSQL: 2,704 bytes).
const maxKey = 1_024

// beginning adds that a key begins with a text. No byte of a text is as large as the one that ends the range.
func beginning(column, text string) (part string, args []any) {
	from := key(text)
	return column + ` >= ? AND ` + column + ` < ?`, []any{from, append(slices.Clone(from), 0xff)}
}

func write(doing string, v any) (string, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("%s: %w", doing, err)
	}
	return string(raw), nil
}
