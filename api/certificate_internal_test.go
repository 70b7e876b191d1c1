package api

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Certify writes a certificate for 127.0.0.1 and its key to the two files.
func Certify(t *testing.T, cert, key, name string) *x509.Certificate {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	require.NoError(t, err)
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), 0o600))
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return parsed
}

// TestACertificateIsReplacedWhileItIsServed: at once when somebody asks for it, otherwise at the next look; and never by what does not fit together.
func TestACertificateIsReplacedWhileItIsServed(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	synctest.Test(t, func(t *testing.T) {
		Certify(t, cert, key, "first")
		pair := &keyPair{cert: cert, key: key, log: slog.New(slog.DiscardHandler)}
		require.NoError(t, pair.load())
		ctx, stop := context.WithCancel(t.Context())
		hangup := make(chan os.Signal, 1)
		go pair.watch(ctx, hangup)
		served := func() string {
			t.Helper()
			synctest.Wait()
			now, err := pair.get(nil)
			require.NoError(t, err)
			return now.Leaf.Subject.CommonName
		}
		began := time.Now()
		Certify(t, cert, key, "the second") // names of several lengths, so that the files differ in size however coarse their times are
		require.Equal(t, "first", served(), "nobody has looked")
		hangup <- syscall.SIGHUP
		require.Equal(t, "the second", served())
		require.Equal(t, began, time.Now(), "no look was waited for")

		require.NoError(t, os.WriteFile(key, []byte("nonsense"), 0o600))
		hangup <- syscall.SIGHUP
		require.Equal(t, "the second", served())
		time.Sleep(lookEvery)
		require.Equal(t, "the second", served())

		Certify(t, cert, key, "the very third")
		time.Sleep(lookEvery)
		require.Equal(t, "the very third", served(), "found without being told")
		stop()
	})
}
