package people

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	directory "signalbox/people"
	"signalbox/store/db"
	"signalbox/ticket"
)

const groupColumns = `id, uid, external_id, name, attributes, version, created_at, updated_at`

type groupRow struct {
	ID         string       `db:"id"`
	UID        string       `db:"uid"`
	ExternalID string       `db:"external_id"`
	Name       string       `db:"name"`
	Attributes string       `db:"attributes"`
	Version    int64        `db:"version"`
	CreatedAt  db.Timestamp `db:"created_at"`
	UpdatedAt  db.Timestamp `db:"updated_at"`
}

func (r groupRow) record() (directory.GroupRecord, error) {
	return directory.GroupRecord{Group: directory.Group{ID: r.ID, Name: r.Name}, UID: r.UID, ExternalID: r.ExternalID, Attributes: r.Attributes, Version: r.Version,
		CreatedAt: r.CreatedAt.Time, UpdatedAt: r.UpdatedAt.Time}, nil
}

type memberRow struct {
	Group  string `db:"grp"`
	Kind   string `db:"kind"`
	Member string `db:"member"`
}

const (
	kindGroup  = string(directory.Groups)
	kindPerson = string(directory.Persons)
)

func (r memberRow) member() directory.Member {
	if r.Kind == kindGroup {
		return directory.Member{Group: r.Member}
	}
	return directory.Member{Person: r.Member}
}

func rowOf(m directory.Member) memberRow {
	if m.Group != "" {
		return memberRow{Kind: kindGroup, Member: m.Group}
	}
	return memberRow{Kind: kindPerson, Member: m.Person}
}

// Group finds a group with its members, groups first and in the order of their ids; NotFound.
func (b *Book) Group(ctx context.Context, tenant string, k directory.Key) (rec directory.GroupRecord, err error) {
	err = b.db.Read(ctx, func(q *db.Tx) error {
		var known bool
		if rec, known, err = findGroup(ctx, q, tenant, k); err == nil && !known {
			err = errNoGroup
		}
		if err == nil {
			rec.Members, err = membersOf(ctx, q, tenant, rec.ID)
		}
		return err
	})
	return rec, err
}

func findGroup(ctx context.Context, q *db.Tx, tenant string, k directory.Key) (rec directory.GroupRecord, known bool, err error) {
	column, value := by(k)
	var row groupRow
	known, err = q.Find(ctx, &row, `SELECT `+groupColumns+` FROM directory_groups WHERE tenant = ? AND `+column+` = ?`, tenant, value)
	if err != nil || !known {
		return rec, false, db.Wrap("read a group", err)
	}
	rec, err = row.record()
	return rec, true, err
}

func membersOf(ctx context.Context, q *db.Tx, tenant, group string) (members []directory.Member, err error) {
	var rows []memberRow
	if err := q.All(ctx, &rows, `SELECT grp, kind, member FROM directory_members WHERE tenant = ? AND grp = ? ORDER BY kind, member`, tenant, group); err != nil {
		return nil, db.Wrap("list members", err)
	}
	for _, row := range rows {
		members = append(members, row.member())
	}
	return members, nil
}

// KnownGroups gives those of a tenant's groups that there are, out of some by their ids, in the order of these.
func (b *Book) KnownGroups(ctx context.Context, tenant string, ids []string) (known []string, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	clean := make([]string, len(ids))
	for i, id := range ids {
		clean[i] = db.CleanText(id)
	}
	err = b.db.Read(ctx, func(q *db.Tx) error {
		return db.Wrap("look groups up", q.AllIn(ctx, &known, `SELECT id FROM directory_groups WHERE tenant = ? AND id IN (?) ORDER BY id`, tenant, clean))
	})
	return known, err
}

// Groups lists those that a filter chooses, without their members, in the order of their ids. A limit of 0 is ticket.DefaultPage.
func (b *Book) Groups(ctx context.Context, tenant string, f directory.GroupFilter, cursor string, limit int) (list []directory.GroupRecord, next string, err error) {
	w := groupsWhere(tenant, f)
	if err := w.AfterAscending(cursor, "id", func(c db.Cursor) []any { return []any{c.ID} }); err != nil {
		return nil, "", err
	}
	err = b.db.Read(ctx, func(q *db.Tx) error {
		var rows []groupRow
		rows, next, err = db.ReadPage(db.Once(ctx), q, limit, `SELECT `+groupColumns+` FROM directory_groups WHERE `+w.String()+` ORDER BY id LIMIT ?`, w.Args(),
			func(r groupRow) db.Cursor { return db.Cursor{N: 1, At: r.CreatedAt.Time, ID: r.ID} })
		if err != nil {
			return db.Wrap("list groups", err)
		}
		list, err = db.Convert(rows, groupRow.record)
		return err
	})
	return list, next, err
}

// GroupsFrom lists those that a filter chooses from an offset on, in the order of their ids, and tells how many there are in all. members asks for the members
// too.
func (b *Book) GroupsFrom(ctx context.Context, tenant string, f directory.GroupFilter, offset, limit int, members bool) (list []directory.GroupRecord, total int, err error) {
	w := groupsWhere(tenant, f)
	err = b.db.Read(ctx, func(q *db.Tx) error {
		if f == (directory.GroupFilter{}) {
			if _, err := q.Find(ctx, &total, `SELECT groups FROM directories WHERE tenant = ?`, tenant); err != nil {
				return db.Wrap("count groups", err)
			}
		} else if err := q.Get(db.Once(ctx), &total, `SELECT COUNT(*) FROM directory_groups WHERE `+w.String(), w.Args()...); err != nil {
			return db.Wrap("count groups", err)
		}
		var rows []groupRow
		if limit > 0 {
			if err := q.All(db.Once(ctx), &rows, `SELECT `+groupColumns+` FROM directory_groups WHERE `+w.String()+` ORDER BY id LIMIT ? OFFSET ?`, w.Args(limit, offset)...); err != nil {
				return db.Wrap("list groups", err)
			}
		}
		if list, err = db.Convert(rows, groupRow.record); err != nil || !members || len(list) == 0 {
			return err
		}
		places, ids := map[string]int{}, make([]string, len(list))
		for i, g := range list {
			places[g.ID], ids[i] = i, g.ID
		}
		var of []memberRow
		if err := q.AllIn(ctx, &of, `SELECT grp, kind, member FROM directory_members WHERE tenant = ? AND grp IN (?) ORDER BY kind, member`, tenant, ids); err != nil {
			return db.Wrap("list members", err)
		}
		for _, row := range of {
			g := &list[places[row.Group]]
			g.Members = append(g.Members, row.member())
		}
		return nil
	})
	return list, total, err
}

func groupsWhere(tenant string, f directory.GroupFilter) (w db.Where) {
	w.And("tenant = ?", tenant)
	if f.Search != "" {
		id, args := beginning("id_key", f.Search)
		name, _ := beginning("name_key", f.Search)
		w.And("(("+id+") OR ("+name+"))", args[0], args[1], args[0], args[1])
	}
	if f.Name != "" {
		w.And("(name_key = ? OR id_key = ? AND name = '')", key(f.Name), key(f.Name))
	}
	w.AndIf(f.ExternalID != "", "external_id = ?", db.CleanText(f.ExternalID))
	w.AndIf(f.ExternalID != "", "external_id <> ?", "")
	w.AndIf(f.UID != "", "uid = ?", db.CleanText(f.UID))
	if f.Member != (directory.Member{}) {
		m := rowOf(f.Member)
		w.And("id IN (SELECT grp FROM directory_members m WHERE m.tenant = ? AND m.kind = ? AND m.member = ?)", tenant, m.Kind, db.CleanText(m.Member))
	}
	return w
}

// GroupChange makes of a group, as far as there is one, what is to be kept; or it refuses, and nothing is changed. The members that it is given are nil unless
// they were asked for.
type GroupChange = func(had directory.GroupRecord, known bool) (directory.GroupRecord, error)

// ChangeGroup keeps what change makes of the group of that key. Where members.All is set, the group has the members that change gives; otherwise those are added
// and removed that members names, and whom it has already, or has not, is passed over. A group that is the same afterwards is not changed, and keeps the version.
// The id of a group that is known stays. It joins the transaction that ctx carries. The record is given without members.
//
// Invalid: a field is wrong, a member is not known, or groups would lie in each other in a circle; Conflict: another group has an id that differs in case alone;
// TooMany.
func (b *Book) ChangeGroup(ctx context.Context, tenant, app string, k directory.Key, members directory.Membership, change GroupChange) (rec directory.GroupRecord, err error) {
	err = b.change(ctx, tenant, app, func(ctx context.Context, s *edit) error {
		rec, err = s.changeGroup(ctx, k, members, change)
		return err
	})
	return rec, err
}

func (s *edit) changeGroup(ctx context.Context, k directory.Key, members directory.Membership, change GroupChange) (rec directory.GroupRecord, err error) {
	had, known, err := findGroup(ctx, s.Tx, s.tenant, k)
	if err != nil {
		return rec, err
	}
	if known && members.All {
		if had.Members, err = membersOf(ctx, s.Tx, s.tenant, had.ID); err != nil {
			return rec, err
		}
	}
	if rec, err = change(had, known); err != nil {
		return rec, err
	}
	if known && rec.ID != had.ID {
		return rec, ticket.RefuseField(ticket.Invalid, "id", "cannot be changed: processes name the group by it")
	}
	rec.UID, rec.Version, rec.CreatedAt, rec.UpdatedAt = had.UID, had.Version, had.CreatedAt, had.UpdatedAt
	faults := append(rec.Check(), directory.CheckMembers("members", members.Add)...)
	if err := refusal(faults); err != nil {
		return rec, err
	}
	added, removed := members.Add, members.Remove
	if members.All {
		added, removed = less(rec.Members, had.Members), less(had.Members, rec.Members)
	}
	rec.Members = nil
	if !known {
		if err := s.addGroup(ctx, &rec); err != nil {
			return rec, err
		}
	}
	moved, err := s.move(ctx, rec.ID, added, removed)
	if err != nil {
		return rec, err
	}
	if same := rec.Name == had.Name && rec.ExternalID == had.ExternalID && rec.Attributes == had.Attributes; known && same && !moved {
		return rec, nil
	}
	rec.Version, rec.UpdatedAt = s.next(), db.At(s.Now()).Time
	err = s.Later(ctx, `UPDATE directory_groups SET external_id = ?, name = ?, attributes = ?, name_key = ?, version = ?, updated_at = ? WHERE tenant = ? AND uid = ?`,
		rec.ExternalID, rec.Name, rec.Attributes, key(rec.Name), rec.Version, db.At(rec.UpdatedAt), s.tenant, rec.UID)
	return rec, db.Wrap("update a group", err)
}

// less gives what of a list is not in another, each once.
func less(list, other []directory.Member) (out []directory.Member) {
	seen := map[directory.Member]bool{}
	for _, m := range other {
		seen[m] = true
	}
	for _, m := range list {
		if !seen[m] {
			seen[m] = true
			out = append(out, m)
		}
	}
	return out
}

func (s *edit) addGroup(ctx context.Context, rec *directory.GroupRecord) error {
	var other string
	taken, err := s.Find(ctx, &other, `SELECT id FROM directory_groups WHERE tenant = ? AND folded = ?`, s.tenant, directory.Folded(rec.ID))
	switch {
	case err != nil:
		return db.Wrap("find a group", err)
	case taken && other == rec.ID:
		return ticket.RefuseField(ticket.Conflict, "id", "is that of another group")
	case taken:
		return ticket.RefuseField(ticket.Conflict, "id", fmt.Sprintf("differs from that of the group %s in case alone", other))
	case s.groups >= directory.MaxGroups:
		return ticket.Refuse(ticket.TooMany, fmt.Sprintf("a tenant can have at most %d groups", directory.MaxGroups))
	}
	s.groups++
	now := db.At(s.Now())
	rec.UID, rec.CreatedAt = uuid.NewString(), now.Time
	return s.Insert(ctx, `directory_groups (tenant, id, uid, folded, external_id, name, attributes, id_key, name_key, version, created_at, updated_at)`,
		[][]any{{s.tenant, rec.ID, rec.UID, directory.Folded(rec.ID), rec.ExternalID, rec.Name, rec.Attributes, key(rec.ID), key(rec.Name), int64(0), now, now}})
}

// move adds members to a group and removes others, and tells whether that changed anything.
func (s *edit) move(ctx context.Context, group string, added, removed []directory.Member) (moved bool, err error) {
	for chunk := range slices.Chunk(removed, db.MaxParameters/2) {
		for _, kind := range []string{kindGroup, kindPerson} {
			if ids := idsOf(kind, chunk); len(ids) > 0 {
				n, err := s.ExecIn(ctx, `DELETE FROM directory_members WHERE tenant = ? AND grp = ? AND kind = ? AND member IN (?)`, s.tenant, group, kind, ids)
				if err != nil {
					return false, db.Wrap("remove members", err)
				}
				moved = moved || n > 0
			}
		}
	}
	if len(added) == 0 {
		return moved, nil
	}
	persons, err := s.known(ctx, "directory_persons", idsOf(kindPerson, added))
	if err != nil {
		return false, err
	}
	groups, err := s.known(ctx, "directory_groups", idsOf(kindGroup, added))
	if err != nil {
		return false, err
	}
	var f ticket.Faults
	rows := make([][]any, 0, len(added))
	for i, m := range added {
		switch r := rowOf(m); {
		case r.Kind == kindPerson && !persons[r.Member]:
			f.Add("members", fmt.Sprintf("there is no person %s", m.Person))
		case r.Kind == kindGroup && !groups[r.Member]:
			f.Add("members", fmt.Sprintf("there is no group %s", m.Group))
		default:
			rows = append(rows, []any{s.tenant, group, r.Kind, r.Member})
		}
		if len(f) == maxFaults {
			f.Add("members", fmt.Sprintf("the other %d were not looked at", len(added)-i-1))
			break
		}
	}
	if err := f.Err(); err != nil {
		return false, err
	}
	var before, after int
	const count = `SELECT COUNT(*) FROM directory_members WHERE tenant = ? AND grp = ?`
	if err := s.Get(ctx, &before, count, s.tenant, group); err != nil {
		return false, db.Wrap("count members", err)
	}
	if err := s.InsertMissing(ctx, `directory_members (tenant, grp, kind, member)`, rows); err != nil {
		return false, err
	}
	if err := s.Get(ctx, &after, count, s.tenant, group); err != nil {
		return false, db.Wrap("count members", err)
	}
	if after > directory.MaxMembers {
		return false, ticket.RefuseField(ticket.Invalid, "members", ticket.Over(directory.MaxMembers, "items", after))
	}
	if len(groups) > 0 {
		if err := s.nest(ctx, group); err != nil {
			return false, err
		}
	}
	return moved || after > before, nil
}

const maxFaults = 20

func idsOf(kind string, members []directory.Member) (ids []string) {
	for _, m := range members {
		if r := rowOf(m); r.Kind == kind {
			ids = append(ids, r.Member)
		}
	}
	return ids
}

// nest refuses groups that lie in each other as they must not, after a group was given some: those above it too lie deeper now.
func (s *edit) nest(ctx context.Context, group string) error {
	var rows []memberRow
	err := s.All(ctx, &rows, `WITH RECURSIVE above(id) AS (
			SELECT CAST(? AS text)
			UNION
			SELECT m.grp FROM above a JOIN directory_members m ON m.tenant = ? AND m.kind = 'group' AND m.member = a.id
		), near(id) AS (
			SELECT id FROM above
			UNION
			SELECT m.member FROM near n JOIN directory_members m ON m.tenant = ? AND m.kind = 'group' AND m.grp = n.id
		)
		SELECT m.grp, m.kind, m.member FROM directory_members m JOIN near n ON n.id = m.grp WHERE m.tenant = ? AND m.kind = 'group' ORDER BY m.grp, m.member`,
		group, s.tenant, s.tenant, s.tenant)
	if err != nil {
		return db.Wrap("read how groups lie in each other", err)
	}
	near := map[string]*directory.Group{}
	ids := []string{group}
	for _, row := range rows {
		if near[row.Group] == nil {
			near[row.Group] = &directory.Group{ID: row.Group}
			ids = append(ids, row.Group)
		}
		near[row.Group].Members = append(near[row.Group].Members, row.member())
	}
	var groups []directory.Group
	for _, id := range ids[1:] {
		groups = append(groups, *near[id])
	}
	return refusal(directory.NewDirectory(nil, groups, nil).CheckGroups("members", ids...))
}

// RemoveGroup forgets a group, also as a member of others. allow may refuse; it may be nil. It joins the transaction that ctx carries. NotFound.
func (b *Book) RemoveGroup(ctx context.Context, tenant, app string, k directory.Key, allow func(directory.GroupRecord) error) error {
	return b.change(ctx, tenant, app, func(ctx context.Context, s *edit) error {
		had, known, err := findGroup(ctx, s.Tx, tenant, k)
		if err == nil && !known {
			err = errNoGroup
		}
		if err == nil && allow != nil {
			err = allow(had)
		}
		if err != nil {
			return err
		}
		for _, statement := range []string{
			`DELETE FROM directory_members WHERE tenant = ? AND kind = 'group' AND member = ?`,
			`DELETE FROM directory_members WHERE tenant = ? AND grp = ?`,
			`DELETE FROM directory_groups WHERE tenant = ? AND id = ?`,
		} {
			if err := s.Later(ctx, statement, tenant, had.ID); err != nil {
				return db.Wrap("remove a group", err)
			}
		}
		s.groups--
		s.next()
		return nil
	})
}

// Names gives what SCIM names persons or groups by, from their ids; those that are not known are left out.
func (b *Book) Names(ctx context.Context, tenant string, kind directory.Kind, ids []string) (map[string]string, error) {
	return b.translate(ctx, tenant, kind, "id", ids)
}

// IDs gives the ids of persons or groups from what SCIM names them by; those that are not known are left out.
func (b *Book) IDs(ctx context.Context, tenant string, kind directory.Kind, uids []string) (map[string]string, error) {
	return b.translate(ctx, tenant, kind, "uid", uids)
}

// translate gives the one name of things for the other, which is in the column from.
func (b *Book) translate(ctx context.Context, tenant string, kind directory.Kind, from string, names []string) (map[string]string, error) {
	table := map[directory.Kind]string{directory.Persons: "directory_persons", directory.Groups: "directory_groups"}[kind]
	clean := make([]string, len(names))
	for i, name := range names {
		clean[i] = db.CleanText(name)
	}
	found := map[string]string{}
	err := b.db.Read(ctx, func(q *db.Tx) error {
		for chunk := range slices.Chunk(clean, db.MaxParameters/2) {
			var rows []struct {
				ID  string `db:"id"`
				UID string `db:"uid"`
			}
			if err := q.AllIn(ctx, &rows, `SELECT id, uid FROM `+table+` WHERE tenant = ? AND `+from+` IN (?)`, tenant, chunk); err != nil {
				return db.Wrap("translate names", err)
			}
			for _, row := range rows {
				if from == "id" {
					found[row.ID] = row.UID
				} else {
					found[row.UID] = row.ID
				}
			}
		}
		return nil
	})
	return found, err
}
