package notice

import "time"

// TLS is how an address of https is connected to, where its owner says so. All of it is PEM.
type TLS struct {
	CA          string `json:"ca,omitempty"`          // certificates that are trusted instead of the system's authorities
	Certificate string `json:"certificate,omitempty"` // that it is shown, and those between it and its authority
	Key         string `json:"key,omitempty"`         // of the certificate, not encrypted
}

// Limits of TLS, in bytes and certificates.
const (
	MaxPEM          = 32 << 10
	MaxCertificates = 10
)

// Trust is what anybody may see of TLS.
type Trust struct {
	CA          []Certificate `json:"ca,omitempty"`
	Certificate *Certificate  `json:"certificate,omitempty"`
}

// Certificate is what tells one certificate from others.
type Certificate struct {
	SHA256  string    `json:"sha256"` // of its DER, in hexadecimal
	Expires time.Time `json:"expires"`
}

// None reports whether there is nothing.
func (t Trust) None() bool { return len(t.CA) == 0 && t.Certificate == nil }
