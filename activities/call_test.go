package activities_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"signalbox/activities"
	"signalbox/flow"
	"signalbox/notice"
	"signalbox/ticket"
)

const replaced = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// vault tells secrets; the first tries fail with what it says.
type vault struct {
	older []string
	fails []error
	asked []string // services
}

func (v *vault) CallSecrets(ctx context.Context, t ticket.Identity, service string) (string, []string, error) {
	v.asked = append(v.asked, t.Tenant+"/"+service)
	if err := ctx.Err(); err != nil {
		return "", nil, errors.Join(ticket.Refuse(ticket.Unavailable, "the database does not answer"), err)
	}
	if len(v.fails) > 0 {
		err := v.fails[0]
		v.fails = v.fails[1:]
		return "", nil, err
	}
	return secret, v.older, nil
}

// till takes calls, and keeps them as they came.
type till struct {
	*httptest.Server
	headers []http.Header
	hosts   []string
	bodies  []string
	status  int
	answer  string
	header  string // what the answer has as X-Name
	chunked bool   // the answer does not say how long it is
}

func newTill(t *testing.T) *till {
	m := &till{status: http.StatusOK}
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		m.headers, m.hosts, m.bodies = append(m.headers, r.Header), append(m.hosts, r.Host), append(m.bodies, string(body))
		if !m.chunked {
			w.Header().Set("Content-Length", strconv.Itoa(len(m.answer)))
		}
		w.Header().Set("X-Name", m.header)
		w.WriteHeader(m.status)
		_, _ = io.WriteString(w, m.answer)
	}))
	t.Cleanup(m.Close)
	return m
}

// caller makes calls over loopback, at a time that a test can move.
func caller(v activities.Secrets, at *time.Time) *activities.Deliveries {
	now := func() time.Time { return *at }
	return &activities.Deliveries{Sender: newSender(), Secrets: v, Now: now, Log: slog.New(slog.DiscardHandler)}
}

func callTo(url string) activities.CallInput {
	return activities.CallInput{
		Ticket: ticket.Identity{Number: "IM1", Tenant: "a"}, Service: "purchase", Hops: 2,
		Call: flow.PendingCall{Node: "pay", Round: 2, Try: 1, Method: "POST", URL: url, Body: `{"金额":5}`, Timeout: 5 * time.Second},
	}
}

func TestEveryAttemptAtACallIsSigned(t *testing.T) {
	m, v, at := newTill(t), &vault{older: []string{replaced}}, time.Now()
	d := caller(v, &at)
	in := callTo(m.URL)
	m.status = http.StatusServiceUnavailable
	_, err := d.CallService(t.Context(), in)
	require.ErrorContains(t, err, "HTTP 503")
	at, m.status = at.Add(2*time.Minute), http.StatusOK
	answer, err := d.CallService(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, 200, answer.Status)
	require.Equal(t, []string{"a/purchase", "a/purchase"}, v.asked)
	require.Len(t, m.headers, 2)
	for i, h := range m.headers {
		require.Equal(t, []string{"IM1:pay:2:1"}, h["Webhook-Id"], "attempt %d", i)
		require.Equal(t, "IM1:pay:2:1", h.Get("Idempotency-Key"))
		for _, s := range []string{secret, replaced} {
			hook, err := standardwebhooks.NewWebhook(s)
			require.NoError(t, err)
			require.NoError(t, hook.Verify([]byte(m.bodies[i]), h), "attempt %d", i)
			require.Error(t, hook.Verify([]byte(m.bodies[i]+" "), h))
		}
	}
	require.NotEqual(t, m.headers[0].Get("webhook-timestamp"), m.headers[1].Get("webhook-timestamp"), "of the attempt")

	in.Call.Try++
	_, err = d.CallService(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, "IM1:pay:2:2", m.headers[2].Get("webhook-id"), "made again by hand, it is another request")

	in.Call.Method, in.Call.Body = "GET", ""
	_, err = d.CallService(t.Context(), in)
	require.NoError(t, err)
	hook, err := standardwebhooks.NewWebhook(secret)
	require.NoError(t, err)
	require.NoError(t, hook.Verify(nil, m.headers[3]), "without a body too")
}

// A definition that was published before such headers were refused goes on, but without them.
func TestWhatSignsACallIsOursAlone(t *testing.T) {
	m, at := newTill(t), time.Now()
	in := callTo(m.URL)
	in.Call.Headers = map[string]string{"Webhook-Signature": "v1,forged", "webhook-id": "forged", "WEBHOOK-TIMESTAMP": "1", "idempotency-key": "theirs", "cdn-loop": "none", "Host": "elsewhere",
		"Content-Length": "3", "Transfer-Encoding": "chunked", "Connection": "upgrade", "Content-Type": "application/json; charset=utf-8", "X-Request-Source": "theirs"}
	_, err := caller(&vault{}, &at).CallService(t.Context(), in)
	require.NoError(t, err)
	h := m.headers[0]
	hook, err := standardwebhooks.NewWebhook(secret)
	require.NoError(t, err)
	require.NoError(t, hook.Verify([]byte(in.Call.Body), h))
	require.Equal(t, []string{"signalbox-us; hops=3"}, m.headers[0]["Cdn-Loop"], "one more than what it is made because of")
	for _, name := range []string{"Webhook-Id", "Webhook-Timestamp", "Webhook-Signature", "Idempotency-Key"} {
		require.Len(t, h[name], 1)
	}
	require.Equal(t, "IM1:pay:2:1", h.Get("Idempotency-Key"))
	require.Empty(t, h.Get("Connection"))
	require.Equal(t, m.Listener.Addr().String(), m.hosts[0])
	require.Equal(t, []string{"application/json; charset=utf-8", "theirs"}, []string{h.Get("Content-Type"), h.Get("X-Request-Source")})
}

// Headers that deliveries must not be given by callers, requests of processes must not be given by nodes, and the other way round but for the
// key that only these have.
func TestReservedHeadersAreTheSameEverywhere(t *testing.T) {
	for _, name := range []string{"Connection", "Keep-Alive", "TE", "Trailer", "Transfer-Encoding", "Upgrade", "Host", "Expect", "Content-Length", "Content-Encoding",
		"Proxy-Authorization", "Proxy-Connection", "CDN-Loop", "webhook-id", "Webhook-Signature", "WEBHOOK-TIMESTAMP", "webhook-anything",
		"Authorization", "Content-Type", "User-Agent", "Accept", "X-Request-Source", "Cookie", "webhooks"} {
		require.Equal(t, notice.CheckHeaders("headers", map[string]string{name: "x"}) != nil, flow.Reserved(name), name)
	}
	require.True(t, flow.Reserved("Idempotency-Key"))
}

func TestACallThatCannotBeSignedIsNotMade(t *testing.T) {
	m, at := newTill(t), time.Now()
	v := &vault{fails: []error{errors.New("sealed with a key that is not here")}}
	_, err := caller(v, &at).CallService(t.Context(), callTo(m.URL))
	require.Equal(t, "the signing secret of the service cannot be read", activities.CallError(err))
	require.Empty(t, m.headers)
	require.Len(t, v.asked, 1, "waiting would not help")
}

// A database that is away for a moment costs no attempt; one that stays away costs it in time for the error to be told.
func TestACallWaitsForTheDatabase(t *testing.T) {
	t.Parallel()
	m, at := newTill(t), time.Now()
	away := ticket.Refuse(ticket.Unavailable, "the database does not answer")
	v := &vault{fails: []error{away, away}}
	in := callTo(m.URL)
	ctx, cancel := context.WithTimeout(t.Context(), in.Call.Timeout+5*time.Second) // as the workflow gives it
	defer cancel()
	_, err := caller(v, &at).CallService(ctx, in)
	require.NoError(t, err)
	require.Len(t, m.headers, 1)
	require.Len(t, v.asked, 3)

	for range 100 {
		v.fails = append(v.fails, away)
	}
	ctx, cancel = context.WithTimeout(t.Context(), in.Call.Timeout+1500*time.Millisecond)
	defer cancel()
	_, err = caller(v, &at).CallService(ctx, in)
	require.Contains(t, activities.CallError(err), "in time")
	require.NoError(t, ctx.Err(), "and there is time left to say so")
	require.Len(t, m.headers, 1)
}

// Half an answer says something else than the whole: one that is too large is not taken at all, and the reason says by how much.
func TestAnAnswerThatIsTooLargeIsNotCut(t *testing.T) {
	m, at := newTill(t), time.Now()
	d := caller(&vault{}, &at)
	for _, c := range []struct {
		size    int
		chunked bool
		why     string
	}{
		{flow.MaxAnswer, false, ""},
		{flow.MaxAnswer, true, ""},
		{flow.MaxAnswer + 1, false, "HTTP 201: the answer has 65537 bytes; at most 65536 are taken"},
		{1 << 20, true, "HTTP 201: the answer has more than 65536 bytes; at most 65536 are taken"},
	} {
		m.status, m.chunked, m.answer = http.StatusCreated, c.chunked, strings.Repeat("x", c.size)
		answer, err := d.CallService(t.Context(), callTo(m.URL))
		require.NoError(t, err)
		require.Equal(t, c.why, answer.Error)
		require.Equal(t, http.StatusCreated, answer.Status)
		if c.why == "" {
			require.Equal(t, m.answer, answer.Body)
		} else {
			require.Empty(t, answer.Body)
		}
	}
}

// Bytes that are no text cannot be kept as they are, and something else in their place would be another answer.
func TestAnAnswerThatIsNoTextIsNotAltered(t *testing.T) {
	m, at := newTill(t), time.Now()
	d := caller(&vault{}, &at)
	for name, c := range map[string]struct{ body, header, why string }{
		"text":             {`{"name":"M\u00fcller, 价"}`, "价", ""},
		"a body in latin1": {"{\"name\":\"M\xfcller\"}", "", "HTTP 201: the answer's body is no valid UTF-8"},
		"a cut character":  {"\xe4\xbb", "", "HTTP 201: the answer's body is no valid UTF-8"},
		"a header":         {"{}", "M\xfcller", "HTTP 201: the answer's header X-Name is no valid UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			m.status, m.answer, m.header = http.StatusCreated, c.body, c.header
			answer, err := d.CallService(t.Context(), callTo(m.URL))
			require.NoError(t, err)
			require.Equal(t, c.why, answer.Error)
			require.Equal(t, http.StatusCreated, answer.Status)
			if c.why == "" {
				require.Equal(t, []string{c.body, c.header}, []string{answer.Body, answer.Headers["x-name"]})
			} else {
				require.Empty(t, answer.Body)
			}
		})
	}
}

// What nobody waits for any more is broken off, and no fault of the receiver's.
func TestACancelledAttemptBreaksItsRequestOff(t *testing.T) {
	came, gone := make(chan struct{}), make(chan struct{})
	m := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		close(came)
		<-r.Context().Done()
		close(gone)
	}))
	t.Cleanup(m.Close)
	ctx, cancel := context.WithCancel(t.Context())
	at := time.Now()
	in := callTo(m.URL)
	in.Call.Timeout = 5 * time.Minute
	go func() { <-came; cancel() }()
	_, err := caller(&vault{}, &at).CallService(ctx, in)
	require.ErrorIs(t, err, context.Canceled)
	<-gone
}

func TestARequestHasTheKeyThatItWasGiven(t *testing.T) {
	m, at := newTill(t), time.Now()
	in := callTo(m.URL)
	in.Call.Key = "buy:1:1:1767323045000000"
	in.Call.Node = "renamed"
	_, err := caller(&vault{}, &at).CallService(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, []string{"IM1:buy:1:1:1767323045000000", "IM1:buy:1:1:1767323045000000"}, []string{m.headers[0].Get("Idempotency-Key"), m.headers[0].Get("webhook-id")})
}
