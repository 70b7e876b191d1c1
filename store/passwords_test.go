package store_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/people"
	"signalbox/ticket"
)

// password gives a person of tenant a a password.
func (b *bench) password(id, plain string, mustChange bool) {
	b.t.Helper()
	hash, err := b.HashPassword(b.t.Context(), id, plain)
	require.NoError(b.t, err)
	require.NoError(b.t, b.SetPassword(b.t.Context(), "a", "demo", people.Key{ID: id}, hash, mustChange))
}

func TestWhoShowsThePasswordIsThePerson(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		b.persons("Ann", "bob", "chen")
		for _, g := range []struct {
			id      string
			members []people.Member
		}{{"team", []people.Member{{Person: "Ann"}}}, {"unit", []people.Member{{Group: "team"}}}, {"others", []people.Member{{Person: "bob"}}}} {
			_, err := b.group(g.id, g.members...)
			require.NoError(t, err)
		}
		b.password("Ann", "correct horse battery", false)
		b.password("bob", "another good password", true)

		ann, err := b.CheckPassword(ctx, "a", "ann", "correct horse battery")
		require.NoError(t, err, "whatever the case")
		require.Equal(t, people.Account{Person: people.Person{ID: "Ann", Active: true}, Known: true, Groups: []string{"team", "unit"}, PasswordAt: b.clock.Now()}, ann)
		bob, err := b.CheckPassword(ctx, "a", "bob", "another good password")
		require.NoError(t, err)
		require.True(t, bob.MustChange)
		require.Equal(t, []string{"others"}, bob.Groups)

		wrong := func(tenant, id, plain string) {
			t.Helper()
			a, err := b.CheckPassword(ctx, tenant, id, plain)
			refused(t, err, ticket.Unauthorized, "", "the person or the password is not right")
			require.Zero(t, a)
		}
		wrong("a", "Ann", "correct horse batterY")
		wrong("a", "Ann", "another good password")
		wrong("a", "nobody", "correct horse battery")
		wrong("a", "chen", "")
		wrong("b", "Ann", "correct horse battery")
		wrong("a\x00", "\xff", "\x00")

		b.clock.pass(1e9)
		b.password("Ann", "a new and longer one", false)
		wrong("a", "Ann", "correct horse battery")
		again, err := b.Account(ctx, "a", "Ann")
		require.NoError(t, err)
		require.Equal(t, b.clock.Now(), again.PasswordAt)

		_, err = b.keep(people.Person{ID: "Ann", Active: false})
		require.NoError(t, err)
		wrong("a", "Ann", "a new and longer one")
		again, err = b.Account(ctx, "a", "Ann")
		require.NoError(t, err)
		require.True(t, again.Known && !again.Active)
		_, err = b.keep(people.Person{ID: "Ann", Active: true})
		require.NoError(t, err)
		_, err = b.CheckPassword(ctx, "a", "Ann", "a new and longer one")
		require.NoError(t, err, "the password outlasts it")

		require.NoError(t, b.RemovePassword(ctx, "a", "demo", people.Key{ID: "Ann"}))
		wrong("a", "Ann", "a new and longer one")
		stranger, err := b.Account(ctx, "a", "nobody")
		require.NoError(t, err)
		require.Equal(t, people.Account{Person: people.Person{ID: "nobody"}}, stranger)
	})
}

func TestAPasswordBelongsToThePersonAndNotToTheID(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		b.persons("ann", "bob")
		b.password("ann", "correct horse battery", false)
		rec, err := b.ChangePerson(ctx, "a", "demo", people.Key{ID: "ann"}, func(had people.PersonRecord, _ bool) (people.PersonRecord, error) {
			had.ID = "ann.lee"
			return had, nil
		})
		require.NoError(t, err)
		_, err = b.CheckPassword(ctx, "a", "ann.lee", "correct horse battery")
		require.NoError(t, err, "it follows the person")
		b.persons("ann")
		_, err = b.CheckPassword(ctx, "a", "ann", "correct horse battery")
		refused(t, err, ticket.Unauthorized, "", "")

		require.NoError(t, b.RemovePerson(ctx, "a", "demo", people.Key{UID: rec.UID}, nil))
		require.Zero(t, b.count(`SELECT COUNT(*) FROM directory_passwords`), "and goes with them")
		for _, err := range []error{b.SetPassword(ctx, "a", "demo", people.Key{ID: "ann.lee"}, "x", false), b.RemovePassword(ctx, "a", "demo", people.Key{ID: "ann.lee"})} {
			refused(t, err, ticket.NotFound, "", "there is no such person")
		}
	})
}

func TestPasswordsThatAreTakenAndNotShown(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		for plain, why := range map[string]string{
			"eleven char": "at least 12 characters", "": "at least 12", string(make([]byte, 300)): "at most 255", "ANN.LEE@EXAMPLE.com": "must not be the person's id",
			"a line\nand another": "control characters",
		} {
			_, err := b.HashPassword(t.Context(), "ann.lee@example.com", plain)
			refused(t, err, ticket.Invalid, "password", why)
		}
		hash, err := b.HashPassword(t.Context(), "ann", "correct horse battery")
		require.NoError(t, err)
		require.NotContains(t, string(hash), "correct")
		shown := fmt.Sprintf("%s %v %#v", hash, struct{ H people.PasswordHash }{hash}, hash)
		require.NotContains(t, shown, "argon2id")
	})
}

// A hash of another cost is taken, and kept at today's from then on.
func TestHashesAreBroughtUpAsPeopleSignIn(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		b.persons("ann")
		const old = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
		require.NoError(t, b.SetPassword(t.Context(), "a", "demo", people.Key{ID: "ann"}, old, false))
		for range 2 {
			account, err := b.CheckPassword(t.Context(), "a", "ann", "password")
			require.NoError(t, err)
			require.Equal(t, b.clock.Now(), account.PasswordAt, "it is the same password")
			require.Equal(t, 1, b.count(`SELECT COUNT(*) FROM directory_passwords WHERE hash LIKE '$argon2id$v=19$m=19456,t=2,p=1$%'`))
		}
	})
}

func TestTenantsWhosePersonsHavePasswords(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		check := func(want string, wantSeveral bool) {
			t.Helper()
			one, several, err := b.PasswordTenants(t.Context())
			require.NoError(t, err)
			require.Equal(t, want, one)
			require.Equal(t, wantSeveral, several)
		}
		check("", false)
		b.persons("ann", "bob")
		check("", false)
		b.password("ann", "correct horse battery", false)
		b.password("bob", "correct horse battery", false)
		check("a", false)
		_, err := b.ChangePerson(t.Context(), "b", "demo", people.Key{ID: "zoe"}, func(had people.PersonRecord, _ bool) (people.PersonRecord, error) {
			had.Person = people.Person{ID: "zoe", Active: true}
			return had, nil
		})
		require.NoError(t, err)
		require.NoError(t, b.SetPassword(t.Context(), "b", "demo", people.Key{ID: "zoe"}, "x", false))
		check("a", true)
	})
}
