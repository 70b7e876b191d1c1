package e2e

import (
	"fmt"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"signalbox/cmd/dev/e2e/harness"
	"signalbox/store/postgrestest"
)

// TestWhoeverFollowsMissesNothing has eight write and two follow, through two processes over PostgreSQL, and through one over SQLite.
func TestWhoeverFollowsMissesNothing(t *testing.T) {
	t.Parallel()
	t.Run("two processes over PostgreSQL", func(t *testing.T) {
		t.Parallel()
		p := startProduction(t, postgrestest.Start(t))
		p.startWorker(t, "tickets")
		first := p.caller()
		p.api = fmt.Sprintf("http://127.0.0.1:%d", harness.FreePort(t))
		p.startAPI(t)
		followWriters(t, first, p.caller())
	})
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		d := sharedDev(t)
		followWriters(t, d.caller(), d.caller())
	})
}

// feedEvent names an event of a ticket.
type feedEvent struct {
	number string
	seq    int64
}

// feedReader follows the change feed through one process.
type feedReader struct {
	*caller
	cursor string
	seen   []feedEvent
}

// read reads to the present end of the feed.
func (f *feedReader) read(t *testing.T) {
	for more := true; more; {
		var page struct {
			Items []struct {
				Event struct{ Seq int64 }
				Issue struct{ ID string }
			}
			Next string `json:"next_cursor"`
			More bool
		}
		a := f.must(t, "GET", "/api/issue/changes?limit=50&cursor="+url.QueryEscape(f.cursor), nil)
		require.NoError(t, a.result(&page))
		for _, e := range page.Items {
			f.seen = append(f.seen, feedEvent{e.Issue.ID, e.Event.Seq})
		}
		f.cursor, more = page.Next, page.More
	}
}

// timeReader does what the feed is for by the time of the newest ticket that it knows.
type timeReader struct {
	*caller
	newest string
	seen   map[string]bool
}

// read reads what was created since.
func (r *timeReader) read(t *testing.T) {
	since := r.newest
	for cursor := ""; ; {
		var page struct {
			Items []struct {
				ID        string
				CreatedAt string `json:"created_at"`
			}
			Next string `json:"next_cursor"`
		}
		query := url.Values{"limit": {"200"}, "created_after": {since}}
		if cursor != "" {
			query.Set("cursor", cursor)
		}
		a := r.must(t, "GET", "/api/issue?"+query.Encode(), nil)
		require.NoError(t, a.result(&page))
		for i, item := range page.Items {
			r.seen[item.ID] = true
			if i == 0 && cursor == "" {
				r.newest = item.CreatedAt
			}
		}
		if cursor = page.Next; cursor == "" {
			return
		}
	}
}

// followWriters has tickets opened and accepted through all callers at once, and followed through each. What is seen is what the timelines have.
func followWriters(t *testing.T, callers ...*caller) {
	const writers, each = 8, 15
	var readers []*feedReader
	for _, c := range callers {
		f := &feedReader{caller: c, cursor: "latest"}
		f.read(t)
		readers = append(readers, f)
	}
	byTime := &timeReader{caller: callers[0], newest: time.Now().UTC().Format(time.RFC3339Nano), seen: map[string]bool{}}

	var mu sync.Mutex
	var numbers []string
	var writing, reading sync.WaitGroup
	var written atomic.Bool
	for w := range writers {
		writing.Go(func() {
			c := callers[w%len(callers)]
			for range each {
				a, _, err := c.persist(t.Context(), "POST", "/api/issue", uuid.NewString(), map[string]any{"origin": "e2e", "title": "x"})
				var number string
				if err == nil {
					err = a.result(&number)
				}
				if err == nil {
					a, _, err = c.persist(t.Context(), "POST", "/api/issue/"+number+"/handle", uuid.NewString(), map[string]any{"action": "accept", "operator": "li"})
				}
				if err != nil || a.status != 200 {
					t.Errorf("writer %d: %v %v", w, a, err)
					return
				}
				mu.Lock()
				numbers = append(numbers, number)
				mu.Unlock()
			}
		})
	}
	follow := func(read func(*testing.T)) {
		reading.Go(func() {
			for !written.Load() && !t.Failed() {
				read(t)
			}
		})
	}
	for _, f := range readers {
		follow(f.read)
	}
	follow(byTime.read)
	writing.Wait()
	written.Store(true)
	reading.Wait()
	require.False(t, t.Failed())
	require.Len(t, numbers, writers*each)

	events, mine := 0, map[string]int64{} // how many each ticket has
	for _, number := range numbers {
		timeline := result[struct{ Items []struct{ Seq int64 } }](t, callers[0].must(t, "GET", "/api/issue/"+number+"/timeline", nil))
		require.GreaterOrEqual(t, len(timeline.Items), 2)
		mine[number] = int64(len(timeline.Items))
		events += len(timeline.Items)
	}
	var order []feedEvent
	for i, f := range readers {
		var seen []feedEvent
		harness.Until(t, "the end of the feed", time.Minute, func() error {
			f.read(t)
			seen = slices.DeleteFunc(slices.Clone(f.seen), func(e feedEvent) bool { return mine[e.number] == 0 }) // of other tests
			if len(seen) < events {
				return fmt.Errorf("%d of %d events were seen", len(seen), events)
			}
			return nil
		})
		last := map[string]int64{}
		for _, e := range seen {
			require.Equal(t, last[e.number]+1, e.seq, "every event of %s once, in order", e.number)
			last[e.number] = e.seq
		}
		require.Equal(t, mine, last)
		if i == 0 {
			order = seen
		}
		require.Equal(t, order, seen, "all see one order")
	}
	byTime.read(t)
	lost := 0
	for _, number := range numbers {
		if !byTime.seen[number] {
			lost++
		}
	}
	t.Logf("%d events of %d tickets, none lost by the feed; asking for what was created after the last seen lost %d tickets", events, len(numbers), lost)
}
