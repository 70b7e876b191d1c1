package db

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/lib/pq"

	"signalbox/migrations"
)

// notifyChannel is what PostgreSQL is notified on; the payload is the partition.
const notifyChannel = "signalbox_deliveries"

// sendNotifications tells every process of the partitions in which deliveries became pending, as part of the transaction.
func (q *Tx) sendNotifications(ctx context.Context) error {
	if !q.onPostgreSQL() {
		return nil
	}
	for part := range q.pending {
		if _, err := q.Exec(ctx, "SELECT pg_notify(?, ?)", notifyChannel, strconv.Itoa(part)); err != nil {
			return fmt.Errorf("notify: %w", err)
		}
	}
	return nil
}

// notifier hands wake-ups to whoever waits for them in this process. On PostgreSQL one connection listens for all of them, from the first
// time somebody waits.
type notifier struct {
	db   *DB
	done chan struct{}

	mu       sync.Mutex
	closed   bool
	waiting  map[int]map[chan struct{}]bool
	listener *pq.Listener
	working  sync.WaitGroup
}

// Notifications gives a channel that receives whenever deliveries became pending in the partition, in this process or another, until ctx is over.
// A signal is dropped when one is waiting already; when the connection to the database was lost in between there is one to be sure.
func (d *DB) Notifications(ctx context.Context, partition int) <-chan struct{} {
	return d.notifier.subscribe(ctx, partition)
}

func newNotifier(d *DB) *notifier {
	return &notifier{db: d, done: make(chan struct{}), waiting: map[int]map[chan struct{}]bool{}}
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
	if h.listener == nil && h.db.dialect == migrations.PostgreSQL {
		h.listen()
	}
	return c
}

func (h *notifier) listen() {
	report := func(event pq.ListenerEventType, err error) {
		if err != nil {
			h.db.Log.Warn("store.listen", "error", err)
		}
	}
	l := pq.NewListener(h.db.dsn, 100*time.Millisecond, 10*time.Second, report)
	h.listener = l
	h.working.Add(2)
	go func() {
		defer h.working.Done()
		if err := l.Listen(notifyChannel); err != nil && !errors.Is(err, net.ErrClosed) { // waits for the connection
			h.db.Log.Warn("store.listen", "error", err)
		}
		h.wakeAll() // for what became pending before we listened
	}()
	go func() {
		defer h.working.Done()
		check := time.NewTicker(30 * time.Second)
		defer check.Stop()
		for {
			select {
			case <-h.done:
				return
			case n, open := <-l.Notify:
				switch part, err := payload(n); {
				case !open:
					return
				case err != nil:
					h.wakeAll() // the connection was lost and is back: anything may have been missed
				default:
					h.wake(part)
				}
			case <-check.C:
				_ = l.Ping() // finds out that the other side is gone; the listener then connects anew by itself
			}
		}
	}()
}

func payload(n *pq.Notification) (int, error) {
	if n == nil {
		return 0, fmt.Errorf("no payload")
	}
	return strconv.Atoi(n.Extra)
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

func (h *notifier) close() error {
	h.mu.Lock()
	l, first := h.listener, !h.closed
	h.closed = true
	h.mu.Unlock()
	if !first {
		return nil
	}
	close(h.done)
	if l == nil {
		return nil
	}
	err := l.Close()
	h.working.Wait()
	return err
}
