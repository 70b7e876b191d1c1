package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/api/apitest"
	"signalbox/client"
	"signalbox/client/audit"
	"signalbox/client/directory"
	"signalbox/client/issue"
	"signalbox/client/publish"
	"signalbox/client/subscription"
	"signalbox/internal/housetest"
)

func calling(t testing.TB, address, secret string) *client.Client {
	t.Helper()
	c, err := client.New(address, client.Options{Secret: secret})
	require.NoError(t, err)
	return c
}

// hasty is calling by a client that waits for next to nothing between its tries.
func hasty(t testing.TB, address, secret string) *client.Client {
	t.Helper()
	c, err := client.New(address, client.Options{Secret: secret, Patience: 10 * time.Millisecond})
	require.NoError(t, err)
	return c
}

// trouble stands before a house and does to each change, by turns, what a network does: the request gets through and its answer is cut in the middle, or it hears 503 and
// does not get through, or all is well.
type trouble struct {
	*httptest.Server
	mu   sync.Mutex
	keys map[string]int // how often a key was seen
	n    atomic.Int64
}

func troubled(t testing.TB, house string) *trouble {
	t.Helper()
	target, err := url.Parse(house)
	require.NoError(t, err)
	through := httputil.NewSingleHostReverseProxy(target)
	tr := &trouble{keys: map[string]int{}}
	tr.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if key := r.Header.Get("X-Idempotency-Key"); key != "" {
			tr.mu.Lock()
			tr.keys[key]++
			tr.mu.Unlock()
		}
		switch tr.n.Add(1) % 3 {
		case 1:
			kept := httptest.NewRecorder()
			through.ServeHTTP(kept, r)
			cut(w, kept)
		case 2:
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, `{"success":false,"message":"not now"}`)
		default:
			through.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(tr.Close)
	return tr
}

// cut sends half of an answer and breaks the connection.
func cut(w http.ResponseWriter, a *httptest.ResponseRecorder) {
	body := a.Body.Bytes()
	for name, values := range a.Header() {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	w.WriteHeader(a.Code)
	_, _ = w.Write(body[:len(body)/2])
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
	panic(http.ErrAbortHandler)
}

// TestEachCallHappensOnce through connections that break in the middle of answers and a server that says "not now": every call is answered, under one key, and is done once.
func TestEachCallHappensOnce(t *testing.T) {
	t.Parallel()
	house := housetest.New(t)
	between := troubled(t, house.URL)
	c := hasty(t, between.URL, apitest.Writer)
	numbers := map[string]bool{}
	for range 5 {
		number, err := c.Open(t.Context(), issue.Opening{Origin: "o", Title: "once"})
		require.NoError(t, err)
		numbers[number] = true
		require.NoError(t, c.Act(t.Context(), number, issue.Handling{Action: issue.ActionAccept, Operator: "ann"}))
	}
	require.Len(t, numbers, 5)
	require.Len(t, between.keys, 10, "one key a call")
	again := 0
	for _, n := range between.keys {
		again += n - 1
	}
	require.Positive(t, again, "none was repeated: the trouble was none")

	direct := calling(t, house.URL, apitest.Reader)
	seen := 0
	for line, err := range direct.Issues(t.Context(), issue.ListIssuesParams{}) {
		require.NoError(t, err)
		require.True(t, numbers[line.Id])
		seen++
		var types []string
		for entry, err := range direct.Timeline(t.Context(), line.Id) {
			require.NoError(t, err)
			types = append(types, entry.Type)
		}
		require.Equal(t, []string{"opened", "accepted"}, types)
	}
	require.Equal(t, 5, seen)
}

// TestWhoFollowsMissesNothing: each event once and in order, while others write, through the same trouble.
func TestWhoFollowsMissesNothing(t *testing.T) {
	t.Parallel()
	const writers, each = 4, 10
	house := housetest.New(t)
	between := troubled(t, house.URL)
	reader, writer := hasty(t, between.URL, apitest.Reader), calling(t, house.URL, apitest.Writer)
	cursor, err := reader.Begin(t.Context())
	require.NoError(t, err)
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for range each {
				number, err := writer.Open(t.Context(), issue.Opening{Origin: "o", Title: "t"})
				if err == nil {
					err = writer.Act(t.Context(), number, issue.Handling{Action: issue.ActionAccept, Operator: "ann"})
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	defer all.Wait()
	seqs, events := map[string]int{}, 0
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for got, err := range reader.Follow(ctx, cursor, client.FollowOptions{Every: 10 * time.Millisecond, Limit: 7}) {
		require.NoError(t, err)
		require.NotEmpty(t, got.Cursor)
		for _, change := range got.Items {
			require.Equal(t, seqs[change.Issue.Id]+1, change.Event.Seq)
			seqs[change.Issue.Id]++
			events++
		}
		if events == writers*each*2 {
			break
		}
	}
	require.Len(t, seqs, writers*each)

	// From the cursor that was kept nothing comes twice; from the beginning everything comes again.
	again := 0
	for got, err := range reader.Follow(ctx, "", client.FollowOptions{Every: time.Millisecond}) {
		require.NoError(t, err)
		if again += len(got.Items); again >= events {
			break
		}
	}
	require.Equal(t, events, again)
	for _, err := range reader.Follow(ctx, "nonsense", client.FollowOptions{}) {
		require.ErrorIs(t, err, client.Invalid, "what is wrong for good ends it")
	}
}

// TestWhoFollowsWaitsForWhatIsAway: a house that is away is asked again, and whoever follows is told that it is.
func TestWhoFollowsWaitsForWhatIsAway(t *testing.T) {
	t.Parallel()
	house := housetest.New(t)
	var away atomic.Int64
	away.Store(3)
	target, _ := url.Parse(house.URL)
	through := httputil.NewSingleHostReverseProxy(target)
	between := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if away.Add(-1) >= 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		through.ServeHTTP(w, r)
	}))
	defer between.Close()
	c, err := client.New(between.URL, client.Options{Secret: apitest.Reader, Tries: 1})
	require.NoError(t, err)
	var told []error
	for got, err := range c.Follow(t.Context(), client.Latest, client.FollowOptions{Every: time.Millisecond, Waiting: func(err error) { told = append(told, err) }}) {
		require.NoError(t, err)
		require.NotEmpty(t, got.Cursor)
		break
	}
	require.Len(t, told, 3)
	require.ErrorIs(t, told[0], client.Unavailable)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	for _, err := range c.Follow(ctx, client.Latest, client.FollowOptions{Every: time.Hour}) {
		last = err
		cancel()
	}
	require.ErrorIs(t, last, context.Canceled)
}

// TestListsGoThroughAllPages, and again from the beginning.
func TestListsGoThroughAllPages(t *testing.T) {
	t.Parallel()
	house := housetest.New(t)
	c := calling(t, house.URL, apitest.Boss)
	for i := range 5 {
		_, err := c.Open(t.Context(), issue.Opening{Origin: "o", Title: fmt.Sprint(i)})
		require.NoError(t, err)
	}
	all := c.Issues(t.Context(), issue.ListIssuesParams{Limit: new(2)})
	for range 2 {
		var titles []string
		for line, err := range all {
			require.NoError(t, err)
			titles = append(titles, line.Title)
		}
		require.Equal(t, []string{"4", "3", "2", "1", "0"}, titles)
	}
	for line, err := range all {
		require.NoError(t, err)
		require.Equal(t, "4", line.Title)
		break
	}
	for _, err := range calling(t, house.URL, "nobody").Issues(t.Context(), issue.ListIssuesParams{}) {
		require.ErrorIs(t, err, client.Unauthorized)
	}

	added, err := c.Subscription.SubscribeWithResponse(t.Context(), nil, subscription.SubscribeJSONRequestBody{Url: "https://hooks.example.com/told"})
	require.NoError(t, err)
	for s, err := range c.Subscriptions(t.Context(), subscription.ListSubscriptionsParams{}) {
		require.NoError(t, err)
		require.Equal(t, added.JSON200.Result.Id, s.Id)
	}
	require.NoError(t, c.Emit(t.Context(), publish.Event{EventSource: "a", EventTopic: "b", EventType: "c", EventStatus: "d", Changes: []string{"1"}}))
	owed := 0
	for d, err := range c.SubscriptionDeliveries(t.Context(), added.JSON200.Result.Id) {
		require.NoError(t, err)
		require.Equal(t, "c", d.Type)
		owed++
	}
	require.Equal(t, 1, owed)

	kept, err := c.Directory.PutPersonWithResponse(t.Context(), "ann", nil, directory.PersonBody{Name: new("Ann")})
	require.NoError(t, err)
	_, err = c.Directory.PutPersonWithResponse(t.Context(), "ann", &directory.PutPersonParams{IfMatch: new(`"99"`)}, directory.PersonBody{Name: new("Anna")})
	require.ErrorIs(t, err, client.Changed)
	for p, err := range c.Persons(t.Context(), directory.ListPersonsParams{}) {
		require.NoError(t, err)
		require.Equal(t, kept.JSON200.Result.Name, p.Name)
	}
	done := 0
	for _, err := range c.AuditEntries(t.Context(), audit.ListAuditParams{Outcome: new(audit.ListAuditParamsOutcome("done"))}) {
		require.NoError(t, err)
		done++
	}
	require.Equal(t, 8, done)
}

// TestServices: checked, published and read, with faults where there are some.
func TestServices(t *testing.T) {
	t.Parallel()
	house := housetest.New(t)
	c := calling(t, house.URL, apitest.Boss)
	const definition = "key: leave\nname: Leave\nnodes:\n- {id: lead, name: Lead, type: approval, processors: {persons: [wang]}, next: over}\n- {id: over, name: Over, type: end}\n"
	faults, err := c.CheckService(t.Context(), []byte("key: leave\nname: Leave\nnodes: []\n"))
	require.NoError(t, err)
	require.NotEmpty(t, faults)
	_, err = c.PublishService(t.Context(), []byte("key: leave\nname: Leave\nnodes: []\n"))
	require.ErrorIs(t, err, client.Invalid)
	require.Equal(t, faults, client.Faults(err))
	faults, err = c.CheckService(t.Context(), []byte(definition))
	require.NoError(t, err)
	require.Empty(t, faults)
	published, err := c.PublishService(t.Context(), []byte(definition))
	require.NoError(t, err)
	require.Equal(t, "leave", published.Key)
	require.Equal(t, 1, published.Version)
	require.Len(t, published.Nodes, 2)
	for v, err := range c.ServiceVersions(t.Context(), "leave") {
		require.NoError(t, err)
		require.Equal(t, 1, v.Version)
	}
	number, err := c.Open(t.Context(), issue.Opening{Origin: "o", Title: "t", Service: new("leave")})
	require.NoError(t, err)
	read, err := c.Read(t.Context(), number)
	require.NoError(t, err)
	require.Equal(t, "lead", read.CurrentNodes[0].Id)
	err = c.Act(t.Context(), number, issue.Handling{Action: issue.ActionApprove, Operator: "somebody"})
	require.ErrorIs(t, err, client.Forbidden)
	require.NoError(t, c.Act(t.Context(), number, issue.Handling{Action: issue.ActionApprove, Operator: "wang", Parameter: &map[string]any{"comment": "fine"}}))
	_, err = c.Read(t.Context(), "IM000000000000000000000000")
	require.ErrorIs(t, err, client.NotFound)
	var refusal *client.Error
	require.True(t, errors.As(err, &refusal))
	require.NotEmpty(t, refusal.RequestID)
}
