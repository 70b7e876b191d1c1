package activities_test

import (
	"bufio"
	"compress/gzip"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/activities"
	"signalbox/notice"
)

// raw is a receiver at the level of the connection. It counts those that are open.
type raw struct {
	net.Listener
	open, accepted, requests atomic.Int32
	over                     chan struct{} // closed when no try is under way any more
}

// newRaw serves every connection with a function, and closes it when that returns.
func newRaw(t *testing.T, serve func(r *raw, c *net.TCPConn)) *raw {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r := &raw{Listener: listener, over: make(chan struct{})}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			r.open.Add(1)
			r.accepted.Add(1)
			go func() {
				defer r.open.Add(-1)
				defer c.Close()
				serve(r, c.(*net.TCPConn))
			}()
		}
	}()
	return r
}

// request reads a request from a connection, and reports whether there was one.
func (r *raw) request(from *bufio.Reader) bool {
	request, err := http.ReadRequest(from)
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, request.Body)
	r.requests.Add(1)
	return err == nil
}

// untilClosed waits until the other side closes: all that a receiver that holds us needs to do.
func untilClosed(c io.Reader) { _, _ = io.Copy(io.Discard, c) }

// stage is how far a receiver comes, and what is to become of a try at it.
type stage struct {
	name   string
	secure bool
	serve  func(r *raw, c *net.TCPConn)
	class  notice.ErrorClass
	status int
}

// holds reports whether a try lasts as long as we let it.
func (s stage) holds() bool { return s.class == notice.ErrorTimeout }

// says answers every request with a text, and then holds the connection.
func says(text string) func(*raw, *net.TCPConn) {
	return func(r *raw, c *net.TCPConn) {
		from := bufio.NewReader(c)
		if r.request(from) {
			_, _ = io.WriteString(c, text)
			untilClosed(from)
		}
	}
}

// resets answers every request with a text, and then resets the connection.
func resets(text string) func(*raw, *net.TCPConn) {
	return func(r *raw, c *net.TCPConn) {
		if r.request(bufio.NewReader(c)) {
			_, _ = io.WriteString(c, text)
			_ = c.SetLinger(0)
		}
	}
}

// drips says something again and again, for as long as anybody listens.
func drips(start, again string) func(*raw, *net.TCPConn) {
	return func(r *raw, c *net.TCPConn) {
		if !r.request(bufio.NewReader(c)) {
			return
		}
		_, err := io.WriteString(c, start)
		for err == nil {
			_, err = io.WriteString(c, again)
			time.Sleep(5 * time.Millisecond) // a drip, not a wait for a condition
		}
	}
}

const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n"

// stages are the places at which a receiver can hold or fail a try.
func stages(certificate tls.Certificate) []stage {
	handshake := func(then func(r *raw, c *tls.Conn)) func(*raw, *net.TCPConn) {
		return func(r *raw, c *net.TCPConn) {
			secure := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{certificate}})
			if secure.Handshake() == nil {
				then(r, secure)
			}
		}
	}
	return []stage{
		{"accepts only", false, func(_ *raw, c *net.TCPConn) { untilClosed(c) }, notice.ErrorTimeout, 0},
		{"accepts and reads nothing", false, func(r *raw, c *net.TCPConn) { <-r.over; untilClosed(c) }, notice.ErrorTimeout, 0},
		{"no handshake", true, func(_ *raw, c *net.TCPConn) { untilClosed(c) }, notice.ErrorTimeout, 0},
		{"half a handshake", true, func(_ *raw, c *net.TCPConn) {
			_, _ = c.Write([]byte{22, 3, 3, 0, 100, 2, 0})
			untilClosed(c)
		}, notice.ErrorTimeout, 0},
		{"a handshake only", true, handshake(func(_ *raw, c *tls.Conn) { untilClosed(c) }), notice.ErrorTimeout, 0},
		{"switches protocols behind TLS", true, handshake(func(r *raw, c *tls.Conn) {
			from := bufio.NewReader(c)
			if r.request(from) {
				_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
				untilClosed(from)
			}
		}), "status", 101},
		{"resets at once", false, func(_ *raw, c *net.TCPConn) { _ = c.SetLinger(0) }, notice.ErrorConnect, 0},
		{"resets in the handshake", true, func(_ *raw, c *net.TCPConn) {
			_, _ = c.Read(make([]byte, 10))
			_ = c.SetLinger(0)
		}, notice.ErrorConnect, 0},
		{"resets after the request", false, resets(""), notice.ErrorConnect, 0},
		{"half a status line", false, says("HTTP/1.1 20"), notice.ErrorTimeout, 0},
		{"half a status line, and resets", false, resets("HTTP/1.1 20"), notice.ErrorConnect, 0},
		{"100", false, says("HTTP/1.1 100 Continue\r\n\r\n"), notice.ErrorTimeout, 0},
		{"103", false, says("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"), notice.ErrorTimeout, 0},
		{"101", false, says("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"), "status", 101},
		{"101, and talks", false, drips("HTTP/1.1 101 Switching Protocols\r\n\r\n", "x"), "status", 101},
		{"101, and resets", false, resets("HTTP/1.1 101 Switching Protocols\r\n\r\n"), "status", 101},
		{"headers without end", false, drips("HTTP/1.1 200 OK\r\n", "X: y\r\n"), notice.ErrorTimeout, 0},
		{"half the headers, and resets", false, resets("HTTP/1.1 200 OK\r\nX: y\r\n"), notice.ErrorConnect, 0},
		{"no body", false, says("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), notice.ErrorTimeout, 200},
		{"a body without end", false, drips("HTTP/1.1 200 OK\r\n\r\n", "x"), notice.ErrorTimeout, 200},
		{"half a body, and resets", false, resets("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"), notice.ErrorConnect, 200},
		{"half a chunk", false, says(chunked + "5\r\nab"), notice.ErrorTimeout, 200},
		{"no trailers", false, says(chunked + "2\r\nab\r\n0\r\n"), notice.ErrorTimeout, 200},
		{"trailers without end", false, drips(chunked+"2\r\nab\r\n0\r\n", "X: y\r\n"), notice.ErrorTimeout, 200},
		{"half the trailers, and resets", false, resets(chunked + "2\r\nab\r\n0\r\nX: "), notice.ErrorConnect, 200},
		{"HTTP/0.9", false, func(r *raw, c *net.TCPConn) {
			if r.request(bufio.NewReader(c)) {
				_, _ = io.WriteString(c, "<html>hello</html>")
			}
		}, notice.ErrorConnect, 0},
		{"HTTP/2", false, says("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), notice.ErrorConnect, 0},
		{"HTTP/2 settings", false, says("\x00\x00\x00\x04\x00\x00\x00\x00\x00\r\n\r\n"), notice.ErrorConnect, 0},
	}
}

// ours counts the goroutines that belong to tries, however they were begun.
func ours() (n int, stacks string) {
	buffer := make([]byte, 4<<20)
	buffer = buffer[:runtime.Stack(buffer, true)]
	for _, stack := range strings.Split(string(buffer), "\n\n") {
		for _, mark := range []string{"net/http.(*persistConn)", "net/http.(*Transport)", "activities.(*Deliveries)", "activities.(*Sender)", "activities.(*shift)", "activities.mailer"} {
			if strings.Contains(stack, mark) && !strings.Contains(stack, "signalbox/activities_test.ours") {
				n, stacks = n+1, stacks+stack+"\n\n"
				break
			}
		}
	}
	return n, stacks
}

// eventually waits for what has no event of its own to be waited for.
func eventually(t *testing.T, what string, condition func() bool, more ...any) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !condition(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			for _, text := range more {
				t.Log(*text.(*string))
			}
			require.Fail(t, what)
		}
	}
}

// quiet requires that nothing is left of tries: no goroutine and no connection.
func quiet(t *testing.T, receivers []*raw) {
	t.Helper()
	for _, r := range receivers {
		close(r.over)
	}
	eventually(t, "every connection is closed", func() bool {
		for _, r := range receivers {
			if r.open.Load() > 0 {
				return false
			}
		}
		return true
	})
	var stacks string
	eventually(t, "no goroutine is left", func() bool {
		n, text := ours()
		stacks = text
		return n == 0
	}, &stacks)
}

// misbehaving is a receiver for each stage, with senders whose tries are short where a receiver holds them: how short does not matter then.
type misbehaving struct {
	stages    []stage
	receivers []*raw
	urls      []string
	new       func(timeout time.Duration) *activities.Sender
	holding   *activities.Sender
	failing   *activities.Sender
}

func newMisbehaving(t *testing.T) *misbehaving {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	server.Close()
	m := &misbehaving{stages: stages(server.TLS.Certificates[0])}
	pool := server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	sender := func(timeout time.Duration) *activities.Sender {
		return newSender(func(o *activities.SenderOptions) { o.Timeout, o.RootCAs = timeout, pool })
	}
	m.new = sender
	m.holding, m.failing = sender(700*time.Millisecond), sender(20*time.Second)
	for _, s := range m.stages {
		r := newRaw(t, s.serve)
		m.receivers = append(m.receivers, r)
		scheme := "http://"
		if s.secure {
			scheme = "https://"
		}
		m.urls = append(m.urls, scheme+r.Addr().String()+"/hook")
	}
	return m
}

func (m *misbehaving) sender(s stage) *activities.Sender {
	if s.holds() {
		return m.holding
	}
	return m.failing
}

// each does something for every stage, all at once.
func (m *misbehaving) each(do func(i int, s stage)) {
	var group sync.WaitGroup
	for i, s := range m.stages {
		group.Go(func() { do(i, s) })
	}
	group.Wait()
}

func TestNothingHoldsATryLongerThanItsTime(t *testing.T) {
	m := newMisbehaving(t)
	m.each(func(i int, s stage) {
		w := work(m.urls[i])
		w.Delivery.Body = []byte(`"` + strings.Repeat("x", 64<<10) + `"`)
		if s.name == "accepts and reads nothing" {
			w.Delivery.Body = make([]byte, 32<<20) // more than fits between us
		}
		out, err := m.sender(s).Send(t.Context(), w)
		tries := int32(1)
		for longer := 3 * time.Second; s.holds() && err == nil && out.Attempt.Status != s.status && longer < time.Minute; longer *= 3 {
			tries++
			out, err = m.new(longer).Send(t.Context(), w) // a machine so busy that it was cut off before it had come so far
		}
		if err != nil {
			t.Errorf("%s: %v", s.name, err)
			return
		}
		a := notice.BuiltIn().Of(notice.Publish).Grade(out.Attempt)
		if a.Class != s.class || a.Status != s.status {
			t.Errorf("%s: %s %d, not %s %d: %s", s.name, a.Class, a.Status, s.class, s.status, a.Error)
		}
		if s.holds() && a.Error != "the time was over" {
			t.Errorf("%s: %s", s.name, a.Error)
		}
		if took := a.FinishedAt.Sub(a.StartedAt); took > time.Minute {
			t.Errorf("%s took %s", s.name, took)
		}
		if got := m.receivers[i].accepted.Load(); got > tries { // what was cut off may be accepted later
			t.Errorf("%s: %d connections of %d tries", s.name, got, tries)
		}
	})
	quiet(t, m.receivers)
}

func TestNothingHoldsADrain(t *testing.T) {
	m := newMisbehaving(t)
	for name, sender := range map[string]*activities.Sender{"holding": m.holding, "failing": m.failing} {
		b := newBench(t, 0)
		b.Sender, b.Concurrency, b.Hosts = sender, 4, &activities.Hosts{} // fewer slots than receivers that hold them
		healthy := newReceiver(t, ok)
		n := 0
		for i, s := range m.stages {
			if m.sender(s) == sender {
				id := fmt.Sprint(name, i)
				b.outbox.Subscribe(id, m.urls[i], notice.Publish)
				b.outbox.Enqueue(id, 1, 2)
				n++
			}
		}
		b.outbox.Subscribe("s", healthy.URL, notice.Minutely)
		b.outbox.Enqueue("s", 1, 20)
		b.drain()
		b.await("every first try is written down", func() bool { return b.outbox.Count(notice.Pending) == 0 })
		b.finish()
		require.Equal(t, 20, b.outbox.Count(notice.Sent))
		require.Equal(t, 2*n, b.outbox.Count(notice.Retrying))
		require.Len(t, b.outbox.Attempts(), 20+n, "one try each")
		require.Zero(t, b.Hosts.UnderWay(), "every slot is free")
		healthy.CloseClientConnections()
	}
	quiet(t, m.receivers)
}

func TestNothingHoldsALane(t *testing.T) {
	m := newMisbehaving(t)
	b := newBench(t, 0)
	b.Hosts = &activities.Hosts{}
	holding, failing := b.Deliveries, &activities.Deliveries{Outbox: b.outbox, Lanes: b.lanes, Now: time.Now, Log: b.Log, Sender: m.failing, Hosts: b.Hosts}
	holding.Sender = m.holding
	m.each(func(i int, s stage) {
		d := holding
		if !s.holds() {
			d = failing
		}
		id := fmt.Sprint("l", i)
		b.outbox.Subscribe(id, m.urls[i], notice.Once)
		b.outbox.Enqueue(id, 1, 1)
		lane := notice.Lane{Subscription: id, TicketID: 1}
		b.outbox.SetRetrying(lane, time.Time{}, time.Time{})
		out, err := d.Deliver(t.Context(), activities.DeliverInput{Lane: lane, Delivery: id + ":1:1"})
		if err != nil || out.State != notice.Failed {
			t.Errorf("%s: %v %v", s.name, out, err)
		}
	})
	require.Len(t, b.outbox.Attempts(), len(m.stages), "each try is written down")
	require.Zero(t, b.Hosts.UnderWay(), "every slot is free")
	quiet(t, m.receivers)
}

func TestNothingHoldsACall(t *testing.T) {
	m := newMisbehaving(t)
	m.each(func(i int, s stage) {
		at := time.Now()
		d := caller(&vault{}, &at)
		d.Sender = m.failing
		in := callTo(m.urls[i])
		in.Call.Timeout = 20 * time.Second
		if s.holds() {
			in.Call.Timeout = 700 * time.Millisecond
		}
		out, err := d.CallService(t.Context(), in)
		switch {
		case s.status == 101 && (err != nil || out.Status != 101):
			t.Errorf("%s: %v %v", s.name, out, err)
		case s.status != 101 && err == nil:
			t.Errorf("%s: answered with %v", s.name, out)
		}
	})
	quiet(t, m.receivers)
}

// A connection that was kept can be closed by the receiver at the very moment at which the next request comes. That is nobody's fault, and costs no try.
func TestAKeptConnectionThatDiesCostsNoTry(t *testing.T) {
	body := []byte(`{"id":"` + strings.Repeat("x", 300<<10) + `"}`)
	for name, dies := range map[string]func(r *raw, c *net.TCPConn, from *bufio.Reader){
		"closed before it is read": func(_ *raw, c *net.TCPConn, from *bufio.Reader) { _, _ = from.ReadByte() },
		"reset before it is read":  func(_ *raw, c *net.TCPConn, from *bufio.Reader) { _, _ = from.ReadByte(); _ = c.SetLinger(0) },
		"closed after it was read": func(r *raw, _ *net.TCPConn, from *bufio.Reader) { r.request(from) },
		"reset after it was read":  func(r *raw, c *net.TCPConn, from *bufio.Reader) { r.request(from); _ = c.SetLinger(0) },
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var ids []string
			r := newRaw(t, func(r *raw, c *net.TCPConn) {
				from := bufio.NewReader(c)
				request, err := http.ReadRequest(from)
				if err != nil {
					return
				}
				_, _ = io.Copy(io.Discard, request.Body)
				mu.Lock()
				ids = append(ids, request.Header.Get("webhook-id"))
				mu.Unlock()
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{\"code\":0}")
				dies(r, c, from)
			})
			b := newBench(t, 20*time.Second)
			b.outbox.Subscribe("s", "http://"+r.Addr().String()+"/", notice.Once)
			b.outbox.Enqueue("s", 1, 8)
			b.drain()
			b.await("settled", func() bool { return b.outbox.Count(notice.Pending) == 0 })
			b.finish()
			require.Equal(t, 8, b.outbox.Count(notice.Sent))
			require.Len(t, b.outbox.Attempts(), 8, "the same try")
			require.Len(t, ids, 8, "told once by what was answered")

			s := newSender()
			w := work("http://" + r.Addr().String() + "/")
			w.Delivery.Body = body
			for range 4 {
				a := send(t, s, w)
				require.Equal(t, 200, a.Status, a.Error)
			}
			require.Equal(t, []string{"d-1", "d-1", "d-1", "d-1"}, ids[8:])
		})
	}
}

// What is new and dies is a failed try: it is not known whether it was heard, and the profile says what follows.
func TestAFreshConnectionThatDiesIsAFailedTry(t *testing.T) {
	r := newRaw(t, func(r *raw, c *net.TCPConn) { r.request(bufio.NewReader(c)) })
	a := send(t, newSender(), work("http://"+r.Addr().String()+"/"))
	require.Equal(t, notice.ErrorConnect, a.Class)
	require.EqualValues(t, 1, r.requests.Load())

	// An answer that breaks off on a kept connection is an answer.
	begun := newRaw(t, func(r *raw, c *net.TCPConn) {
		from := bufio.NewReader(c)
		if r.request(from) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
		if r.request(from) {
			_, _ = io.WriteString(c, "HTTP/1.1 2")
		}
	})
	s := newSender()
	require.Equal(t, 200, send(t, s, work("http://"+begun.Addr().String()+"/")).Status)
	a = send(t, s, work("http://"+begun.Addr().String()+"/"))
	require.Equal(t, notice.ErrorConnect, a.Class)
	require.EqualValues(t, 2, begun.requests.Load())
}

// A time limit belongs to a try and not to its connection.
func TestAKeptConnectionHasTheTimeOfTheTryThatUsesIt(t *testing.T) {
	t.Parallel()
	var answered, accepted atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if answered.Add(1) > 1 {
			time.Sleep(1500 * time.Millisecond) // longer than the first try had left
		}
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			accepted.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	at := time.Now()
	d := caller(&vault{}, &at)
	in := callTo(server.URL)
	in.Call.Timeout = time.Second
	_, err := d.CallService(t.Context(), in)
	require.NoError(t, err)
	in.Call.Timeout = time.Minute
	out, err := d.CallService(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, 200, out.Status)
	require.EqualValues(t, 1, accepted.Load(), "on the same connection")
}

func TestGzippedAnswersAreRead(t *testing.T) {
	var asked atomic.Value
	answer := func(write func(w http.ResponseWriter)) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked.Store(r.Header.Get("Accept-Encoding"))
			w.Header().Set("Content-Encoding", "gzip")
			write(w)
		}))
		t.Cleanup(server.Close)
		return server.URL
	}
	zipped := func(text string) func(w http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			z := gzip.NewWriter(w)
			_, _ = io.WriteString(z, text)
			_ = z.Close()
		}
	}
	grade := func(url string) notice.Attempt {
		return notice.BuiltIn().Of(notice.Once).Grade(send(t, newSender(), work(url)))
	}
	a := grade(answer(zipped(`{"code":0}`)))
	require.True(t, a.Succeeded, a.Error)
	require.Equal(t, `{"code":0}`, string(a.Answer))
	require.Equal(t, "gzip", asked.Load())
	require.Equal(t, "gzip", a.Sent["Accept-Encoding"], "what was sent is written down")
	require.Equal(t, "gzip", a.Header["Content-Encoding"])

	bomb := grade(answer(func(w http.ResponseWriter) {
		z := gzip.NewWriter(w)
		chunk := make([]byte, 1<<20)
		for range 1000 {
			if _, err := z.Write(chunk); err != nil {
				return
			}
		}
	}))
	require.Len(t, bomb.Answer, notice.MaxAnswer, "no more than of any other answer")
	require.Equal(t, notice.ErrorBadBody, bomb.Class)

	empty := grade(answer(func(w http.ResponseWriter) {
		z := gzip.NewWriter(w)
		for range 1 << 20 { // members with nothing in them
			if err := errors.Join(z.Close()); err != nil {
				return
			}
			z.Reset(w)
		}
	}))
	require.Equal(t, notice.ErrorBadBody, empty.Class, "what unfolds into nothing is not read for ever")

	plain := grade(answer(func(w http.ResponseWriter) { _, _ = io.WriteString(w, `{"code":0}`) }))
	require.True(t, plain.Succeeded, "one that says gzip and is none: %s", plain.Error)
	nothing := grade(answer(func(w http.ResponseWriter) {}))
	require.Equal(t, notice.ErrorBadBody, nothing.Class)
	broken := grade(answer(func(w http.ResponseWriter) { _, _ = io.WriteString(w, "\x1f\x8b\x08\x00garbage garbage garbage") }))
	require.Equal(t, notice.ErrorBadBody, broken.Class)
	require.Equal(t, 200, broken.Status)

	at := time.Now()
	out, err := caller(&vault{}, &at).CallService(t.Context(), callTo(answer(zipped(`{"ok":true}`))))
	require.NoError(t, err)
	require.Equal(t, `{"ok":true}`, out.Body)
	require.NotContains(t, out.Headers, "content-encoding", "the process is given what was in it")
	out, err = caller(&vault{}, &at).CallService(t.Context(), callTo(answer(zipped(strings.Repeat("x", 100<<10)))))
	require.NoError(t, err)
	require.Equal(t, "HTTP 200: the answer has more than 65536 bytes; at most 65536 are taken", out.Error)
}
