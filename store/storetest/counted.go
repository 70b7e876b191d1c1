//go:build linux || darwin

package storetest

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// Work is what a PostgreSQL server was asked to do.
type Work struct {
	Trips      atomic.Int64 // how often it was asked and waited for
	Statements atomic.Int64 // run, those that begin and end transactions among them
	Commits    atomic.Int64 // of transactions that were begun; a statement by itself commits too and is not counted
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
	commits := map[string]bool{} // prepared statements
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
			w.see(message[0], message[5:], commits)
		}
		if _, err := to.Write(message); err != nil {
			return
		}
	}
}

// see counts one message.
func (w *Work) see(kind byte, body []byte, commits map[string]bool) {
	first, rest, _ := bytes.Cut(body, []byte{0})
	second, _, _ := bytes.Cut(rest, []byte{0})
	switch kind {
	case 'P': // Parse: the name of a prepared statement, and its text
		commits[string(first)] = string(second) == "COMMIT"
	case 'B': // Bind: the name of a portal, and that of a prepared statement
		if commits[string(second)] {
			w.Commits.Add(1)
		}
	case 'E': // Execute
		w.Statements.Add(1)
	case 'S': // Sync
		w.Trips.Add(1)
	case 'Q': // Query: its text
		w.Trips.Add(1)
		w.Statements.Add(1)
		if string(first) == "COMMIT" {
			w.Commits.Add(1)
		}
	}
}
