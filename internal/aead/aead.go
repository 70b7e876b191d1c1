// Package aead encrypts with AES-256-GCM under named keys. It is the only place that does: what the database, Temporal and browsers hold of
// secrets comes from here.
//
// Sealed bytes are a random nonce of 12 bytes, the ciphertext, and a tag of 16 bytes. Their callers write them down in their own encoding, with the
// name of the key beside them. All of it is stored for years, so neither may change. Random nonces are safe for 2^32 seals under one key.
package aead

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
)

// KeySize is the length of every key, in bytes.
const KeySize = 32

var (
	// ErrUnknownKey tells that there is no key of that name. Another process may have it.
	ErrUnknownKey = errors.New("the key is not known here")
	// ErrDamaged tells that sealed bytes were cut or changed, or were sealed under another key or with other additional data.
	ErrDamaged = errors.New("sealed bytes are damaged, or belong elsewhere")
)

// Key is a key of KeySize bytes and the name that is stored beside what was sealed with it.
type Key struct {
	ID  string
	Key []byte
}

// Keyring seals with one key and opens with several, so that a key can be replaced while what it sealed is still read. It does not change, and may
// be used by many at once.
type Keyring struct {
	inForce string
	ciphers map[string]cipher.AEAD
}

// NewKeyring makes a keyring. The first key is the one in force; it is an error when there is none, or one is not KeySize bytes long. Of two with
// the same ID the later one holds.
func NewKeyring(keys ...Key) (*Keyring, error) {
	if len(keys) == 0 {
		return nil, errors.New("there are no keys")
	}
	k := &Keyring{inForce: keys[0].ID, ciphers: make(map[string]cipher.AEAD, len(keys))}
	for _, key := range keys {
		if len(key.Key) != KeySize { // AES would take shorter ones, and be weaker
			return nil, fmt.Errorf("use the key %q: it has %d bytes, not %d", key.ID, len(key.Key), KeySize)
		}
		block, err := aes.NewCipher(key.Key)
		if err == nil {
			k.ciphers[key.ID], err = cipher.NewGCMWithRandomNonce(block)
		}
		if err != nil {
			return nil, fmt.Errorf("use the key %q: %w", key.ID, err)
		}
	}
	return k, nil
}

// InForce is the ID of the key that seals.
func (k *Keyring) InForce() string { return k.inForce }

// Has reports whether the key of that ID is here.
func (k *Keyring) Has(id string) bool { return k.ciphers[id] != nil }

// Seal encrypts under the key in force. additional is not part of what it returns, but must be the same to open it: it ties sealed bytes to where
// they belong. nil: they belong nowhere in particular.
func (k *Keyring) Seal(plain, additional []byte) []byte {
	return k.ciphers[k.inForce].Seal(nil, nil, plain, additional)
}

// Open gives back what was sealed under the key of that ID, or ErrUnknownKey or ErrDamaged.
func (k *Keyring) Open(id string, sealed, additional []byte) ([]byte, error) {
	c := k.ciphers[id]
	if c == nil {
		return nil, fmt.Errorf("key %q: %w", id, ErrUnknownKey)
	}
	plain, err := c.Open(nil, nil, sealed, additional)
	if err != nil {
		return nil, ErrDamaged
	}
	return plain, nil
}
