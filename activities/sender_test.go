package activities_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"signalbox/activities"
	"signalbox/activities/outboxtest"
	"signalbox/notice"
)

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

var loopback = notice.Reach{Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}}

func newSender(change ...func(*activities.SenderOptions)) *activities.Sender {
	o := activities.SenderOptions{Installation: "us", Reach: loopback, Timeout: time.Minute, Connect: time.Minute, Now: time.Now}
	for _, f := range change {
		f(&o)
	}
	return activities.NewSender(o)
}

func work(url string) notice.Work {
	return notice.Work{
		Delivery:     notice.Delivery{ID: "d-1", Hops: 3, Body: []byte(`{"id":"IM1","type":"relations","details":{}}`)},
		Subscription: notice.Subscription{ID: "s-1", URL: url, Secret: secret, Profile: notice.Minutely},
	}
}

func send(t *testing.T, s *activities.Sender, w notice.Work) notice.Attempt {
	t.Helper()
	out, err := s.Send(t.Context(), w)
	require.NoError(t, err)
	require.False(t, out.Attempt.FinishedAt.Before(out.Attempt.StartedAt))
	require.NotContains(t, out.Attempt.Error, "\n")
	return out.Attempt
}

// wire serves every connection with a function, for what no HTTP server would do.
func wire(t *testing.T, serve func(net.Conn, *http.Request)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if request, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
					_, _ = io.ReadAll(request.Body)
					serve(c, request)
				}
			}()
		}
	}()
	return "http://" + listener.Addr().String() + "/hook"
}

func TestATryIsOneSignedPostOfTheExactBody(t *testing.T) {
	w := work("")
	var got *http.Request
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		fmt.Fprint(rw, "thanks")
	}))
	defer server.Close()
	w.Subscription.URL = server.URL + "/hook?a=b"
	a := send(t, newSender(), w)
	require.Equal(t, 200, a.Status)
	require.Equal(t, "d-1", a.DeliveryID)
	require.Equal(t, "thanks", string(a.Answer))
	require.Empty(t, a.Class)
	require.Empty(t, a.Error)

	require.Equal(t, http.MethodPost, got.Method)
	require.Equal(t, "/hook?a=b", got.RequestURI)
	require.Equal(t, "HTTP/1.1", got.Proto)
	require.Equal(t, w.Delivery.Body, body)
	require.Equal(t, "application/json", got.Header.Get("Content-Type"))
	require.Equal(t, "Signalbox", got.Header.Get("User-Agent"))
	require.Equal(t, "d-1", got.Header.Get("webhook-id"))
	require.Equal(t, "signalbox-us; hops=4", got.Header.Get("CDN-Loop"), "one more than what it tells of")
	require.Equal(t, "signalbox-us; hops=4", a.Sent["Cdn-Loop"])
	receiver, err := standardwebhooks.NewWebhook(secret)
	require.NoError(t, err)
	require.NoError(t, receiver.Verify(body, got.Header))
}

// Strict servers, such as Node's, answer 400 to a target with anything in it that RFC 3986 does not let stand there.
func TestOnlyLegalTargetsAreRequested(t *testing.T) {
	// RFC 9112, section 3.2.1, by RFC 3986, appendix A.
	legal := regexp.MustCompile(`^POST /([A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-F]{2})*(\?([A-Za-z0-9\-._~!$&'()*+,;=:@/?]|%[0-9A-F]{2})*)? HTTP/1\.1\r\n$`)
	lines := make(chan string, 1)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			in := bufio.NewReader(c)
			line, _ := in.ReadString('\n')
			lines <- line
			_, _ = c.Write([]byte("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"))
			c.Close()
		}
	}()
	base, sender := "HTTP://"+listener.Addr().String(), newSender()
	outbox := outboxtest.New()
	d := caller(&vault{}, new(time.Time))
	d.Now = time.Now
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.OneOf(rapid.RuneFrom([]rune("aB1-._~!$&'()*+,;=:@/?[]{}|^`\"<>")), rapid.RuneFrom([]rune("é路\U0001F6A2"))))
		address := base + "/" + strings.ReplaceAll(text.Draw(t, "path"), "?", "") + "?" + text.Draw(t, "query") + rapid.SampledFrom([]string{"", "%", "%a", "%2f"}).Draw(t, "end")
		require.NoError(t, notice.CheckURL(address, loopback))
		outbox.Subscribe("s", address, notice.Minutely)
		w := work("")
		w.Subscription.URL = outbox.Subscription("s").URL
		out, err := sender.Send(context.Background(), w)
		require.NoError(t, err)
		require.Equal(t, 200, out.Attempt.Status, address)
		line := <-lines
		require.Regexp(t, legal, line, address)
		require.Equal(t, w.Subscription.URL, "http://"+listener.Addr().String()+strings.Fields(line)[1], "what is stored is what is requested")

		_, err = d.CallService(context.Background(), callTo(address)) // of a process
		require.NoError(t, err)
		require.Equal(t, line, <-lines)
	})
}

func TestEveryAnswerIsReportedAsItIs(t *testing.T) {
	for _, status := range []int{200, 201, 204, 400, 404, 410, 500, 503} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(status) }))
		a := send(t, newSender(), work(server.URL))
		require.Equal(t, status, a.Status)
		require.Empty(t, a.Class)
		server.Close()
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	var followed atomic.Bool
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed.Store(true) }))
	defer target.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		server := httptest.NewServer(http.RedirectHandler(target.URL, status))
		require.Equal(t, status, send(t, newSender(), work(server.URL)).Status)
		server.Close()
	}
	require.False(t, followed.Load())
}

func TestConnectionsAreReused(t *testing.T) {
	var connections atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "ok") }))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	s := newSender()
	for range 5 {
		require.Equal(t, 200, send(t, s, work(server.URL)).Status)
	}
	require.EqualValues(t, 1, connections.Load())
}

func TestAReceiverThatHangsIsLeftAfterTheTimeLimit(t *testing.T) {
	t.Parallel()
	stop := make(chan struct{})
	defer close(stop)
	hang := wire(t, func(net.Conn, *http.Request) { <-stop })
	short := func(timeout time.Duration) *activities.Sender {
		return newSender(func(o *activities.SenderOptions) { o.Timeout = timeout })
	}
	a := send(t, short(200*time.Millisecond), work(hang)) // which hangs for as long as this test lasts
	require.Equal(t, notice.ErrorTimeout, a.Class)
	require.Zero(t, a.Status)

	dripHeaders := wire(t, func(c net.Conn, _ *http.Request) {
		fmt.Fprint(c, "HTTP/1.1 200 OK\r\n")
		for i := 0; ; i++ {
			if _, err := fmt.Fprintf(c, "X-%d: y\r\n", i); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond) // a drip, not a wait for a condition
		}
	})
	a = send(t, short(200*time.Millisecond), work(dripHeaders))
	require.Equal(t, notice.ErrorTimeout, a.Class)
	require.Zero(t, a.Status)

	slowBody := wire(t, func(c net.Conn, _ *http.Request) {
		fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nstart")
		<-stop
	})
	for timeout := 200 * time.Millisecond; timeout < time.Minute; timeout *= 2 {
		if a = send(t, short(timeout), work(slowBody)); a.Status != 0 {
			break // on a busy machine the start takes longer
		}
	}
	require.Equal(t, notice.ErrorTimeout, a.Class)
	require.Equal(t, 200, a.Status, "the status had come")
	require.Equal(t, "start", string(a.Answer))
}

func TestBrokenConnectionsAndStrangeAnswers(t *testing.T) {
	cases := map[string]func(net.Conn, *http.Request){
		"closed": func(net.Conn, *http.Request) {},
		"reset": func(c net.Conn, _ *http.Request) {
			_ = c.(*net.TCPConn).SetLinger(0)
		},
		"not HTTP":     func(c net.Conn, _ *http.Request) { fmt.Fprint(c, "SSH-2.0-x\r\n\r\n") },
		"huge headers": func(c net.Conn, _ *http.Request) { fmt.Fprint(c, "HTTP/1.1 200 OK\r\nX: "+strings.Repeat("a", 1<<20)) },
	}
	for name, serve := range cases {
		a := send(t, newSender(), work(wire(t, serve)))
		require.Equal(t, notice.ErrorConnect, a.Class, "%s: %s", name, a.Error)
		require.Zero(t, a.Status)
		require.NotContains(t, a.Error, "127.0.0.1", name)
	}

	a := send(t, newSender(), work("http://"+refusing(t)))
	require.Equal(t, notice.ErrorConnect, a.Class)
	require.Contains(t, a.Error, "refused")
}

// refusing gives an address at which nobody listens any more.
func refusing(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

func TestNamesThatDoNotResolve(t *testing.T) {
	a := send(t, newSender(), work("http://does-not-exist.invalid/"))
	require.Equal(t, notice.ErrorDNS, a.Class, a.Error)
	require.Contains(t, a.Error, "does-not-exist.invalid")
}

func TestCertificatesAreVerified(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ErrorLog = nil
	defer server.Close()
	a := send(t, newSender(), work(server.URL))
	require.Equal(t, notice.ErrorTLS, a.Class, a.Error)
	require.Zero(t, a.Status)

	trusting := newSender(func(o *activities.SenderOptions) {
		o.RootCAs = server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	})
	require.Equal(t, 200, send(t, trusting, work(server.URL)).Status)
	a = send(t, trusting, work(strings.Replace(server.URL, "127.0.0.1", "localhost", 1)))
	require.Equal(t, notice.ErrorTLS, a.Class, "the certificate is for another name: %s", a.Error)

	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	a = send(t, newSender(), work(strings.Replace(plain.URL, "http:", "https:", 1)))
	require.Equal(t, notice.ErrorTLS, a.Class, a.Error)
}

func TestOnlyTheStartOfAnAnswerIsTakenIn(t *testing.T) {
	var written atomic.Int64
	chunk := []byte(strings.Repeat("x", 64<<10))
	over := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(over)
		for written.Load() < 100<<20 {
			n, err := w.Write(chunk)
			written.Add(int64(n))
			if err != nil {
				return
			}
		}
	}))
	defer server.Close()
	a := send(t, newSender(), work(server.URL))
	require.Equal(t, 200, a.Status)
	require.Empty(t, a.Class)
	require.Len(t, a.Answer, notice.MaxAnswer)
	<-over
	require.Less(t, written.Load(), int64(20<<20), "the rest must never be taken off the wire")
}

func TestTheGuardLooksAtWhatIsConnectedTo(t *testing.T) {
	var called atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called.Store(true) }))
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	require.NoError(t, err)
	closed := newSender(func(o *activities.SenderOptions) { o.Reach = notice.Reach{} })
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "[::1]", "169.254.169.254", "10.0.0.1", "[fd00::1]"} {
		a := send(t, closed, work("http://"+net.JoinHostPort(strings.Trim(host, "[]"), port)+"/"))
		require.Equal(t, notice.ErrorBlocked, a.Class, "%s: %s", host, a.Error)
		require.NotContains(t, a.Error, "127.0.0.1")
	}
	elsewhere := newSender(func(o *activities.SenderOptions) { o.Reach.Ports = []uint16{443} })
	a := send(t, elsewhere, work(server.URL))
	require.Equal(t, notice.ErrorBlocked, a.Class, "an address that was taken before the setting: %s", a.Error)
	require.Contains(t, a.Error, "port "+port)
	require.False(t, called.Load())
	require.Equal(t, 200, send(t, newSender(), work("http://localhost:"+port+"/")).Status)
	require.True(t, called.Load())
}

func TestProxiesOfTheEnvironmentAreNotUsed(t *testing.T) {
	var proxied atomic.Bool
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { proxied.Store(true) }))
	defer proxy.Close()
	t.Setenv("HTTP_PROXY", proxy.URL)
	a := send(t, newSender(), work("http://does-not-exist.invalid/"))
	require.Equal(t, notice.ErrorDNS, a.Class)
	require.False(t, proxied.Load())
}

func TestRetryAfterIsPassedOn(t *testing.T) {
	cases := map[string]time.Duration{"": 0, "120": 2 * time.Minute, "-5": 0, "soon": 0,
		"9223372036854775808": 1 << 31 * time.Second, "99999999999999999999999999": 1 << 31 * time.Second, "-99999999999999999999999999": 0}
	for value, want := range cases {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", value)
			w.WriteHeader(429)
		}))
		out, err := newSender().Send(t.Context(), work(server.URL))
		require.NoError(t, err)
		require.Equal(t, want, out.RetryAfter, value)
		server.Close()
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
		w.WriteHeader(503)
	}))
	defer server.Close()
	out, err := newSender().Send(t.Context(), work(server.URL))
	require.NoError(t, err)
	require.InDelta(t, time.Hour, out.RetryAfter, float64(2*time.Second))
}

func TestATryThatWeBreakOffSaysNothingAboutTheReceiver(t *testing.T) {
	reached := make(chan struct{})
	stop := make(chan struct{})
	defer close(stop)
	url := wire(t, func(net.Conn, *http.Request) { close(reached); <-stop })
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-reached; cancel() }()
	_, err := newSender(func(o *activities.SenderOptions) { o.Timeout = time.Minute }).Send(ctx, work(url))
	require.True(t, errors.Is(err, context.Canceled))
}
