package people

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var (
	names  = []string{"a", "b", "c", "d", "e", "f"}
	titles = []string{"G", "H", "I", "J", "K"}
)

// anyDirectory makes one in which anything may lie in anything: what is kept has no cycles, and yet nobody may go round for ever.
func anyDirectory(t *rapid.T) *Directory {
	var persons []Person
	for _, id := range names {
		if rapid.IntRange(0, 9).Draw(t, "known") > 0 {
			persons = append(persons, Person{ID: id, Active: rapid.IntRange(0, 4).Draw(t, "active") > 0, Manager: rapid.SampledFrom(append([]string{""}, names...)).Draw(t, "manager")})
		}
	}
	var groups []Group
	for _, id := range titles {
		g := Group{ID: id}
		for range rapid.IntRange(0, 4).Draw(t, "members") {
			if rapid.Bool().Draw(t, "group") {
				g.Members = append(g.Members, Member{Group: rapid.SampledFrom(titles).Draw(t, "title")})
			} else {
				g.Members = append(g.Members, Member{Person: rapid.SampledFrom(names).Draw(t, "person")})
			}
		}
		groups = append(groups, g)
	}
	var absences []Absence
	for i := range rapid.IntRange(0, 8).Draw(t, "absences") {
		a := Absence{ID: string(rune('0' + i)), Person: rapid.SampledFrom(names).Draw(t, "absent"), From: anyTime(t), Deputy: rapid.SampledFrom(append([]string{""}, names...)).Draw(t, "deputy")}
		if rapid.Bool().Draw(t, "ends") {
			a.To = a.From.Add(time.Duration(rapid.IntRange(1, 5).Draw(t, "hours")) * time.Hour)
		}
		if rapid.IntRange(0, 3).Draw(t, "some") == 0 {
			a.Services = []string{"s"}
		}
		absences = append(absences, a)
	}
	return NewDirectory(persons, groups, absences)
}

func anyTime(t *rapid.T) time.Time { return hours(rapid.IntRange(0, 6).Draw(t, "at")) }

// TestWhateverIsKept: no question goes round for ever, members are active, unique and in order, nobody stands in for themself, and nobody who is absent or
// not active stands in.
func TestWhateverIsKept(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, at, service := anyDirectory(t), anyTime(t), rapid.SampledFrom([]string{"", "s", "other"}).Draw(t, "service")
		for _, id := range titles {
			members, more := d.Members(id, 100)
			require.False(t, more)
			require.True(t, slices.IsSorted(members))
			require.Len(t, each(members), len(members))
			require.ElementsMatch(t, slowly(d, id, len(titles)), members)
			cut, more := d.Members(id, 1)
			require.Equal(t, len(members) > 1, more)
			require.Equal(t, members[:min(1, len(members))], cut)
			if cycle := d.Cycle(id); cycle != nil {
				require.Equal(t, cycle[0], cycle[len(cycle)-1])
				for i := range cycle[1:] {
					require.Contains(t, d.groups[cycle[i]].Members, Member{Group: cycle[i+1]})
				}
			} else {
				require.LessOrEqual(t, d.Nesting(id), len(titles))
			}
		}
		for _, id := range names {
			manager := d.ManagerOf(id)
			require.NotEqual(t, id, manager)
			require.True(t, manager == "" || d.persons[manager].Active)
			successor := d.SuccessorOf(id, service, at)
			require.NotEqual(t, id, successor)
			s, absent := d.DeputyOf(id, service, at)
			away := slices.ContainsFunc(d.absences[id], func(a Absence) bool { return a.Holds(service, at) })
			require.Equal(t, away, absent)
			if !absent {
				require.Equal(t, Standing{}, s)
				continue
			}
			require.Equal(t, id, s.For)
			require.NotEqual(t, id, s.Deputy)
			require.True(t, s.Until.IsZero() || s.Until.After(at))
			if s.Deputy != "" {
				require.True(t, d.persons[s.Deputy].Active)
				_, absent := d.DeputyOf(s.Deputy, service, at)
				require.False(t, absent)
			}
		}
		want := Want{At: at, Service: service, Persons: slices.Clone(names), Groups: titles, Managers: names}
		facts := d.Find(want)
		slices.Reverse(want.Persons)
		require.Equal(t, facts, d.Find(want), "the order in which it is asked counts")
	})
}

// slowly finds members by following every way that is not longer than there are groups.
func slowly(d *Directory, group string, left int) (ids []string) {
	if left < 0 {
		return nil
	}
	for _, m := range d.groups[group].Members {
		switch {
		case m.Group != "":
			ids = append(ids, slowly(d, m.Group, left-1)...)
		case d.persons[m.Person].Active:
			ids = append(ids, m.Person)
		}
	}
	return each(ids)
}
