package store_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signalbox/people"
	"signalbox/store"
	"signalbox/store/storetest"
)

// populous fills a directory as a large company has it: 12,000 persons in one tenant and a few in another, who are in groups of about twelve, have managers and were absent. Whom PostgreSQL finds
// by an index among these it finds so among more.
func populous(t *testing.T, db *sql.DB) {
	t.Helper()
	const tenant, person = `CASE WHEN i % 1000 = 0 THEN 'b' ELSE 'a' END`, `'person' || i`
	require.NoError(t, fill(db,
		`INSERT INTO directories VALUES ('a', 36000, 11988, 3000), ('b', 1000, 12, 0)`,
		`INSERT INTO directory_persons SELECT `+tenant+`, `+person+`, 'uid' || i, `+person+`, CASE WHEN i % 2 = 0 THEN 'ext' || i ELSE '' END, 'Name ' || i, i || '@example.com', '', '', i % 20 <> 0,
			'person' || i / 10 * 10 + 1, '[]', '', convert_to(`+person+`, 'UTF8'), convert_to('name ' || i, 'UTF8'), convert_to(i || '@example.com', 'UTF8'), i, now(), now() FROM generate_series(1, 12000) i`,
		`INSERT INTO directory_groups SELECT 'a', 'group' || i, 'guid' || i, 'group' || i, CASE WHEN i % 2 = 0 THEN 'ext' || i ELSE '' END, 'Group ' || i, '', convert_to('group' || i, 'UTF8'), convert_to('group ' || i, 'UTF8'), i,
			now(), now() FROM generate_series(1, 3000) i`,
		`INSERT INTO directory_members SELECT 'a', 'group' || 1 + i % 1000, 'person', `+person+` FROM generate_series(1, 12000) i WHERE i % 1000 <> 0`,
		`INSERT INTO directory_members SELECT 'a', 'group' || i, 'group', 'group' || i + 1 FROM generate_series(1, 2999) i WHERE i % 10 <> 0`,
		`INSERT INTO directory_absences SELECT `+tenant+`, 'absence' || i, `+person+`, timestamptz '2026-01-01' + i * interval '15 minutes', timestamptz '2026-01-08' + i * interval '15 minutes', 'person' || i % 100 + 1, '[]', 'hr', now()
			FROM generate_series(1, 12000) i`,
		`INSERT INTO directory_changes SELECT `+tenant+`, i, 'deactivated', `+person+`, '', timestamptz '2026-01-01' + i * interval '15 minutes', 'hr' FROM generate_series(1, 12000) i`,
		`INSERT INTO directory_passwords SELECT tenant, uid, '$argon2id$', FALSE, now() FROM directory_persons`,
	))
}

// TestTheDirectoryReadsNoWholeTable: every list and every filter of it, by PostgreSQL's own count, with the plans of prepared statements. What is in most rows is listed by the page and counted by
// reading it, so of that the count is not looked at.
func TestTheDirectoryReadsNoWholeTable(t *testing.T) {
	t.Parallel()
	b := open(t, storetest.Postgres(t))
	db := b.raw()
	db.SetMaxOpenConns(1)
	populous(t, db)
	require.NoError(t, b.Close())
	before := scans(t, db)
	for name, ask := range directoryQuestions() {
		s, err := store.Open(t.Context(), b.dsn+"&application_name=observed", store.Options{MasterKey: masterKey, Now: b.clock.Now, Connections: 1})
		require.NoError(t, err)
		for range 7 { // PostgreSQL may go over to one plan for all after five
			n, err := ask(t.Context(), s)
			require.NoError(t, err, name)
			require.Positive(t, n, "%s finds nothing", name)
		}
		require.NoError(t, s.Close())
		counted(t, db)
		after := scans(t, db)
		for table, n := range after {
			if table != "directories" { // a row for each tenant
				assert.Equal(t, before[table], n, "%s: %s was read from end to end", name, table)
			}
		}
		before = after
	}
}

// directoryQuestions are what a directory is asked, each with how much was found.
func directoryQuestions() map[string]func(ctx context.Context, s *store.Store) (int, error) {
	yes, no := true, false
	at := time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC)
	out := map[string]func(ctx context.Context, s *store.Store) (int, error){
		"account": func(ctx context.Context, s *store.Store) (int, error) {
			found, err := s.Account(ctx, "a", "person77")
			return len(found.Groups), err
		},
		"names": func(ctx context.Context, s *store.Store) (int, error) {
			found, err := s.PersonNames(ctx, "a", []string{"person77", "person78", "nobody"})
			return len(found), err
		},
		"people": func(ctx context.Context, s *store.Store) (int, error) {
			found, err := s.Lookup(ctx, "a", people.Want{At: at, Persons: []string{"person77"}, Managers: []string{"person77"}, Groups: []string{"group71"}})
			if len(found.Groups) != 1 || len(found.Groups[0].Members) < 100 || found.ManagerOf("person77") != "person71" {
				return 0, err
			}
			return len(found.Persons), err
		},
		"changes": func(ctx context.Context, s *store.Store) (int, error) {
			list, err := s.DirectoryChanges(ctx, "a", 6_000, 20)
			return len(list), err
		},
		"pruning": func(ctx context.Context, s *store.Store) (int, error) {
			n, err := s.PruneDirectory(ctx, time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), 20)
			return int(n), err
		},
	}
	for name, f := range map[string]people.PersonFilter{
		"all persons": {}, "search": {Search: "person77"}, "a rare name": {Search: "name 777"}, "a common beginning": {Search: "p"}, "id": {ID: "PERSON77"}, "email": {Email: "77@example.com"}, "name": {Name: "name 77"},
		"external id": {ExternalID: "ext78"}, "uid": {UID: "uid77"}, "manager": {Manager: "person71"}, "active": {Active: &yes}, "not active": {Active: &no},
	} {
		out["persons by "+name] = func(ctx context.Context, s *store.Store) (int, error) {
			list, next, err := s.Persons(ctx, "a", f, "", 20)
			if err == nil && next != "" {
				_, _, err = s.Persons(ctx, "a", f, next, 20)
			}
			return len(list), err
		}
		if f.Active == nil && f.Search != "p" {
			out["total of persons by "+name] = func(ctx context.Context, s *store.Store) (int, error) {
				_, total, err := s.PersonsFrom(ctx, "a", f, 0, 20)
				return total, err
			}
		}
	}
	for name, f := range map[string]people.GroupFilter{
		"all groups": {}, "search": {Search: "group77"}, "name": {Name: "group 77"}, "external id": {ExternalID: "ext78"}, "uid": {UID: "guid77"}, "member": {Member: people.Member{Person: "person77"}},
		"group within": {Member: people.Member{Group: "group77"}},
	} {
		out["groups by "+name] = func(ctx context.Context, s *store.Store) (int, error) {
			list, _, err := s.Groups(ctx, "a", f, "", 20)
			return len(list), err
		}
		out["total of groups by "+name] = func(ctx context.Context, s *store.Store) (int, error) {
			_, total, err := s.GroupsFrom(ctx, "a", f, 0, 20, true)
			return total, err
		}
	}
	for name, f := range map[string]people.AbsenceFilter{"all": {}, "person": {Person: "person7777"}, "deputy": {Deputy: "person77"}, "time": {At: at}, "person and time": {Person: "person8333", At: at}} {
		out["absences by "+name] = func(ctx context.Context, s *store.Store) (int, error) {
			list, _, err := s.Absences(ctx, "a", f, "", 20)
			return len(list), err
		}
	}
	return out
}
