// Package password makes of what people sign in with what may be kept of it, and compares them: argon2id (RFC 9106), written as a PHC string.
package password

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/secure/precis"
)

// cost is what a hash takes: the smaller in memory of the equal choices of OWASP's Password Storage Cheat Sheet.
type cost struct {
	memory  uint32 // KiB
	passes  uint32
	threads uint8
}

var now = cost{memory: 19 << 10, passes: 2, threads: 1}

const (
	saltSize = 16
	sumSize  = 32
	// maxMemory and maxPasses bound what a stored hash may ask for.
	maxMemory = 1 << 20
	maxPasses = 100
)

// ErrBusy tells that others are hashing, and went on for as long as there was time.
var ErrBusy = errors.New("password: too many are hashed at once")

// errHash tells that a stored hash is none of ours.
var errHash = errors.New("password: the hash cannot be read")

// Hasher hashes at most so many at once: each takes 19 MiB.
type Hasher struct{ places chan struct{} }

// NewHasher makes a hasher that does at most so many at once.
func NewHasher(atOnce int) *Hasher { return &Hasher{places: make(chan struct{}, atOnce)} }

// Hash gives what is kept of a password: "$argon2id$v=19$m=…,t=…,p=…$salt$hash". ErrBusy.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	prepared, err := prepare(password)
	if err != nil {
		return "", err
	}
	salt := make([]byte, saltSize)
	_, _ = rand.Read(salt) // never fails: crypto/rand ends the process rather than giving weak bytes
	sum, err := h.sum(ctx, prepared, salt, now, sumSize)
	if err != nil {
		return "", err
	}
	encode := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, now.memory, now.passes, now.threads, encode(salt), encode(sum)), nil
}

// Matches reports whether a password is the one that was hashed; stale tells that it was hashed at another cost than today's. Without a hash it takes as long as
// with one, and nothing matches. ErrBusy.
func (h *Hasher) Matches(ctx context.Context, password, hash string) (ok, stale bool, err error) {
	at, salt, want := now, make([]byte, saltSize), make([]byte, sumSize)
	if hash != "" {
		if at, salt, want, err = parse(hash); err != nil {
			return false, false, err
		}
	}
	prepared, wrong := prepare(password)
	got, err := h.sum(ctx, prepared, salt, at, uint32(len(want)))
	if err != nil {
		return false, false, err
	}
	ok = subtle.ConstantTimeCompare(got, want) == 1 && hash != "" && wrong == nil
	return ok, ok && at != now, nil
}

// sum hashes once there is a place.
func (h *Hasher) sum(ctx context.Context, password string, salt []byte, at cost, size uint32) ([]byte, error) {
	select {
	case h.places <- struct{}{}:
		defer func() { <-h.places }()
	case <-ctx.Done():
		return nil, ErrBusy
	}
	return argon2.IDKey([]byte(password), salt, at.passes, at.memory, at.threads, size), nil
}

// prepare gives a password as it is hashed, however the keyboard composed it (RFC 8265, OpaqueString).
func prepare(password string) (string, error) {
	prepared, err := precis.OpaqueString.String(password)
	if err != nil {
		return "", fmt.Errorf("password: %w", err)
	}
	return prepared, nil
}

// Usable reports whether a text can be a password at all: it has no control characters, and none that nobody has assigned.
func Usable(password string) bool {
	_, err := prepare(password)
	return err == nil
}

func parse(hash string) (at cost, salt, sum []byte, err error) {
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return at, nil, nil, errHash
	}
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &at.memory, &at.passes, &at.threads); err != nil || n != 3 {
		return at, nil, nil, errHash
	}
	salt, badSalt := base64.RawStdEncoding.DecodeString(parts[4])
	sum, badSum := base64.RawStdEncoding.DecodeString(parts[5])
	if badSalt != nil || badSum != nil || len(sum) < 16 || at.passes < 1 || at.threads < 1 || at.memory > maxMemory || at.passes > maxPasses {
		return at, nil, nil, errHash
	}
	return at, salt, sum, nil
}
