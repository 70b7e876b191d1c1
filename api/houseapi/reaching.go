package houseapi

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"signalbox/api"
	"signalbox/notice"
	"signalbox/ticket"
)

// Reaching is how an address is reached, as callers give it: of a ticket's notifications and of lasting subscriptions alike.
type Reaching struct {
	Timeout *int `json:"timeout"` // seconds
	// Headers are sent along with every delivery. They are told nobody, since any of them may be a secret.
	Headers *map[string]string `json:"headers"`
	TLS     *ReachingTLS       `json:"tls"`
}

// ReachingTLS is whom an address is trusted by and what it is shown, in PEM.
type ReachingTLS struct {
	CA          *string `json:"ca"`
	Certificate *string `json:"certificate"`
	Key         *string `json:"key"`
}

// Check tells what is wrong with it whatever the address is.
func (in Reaching) Check(f *ticket.Faults, now time.Time) {
	if longest := int(notice.MaxTimeout / time.Second); in.Timeout != nil && (*in.Timeout < 1 || *in.Timeout > longest) {
		f.Add("timeout", fmt.Sprintf("must be 1 to %d seconds", longest))
	}
	if in.Headers != nil {
		Note(f, notice.CheckHeaders("headers", *in.Headers))
	}
	if in.TLS != nil {
		in.TLS.read(f, now)
	}
}

// Apply gives s with what was given: an empty object takes headers, or TLS, away. It has been checked.
func (in Reaching) Apply(s notice.Subscription) notice.Subscription {
	if in.Timeout != nil {
		s.Timeout = time.Duration(*in.Timeout) * time.Second
	}
	if in.Headers != nil {
		s.Headers = map[string]string{} // not nil: there are none from now on
		maps.Copy(s.Headers, *in.Headers)
	}
	if in.TLS != nil {
		own, trust := in.TLS.read(new(ticket.Faults), time.Time{})
		s.TLS, s.Trust = &own, trust
	}
	return s
}

// CheckOrigin refuses to send headers or TLS of one origin to another: was is the subscription before, with the address that they were given for, and s with the
// new one. It also refuses TLS where the address is not of https.
func (in Reaching) CheckOrigin(was, s notice.Subscription) error {
	var f ticket.Faults
	if from := notice.OriginOf(was.URL); was.URL != "" && from != notice.OriginOf(s.URL) {
		if was.HasHeaders && in.Headers == nil {
			f.Add("headers", "were given for "+from+" and are not sent elsewhere; give them anew, or {} for none")
		}
		if !was.Trust.None() && in.TLS == nil {
			f.Add("tls", "was given for "+from+" and is not used elsewhere; give it anew, or {} for none")
		}
	}
	if len(f) == 0 && !s.Trust.None() && !strings.HasPrefix(notice.AddressOf(s.URL).URL, "https://") {
		f.Add("tls", "needs an address of https")
	}
	return f.Err()
}

// TrustOf gives what may be seen of a subscription's TLS; nil: it has none.
func TrustOf(s notice.Subscription) *notice.Trust {
	if s.Trust.None() {
		return nil
	}
	return &s.Trust
}

// Note adds a refusal to the faults.
func Note(f *ticket.Faults, err error) {
	if refusal := ticket.AsError(err); refusal != nil {
		*f = append(*f, refusal)
	}
}

// read gives what is kept and what is shown, and tells everything that is wrong, each by its member.
func (in ReachingTLS) read(f *ticket.Faults, now time.Time) (own notice.TLS, trust notice.Trust) {
	own = notice.TLS{CA: api.Value(in.CA), Certificate: api.Value(in.Certificate), Key: api.Value(in.Key)}
	for _, c := range readCertificates(f, "tls.ca", in.CA, now, func(int) bool { return true }) {
		trust.CA = append(trust.CA, shown(c))
	}
	chain := readCertificates(f, "tls.certificate", in.Certificate, now, func(i int) bool { return i == 0 })
	switch {
	case in.Key != nil && in.Certificate == nil:
		f.Add("tls.certificate", "is required with tls.key")
	case in.Key == nil && in.Certificate != nil:
		f.Add("tls.key", "is required with tls.certificate")
	case in.Key != nil:
		checkKey(f, own, chain)
	}
	if len(chain) > 0 {
		c := shown(chain[0])
		trust.Certificate = &c
	}
	return own, trust
}

func shown(c *x509.Certificate) notice.Certificate {
	sum := sha256.Sum256(c.Raw)
	return notice.Certificate{SHA256: hex.EncodeToString(sum[:]), Expires: c.NotAfter.UTC()}
}

// readCertificates gives the certificates of a member; those that lasting chooses must not have expired.
func readCertificates(f *ticket.Faults, field string, text *string, now time.Time, lasting func(i int) bool) (list []*x509.Certificate) {
	if text == nil {
		return nil
	}
	if len(*text) > notice.MaxPEM {
		f.Add(field, ticket.Over(notice.MaxPEM, "bytes", len(*text)))
		return nil
	}
	for rest := []byte(*text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			if len(list) == 0 || len(strings.TrimSpace(string(rest))) > 0 {
				f.Add(field, "must be certificates in PEM, and nothing else")
				return nil
			}
			break
		}
		c, err := x509.ParseCertificate(block.Bytes)
		switch {
		case block.Type != "CERTIFICATE":
			f.Add(field, "must be certificates in PEM, and nothing else; it has "+strings.ToLower(clip(block.Type)))
			return nil
		case err != nil:
			f.Add(field, fmt.Sprintf("has a certificate that cannot be read, the %s", ordinal(len(list)+1)))
			return nil
		}
		list = append(list, c)
	}
	if len(list) > notice.MaxCertificates {
		f.Add(field, ticket.Over(notice.MaxCertificates, "certificates", len(list)))
		return nil
	}
	for i, c := range list {
		switch {
		case !lasting(i):
		case c.NotAfter.Before(now):
			f.Add(field, fmt.Sprintf("has a certificate, the %s, that expired at %s", ordinal(i+1), c.NotAfter.UTC().Format(time.RFC3339)))
			return nil
		}
	}
	return list
}

// checkKey tells what is wrong with the key of a chain that was read.
func checkKey(f *ticket.Faults, own notice.TLS, chain []*x509.Certificate) {
	block, _ := pem.Decode([]byte(own.Key))
	switch {
	case len(own.Key) > notice.MaxPEM:
		f.Add("tls.key", ticket.Over(notice.MaxPEM, "bytes", len(own.Key)))
	case block == nil:
		f.Add("tls.key", "must be a private key in PEM")
	case block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "":
		f.Add("tls.key", "must not be encrypted with a passphrase")
	case len(chain) == 0: // what is wrong with it has been said
	default:
		if _, err := tls.X509KeyPair([]byte(own.Certificate), []byte(own.Key)); err != nil {
			f.Add("tls.key", "must be the private key of the first certificate of tls.certificate")
			return
		}
		uses := chain[0].ExtKeyUsage
		if len(uses) > 0 && !slices.Contains(uses, x509.ExtKeyUsageClientAuth) && !slices.Contains(uses, x509.ExtKeyUsageAny) {
			f.Add("tls.certificate", "has a certificate, the 1st, that is not for clients (extended key usage)")
		}
	}
}

func clip(text string) string { return text[:min(len(text), 40)] }

func ordinal(n int) string {
	switch n {
	case 1:
		return "1st"
	case 2:
		return "2nd"
	case 3:
		return "3rd"
	}
	return fmt.Sprintf("%dth", n)
}
