package people

import (
	"context"
	"fmt"
	"time"

	directory "signalbox/people"
	"signalbox/store/db"
)

// lookup reads as much of a directory as a want is about, in one statement: the groups in those wanted, their members, who is above whom until somebody is active,
// and whoever stands in for any of these. Which of it is the answer the rules say.
func lookup(q *db.Tx) string {
	// PostgreSQL thinks that a recursion finds thousands, and would read the large tables from end to end for each question.
	join := q.Each
	away := `b.tenant = ? AND b.person = k.id AND b.starts <= ? AND (b.ends IS NULL OR b.ends > ?)`
	return `WITH RECURSIVE
	wanted(id) AS (
		SELECT id FROM directory_groups WHERE tenant = ? AND id IN (?)
		UNION
		SELECT m.member FROM wanted w ` + join("directory_members", "m", `m.tenant = ? AND m.grp = w.id AND m.kind = 'group'`) + `
	), above(id) AS (
		SELECT manager FROM directory_persons WHERE tenant = ? AND id IN (?) AND manager <> ''
		UNION
		SELECT p.manager FROM above a ` + join("directory_persons", "p", `p.tenant = ? AND p.id = a.id AND p.manager <> '' AND NOT p.active`) + `
	), named(id) AS (
		SELECT id FROM directory_persons WHERE tenant = ? AND id IN (?)
		UNION
		SELECT m.member FROM wanted w ` + join("directory_members", "m", `m.tenant = ? AND m.grp = w.id AND m.kind = 'person'`) + `
		UNION
		SELECT id FROM above
	), asked(id) AS (
		SELECT id FROM named
		UNION
		SELECT b.deputy FROM asked k ` + join("directory_absences", "b", away+` AND b.deputy <> ''`) + `
	)
	SELECT 'group' AS kind, id, '' AS a, '' AS b, '' AS c, CAST(NULL AS timestamptz) AS starts, CAST(NULL AS timestamptz) AS ends FROM wanted
	UNION ALL
	SELECT 'member', m.grp, m.kind, m.member, '', NULL, NULL FROM wanted w ` + join("directory_members", "m", `m.tenant = ? AND m.grp = w.id`) + `
	UNION ALL
	SELECT 'person', p.id, CASE WHEN p.active THEN 'active' ELSE '' END, p.manager, '', NULL, NULL FROM asked k ` + join("directory_persons", "p", `p.tenant = ? AND p.id = k.id`) + `
	UNION ALL
	SELECT 'absence', b.id, b.person, b.deputy, b.services, b.starts, b.ends FROM asked k ` + join("directory_absences", "b", away)
}

type foundRow struct {
	Kind   string        `db:"kind"`
	ID     string        `db:"id"`
	A      string        `db:"a"`
	B      string        `db:"b"`
	C      string        `db:"c"`
	Starts *db.Timestamp `db:"starts"`
	Ends   *db.Timestamp `db:"ends"`
}

// Lookup answers what is wanted of a tenant's directory, in one round trip. Invalid: too much is asked at once.
func (b *Book) Lookup(ctx context.Context, tenant string, want directory.Want) (facts directory.Facts, err error) {
	if err := refusal(want.Check()); err != nil {
		return facts, err
	}
	if want.Empty() {
		return directory.Facts{At: want.At}, nil
	}
	list := func(lists ...[]string) (ids []string) {
		for _, some := range lists {
			for _, id := range some {
				ids = append(ids, db.CleanText(id))
			}
		}
		return append(ids, "") // a list must not be empty, and nobody has the empty id
	}
	at := db.At(want.At)
	var rows []foundRow
	err = b.db.Read(ctx, func(q *db.Tx) error {
		err := q.AllIn(ctx, &rows, lookup(q), tenant, list(want.Groups), tenant, tenant, list(want.Managers), tenant, tenant, list(want.Persons, want.Managers), tenant,
			tenant, at, at, tenant, tenant, tenant, at, at)
		return db.Wrap("look up people", err)
	})
	if err != nil {
		return facts, err
	}
	found, err := directoryOf(rows)
	if err != nil {
		return facts, err
	}
	return found.Find(want), nil
}

func directoryOf(rows []foundRow) (*directory.Directory, error) {
	var persons []directory.Person
	var absences []directory.Absence
	var groups []directory.Group
	places := map[string]int{}
	for _, row := range rows {
		if row.Kind == "group" {
			places[row.ID] = len(groups)
			groups = append(groups, directory.Group{ID: row.ID})
		}
	}
	for _, row := range rows {
		switch row.Kind {
		case "member":
			g := &groups[places[row.ID]]
			g.Members = append(g.Members, memberRow{Kind: row.A, Member: row.B}.member())
		case "person":
			persons = append(persons, directory.Person{ID: row.ID, Active: row.A != "", Manager: row.B})
		case "absence":
			if row.Starts == nil {
				return nil, fmt.Errorf("absence %s has no beginning", row.ID)
			}
			a, err := absenceOf(row.ID, row.A, row.B, row.C, *row.Starts, row.Ends)
			if err != nil {
				return nil, err
			}
			absences = append(absences, a)
		}
	}
	return directory.NewDirectory(persons, groups, absences), nil
}

// DirectoryChanges gives what happened to persons of a tenant behind the change of that number, in order, and at most limit of it. Whoever goes on from the
// number of the last one misses nothing, as long as it is kept: see PruneDirectory.
func (b *Book) DirectoryChanges(ctx context.Context, tenant string, after int64, limit int) (list []directory.Change, err error) {
	err = b.db.Read(ctx, func(q *db.Tx) error {
		var rows []struct {
			Seq    int64        `db:"seq"`
			Kind   string       `db:"kind"`
			Person string       `db:"person"`
			Other  string       `db:"other"`
			At     db.Timestamp `db:"at"`
			App    string       `db:"app"`
		}
		if err := q.All(ctx, &rows, `SELECT seq, kind, person, other, at, app FROM directory_changes WHERE tenant = ? AND seq > ? ORDER BY seq LIMIT ?`, tenant, after, limit); err != nil {
			return db.Wrap("list changes of a directory", err)
		}
		for _, r := range rows {
			list = append(list, directory.Change{Seq: r.Seq, Kind: directory.ChangeKind(r.Kind), Person: r.Person, Other: r.Other, At: r.At.Time, App: r.App})
		}
		return nil
	})
	return list, err
}

// DirectoryTenants lists the tenants that keep a directory, in the order of their names, and at most limit behind the one that is named.
func (b *Book) DirectoryTenants(ctx context.Context, after string, limit int) (tenants []string, err error) {
	err = b.db.Read(ctx, func(q *db.Tx) error {
		return db.Wrap("list directories", q.All(ctx, &tenants, `SELECT tenant FROM directories WHERE tenant > ? ORDER BY tenant LIMIT ?`, after, limit))
	})
	return tenants, err
}

// PruneDirectory deletes up to limit changes from before that time, and as many absences that ended before.
func (b *Book) PruneDirectory(ctx context.Context, before time.Time, limit int) (pruned int64, err error) {
	err = b.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		changes, err := q.Exec(ctx, `DELETE FROM directory_changes WHERE (tenant, seq) IN (SELECT tenant, seq FROM directory_changes WHERE at < ? ORDER BY at LIMIT ?)`, db.At(before), limit)
		if err != nil {
			return db.Wrap("delete old changes", err)
		}
		absences, err := q.Exec(ctx, `DELETE FROM directory_absences WHERE (tenant, id) IN (SELECT tenant, id FROM directory_absences WHERE ends < ? ORDER BY ends LIMIT ?)`, db.At(before), limit)
		pruned = max(changes, absences)
		return db.Wrap("delete old absences", err)
	})
	return pruned, err
}
