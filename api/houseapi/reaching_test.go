package houseapi_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/api/houseapi"
	"signalbox/notice"
	"signalbox/ticket"
)

// certificate makes one for itself that lasts as long from now, with its key, in PEM.
func certificate(t *testing.T, lasts time.Duration, uses ...x509.ExtKeyUsage) (cert, key string, sum string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(lasts), ExtKeyUsage: uses}
	der, err := x509.CreateCertificate(rand.Reader, c, c, private.Public(), private)
	require.NoError(t, err)
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	digest := sha256.Sum256(der)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})), hex.EncodeToString(digest[:])
}

func reaching(t *testing.T, members map[string]any) (in houseapi.Reaching) {
	t.Helper()
	raw, err := json.Marshal(members)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, &in))
	return in
}

func TestWhatIsWrongWithTLSIsNamed(t *testing.T) {
	cert, key, sum := certificate(t, time.Hour)
	other, otherKey, _ := certificate(t, time.Hour)
	expired, expiredKey, _ := certificate(t, -time.Hour)
	server, serverKey, _ := certificate(t, time.Hour, x509.ExtKeyUsageServerAuth)
	type object = map[string]any
	for name, c := range map[string]struct {
		tls         object
		field, says string
	}{
		"nothing in PEM":             {object{"ca": "x"}, "tls.ca", "certificates in PEM"},
		"nothing":                    {object{"ca": ""}, "tls.ca", "certificates in PEM"},
		"a key among them":           {object{"ca": cert + key}, "tls.ca", "it has private key"},
		"something behind":           {object{"ca": cert + "x"}, "tls.ca", "nothing else"},
		"one that is damaged":        {object{"ca": cert + string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}))}, "tls.ca", "cannot be read, the 2nd"},
		"an authority that expired":  {object{"ca": cert + expired}, "tls.ca", "the 2nd, that expired at"},
		"too many":                   {object{"ca": strings.Repeat(cert, 11)}, "tls.ca", "10 certificates"},
		"too much":                   {object{"ca": strings.Repeat("x", 33<<10)}, "tls.ca", "bytes"},
		"no key":                     {object{"certificate": cert}, "tls.key", "is required"},
		"no certificate":             {object{"key": key}, "tls.certificate", "is required"},
		"another's key":              {object{"certificate": cert, "key": otherKey}, "tls.key", "of the first certificate"},
		"the wrong order":            {object{"certificate": other + cert, "key": key}, "tls.key", "of the first certificate"},
		"no key in it":               {object{"certificate": cert, "key": "x"}, "tls.key", "private key in PEM"},
		"a key with a passphrase":    {object{"certificate": cert, "key": string(pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("x")}))}, "tls.key", "passphrase"},
		"a certificate that expired": {object{"certificate": expired, "key": expiredKey}, "tls.certificate", "expired at"},
		"a server's certificate":     {object{"certificate": server, "key": serverKey}, "tls.certificate", "not for clients"},
	} {
		t.Run(name, func(t *testing.T) {
			var f ticket.Faults
			reaching(t, object{"tls": c.tls}).Check(&f, time.Now())
			refusal := ticket.AsError(f.Err())
			require.NotNil(t, refusal)
			require.Equal(t, c.field, refusal.Field)
			require.Contains(t, refusal.Message, c.says)
			require.NotContains(t, refusal.Message, "BEGIN")
		})
	}
	var f ticket.Faults
	in := reaching(t, object{"tls": object{"ca": other + "\n" + cert, "certificate": cert + other, "key": key}})
	in.Check(&f, time.Now())
	require.NoError(t, f.Err())
	s := in.Apply(notice.Subscription{URL: "https://example.com"})
	require.NoError(t, in.CheckOrigin(notice.Subscription{}, s))
	require.Len(t, s.Trust.CA, 2)
	require.Equal(t, sum, s.Trust.CA[1].SHA256)
	require.Equal(t, sum, s.Trust.Certificate.SHA256)
	require.WithinDuration(t, time.Now().Add(time.Hour), s.Trust.Certificate.Expires, time.Minute)
	raw, err := json.Marshal(s.Trust)
	require.NoError(t, err)
	require.NotContains(t, string(raw), "BEGIN")
}

// What was given for one origin does not go to another.
func TestWhatIsForOneOriginGoesToNoOther(t *testing.T) {
	was := notice.Subscription{URL: "https://example.com/a", HasHeaders: true, Trust: notice.Trust{CA: []notice.Certificate{{SHA256: "x"}}}}
	type object = map[string]any
	for _, c := range []struct {
		url   string
		given object
		field string // empty: it is taken
	}{
		{"https://example.com/b?x", object{}, ""},
		{"HTTPS://Example.com:443", object{}, ""},
		{"https://example.com:8443/a", object{}, "headers"},
		{"https://example.com.evil.example/a", object{}, "headers"},
		{"http://example.com/a", object{}, "headers"},
		{"https://other.example/", object{"headers": object{}}, "tls"},
		{"https://other.example/", object{"tls": object{}}, "headers"},
		{"https://other.example/", object{"tls": object{}, "headers": object{}}, ""},
		{"http://other.example/", object{"tls": object{}, "headers": object{"A": "b"}}, ""},
	} {
		in := reaching(t, c.given)
		s := was
		s.URL = c.url
		err := in.CheckOrigin(was, in.Apply(s))
		if c.field == "" {
			require.NoError(t, err, "%v", c)
			continue
		}
		require.Equal(t, c.field, ticket.AsError(err).Field, "%v", c)
		require.Contains(t, err.Error(), "https://example.com")
	}
	cert, _, _ := certificate(t, time.Hour)
	in := reaching(t, object{"tls": object{"ca": cert}})
	require.Equal(t, "tls", ticket.AsError(in.CheckOrigin(notice.Subscription{}, in.Apply(notice.Subscription{URL: "http://example.com"}))).Field)
}
