package api_test

import (
	"net/netip"
	"testing"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"
	"github.com/valyala/fasthttp"

	"signalbox/api"
	"signalbox/api/bkapi"
	"signalbox/ticket"
)

// FuzzDecode: whatever a body is, it is read or refused with a member's name, and what was read is text.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`{"name":"a","list":[{"type":"b","items":["c"],"flag":"true"}],"any":{"x":[1e999]}}`, `{"name":"\ud800"}`, "\ufeff{}", `[`, `{"list":[{"items":{}}]}`, "", "{\"a\":\xff}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var v struct {
			Name *string `json:"name"`
			List []struct {
				Type  *string      `json:"type"`
				Items []string     `json:"items"`
				Flag  *ticket.Flag `json:"flag"`
			} `json:"list"`
			Any    map[string]any `json:"any"`
			Number *int64         `json:"number"`
		}
		err := api.DecodeJSON(raw, &v)
		if err == nil {
			require.True(t, v.Name == nil || utf8.ValidString(*v.Name))
			return
		}
		refusal := ticket.AsError(err)
		require.NotNil(t, refusal, "%v", err)
		require.Equal(t, ticket.Invalid, refusal.Code)
		require.NotEmpty(t, refusal.Field)
	})
}

// FuzzQuery: whatever a query is, every way to read a parameter gives something in its range or notes a fault.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{"limit=20&cursor=x&q=%e4%b8%ad&status=OPEN&created_after=2026-01-02T03:04:05Z", "limit=99999999999999999999", "q=%ff", "q=%00", "limit=1&limit=2", "%zz", "a=b;c=d", "created_after=9999-12-31T23:59:59-23:59"} {
		f.Add(seed)
	}
	app := fiber.New(fiber.Config{Immutable: true})
	f.Fuzz(func(t *testing.T, query string) {
		var raw fasthttp.RequestCtx
		raw.Request.URI().SetQueryString(query)
		c := app.AcquireCtx(&raw)
		defer app.ReleaseCtx(c)
		q, err := api.ReadQuery(c)
		if err != nil {
			require.True(t, ticket.Is(err, ticket.Invalid))
			return
		}
		limit, cursor := q.Page()
		text, choice, choices, at := q.Name("q", 0, 10), q.Choice("status", "OPEN", "CLOSED"), q.Choices("phase", "a", "b"), q.Time("created_after")
		if q.Err() != nil {
			require.True(t, ticket.Is(q.Err(), ticket.Invalid))
			return
		}
		require.True(t, limit >= 1 && limit <= ticket.MaxPage)
		require.True(t, utf8.ValidString(cursor) && utf8.ValidString(text) && utf8.RuneCountInString(text) <= 10)
		require.Contains(t, []string{"", "OPEN", "CLOSED"}, choice)
		require.Subset(t, []string{"a", "b"}, choices)
		_, err = at.MarshalJSON()
		require.True(t, err == nil || at.Year() > 9999 || at.Year() < 0, "%v", at)
	})
}

var everywhere = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}

// FuzzAddress: whatever X-Forwarded-For says, the address is one, and never longer than one is.
func FuzzAddress(f *testing.F) {
	for _, seed := range []string{"203.0.113.9", "a, b", "[::1]:80", "::ffff:1.2.3.4, 10.0.0.1", ",,,", "fe80::1%eth0", "1.2.3.4:99999"} {
		f.Add(seed)
	}
	server := api.New(api.Config{TrustedProxies: everywhere}, nil, nil, nil)
	server.App().Get("/where", func(c *fiber.Ctx) error { return c.SendString(api.Address(c)) })
	f.Fuzz(func(t *testing.T, forwarded string) {
		var raw fasthttp.RequestCtx
		raw.Request.SetRequestURI("/where")
		raw.Request.Header.Set("X-Forwarded-For", forwarded)
		server.App().Handler()(&raw)
		require.Regexp(t, `^[0-9a-f.:]{2,39}$`, string(raw.Response.Body()))
	})
}

// FuzzApplication: whatever a caller of the itsm family says of itself, it is text or refused.
func FuzzApplication(f *testing.F) {
	for _, seed := range []string{`{"bk_app_code":"a","bk_app_secret":"b","bk_username":"c"}`, `{"app_code":1,"app_secret":null,"username":["x"]}`, "null", "[]", "{", "{\"app_code\":\"\xff\"}", `{"app_code":"\ud800"}`, ""} {
		f.Add([]byte(seed))
	}
	app := fiber.New(fiber.Config{Immutable: true})
	f.Fuzz(func(t *testing.T, header []byte) {
		var raw fasthttp.RequestCtx
		raw.Request.Header.SetBytesV(bkapi.Header, header)
		c := app.AcquireCtx(&raw)
		defer app.ReleaseCtx(c)
		given, err := bkapi.Of(c, func(string) string { return "" })
		if err != nil {
			require.True(t, ticket.Is(err, ticket.Invalid))
			require.Zero(t, given)
			return
		}
		require.True(t, utf8.ValidString(given.Code+given.Secret+given.User))
	})
}
