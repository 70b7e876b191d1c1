package api_test

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"

	"signalbox/api"
	"signalbox/api/apitest"
	"signalbox/desk"
	"signalbox/ticket"
)

// TestTheSameRequestIsTheSame: what the desk is told of a request says which are one, whatever they are spelled like.
func TestTheSameRequestIsTheSame(t *testing.T) {
	var got desk.Request
	note := func(c *fiber.Ctx) error {
		api.ActsFor(c, c.Get("X-Person"))
		got = api.Request(c)
		return c.SendString("ok")
	}
	f := family(ticket.ChannelIssue,
		api.Route{Method: "POST", Path: "/issue/:id/act/:what", Operation: "/act/:id/:what", Scope: desk.Write, Handler: note},
		api.Route{Method: "POST", Path: "/issue/act/:what/:id/", Operation: "/act/:id/:what", Scope: desk.Write, Handler: note},
		api.Route{Method: "POST", Path: "/issue/plain", Scope: desk.Write, Handler: note})
	f.Credentials = []string{"secret", "bk_token"}
	c := apitest.Client{T: t, App: api.New(api.Config{}, apitest.NewApps(), nil, slog.New(slog.DiscardHandler), f).App(), Secret: apitest.Writer}
	ask := func(path, body string, headers ...string) desk.Request {
		t.Helper()
		got = desk.Request{}
		a := c.Do("POST", path, body, append(headers, "X-Idempotency-Key", "k")...)
		require.Equal(t, 200, a.Status, "%s %s: %s", path, body, a.Body)
		return got
	}

	first := ask("/issue/IM1/act/a%2Fb?x=1&y=2&y=3", `{"a":"é","n":1.50,"list":[1,2],"o":{"p":null,"q":1},"bk_token":"t"}`)
	require.Equal(t, "/act/IM1/a%2Fb", first.Route)
	for path, body := range map[string]string{
		"/issue/IM1/act/a%2fb/?y=2&y=3&x=1":          `{"a":"é","n":1.50,"list":[1,2],"o":{"p":null,"q":1},"bk_token":"u"}`,
		"/issue/I%4D1/act/a%2Fb?&x=%31&y=2&y=3":      `{"o":{"q":1,"p":null},"list":[1,2],"n":1.50,"a":"\u00e9"}`,
		"/issue/act/a%2Fb/IM1?x=1&y=2&y=3&secret=s":  " {\n\"a\": \"é\", \"n\":1.50,\"list\":[ 1, 2 ],\"o\":{\"p\":null,\"q\":1},\"secret\":{\"x\":1}}\n",
		"/issue/act/a%2Fb/IM1/?x=1&bk_token&y=2&y=3": `{"a":"é","n":1.50,"list":[1,2],"o":{"p":null,"q":1}}`,
	} {
		same := ask(path, body)
		require.Equal(t, []string{first.Route, first.Fingerprint}, []string{same.Route, same.Fingerprint}, "%s %s", path, body)
	}
	for path, route := range map[string]string{
		"/issue/IM2/act/a%2Fb": "/act/IM2/a%2Fb", "/issue/IM1/act/a": "/act/IM1/a", "/issue/plain/?x": "/issue/plain", "/issue/a%2525/act/ö": "/act/a%2525/%C3%B6",
	} {
		require.Equal(t, route, ask(path, "").Route)
	}
	base := `{"a":"é","n":1.50,"list":[1,2],"o":{"p":null,"q":1}}`
	told := map[string]string{first.Fingerprint: "the first"}
	for i, other := range []struct{ query, body, person string }{
		{"", base, ""}, {"?x=1&y=3&y=2", base, ""}, {"?x=1&y=2&y=3&z=", base, ""}, {"?x=1&y=2&y=3", base, "ann"}, {"?x=1&y=2&y=3", base, "bob"},
		{"?x=1&y=2&y=3", `{"a":"é","n":1.5,"list":[1,2],"o":{"p":null,"q":1}}`, ""}, {"?x=1&y=2&y=3", `{"a":"é","n":1.50,"list":[2,1],"o":{"p":null,"q":1}}`, ""},
		{"?x=1&y=2&y=3", `{"a":"é","n":1.50,"list":[1,2],"o":{"q":1}}`, ""}, {"?x=1&y=2&y=3", `{"a":"é","n":1.50,"list":[1,2],"o":{"p":null,"q":1,"secret":"s"}}`, ""},
		{"?x=1&y=2&y=3", `{"a":"é","a":"e"}`, ""}, {"?x=1&y=2&y=3", `{"a":"e","a":"é"}`, ""}, {"?x=1&y=2&y=3", `key: value`, ""}, {"?x=1&y=2&y=3", `key:  value`, ""},
		{"?x=1&y=2&y=3", `{"n":9007199254740993}`, ""}, {"?x=1&y=2&y=3", `{"n":9007199254740992}`, ""}, {"?%zz", base, ""}, {"?%zy", base, ""},
	} {
		r := ask("/issue/IM1/act/a%2Fb"+other.query, other.body, "X-Person", other.person)
		require.Empty(t, told[r.Fingerprint], "%v is told from", other)
		told[r.Fingerprint] = fmt.Sprint(i)
	}
}

func TestTwoKeysThatDifferAreRefused(t *testing.T) {
	s := setup(t, api.Config{})
	for _, keys := range [][]string{{"X-Idempotency-Key", "a", "Idempotency-Key", "b"}, {"X-Idempotency-Key", "a", "Idempotency-Key", "no key"}} {
		require.Contains(t, s.refused(s.Do("POST", "/issue", `{}`, keys...), 400).Message, "Idempotency-Key", keys)
	}
	require.Equal(t, 200, s.Do("POST", "/issue", `{}`, "X-Idempotency-Key", "a", "Idempotency-Key", " a ").Status)
}
