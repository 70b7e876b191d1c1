package people

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/google/uuid"

	directory "signalbox/people"
	"signalbox/store/db"
	"signalbox/store/vault"
	"signalbox/ticket"
)

const personColumns = `id, uid, external_id, name, email, language, time_zone, active, manager, chats, letters, hooks, attributes, version, created_at, updated_at`

type personRow struct {
	ID         string       `db:"id"`
	UID        string       `db:"uid"`
	ExternalID string       `db:"external_id"`
	Name       string       `db:"name"`
	Email      string       `db:"email"`
	Language   string       `db:"language"`
	TimeZone   string       `db:"time_zone"`
	Active     bool         `db:"active"`
	Manager    string       `db:"manager"`
	Chats      string       `db:"chats"` // as they may be seen
	Letters    string       `db:"letters"`
	Hooks      string       `db:"hooks"`
	Attributes string       `db:"attributes"`
	Version    int64        `db:"version"`
	CreatedAt  db.Timestamp `db:"created_at"`
	UpdatedAt  db.Timestamp `db:"updated_at"`
}

func (r personRow) record() (directory.PersonRecord, error) {
	rec := directory.PersonRecord{
		Person: directory.Person{ID: r.ID, Name: r.Name, Email: r.Email, Language: r.Language, TimeZone: r.TimeZone, Active: r.Active, Manager: r.Manager},
		UID:    r.UID, ExternalID: r.ExternalID, Attributes: r.Attributes, Version: r.Version, CreatedAt: r.CreatedAt.Time, UpdatedAt: r.UpdatedAt.Time,
	}
	if err := json.Unmarshal([]byte(r.Chats), &rec.Chats); err != nil {
		return rec, fmt.Errorf("read a person's chats: %w", err)
	}
	if r.Letters != "" {
		if err := json.Unmarshal([]byte(r.Letters), &rec.Letters); err != nil {
			return rec, fmt.Errorf("read a person's letters: %w", err)
		}
	}
	return rec, nil
}

// Person finds a person; NotFound.
func (b *Book) Person(ctx context.Context, tenant string, k directory.Key) (rec directory.PersonRecord, err error) {
	err = b.db.Read(ctx, func(q *db.Tx) error {
		var known bool
		if rec, known, err = findPerson(ctx, q, tenant, k); err == nil && !known {
			err = errNoPerson
		}
		return err
	})
	return rec, err
}

func findPerson(ctx context.Context, q *db.Tx, tenant string, k directory.Key) (rec directory.PersonRecord, known bool, err error) {
	row, known, err := findPersonRow(ctx, q, tenant, k)
	if err == nil && known {
		rec, err = row.record()
	}
	return rec, known, err
}

func findPersonRow(ctx context.Context, q *db.Tx, tenant string, k directory.Key) (row personRow, known bool, err error) {
	column, value := by(k)
	known, err = q.Find(ctx, &row, `SELECT `+personColumns+` FROM directory_persons WHERE tenant = ? AND `+column+` = ?`, tenant, value)
	return row, known, db.Wrap("read a person", err)
}

// by gives the column that a key is about, and its value.
func by(k directory.Key) (column, value string) {
	if k.UID != "" {
		return "uid", db.CleanText(k.UID)
	}
	return "id", db.CleanText(k.ID)
}

// PersonsOf gives by id those of a tenant's persons that there are, out of some.
func (b *Book) PersonsOf(ctx context.Context, tenant string, ids []string) (map[string]directory.PersonRecord, error) {
	clean := make([]string, len(ids))
	for i, id := range ids {
		clean[i] = db.CleanText(id)
	}
	out := map[string]directory.PersonRecord{}
	err := b.db.Read(ctx, func(q *db.Tx) error {
		for chunk := range slices.Chunk(db.Distinct(clean), db.MaxParameters/2) {
			var rows []personRow
			if err := q.AllIn(ctx, &rows, `SELECT `+personColumns+` FROM directory_persons WHERE tenant = ? AND id IN (?)`, tenant, chunk); err != nil {
				return db.Wrap("read persons", err)
			}
			for _, row := range rows {
				rec, err := row.record()
				if err != nil {
					return err
				}
				out[rec.ID] = rec
			}
		}
		return nil
	})
	return out, err
}

// Persons lists those that a filter chooses, in the order of their ids. A limit of 0 is ticket.DefaultPage.
func (b *Book) Persons(ctx context.Context, tenant string, f directory.PersonFilter, cursor string, limit int) (list []directory.PersonRecord, next string, err error) {
	w := personsWhere(tenant, f)
	if err := w.AfterAscending(cursor, "id", func(c db.Cursor) []any { return []any{c.ID} }); err != nil {
		return nil, "", err
	}
	err = b.db.Read(ctx, func(q *db.Tx) error {
		var rows []personRow
		rows, next, err = db.ReadPage(db.Once(ctx), q, limit, `SELECT `+personColumns+` FROM directory_persons WHERE `+w.String()+` ORDER BY id LIMIT ?`, w.Args(),
			func(r personRow) db.Cursor { return db.Cursor{N: 1, At: r.CreatedAt.Time, ID: r.ID} })
		if err != nil {
			return db.Wrap("list persons", err)
		}
		list, err = db.Convert(rows, personRow.record)
		return err
	})
	return list, next, err
}

// PersonsFrom lists those that a filter chooses from an offset on, in the order in which they were first kept, and tells how many there are in all.
func (b *Book) PersonsFrom(ctx context.Context, tenant string, f directory.PersonFilter, offset, limit int) (list []directory.PersonRecord, total int, err error) {
	w := personsWhere(tenant, f)
	err = b.db.Read(ctx, func(q *db.Tx) error {
		if f == (directory.PersonFilter{}) {
			if _, err := q.Find(ctx, &total, `SELECT persons FROM directories WHERE tenant = ?`, tenant); err != nil {
				return db.Wrap("count persons", err)
			}
		} else if err := q.Get(db.Once(ctx), &total, `SELECT COUNT(*) FROM directory_persons WHERE `+w.String(), w.Args()...); err != nil {
			return db.Wrap("count persons", err)
		}
		var rows []personRow
		if limit > 0 {
			if err := q.All(db.Once(ctx), &rows, `SELECT `+personColumns+` FROM directory_persons WHERE `+w.String()+` ORDER BY id LIMIT ? OFFSET ?`, w.Args(limit, offset)...); err != nil {
				return db.Wrap("list persons", err)
			}
		}
		list, err = db.Convert(rows, personRow.record)
		return err
	})
	return list, total, err
}

func personsWhere(tenant string, f directory.PersonFilter) (w db.Where) {
	w.And("tenant = ?", tenant)
	if f.Search != "" {
		id, args := beginning("id_key", f.Search)
		name, _ := beginning("name_key", f.Search)
		email, _ := beginning("email_key", f.Search)
		w.And("(("+id+") OR ("+name+") OR ("+email+"))", args[0], args[1], args[0], args[1], args[0], args[1])
	}
	w.AndIf(f.ID != "", "folded = ?", db.CleanText(directory.Folded(f.ID)))
	w.AndIf(f.Email != "", "email_key = ?", key(f.Email))
	w.AndIf(f.Name != "", "name_key = ?", key(f.Name))
	w.AndIf(f.ExternalID != "", "external_id = ?", db.CleanText(f.ExternalID))
	w.AndIf(f.ExternalID != "", "external_id <> ?", "")
	w.AndIf(f.UID != "", "uid = ?", db.CleanText(f.UID))
	w.AndIf(f.Manager != "", "manager = ?", db.CleanText(f.Manager))
	w.AndIf(f.Manager != "", "manager <> ?", "")
	if f.Active != nil {
		w.And("active = ?", *f.Active)
	}
	return w
}

// PersonChange makes of a person, as far as there is one, what is to be kept; or it refuses, and nothing is changed.
type PersonChange = func(had directory.PersonRecord, known bool) (directory.PersonRecord, error)

// ChangePerson keeps what change makes of the person of that key. A person who is the same afterwards is not changed, and keeps the version. Where the id is
// another afterwards, groups, managers and absences follow it. It joins the transaction that ctx carries.
//
// Invalid: a field is wrong, or the manager is not known; Conflict: another person has the id, or one that differs in case alone; TooMany.
func (b *Book) ChangePerson(ctx context.Context, tenant, app string, k directory.Key, change PersonChange) (rec directory.PersonRecord, err error) {
	err = b.change(ctx, tenant, app, func(ctx context.Context, s *edit) error {
		rec, err = s.changePerson(ctx, k, change)
		return err
	})
	return rec, err
}

func (s *edit) changePerson(ctx context.Context, k directory.Key, change PersonChange) (rec directory.PersonRecord, err error) {
	row, known, err := findPersonRow(ctx, s.Tx, s.tenant, k)
	if err != nil {
		return rec, err
	}
	var had directory.PersonRecord
	var secret []directory.Chat
	if known {
		if had, err = row.record(); err != nil {
			return rec, err
		}
		if secret, err = s.open(row, had.Chats); err != nil {
			return rec, err
		}
	}
	if rec, err = change(had, known); err != nil {
		return rec, err
	}
	rec.UID, rec.Version, rec.CreatedAt, rec.UpdatedAt = had.UID, had.Version, had.CreatedAt, had.UpdatedAt
	full, faults := directory.Completed(rec.Chats, secret)
	shown := rec.Chats
	rec.Chats = full
	if err := refusal(append(faults, rec.Check()...)); err != nil {
		rec.Chats = shown
		return rec, err
	}
	rec.Chats = nil
	for _, chat := range full {
		rec.Chats = append(rec.Chats, chat.Shown())
	}
	if known && rec.Equal(had.Person) && slices.Equal(full, secret) && rec.ExternalID == had.ExternalID && rec.Attributes == had.Attributes {
		return rec, nil
	}
	if err := s.fits(ctx, rec, had, known); err != nil {
		return rec, err
	}
	rec.Version, rec.UpdatedAt = s.next(), db.At(s.Now()).Time
	if !known {
		rec.UID, rec.CreatedAt = uuid.NewString(), rec.UpdatedAt
	}
	hooks := map[string]vault.Hook{}
	for _, chat := range full {
		if chat.Webhook != "" {
			hooks[chat.Network] = vault.Hook{Webhook: chat.Webhook, Secret: chat.Secret}
		}
	}
	sealed, err := s.vault.SealHooks(hooks, rec.UID)
	if err != nil {
		return rec, err
	}
	if !known {
		return rec, s.addPerson(ctx, rec, sealed)
	}
	if err := s.updatePerson(ctx, rec, had, sealed); err != nil {
		return rec, err
	}
	if err := s.reachAnew(ctx, rec, had, full, secret); err != nil {
		return rec, err
	}
	switch {
	case had.Active && !rec.Active:
		return rec, s.happened(ctx, directory.Deactivated, rec.ID, "")
	case !had.Active && rec.Active:
		return rec, s.happened(ctx, directory.Activated, rec.ID, "")
	}
	return rec, nil
}

// open gives chats with what is secret of them.
func (s *edit) open(r personRow, shown []directory.Chat) ([]directory.Chat, error) {
	hooks, err := s.vault.OpenHooks(r.Hooks, r.UID)
	full := slices.Clone(shown)
	for i := range full {
		hook := hooks[full[i].Network]
		full[i].Webhook, full[i].Secret = hook.Webhook, hook.Secret
	}
	return full, err
}

// fits refuses what only the whole directory knows to be wrong.
func (s *edit) fits(ctx context.Context, rec, had directory.PersonRecord, known bool) error {
	if !known || rec.ID != had.ID {
		var other string
		taken, err := s.Find(ctx, &other, `SELECT id FROM directory_persons WHERE tenant = ? AND folded = ? AND uid <> ?`, s.tenant, directory.Folded(rec.ID), had.UID)
		switch {
		case err != nil:
			return db.Wrap("find a person", err)
		case taken && other == rec.ID:
			return ticket.RefuseField(ticket.Conflict, "id", "is that of another person")
		case taken:
			return ticket.RefuseField(ticket.Conflict, "id", fmt.Sprintf("differs from that of the person %s in case alone", other))
		}
	}
	if rec.Manager != "" && rec.Manager != had.Manager {
		found, err := s.known(ctx, "directory_persons", []string{rec.Manager})
		switch {
		case err != nil:
			return err
		case !found[rec.Manager]:
			return ticket.RefuseField(ticket.Invalid, "manager", "there is no such person")
		}
	}
	if !known && s.persons >= directory.MaxPersons {
		return ticket.Refuse(ticket.TooMany, fmt.Sprintf("a tenant can have at most %d persons", directory.MaxPersons))
	}
	return nil
}

func (s *edit) addPerson(ctx context.Context, rec directory.PersonRecord, hooks string) error {
	s.persons++
	row, err := s.personValues(rec, hooks)
	if err != nil {
		return err
	}
	return s.Insert(ctx, `directory_persons (external_id, name, email, language, time_zone, active, manager, chats, letters, hooks, attributes, id_key, name_key, email_key, version, updated_at,
		id, folded, tenant, uid, created_at)`, [][]any{append(row, s.tenant, rec.UID, db.At(rec.CreatedAt))})
}

func (s *edit) updatePerson(ctx context.Context, rec, had directory.PersonRecord, hooks string) error {
	row, err := s.personValues(rec, hooks)
	if err != nil {
		return err
	}
	err = s.Later(ctx, `UPDATE directory_persons SET external_id = ?, name = ?, email = ?, language = ?, time_zone = ?, active = ?, manager = ?, chats = ?, letters = ?, hooks = ?, attributes = ?,
		id_key = ?, name_key = ?, email_key = ?, version = ?, updated_at = ?, id = ?, folded = ? WHERE tenant = ? AND uid = ?`, append(row, s.tenant, rec.UID)...)
	if err != nil || rec.ID == had.ID {
		return db.Wrap("update a person", err)
	}
	for _, statement := range []string{
		`UPDATE directory_members SET member = ? WHERE tenant = ? AND kind = 'person' AND member = ?`,
		`UPDATE directory_persons SET manager = ? WHERE tenant = ? AND manager = ? AND manager <> ''`,
		`UPDATE directory_absences SET person = ? WHERE tenant = ? AND person = ?`,
		`UPDATE directory_absences SET deputy = ? WHERE tenant = ? AND deputy = ? AND deputy <> ''`,
	} {
		if err := s.Later(ctx, statement, rec.ID, s.tenant, had.ID); err != nil {
			return db.Wrap("rename a person", err)
		}
	}
	return s.happened(ctx, directory.Renamed, had.ID, rec.ID)
}

// reachAnew has those ways of telling a person that have another address now be tried again, where they were given up. full and secret are the chats as they are and as
// they were, with what is secret of them. Where what waited for the address before is still being held, that comes to its end first.
func (s *edit) reachAnew(ctx context.Context, rec, had directory.PersonRecord, full, secret []directory.Chat) error {
	var ways []string
	if rec.Email != had.Email {
		ways = append(ways, directory.ByMail)
	}
	for _, chat := range full {
		if !slices.Contains(secret, chat) {
			ways = append(ways, chat.Network)
		}
	}
	if len(ways) == 0 {
		return nil
	}
	err := s.LaterIn(ctx, `UPDATE subscriptions SET failing_since = NULL, turning = CASE WHEN state = 'dropped' AND turning <> 'ending' THEN 'releasing' ELSE turning END,
		reason = CASE WHEN state = 'dropped' THEN '' ELSE reason END, ended_at = CASE WHEN state = 'dropped' THEN NULL ELSE ended_at END,
		state = CASE WHEN state = 'dropped' THEN 'active' ELSE state END WHERE tenant = ? AND person = ? AND person <> '' AND format IN (?)`, s.tenant, rec.UID, ways)
	return db.Wrap("reach a person anew", err)
}

// personValues gives what of a record may change, in the order in which addPerson and updatePerson name it.
func (s *edit) personValues(rec directory.PersonRecord, hooks string) ([]any, error) {
	chats, err := write("write a person's chats", rec.Chats)
	if err != nil {
		return nil, err
	}
	letters, err := write("write a person's letters", rec.Letters)
	return []any{rec.ExternalID, rec.Name, rec.Email, rec.Language, rec.TimeZone, rec.Active, rec.Manager, chats, letters, hooks, rec.Attributes,
		key(rec.ID), key(rec.Name), key(rec.Email), rec.Version, db.At(rec.UpdatedAt), rec.ID, directory.Folded(rec.ID)}, err
}

// RemovePerson forgets a person: memberships, absences and the password go with them, and whoever had them as manager or deputy has none. allow may refuse; it may be nil.
// It joins the transaction that ctx carries. NotFound.
func (b *Book) RemovePerson(ctx context.Context, tenant, app string, k directory.Key, allow func(directory.PersonRecord) error) error {
	return b.change(ctx, tenant, app, func(ctx context.Context, s *edit) error {
		had, known, err := findPerson(ctx, s.Tx, tenant, k)
		if err == nil && !known {
			err = errNoPerson
		}
		if err == nil && allow != nil {
			err = allow(had)
		}
		if err != nil {
			return err
		}
		for _, statement := range []string{
			`DELETE FROM directory_members WHERE tenant = ? AND kind = 'person' AND member = ?`,
			`DELETE FROM directory_absences WHERE tenant = ? AND person = ?`,
			`DELETE FROM directory_passwords WHERE tenant = ? AND person = (SELECT uid FROM directory_persons p WHERE p.tenant = directory_passwords.tenant AND p.id = ?)`,
			`UPDATE directory_persons SET manager = '' WHERE tenant = ? AND manager = ? AND manager <> ''`,
			`UPDATE directory_absences SET deputy = '' WHERE tenant = ? AND deputy = ? AND deputy <> ''`,
			`DELETE FROM directory_persons WHERE tenant = ? AND id = ?`,
		} {
			if err := s.Later(ctx, statement, tenant, had.ID); err != nil {
				return db.Wrap("remove a person", err)
			}
		}
		// What is still to be told is cancelled by the sweep.
		if err := s.Later(ctx, `UPDATE subscriptions SET state = 'deleted', ended_at = ?, turning = 'ending' WHERE tenant = ? AND person = ? AND person <> '' AND state <> 'deleted'`,
			db.At(s.Now()), tenant, had.UID); err != nil {
			return db.Wrap("end the ways of a person", err)
		}
		s.persons--
		return s.happened(ctx, directory.Removed, had.ID, "")
	})
}

// ImportPersons keeps many persons at once. One that is refused does not keep the others from being kept: errs has its refusal, in its place. Managers may be
// persons of the same list, wherever they stand in it. It joins the transaction that ctx carries.
func (b *Book) ImportPersons(ctx context.Context, tenant, app string, persons []directory.Person) (recs []directory.PersonRecord, errs []error, err error) {
	err = b.change(ctx, tenant, app, func(ctx context.Context, s *edit) error {
		recs, errs = make([]directory.PersonRecord, len(persons)), make([]error, len(persons))
		for _, i := range managersFirst(persons) {
			recs[i], errs[i] = s.changePerson(ctx, directory.Key{ID: persons[i].ID}, func(had directory.PersonRecord, known bool) (directory.PersonRecord, error) {
				had.Person = persons[i]
				return had, nil
			})
			if errs[i] != nil && ticket.AsError(errs[i]) == nil {
				return errs[i]
			}
		}
		return nil
	})
	return recs, errs, err
}

// ChangePersons keeps what change makes of many persons, of each as ChangePerson does, and all of it or nothing. change is told the place of the person in the list, which says of each the id, and
// the manager who may be another one of it. at is the place of the one who is refused.
func (b *Book) ChangePersons(ctx context.Context, tenant, app string, list []directory.Person,
	change func(i int, had directory.PersonRecord, known bool) (directory.PersonRecord, error)) (at int, err error) {
	listed, kept := map[string]bool{}, map[string]bool{}
	for _, p := range list {
		listed[p.ID] = true
	}
	err = b.change(ctx, tenant, app, func(ctx context.Context, s *edit) error {
		var later []int // who are above each other: first each without a manager
		one := func(i int, alone bool) error {
			at = i
			_, err := s.changePerson(ctx, directory.Key{ID: list[i].ID}, func(had directory.PersonRecord, known bool) (directory.PersonRecord, error) {
				rec, err := change(i, had, known)
				if alone {
					rec.Manager = ""
				}
				return rec, err
			})
			return err
		}
		for _, i := range managersFirst(list) {
			alone := listed[list[i].Manager] && !kept[list[i].Manager]
			if alone {
				later = append(later, i)
			}
			if err := one(i, alone); err != nil {
				return err
			}
			kept[list[i].ID] = true
		}
		for _, i := range later {
			if err := one(i, false); err != nil {
				return err
			}
		}
		return nil
	})
	return at, err
}

// managersFirst gives the places of persons in such an order that nobody comes before a manager who is among them. Where they are above each other, that
// cannot be.
func managersFirst(persons []directory.Person) (order []int) {
	places := map[string][]int{}
	for i, p := range persons {
		places[p.ID] = append(places[p.ID], i)
	}
	seen := make([]bool, len(persons))
	var visit func(i int)
	visit = func(i int) {
		if seen[i] {
			return
		}
		seen[i] = true
		for _, above := range places[persons[i].Manager] {
			visit(above)
		}
		order = append(order, i)
	}
	for i := range persons {
		visit(i)
	}
	return order
}
