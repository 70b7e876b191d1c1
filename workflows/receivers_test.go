package workflows

import (
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/activities"
	"signalbox/notice"
)

// came is what became of a delivery to some receiver.
type came struct {
	class  notice.ErrorClass // of the first try
	status int               // likewise
	tries  int
	then   notice.DeliveryState
	sub    notice.SubscriptionState
}

// given is short for what was given up, and dropped for what took its address with it.
func given(class notice.ErrorClass, status, tries int) came {
	return came{class, status, tries, notice.Failed, notice.Active}
}

func dropped(class notice.ErrorClass, status, tries int) came {
	return came{class, status, tries, notice.Failed, notice.Dropped}
}

func sent(status int) came { return came{"", status, 1, notice.Sent, notice.Active} }

// receivers are ways to answer, and what each profile makes of them.
var receivers = []struct {
	name                              string
	secure                            bool
	hangs                             bool // and is cut off
	serve                             func(w http.ResponseWriter, r *http.Request)
	minutely, once, standard, publish came
}{
	{"200 and nothing", false, false, answering(200, ""), sent(200), given("bad_body", 200, 1), sent(200), given("bad_body", 200, 10)},
	{"200 and code 0", false, false, answering(200, `{"code":0}`), sent(200), sent(200), sent(200), given("bad_body", 200, 10)},
	{"200 and code 000", false, false, answering(200, `{"code":"000"}`), sent(200), given("bad_body", 200, 1), sent(200), sent(200)},
	{"200 and code 1", false, false, answering(200, `{"code":1,"message":"no"}`), sent(200), given("bad_body", 200, 1), sent(200), given("bad_body", 200, 10)},
	{"201 and code 0", false, false, answering(201, `{"code":0}`), dropped("status", 201, 11), sent(201), sent(201), given("status", 201, 10)},
	{"204", false, false, answering(204, ""), dropped("status", 204, 11), given("status", 204, 1), sent(204), given("status", 204, 10)},
	{"302", false, false, answering(302, ""), dropped("status", 302, 11), given("status", 302, 1), given("status", 302, 10), given("status", 302, 10)},
	{"410", false, false, answering(410, ""), dropped("status", 410, 11), given("status", 410, 1), dropped("status", 410, 1), dropped("status", 410, 1)},
	{"429", false, false, answering(429, ""), dropped("status", 429, 11), given("status", 429, 1), given("status", 429, 10), given("status", 429, 10)},
	{"500", false, false, answering(500, `{"code":0}`), dropped("status", 500, 11), given("status", 500, 1), given("status", 500, 10), given("status", 500, 10)},
	{"hangs", false, true, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		dropped("timeout", 0, 11), given("timeout", 0, 1), given("timeout", 0, 10), given("timeout", 0, 10)},
	{"resets", false, false, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		dropped("connect", 0, 11), given("connect", 0, 1), given("connect", 0, 10), given("connect", 0, 10)},
	{"a certificate nobody knows", true, false, answering(200, `{"code":0}`), dropped("tls", 0, 11), given("tls", 0, 1), given("tls", 0, 10), given("tls", 0, 10)},
	// The status alone decides for some; for others the answer has to be whole.
	{"a slow body", false, true, slowly, sent(200), given("timeout", 200, 1), sent(200), given("timeout", 200, 10)},
	{"100 MB", false, false, endlessly, sent(200), given("bad_body", 200, 1), sent(200), given("bad_body", 200, 10)},
}

// reached reports whether every try came as far as its receiver lets it: to the request, and to the status where there is one.
func reached(attempts []notice.Attempt, want came, requests int32) bool {
	return int(requests) == len(attempts) && !slices.ContainsFunc(attempts, func(a notice.Attempt) bool { return a.Status != want.status })
}

func answering(status int, body string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/elsewhere")
		w.Header().Set("Set-Cookie", "session=s3cret")
		w.WriteHeader(status)
		if status != http.StatusNoContent {
			_, _ = io.WriteString(w, body)
		}
	}
}

func slowly(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", "100")
	_, _ = io.WriteString(w, `{"code":0`)
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

func endlessly(w http.ResponseWriter, _ *http.Request) {
	chunk := []byte(strings.Repeat("x", 64<<10))
	for range 100 << 20 / len(chunk) {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

// receiving makes a bench whose receiver answers as given, within timeout if at all, and counts its requests.
func receiving(t *testing.T, profile string, secure bool, timeout time.Duration, serve http.HandlerFunc) (*laneBench, *atomic.Int32) {
	t.Helper()
	b := newLaneBench(t, profile)
	var requests atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		_, _ = io.ReadAll(r.Body)
		serve(w, r)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	if secure {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	b.outbox.Subscribe(testLane.Subscription, server.URL, profile)
	b.d.Log = slog.New(slog.DiscardHandler)
	b.d.Sender = activities.NewSender(activities.SenderOptions{Now: b.Now, Timeout: timeout,
		Reach: notice.Reach{Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}})
	return b, &requests
}

func TestWhatEveryProfileMakesOfEveryReceiver(t *testing.T) {
	for _, r := range receivers {
		for profile, want := range map[string]came{notice.Minutely: r.minutely, notice.Once: r.once, notice.Standard: r.standard, notice.Publish: r.publish} {
			t.Run(r.name+"/"+profile, func(t *testing.T) {
				t.Parallel()
				timeout := time.Minute // nobody is cut off who answers
				if r.hangs {
					timeout = 100 * time.Millisecond
				}
				b, requests := receiving(t, profile, r.secure, timeout, r.serve)
				b.enqueue(1)
				require.NoError(t, b.run())
				for r.hangs && timeout < time.Minute && !reached(b.outbox.Attempts(), want, requests.Load()) {
					timeout *= 4 // a machine so busy that tries were cut off before they had come so far
					b, requests = receiving(t, profile, r.secure, timeout, r.serve)
					b.enqueue(1)
					require.NoError(t, b.run())
				}
				attempts := b.outbox.Attempts()
				require.NotEmpty(t, attempts)
				first, d := attempts[0], b.outbox.Deliveries()[0]
				require.Equal(t, want, came{first.Class, first.Status, len(attempts), d.State, b.outbox.Subscription("s").State})
				if !r.secure {
					require.EqualValues(t, want.tries, requests.Load(), "no try but those that are written down, and no redirect followed")
				}
				require.False(t, b.outbox.IsRetrying(testLane))
				for i, a := range attempts {
					require.NotNil(t, a.ScheduledAt)
					require.False(t, a.StartedAt.Before(*a.ScheduledAt))
					require.Equal(t, i == len(attempts)-1, a.NextTry == nil, "try %d", i+1)
					require.Equal(t, a.Succeeded, a.Class == "")
					require.Equal(t, a.Succeeded, a.Error == "")
					require.LessOrEqual(t, len(a.Answer), notice.MaxAnswer)
					require.NotContains(t, fmt.Sprint(a.Header), "s3cret")
					if a.Status != 0 {
						require.Equal(t, d.ID, a.Sent["Webhook-Id"])
					}
					if i > 0 {
						require.Equal(t, *attempts[i-1].NextTry, *a.ScheduledAt, "made when it was planned")
						require.True(t, a.StartedAt.Equal(*attempts[i-1].NextTry))
					}
				}
			})
		}
	}
}

// A receiver that fails the first k tries, for every profile: how many tries there were, when the last was, and what was decided.
func TestReceiversThatFailTheFirstTries(t *testing.T) {
	for profile, body := range map[string]string{notice.Minutely: "", notice.Once: `{"code":0}`, notice.Standard: "", notice.Publish: `{"code":"000"}`} {
		p := notice.BuiltIn().Of(profile)
		for k := range 12 {
			t.Run(fmt.Sprint(profile, "/", k), func(t *testing.T) {
				t.Parallel()
				var n atomic.Int32
				b, _ := receiving(t, profile, false, time.Minute, func(w http.ResponseWriter, r *http.Request) {
					if int(n.Add(1)) <= k {
						answering(500, "")(w, r)
						return
					}
					answering(200, body)(w, r)
				})
				b.enqueue(1)
				require.NoError(t, b.run())
				attempts, d := b.outbox.Attempts(), b.outbox.Deliveries()[0]
				tries := min(k+1, p.Tries())
				require.Len(t, attempts, tries)
				var took time.Duration
				for _, wait := range p.Waits[:tries-1] {
					took += wait
				}
				require.True(t, attempts[tries-1].StartedAt.Equal(epoch.Add(took)), "%s", attempts[tries-1].StartedAt)
				want := notice.Sent
				if k >= p.Tries() {
					want = notice.Failed
				}
				require.Equal(t, want, d.State)
				require.Equal(t, want == notice.Failed && p.Drops, b.outbox.Subscription("s").State == notice.Dropped)
			})
		}
	}
}
