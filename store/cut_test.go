package store_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/desk"
	"signalbox/store"
	"signalbox/store/storetest"
	"signalbox/store/verify"
	"signalbox/ticket"
)

// cutter relays to a PostgreSQL server, and breaks a connection where it is told to.
type cutter struct {
	mu       sync.Mutex
	armed    bool
	ofServer bool     // it is the server's messages that are counted
	left     int      // how many of them are still handed on
	on       *relayed // the connection that is to be cut; nil: none of them has begun to write a ticket
	cut      func()   // told before a connection is cut
}

// relayed is a connection; prepared are the statements that it has, by name.
type relayed struct {
	client, server net.Conn
	prepared       map[string]string
}

// relay gives the address of a database through it.
func (c *cutter) relay(t *testing.T, dsn string) string {
	address, err := url.Parse(dsn)
	require.NoError(t, err)
	server := address.Host
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("tcp", server)
			if err != nil {
				client.Close()
				continue
			}
			r := &relayed{client, to, map[string]string{}}
			go c.hand(r, true)
			go c.hand(r, false)
		}
	}()
	address.Host = listener.Addr().String()
	return address.String()
}

// hand hands on what one side says, message by message (PostgreSQL, "Message Formats").
func (c *cutter) hand(r *relayed, ofServer bool) {
	from, to := r.client, r.server
	if ofServer {
		from, to = to, from
	}
	defer r.client.Close()
	defer r.server.Close()
	for begun := ofServer; ; begun = true {
		head := make([]byte, 5) // type and length; the first message of a client has no type
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
		if begun && c.cuts(r, ofServer, message) {
			return
		}
		if _, err := to.Write(message); err != nil {
			return
		}
	}
}

// cuts reports whether the connection is to be cut before a message.
func (c *cutter) cuts(r *relayed, ofServer bool, message []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	statement := ""
	if parts := strings.SplitN(string(message[5:]), "\x00", 3); !ofServer && len(parts) == 3 {
		switch message[0] {
		case 'P': // Parse: the name of a statement, and its text
			statement, r.prepared[parts[0]] = parts[1], parts[1]
		case 'B': // Bind: the name of a portal, and that of a statement
			statement = r.prepared[parts[1]]
		}
	}
	if c.armed && c.on == nil && (strings.HasPrefix(statement, "UPDATE tickets SET open") || strings.HasPrefix(statement, "INSERT INTO tickets ")) {
		c.on = r
	}
	if !c.armed || c.on != r || ofServer != c.ofServer {
		return false
	}
	if c.left > 0 {
		c.left--
		return false
	}
	c.armed = false
	c.cut()
	return true
}

// through has the bench's store reach its database through a relay, one connection at a time beside those that watch.
func (b *bench) through(c *cutter) {
	s, err := store.Open(b.t.Context(), c.relay(b.t, b.dsn), store.Options{MasterKey: masterKey, Now: b.clock.Now})
	require.NoError(b.t, err)
	b.t.Cleanup(func() { require.NoError(b.t, s.Close()) })
	b.Store, b.ledger, b.outbox = s, s.Ledger(), s.Outbox
}

// arm has the connection over which a ticket is written next cut behind so many messages of one side.
func (c *cutter) arm(ofServer bool, behind int, cut func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.armed, c.ofServer, c.left, c.on, c.cut = true, ofServer, behind, nil, cut
}

// disarm reports whether it has cut nothing.
func (c *cutter) disarm() (whole bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	whole, c.armed = c.armed, false
	return whole
}

// TestAConnectionThatBreaksAnywhereInWhatIsWrittenOutright: wherever that is, in what is asked or in what is answered, with statements that are known or new to the connection, what happened is written
// once, and whoever was registered is told once.
func TestAConnectionThatBreaksAnywhereInWhatIsWrittenOutright(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what string
		do   func(b *bench) (ctx context.Context, op desk.Operation, said []ticket.Event) // all but finishing it
	}{
		{"something is done", func(b *bench) (context.Context, desk.Operation, []ticket.Event) {
			s, ctx := b.drawn(), desk.WithMemory(b.t.Context())
			_, err := b.ledger.Ticket(ctx, "a", s.ticket.Number)
			require.NoError(b.t, err)
			op, do := b.operation(""), ticket.Command{Action: ticket.Relate, Relation: &ticket.Relation{Type: "manifest", Content: []string{"1"}}}
			op.Ticket, do.Operation, op.Command = s.ticket.Identity, op.ID, &do
			op, _, err = b.ledger.Claim(ctx, op, nothing)
			require.NoError(b.t, err)
			return ctx, op, s.do(do)
		}},
		{"a ticket is opened", func(b *bench) (context.Context, desk.Operation, []ticket.Event) {
			op := b.claimed()
			return b.t.Context(), op, op.Opening
		}},
	} {
		for _, known := range []bool{false, true} {
			for _, ofServer := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, known %t, of the server %t", c.what, known, ofServer), func(t *testing.T) {
					t.Parallel()
					b, relay := open(t, storetest.Postgres(t)), &cutter{}
					b.through(relay)
					lost, never := 0, 0 // answers, and what was asked
					for behind, whole := 0, false; !whole; behind++ {
						b.clock.pass(10 * time.Second) // it is looked first for so long
						if known {                     // on the connection that the pool gives
							ctx, op, said := c.do(b)
							require.NoError(t, b.ledger.Finish(ctx, op, said))
						}
						ctx, op, said := c.do(b)
						events := fmt.Sprintf(`SELECT COUNT(*) FROM events WHERE ticket_id = %d AND seq = %d`, op.Ticket.ID, said[0].Seq)
						require.NotNil(t, b.ledger.Outright(ctx, op.Ticket, said))
						relay.arm(ofServer, behind, func() {
							if b.count(events) == 0 {
								never++
							} else {
								lost++
							}
						})
						require.NoError(t, b.ledger.Finish(ctx, op, said), "behind %d", behind)
						whole = relay.disarm()
						require.Equal(t, 1, b.count(events))
						require.Equal(t, 1, b.count(`SELECT COUNT(*) FROM operations WHERE state = 'done' AND id = '`+op.ID+`'`))
						require.Equal(t, whole, b.ledger.Outright(ctx, op.Ticket, said) != nil, "what was cut is done by looking")
					}
					t.Logf("%d answers were lost, and %d times nothing was done", lost, never)
					require.Greater(t, lost+never, 10, "there are that many messages")
					require.Equal(t, ofServer, lost > 0)
					require.Equal(t, !ofServer || !known, never > 0, "what is asked at once is answered at once, when it is committed")
					_, faults := b.verify(verify.Options{})
					require.Empty(t, faults)
				})
			}
		}
	}
}
