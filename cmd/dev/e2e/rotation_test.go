package e2e

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"signalbox/api/sdkhmac"
	"signalbox/cmd/dev/e2e/harness"
	"signalbox/store/postgrestest"
)

// setKeys changes the master keys of processes that are started from now on.
func (p *production) setKeys(master string, others ...string) {
	p.env = slices.DeleteFunc(slices.Clone(p.env), func(v string) bool { return strings.Contains(v, "MASTER_KEY") })
	p.env = append(p.env, "SIGNALBOX_MASTER_KEY="+master, "SIGNALBOX_OLD_MASTER_KEYS="+strings.Join(others, ","))
}

// migrate runs the program with a command, and gives its exit code and what it wrote.
func (p *production) migrate(t testing.TB, args ...string) (int, string) {
	t.Helper()
	m := harness.Start(t, harness.Command{Path: p.program(t, "migrate"), Args: args, Env: p.env})
	code := m.Wait(60 * time.Second)
	return code, m.Logs()
}

// signedGet makes a request that is signed with an app's secret.
func signedGet(t testing.TB, base, path, code, secret string) int {
	t.Helper()
	date := time.Now().UTC().Format("20060102T150405Z")
	hash := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		return hex.EncodeToString(sum[:])
	}
	canonical := strings.Join([]string{"GET", path + "/", "", "x-sdk-date:" + date + "\n", "x-sdk-date", hash("")}, "\n")
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(sdkhmac.Algorithm + "\n" + date + "\n" + hash(canonical)))
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+path, nil)
	require.NoError(t, err)
	request.Header.Set(sdkhmac.HeaderDate, date)
	request.Header.Set("Authorization", fmt.Sprintf("%s Access=%s, SignedHeaders=x-sdk-date, Signature=%x", sdkhmac.Algorithm, code, mac.Sum(nil)))
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	return response.StatusCode
}

// TestTheMasterKeyIsReplacedUnderASystemAtWork does what docs/secrets.md says, step by step, and looks after each whether everything that is
// secret still works. What Temporal holds is encrypted too.
func TestTheMasterKeyIsReplacedUnderASystemAtWork(t *testing.T) {
	t.Parallel()
	dsn := postgrestest.Start(t)
	p := startProduction(t, dsn, "SIGNALBOX_ENCRYPT_PAYLOADS=true")
	fresh := make([]byte, 32)
	_, err := rand.Read(fresh)
	require.NoError(t, err)
	var earlier, later string
	for _, v := range p.env {
		if key, ok := strings.CutPrefix(v, "SIGNALBOX_MASTER_KEY="); ok {
			earlier = key
		}
	}
	later = base64.StdEncoding.EncodeToString(fresh)
	tickets, deliveries := p.startWorker(t, "tickets"), p.startWorker(t, "deliveries")
	restart := func() {
		t.Helper()
		for _, process := range []*harness.Process{p.apis, tickets, deliveries} {
			require.Zero(t, process.Terminate(time.Minute))
		}
		p.startAPI(t)
		tickets, deliveries = p.startWorker(t, "tickets"), p.startWorker(t, "deliveries")
	}
	c := p.caller()
	r := harness.NewReceiver(t)
	good := harness.Response{Body: `{"message":"success","code":0,"data":null,"result":true}`, Header: http.Header{"Content-Type": {"application/json"}}}
	for _, path := range []string{"/itsm", "/late"} {
		r.Answer(path, good)
	}

	// Before: an app, a lasting subscription, a ticket whose callback told a token, and one that is still asked about.
	code, out := p.migrate(t, "app", "create", "-code", "shop", "-tenant", "default", "-scopes", "read,write")
	require.Zero(t, code, out)
	lines := strings.Fields(strings.TrimSpace(out))
	appSecret := lines[len(lines)-1]
	subscribed := result[struct{ Secret string }](t, c.must(t, "POST", "/api/subscription", map[string]any{"url": r.URL("/events"), "topic": "ticket"}))
	withdraw := func(sn string) {
		t.Helper()
		var nothing []any
		itsm{c, t}.done("operate_ticket", map[string]any{"sn": sn, "operator": "wang", "action_type": "WITHDRAW", "action_message": "x"}, &nothing)
	}
	withdraw(itsm{c, t}.create(r.URL("/itsm")))
	var callback struct{ Token string }
	require.NoError(t, json.Unmarshal(r.Await(t, "/itsm", 1, time.Minute)[0].Body, &callback))
	open := itsm{c, t}.create(r.URL("/late"))
	hook, err := standardwebhooks.NewWebhook(subscribed.Secret)
	require.NoError(t, err)

	works := func(step string) {
		t.Helper()
		require.Equal(t, http.StatusOK, signedGet(t, p.api, "/v1/external/incident/"+c.open(t), "shop", appSecret), step)
		var verified struct {
			Passed bool `json:"is_passed"`
		}
		itsm{c, t}.done("token/verify", map[string]any{"token": callback.Token}, &verified)
		require.True(t, verified.Passed, step)
		before := len(r.Requests("/events"))
		number := c.open(t)
		c.must(t, "POST", handlePath, incidentCall(t, "accept.json", number))
		for _, request := range r.Await(t, "/events", before+1, time.Minute)[before:] {
			require.NoError(t, hook.Verify(request.Body, request.Header), step)
		}
	}
	works("before")

	p.setKeys(earlier, later)
	restart()
	works("the next key is known")
	p.setKeys(later, earlier)
	restart()
	works("the next key seals")
	code, out = p.migrate(t, "reseal", "-check")
	require.NotZero(t, code)
	require.Contains(t, out, "secrets of apps")
	code, out = p.migrate(t, "reseal")
	require.Zero(t, code, out)
	code, out = p.migrate(t, "reseal", "-check")
	require.Zero(t, code, out)
	works("sealed anew")
	p.setKeys(later)
	restart()
	works("the new key alone")
	code, out = p.migrate(t)
	require.Zero(t, code, out)

	// What was opened under the earlier key goes on, with the headers that it was opened with.
	withdraw(open)
	late := r.Await(t, "/late", 1, time.Minute)[0]
	require.Equal(t, "42", late.Header.Get("X-Mine"))

	// Timelines are chained on, and nothing is missing: no chain needs to be made anew. What is tampered with is found.
	code, out = p.migrate(t, "verify")
	require.Zero(t, code, out)
	require.Regexp(t, `[1-9][0-9]* tickets, [1-9][0-9]* rows of timelines \(0 taken in later\), 0 ids without a ticket; 0 faults, 0 unchained`, out)
	db, err := sql.Open("pgx", dsn)
	require.NoError(t, err)
	defer db.Close()
	_, err = db.Exec(`UPDATE events SET actor = 'nobody' WHERE ticket_id = 2 AND seq = 1`)
	require.NoError(t, err)
	code, out = p.migrate(t, "verify")
	require.NotZero(t, code)
	require.Contains(t, out, "event 1 is not what was written there")

	// With the earlier key alone nothing starts.
	p.setKeys(earlier)
	wrong := harness.Start(t, harness.Command{Path: binary(t, "api"), Env: append(p.env, fmt.Sprintf("SIGNALBOX_HTTP_ADDRESS=127.0.0.1:%d", harness.FreePort(t)))})
	require.NotZero(t, wrong.Wait(30*time.Second))
	require.Contains(t, wrong.Logs(), "sealed with a key that is not here")
}
