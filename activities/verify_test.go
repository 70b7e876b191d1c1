package activities_test

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/activities"
	"signalbox/docs/verify"
	"signalbox/notice"
)

// examples are the receivers that docs/verify shows, each listening at an address.
func examples(t *testing.T) map[string]string {
	t.Helper()
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if verify.Verify(secret, r.Header, body, time.Now()) != nil {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(receiver.Close)
	out := map[string]string{"go": receiver.URL}
	for program, script := range map[string]string{"python3": "verify.py", "node": "verify.js"} {
		path, err := exec.LookPath(program)
		if err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("no %s on PATH", program)
			}
			t.Logf("*** NOT TESTED: docs/verify/%s, there is no %s on PATH ***", script, program)
			continue
		}
		command := exec.Command(path, "../docs/verify/"+script, secret, "0")
		command.Stderr = os.Stderr
		output, err := command.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, command.Start())
		t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
		address, err := bufio.NewReader(output).ReadString('\n')
		require.NoError(t, err)
		out[program] = strings.TrimSpace(address)
	}
	return out
}

// Receivers in three languages take what our sender makes, deliveries and requests of processes, and nothing else.
func TestReceiversCanVerifyWhatWeSend(t *testing.T) {
	t.Parallel()
	const other = "whsec_b3RoZXIgc2VjcmV0IG9mIHRoaXJ0eS10d28gYnl0ZXM="
	slow := func(o *activities.SenderOptions) { o.Timeout, o.Connect = 10*time.Second, 5*time.Second }
	at := func(d time.Duration) func(*activities.SenderOptions) {
		return func(o *activities.SenderOptions) { o.Now = func() time.Time { return time.Now().Add(d) } }
	}
	for name, address := range examples(t) {
		t.Run(name, func(t *testing.T) {
			post := func(change func(*notice.Work), options ...func(*activities.SenderOptions)) int {
				w := work(address)
				w.Delivery.Body = []byte(`{"id":"IM1","type":"conversation","details":{},"说":"<好>"}`)
				change(&w)
				a := send(t, newSender(append([]func(*activities.SenderOptions){slow}, options...)...), w)
				require.NotZero(t, a.Status, a.Error)
				return a.Status
			}
			same := func(*notice.Work) {}
			require.Equal(t, 200, post(same))
			require.Equal(t, 200, post(same, at(4*time.Minute)))
			require.Equal(t, 200, post(func(w *notice.Work) { w.Delivery.Body = nil }), "an empty body too")
			require.Equal(t, 200, post(func(w *notice.Work) { w.Subscription.Secret, w.Subscription.Older = other, []string{secret} }), "while the secret is being replaced")
			require.Equal(t, 401, post(func(w *notice.Work) { w.Subscription.Secret = other }))
			require.Equal(t, 401, post(func(w *notice.Work) { w.Subscription.Secret = "" }), "unsigned")
			require.Equal(t, 401, post(same, at(-6*time.Minute)), "played back later")
			require.Equal(t, 401, post(same, at(6*time.Minute)))

			// The requests of processes as well.
			at, v := time.Now(), &vault{}
			d, in := caller(v, &at), callTo(address)
			d.Sender = newSender(slow)
			for _, c := range []struct {
				older []string
				body  string
				after time.Duration
				want  int
			}{{nil, in.Call.Body, 0, 200}, {[]string{other}, "", 0, 200}, {nil, in.Call.Body, 6 * time.Minute, 401}} {
				v.older, in.Call.Body, at = c.older, c.body, time.Now().Add(c.after)
				answer, err := d.CallService(t.Context(), in)
				require.NoError(t, err)
				require.Equal(t, c.want, answer.Status)
			}

			// What was signed, and then changed on its way.
			signed, err := notice.Sign(secret, "msg_1", time.Now(), []byte(`{"a":1}`))
			require.NoError(t, err)
			for what, change := range map[string]func(*http.Request){
				"nothing":        func(*http.Request) {},
				"the body":       func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(strings.NewReader(`{"a":2}`)), 7 },
				"the id":         func(r *http.Request) { r.Header.Set("webhook-id", "msg_2") },
				"the time":       func(r *http.Request) { r.Header.Set("webhook-timestamp", "1") },
				"no time":        func(r *http.Request) { r.Header.Del("webhook-timestamp") },
				"a strange time": func(r *http.Request) { r.Header.Set("webhook-timestamp", "soon") },
				"another version": func(r *http.Request) {
					r.Header.Set("webhook-signature", strings.Replace(r.Header.Get("webhook-signature"), "v1", "v2", 1))
				},
				"no base64":            func(r *http.Request) { r.Header.Set("webhook-signature", "v1,!") },
				"a shorter signature":  func(r *http.Request) { r.Header.Set("webhook-signature", "v1,AAAA") },
				"nothing of it at all": func(r *http.Request) { r.Header.Del("webhook-signature") },
			} {
				request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(`{"a":1}`))
				require.NoError(t, err)
				for name, value := range signed {
					request.Header.Set(name, value)
				}
				change(request)
				response, err := http.DefaultClient.Do(request)
				require.NoError(t, err)
				_ = response.Body.Close()
				want := 401
				if what == "nothing" {
					want = 200
				}
				require.Equal(t, want, response.StatusCode, what)
			}
		})
	}
}
