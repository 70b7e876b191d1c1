package bench

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/cmd/dev/e2e/harness"
	"signalbox/workflows"
)

// arrive waits until receivers have counted at least n requests.
func (b *bench) arrive(counted *atomic.Int64, n int64) {
	harness.Until(b, "every delivery arrives", 10*time.Minute, func() error {
		if got := counted.Load(); got < n {
			return fmt.Errorf("%d of %d", got, n)
		}
		return nil
	})
}

// deliveries compares sending what is due to many receivers, by one worker, with sending as many requests and nothing else.
func (b *bench) deliveries() {
	receivers, events, keys := 50, 400, 40
	if b.smoke {
		receivers, events, keys = 5, 4, 2
	}
	due := receivers * events
	var arrived, first atomic.Int64 // how many, and when the first did
	var addresses []string
	for range receivers {
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			if arrived.Add(1) == 1 {
				first.Store(time.Now().UnixNano())
			}
		}))
		b.Cleanup(server.Close)
		addresses = append(addresses, server.URL)
	}
	for _, address := range addresses {
		_, err := b.call(b.Context(), "POST", "/api/subscription", map[string]any{"url": address + "/told", "source": "bench"})
		require.NoError(b, err)
	}
	r := row{what: fmt.Sprintf("%d deliveries due over %d receivers, one worker, against as many bare requests", due, receivers), goal: "1.5 times what it was"}
	var transitions []float64
	for round := range b.rounds {
		spin, sync, err := noise(b.dir)
		require.NoError(b, err)
		b.stopDeliveries()
		var made stock
		made.fill(b, events, func(ctx context.Context) (string, error) {
			n := b.counter.Add(1)
			_, err := b.call(ctx, "POST", "/api/publish", map[string]any{"event_source": "bench", "event_topic": "stock", "event_type": "low", "event_status": "new",
				"event_key": fmt.Sprint("k", n%int64(keys)), "changes": []string{fmt.Sprint(n)}})
			return "", err
		})
		b.drain()
		effort, before := b.effort(), b.machine.used(b)
		arrived.Store(0)
		b.startDeliveries()
		b.arrive(&arrived, int64(due))
		mine := measured{done: due, took: time.Since(time.Unix(0, first.Load()))} // what starting takes is left out
		b.drain()
		mine.cost = b.machine.used(b).since(before)
		mine.cost.cpu["delivery worker"] = cpuOf(b.deliver.PID()) // it is a new process
		mine.cost.cpu["load"] = 0                                 // the receivers'
		transitions = append(transitions, float64(b.effort()-effort))
		others := b.bareRequests(addresses, due)
		r.rounds = append(r.rounds, rounds{mine, others, byRate(mine, others), spin, sync})
		progress("%s, round %d of %d: %.0f/s against %.0f/s: %.2f; %.0f transitions", r.what, round+1, b.rounds, mine.rate(), others.rate(), byRate(mine, others),
			transitions[round])
	}
	median, least, most := spread(transitions)
	b.rows = append(b.rows, r, row{what: "engine transitions of all of these deliveries together", goal: "flat", note: fmt.Sprintf("%.0f (%.0f to %.0f)", median, least, most)})
}

// bareRequests sends so many requests, with as many at once as a worker has for one host's share, and does nothing else.
func (b *bench) bareRequests(addresses []string, n int) measured {
	const body = `{"event_source":"bench","event_topic":"stock","event_type":"low","event_status":"new","event_key":"k1","changes":["1"]}`
	var group sync.WaitGroup
	work := queue(n)
	began := time.Now()
	for range 64 {
		group.Go(func() {
			for i := range work {
				answer, err := keeping.Post(addresses[i%len(addresses)]+"/bare", "application/json", strings.NewReader(body))
				if err != nil {
					b.Errorf("bare request: %v", err)
					return
				}
				_, _ = io.Copy(io.Discard, answer.Body)
				answer.Body.Close()
			}
		})
	}
	group.Wait()
	require.False(b, b.Failed())
	return measured{done: n, took: time.Since(began)}
}

// effort is how many state transitions the workflows of deliveries have cost Temporal so far.
func (b *bench) effort() (transitions int64) {
	for partition := range 16 {
		described, err := b.engine.DescribeWorkflowExecution(b.Context(), workflows.DeliveriesID(partition), "")
		if err == nil { // a partition has a workflow once it has had something to deliver
			transitions += described.WorkflowExecutionInfo.StateTransitionCount
		}
	}
	return transitions
}
