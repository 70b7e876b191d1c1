package store

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"

	"signalbox/ticket"
)

// tokens makes the tokens by which the receiver of a callback makes sure that it is ours: the ticket's integer id, so that the ticket is
// found, and a keyed digest of its tenant and number. The keys are derived from the master keys, the first from the one in force.
type tokens struct{ keys [][]byte }

// tokenSize is that of a token in bytes: 8 for the id, and the digest.
const tokenSize = 8 + sha256.Size

var tokenText = base64.RawURLEncoding.Strict()

func newTokens(master []byte, old [][]byte) (*tokens, error) {
	t := &tokens{}
	for _, key := range append([][]byte{master}, old...) {
		derived, err := hkdf.Key(sha256.New, key, nil, "signalbox callback token", sha256.Size)
		if err != nil {
			return nil, fmt.Errorf("derive the key of tokens: %w", err)
		}
		t.keys = append(t.keys, derived)
	}
	return t, nil
}

func (t *tokens) of(id ticket.Identity) string { return tokenText.EncodeToString(sign(t.keys[0], id)) }

func sign(key []byte, id ticket.Identity) []byte {
	out := binary.BigEndian.AppendUint64(make([]byte, 0, tokenSize), uint64(id.ID))
	mac := hmac.New(sha256.New, key)
	// Lengths keep the bounds between the parts.
	for _, part := range []string{id.Tenant, id.Number} {
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		mac.Write([]byte(part))
	}
	return mac.Sum(out)
}

// VerifyToken reports whether a token is that of a ticket of the tenant's. Tokens hold for as long as their ticket exists.
func (s *Store) VerifyToken(ctx context.Context, tenant, token string) (bool, error) {
	raw, err := tokenText.DecodeString(token)
	if err != nil || len(raw) != tokenSize {
		return false, nil
	}
	id := ticket.Identity{ID: int64(binary.BigEndian.Uint64(raw)), Tenant: tenant}
	var found bool
	err = s.read(ctx, func(q *session) error {
		found, err = q.find(ctx, &id.Number, `SELECT number FROM tickets WHERE id = ? AND tenant = ?`, id.ID, tenant)
		return wrap("read a ticket's number", err)
	})
	passed := false
	for _, key := range s.tokens.keys {
		passed = hmac.Equal(raw, sign(key, id)) || passed
	}
	return passed && found, err
}
