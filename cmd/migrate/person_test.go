package main

import (
	"bytes"
	"encoding/base64"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/store"
)

func TestAPersonIsGivenAPassword(t *testing.T) {
	file, key := filepath.Join(t.TempDir(), "a.db"), []byte("0123456789abcdef0123456789abcdef")
	t.Setenv("SIGNALBOX_DATABASE_URL", "sqlite:"+file)
	t.Setenv("SIGNALBOX_MASTER_KEY", base64.StdEncoding.EncodeToString(key))
	s, err := store.Open(t.Context(), "sqlite:"+file, store.Options{MasterKey: key, Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	_, err = s.Migrate(t.Context())
	require.NoError(t, err)
	person := func(typed string, args ...string) (string, error) {
		var out bytes.Buffer
		err := runPerson(t.Context(), args, strings.NewReader(typed), &out)
		return out.String(), err
	}

	out, err := person("correct horse battery\r\nwhat follows\n", "-tenant", "north", "-id", "ann", "-name", "Ann Lee")
	require.NoError(t, err)
	require.Empty(t, out, "nothing is said of what was typed")
	account, err := s.CheckPassword(t.Context(), "north", "ann", "correct horse battery")
	require.NoError(t, err)
	require.Equal(t, "Ann Lee", account.Name)
	require.Empty(t, account.Groups)
	require.False(t, account.MustChange)

	_, err = person("another good password", "-tenant", "north", "-id", "ann", "-admin", "-must-change")
	require.NoError(t, err, "without a line's end")
	account, err = s.CheckPassword(t.Context(), "north", "ann", "another good password")
	require.NoError(t, err)
	require.Equal(t, "Ann Lee", account.Name, "what is not said stays")
	require.Equal(t, []string{"signalbox-admins"}, account.Groups)
	require.True(t, account.MustChange)
	t.Setenv("SIGNALBOX_ADMIN_GROUP", "chiefs")
	_, err = person("another good password", "-tenant", "north", "-id", "bob", "-admin")
	require.NoError(t, err)
	account, err = s.Account(t.Context(), "north", "bob")
	require.NoError(t, err)
	require.Equal(t, []string{"chiefs"}, account.Groups)

	for _, c := range []struct{ typed, args, why string }{
		{"short", "-tenant north -id ann", "at least 12 characters"},
		{"", "-tenant north -id ann", "at least 12 characters"},
		{"correct horse battery", "-id ann", "-tenant and -id are required"},
		{"correct horse battery", "-tenant north -id a,b", "must not contain a comma"},
	} {
		_, err := person(c.typed, strings.Fields(c.args)...)
		require.ErrorContains(t, err, c.why)
	}
	_, err = person("", "-tenant", "north", "-id", "ann", "-remove-password")
	require.NoError(t, err)
	_, err = s.CheckPassword(t.Context(), "north", "ann", "another good password")
	require.Error(t, err)
	t.Setenv("SIGNALBOX_ADMIN_GROUP", "")
	out, err = person("", "-help")
	require.NoError(t, err)
	require.Contains(t, out, "-must-change")
}
