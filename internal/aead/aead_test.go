package aead_test

import (
	"bytes"
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/internal/aead"
)

var master = aead.Key{ID: "3eb1bd43", Key: []byte("0123456789abcdef0123456789abcdef")}

// TestWhatWasSealedOpensForEver opens what an earlier version stored in a database: nonce, ciphertext, tag.
func TestWhatWasSealedOpensForEver(t *testing.T) {
	ring, err := aead.NewKeyring(master)
	require.NoError(t, err)
	sealed, err := base64.RawStdEncoding.DecodeString("whDC2TELbHLaBLO49jsosSkJGyS4BkcINXnGvNm1Ld0sBA")
	require.NoError(t, err)
	plain, err := ring.Open("3eb1bd43", sealed, []byte("owner"))
	require.NoError(t, err)
	require.Equal(t, "secret", string(plain))
	require.Len(t, ring.Seal(plain, nil), len(sealed), "what is sealed now has the same parts")
}

func TestKeyringReplacesAKey(t *testing.T) {
	before, err := aead.NewKeyring(master)
	require.NoError(t, err)
	old := before.Seal([]byte("secret"), []byte("owner"))
	after, err := aead.NewKeyring(aead.Key{ID: "next", Key: bytes.Repeat([]byte{1}, aead.KeySize)}, master)
	require.NoError(t, err)
	require.Equal(t, "next", after.InForce())
	require.True(t, after.Has("next") && after.Has(master.ID))
	require.False(t, after.Has(""))

	plain, err := after.Open(master.ID, old, []byte("owner"))
	require.NoError(t, err)
	require.Equal(t, "secret", string(plain))
	renewed := after.Seal(plain, []byte("owner"))
	require.NotEqual(t, renewed, after.Seal(plain, []byte("owner")), "nobody sees that two are the same")
	plain, err = after.Open("next", renewed, []byte("owner"))
	require.NoError(t, err)
	require.Equal(t, "secret", string(plain))

	_, err = before.Open("next", renewed, []byte("owner"))
	require.ErrorIs(t, err, aead.ErrUnknownKey)
	for name, open := range map[string]func() ([]byte, error){
		"another key":   func() ([]byte, error) { return after.Open("next", old, []byte("owner")) },
		"another owner": func() ([]byte, error) { return after.Open(master.ID, old, []byte("other")) },
		"no owner":      func() ([]byte, error) { return after.Open(master.ID, old, nil) },
		"cut":           func() ([]byte, error) { return after.Open(master.ID, old[:5], []byte("owner")) },
		"empty":         func() ([]byte, error) { return after.Open(master.ID, nil, []byte("owner")) },
		"changed": func() ([]byte, error) {
			other := bytes.Clone(old)
			other[len(other)-1] ^= 1
			return after.Open(master.ID, other, []byte("owner"))
		},
	} {
		_, err := open()
		require.ErrorIs(t, err, aead.ErrDamaged, name)
	}
}

func TestKeysHave32Bytes(t *testing.T) {
	_, err := aead.NewKeyring()
	require.Error(t, err)
	for _, size := range []int{0, 16, 24, 31, 33} { // 16 and 24 would be weaker kinds of AES
		_, err := aead.NewKeyring(master, aead.Key{ID: "short", Key: make([]byte, size)})
		require.ErrorContains(t, err, `"short"`)
	}
}
