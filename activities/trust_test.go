package activities_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/activities"
	"signalbox/activities/trusttest"
	"signalbox/notice"
)

// trusted runs a receiver of https of an authority, and notes whose certificates it saw.
func trusted(a *trusttest.Authority, wants tls.ClientAuthType) (address string, seen func() []string) {
	var mu sync.Mutex
	var names []string
	address = a.Serve(wants, func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		names = append(names, trusttest.Caller(r))
	})
	return address, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return names
	}
}

func TestAnAddressMayHaveAnAuthorityOfItsOwn(t *testing.T) {
	t.Parallel()
	a, other := trusttest.New(t), trusttest.New(t)
	address, seen := trusted(a, tls.NoClientCert)
	s := newSender()
	w := work(address)
	require.Equal(t, notice.ErrorTLS, send(t, s, w).Class, "the system does not trust it")
	w.Subscription.TLS = &notice.TLS{CA: other.PEM}
	require.Equal(t, notice.ErrorTLS, send(t, s, w).Class)
	w.Subscription.TLS = &notice.TLS{CA: other.PEM + a.PEM}
	require.Equal(t, 200, send(t, s, w).Status, "one of several")
	w.Subscription.TLS = nil
	require.Equal(t, notice.ErrorTLS, send(t, s, w).Class, "and it is trusted for nobody else")
	require.Equal(t, []string{""}, seen())
}

func TestAnAddressMayBeShownACertificateOfItsOwn(t *testing.T) {
	t.Parallel()
	a := trusttest.New(t)
	address, seen := trusted(a, tls.RequireAndVerifyClientCert)
	s := newSender()
	own := func(name string) notice.Work {
		w := work(address)
		cert, key := a.Issue(name, x509.ExtKeyUsageClientAuth)
		w.Subscription.TLS = &notice.TLS{CA: a.PEM, Certificate: cert, Key: key}
		return w
	}
	without := work(address)
	without.Subscription.TLS = &notice.TLS{CA: a.PEM}
	require.NotEmpty(t, send(t, s, without).Class)
	first, second := own("first"), own("second")
	for range 2 {
		require.Equal(t, 200, send(t, s, first).Status)
		require.Equal(t, 200, send(t, s, second).Status)
	}
	require.NotEmpty(t, send(t, s, without).Class, "no connection of others is used")
	require.Equal(t, []string{"first", "second", "first", "second"}, seen(), "each over connections of its own")

	broken := own("third")
	broken.Subscription.TLS.Key = first.Subscription.TLS.Key
	require.Equal(t, notice.ErrorUnsendable, send(t, s, broken).Class)
}

// proxy is one that connects (CONNECT) to whatever it is asked, unless it is told to answer otherwise.
type proxy struct {
	mu     sync.Mutex
	asked  []string // target, and the credential that came along
	answer string   // instead of connecting
}

func (p *proxy) start(t *testing.T) *url.URL {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go p.serve(c)
		}
	}()
	return &url.URL{Scheme: "http", Host: listener.Addr().String(), User: url.UserPassword("me", "pass")}
}

func (p *proxy) serve(c net.Conn) {
	defer c.Close()
	r, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil {
		return
	}
	p.mu.Lock()
	p.asked = append(p.asked, r.Method+" "+r.RequestURI+" "+r.Header.Get("Proxy-Authorization"))
	answer := p.answer
	p.mu.Unlock()
	if answer != "" {
		_, _ = io.WriteString(c, answer)
		return
	}
	to, err := net.Dial("tcp", r.RequestURI)
	if err != nil {
		_, _ = io.WriteString(c, "HTTP/1.1 502 Bad Gateway\r\n\r\n")
		return
	}
	defer to.Close()
	_, _ = io.WriteString(c, "HTTP/1.1 200 Connected\r\n\r\n")
	go func() { _, _ = io.Copy(to, c); to.Close() }()
	_, _ = io.Copy(c, to)
}

func (p *proxy) targets() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

func TestAProxyIsAskedForAddressesThatWereChecked(t *testing.T) {
	t.Parallel()
	a := trusttest.New(t)
	secure, _ := trusted(a, tls.NoClientCert)
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(plain.Close)
	var p proxy
	at := p.start(t)
	through := func(reach notice.Reach, proxy *url.URL) *activities.Sender {
		return newSender(func(o *activities.SenderOptions) { o.Proxy, o.Reach = proxy, reach })
	}
	s := through(loopback, at)
	port := func(raw string) string { u, _ := url.Parse(raw); return u.Port() }
	require.Equal(t, 200, send(t, s, work("http://localhost:"+port(plain.URL))).Status)
	w := work("https://localhost:" + port(secure))
	w.Subscription.TLS = &notice.TLS{CA: a.PEM}
	require.Equal(t, 200, send(t, s, w).Status, "the certificate is held against the name")
	const login = " Basic bWU6cGFzcw=="
	require.Equal(t, []string{"CONNECT 127.0.0.1:" + port(plain.URL) + login, "CONNECT 127.0.0.1:" + port(secure) + login}, p.targets(), "never a name")

	blocked := through(notice.Reach{}, at)
	for _, address := range []string{"http://localhost:" + port(plain.URL), plain.URL, "http://10.0.0.1", "http://[::1]:80"} {
		require.Equal(t, notice.ErrorBlocked, send(t, blocked, work(address)).Class, address)
	}
	ports := through(notice.Reach{Networks: loopback.Networks, Ports: []uint16{1}}, at)
	require.Equal(t, notice.ErrorBlocked, send(t, ports, work(plain.URL)).Class)
	require.Equal(t, notice.ErrorDNS, send(t, s, work("http://nobody.invalid")).Class)
	require.Len(t, p.targets(), 2, "it was never asked")

	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	require.Equal(t, notice.ErrorConnect, send(t, s, work("http://"+closed.Addr().String())).Class, "the receiver is not there, the proxy says")
	dead := through(loopback, &url.URL{Scheme: "http", Host: closed.Addr().String()})
	try := send(t, dead, work(plain.URL))
	require.Equal(t, notice.ErrorProxy, try.Class, "which says nothing of the receiver")
	require.NotContains(t, try.Error, closed.Addr().String())
	p.mu.Lock()
	p.answer = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
	p.mu.Unlock()
	require.Equal(t, notice.ErrorProxy, send(t, through(loopback, at), work(plain.URL)).Class)
	p.mu.Lock()
	p.answer = "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"
	p.mu.Unlock()
	require.Equal(t, notice.ErrorConnect, send(t, through(loopback, at), work(plain.URL)).Class, "what nobody asked for is no answer")
}

// A proxy that takes the connection and says nothing, or is slow, holds nobody longer than a try may take, and leaves nothing behind.
func TestAProxyThatSaysNothingHoldsNobody(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	ended := make(chan error, 1)
	go func() {
		c, err := listener.Accept()
		if err == nil {
			_, err = io.Copy(io.Discard, c)
		}
		ended <- err
	}()
	s := newSender(func(o *activities.SenderOptions) {
		o.Proxy, o.Timeout, o.Connect = &url.URL{Scheme: "http", Host: listener.Addr().String()}, 300*time.Millisecond, time.Minute
	})
	require.Equal(t, notice.ErrorTimeout, send(t, s, work("http://127.0.0.1:1")).Class)
	select {
	case <-ended:
	case <-time.After(time.Minute):
		require.Fail(t, "the connection is kept")
	}
}
