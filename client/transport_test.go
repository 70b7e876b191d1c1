package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/client/issue"
)

// script answers one request after the other, and keeps what it was sent.
type script struct {
	answers []func(*http.Request) (*http.Response, error)
	keys    []string
	bodies  []string
	at      []time.Time
	headers []http.Header
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	body := ""
	if r.Body != nil {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		body = string(raw)
	}
	s.keys, s.bodies, s.at, s.headers = append(s.keys, r.Header.Get("X-Idempotency-Key")), append(s.bodies, body), append(s.at, time.Now()), append(s.headers, r.Header)
	next := s.answers[min(len(s.keys), len(s.answers))-1]
	return next(r)
}

func says(status int, body string, headers ...string) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		h := http.Header{"Content-Type": {"application/json"}, "X-Request-Id": {"r-1"}}
		for i := 0; i+1 < len(headers); i += 2 {
			h.Set(headers[i], headers[i+1])
		}
		return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	}
}

func fails(err error) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

// breaks answers, and the connection breaks in the middle of it.
func breaks(r *http.Request) (*http.Response, error) {
	a, _ := says(200, "")(r)
	a.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"success":tr`), broken{}))
	return a, nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

const opened = `{"success":true,"message":"","result":"IM1"}`

func scripted(t *testing.T, o Options, answers ...func(*http.Request) (*http.Response, error)) (*Client, *script) {
	t.Helper()
	s := &script{answers: answers}
	o.Secret, o.HTTP = "secret", &http.Client{Transport: s}
	c, err := New("https://box.example", o)
	require.NoError(t, err)
	return c, s
}

// TestWhatMayBeRepeatedIsRepeated: the same request, with the same key, after at least as long as the answer says, until it is answered.
func TestWhatMayBeRepeatedIsRepeated(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(*http.Request) (*http.Response, error)
		waits  time.Duration // at least
	}{
		"unavailable":               {says(503, `{"success":false,"message":"not now"}`, "Retry-After", "7"), 7 * time.Second},
		"unavailable, silent":       {says(503, `busy`), 0},
		"a gateway":                 {says(502, `<html>`, "Content-Type", "text/html"), 0},
		"a gateway in a hurry":      {says(504, ``), 0},
		"the first still runs":      {says(409, `{"success":false,"message":"the first request is still running"}`, "Retry-After", "1"), time.Second},
		"too often":                 {says(429, `{"success":false,"message":"too often"}`, "Retry-After", "3"), 3 * time.Second},
		"publish's unavailable":     {says(500, `{"request_id":"x","code":"500","msg":"x"}`, "Retry-After", "2"), 2 * time.Second},
		"no connection":             {fails(&net.OpError{Op: "dial", Err: errors.New("connection refused")}), 0},
		"a connection that breaks":  {fails(io.EOF), 0},
		"an answer that breaks off": {breaks, 0},
		"a time of day": {func(r *http.Request) (*http.Response, error) {
			return says(503, ``, "Retry-After", time.Now().Add(5*time.Second).UTC().Format(http.TimeFormat))(r)
		}, 4 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, s := scripted(t, Options{}, c.answer, c.answer, says(200, opened))
				number, err := client.Open(t.Context(), issue.Opening{Origin: "o", Title: "t"})
				require.NoError(t, err)
				require.Equal(t, "IM1", number)
				require.Len(t, s.keys, 3)
				require.NotEmpty(t, s.keys[0])
				require.Equal(t, []string{s.keys[0], s.keys[0], s.keys[0]}, s.keys, "one call is one key")
				require.Equal(t, []string{s.bodies[0], s.bodies[0], s.bodies[0]}, s.bodies)
				require.Contains(t, s.bodies[0], `"title":"t"`)
				for i := 1; i < 3; i++ {
					waited := s.at[i].Sub(s.at[i-1])
					require.GreaterOrEqual(t, waited, max(c.waits, 50*time.Millisecond))
					require.LessOrEqual(t, waited, c.waits+time.Second)
				}
				_, err = client.Open(t.Context(), issue.Opening{Origin: "o", Title: "t"})
				require.NoError(t, err)
				require.NotEqual(t, s.keys[0], s.keys[3], "another call has another")
			})
		})
	}
}

// TestWhatIsFinalIsNotRepeated: once is enough for what would be answered alike.
func TestWhatIsFinalIsNotRepeated(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(*http.Request) (*http.Response, error)
		code   Code // "": nobody answered
	}{
		"wrong":               {says(400, `{"success":false,"message":"title: is required and must not be empty"}`), Invalid},
		"not logged in":       {says(401, `{"success":false,"message":"x"}`), Unauthorized},
		"conflict":            {says(409, `{"success":false,"message":"x"}`), Conflict},
		"reused":              {says(422, `{"success":false,"message":"x"}`), Reused},
		"internal":            {says(500, `{"success":false,"message":"internal error"}`), Internal},
		"too long a wait":     {says(429, `{"success":false,"message":"x"}`, "Retry-After", "60"), TooMany},
		"loop":                {says(508, `{"success":false,"message":"x"}`), Looping},
		"moved":               {says(301, ``, "Location", "https://elsewhere.example/"), Unexpected},
		"a page in between":   {says(200, `<html>`, "Content-Type", "text/html"), Unexpected},
		"no such name":        {fails(&net.DNSError{IsNotFound: true}), ""},
		"a wrong certificate": {fails(&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}), ""},
		"http for https":      {fails(http.ErrSchemeMismatch), ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, s := scripted(t, Options{}, c.answer)
				_, err := client.Open(t.Context(), issue.Opening{Origin: "o"})
				require.Len(t, s.keys, 1)
				var refusal *Error
				if c.code == "" {
					var unanswered *Unanswered
					require.ErrorAs(t, err, &unanswered)
					require.Equal(t, s.keys[0], unanswered.Key)
					return
				}
				require.ErrorAs(t, err, &refusal)
				require.Equal(t, c.code, refusal.Code)
				require.ErrorIs(t, err, c.code)
				require.Equal(t, "r-1", refusal.RequestID)
			})
		})
	}
}

func TestErrorsNameTheField(t *testing.T) {
	for body, want := range map[string]Error{
		`{"success":false,"message":"title: is required and must not be empty"}`:                                   {Field: "title", Message: "is required and must not be empty"},
		`{"success":false,"message":"relations[2].type: is there twice"}`:                                          {Field: "relations[2].type", Message: "is there twice"},
		`{"success":false,"message":"the definition has a fault: 6:48 nodes[0].next: there is no node"}`:           {Message: "the definition has a fault: 6:48 nodes[0].next: there is no node"},
		`{"code":"MTCH-0001","title":"Bad Request","message":"status: must be OPEN","details":{"field":"status"}}`: {Field: "status", Message: "must be OPEN"},
		`{"request_id":"x","code":"400","msg":"参数event_source不能为空"}`:                                               {Message: "参数event_source不能为空"},
		``: {Message: "Bad Request"},
	} {
		client, _ := scripted(t, Options{}, says(400, body))
		_, err := client.Open(t.Context(), issue.Opening{})
		var got *Error
		require.ErrorAs(t, err, &got)
		require.Equal(t, want.Field, got.Field, body)
		require.Equal(t, want.Message, got.Message, body)
		require.Equal(t, 400, got.Status)
	}
}

// TestACallEndsWithItsContext: it does not wait for what it cannot live to see, and says what it was last told.
func TestACallEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, s := scripted(t, Options{}, says(503, `{"success":false,"message":"not now"}`, "Retry-After", "20"))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		began := time.Now()
		_, err := client.Open(ctx, issue.Opening{})
		require.ErrorIs(t, err, Unavailable)
		require.Zero(t, time.Since(began), "the answer is not waited for in vain")
		require.Len(t, s.keys, 1)
	})
	synctest.Test(t, func(t *testing.T) { // somebody who hangs
		hangs := func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() }
		client, s := scripted(t, Options{Timeout: time.Second, Tries: 3}, hangs)
		began := time.Now()
		_, err := client.Open(t.Context(), issue.Opening{})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Len(t, s.keys, 3, "each try has its time")
		require.Less(t, time.Since(began), 5*time.Second)
	})
	synctest.Test(t, func(t *testing.T) { // whoever calls goes away
		ctx, cancel := context.WithCancel(t.Context())
		client, s := scripted(t, Options{}, func(*http.Request) (*http.Response, error) { cancel(); return nil, context.Canceled })
		_, err := client.Open(ctx, issue.Opening{})
		require.ErrorIs(t, err, context.Canceled)
		require.Len(t, s.keys, 1)
	})
}

func TestWhatIsSentAlong(t *testing.T) {
	client, s := scripted(t, Options{UserAgent: "mine"}, says(200, opened))
	_, err := client.Open(WithKey(WithLoop(t.Context(), http.Header{"Cdn-Loop": {"signalbox-a; hops=2"}}), "k:1"), issue.Opening{})
	require.NoError(t, err)
	require.Equal(t, "k:1", s.keys[0])
	require.Equal(t, "Access_Key secret", s.headers[0].Get("Authorization"))
	require.Equal(t, "mine", s.headers[0].Get("User-Agent"))
	require.Equal(t, "signalbox-a; hops=2", s.headers[0].Get("CDN-Loop"))

	client, s = scripted(t, Options{}, says(200, `{"id":"IM1"}`))
	_, err = client.Read(t.Context(), "IM1")
	require.NoError(t, err)
	require.Empty(t, s.keys[0], "who only reads needs no key")
}

func TestAddressesThatAreNone(t *testing.T) {
	for _, address := range []string{"", "box.example", "ftp://box.example", "http://", "http://u:hidden@box.example", "http://box.example/?a=b", "http://box.example/#x", "http://a b"} {
		_, err := New(address, Options{})
		require.Error(t, err, address)
		require.NotContains(t, err.Error(), "hidden")
	}
	_, err := New("http://box.example", Options{Secret: "two\nlines"})
	require.ErrorContains(t, err, "secret")
	require.NotContains(t, err.Error(), "lines")
}

func TestAPathBeforeAllCalls(t *testing.T) {
	s := &script{answers: []func(*http.Request) (*http.Response, error){func(r *http.Request) (*http.Response, error) {
		require.Equal(t, "/tickets/api/issue/a%2Fb", r.URL.EscapedPath())
		return says(200, `{}`)(r)
	}}}
	c, err := New("https://box.example/tickets", Options{HTTP: &http.Client{Transport: s}})
	require.NoError(t, err)
	_, err = c.Read(t.Context(), "a/b")
	require.NoError(t, err)
}
