package store_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"signalbox/people"
	"signalbox/ticket"
)

// keep keeps a person of tenant a as it is given.
func (b *bench) keep(p people.Person) (people.PersonRecord, error) {
	return b.ChangePerson(b.t.Context(), "a", "demo", people.Key{ID: p.ID}, func(had people.PersonRecord, _ bool) (people.PersonRecord, error) {
		had.Person = p
		return had, nil
	})
}

func (b *bench) persons(ids ...string) {
	for _, id := range ids {
		_, err := b.keep(people.Person{ID: id, Active: true})
		require.NoError(b.t, err)
	}
}

func (b *bench) group(id string, members ...people.Member) (people.GroupRecord, error) {
	return b.ChangeGroup(b.t.Context(), "a", "demo", people.Key{ID: id}, people.Membership{All: true}, func(had people.GroupRecord, _ bool) (people.GroupRecord, error) {
		had.ID, had.Members = id, members
		return had, nil
	})
}

func (b *bench) happened() (kinds []string) {
	list, err := b.DirectoryChanges(b.t.Context(), "a", 0, 1_000)
	require.NoError(b.t, err)
	for i, c := range list {
		require.True(b.t, i == 0 || c.Seq > list[i-1].Seq)
		kinds = append(kinds, string(c.Kind)+" "+c.Person)
	}
	return kinds
}

func refused(t *testing.T, err error, code ticket.Code, field, message string) {
	t.Helper()
	require.True(t, ticket.Is(err, code), "%v", err)
	require.Equal(t, field, ticket.AsError(err).Field)
	require.Contains(t, ticket.AsError(err).Message, message)
}

func TestAPersonIsKeptAsGivenAndOnce(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		ada := people.Person{ID: "Ada/L", Name: "Ada", Email: "ada@example.com", Language: "en", TimeZone: "Europe/London", Active: true, Chats: []people.Chat{{Network: "slack", Address: "U1"}}}
		first, err := b.keep(ada)
		require.NoError(t, err)
		require.NotEmpty(t, first.UID)
		again, err := b.keep(ada)
		require.NoError(t, err)
		require.Equal(t, first, again, "what is the same changes nothing")
		read, err := b.Person(ctx, "a", people.Key{UID: first.UID})
		require.NoError(t, err)
		require.Equal(t, first, read)
		_, err = b.Person(ctx, "a", people.Key{ID: "ada/l"})
		refused(t, err, ticket.NotFound, "", "")
		_, err = b.Person(ctx, "b", people.Key{ID: "Ada/L"})
		refused(t, err, ticket.NotFound, "", "")

		_, err = b.keep(people.Person{ID: "ADA/l"})
		refused(t, err, ticket.Conflict, "id", "differs from that of the person Ada/L in case alone")
		_, err = b.keep(people.Person{ID: "bob", Manager: "nobody"})
		refused(t, err, ticket.Invalid, "manager", "no such person")
		_, err = b.keep(people.Person{ID: "bob", TimeZone: "Mars/Base"})
		refused(t, err, ticket.Invalid, "time_zone", "is not a time zone")

		bob, err := b.keep(people.Person{ID: "bob", Manager: "Ada/L"})
		require.NoError(t, err)
		require.Greater(t, bob.Version, first.Version)
		b.persons("bob")
		ada.Active = false
		last, err := b.keep(ada)
		require.NoError(t, err)
		require.Greater(t, last.Version, first.Version)
		require.NoError(t, b.RemovePerson(ctx, "a", "demo", people.Key{ID: "bob"}, nil))
		refused(t, b.RemovePerson(ctx, "a", "demo", people.Key{ID: "bob"}, nil), ticket.NotFound, "", "")
		refused(t, b.RemovePerson(ctx, "b", "demo", people.Key{UID: first.UID}, nil), ticket.NotFound, "", "")
		require.Equal(t, []string{"activated bob", "deactivated Ada/L", "removed bob"}, b.happened())
		tenants, err := b.DirectoryTenants(ctx, "", 10)
		require.NoError(t, err)
		require.Contains(t, tenants, "a")
	})
}

func TestWhatRefersToAPersonFollows(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		b.persons("ada", "bob")
		_, err := b.keep(people.Person{ID: "cy", Active: true, Manager: "ada"})
		require.NoError(t, err)
		_, err = b.group("g", people.Member{Person: "ada"})
		require.NoError(t, err)
		at := b.clock.Now()
		own, err := b.AddAbsence(ctx, "a", "demo", people.Absence{Person: "ada", From: at, Deputy: "bob"})
		require.NoError(t, err)
		other, err := b.AddAbsence(ctx, "a", "demo", people.Absence{Person: "bob", From: at.Add(time.Hour), Deputy: "ada"})
		require.NoError(t, err)

		had, err := b.Person(ctx, "a", people.Key{ID: "ada"})
		require.NoError(t, err)
		renamed, err := b.ChangePerson(ctx, "a", "demo", people.Key{UID: had.UID}, func(p people.PersonRecord, _ bool) (people.PersonRecord, error) {
			p.ID = "ada.l"
			return p, nil
		})
		require.NoError(t, err)
		require.Equal(t, had.UID, renamed.UID)
		cy, err := b.Person(ctx, "a", people.Key{ID: "cy"})
		require.NoError(t, err)
		require.Equal(t, "ada.l", cy.Manager)
		g, err := b.Group(ctx, "a", people.Key{ID: "g"})
		require.NoError(t, err)
		require.Equal(t, []people.Member{{Person: "ada.l"}}, g.Members)
		facts, err := b.Lookup(ctx, "a", people.Want{At: at, Persons: []string{"ada.l"}})
		require.NoError(t, err)
		require.Equal(t, []people.Standing{{For: "ada.l", Deputy: "bob"}}, facts.Standings)
		_, err = b.ChangePerson(ctx, "a", "demo", people.Key{UID: had.UID}, func(p people.PersonRecord, _ bool) (people.PersonRecord, error) {
			p.ID = "bob"
			return p, nil
		})
		refused(t, err, ticket.Conflict, "id", "is that of another person")

		require.NoError(t, b.RemovePerson(ctx, "a", "demo", people.Key{ID: "ada.l"}, nil))
		cy, err = b.Person(ctx, "a", people.Key{ID: "cy"})
		require.NoError(t, err)
		require.Empty(t, cy.Manager)
		g, err = b.Group(ctx, "a", people.Key{ID: "g"})
		require.NoError(t, err)
		require.Empty(t, g.Members)
		_, err = b.Absence(ctx, "a", own.ID)
		refused(t, err, ticket.NotFound, "", "")
		left, err := b.Absence(ctx, "a", other.ID)
		require.NoError(t, err)
		require.Empty(t, left.Deputy)
		require.Equal(t, []string{"absent ada", "absent bob", "renamed ada", "removed ada.l"}, b.happened())
	})
}

func TestGroupsAreNoCircle(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		b.persons("ada", "bob")
		for _, id := range []string{"c", "b", "a"} {
			_, err := b.group(id)
			require.NoError(t, err)
		}
		_, err := b.group("a", people.Member{Group: "b"}, people.Member{Person: "ada"}, people.Member{Person: "ada"})
		require.NoError(t, err)
		_, err = b.group("b", people.Member{Group: "c"})
		require.NoError(t, err)
		before, err := b.Group(ctx, "a", people.Key{ID: "c"})
		require.NoError(t, err)
		_, err = b.group("c", people.Member{Person: "bob"}, people.Member{Group: "a"})
		refused(t, err, ticket.Invalid, "members", "would make the groups a cycle: c > a > b > c")
		after, err := b.Group(ctx, "a", people.Key{ID: "c"})
		require.NoError(t, err)
		require.Equal(t, before, after)
		_, err = b.group("c", people.Member{Group: "c"})
		refused(t, err, ticket.Invalid, "members", "c > c")
		_, err = b.group("c", people.Member{Group: "nowhere"}, people.Member{Person: "nobody"})
		refused(t, err, ticket.Invalid, "members", "there is no group nowhere; members: there is no person nobody")

		// Members come and go by themselves, and whom a group has already is passed over.
		alter := func(add, remove []people.Member) people.GroupRecord {
			rec, err := b.ChangeGroup(ctx, "a", "demo", people.Key{ID: "a"}, people.Membership{Add: add, Remove: remove}, func(had people.GroupRecord, known bool) (people.GroupRecord, error) {
				require.True(t, known)
				return had, nil
			})
			require.NoError(t, err)
			return rec
		}
		v1 := alter([]people.Member{{Person: "bob"}}, nil)
		v2 := alter([]people.Member{{Person: "bob"}}, []people.Member{{Person: "stranger"}})
		require.Equal(t, v1.Version, v2.Version)
		v3 := alter(nil, []people.Member{{Person: "bob"}, {Group: "b"}})
		require.Greater(t, v3.Version, v2.Version)
		g, err := b.Group(ctx, "a", people.Key{UID: v3.UID})
		require.NoError(t, err)
		require.Equal(t, []people.Member{{Person: "ada"}}, g.Members)
		list, _, err := b.GroupsFrom(ctx, "a", people.GroupFilter{Member: people.Member{Person: "ada"}}, 0, 10, true)
		require.NoError(t, err)
		require.Equal(t, []people.GroupRecord{g}, list)
		require.NoError(t, b.RemoveGroup(ctx, "a", "demo", people.Key{ID: "c"}, nil))
		g, err = b.Group(ctx, "a", people.Key{ID: "b"})
		require.NoError(t, err)
		require.Empty(t, g.Members)
		_, err = b.group("B")
		refused(t, err, ticket.Conflict, "id", "in case alone")
	})
}

// TestOfTwoWhoCloseACircleAtOnceOneIsRefused: each of two transactions would be right by itself.
func TestOfTwoWhoCloseACircleAtOnceOneIsRefused(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		for i := range 10 {
			x, y := fmt.Sprint("x", i), fmt.Sprint("y", i)
			for _, id := range []string{x, y} {
				_, err := b.group(id)
				require.NoError(t, err)
			}
			var wait sync.WaitGroup
			errs := make([]error, 2)
			wait.Go(func() { _, errs[0] = b.group(x, people.Member{Group: y}) })
			wait.Go(func() { _, errs[1] = b.group(y, people.Member{Group: x}) })
			wait.Wait()
			require.True(t, (errs[0] == nil) != (errs[1] == nil), "%v", errs)
		}
	})
}

func TestPersonsAreFoundAndPaged(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		yes := true
		for i := range 25 {
			_, err := b.keep(people.Person{ID: fmt.Sprintf("p%02d", i), Name: fmt.Sprintf("Name %d", i), Email: fmt.Sprintf("MAIL%d@example.com", i), Active: i%2 == 0})
			require.NoError(t, err)
		}
		_, err := b.keep(people.Person{ID: "other", Manager: "p00"})
		require.NoError(t, err)
		var got []string
		for cursor, first := "", true; first || cursor != ""; first = false {
			list, next, err := b.Persons(ctx, "a", people.PersonFilter{Search: "P"}, cursor, 7)
			require.NoError(t, err)
			for _, p := range list {
				got = append(got, p.ID)
			}
			cursor = next
		}
		require.Len(t, got, 25)
		require.True(t, slices.IsSorted(got))
		for _, c := range []struct {
			filter people.PersonFilter
			want   []string
		}{
			{people.PersonFilter{Search: "name 2"}, []string{"p02", "p20", "p21", "p22", "p23", "p24"}},
			{people.PersonFilter{Search: "mail11@"}, []string{"p11"}},
			{people.PersonFilter{Search: "name 2", Active: &yes}, []string{"p02", "p20", "p22", "p24"}},
			{people.PersonFilter{ID: "P03"}, []string{"p03"}},
			{people.PersonFilter{Email: "mail4@EXAMPLE.com"}, []string{"p04"}},
			{people.PersonFilter{Name: "NAME 5"}, []string{"p05"}},
			{people.PersonFilter{Manager: "p00"}, []string{"other"}},
			{people.PersonFilter{Search: "100%"}, nil},
		} {
			list, _, err := b.Persons(ctx, "a", c.filter, "", 100)
			require.NoError(t, err)
			ids := []string(nil)
			for _, p := range list {
				ids = append(ids, p.ID)
			}
			require.Equal(t, c.want, ids, "%+v", c.filter)
			counted, total, err := b.PersonsFrom(ctx, "a", c.filter, 1, 2)
			require.NoError(t, err)
			require.Equal(t, len(c.want), total)
			require.Equal(t, list[min(1, len(list)):min(3, len(list))], append(list[:0:0], counted...))
		}
		_, total, err := b.PersonsFrom(ctx, "a", people.PersonFilter{}, 0, 0)
		require.NoError(t, err)
		require.Equal(t, 26, total)
		_, _, err = b.Persons(ctx, "a", people.PersonFilter{}, "nonsense", 7)
		refused(t, err, ticket.Invalid, "cursor", "")
		none, _, err := b.Persons(ctx, "b", people.PersonFilter{}, "", 7)
		require.NoError(t, err)
		require.Empty(t, none)
	})
}

func TestManyPersonsAreKeptAtOnce(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		recs, errs, err := b.ImportPersons(t.Context(), "a", "demo", []people.Person{
			{ID: "a", Manager: "b", Active: true}, {ID: "x", Email: "x", Active: true}, {ID: "y", Manager: "x", Active: true}, {ID: "b", Active: true}, {ID: "B", Active: true},
		})
		require.NoError(t, err)
		require.NoError(t, errs[0])
		require.Equal(t, "b", recs[0].Manager)
		refused(t, errs[1], ticket.Invalid, "email", "")
		refused(t, errs[2], ticket.Invalid, "manager", "no such person")
		require.NoError(t, errs[3])
		refused(t, errs[4], ticket.Conflict, "id", "case alone")
		list, _, err := b.Persons(t.Context(), "a", people.PersonFilter{}, "", 10)
		require.NoError(t, err)
		require.Equal(t, []people.PersonRecord{recs[0], recs[3]}, list, "who is refused is not kept")
	})
}

func TestAbsencesAreKeptAndEnded(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		b.persons("ada", "bob")
		at := b.clock.Now()
		_, err := b.AddAbsence(ctx, "a", "demo", people.Absence{Person: "nobody", From: at, Deputy: "who"})
		refused(t, err, ticket.Invalid, "person", "there is no such person; deputy: there is no such person")
		_, err = b.AddAbsence(ctx, "a", "demo", people.Absence{Person: "ada", From: at, To: at})
		refused(t, err, ticket.Invalid, "to", "after from")
		open, err := b.AddAbsence(ctx, "a", "demo", people.Absence{Person: "ada", From: at, Deputy: "bob", Services: []string{"s"}})
		require.NoError(t, err)
		later, err := b.AddAbsence(ctx, "a", "demo", people.Absence{Person: "ada", From: at.Add(time.Hour), To: at.Add(2 * time.Hour)})
		require.NoError(t, err)
		list, _, err := b.Absences(ctx, "a", people.AbsenceFilter{Person: "ada"}, "", 10)
		require.NoError(t, err)
		require.Equal(t, []people.AbsenceRecord{open, later}, list)
		page, next, err := b.Absences(ctx, "a", people.AbsenceFilter{}, "", 1)
		require.NoError(t, err)
		require.Equal(t, list[:1], page)
		page, _, err = b.Absences(ctx, "a", people.AbsenceFilter{}, next, 1)
		require.NoError(t, err)
		require.Equal(t, list[1:], page)
		list, _, err = b.Absences(ctx, "a", people.AbsenceFilter{At: at.Add(time.Minute)}, "", 10)
		require.NoError(t, err)
		require.Equal(t, []people.AbsenceRecord{open}, list)

		ended, err := b.EndAbsence(ctx, "a", "demo", open.ID, at.Add(time.Minute), nil)
		require.NoError(t, err)
		require.True(t, ended.To.Equal(at.Add(time.Minute)))
		again, err := b.EndAbsence(ctx, "a", "demo", open.ID, at.Add(time.Hour), nil)
		require.NoError(t, err)
		require.Equal(t, ended, again)
		_, err = b.EndAbsence(ctx, "a", "demo", later.ID, at.Add(time.Minute), nil)
		require.NoError(t, err)
		_, err = b.Absence(ctx, "a", later.ID)
		refused(t, err, ticket.NotFound, "", "")
		_, err = b.EndAbsence(ctx, "b", "demo", open.ID, at, nil)
		refused(t, err, ticket.NotFound, "", "")

		pruned, err := b.PruneDirectory(ctx, at.Add(time.Hour), 100)
		require.NoError(t, err)
		require.Equal(t, int64(4), pruned)
		require.Empty(t, b.happened())
		_, err = b.Absence(ctx, "a", open.ID)
		refused(t, err, ticket.NotFound, "", "")
		_, err = b.Person(ctx, "a", people.Key{ID: "ada"})
		require.NoError(t, err, "a person is kept until removed")
	})
}

// TestALookupIsTheRulesOwnAnswer: what one statement reads is enough for package people to say what it would say of the whole directory.
func TestALookupIsTheRulesOwnAnswer(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		ctx, at := t.Context(), b.clock.Now()
		ids, titles := []string{"a", "b", "c", "d", "e", "f"}, []string{"G", "H", "I", "J"}
		tenant := 0
		rapid.Check(t, func(rt *rapid.T) {
			if tenant++; tenant > 40 {
				return // each has a database's work to do
			}
			name := fmt.Sprint("tenant-", tenant)
			b.persons() // nothing is kept in tenant a
			pick := func(from []string, label string) string {
				return rapid.SampledFrom(append([]string{""}, from...)).Draw(rt, label)
			}
			var persons []people.Person
			for i, id := range ids {
				persons = append(persons, people.Person{ID: id, Active: rapid.IntRange(0, 3).Draw(rt, "active") > 0, Manager: pick(ids[:i], "manager")})
			}
			_, errs, err := b.ImportPersons(ctx, name, "demo", persons)
			require.NoError(t, err)
			require.Equal(t, make([]error, len(ids)), errs)
			var groups []people.Group
			for i, id := range titles {
				g := people.Group{ID: id}
				for range rapid.IntRange(0, 3).Draw(rt, "members") {
					if group := pick(titles[:i], "group"); group != "" {
						g.Members = append(g.Members, people.Member{Group: group})
					} else {
						g.Members = append(g.Members, people.Member{Person: rapid.SampledFrom(ids).Draw(rt, "person")})
					}
				}
				_, err := b.ChangeGroup(ctx, name, "demo", people.Key{ID: id}, people.Membership{All: true}, func(had people.GroupRecord, _ bool) (people.GroupRecord, error) {
					had.Group = g
					return had, nil
				})
				require.NoError(t, err)
				groups = append(groups, g)
			}
			var absences []people.Absence
			for range rapid.IntRange(0, 6).Draw(rt, "absences") {
				a := people.Absence{Person: rapid.SampledFrom(ids).Draw(rt, "absent"), From: at.Add(time.Duration(rapid.IntRange(-3, 1).Draw(rt, "from")) * time.Hour), Deputy: pick(ids, "deputy")}
				if a.Deputy == a.Person {
					a.Deputy = ""
				}
				if rapid.Bool().Draw(rt, "ends") {
					a.To = a.From.Add(time.Duration(rapid.IntRange(1, 4).Draw(rt, "hours")) * time.Hour)
				}
				if rapid.Bool().Draw(rt, "some") {
					a.Services = []string{"s"}
				}
				rec, err := b.AddAbsence(ctx, name, "demo", a)
				require.NoError(t, err)
				absences = append(absences, rec.Absence)
			}
			some := func(from []string, label string) []string {
				return rapid.SliceOfN(rapid.SampledFrom(append([]string{"unknown"}, from...)), 0, 3).Draw(rt, label)
			}
			want := people.Want{At: at, Service: pick([]string{"s", "other"}, "service"), Persons: some(ids, "persons"), Groups: some(titles, "groups"), Managers: some(ids, "managers")}
			got, err := b.Lookup(ctx, name, want)
			require.NoError(t, err)
			require.Equal(t, people.NewDirectory(persons, groups, absences).Find(want), got, "%+v", want)
		})
	})
}

func TestGroupsThatThereAre(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		for _, id := range []string{"ops", "board", "Legal"} {
			_, err := b.group(id)
			require.NoError(t, err)
		}
		known, err := b.KnownGroups(t.Context(), "a", []string{"ops", "legal", "Legal", "", "no\x00body", "ops", "board"})
		require.NoError(t, err)
		require.ElementsMatch(t, []string{"Legal", "board", "ops"}, known)
		for tenant, ids := range map[string][]string{"a": nil, "b": {"ops"}} {
			known, err = b.KnownGroups(t.Context(), tenant, ids)
			require.NoError(t, err)
			require.Empty(t, known)
		}
	})
}

// TestADeepGroupIsOneStatement: 200 persons, nested eight groups deep, are found by one lookup.
func TestADeepGroupIsOneStatement(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		var persons []people.Person
		for i := range 200 {
			persons = append(persons, people.Person{ID: fmt.Sprintf("p%03d", i), Active: true})
		}
		_, _, err := b.ImportPersons(ctx, "a", "demo", persons)
		require.NoError(t, err)
		for depth := range 8 {
			var members []people.Member
			for _, p := range persons[depth*25 : depth*25+25] {
				members = append(members, people.Member{Person: p.ID})
			}
			if depth > 0 {
				members = append(members, people.Member{Group: fmt.Sprint("g", depth-1)})
			}
			_, err := b.group(fmt.Sprint("g", depth), members...)
			require.NoError(t, err)
		}
		facts, err := b.Lookup(ctx, "a", people.Want{At: b.clock.Now(), Groups: []string{"g7", "g0"}})
		require.NoError(t, err)
		g, _ := facts.Group("g7")
		require.Len(t, g.Members, 200)
		g, _ = facts.Group("g0")
		require.Len(t, g.Members, 25)
	})
}
