package api_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"

	"signalbox/api"
	"signalbox/api/apitest"
	"signalbox/desk"
)

// TestSlowCallersHoldUpNobody has 500 connections each send a byte of a request now and then. A proper request is answered as fast as ever,
// and the slow ones are cut off when their time is up, however diligently they go on.
func TestSlowCallersHoldUpNobody(t *testing.T) {
	t.Parallel() // it waits
	if testing.Short() {
		t.Skip("it takes long")
	}
	// The requests are to be answered before any of the slow is cut off: a busy machine is given longer for that. A server that was held up
	// would be so for as long as the slow ones last, however long that is.
	for limit := 2 * time.Second; !slowCallers(t, limit); limit *= 2 {
		require.Less(t, limit, time.Minute, "requests wait until slow callers are cut off")
	}
}

// slowCallers reports whether requests were answered while all the slow callers were there, who are cut off after limit.
func slowCallers(t *testing.T, limit time.Duration) bool {
	s := setup(t, api.Config{ReadTimeout: limit})
	address := s.serve(t)
	const slow = 500
	var cut, sent atomic.Int64
	began := time.Now()
	for i := range slow {
		conn, err := net.Dial("tcp", address)
		require.NoError(t, err)
		defer conn.Close()
		head := "GET /issue/1 HTTP/1.1\r\nHost: a\r\nX-Slow: "
		if i%2 == 1 { // half of them are slow in the body
			head = "POST /issue HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\nAuthorization: Bearer " + apitest.Writer + "\r\n\r\n{"
		}
		_, err = conn.Write([]byte(head))
		require.NoError(t, err)
		go func() {
			for {
				if _, err := conn.Write([]byte("a")); err != nil {
					return
				}
				sent.Add(1)
				time.Sleep(50 * time.Millisecond) // this is what a slow caller does; nothing waits for it
			}
		}()
		go func() {
			_, _ = io.Copy(io.Discard, conn)
			cut.Add(1)
		}()
	}
	require.Eventually(t, func() bool { return sent.Load() > 2*slow || cut.Load() > 0 }, time.Minute, time.Millisecond)
	for range 50 {
		r, err := http.NewRequest("GET", "http://"+address+"/issue/1", nil)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+apitest.Writer)
		response, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		response.Body.Close()
		require.Equal(t, 200, response.StatusCode)
	}
	all := cut.Load() == 0
	require.Eventually(t, func() bool { return cut.Load() == slow }, limit+time.Minute, 10*time.Millisecond)
	require.GreaterOrEqual(t, time.Since(began), limit)
	return all
}

// TestTooLargeABodyIsNotTakenIn: whoever announces too large a body is answered before it comes, so it takes no memory; and hears why although
// it goes on sending.
func TestTooLargeABodyIsNotTakenIn(t *testing.T) {
	for name, most := range map[string]int{"counted": 0, "any number of connections": -1} {
		address := setup(t, api.Config{ConnectionsPerAddress: most}).serve(t)
		conn, err := net.Dial("tcp", address)
		require.NoError(t, err)
		defer conn.Close()
		require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
		_, err = fmt.Fprintf(conn, "POST /issue HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n{", 1<<20+1)
		require.NoError(t, err)
		answers := bufio.NewReader(conn)
		response, err := http.ReadResponse(answers, nil)
		require.NoError(t, err, name)
		_, err = io.Copy(io.Discard, response.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusRequestEntityTooLarge, response.StatusCode)
		require.True(t, response.Close)
		_, err = answers.ReadByte()
		require.ErrorIs(t, err, io.EOF, "it says that it says no more")
		for range 16 {
			_, err = conn.Write(make([]byte, 64<<10))
			require.NoError(t, err, "and hears the rest out")
		}
		require.NoError(t, conn.Close())
	}
}

// TestSlowReadersHoldUpNobody has connections ask for large answers and read nothing of them.
func TestSlowReadersHoldUpNobody(t *testing.T) {
	t.Parallel() // it waits
	if testing.Short() {
		t.Skip("it takes long")
	}
	large := api.Route{Method: "GET", Path: "/issue", Scope: desk.Read, Handler: func(c *fiber.Ctx) error { return c.Send(make([]byte, 16<<20)) }}
	for limit := 2 * time.Second; !slowReaders(t, limit, large); limit *= 2 { // as for slow callers
		require.Less(t, limit, time.Minute, "requests wait until slow readers are cut off")
	}
}

// slowReaders reports whether requests were answered before any of the slow readers was cut off, which is after limit.
func slowReaders(t *testing.T, limit time.Duration, large api.Route) bool {
	s := setup(t, api.Config{WriteTimeout: limit}, large)
	address := s.serve(t)
	const slow = 20
	began := time.Now()
	var conns []net.Conn
	for range slow {
		conn, err := net.Dial("tcp", address)
		require.NoError(t, err)
		defer conn.Close()
		_, err = fmt.Fprintf(conn, "GET /issue HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\n\r\n", apitest.Writer)
		require.NoError(t, err)
		conns = append(conns, conn)
	}
	require.Eventually(t, func() bool { return len(s.logged(t)) == slow }, time.Minute, time.Millisecond, "all have been answered")
	for range 50 {
		r, err := http.NewRequest("GET", "http://"+address+"/issue/1", nil)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+apitest.Writer)
		response, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		response.Body.Close()
		require.Equal(t, 200, response.StatusCode)
	}
	inTime := time.Since(began) < limit
	ctx, cancel := context.WithTimeout(t.Context(), limit+time.Minute)
	defer cancel()
	require.NoError(t, s.server.Shutdown(ctx), "nobody who does not read keeps a process from ending")
	for _, conn := range conns {
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(time.Minute)))
		n, err := io.Copy(io.Discard, conn)
		require.True(t, err != nil || n < 16<<20, "what was not read in time is not sent")
	}
	return inTime
}

func TestSoManyConnectionsOfOneAddress(t *testing.T) {
	get := func(conn net.Conn) error {
		if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			return err
		}
		if _, err := conn.Write([]byte("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")); err != nil {
			return err
		}
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			return err
		}
		response.Body.Close()
		return nil
	}
	fill := func(t *testing.T, config api.Config) (address string, conns []net.Conn) {
		address = setup(t, config).serve(t)
		for range 3 {
			conn, err := net.Dial("tcp", address)
			require.NoError(t, err)
			t.Cleanup(func() { conn.Close() })
			require.NoError(t, get(conn))
			conns = append(conns, conn)
		}
		return address, conns
	}
	t.Run("one more is closed", func(t *testing.T) {
		address, conns := fill(t, api.Config{ConnectionsPerAddress: 3})
		conn, err := net.Dial("tcp", address)
		require.NoError(t, err)
		defer conn.Close()
		require.Error(t, get(conn))
		for _, conn := range conns {
			require.NoError(t, get(conn), "the others go on")
		}
		require.NoError(t, conns[0].Close())
		require.Eventually(t, func() bool {
			conn, err := net.Dial("tcp", address)
			if err != nil {
				return false
			}
			defer conn.Close()
			return get(conn) == nil
		}, time.Minute, 10*time.Millisecond, "there is room again")
	})
	t.Run("trusted proxies have as many as they like", func(t *testing.T) {
		address, _ := fill(t, api.Config{ConnectionsPerAddress: 3, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
		conn, err := net.Dial("tcp", address)
		require.NoError(t, err)
		defer conn.Close()
		require.NoError(t, get(conn))
	})
}

func TestTLS(t *testing.T) {
	cert, key := filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	first := api.Certify(t, cert, key, "first")
	address := setup(t, api.Config{TLSCert: cert, TLSKey: key}).serve(t)
	dial := func(trust *x509.Certificate, most uint16) (*tls.Conn, error) {
		roots := x509.NewCertPool()
		roots.AddCert(trust)
		return tls.DialWithDialer(&net.Dialer{Timeout: time.Minute}, "tcp", address, &tls.Config{RootCAs: roots, MaxVersion: most})
	}
	roots := x509.NewCertPool()
	roots.AddCert(first)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	defer client.CloseIdleConnections()
	r, err := http.NewRequest("GET", "https://"+address+"/issue/1", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+apitest.Writer)
	response, err := client.Do(r)
	require.NoError(t, err)
	response.Body.Close()
	require.Equal(t, 200, response.StatusCode)
	require.Equal(t, "max-age=31536000", response.Header.Get("Strict-Transport-Security"))
	_, err = dial(first, tls.VersionTLS11)
	require.Error(t, err, "old versions of TLS are not spoken")

	// A new pair is taken on SIGHUP, without a connection lost.
	open, err := dial(first, 0)
	require.NoError(t, err)
	defer open.Close()
	second := api.Certify(t, cert, key, "second")
	served := func(want *x509.Certificate) func() bool {
		return func() bool {
			conn, err := dial(want, 0)
			if err != nil {
				return false
			}
			return conn.Close() == nil
		}
	}
	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGHUP))
	require.Eventually(t, served(second), time.Minute, 20*time.Millisecond)
	_, err = open.Write([]byte("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"))
	require.NoError(t, err)
	response, err = http.ReadResponse(bufio.NewReader(open), nil)
	require.NoError(t, err)
	response.Body.Close()
}

func TestWhatIsTooLargeHearsWhyOverTLS(t *testing.T) {
	cert, key := filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	roots := x509.NewCertPool()
	roots.AddCert(api.Certify(t, cert, key, "first"))
	address := setup(t, api.Config{TLSCert: cert, TLSKey: key}).serve(t)
	conn, err := tls.Dial("tcp", address, &tls.Config{RootCAs: roots})
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	_, err = fmt.Fprintf(conn, "POST /issue HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", 3<<20)
	require.NoError(t, err)
	for range 3 * 16 {
		_, err = conn.Write(make([]byte, 64<<10))
		require.NoError(t, err, "all that it sends is heard out")
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	response.Body.Close()
	require.Equal(t, http.StatusRequestEntityTooLarge, response.StatusCode)
}

func TestWhoNeverFinishesTheHandshakeIsCutOff(t *testing.T) {
	t.Parallel() // it waits
	cert, key := filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	api.Certify(t, cert, key, "first")
	address := setup(t, api.Config{TLSCert: cert, TLSKey: key, ReadTimeout: time.Second}).serve(t)
	for _, hello := range []string{"", "\x16\x03\x01", "GET / HTTP/1.1\r\n"} {
		conn, err := net.Dial("tcp", address)
		require.NoError(t, err)
		defer conn.Close()
		_, err = conn.Write([]byte(hello))
		require.NoError(t, err)
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(time.Minute)))
		_, err = io.Copy(io.Discard, conn)
		require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "%q", hello)
	}
}

func TestTLSThatCannotBeIsSaidAtTheStart(t *testing.T) {
	cert, key := filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	api.Certify(t, cert, key, "first")
	for name, config := range map[string]api.Config{
		"no key": {TLSCert: cert}, "no certificate": {TLSKey: key}, "no such file": {TLSCert: cert, TLSKey: key + "x"}, "the wrong way round": {TLSCert: key, TLSKey: cert},
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		require.ErrorContains(t, api.New(config, apitest.NewApps(), nil, nil).Serve(l), "TLS", name)
		_, err = l.Accept()
		require.True(t, errors.Is(err, net.ErrClosed), name)
	}
}
