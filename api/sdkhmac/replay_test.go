package sdkhmac

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"

	"signalbox/api"
	"signalbox/desk"
	"signalbox/ticket"
)

// sign signs a request as the SDK does: host and date, and whatever else is named.
func sign(t *testing.T, r *http.Request, body, code, secret string, at time.Time, also ...string) {
	t.Helper()
	r.Header.Set(HeaderDate, at.UTC().Format(dateFormat))
	names := append([]string{"host", "x-sdk-date"}, also...)
	canonical, err := Request{Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, Header: func(name string) []string {
		if name == "host" {
			return []string{r.Host}
		}
		return r.Header.Values(name)
	}}.canonical(names, hash([]byte(body)))
	require.NoError(t, err)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(Algorithm + "\n" + r.Header.Get(HeaderDate) + "\n" + hash([]byte(canonical))))
	r.Header.Set("Authorization", Algorithm+" Access="+code+", SignedHeaders="+strings.Join(names, ";")+", Signature="+hex.EncodeToString(mac.Sum(nil)))
}

type desks struct {
	t    *testing.T
	app  *fiber.App
	now  time.Time
	done int // how often something was changed

	refuse error // what calls end with; nil: they do what they are asked
}

func newDesks(t *testing.T) *desks { return newDesksWith(t, api.Config{}) }

func newDesksWith(t *testing.T, config api.Config) *desks {
	d := &desks{t: t, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	family := api.Family{
		Channel: ticket.ChannelIncident, Prefixes: []string{"/"},
		Authenticate: []api.Authenticator{Authenticator(writers{"shop": {"shop-secret"}, "other": {"other-secret"}, "both": {"old-secret", "new-secret"}}, func() time.Time { return d.now })},
		Refuse:       func(c *fiber.Ctx, r api.Refusal) error { return api.Respond(c, r.Status, r.Error) },
	}
	act := func(c *fiber.Ctx) error {
		if d.refuse != nil {
			return d.refuse
		}
		d.done++
		return c.SendString("done")
	}
	family.Routes = []api.Route{
		{Method: "POST", Path: "/act", Scope: desk.Write, Handler: act},
		{Method: "PUT", Path: "/act", Scope: desk.Write, Handler: act},
		{Method: "DELETE", Path: "/act", Scope: desk.Write, Handler: act},
		{Method: "GET", Path: "/act", Scope: desk.Write, Handler: act}, // old contracts have such calls
		{Method: "GET", Path: "/look", Scope: desk.Read, Handler: act},
		{Method: "POST", Path: "/look", Scope: desk.Read, Handler: act},
		{Method: "POST", Path: "/boss", Scope: desk.Admin, Handler: act},
	}
	server := api.New(config, writers{}, nil, slog.New(slog.DiscardHandler), family)
	server.Share(api.NewMemory(func() time.Time { return d.now }))
	d.app = server.App()
	return d
}

// writers are keys whose apps may write.
type writers map[string][]string

func (w writers) Secrets(ctx context.Context, code string) (desk.App, []string, error) {
	app, secrets, err := keys(w).Secrets(ctx, code)
	app.Scopes = []desk.Scope{desk.Write}
	return app, secrets, err
}

func (w writers) BySecret(context.Context, string) (desk.App, error)       { panic("not asked") }
func (w writers) ByCode(context.Context, string, string) (desk.App, error) { panic("not asked") }

func (d *desks) request(method, path string, body string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

// send sends a copy of the request.
func (d *desks) send(r *http.Request, body string, headers ...string) (int, string) {
	d.t.Helper()
	c := r.Clone(d.t.Context())
	c.Body = io.NopCloser(bytes.NewReader([]byte(body)))
	for i := 0; i < len(headers); i += 2 {
		c.Header.Set(headers[i], headers[i+1])
	}
	response, err := d.app.Test(c, -1)
	require.NoError(d.t, err)
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	require.NoError(d.t, err)
	return response.StatusCode, string(raw)
}

func TestACapturedRequestIsOfNoUse(t *testing.T) {
	for _, method := range []string{"POST", "PUT", "DELETE", "GET"} {
		t.Run(method, func(t *testing.T) {
			d := newDesks(t)
			r := d.request(method, "/act?b=1&a=%41", "{}")
			sign(t, r, "{}", "shop", "shop-secret", d.now)
			status, answer := d.send(r, "{}")
			require.Equal(t, 200, status, answer)
			d.now = d.now.Add(Repeats + time.Second)
			for name, headers := range map[string][]string{
				"as it was": nil, "with a key of the thief's": {"X-Idempotency-Key", "k"}, "with a request id": {"X-Request-Id", "x"},
				"in another spelling": {"Authorization", respelled(r.Header.Get("Authorization"))},
			} {
				status, answer = d.send(r, "{}", headers...)
				require.Equal(t, 401, status, name)
				var refusal ticket.Error
				require.NoError(t, json.Unmarshal([]byte(answer), &refusal))
				require.Contains(t, refusal.Message, "received before", name)
			}
			d.now = d.now.Add(Skew - Repeats - time.Second)
			status, _ = d.send(r, "{}")
			require.Equal(t, 401, status, "as long as it would be taken")
			d.now = d.now.Add(time.Second)
			status, answer = d.send(r, "{}")
			require.Equal(t, 401, status)
			require.Contains(t, answer, "15 minutes", "and then it is too old")
			require.Equal(t, 1, d.done)

			d.now = d.now.Add(time.Second)
			sign(t, r, "{}", "shop", "shop-secret", d.now)
			status, _ = d.send(r, "{}")
			require.Equal(t, 200, status, "signed anew it is another request")
		})
	}
}

// respelled writes the same credential in another way.
func respelled(authorization string) string {
	scheme, rest, _ := strings.Cut(authorization, " ")
	parts := strings.Split(rest, ", ")
	slices.Reverse(parts)
	name, signature, _ := strings.Cut(parts[0], "=")
	parts[0] = name + "=" + strings.ToUpper(signature)
	return strings.ToLower(scheme) + "  " + strings.Join(parts, ",")
}

// The signature's date may lie ahead of our clock by as much as behind it: the copy must be known for all that time.
func TestACapturedRequestFromTheFutureIsOfNoUse(t *testing.T) {
	d := newDesks(t)
	r := d.request("POST", "/act", "{}")
	sign(t, r, "{}", "shop", "shop-secret", d.now.Add(Skew))
	status, _ := d.send(r, "{}")
	require.Equal(t, 200, status)
	d.now = d.now.Add(2 * Skew)
	status, answer := d.send(r, "{}")
	require.Equal(t, 401, status)
	require.Contains(t, answer, "received before")
}

func TestARetryWithItsKeyIsNoReplay(t *testing.T) {
	d := newDesks(t)
	r := d.request("POST", "/act?x=A", "{}", "X-Idempotency-Key", "k-1")
	sign(t, r, "{}", "shop", "shop-secret", d.now)
	for range 2 {
		status, answer := d.send(r, "{}") // the desk gives the second the answer of the first
		require.Equal(t, 200, status, answer)
	}
	d.now = d.now.Add(Repeats + time.Second)
	status, _ := d.send(r, "{}", "X-Idempotency-Key", "k-2")
	require.Equal(t, 401, status, "another key would have it done again")
	r.Header.Del("X-Idempotency-Key")
	status, _ = d.send(r, "{}")
	require.Equal(t, 401, status)
	r.Header.Set("X-Idempotency-Key", "k-1")
	require.Equal(t, 2, d.done)
	// What the signature fits as well is the same request to the desk, which gives it the answer of the first.
	for _, spelling := range []string{"/act?x=%41", "/act/?x=A"} {
		other := d.request("POST", spelling, "{}")
		other.Header = r.Header.Clone()
		status, answer := d.send(other, "{}")
		require.Equal(t, 200, status, "%s: %s", spelling, answer)
	}
}

// The SDK's dates are whole seconds: two equal calls within one are signed alike.
func TestWhoIsInAHurryMayRepeatAtOnce(t *testing.T) {
	d := newDesks(t)
	r := d.request("POST", "/act", "{}")
	sign(t, r, "{}", "shop", "shop-secret", d.now)
	for range 2 {
		status, answer := d.send(r, "{}")
		require.Equal(t, 200, status, answer)
	}
	for _, later := range []time.Duration{Repeats, -2 * Repeats} { // the caller's clock may be ahead
		d.now = d.now.Add(later)
		status, answer := d.send(r, "{}")
		require.Equal(t, 200, status, answer)
	}
	d.now = d.now.Add(2*Repeats + time.Millisecond)
	status, answer := d.send(r, "{}")
	require.Equal(t, 401, status, answer)
	require.Equal(t, 4, d.done)
}

// Repeating what was refused can do no harm; of what failed nobody knows what it did.
func TestWhatWasRefusedMayBeRepeated(t *testing.T) {
	d := newDesks(t)
	r := d.request("POST", "/act", "{}")
	sign(t, r, "{}", "shop", "shop-secret", d.now)
	d.now = d.now.Add(time.Minute)
	for _, refusal := range []ticket.Code{ticket.Invalid, ticket.Conflict, ticket.NotFound} {
		d.refuse = ticket.Refuse(refusal, "no")
		for range 2 {
			status, answer := d.send(r, "{}")
			require.NotContains(t, []int{200, 401}, status, answer)
		}
	}
	d.refuse = nil
	status, answer := d.send(r, "{}")
	require.Equal(t, 200, status, answer)
	status, _ = d.send(r, "{}")
	require.Equal(t, 401, status, "it was done")
	require.Equal(t, 1, d.done)

	for name, failure := range map[string]error{"away": ticket.Refuse(ticket.Unavailable, "later"), "a fault": fmt.Errorf("broken")} {
		r := d.request("POST", "/act", name)
		sign(t, r, name, "shop", "shop-secret", d.now.Add(-time.Minute))
		d.refuse = failure
		status, _ := d.send(r, name)
		require.GreaterOrEqual(t, status, 500, name)
		d.refuse = nil
		status, _ = d.send(r, name)
		require.Equal(t, 401, status, name)
	}
}

func TestHowReplaysAreTakenIsASetting(t *testing.T) {
	for setting, want := range map[api.Replays][]int{
		api.ReplaysStrict: {409, 401, 401}, api.ReplaysBrief: {409, 200, 200}, api.ReplaysOff: {409, 200, 200},
	} {
		d := newDesksWith(t, api.Config{SignatureReplays: setting})
		r := d.request("POST", "/act", "{}")
		sign(t, r, "{}", "shop", "shop-secret", d.now)
		var got []int
		d.refuse = ticket.Refuse(ticket.Conflict, "no")
		for range want {
			status, _ := d.send(r, "{}")
			got = append(got, status)
			d.refuse = nil
		}
		require.Equal(t, want, got, setting)
		d.now = d.now.Add(time.Minute)
		status, _ := d.send(r, "{}")
		require.Equal(t, setting == api.ReplaysOff, status == 200, setting)
	}
	var word api.Replays
	require.NoError(t, word.Decode(" off "))
	require.Equal(t, api.ReplaysOff, word)
	require.ErrorContains(t, word.Decode("never"), `"never" is none of brief, strict and off`)
}

func TestReadingTwiceIsNoReplay(t *testing.T) {
	d := newDesks(t)
	for _, method := range []string{"GET", "POST"} {
		r := d.request(method, "/look", "{}")
		sign(t, r, "{}", "shop", "shop-secret", d.now)
		for range 2 {
			status, answer := d.send(r, "{}")
			require.Equal(t, 200, status, answer)
		}
	}
}

// A request that was refused before anything of it was looked at has used nothing up.
func TestWhatIsRefusedBeforeItIsCheckedUsesNoSignature(t *testing.T) {
	d := newDesks(t)
	r := d.request("POST", "/act", "{}")
	sign(t, r, "{}", "shop", "shop-secret", d.now)
	status, _ := d.send(r, "[]")
	require.Equal(t, 401, status, "another body")
	status, _ = d.send(r, "{}", "X-Idempotency-Key", "no key")
	require.Equal(t, 400, status)
	status, _ = d.send(r, "{}")
	require.Equal(t, 200, status)

	r = d.request("POST", "/boss", "{}")
	sign(t, r, "{}", "shop", "shop-secret", d.now)
	for range 2 {
		status, _ = d.send(r, "{}")
		require.Equal(t, 403, status)
	}
}

// TestGuessingSignaturesIsLimited also where the app itself logged in lately: what fits is then told apart from what does not by nothing, unless
// it was made with the very secret that worked.
func TestGuessingSignaturesIsLimited(t *testing.T) {
	for _, lately := range []bool{false, true} {
		d := newDesksWith(t, api.Config{FailedLogins: 6}) // a minute, so that none is given back while this runs
		n := 0
		ask := func(code, secret string) int {
			t.Helper()
			n++ // so that no two signatures are the same
			body := fmt.Sprint(n)
			r := d.request("POST", "/look", body)
			sign(t, r, body, code, secret, d.now)
			status, _ := d.send(r, body)
			return status
		}
		if lately {
			require.Equal(t, 200, ask("both", "old-secret"))
		}
		statuses := map[int]int{}
		for range 16 {
			statuses[ask("both", "wrong")]++
		}
		require.Equal(t, map[int]int{401: 6, 429: 10}, statuses)
		require.Equal(t, 429, ask("both", "new-secret"), "a guess that fits is of no use")
		require.Equal(t, lately, ask("both", "old-secret") == 200, "who logged in lately is not locked out")
		require.Equal(t, 429, ask("both", "wrong"))
	}
}
