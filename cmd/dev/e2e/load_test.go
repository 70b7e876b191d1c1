package e2e

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"signalbox/cmd/dev/e2e/harness"
)

// load is many careful callers at work: they open tickets and bring them to their end, and talk on one ticket all at once. Each request has a
// key, and is repeated under it until there is an answer that tells. So whatever is killed meanwhile, all of them must succeed; one that
// happened twice would be refused the second time, or be seen in the timeline.
type load struct {
	t         testing.TB
	callers   []*caller // of several API processes, perhaps
	receivers *harness.Receiver
	shared    string // the ticket they all talk on
	nid       string // its notification

	stopping atomic.Bool
	group    sync.WaitGroup
	ctx      context.Context // over once the test is

	mu       sync.Mutex
	asked    []asked
	finished []finished // brought to their end
	slowest  time.Duration
	repeated int
}

// asked is a request that was made and its answer.
type asked struct {
	method, path, key string
	body              any
	answer            answer
	said              string // what it said on the shared ticket; empty for others
}

// finished is a ticket that was brought to its end, and its notification.
type finished struct{ number, nid string }

// startLoad starts so many callers. It needs an API that answers.
func startLoad(t testing.TB, r *harness.Receiver, n int, callers ...*caller) *load {
	t.Helper()
	ctx, leave := context.WithCancel(context.Background())
	l := &load{t: t, callers: callers, receivers: r, ctx: ctx}
	l.shared = callers[0].open(t)
	l.nid = callers[0].register(t, l.shared, r.URL("/"+l.shared))
	for i := range n {
		l.group.Go(func() {
			for round := 0; !l.stopping.Load() && !t.Failed(); round++ {
				if err := l.round(i, round); err != nil && ctx.Err() == nil {
					t.Errorf("caller %d, round %d: %v", i, round, err)
				}
			}
		})
	}
	t.Cleanup(func() { // where the test ended before it stopped them: who is gone has nothing to say
		leave()
		l.stopping.Store(true)
		l.group.Wait()
	})
	return l
}

// stop lets every caller finish what it has begun.
func (l *load) stop() {
	l.t.Helper()
	l.stopping.Store(true)
	l.group.Wait()
	require.False(l.t, l.t.Failed(), "a request was lost, or happened twice")
}

// count tells how many requests have been answered.
func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.asked)
}

// sofar logs how the callers fared since the last time.
func (l *load) sofar(what string) {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.t.Logf("%s: %d requests so far, %d of them asked more than once, the slowest since after %s", what, len(l.asked), l.repeated, l.slowest.Round(time.Millisecond))
	l.slowest = 0
}

// awaitMore waits until so many more requests have been answered.
func (l *load) awaitMore(n int, within time.Duration) {
	l.t.Helper()
	from := l.count()
	harness.Until(l.t, fmt.Sprintf("%d more requests answered", n), within, func() error {
		if got := l.count() - from; got < n && !l.t.Failed() {
			return fmt.Errorf("%d", got)
		}
		return nil
	})
}

func (l *load) round(i, round int) error {
	var number string
	a, err := l.ask(i, "POST", "/api/issue", map[string]any{"origin": "load", "title": fmt.Sprintf("%d.%d", i, round)}, "")
	if err != nil {
		return err
	}
	if err := a.result(&number); err != nil {
		return err
	}
	one := "/api/issue/" + number
	var registered struct{ ID string }
	a, err = l.ask(i, "POST", one+"/notification", map[string]any{"url": l.receivers.URL("/" + number)}, "")
	if err != nil {
		return err
	}
	if err := a.result(&registered); err != nil {
		return err
	}
	words := fmt.Sprintf("%d.%d", i, round)
	for _, step := range []struct {
		method, path, said string
		body               map[string]any
	}{
		{"POST", one + "/handle", "", map[string]any{"action": "accept", "operator": "li"}},
		{"POST", "/api/issue/" + l.shared + "/conversation", words, map[string]any{"author": "li", "content": words}},
		{"PUT", one + "/relations/manifest", "", map[string]any{"content": []string{"one", "two"}}},
		{"POST", one + "/handle", "", map[string]any{"action": "commit-solution", "operator": "li", "parameter": map[string]any{
			"mtm_type": "inc_type_p_config_issues", "is_service_interrupt": true, "cause": "c", "solution": "s"}}},
		{"POST", one + "/conversation", "", map[string]any{"author": "li", "content": "done"}},
		{"POST", one + "/handle", "", map[string]any{"action": "confirm", "operator": "li", "parameter": map[string]any{
			"virtual_confirm_result": true, "virtual_confirm_comment": "good"}}},
	} {
		if _, err := l.ask(i+round, step.method, step.path, step.body, step.said); err != nil {
			return fmt.Errorf("%s: %w", number, err)
		}
	}
	l.mu.Lock()
	l.finished = append(l.finished, finished{number, registered.ID})
	l.mu.Unlock()
	return nil
}

// ask makes one request until it is answered.
func (l *load) ask(i int, method, path string, body any, said string) (answer, error) {
	const patience = 90 * time.Second // a lease of 30 s may have to run out
	ctx, cancel := context.WithTimeout(l.ctx, patience)
	defer cancel()
	key, began := uuid.NewString(), time.Now()
	a, tries, err := l.callers[i%len(l.callers)].persist(ctx, method, path, key, body)
	if err == nil && a.status != 200 {
		err = fmt.Errorf("%s %s after %d tries: %s", method, path, tries, a)
	}
	if err != nil {
		return a, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked = append(l.asked, asked{method, path, key, body, a, said})
	l.slowest = max(l.slowest, time.Since(began))
	if tries > 1 {
		l.repeated++
	}
	return a, nil
}

// check holds what there is now against all that was promised, once the callers have stopped.
func (l *load) check() {
	t, c := l.t, l.callers[0]
	t.Helper()

	// Every request repeated gives its answer again, and does nothing.
	said := map[string]string{} // what was said, and the id that its caller was told
	for _, q := range l.asked {
		a, err := c.send(t.Context(), q.method, q.path, q.key, q.body)
		require.NoError(t, err)
		require.True(t, a.replayed() && a.status == q.answer.status && a.body == q.answer.body, "%s %s: %s, then %s", q.method, q.path, q.answer, a)
		if q.said != "" {
			said[q.said] = result[struct{ ID string }](t, a).ID
		}
	}

	// Every one of them is in the timeline, exactly once.
	for _, e := range c.timeline(t, l.shared) {
		if e.Type == "opened" {
			continue
		}
		require.Equal(t, "said", e.Type)
		require.Equal(t, said[e.After.Message.Content], e.After.Message.ID)
		delete(said, e.After.Message.Content)
	}
	require.Empty(t, said, "these were lost")
	for _, f := range l.finished {
		var types []string
		for _, e := range c.timeline(t, f.number) {
			types = append(types, e.Type)
		}
		require.Equal(t, []string{"opened", "accepted", "related", "solved", "said", "confirmed"}, types, f.number)
	}

	// Everything owed has arrived, in order of first arrival, under the ids that it is known by.
	bodies, doubles := 0, 0
	for _, f := range append([]finished{{l.shared, l.nid}}, l.finished...) {
		n, twice := checkArrivals(t, c, l.receivers, f.number, f.nid)
		bodies, doubles = bodies+n, doubles+twice
	}
	l.sofar("in all")
	t.Logf("%d tickets, %d notifications, %d of them more than once", len(l.finished)+1, bodies, doubles)
}

// checkArrivals holds what a receiver got on the path of a ticket's number against what was owed, and waits for it. It gives how many bodies
// arrived, and how many more than once.
func checkArrivals(t testing.TB, c *caller, r *harness.Receiver, number, nid string) (bodies, doubles int) {
	t.Helper()
	var owed []delivery
	harness.Until(t, "everything is told of "+number, 60*time.Second, func() error {
		owed = c.deliveries(t, number, nid)
		for _, d := range owed {
			if d.State != "sent" {
				return fmt.Errorf("%s is %s", d.ID, d.State)
			}
		}
		return nil
	})
	var want, first []string
	for _, d := range owed {
		want = append(want, d.ID)
	}
	body := map[string]string{}
	for _, request := range r.Requests("/" + number) {
		if request.Answered != 200 {
			continue
		}
		id := request.Header.Get("webhook-id")
		if known, ok := body[id]; ok {
			require.Equal(t, known, string(request.Body))
			doubles++
			continue
		}
		body[id] = string(request.Body)
		first = append(first, id)
	}
	require.Equal(t, want, first, "what was owed for %s, and what arrived", number)
	return len(owed), doubles
}
