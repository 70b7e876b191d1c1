package people

import (
	"time"
	"unicode/utf8"
)

// Limits of passwords, in characters: NIST SP 800-63B and OWASP's ASVS ask for length and for nothing else.
const (
	MinPassword = 12
	MaxPassword = 255
)

// PasswordHash is what is kept of a password. It is never shown.
type PasswordHash string

// String keeps it out of logs and errors.
func (PasswordHash) String() string { return "[redacted]" }

// GoString likewise.
func (PasswordHash) GoString() string { return "[redacted]" }

// MarshalText keeps it out of every document.
func (PasswordHash) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }

// CheckPassword tells what is wrong with a password that a person is to have.
func CheckPassword(field, person, password string) (f Faults) {
	switch n := utf8.RuneCountInString(password); {
	case n < MinPassword:
		f.add(field, "must have at least %d characters", MinPassword)
	case n > MaxPassword:
		f.over(field, MaxPassword, "characters", n)
	case Folded(password) == Folded(person):
		f.add(field, "must not be the person's id")
	}
	return f
}

// Account is a person as whoever signs in: who they are at present, as far as the directory knows them.
type Account struct {
	Person
	Known      bool      // the directory has the person
	Groups     []string  // that the person is in, also through other groups, in the order of their ids
	MustChange bool      // the password is to be changed before anything else
	PasswordAt time.Time // when the password was set; zero: there is none
}
