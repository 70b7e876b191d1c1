//go:build linux || darwin

package storetest

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// Work is what a PostgreSQL server was asked to do.
type Work struct {
	Trips      atomic.Int64 // how often it was asked and waited for
	Statements atomic.Int64 // run, those that begin and end transactions among them
	Commits    atomic.Int64 // of transactions in which something was written; what is sent at once without BEGIN is one, if it is but a statement
}

// Counted gives the address of a PostgreSQL database through a relay that counts what the server is asked.
func Counted(t testing.TB, dsn string) (through string, work *Work) {
	t.Helper()
	address, err := url.Parse(dsn)
	require.NoError(t, err)
	server := address.Host
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	work = &Work{}
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
				work.relay(to, client)
			}()
		}
	}()
	address.Host = listener.Addr().String()
	return address.String(), work
}

// relay hands on what a client says in PostgreSQL's protocol (PostgreSQL, "Message Flow" and "Message Formats"), and counts it.
func (w *Work) relay(to io.Writer, from io.Reader) {
	said := &conversation{prepared: map[string]string{}}
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
		if begun {
			w.see(message[0], message[5:], said)
		}
		if _, err := to.Write(message); err != nil {
			return
		}
	}
}

// conversation is what of one connection has to be known to count transactions.
type conversation struct {
	prepared map[string]string // the first words of statements, by name
	begun    bool              // by BEGIN
	wrote    bool              // since the last commit
}

// does notes that a statement is run, of which the first words are known.
func (w *Work) does(c *conversation, statement string) {
	word, _, _ := strings.Cut(statement, " ")
	switch word {
	case "BEGIN":
		c.begun = true
	case "COMMIT", "ROLLBACK":
		c.begun = false
		w.ended(c, word == "COMMIT")
	case "INSERT", "UPDATE", "DELETE":
		c.wrote = true
	}
}

// ended notes that a transaction is over.
func (w *Work) ended(c *conversation, committed bool) {
	if c.wrote && committed {
		w.Commits.Add(1)
	}
	c.wrote = false
}

// see counts one message.
func (w *Work) see(kind byte, body []byte, c *conversation) {
	first, rest, _ := bytes.Cut(body, []byte{0})
	second, _, _ := bytes.Cut(rest, []byte{0})
	switch kind {
	case 'P': // Parse: the name of a prepared statement, and its text
		c.prepared[string(first)] = string(second[:min(len(second), 20)])
	case 'B': // Bind: the name of a portal, and that of a prepared statement
		w.does(c, c.prepared[string(second)])
	case 'E': // Execute
		w.Statements.Add(1)
	case 'S': // Sync: what was sent is a transaction by itself, unless one was begun
		w.Trips.Add(1)
		if !c.begun {
			w.ended(c, true)
		}
	case 'Q': // Query: its text
		w.Trips.Add(1)
		w.Statements.Add(1)
		w.does(c, string(first))
		if !c.begun {
			w.ended(c, true)
		}
	}
}
