package password

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAPasswordIsKnownAgain(t *testing.T) {
	h, ctx := NewHasher(2), t.Context()
	hash, err := h.Hash(ctx, "correct horse battery")
	require.NoError(t, err)
	require.Regexp(t, `^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$`, hash, "the cost that OWASP recommends")
	other, err := h.Hash(ctx, "correct horse battery")
	require.NoError(t, err)
	require.NotEqual(t, hash, other, "each has a salt of its own")

	for given, want := range map[string]bool{
		"correct horse battery": true, "correct\u00a0horse battery": true, // a blank is a blank (RFC 8265)
		"Correct horse battery": false, "correct horse battery ": false, "": false, "\x00": false, "\xff": false, strings.Repeat("x", 10_000): false,
	} {
		ok, stale, err := h.Matches(ctx, given, hash)
		require.NoError(t, err)
		require.Equal(t, want, ok, "%q", given)
		require.False(t, stale)
	}
	composed, err := h.Hash(ctx, "café au lait, sucré")
	require.NoError(t, err)
	ok, _, err := h.Matches(ctx, "cafe\u0301 au lait, sucre\u0301", composed)
	require.NoError(t, err)
	require.True(t, ok, "keyboards compose letters in more ways than one")
}

// The vector of the reference implementation (P-H-C/phc-winner-argon2, src/test.c), at another cost than ours.
func TestHashesOfOthersAreReadAndStale(t *testing.T) {
	const hash = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	ok, stale, err := NewHasher(1).Matches(t.Context(), "password", hash)
	require.NoError(t, err)
	require.True(t, ok)
	require.True(t, stale)
}

func TestWhatIsNoHashMatchesNothing(t *testing.T) {
	h := NewHasher(1)
	for _, bad := range []string{"x", "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "$argon2id$v=19$m=4294967295,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"$argon2id$v=19$m=65536,t=0,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$", "$argon2id$v=19$$$"} {
		ok, _, err := h.Matches(t.Context(), "password", bad)
		require.ErrorIs(t, err, errHash, bad)
		require.False(t, ok)
	}
}

// Whoever is nobody costs what somebody costs: as much is hashed, at the same cost.
func TestWithoutAHashNothingMatches(t *testing.T) {
	h := NewHasher(1)
	for _, given := range []string{"", "password", "\x00"} {
		ok, stale, err := h.Matches(t.Context(), given, "")
		require.NoError(t, err)
		require.False(t, ok || stale)
	}
	over, end := context.WithCancel(t.Context())
	end()
	h.places <- struct{}{}
	_, _, err := h.Matches(over, "password", "")
	require.ErrorIs(t, err, ErrBusy, "it waits for a place as well: something is hashed")
}

func TestOnlySoManyAreHashedAtOnce(t *testing.T) {
	h := NewHasher(2)
	h.places <- struct{}{}
	h.places <- struct{}{}
	over, end := context.WithCancel(t.Context())
	end()
	_, err := h.Hash(over, "password")
	require.ErrorIs(t, err, ErrBusy)
	<-h.places
	_, err = h.Hash(t.Context(), "password")
	require.NoError(t, err)
	require.Len(t, h.places, 1, "the place is given back")
}
