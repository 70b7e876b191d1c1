package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// ErrNoKey tells that a secret was sealed with a key that this process was not given.
var ErrNoKey = errors.New("sealed with a key that is not here")

// box keeps secrets with AES-256-GCM. What is sealed names its key, so that the master key can be replaced while older secrets are read on.
type box struct {
	first string // id of the key that seals
	keys  map[string]cipher.AEAD
}

func newMasterBox(master []byte, old [][]byte) (*box, error) {
	if len(master) == 0 {
		return nil, errors.New("a master key is required: 32 random bytes that secrets are sealed with")
	}
	s := &box{first: keyID(master), keys: map[string]cipher.AEAD{}}
	for _, key := range append([][]byte{master}, old...) {
		if len(key) != 32 {
			return nil, fmt.Errorf("a master key has 32 bytes, not %d", len(key))
		}
		if err := s.add(keyID(key), key); err != nil {
			return nil, fmt.Errorf("use the master key: %w", err)
		}
	}
	return s, nil
}

// dataKeyBox seals with data keys, the first of which is in force.
func dataKeyBox(keys []DataKey) (*box, error) {
	s := &box{first: keys[0].ID, keys: map[string]cipher.AEAD{}}
	for _, key := range keys {
		if err := s.add(key.ID, key.Key); err != nil {
			return nil, fmt.Errorf("use the data key %s: %w", key.ID, err)
		}
	}
	return s, nil
}

func (s *box) add(id string, key []byte) error {
	block, err := aes.NewCipher(key)
	if err == nil {
		s.keys[id], err = cipher.NewGCM(block)
	}
	return err
}

// keyID names a key without telling anything of it.
func keyID(key []byte) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:4])
}

// Encrypt encrypts a secret. owner is what it belongs to: sealed text that was moved to another row does not open.
func (s *box) encrypt(secret, owner string) string {
	aead := s.keys[s.first]
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(secret)+aead.Overhead())
	_, _ = rand.Read(nonce) // never fails: crypto/rand ends the process rather than giving weak bytes
	return s.first + "." + base64.RawStdEncoding.EncodeToString(aead.Seal(nonce, nonce, []byte(secret), []byte(owner)))
}

// Decrypt gives back what was sealed for that owner.
func (s *box) decrypt(sealed, owner string) (string, error) {
	id, text, found := strings.Cut(sealed, ".")
	if !found {
		return "", errors.New("not a sealed secret")
	}
	aead, known := s.keys[id]
	if !known {
		return "", fmt.Errorf("key %s: %w", id, ErrNoKey)
	}
	raw, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || len(raw) < aead.NonceSize() {
		return "", errors.New("a sealed secret is damaged")
	}
	plain, err := aead.Open(nil, raw[:aead.NonceSize()], raw[aead.NonceSize():], []byte(owner))
	if err != nil {
		return "", errors.New("a sealed secret does not open for its owner")
	}
	return string(plain), nil
}

// NewSecret makes a secret of 32 random bytes in the given base64 alphabet.
func NewSecret(prefix string, alphabet *base64.Encoding) string {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw)
	return prefix + alphabet.EncodeToString(raw)
}
