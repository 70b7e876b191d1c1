package api_test

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"signalbox/api"
	"signalbox/api/apitest"
	"signalbox/api/bkapi"
	"signalbox/desk"
	"signalbox/internal/logtest"
	"signalbox/internal/watch"
	"signalbox/ticket"
)

// stand is a server with two small families, which say in their refusals who speaks.
type stand struct {
	apitest.Client
	server *api.Server
	log    *logtest.Buffer
}

// logged gives the lines of the log.
func (s *stand) logged(t *testing.T) []map[string]any {
	var out []map[string]any
	for line := range strings.Lines(s.log.String()) {
		var m map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &m))
		out = append(out, m)
	}
	return out
}

func family(channel ticket.Channel, routes ...api.Route) api.Family {
	return api.Family{
		Channel: channel, Prefixes: []string{"/" + string(channel)}, Routes: routes, Headers: []string{"X-Of-" + string(channel)},
		Subject: func(c *fiber.Ctx) api.Subject {
			p, _ := api.ReadParams(c)
			given, _ := bkapi.Of(c, p.Plain)
			id, _ := api.Param(c, "id")
			return api.Subject{Operator: cmp.Or(p.Plain("operator"), given.User), Number: cmp.Or(id, p.Plain("sn"))}
		},
		Refuse: func(c *fiber.Ctx, r api.Refusal) error {
			return api.Respond(c, r.Status, map[string]string{"door": string(channel), "code": string(r.Code), "message": r.Error.Error()})
		},
	}
}

func ok(c *fiber.Ctx) error { return api.Respond(c, 200, fiber.Map{"app": api.Caller(c).Code}) }

func setup(t *testing.T, config api.Config, routes ...api.Route) stand {
	t.Helper()
	issues := family(ticket.ChannelIssue, append(routes, api.Route{Method: "GET", Path: "/issue/:id", Scope: desk.Read, Handler: ok},
		api.Route{Method: "POST", Path: "/issue", Scope: desk.Write, Handler: ok})...)
	incidents := family(ticket.ChannelIncident, api.Route{Method: "GET", Path: "/incident/:id", Scope: desk.Admin, Handler: ok})
	incidents.Authenticate = []api.Authenticator{func(c *fiber.Ctx) (desk.App, bool, error) {
		switch c.Get("X-Seal") {
		case "":
			return desk.App{}, false, nil
		case "good":
			return desk.App{Code: "sealed", Tenant: "north", Scopes: []desk.Scope{desk.Admin}}, true, nil
		case "disabled":
			return desk.App{Code: "off", Tenant: "north", Scopes: []desk.Scope{desk.Admin}, Disabled: true}, true, nil
		case "broken":
			return desk.App{}, true, errors.New("disk on fire")
		}
		return desk.App{}, true, ticket.Refuse(ticket.Unauthorized, "the seal is broken")
	}}
	log := &logtest.Buffer{}
	server := api.New(config, apitest.NewApps(), nil, slog.New(slog.NewJSONHandler(log, nil)), incidents, issues)
	return stand{apitest.Client{T: t, App: server.App(), Secret: apitest.Writer}, server, log}
}

type refusal struct {
	Channel       string `json:"Door"`
	Code, Message string
}

func (s stand) refused(a apitest.Answer, status int) refusal {
	s.T.Helper()
	var r refusal
	a.Into(status, &r)
	return r
}

func TestEachFamilyRefusesInItsOwnWords(t *testing.T) {
	s := setup(t, api.Config{})
	for path, channel := range map[string]string{
		"/incident": "incident", "/incident/a/b": "incident", "/issue/a/b": "issue", "/incidents": "issue", "/": "issue", "/issued": "issue",
	} {
		r := s.refused(s.Do("GET", path, nil), 404)
		require.Equal(t, refusal{channel, "no_route", "there is no such path"}, r, path)
	}
	require.Equal(t, "incident", s.refused(s.Do("POST", "/incident/1", nil), 405).Channel)
	for _, method := range []string{"POST", "BREW"} {
		require.Equal(t, "GET", s.Do(method, "/incident/1", nil).Header.Get("Allow"), method)
		require.Equal(t, "GET, HEAD", s.Do(method, "/issue/1", nil).Header.Get("Allow"), method)
		require.Equal(t, "no_route", s.refused(s.Do(method, "/incident/a/b", nil), 404).Code, method)
	}
	require.Equal(t, refusal{"incident", "forbidden", "the app lacks the scope admin"}, s.refused(s.Do("GET", "/incident/1", nil), 403))
	require.Equal(t, "no_method", s.refused(s.Do("BREW", "/incident/1", nil), 405).Code)
}

func TestAFamilyOwnCredentialComesFirst(t *testing.T) {
	s := setup(t, api.Config{})
	var v struct{ App string }
	s.Do("GET", "/incident/1", nil, "X-Seal", "good").Into(200, &v)
	require.Equal(t, "sealed", v.App)
	s.refused(s.Do("GET", "/incident/1", nil, "X-Seal", "disabled"), 401)
	require.Equal(t, "the seal is broken", s.refused(s.As(apitest.Boss).Do("GET", "/incident/1", nil, "X-Seal", "bad"), 401).Message)
	broken := s.refused(s.As(apitest.Boss).Do("GET", "/incident/1", nil, "X-Seal", "broken"), 503)
	require.NotContains(t, broken.Message, "fire")
	s.As(apitest.Boss).Do("GET", "/incident/1", nil).Into(200, &v)
	require.Equal(t, "boss", v.App)
	require.Equal(t, 200, s.Do("GET", "/issue/1", nil, "X-Seal", "bad").Status, "the other family does not know it")
}

func TestARouteWithoutScopeCannotBe(t *testing.T) {
	for name, route := range map[string]api.Route{
		"none": {Method: "GET", Path: "/x", Handler: ok}, "unknown": {Method: "GET", Path: "/x", Scope: "all", Handler: ok},
		"no handler": {Method: "GET", Path: "/x", Scope: desk.Read}, "changes with read": {Method: "DELETE", Path: "/x", Scope: desk.Read, Handler: ok},
	} {
		require.Panics(t, func() { api.New(api.Config{}, apitest.NewApps(), nil, nil, family(ticket.ChannelIssue, route)) }, name)
	}
}

func TestRequestIDs(t *testing.T) {
	s := setup(t, api.Config{})
	require.Equal(t, "a-1.B:/+=_", s.Do("GET", "/issue/1", nil, "X-Request-Id", "a-1.B:/+=_").Header.Get("X-Request-Id"))
	for _, bad := range []string{"a b", "a\"b", strings.Repeat("a", 129), "日"} {
		require.Regexp(t, `^[0-9a-f-]{36}$`, s.Do("GET", "/nothing", nil, "X-Request-Id", bad).Header.Get("X-Request-Id"))
	}
}

func TestWhatTheDeskIsTold(t *testing.T) {
	var got desk.Request
	s := setup(t, api.Config{}, api.Route{Method: "PUT", Path: "/issue/:id", Scope: desk.Write, Handler: func(c *fiber.Ctx) error {
		got = api.Request(c)
		return api.Send(c, desk.Reply{Answer: desk.Answer{Status: 201, Body: []byte(`{"a":1}`)}, Replayed: true})
	}})
	answer := s.Do("PUT", "/issue/%C3%A9?x=%20y", `{"b":2}`, "Idempotency-Key", "HI:_-9", "X-Idempotency-Key", "HI:_-9", "X-Request-Id", "r1")
	require.Equal(t, 201, answer.Status)
	require.Equal(t, `{"a":1}`, string(answer.Body))
	require.Equal(t, "true", answer.Header.Get("X-Idempotency-Replayed"))
	sum := sha256.Sum256([]byte(`{"b":2}`))
	require.NotEmpty(t, got.Fingerprint)
	require.Equal(t, desk.Request{App: apitest.NewApps()[apitest.Writer], Channel: ticket.ChannelIssue, Key: "HI:_-9", Method: "PUT",
		Path: "/issue/%C3%A9?x=%20y", Route: "/issue/%C3%A9", Fingerprint: got.Fingerprint, BodyDigest: hex.EncodeToString(sum[:]), RequestID: "r1", Address: "0.0.0.0"}, got)
}

func TestIdempotencyKeys(t *testing.T) {
	s := setup(t, api.Config{})
	for _, bad := range []string{"a b", "a.b", "键", strings.Repeat("a", 129), " ", "a;b"} {
		answer := s.Do("POST", "/issue", `{}`, "X-Idempotency-Key", bad, "Idempotency-Key", "good")
		require.Contains(t, s.refused(answer, 400).Message, "X-Idempotency-Key")
		require.Equal(t, "false", answer.Header.Get("X-Idempotency-Replayed"))
	}
	require.Equal(t, 200, s.Do("POST", "/issue", `{}`, "Idempotency-Key", strings.Repeat("a", 128)).Status)
	require.Equal(t, 200, s.Do("GET", "/issue/1", nil, "Idempotency-Key", "not looked at").Status)
}

func TestAPanicEndsOneRequest(t *testing.T) {
	s := setup(t, api.Config{}, api.Route{Method: "GET", Path: "/issue", Scope: desk.Read, Handler: func(*fiber.Ctx) error { panic("hunter2") }})
	answer := s.Do("GET", "/issue", nil)
	require.Equal(t, refusal{"issue", "internal", "internal error"}, s.refused(answer, 500))
	require.NotContains(t, string(answer.Body), "hunter2")
	require.Equal(t, 200, s.Do("GET", "/issue/1", nil).Status)
	logged := s.logged(t)
	require.Equal(t, "http.panic", logged[0]["msg"])
	require.Contains(t, logged[0]["stack"], "server_test.go")
	require.Contains(t, logged[1]["why"], "hunter2")
	require.Equal(t, "ERROR", logged[1]["level"])
}

func TestARequestHasADeadline(t *testing.T) {
	s := setup(t, api.Config{RequestTimeout: 20 * time.Millisecond}, api.Route{Method: "GET", Path: "/issue", Scope: desk.Read,
		Handler: func(c *fiber.Ctx) error {
			<-api.Context(c).Done()
			return fmt.Errorf("read: %w", api.Context(c).Err())
		}})
	answer := s.Do("GET", "/issue", nil)
	require.Equal(t, "unavailable", s.refused(answer, 503).Code)
	require.NotEmpty(t, answer.Header.Get("Retry-After"))
}

func TestCodesAndStatuses(t *testing.T) {
	var fail error
	s := setup(t, api.Config{}, api.Route{Method: "GET", Path: "/issue", Scope: desk.Read, Handler: func(*fiber.Ctx) error { return fail }})
	for code, want := range map[ticket.Code]struct {
		status int
		retry  bool
	}{
		ticket.Invalid: {400, false}, ticket.Unauthorized: {401, false}, ticket.Forbidden: {403, false}, ticket.NotFound: {404, false},
		ticket.Conflict: {409, false}, ticket.Busy: {409, true}, ticket.Reused: {422, false}, ticket.TooMany: {429, true}, ticket.Unavailable: {503, true},
		ticket.Gone: {410, false},
	} {
		fail = fmt.Errorf("while doing it: %w", ticket.RefuseField(code, "f", "why"))
		answer := s.Do("GET", "/issue", nil)
		require.Equal(t, refusal{"issue", string(code), "f: why"}, s.refused(answer, want.status))
		require.Equal(t, want.retry, answer.Header.Get("Retry-After") != "", code)
	}
	require.Equal(t, "1", func() string {
		fail = ticket.Refuse(ticket.Busy, "x")
		return s.Do("GET", "/issue", nil).Header.Get("Retry-After")
	}())
	fail = ticket.Refuse("nonsense", "secret")
	require.Equal(t, "internal error", s.refused(s.Do("GET", "/issue", nil), 500).Message)
}

func TestOneLineForEachRequest(t *testing.T) {
	s := setup(t, api.Config{})
	s.Do("POST", "/issue", `{"a":1}`, "X-Request-Id", "r-9", "Idempotency-Key", "k")
	s.Do("GET", "/issue/1?token=hunter2", nil, "Authorization", "Bearer nonsense")
	s.Do("GET", "/healthz", nil)
	logged := s.logged(t)
	require.Len(t, logged, 2)
	require.Equal(t, []any{"http.request", "INFO", "r-9", "POST", "/issue", float64(200), "north", "writer", "issue", "k", "false", float64(7)},
		[]any{logged[0]["msg"], logged[0]["level"], logged[0]["request_id"], logged[0]["method"], logged[0]["route"], logged[0]["status"],
			logged[0]["tenant"], logged[0]["app"], logged[0]["family"], logged[0]["key"], logged[0]["replayed"], logged[0]["bytes_in"]})
	require.Equal(t, []any{"unauthorized", float64(401), "/issue/:id"}, []any{logged[1]["refused"], logged[1]["status"], logged[1]["route"]})
	require.NotContains(t, s.log.String(), "hunter2", "queries may carry secrets")
	require.NotContains(t, s.log.String(), "nonsense")
}

func TestHealth(t *testing.T) {
	var down error
	var out bytes.Buffer
	server := api.New(api.Config{}, apitest.NewApps(), func(context.Context) error { return down }, slog.New(slog.NewTextHandler(&out, nil)))
	client := apitest.Client{T: t, App: server.App()}
	require.Equal(t, 200, client.Do("GET", "/healthz", nil).Status)
	require.Equal(t, 200, client.Do("GET", "/readyz", nil).Status)
	down = errors.New("password=hunter2")
	answer := client.Do("GET", "/readyz", nil)
	require.Equal(t, 503, answer.Status)
	require.NotContains(t, string(answer.Body), "hunter2")
	for range 5 {
		client.Do("GET", "/readyz", nil)
	}
	require.Equal(t, 1, strings.Count(out.String(), "\n"), "one line when it begins, and not one each time that somebody asks: %s", out.String())
	require.Contains(t, out.String(), "level=WARN")
	require.Equal(t, 200, client.Do("GET", "/healthz", nil).Status)
}

func TestReadsAreReadyWhereChangesAreNot(t *testing.T) {
	var changes, reads error
	server := api.New(api.Config{}, apitest.NewApps(), func(context.Context) error { return changes }, slog.New(slog.DiscardHandler))
	server.ReadyToRead(func(context.Context) error { return reads })
	client := apitest.Client{T: t, App: server.App()}
	says := func(all, some int) {
		t.Helper()
		require.Equal(t, all, client.Do("GET", "/readyz", nil).Status)
		require.Equal(t, some, client.Do("GET", "/readyz?for=reads", nil).Status)
	}
	says(200, 200)
	changes = errors.New("temporal is away")
	says(503, 200)
	reads = errors.New("so is the database")
	says(503, 503)
	changes, reads = nil, nil
	says(200, 200)
	require.Equal(t, 400, client.Do("GET", "/readyz?for=fun", nil).Status)
}

// TestWhoEndsIsNotReadyAndKeepsNoConnection has a server told that it will be shut down.
func TestWhoEndsIsNotReadyAndKeepsNoConnection(t *testing.T) {
	s := setup(t, api.Config{})
	closes := func() bool {
		t.Helper()
		request, err := http.NewRequest("GET", "/issue/1", nil)
		require.NoError(t, err)
		request.Header.Set("Authorization", "Bearer writer")
		response, err := s.server.App().Test(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		return response.Close
	}
	require.False(t, closes())
	s.server.Drain()
	require.Equal(t, 503, s.Do("GET", "/readyz", nil).Status)
	require.Equal(t, 503, s.Do("GET", "/readyz?for=reads", nil).Status)
	require.Equal(t, 200, s.Do("GET", "/healthz", nil).Status, "nobody is to kill it for that")
	require.Equal(t, 200, s.Do("GET", "/issue/1", nil).Status, "requests are still taken")
	require.True(t, closes())
}

// TestCallersOfWhatIsAwayDoNotComeBackTogether looks at when they are told to.
func TestCallersOfWhatIsAwayDoNotComeBackTogether(t *testing.T) {
	s := setup(t, api.Config{}, api.Route{Method: "GET", Path: "/issue", Scope: desk.Read, Handler: func(*fiber.Ctx) error { return ticket.Refuse(ticket.Unavailable, "away") }})
	told := map[string]int{}
	for range 200 {
		told[s.Do("GET", "/issue", nil).Header.Get("Retry-After")]++
	}
	require.Len(t, told, 5, "from two seconds to six")
	require.NotContains(t, told, "1")
}

// TestAnOutageIsNotALineOfErrorsForEachRequest looks at what each request in one leaves in the log.
func TestAnOutageIsNotALineOfErrorsForEachRequest(t *testing.T) {
	var cause error
	s := setup(t, api.Config{}, api.Route{Method: "GET", Path: "/issue", Scope: desk.Read, Handler: func(*fiber.Ctx) error {
		return fmt.Errorf("%w: %w", ticket.Refuse(ticket.Unavailable, "away"), cause)
	}})
	for _, c := range []struct {
		cause error
		level string
	}{{errors.New("connection reset"), "WARN"}, {&watch.Away{Name: "database", Cause: errors.New("connection reset")}, "INFO"}} {
		cause = c.cause
		require.Equal(t, 503, s.Do("GET", "/issue", nil).Status)
		logged := s.logged(t)
		require.Equal(t, c.level, logged[len(logged)-1]["level"])
		require.Contains(t, logged[len(logged)-1]["why"], "connection reset")
	}
}

func TestMetrics(t *testing.T) {
	s := setup(t, api.Config{})
	s.server.Measure(prometheus.NewRegistry())
	s.Do("GET", "/issue/1", nil)
	s.Do("GET", "/issue/2", nil)
	s.Do("GET", "/issue/2/3", nil)
	text := string(s.Do("GET", "/metrics", nil).Body)
	require.Contains(t, text, `signalbox_http_requests_total{family="issue",method="GET",route="/issue/:id",status="200"} 2`)
	require.NotContains(t, text, `status="404"`)
}

// serve lets a stand answer on a real connection.
func (s stand) serve(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	over := make(chan error, 1)
	go func() { over <- s.server.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		require.NoError(t, s.server.Shutdown(ctx))
		require.NoError(t, <-over)
	})
	return l.Addr().String()
}

func TestWhatIsTooLargeHearsWhy(t *testing.T) {
	s := setup(t, api.Config{BodyLimit: 1 << 20})
	address := s.serve(t)
	for _, size := range []int{1<<20 + 1, 3 << 20} {
		r, err := http.NewRequest("POST", "http://"+address+"/issue", bytes.NewReader(make([]byte, size)))
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+apitest.Writer)
		response, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		response.Body.Close()
		require.Equal(t, 413, response.StatusCode)
		require.JSONEq(t, `{"door":"issue","code":"too_large","message":"the body is too large"}`, string(body))
		require.Empty(t, response.Header.Get("Server"))
	}
	r, err := http.NewRequest("POST", "http://"+address+"/issue", bytes.NewReader(make([]byte, 1<<20)))
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+apitest.Writer)
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	response.Body.Close()
	require.Equal(t, 200, response.StatusCode)
}

func TestWhatIsNoProperHTTPIsRefusedInWords(t *testing.T) {
	s := setup(t, api.Config{})
	address := s.serve(t)
	for name, c := range map[string]struct {
		raw    string
		status int
	}{
		"huge body announced": {"POST /incident/x HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n", 413},
		"huge headers":        {"GET /issue/1 HTTP/1.1\r\nHost: a\r\nX-Long: " + strings.Repeat("a", 20<<10) + "\r\n\r\n", 431},
		"no request line":     {"hello\r\n\r\n", 400},
		"unknown method":      {"BREW /issue HTTP/1.1\r\nHost: a\r\n\r\n", 405},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", address)
			require.NoError(t, err)
			defer conn.Close()
			_, err = conn.Write([]byte(c.raw))
			require.NoError(t, err)
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			require.NoError(t, err)
			defer response.Body.Close()
			require.Equal(t, c.status, response.StatusCode)
			require.NotEmpty(t, response.Header.Get("X-Request-Id"))
			var r refusal
			require.NoError(t, json.NewDecoder(response.Body).Decode(&r))
			if name == "huge body announced" {
				require.Equal(t, "incident", r.Channel)
			} else {
				require.Equal(t, "issue", r.Channel)
			}
		})
	}
}

func TestShutdownLetsWhatIsUnderWayFinish(t *testing.T) {
	began, finish := make(chan struct{}), make(chan struct{})
	s := setup(t, api.Config{}, api.Route{Method: "GET", Path: "/issue", Scope: desk.Read, Handler: func(c *fiber.Ctx) error {
		close(began)
		<-finish
		return ok(c)
	}})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- s.server.Serve(l) }()
	status := make(chan int, 1)
	go func() {
		r, _ := http.NewRequest("GET", "http://"+l.Addr().String()+"/issue", nil)
		r.Header.Set("Authorization", "Bearer "+apitest.Writer)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			status <- 0
			return
		}
		response.Body.Close()
		status <- response.StatusCode
	}()
	<-began
	down := make(chan error, 1)
	go func() { down <- s.server.Shutdown(context.Background()) }()
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err == nil {
			conn.Close()
		}
		return err != nil
	}, time.Minute, 5*time.Millisecond, "nobody new is let in")
	close(finish)
	require.Equal(t, 200, <-status)
	require.NoError(t, <-down)
	require.NoError(t, <-served)
}

// Balancers open connections for later. Nothing comes on them, and they keep no process from ending.
func TestShutdownWaitsForNobodyWhoHasSaidNothing(t *testing.T) {
	s := setup(t, api.Config{ReadTimeout: time.Hour})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- s.server.Serve(l) }()
	silent, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer silent.Close()
	// It was accepted before this one, which is answered.
	response, err := http.Get("http://" + l.Addr().String() + "/healthz")
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, s.server.Shutdown(ctx))
	require.NoError(t, <-served)
	_, err = silent.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
}
