package db

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/sethvargo/go-retry"

	"signalbox/migrations"
)

// notifyChannel is what PostgreSQL is notified on; the payload is the partition.
const notifyChannel = "signalbox_deliveries"

// sendNotifications tells every process of the partitions in which deliveries became pending, as part of a transaction on PostgreSQL.
func (q *Tx) sendNotifications() {
	for part := range q.pending {
		q.talk.later("SELECT pg_notify($1, $2)", []any{notifyChannel, strconv.Itoa(part)})
	}
}

// notifier hands wake-ups to whoever waits for them in this process. On PostgreSQL one connection listens for all of them, from the first
// time somebody waits.
type notifier struct {
	db *DB

	mu        sync.Mutex
	closed    bool
	listening context.CancelFunc // nil: not yet
	waiting   map[int]map[chan struct{}]bool
	working   sync.WaitGroup
}

// Notifications gives a channel that receives whenever deliveries became pending in the partition, in this process or another, until ctx is over.
// A signal is dropped when one is waiting already; when the connection to the database was lost in between there is one to be sure.
func (d *DB) Notifications(ctx context.Context, partition int) <-chan struct{} {
	return d.notifier.subscribe(ctx, partition)
}

func newNotifier(d *DB) *notifier {
	return &notifier{db: d, waiting: map[int]map[chan struct{}]bool{}}
}

func (h *notifier) subscribe(ctx context.Context, part int) <-chan struct{} {
	c := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return c
	}
	if h.waiting[part] == nil {
		h.waiting[part] = map[chan struct{}]bool{}
	}
	h.waiting[part][c] = true
	context.AfterFunc(ctx, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.waiting[part], c)
	})
	if h.listening == nil && h.db.dialect == migrations.PostgreSQL {
		var ctx context.Context
		ctx, h.listening = context.WithCancel(context.Background())
		h.working.Go(func() { h.listen(ctx) })
	}
	return c
}

const (
	// probeEvery is how often the listening connection is asked whether the other side is there still, where nothing is heard from it.
	probeEvery = 30 * time.Second
	// soonest and latestAgain bound how long a connection that was lost is waited for before it is made anew.
	soonest, latestAgain = 100 * time.Millisecond, 10 * time.Second
)

// listen hands on what is heard until ctx is over, over as many connections as that takes.
func (h *notifier) listen(ctx context.Context) {
	pauses := func() retry.Backoff { return retry.WithCappedDuration(latestAgain, retry.NewExponential(soonest)) }
	for pause := pauses(); ctx.Err() == nil; {
		heard, err := h.hear(ctx)
		if ctx.Err() != nil {
			return
		}
		h.db.Log.WarnContext(ctx, "store.listen", "error", err)
		if heard {
			pause = pauses()
		}
		wait, _ := pause.Next()
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// hear hands on what is heard over one connection until that is lost; heard tells whether it was ever made.
func (h *notifier) hear(ctx context.Context) (heard bool, err error) {
	config, err := postgresConfig(h.db.dsn, h.db.common)
	if err != nil {
		return false, err
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return false, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "LISTEN "+notifyChannel); err != nil {
		return false, err
	}
	h.wakeAll() // for what became pending before we listened
	for {
		n, err := h.next(ctx, conn)
		if err != nil {
			return true, err
		}
		if n == nil {
			continue
		}
		if part, err := strconv.Atoi(n.Payload); err == nil {
			h.wake(part)
		}
	}
}

// next waits for what is heard next; nil: nothing for some time, and the other side is there still.
func (h *notifier) next(ctx context.Context, conn *pgx.Conn) (*pgconn.Notification, error) {
	waiting, stop := context.WithTimeout(ctx, probeEvery)
	defer stop()
	n, err := conn.WaitForNotification(waiting)
	if err == nil || ctx.Err() != nil || waiting.Err() == nil {
		return n, err
	}
	probing, done := context.WithTimeout(ctx, connectTimeout)
	defer done()
	return nil, conn.Ping(probing)
}

func (h *notifier) wake(part int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.waiting[part] {
		signal(c)
	}
}

func (h *notifier) wakeAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, waiting := range h.waiting {
		for c := range waiting {
			signal(c)
		}
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (h *notifier) close() {
	h.mu.Lock()
	stop := h.listening
	h.closed = true
	h.mu.Unlock()
	if stop != nil {
		stop()
		h.working.Wait()
	}
}
