package vault

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"signalbox/internal/aead"
)

// ErrNoKey tells that a secret was encrypted with a key that this process was not given.
var ErrNoKey = errors.New("sealed with a key that is not here")

// box encrypts texts. What it gives names its key, so that the key can be replaced while older texts are read on: the id of the key, a full stop, and
// the encrypted bytes in base64.
type box struct{ *aead.Keyring }

func newMasterBox(master []byte, old [][]byte) (box, error) {
	if len(master) == 0 {
		return box{}, errors.New("a master key is required: 32 random bytes that secrets are encrypted with")
	}
	keys := []aead.Key{{ID: keyID(master), Key: master}}
	for _, key := range old {
		keys = append(keys, aead.Key{ID: keyID(key), Key: key})
	}
	ring, err := aead.NewKeyring(keys...)
	if err != nil {
		return box{}, fmt.Errorf("use the master key: %w", err)
	}
	return box{ring}, nil
}

// dataKeyBox encrypts with data keys, the first of which is in force.
func dataKeyBox(keys []DataKey) (box, error) {
	ring, err := aead.NewKeyring(keys...)
	return box{ring}, err
}

// keyID names a key without telling anything of it.
func keyID(key []byte) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:4])
}

// encrypt encrypts a secret. owner is what it belongs to: text that was moved to another row does not decrypt.
func (b box) encrypt(secret, owner string) string {
	return b.InForce() + "." + base64.RawStdEncoding.EncodeToString(b.Seal([]byte(secret), []byte(owner)))
}

// decrypt gives back what was encrypted for that owner.
func (b box) decrypt(encrypted, owner string) (string, error) {
	id, text, found := strings.Cut(encrypted, ".")
	if !found {
		return "", errors.New("not an encrypted secret")
	}
	if !b.Has(id) {
		return "", fmt.Errorf("key %s: %w", id, ErrNoKey)
	}
	raw, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return "", errors.New("an encrypted secret is damaged")
	}
	plain, err := b.Open(id, raw, []byte(owner))
	if err != nil {
		return "", fmt.Errorf("decrypt a secret: %w", err)
	}
	return string(plain), nil
}

// NewSecret makes a secret of 32 random bytes in the given base64 alphabet.
func NewSecret(prefix string, alphabet *base64.Encoding) string {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails: crypto/rand ends the process rather than giving weak bytes
	return prefix + alphabet.EncodeToString(raw)
}
