package signin

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/console/page"
	"signalbox/desk"
	"signalbox/people"
)

// directory is who there is.
type directory struct {
	People
	account people.Account
	err     error
}

func (d *directory) Account(context.Context, string, string) (people.Account, error) {
	return d.account, d.err
}

// What somebody may is told by where they are: a group of the directory, or what the provider said.
func TestWhoMayWhat(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	set := now.UnixMicro()
	known := people.Account{Person: people.Person{ID: "ann", Active: true}, Known: true, PasswordAt: now}
	in := func(groups ...string) people.Account { a := known; a.Groups = groups; return a }
	for name, c := range map[string]struct {
		session page.Session
		account people.Account
		admin   bool
		refused bool
	}{
		"a person":                      {page.Session{App: "pages", Tenant: "north", Person: "ann", PasswordAt: set}, in("team"), false, false},
		"of the group":                  {page.Session{App: "pages", Tenant: "north", Person: "ann", PasswordAt: set}, in("chiefs", "team"), true, false},
		"of the provider":               {page.Session{App: "pages", Tenant: "north", Person: "ann", Provider: true}, people.Account{Person: people.Person{ID: "ann"}}, false, false},
		"of the provider's group":       {page.Session{App: "pages", Tenant: "north", Person: "ann", Provider: true, Admin: true}, people.Account{Person: people.Person{ID: "ann"}}, true, false},
		"of the provider, of the group": {page.Session{App: "pages", Tenant: "north", Person: "ann", Provider: true}, in("chiefs"), true, false},
		"an app of that code":           {page.Session{App: "pages", Person: "ann"}, known, false, true},
		"no password":                   {page.Session{App: "pages", Tenant: "north", Person: "ann"}, people.Account{Person: people.Person{ID: "ann"}}, false, true},
		"of another tenant":             {page.Session{App: "pages", Tenant: "south", Person: "ann", Provider: true}, known, false, true},
	} {
		r := New(Config{People: &directory{account: c.account}, Now: func() time.Time { return now }, AdminGroup: "chiefs", Provider: &struct{ Provider }{}, Tenant: "north"})
		who, err := r.Who(t.Context(), c.session)
		require.Equal(t, c.refused, err != nil, "%s: %v", name, err)
		if c.refused {
			continue
		}
		require.Equal(t, "north", who.App.Tenant, name)
		require.True(t, who.Own && who.App.Code == desk.PagesApp && who.Person == "ann" && who.May(page.Act), name)
		require.Equal(t, c.admin, who.May(page.Admin), name)
		require.Equal(t, c.admin, who.May(page.Directory), name)
	}
	r := New(Config{People: &directory{account: in("")}, Now: func() time.Time { return now }})
	who, err := r.Who(t.Context(), page.Session{App: "pages", Tenant: "north", Person: "ann", PasswordAt: set})
	require.NoError(t, err)
	require.False(t, who.May(page.Admin), "no group is nobody's")
}

func TestWhatIsRememberedOfPeopleIsLittle(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	a := newAccounts(func() time.Time { return now })
	for i := range 3 * accountsKept {
		_, err := a.get("north", fmt.Sprint(i), func() (people.Account, error) { return people.Account{}, nil })
		require.NoError(t, err)
		require.LessOrEqual(t, len(a.known), accountsKept)
	}
	_, err := a.get("north", "x", func() (people.Account, error) { return people.Account{}, errors.New("away") })
	require.Error(t, err)
	asked := false
	_, err = a.get("north", "x", func() (people.Account, error) { asked = true; return people.Account{}, nil })
	require.NoError(t, err)
	require.True(t, asked, "a fault is not remembered")
}
