package people

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var noon = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

func hours(n int) time.Time { return noon.Add(time.Duration(n) * time.Hour) }

func TestWhatIsWrongWithAPersonIsNamed(t *testing.T) {
	good := Person{ID: "Ada", Name: "Ada L.", Email: "ada@example.com", Language: "de-CH", TimeZone: "Europe/Zurich", Active: true, Manager: "bob",
		Chats: []Chat{{Network: "slack", Address: "U1"}, {Network: "teams", Address: "ada@example.com", Webhook: "https://example.com/x"}}}
	require.Empty(t, good.Check())
	for _, c := range []struct {
		change func(p *Person)
		field  string
		text   string
	}{
		{func(p *Person) { p.ID = "" }, "id", "is required"},
		{func(p *Person) { p.ID = " ada" }, "id", "must not begin or end with a blank"},
		{func(p *Person) { p.ID = "a,b" }, "id", "comma"},
		{func(p *Person) { p.ID = "a\nb" }, "id", "control"},
		{func(p *Person) { p.ID = strings.Repeat("ä", 256) }, "id", "at most 255 characters, not 256"},
		{func(p *Person) { p.Name = "\xff" }, "name", "UTF-8"},
		{func(p *Person) { p.Email = "ada" }, "email", "e-mail"},
		{func(p *Person) { p.Email = "ada@ex ample.com" }, "email", "e-mail"},
		{func(p *Person) { p.Email = "Ada <ada@example.com>" }, "email", "e-mail"},
		{func(p *Person) { p.Email = "a@-example.com" }, "email", "e-mail"},
		{func(p *Person) { p.Language = "not a language" }, "language", "language tag"},
		{func(p *Person) { p.TimeZone = "Europe/Atlantis" }, "time_zone", "time zone"},
		{func(p *Person) { p.TimeZone = "Local" }, "time_zone", "time zone"},
		{func(p *Person) { p.TimeZone = "../zone" }, "time_zone", "time zone"},
		{func(p *Person) { p.Manager = "Ada" }, "manager", "somebody else"},
		{func(p *Person) { p.Chats = []Chat{{Network: "icq", Address: "1"}} }, "chats[0].network", "one of dingtalk"},
		{func(p *Person) { p.Chats = []Chat{{Network: "slack", Address: "1"}, {Network: "slack", Address: "2"}} }, "chats[1].network", "twice"},
		{func(p *Person) { p.Chats = []Chat{{Network: "slack"}} }, "chats[0].address", "required"},
		{func(p *Person) { p.Chats = []Chat{{Network: "feishu", Address: "all"}} }, "chats[0].address", "one user"},
		{func(p *Person) { p.Chats = []Chat{{Network: "wecom", Address: "@ALL"}} }, "chats[0].address", "one user"},
		{func(p *Person) { p.Chats = []Chat{{Network: "slack", Address: "U1> <!here"}} }, "chats[0].address", "one user"},
		{func(p *Person) { p.Chats = []Chat{{Network: "slack", Webhook: "ftp://example.com"}} }, "chats[0].webhook", "incoming webhook"},
		{func(p *Person) { p.Chats = []Chat{{Network: "slack", Webhook: "https://u:p@example.com"}} }, "chats[0].webhook", "incoming webhook"},
		{func(p *Person) {
			p.Chats = []Chat{{Network: "slack", Webhook: "https://example.com/" + strings.Repeat("x", 2_000)}}
		}, "chats[0].webhook", "at most 2000 bytes"},
		{func(p *Person) { p.Chats = []Chat{{Network: "dingtalk", Address: "1", Secret: "s"}} }, "chats[0].secret", "there is none"},
		{func(p *Person) { p.Letters = Letters{When: "often"} }, "letters.when", "each, digest or none"},
		{func(p *Person) { p.Letters = Letters{When: InDigest} }, "letters.minutes", "from 1 to 1440"},
		{func(p *Person) { p.Letters = Letters{When: InDigest, Minutes: 1441} }, "letters.minutes", "from 1 to 1440"},
		{func(p *Person) { p.Letters = Letters{Minutes: 5} }, "letters.minutes", "only for a digest"},
		{func(p *Person) { p.Letters = Letters{By: []string{"pigeon"}} }, "letters.by[0]", "one of mail, dingtalk"},
		{func(p *Person) { p.Letters = Letters{By: []string{"mail", "mail"}} }, "letters.by[1]", "twice"},
		{func(p *Person) { p.Letters = Letters{By: make([]string, 7)} }, "letters.by", "at most 6 items"},
		{func(p *Person) { p.Chats = make([]Chat, 11) }, "chats", "at most 10 items"},
	} {
		p := good
		c.change(&p)
		faults := p.Check()
		require.Len(t, faults, 1, "%+v", p)
		require.Equal(t, c.field, faults[0].Field)
		require.Contains(t, faults[0].Message, c.text)
	}
	for _, email := range []string{"o'hara+x@sub.example.co", "jörg@müller.example", "root@localhost", "a.b-c_d@1and1.example"} {
		require.True(t, isEmail(email), email)
	}
}

func TestWhatIsWrongWithAGroupIsNamed(t *testing.T) {
	require.Empty(t, Group{ID: "Sales, EMEA", Members: []Member{{Person: "a"}, {Group: "b"}}}.Check())
	require.Equal(t, Faults{{"members[1]", "must have either person or group"}, {"members[2]", "must have either person or group"}, {"members[3].person", "must not contain a comma"}},
		Group{ID: "g", Members: []Member{{Person: "a"}, {}, {Person: "a", Group: "b"}, {Person: "a,b"}}}.Check())
	require.Equal(t, "members", Group{ID: "g", Members: make([]Member, MaxMembers+1)}.Check()[0].Field)
	require.Len(t, Group{ID: "g", Members: make([]Member, MaxMembers)}.Check(), maxFaults)
}

func TestWhatIsWrongWithAnAbsenceIsNamed(t *testing.T) {
	good := Absence{Person: "a", From: noon, To: hours(1), Deputy: "b", Services: []string{"vacation"}}
	require.Empty(t, good.Check())
	for _, c := range []struct {
		change      func(a *Absence)
		field, text string
	}{
		{func(a *Absence) { a.Person = "" }, "person", "required"},
		{func(a *Absence) { a.From = time.Time{} }, "from", "required"},
		{func(a *Absence) { a.To = noon }, "to", "must be after from"},
		{func(a *Absence) { a.To = hours(-1) }, "to", "must be after from"},
		{func(a *Absence) { a.To = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, "to", "years"},
		{func(a *Absence) { a.Deputy = "a" }, "deputy", "somebody else"},
		{func(a *Absence) { a.Services = []string{""} }, "services[0]", "required"},
		{func(a *Absence) { a.Services = make([]string, 101) }, "services", "at most 100"},
	} {
		a := good
		c.change(&a)
		faults := a.Check()
		require.Len(t, faults, 1, "%+v", a)
		require.Equal(t, c.field, faults[0].Field)
		require.Contains(t, faults[0].Message, c.text)
	}
	open := good
	open.To = time.Time{}
	require.Empty(t, open.Check(), "an absence may be open")
}

// house is a directory in which b is not active.
func house(absences ...Absence) *Directory {
	return NewDirectory(
		[]Person{{ID: "a", Active: true, Manager: "b"}, {ID: "b", Manager: "c"}, {ID: "c", Active: true, Manager: "a"}, {ID: "d", Active: true}},
		[]Group{{ID: "all", Members: []Member{{Group: "few"}, {Person: "c"}, {Person: "a"}, {Person: "stranger"}, {Group: "nowhere"}}}, {ID: "few", Members: []Member{{Person: "d"}, {Person: "b"}, {Person: "c"}}}},
		absences)
}

func TestMembersAreTheActiveOnesOnceAndInOrder(t *testing.T) {
	ids, more := house().Members("all", 10)
	require.Equal(t, []string{"a", "c", "d"}, ids)
	require.False(t, more)
	ids, more = house().Members("all", 2)
	require.Equal(t, []string{"a", "c"}, ids)
	require.True(t, more)
	ids, _ = house().Members("nowhere", 10)
	require.Empty(t, ids)
	round := NewDirectory([]Person{{ID: "a", Active: true}}, []Group{{ID: "x", Members: []Member{{Group: "y"}}}, {ID: "y", Members: []Member{{Group: "x"}, {Person: "a"}}}}, nil)
	ids, _ = round.Members("x", 10)
	require.Equal(t, []string{"a"}, ids)
}

func TestTheManagerIsTheFirstActiveOneAbove(t *testing.T) {
	require.Equal(t, "c", house().ManagerOf("a"), "b is not active")
	require.Equal(t, "a", house().ManagerOf("c"))
	require.Empty(t, house().ManagerOf("d"))
	require.Empty(t, house().ManagerOf("stranger"))
	pair := NewDirectory([]Person{{ID: "a", Active: true, Manager: "b"}, {ID: "b", Manager: "a"}}, nil, nil)
	require.Empty(t, pair.ManagerOf("a"), "nobody is above themself")
}

func TestACycleOfGroupsIsNamed(t *testing.T) {
	d := NewDirectory(nil, []Group{{ID: "a", Members: []Member{{Group: "b"}}}, {ID: "b", Members: []Member{{Group: "c"}}}, {ID: "c", Members: []Member{{Person: "x"}, {Group: "b"}}}, {ID: "d"}}, nil)
	require.Equal(t, Faults{{"members", "would make the groups a cycle: b > c > b"}}, d.CheckGroups("members", "a"))
	require.Empty(t, d.CheckGroups("members", "d"))
	self := NewDirectory(nil, []Group{{ID: "a", Members: []Member{{Group: "a"}}}}, nil)
	require.Equal(t, []string{"a", "a"}, self.Cycle("a"))
	// Two ways to one group are no cycle.
	diamond := NewDirectory(nil, []Group{{ID: "a", Members: []Member{{Group: "b"}, {Group: "c"}}}, {ID: "b", Members: []Member{{Group: "d"}}}, {ID: "c", Members: []Member{{Group: "d"}}}, {ID: "d"}}, nil)
	require.Empty(t, diamond.Cycle("a"))
	require.Equal(t, 3, diamond.Nesting("a"))
	var deep []Group
	for i := range MaxNesting + 1 {
		deep = append(deep, Group{ID: string(rune('a' + i)), Members: []Member{{Group: string(rune('b' + i))}}})
	}
	require.Empty(t, NewDirectory(nil, deep[:MaxNesting-1], nil).CheckGroups("members", "a"))
	require.Equal(t, "would lie 18 groups deep; at most 16 may lie in each other", NewDirectory(nil, deep, nil).CheckGroups("members", "a")[0].Message)
}

func TestWhoStandsIn(t *testing.T) {
	away := func(person, deputy string, to time.Time, services ...string) Absence {
		return Absence{ID: person + "-" + deputy, Person: person, From: noon, To: to, Deputy: deputy, Services: services}
	}
	for _, c := range []struct {
		name     string
		absences []Absence
		person   string
		at       time.Time
		want     Standing // of nobody: the person is there
	}{
		{"nobody is absent", nil, "a", noon, Standing{}},
		{"somebody unknown is there", []Absence{away("a", "c", hours(1))}, "stranger", noon, Standing{}},
		{"the deputy", []Absence{away("a", "c", hours(1))}, "a", noon, Standing{"a", "c", hours(1)}},
		{"not before it begins", []Absence{away("a", "c", hours(1))}, "a", noon.Add(-1), Standing{}},
		{"not when it ends", []Absence{away("a", "c", hours(1))}, "a", hours(1), Standing{}},
		{"for ever", []Absence{away("a", "c", time.Time{})}, "a", hours(9999), Standing{For: "a", Deputy: "c"}},
		{"nobody was named", []Absence{away("a", "", hours(1))}, "a", noon, Standing{For: "a", Until: hours(1)}},
		{"the deputy's deputy, until the first is back", []Absence{away("a", "c", hours(5)), away("c", "d", hours(2))}, "a", noon, Standing{"a", "d", hours(2)}},
		{"a cycle ends with nobody", []Absence{away("a", "c", hours(5)), away("c", "a", hours(2))}, "a", noon, Standing{For: "a", Until: hours(2)}},
		{"a deputy who is not active", []Absence{away("a", "b", hours(5))}, "a", noon, Standing{For: "a", Until: hours(5)}},
		{"a deputy who is not active, and has one", []Absence{away("a", "b", hours(5)), away("b", "d", time.Time{})}, "a", noon, Standing{"a", "d", hours(5)}},
		{"a deputy whom nobody knows", []Absence{away("a", "stranger", hours(5))}, "a", noon, Standing{For: "a", Until: hours(5)}},
		{"for another service", []Absence{away("a", "c", hours(1), "other")}, "a", noon, Standing{}},
		{"for this service before all", []Absence{away("a", "c", hours(1)), away("a", "d", hours(2), "s")}, "a", noon, Standing{"a", "d", hours(2)}},
		{"what began later counts", []Absence{{ID: "1", Person: "a", From: hours(-2), To: hours(9), Deputy: "c"}, {ID: "2", Person: "a", From: hours(-1), To: hours(3), Deputy: "d"}}, "a", noon, Standing{"a", "d", hours(3)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, absent := house(c.absences...).DeputyOf(c.person, "s", c.at)
			require.Equal(t, c.want.For != "", absent)
			require.Equal(t, c.want, got)
		})
	}
}

func TestAChainOfDeputiesIsBounded(t *testing.T) {
	var persons []Person
	var absences []Absence
	id := func(i int) string { return string(rune('A' + i)) }
	for i := range MaxChain + 2 {
		persons = append(persons, Person{ID: id(i), Active: true})
		absences = append(absences, Absence{Person: id(i), From: noon, Deputy: id(i + 1)})
	}
	s, _ := NewDirectory(persons, nil, absences[:MaxChain]).DeputyOf(id(0), "", noon)
	require.Equal(t, id(MaxChain), s.Deputy)
	s, absent := NewDirectory(persons, nil, absences[:MaxChain+1]).DeputyOf(id(0), "", noon)
	require.True(t, absent)
	require.Empty(t, s.Deputy)
}

func TestWhoTakesOver(t *testing.T) {
	for _, c := range []struct {
		absences []Absence
		want     string
	}{
		{nil, "c"},
		{[]Absence{{Person: "b", From: noon, Deputy: "d"}}, "d"},
		{[]Absence{{Person: "b", From: noon}}, "c"},
		{[]Absence{{Person: "c", From: noon, Deputy: "a"}}, "a"},
		{[]Absence{{Person: "c", From: noon}}, "c"},
	} {
		require.Equal(t, c.want, house(c.absences...).SuccessorOf("b", "", noon))
	}
	require.Empty(t, house().SuccessorOf("d", "", noon))
}

func TestFactsAnswerWhatWasWanted(t *testing.T) {
	d := house(Absence{Person: "c", From: noon, Deputy: "d"}, Absence{Person: "a", From: hours(1), Deputy: "d"})
	f := d.Find(Want{At: noon, Persons: []string{"stranger", "b", "a", "a"}, Groups: []string{"none", "few"}, Managers: []string{"d", "a"}})
	require.Equal(t, Facts{At: noon, Persons: []KnownPerson{{"a", true}, {"b", false}}, Groups: []FoundGroup{{ID: "few", Known: true, Members: []string{"c", "d"}}, {ID: "none"}},
		Managers: []Managing{{"a", "c"}}, Standings: []Standing{{For: "c", Deputy: "d"}}}, f)
	active, known := f.Person("b")
	require.True(t, known && !active)
	_, known = f.Person("stranger")
	require.False(t, known)
	g, wanted := f.Group("none")
	require.True(t, wanted && !g.Known)
	require.Equal(t, "c", f.ManagerOf("a"))
	require.Empty(t, f.ManagerOf("d"))
	s, absent := f.StandingFor("c")
	require.True(t, absent)
	require.Equal(t, "d", s.Deputy)
	_, absent = f.StandingFor("a")
	require.False(t, absent)
}

func TestIdsThatDifferInCaseAloneFoldAlike(t *testing.T) {
	require.Equal(t, Folded("Ada.Lovelace"), Folded("ADA.lovelace"))
	require.Equal(t, Folded("STRASSE"), Folded("straße"))
	require.NotEqual(t, Folded("ada"), Folded("adá"))
}

func TestHowSomebodyIsTold(t *testing.T) {
	p := Person{ID: "ada", Active: true, Email: "ada@example.com", Chats: []Chat{{Network: "slack", Address: "U1"}, {Network: "wecom", Webhook: "https://example.com/w"}}}
	require.Equal(t, []string{"mail", "wecom"}, p.Ways(), "where there is an address")
	p.Letters.By = []string{"wecom", "slack"}
	require.Equal(t, []string{"wecom"}, p.Ways())
	p.Letters.When = Never
	require.Empty(t, p.Ways())
	p.Letters = Letters{}
	p.Active = false
	require.Empty(t, p.Ways())
	require.True(t, Person{Letters: Letters{When: Each, By: []string{}}}.Equal(Person{}))
	require.False(t, Person{Letters: Letters{When: Never}}.Equal(Person{}))
}

func TestWebhooksAreNotShown(t *testing.T) {
	had := []Chat{{Network: "slack", Address: "U1", Webhook: "https://hooks.example.com/T0/B0/xyz", Secret: "s"}}
	shown := []Chat{had[0].Shown()}
	require.Equal(t, Chat{Network: "slack", Address: "U1", Webhook: "https://hooks.example.com/[redacted]", Secret: "[redacted]"}, shown[0])
	full, faults := Completed(shown, had)
	require.Empty(t, faults)
	require.Equal(t, had, full, "what was read can be kept again as it is")
	full, faults = Completed([]Chat{{Network: "slack", Webhook: "https://hooks.example.com/new"}}, had)
	require.Empty(t, faults)
	require.Equal(t, []Chat{{Network: "slack", Webhook: "https://hooks.example.com/new"}}, full)
	_, faults = Completed([]Chat{{Network: "slack", Webhook: "https://other.example.com/[redacted]", Secret: "[redacted]"}}, nil)
	require.Len(t, faults, 2)
	require.Equal(t, "chats[0].webhook", faults[0].Field)
}
