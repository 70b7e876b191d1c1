package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// caller is a client of the API as others write them. It may be used by many at once.
type caller struct {
	base string // http://host:port
	key  string // goes into Authorization
	http *http.Client
}

// newCaller waits longer than the API takes to say that it cannot.
func newCaller(base, secret string) *caller {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 64
	return &caller{base: base, key: "Access_Key " + secret, http: &http.Client{Timeout: 30 * time.Second, Transport: transport}}
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) String() string { return fmt.Sprintf("%d %s", a.status, a.body) }

func (a answer) replayed() bool { return a.header.Get("X-Idempotency-Replayed") == "true" }

// result reads the member "result" of an answer in the house's style.
func (a answer) result(v any) error {
	var envelope struct{ Result json.RawMessage }
	if err := json.Unmarshal([]byte(a.body), &envelope); err != nil {
		return fmt.Errorf("%w: %s", err, a)
	}
	return json.Unmarshal(envelope.Result, v)
}

// send makes one request. body is sent as it is when it is bytes, otherwise as JSON; nil: none. key may be empty.
func (c *caller) send(ctx context.Context, method, path, key string, body any) (answer, error) {
	raw, ok := body.([]byte)
	if !ok && body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return answer{}, err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(raw))
	if err != nil {
		return answer{}, err
	}
	request.Header.Set("Authorization", c.key)
	request.Header.Set("Content-Type", "application/json")
	if key != "" {
		request.Header.Set("X-Idempotency-Key", key)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(text)}, err
}

// persist repeats a request with its key for as long as the API says that it cannot tell, or does not answer at all: what a careful caller
// does. Any other answer is final.
func (c *caller) persist(ctx context.Context, method, path, key string, body any) (a answer, tries int, err error) {
	for tries = 1; ; tries++ {
		a, err = c.send(ctx, method, path, key, body)
		again := err != nil || a.status == http.StatusServiceUnavailable || a.status == http.StatusConflict && a.header.Get("Retry-After") != ""
		if !again || ctx.Err() != nil {
			return a, tries, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond): // Retry-After says a second or two; tests are in a hurry
		}
	}
}

// must makes a request that has to succeed.
func (c *caller) must(t testing.TB, method, path string, body any) answer {
	t.Helper()
	a, err := c.send(t.Context(), method, path, "", body)
	require.NoError(t, err)
	require.Equal(t, 200, a.status, a)
	return a
}

// open opens a ticket and gives its number.
func (c *caller) open(t testing.TB) string {
	t.Helper()
	return result[string](t, c.must(t, "POST", "/api/issue", map[string]any{"origin": "e2e", "title": t.Name()}))
}

// register has a ticket's notifications sent to an address.
func (c *caller) register(t testing.TB, number, url string) string {
	t.Helper()
	return result[struct{ ID string }](t, c.must(t, "POST", "/api/issue/"+number+"/notification", map[string]any{"url": url})).ID
}

// result reads the result of an answer in the house's style.
func result[T any](t testing.TB, a answer) T {
	t.Helper()
	var v T
	require.NoError(t, a.result(&v))
	return v
}

// items reads the result of a list.
func items[T any](t testing.TB, a answer) []T {
	t.Helper()
	return result[struct{ Items []T }](t, a).Items
}

// entry is a line of the timeline.
type entry struct {
	Seq     int64
	At      time.Time
	Type    string
	Actor   string
	Channel string `json:"door"`
	After   struct {
		Message *struct{ ID, Content string }
	}
}

// timeline reads all events of it.
func (c *caller) timeline(t testing.TB, number string) (events []entry) {
	t.Helper()
	events, _ = c.wholeTimeline(t, number)
	return events
}

// alert is an entry of the timeline that tells of a delivery.
type alert struct {
	ID, Type, Note, Subscription, Delivery, Host string
	after                                        int // how many events stand before it
}

// wholeTimeline reads all of it.
func (c *caller) wholeTimeline(t testing.TB, number string) (events []entry, alerts []alert) {
	t.Helper()
	for after := "0"; after != ""; {
		page := result[struct {
			Items []struct {
				entry
				alert
				Type string
			}
			Next string `json:"next_cursor"`
		}](t, c.must(t, "GET", fmt.Sprintf("/api/issue/%s/timeline?limit=200&after=%s", number, after), nil))
		for _, e := range page.Items {
			if e.ID != "" {
				e.alert.Type, e.alert.after = e.Type, len(events)
				alerts = append(alerts, e.alert)
				continue
			}
			e.entry.Type = e.Type
			events = append(events, e.entry)
			require.EqualValues(t, len(events), e.Seq, "the timeline has no gap and no double")
		}
		after = page.Next
	}
	return events, alerts
}

// delivery is one body owed to an address, as the API shows it.
type delivery struct {
	ID, Type, State string
	NextAttemptAt   *time.Time `json:"next_attempt_at"`
	EndedAt         *time.Time `json:"ended_at"`
	Attempts        []struct {
		StartedAt  time.Time `json:"started_at"`
		HTTPStatus *int      `json:"http_status"`
	}
}

// deliveries lists everything owed to an address, in the order in which things happened.
func (c *caller) deliveries(t testing.TB, number, nid string) (all []delivery) {
	t.Helper()
	for cursor := ""; ; {
		page := result[struct {
			Items []delivery
			Next  string `json:"next_cursor"`
		}](t, c.must(t, "GET", "/api/issue/"+number+"/notification/"+nid+"/deliveries?limit=200&cursor="+cursor, nil))
		all = append(all, page.Items...)
		if cursor = page.Next; cursor == "" {
			slices.Reverse(all) // they come newest first
			return all
		}
	}
}
