package vault

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"

	"signalbox/store/db"
	"signalbox/ticket"
)

// A token is that by which the receiver of a callback makes sure that it is ours: the ticket's integer id, so that the ticket is found, and a
// digest of its tenant and number under a data key. No token is kept outside the bodies that tell it.

// tokenSize is that of a token in bytes: 8 for the id, and the digest.
const tokenSize = 8 + sha256.Size

var tokenText = base64.RawURLEncoding.Strict()

// derivedTokenKeys gives what tokens were made with before there were data keys: keys derived from the master keys, that in force last.
func derivedTokenKeys(master []byte, old [][]byte) (keys [][]byte, err error) {
	for _, key := range append([][]byte{master}, old...) {
		derived, err := hkdf.Key(sha256.New, key, nil, "signalbox callback token", sha256.Size)
		if err != nil {
			return nil, fmt.Errorf("derive the key of tokens: %w", err)
		}
		keys = append([][]byte{derived}, keys...)
	}
	return keys, nil
}

// Token gives the token of a ticket.
func (v *Vault) Token(ctx context.Context, q *db.Tx, id ticket.Identity) (string, error) {
	key, err := v.dataKey(ctx, q, KeyToken)
	if err != nil {
		return "", err
	}
	return tokenText.EncodeToString(tokenBytes(key.Key, id)), nil
}

func tokenBytes(key []byte, id ticket.Identity) []byte {
	out := binary.BigEndian.AppendUint64(make([]byte, 0, tokenSize), uint64(id.ID))
	return append(out, MAC(key, id.Tenant, id.Number)...)
}

// VerifyToken reports whether a token is that of a ticket of the tenant's. Tokens hold for as long as their ticket exists.
func (v *Vault) VerifyToken(ctx context.Context, tenant, token string) (bool, error) {
	raw, err := tokenText.DecodeString(token)
	if err != nil || len(raw) != tokenSize {
		return false, nil
	}
	id := ticket.Identity{ID: int64(binary.BigEndian.Uint64(raw)), Tenant: tenant}
	var found bool
	err = v.db.Read(ctx, func(q *db.Tx) error {
		found, err = q.Find(ctx, &id.Number, `SELECT number FROM tickets WHERE id = ? AND tenant = ?`, id.ID, tenant)
		return db.Wrap("read a ticket's number", err)
	})
	if err != nil {
		return false, err
	}
	keys, err := v.cachedKeys(ctx, KeyToken)
	passed := false
	for _, key := range keys {
		passed = hmac.Equal(raw, tokenBytes(key.Key, id)) || passed
	}
	return passed && found, err
}
