package store_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/notice"
	"signalbox/store"
	"signalbox/store/storetest"
)

// trips gives the address of a PostgreSQL database through a relay that counts how often the server is asked and waited for.
func trips(t *testing.T, dsn string) (through string, count *atomic.Int64) {
	t.Helper()
	address, err := url.Parse(dsn)
	require.NoError(t, err)
	server := address.Host
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	count = new(atomic.Int64)
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer client.Close()
				to, err := net.Dial("tcp", server)
				if err != nil {
					return
				}
				defer to.Close()
				go func() { _, _ = io.Copy(client, to); client.Close() }()
				relay(to, client, count)
			}()
		}
	}()
	address.Host = listener.Addr().String()
	return address.String(), count
}

// relay hands on what a client says in PostgreSQL's protocol (PostgreSQL, "Message Flow"), and counts what it waits for the answer of.
func relay(to io.Writer, from io.Reader, count *atomic.Int64) {
	for begun := false; ; begun = true {
		head := make([]byte, 5) // type and length; the first message has no type
		if !begun {
			head = head[:4]
		}
		if _, err := io.ReadFull(from, head); err != nil {
			return
		}
		message := append(head, make([]byte, binary.BigEndian.Uint32(head[len(head)-4:])-4)...)
		if _, err := io.ReadFull(from, message[len(head):]); err != nil {
			return
		}
		if begun && (message[0] == 'S' || message[0] == 'Q') { // Sync, Query
			count.Add(1)
		}
		if _, err := to.Write(message); err != nil {
			return
		}
	}
}

// TestHowOftenTheDatabaseIsAskedForDeliveries: reading what is next and writing down what arrived costs a number of round trips that does not depend on how many
// deliveries there are.
func TestHowOftenTheDatabaseIsAskedForDeliveries(t *testing.T) {
	t.Parallel()
	const (
		listing = 1   // the list
		saving  = 1 + // what is stored already
			1 + // addresses that have failed
			1 + // lock
			1 + // tries
			1 // deliveries, and commit
	)
	dsn, count := trips(t, storetest.Postgres(t))
	b := open(t, dsn)
	quiet, err := store.Open(t.Context(), dsn, store.Options{MasterKey: masterKey, Connections: 1, Now: b.clock.Now})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, quiet.Close()) })
	s := b.opened("a", draft("x"))
	for i := range 40 {
		_, err := b.Register(t.Context(), s.ticket, notice.Subscription{URL: fmt.Sprint("https://example.com/", i)})
		require.NoError(t, err)
	}
	for i := range 5 {
		b.project(s, s.relate("manifest", fmt.Sprint(i))...)
	}
	part, busy := notice.Partition(s.ticket.ID, 16), []notice.Lane{{Subscription: "x", TicketID: 1}}
	pending, err := quiet.Outbox.Pending(t.Context(), part, busy, 2, "other.example") // once, so that what is always the same is prepared
	require.NoError(t, err)
	require.NoError(t, quiet.Outbox.SaveResults(t.Context(), []notice.Result{b.tried(pending[0], notice.Sent), b.tried(pending[1], notice.Sent)}))
	for _, n := range []int{2, 10, 38} {
		before := count.Load()
		pending, err := quiet.Outbox.Pending(t.Context(), part, busy, n, "other.example")
		require.NoError(t, err)
		require.Len(t, pending, n)
		require.EqualValues(t, listing, count.Load()-before, "a page of %d", n)
		var results []notice.Result
		for _, w := range pending {
			results = append(results, b.tried(w, notice.Sent))
		}
		before = count.Load()
		require.NoError(t, quiet.Outbox.SaveResults(t.Context(), results))
		require.EqualValues(t, saving, count.Load()-before, "%d that arrived", n)
	}
}
