package db

import (
	"encoding/base64"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"signalbox/ticket"
)

// FuzzCursor: whatever a cursor says, it is a position that a query can be made of, or Invalid; and a position comes back from its own cursor.
func FuzzCursor(f *testing.F) {
	f.Add(Cursor{At: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC), N: 7, ID: "a"}.String())
	for _, raw := range []string{`{}`, `{"n":-1}`, `{"n":1,"a":"9999-12-31T23:59:59-23:59"}`, `{"n":1,"a":"2026-01-01T00:00:00Z","i":"\u0000"}`, `{"n":1e30}`, `null`, `[]`} {
		f.Add(base64.RawURLEncoding.EncodeToString([]byte(raw)))
	}
	f.Add("%%%")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParseCursor(text)
		if err != nil {
			require.True(t, ticket.Is(err, ticket.Invalid))
			return
		}
		if p == nil {
			require.Empty(t, text)
			return
		}
		require.Positive(t, p.N)
		require.True(t, utf8.ValidString(p.ID))
		value, err := At(p.At).Value()
		require.NoError(t, err)
		var back Timestamp
		require.NoError(t, back.Scan(value), "%v", value)
		again, err := ParseCursor(p.String())
		require.NoError(t, err)
		require.True(t, again.At.Equal(p.At) && again.N == p.N && again.ID == p.ID)
	})
}
