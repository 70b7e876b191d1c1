package page

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestText(t *testing.T) {
	require.Equal(t, "a\nb\t中文 é 🚂", Text("a\nb\t中文 é 🚂"))
	require.Equal(t, "[U+202A][U+202E][U+2066][U+2069]", Text("\u202a\u202e\u2066\u2069"))
	require.Equal(t, "␀␛␡\uFFFD\uFFFD", Text("\x00\x1b\x7f\u0085\xff"))
	require.Equal(t, "short", Fold("short").Whole)
	require.Empty(t, Fold("short").Start)
	long := Fold(strings.Repeat("字", 901))
	require.Equal(t, 240, len([]rune(long.Start)))
	require.Equal(t, 901, long.Size)
	require.Equal(t, "first", Fold("first\n"+strings.Repeat("x\n", 20)).Start)
	require.Equal(t, "0 ms", Took(-time.Second))
	require.Equal(t, "1m30.1s", Took(90*time.Second+140*time.Millisecond))
	require.Equal(t, "\uFFFDab", Opening([]byte("\xff\xfeab")))
}

// TestEarlierCookiesAreReadOn reads a cookie of an earlier version: nobody is signed out by an upgrade.
func TestEarlierCookiesAreReadOn(t *testing.T) {
	c, err := newCookies([]byte("0123456789abcdef0123456789abcdef"))
	require.NoError(t, err)
	const earlier = "9bWDZmZIhsxvMuJGvHUjlKqhZw5ZULmom9Tes7cEVeK3os84db-E8jy-ei8r4sFhIEMA-vjFeDrxpej0OTS7-__eJulqQFOSj4nYz59E8vamG686FS4Brg"
	want := Session{App: "demo", Person: "ann", CSRF: "form", Expires: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	got, ok := c.session(earlier, want.Expires.Add(-time.Second))
	require.True(t, ok)
	require.Equal(t, want, got)
	_, ok = c.session(earlier, want.Expires)
	require.False(t, ok)
}
