package bench

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"
)

// lifecycle compares a ticket's life over HTTP with the same number of calls to the bare engine.
func (b *bench) lifecycle() {
	ours, bare := side{name: "ticket", do: b.ourLifecycle}, side{name: "start and 3 updates", do: b.plainLifecycle}
	b.pair("ticket lifecycle (open, accept, commit-solution, confirm) against plain Temporal (start, 3 updates), 16 callers", "≥ 1.0", 16, 0, ours, bare, byRate)
	b.pair("the same, 1 caller", "≥ 0.95", 1, 0, ours, bare, byRate)
}

// told is the same with somebody who is told of it twice: of a relation that is written, and of the end.
func (b *bench) told() {
	var arrived atomic.Int64
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		arrived.Add(1)
	}))
	defer receiver.Close()
	var lives atomic.Int64
	ours := side{name: "ticket that tells", do: func(ctx context.Context) error {
		number, err := b.open(ctx)
		if err != nil {
			return err
		}
		if _, err = b.call(ctx, "POST", "/api/issue/"+number+"/notification", map[string]any{"url": receiver.URL + "/" + number}); err != nil {
			return err
		}
		if _, err = b.call(ctx, "PUT", "/api/issue/"+number+"/relations/declaration", map[string]any{"content": []string{"D1"}}); err != nil {
			return err
		}
		for _, what := range []map[string]any{accept, commit, confirm} {
			if err = b.handle(ctx, number, what); err != nil {
				return err
			}
		}
		lives.Add(1)
		return nil
	}}
	bare := side{name: "start, 4 updates, 2 activities", do: func(ctx context.Context) error { return b.plainTold(ctx, receiver.URL) }}
	b.pair("the same with one subscriber, two deliveries each, against plain Temporal with two activities (start, 4 updates), 16 callers", "≥ 1.0", 16, 0, ours, bare, byRate)
	b.arrive(&arrived, 2*lives.Load())
}

// stock is a supply of things that were made before, each used once.
type stock struct {
	mu   sync.Mutex
	list []string
}

// fill makes n things, with some at once.
func (s *stock) fill(b *bench, n int, one func(ctx context.Context) (string, error)) {
	var group sync.WaitGroup
	work := queue(n)
	for range 16 {
		group.Go(func() {
			for range work {
				made, err := one(b.Context())
				if err != nil {
					b.Errorf("make: %v", err)
					continue
				}
				s.mu.Lock()
				s.list = append(s.list, made)
				s.mu.Unlock()
			}
		})
	}
	group.Wait()
	require.False(b, b.Failed())
}

func queue(n int) <-chan int {
	work := make(chan int, n)
	for i := range n {
		work <- i
	}
	close(work)
	return work
}

func (s *stock) take() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.list[len(s.list)-1]
	s.list = s.list[:len(s.list)-1]
	return last
}

// action compares one action over HTTP with a bare update: how long its caller waits. The workflow of either was updated before, so that a worker has it at hand; the
// first action on a ticket is measured by itself, since a ticket has its first workflow task then, and a plain workflow as it is started.
func (b *bench) action() {
	n := 200
	if b.smoke {
		n = 10
	}
	var fresh, accepted, started, stepped stock
	b.pair("one action over HTTP (commit-solution) against a bare update, 1 caller, p50 (times as long)", "≤ 1.25", 1, n,
		side{name: "commit-solution", prepare: func(_ context.Context, n int) {
			accepted.fill(b, n, func(ctx context.Context) (string, error) {
				number, err := b.open(ctx)
				if err == nil {
					err = b.handle(ctx, number, accept)
				}
				return number, err
			})
		}, do: func(ctx context.Context) error { return b.handle(ctx, accepted.take(), commit) }},
		side{name: "second update", prepare: func(_ context.Context, n int) {
			stepped.fill(b, n, func(ctx context.Context) (string, error) {
				id, err := b.startPlain(ctx, 3)
				if err == nil {
					err = b.stepPlain(ctx, id)
				}
				return id, err
			})
		}, do: func(ctx context.Context) error { return b.stepPlain(ctx, stepped.take()) }}, byMedian)
	b.pair("the first action on a ticket (accept), with its first workflow task, against a bare update (times as long)", "", 1, n,
		side{name: "accept", prepare: func(_ context.Context, n int) { fresh.fill(b, n, b.open) },
			do: func(ctx context.Context) error { return b.handle(ctx, fresh.take(), accept) }},
		side{name: "first update", prepare: func(_ context.Context, n int) {
			started.fill(b, n, func(ctx context.Context) (string, error) { return b.startPlain(ctx, 2) })
		}, do: func(ctx context.Context) error { return b.stepPlain(ctx, started.take()) }}, byMedian)
}

// opens compares openings with bare starts.
func (b *bench) opens() {
	ours := side{name: "open", do: func(ctx context.Context) error { _, err := b.open(ctx); return err }}
	bare := side{name: "start", do: func(ctx context.Context) error { _, err := b.startPlain(ctx, 3); return err }}
	b.pair("opens against bare starts, 32 callers", "≥ 0.9", 32, 0, ours, bare, byRate)
}

// read compares reading a ticket with PostgreSQL's own measure of single-row reads.
func (b *bench) read() {
	var numbers stock
	numbers.fill(b, 100, b.open)
	var next atomic.Int64
	ours := side{name: "GET", do: func(ctx context.Context) error {
		_, err := b.call(ctx, "GET", "/api/issue/"+numbers.list[int(next.Add(1))%len(numbers.list)], nil)
		return err
	}}
	database, err := b.cluster.CreateDatabase(b.Context())
	require.NoError(b, err)
	out, err := exec.Command(b.cluster.Program("pgbench"), "-i", "-q", "-s", "10", database).CombinedOutput()
	require.NoError(b, err, string(out))
	for _, c := range []struct {
		callers int
		goal    string
	}{{16, "≥ 0.6"}, {1, "≥ 0.35"}} {
		r := row{what: fmt.Sprintf("GET /api/issue/{id} against pgbench -S, callers: %d", c.callers), goal: c.goal}
		for round := range b.rounds {
			spin, sync, err := noise(b.dir)
			require.NoError(b, err)
			mine := b.load(ours, c.callers, 0)
			others := measured{}
			long := []string{"-T", strconv.Itoa(int(b.length.Seconds()))}
			if b.smoke { // on a busy machine nothing may be done in a second
				long = []string{"-t", "10"}
			}
			out, err := exec.Command(b.cluster.Program("pgbench"), append(long, "-S", "-n", "-c", strconv.Itoa(c.callers), "-j", "2", database)...).CombinedOutput()
			require.NoError(b, err, string(out))
			lines := bufio.NewScanner(bytes.NewReader(out))
			for lines.Scan() {
				if rest, is := strings.CutPrefix(lines.Text(), "number of transactions actually processed: "); is {
					rest, _, _ = strings.Cut(rest, "/")
					others.done, err = strconv.Atoi(rest)
					require.NoError(b, err)
				}
				if rest, is := strings.CutPrefix(lines.Text(), "tps = "); is {
					tps, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
					require.NoError(b, err)
					others.took = time.Duration(float64(others.done) / tps * float64(time.Second))
				}
			}
			require.Positive(b, others.done, string(out))
			r.rounds = append(r.rounds, rounds{mine, others, byRate(mine, others), spin, sync})
			progress("%s, round %d of %d: %.0f/s against %.0f/s: %.2f", r.what, round+1, b.rounds, mine.rate(), others.rate(), byRate(mine, others))
		}
		b.rows = append(b.rows, r)
	}
}
