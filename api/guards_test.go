package api_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"

	"signalbox/api"
	"signalbox/api/apitest"
	"signalbox/api/bkapi"
	"signalbox/desk"
	"signalbox/ticket"
)

// asked are apps that count how often a secret was looked up.
type asked struct {
	apitest.Apps
	times atomic.Int64
}

func (a *asked) BySecret(ctx context.Context, secret string) (desk.App, error) {
	a.times.Add(1)
	return a.Apps.BySecret(ctx, secret)
}

func standWith(t *testing.T, config api.Config, apps api.Apps, routes ...api.Route) apitest.Client {
	routes = append(routes, api.Route{Method: "GET", Path: "/issue/:id", Scope: desk.Read, Handler: ok},
		api.Route{Method: "POST", Path: "/issue", Scope: desk.Write, Handler: ok})
	server := api.New(config, apps, nil, slog.New(slog.DiscardHandler), family(ticket.ChannelIssue, routes...))
	return apitest.Client{T: t, App: server.App(), Secret: apitest.Writer}
}

func TestFailedLogInsAreLimited(t *testing.T) {
	apps := &asked{Apps: apitest.NewApps()}
	c := standWith(t, api.Config{FailedLogins: 5}, apps)
	require.Equal(t, 200, c.Do("GET", "/issue/1", nil).Status)
	for range 20 {
		require.Equal(t, 401, c.As("").Do("GET", "/issue/1", nil).Status, "who brings no credential guesses none")
	}
	for i := range 5 {
		require.Equal(t, 401, c.As("guess"+strconv.Itoa(i)).Do("GET", "/issue/1", nil).Status)
	}
	looked := apps.times.Load()
	var r refusal
	answer := c.As("guess").Do("GET", "/issue/1", nil)
	answer.Into(429, &r)
	require.Equal(t, "too_many", r.Code)
	wait, err := strconv.Atoi(answer.Header.Get("Retry-After"))
	require.NoError(t, err)
	require.InDelta(t, 12, wait, 1)
	require.Equal(t, 429, c.As(apitest.Boss).Do("GET", "/issue/1", nil).Status, "a right guess is of no use either")
	require.Equal(t, looked, apps.times.Load(), "nothing was looked at")
	require.Equal(t, 200, c.Do("GET", "/issue/1", nil).Status, "who logged in lately is not locked out")
	elsewhere := c.As(apitest.Boss)
	require.Equal(t, 429, elsewhere.Do("GET", "/issue/1", nil, "X-Forwarded-For", "203.0.113.9").Status, "anybody can say so")

	c = standWith(t, api.Config{FailedLogins: 5, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/32")}}, apps)
	for range 6 {
		c.As("guess").Do("GET", "/issue/1", nil, "X-Forwarded-For", "203.0.113.9")
	}
	require.Equal(t, 429, c.As(apitest.Boss).Do("GET", "/issue/1", nil, "X-Forwarded-For", "203.0.113.9").Status)
	require.Equal(t, 200, c.As(apitest.Boss).Do("GET", "/issue/1", nil, "X-Forwarded-For", "203.0.113.10").Status)
}

func TestGuessingWhereTheAppLoggedInIsOfNoUse(t *testing.T) {
	apps := apitest.NewApps()
	family := family(ticket.ChannelIssue, api.Route{Method: "GET", Path: "/issue", Scope: desk.Read, Handler: ok})
	family.Authenticate = []api.Authenticator{func(c *fiber.Ctx) (desk.App, bool, error) {
		given, err := bkapi.Of(c, nil)
		require.NoError(t, err)
		return given.LogIn(c, apps)
	}}
	server := api.New(api.Config{FailedLogins: 5}, apps, nil, slog.New(slog.DiscardHandler), family)
	c := apitest.Client{T: t, App: server.App()}
	ask := func(code, secret string) int {
		return c.Do("GET", "/issue", nil, bkapi.Header, `{"bk_app_code":"`+code+`","bk_app_secret":"`+secret+`"}`).Status
	}
	require.Equal(t, 200, ask("writer", apitest.Writer))
	for range 5 {
		require.Equal(t, 401, ask("writer", "guess"))
	}
	require.Equal(t, 429, ask("writer", "guess"))
	require.Equal(t, 429, ask("boss", apitest.Boss), "a right guess")
	require.Equal(t, 200, ask("writer", apitest.Writer))
}

func TestTheRateOfAnApp(t *testing.T) {
	apps := apitest.NewApps()
	limited := apps[apitest.Writer]
	limited.Rate, limited.Burst = 60, 3
	apps[apitest.Writer] = limited
	c := standWith(t, api.Config{}, apps)
	before := time.Now().Unix()
	for left := range 3 {
		answer := c.Do("GET", "/issue/1", nil)
		require.Equal(t, 200, answer.Status)
		require.Equal(t, []string{"60", strconv.Itoa(2 - left)}, []string{answer.Header.Get("X-RateLimit-Limit"), answer.Header.Get("X-RateLimit-Remaining")})
		reset, err := strconv.ParseInt(answer.Header.Get("X-RateLimit-Reset"), 10, 64)
		require.NoError(t, err)
		require.InDelta(t, before+int64(left)+1, reset, 2)
	}
	answer := c.Do("POST", "/issue", `{}`)
	var r refusal
	answer.Into(429, &r)
	require.Equal(t, refusal{"issue", "too_many", "at most 60 requests a minute are taken from the app"}, r)
	require.Equal(t, "1", answer.Header.Get("Retry-After"))
	require.Equal(t, "0", answer.Header.Get("X-RateLimit-Remaining"))
	answer = c.As(apitest.Boss).Do("GET", "/issue/1", nil)
	require.Equal(t, 200, answer.Status, "another app has its own")
	require.Empty(t, answer.Header.Get("X-RateLimit-Limit"), "and here none")

	c = standWith(t, api.Config{AppRate: 2}, apps).As(apitest.Boss)
	require.Equal(t, 200, c.Do("GET", "/issue/1", nil).Status)
	require.Equal(t, 200, c.Do("GET", "/issue/1", nil).Status)
	require.Equal(t, 429, c.Do("GET", "/issue/1", nil).Status, "apps without a limit of their own have that of all")
}

func TestSoManyRequestsAtOnce(t *testing.T) {
	began, finish := make(chan struct{}), make(chan struct{})
	c := standWith(t, api.Config{ConcurrentRequests: 2}, apitest.NewApps(), api.Route{Method: "GET", Path: "/issue", Scope: desk.Read,
		Handler: func(c *fiber.Ctx) error {
			began <- struct{}{}
			<-finish
			return ok(c)
		}})
	over := make(chan int, 2)
	for range 2 {
		go func() { over <- c.Do("GET", "/issue", nil).Status }()
		<-began
	}
	answer := c.Do("GET", "/issue/1", nil)
	var r refusal
	answer.Into(503, &r)
	require.Equal(t, "unavailable", r.Code)
	require.Equal(t, "1", answer.Header.Get("Retry-After"))
	require.Equal(t, 200, c.Do("GET", "/healthz", nil).Status, "health is not held up")
	close(finish)
	require.Equal(t, []int{200, 200}, []int{<-over, <-over})
	require.Equal(t, 200, c.Do("GET", "/issue/1", nil).Status)
}

func TestWhereARequestComesFrom(t *testing.T) {
	var got string
	look := api.Route{Method: "GET", Path: "/issue", Scope: desk.Read, Handler: func(c *fiber.Ctx) error {
		got = api.Address(c)
		return ok(c)
	}}
	ask := func(config api.Config, headers ...string) string {
		c := standWith(t, config, apitest.NewApps(), look)
		require.Equal(t, 200, c.Do("GET", "/issue", nil, headers...).Status)
		return got
	}
	trusting := api.Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/32"), netip.MustParsePrefix("10.0.0.0/8")}}
	require.Equal(t, "0.0.0.0", ask(api.Config{}, "X-Forwarded-For", "203.0.113.9"), "nobody's word counts unless it is said whose")
	require.Equal(t, "0.0.0.0", ask(trusting))
	for header, want := range map[string]string{
		"203.0.113.9":                   "203.0.113.9",
		"198.51.100.1, 203.0.113.9":     "203.0.113.9", // what stands before it is the caller's own word
		"203.0.113.9, 10.1.2.3":         "203.0.113.9",
		"203.0.113.9,10.1.2.3,10.1.2.4": "203.0.113.9",
		"10.1.2.3, 10.1.2.4":            "10.1.2.3",
		"nonsense":                      "0.0.0.0",
		"203.0.113.9, nonsense":         "0.0.0.0",
		"":                              "0.0.0.0",
		"203.0.113.9:1234":              "203.0.113.9",
		"2001:db8::1":                   "2001:db8::1",
		"[2001:db8::1]:1234":            "2001:db8::1",
		"::ffff:203.0.113.9":            "203.0.113.9",
	} {
		require.Equal(t, want, ask(trusting, "X-Forwarded-For", header), header)
	}
}

func TestWhatARefusalLeavesInTheLog(t *testing.T) {
	s := setup(t, api.Config{}, api.Route{Method: "PUT", Path: "/issue", Scope: desk.Admin, Handler: ok},
		api.Route{Method: "DELETE", Path: "/issue", Scope: desk.Write, Handler: func(c *fiber.Ctx) error { return ticket.Refuse(ticket.Conflict, "it is over") }})
	s.Do("PUT", "/issue", `{"operator":"li.lei"}`, "X-Request-Id", "r1")
	s.Do("DELETE", "/issue", `{"bk_username":"han.meimei"}`, "X-Request-Id", "r2")
	s.As("nonsense").Do("PUT", "/issue?operator=jim", `no JSON`, "X-Request-Id", "r3")
	s.Do("GET", "/issue/a/b", nil, "X-Request-Id", "r4")
	s.Do("POST", "/issue", `{"operator":"li.lei"}`, "X-Request-Id", "r5")
	logged := s.logged(t)
	require.Len(t, logged, 5)
	for i, want := range []map[string]any{
		{"request_id": "r1", "app": "writer", "operator": "li.lei", "refused": "forbidden", "why": "the app lacks the scope admin", "status": 403.0},
		{"request_id": "r2", "app": "writer", "operator": "han.meimei", "refused": "conflict", "why": "it is over", "status": 409.0},
		{"request_id": "r3", "app": nil, "operator": "jim", "refused": "unauthorized", "why": "the credential is not valid", "status": 401.0},
		{"request_id": "r4", "app": nil, "operator": nil, "refused": "no_route", "status": 404.0},
		{"request_id": "r5", "app": "writer", "operator": nil, "refused": nil, "status": 200.0},
	} {
		require.Equal(t, "0.0.0.0", logged[i]["remote"])
		for name, value := range want {
			require.Equal(t, value, logged[i][name], "%s of %v", name, logged[i])
		}
	}
}

func TestHeadersForBrowsers(t *testing.T) {
	c := standWith(t, api.Config{}, apitest.NewApps())
	answer := c.Do("GET", "/issue/1", nil, "Origin", "https://a.example")
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
		"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "Strict-Transport-Security": "", "Access-Control-Allow-Origin": "",
	} {
		require.Equal(t, want, answer.Header.Get(name), name)
	}
	answer = c.Do("OPTIONS", "/issue", nil, "Origin", "https://a.example", "Access-Control-Request-Method", "POST")
	require.Empty(t, answer.Header.Get("Access-Control-Allow-Origin"), "no page may call unless it is said which")
	answer = c.Do("GET", "/issue/1", nil, "X-Forwarded-Proto", "https")
	require.Empty(t, answer.Header.Get("Strict-Transport-Security"), "anybody can say so")
	c = standWith(t, api.Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/32")}}, apitest.NewApps())
	answer = c.Do("GET", "/issue/1", nil, "X-Forwarded-Proto", "https")
	require.Equal(t, "max-age=31536000", answer.Header.Get("Strict-Transport-Security"))
}

func TestPagesOfAllowedOriginsMayCall(t *testing.T) {
	var origins api.Origins
	require.NoError(t, origins.Decode("https://a.example, http://B.example:8080"))
	for _, wrong := range []string{"*", "a.example", "https://a.example/", "https://*.example", "ftp://a.example", "null", "https://a.example,,"} {
		require.Error(t, new(api.Origins).Decode(wrong), wrong)
	}
	var none api.Origins
	require.NoError(t, none.Decode(""))
	require.Empty(t, none)
	c := standWith(t, api.Config{CORSOrigins: origins}, apitest.NewApps()).As("")
	preflight := func(path, origin string) http.Header {
		answer := c.Do("OPTIONS", path, nil, "Origin", origin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,x-evil")
		require.Equal(t, 204, answer.Status)
		return answer.Header
	}
	for _, origin := range origins {
		h := preflight("/issue", origin)
		require.Equal(t, origin, h.Get("Access-Control-Allow-Origin"))
		require.Contains(t, h.Get("Access-Control-Allow-Methods"), "PUT")
		require.Contains(t, h.Get("Access-Control-Allow-Headers"), "X-Idempotency-Key")
		require.Contains(t, h.Get("Access-Control-Allow-Headers"), "X-Of-issue", "what a family takes beside")
		require.NotContains(t, h.Get("Access-Control-Allow-Headers"), "evil")
		require.Empty(t, h.Get("Access-Control-Allow-Credentials"))
		require.Equal(t, "600", h.Get("Access-Control-Max-Age"))
		require.Contains(t, h.Get("Vary"), "Origin")
	}
	for _, origin := range []string{"https://evil.example", "https://a.example.evil.example", "http://a.example", "https://a.example:8443", "null"} {
		require.Empty(t, preflight("/issue", origin).Get("Access-Control-Allow-Origin"), origin)
	}
	answer := c.As(apitest.Writer).Do("GET", "/issue/1", nil, "Origin", "https://a.example")
	require.Equal(t, 200, answer.Status)
	require.Equal(t, "https://a.example", answer.Header.Get("Access-Control-Allow-Origin"))
	require.Contains(t, answer.Header.Get("Access-Control-Expose-Headers"), "X-Idempotency-Replayed")
	answer = c.Do("GET", "/issue/1", nil, "Origin", "https://a.example")
	require.Equal(t, 401, answer.Status)
	require.Equal(t, "https://a.example", answer.Header.Get("Access-Control-Allow-Origin"), "a page may read why it was refused")
	require.Empty(t, c.Do("GET", "/healthz", nil, "Origin", "https://a.example").Header.Get("Access-Control-Allow-Origin"), "only the families are open to pages")
}

func TestFormsAreNotTakenApart(t *testing.T) {
	var raw string
	c := standWith(t, api.Config{}, apitest.NewApps(), api.Route{Method: "PUT", Path: "/issue", Scope: desk.Write, Handler: func(c *fiber.Ctx) error {
		raw = string(c.BodyRaw())
		return api.Decode(c, &struct{}{})
	}})
	form := "--x\r\nContent-Disposition: form-data; name=\"a\"; filename=\"b\"\r\n\r\nc\r\n--x--\r\n"
	for _, body := range []string{form, "no form at all"} {
		raw = ""
		require.Equal(t, 400, c.Do("PUT", "/issue", body, "Content-Type", "multipart/form-data; boundary=x").Status)
		require.Equal(t, body, raw, "it comes to the call as it is")
	}
}
