//go:build linux

package main

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"signalbox/desk"
	"signalbox/desk/desktest"
	"signalbox/store"
	"signalbox/store/storetest"
	"signalbox/ticket"
)

// furnished gives a store with tickets, what makes its read model anew, their numbers, and the database itself.
func furnished(t *testing.T, n int) (r *desk.Rebuilder, numbers []string, db *sql.DB) {
	t.Helper()
	file, key := filepath.Join(t.TempDir(), "a.db"), []byte("0123456789abcdef0123456789abcdef")
	s, err := store.Open(t.Context(), "sqlite:"+file, store.Options{MasterKey: key, Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	_, err = s.Migrate(t.Context())
	require.NoError(t, err)
	engine := &desktest.Engine{Project: s.Ledger().Project}
	d := desk.New(s.Ledger(), engine, desk.Options{Log: slog.New(slog.DiscardHandler)})
	app := desk.Request{App: desk.App{Code: "a", Tenant: "north", Scopes: []desk.Scope{desk.Write}}, Channel: ticket.ChannelIssue, Method: "POST", Path: "/"}
	for range n {
		_, err := d.Open(t.Context(), app, desk.Opening{Series: ticket.SeriesIM, Draft: ticket.Draft{Channel: ticket.ChannelIssue, App: "a", Origin: "o", Title: "t"},
			Answer: func(id ticket.Identity) desk.Answer {
				numbers = append(numbers, id.Number)
				return desk.Answer{Status: 200}
			}})
		require.NoError(t, err)
	}
	return &desk.Rebuilder{Reconciler: &desk.Reconciler{Desk: d, Books: s.Ledger(), Workflows: engine}, Model: s.ReadModel()}, numbers, storetest.Raw(t, "sqlite:"+file)
}

func spoiled(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	_, err := db.Exec(statement)
	require.NoError(t, err)
}

func TestRebuildTellsTicketByTicket(t *testing.T) {
	r, numbers, db := furnished(t, 3)
	run := func(o desk.RebuildOptions) (string, error) {
		var out bytes.Buffer
		err := rebuild(t.Context(), r, o, &out, newProgress(&out))
		return out.String(), err
	}
	spoiled(t, db, `UPDATE tickets SET origin = 'z', phase = 'completed' WHERE id = 2`)
	spoiled(t, db, `UPDATE tally_entries SET counts = replace(counts, '"what":"opened","n":1', '"what":"opened","n":7')`)

	out, err := run(desk.RebuildOptions{CountOnly: true})
	require.NoError(t, err)
	require.Regexp(t, `\A3 tickets to look at: 3 open, 0 ended, about a second\n\z`, out)
	out, err = run(desk.RebuildOptions{DryRun: true})
	require.NoError(t, err)
	require.Contains(t, out, "\n"+numbers[1]+" of north: would be made anew: its row says something else than its timeline: phase, origin\n")
	require.True(t, strings.HasSuffix(out, "\n3 tickets: 2 the same already, 1 made anew, 0 brought up by 0 events, 0 taken in, 0 not known; 1 counts put right, words of 0 tickets that are not there; nothing was changed\n"), out)
	out, err = run(desk.RebuildOptions{Tickets: numbers[1:2]})
	require.NoError(t, err)
	require.Contains(t, out, numbers[1]+" of north: made anew: ")
	require.True(t, strings.HasSuffix(out, "\n1 tickets: 0 the same already, 1 made anew, 0 brought up by 0 events, 0 taken in, 0 not known\n"), out)
	out, err = run(desk.RebuildOptions{})
	require.NoError(t, err)
	require.True(t, strings.HasSuffix(out, "\n3 tickets: 3 the same already, 0 made anew, 0 brought up by 0 events, 0 taken in, 0 not known; 1 counts put right, words of 0 tickets that are not there\n"), out)

	spoiled(t, db, `UPDATE events SET actor = 'somebody' WHERE ticket_id = 3`)
	out, err = run(desk.RebuildOptions{})
	require.EqualError(t, err, "of 1 tickets something cannot be known: they are named above")
	require.Contains(t, out, numbers[2]+" of north: not known: event 1 is not what was written there")

	ctx, interrupt := context.WithCancel(t.Context())
	var told bytes.Buffer
	p := newProgress(&told)
	p.every = 0
	p.out = interrupting{&told, "words:", interrupt}
	err = rebuild(ctx, r, desk.RebuildOptions{}, &told, p)
	require.ErrorContains(t, err, "what was done stays, and run again it goes on there: 3 tickets are done")
	out, err = run(desk.RebuildOptions{})
	require.Error(t, err)
	require.Contains(t, out, "going on with the words, as it was interrupted: begun ")
	require.NotContains(t, out, numbers[2], "it was named before")
	require.Contains(t, out, "3 tickets: 2 the same already")
}

// interrupting is somebody who presses Ctrl-C once something is written.
type interrupting struct {
	io.Writer
	at string
	do func()
}

func (i interrupting) Write(p []byte) (int, error) {
	if strings.Contains(string(p), i.at) {
		i.do()
	}
	return i.Writer.Write(p)
}

// terminal gives both ends of a terminal.
func terminal(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("this machine gives no terminals: %v", err)
	}
	t.Cleanup(func() { ours.Close() })
	control := func(what uintptr, value *int32) {
		_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, ours.Fd(), what, uintptr(unsafe.Pointer(value)))
		require.Zero(t, errno)
	}
	var unlock, number int32
	control(syscall.TIOCSPTLCK, &unlock)
	control(syscall.TIOCGPTN, &number)
	theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	return ours, theirs
}

// read gives all that is written to the other end, once that is closed.
func read(ours *os.File) <-chan string {
	all := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(ours) // a terminal whose other end is closed fails to be read
		all <- string(text)
	}()
	return all
}

func TestRebuildShowsABarOnATerminalAndLinesOnAPipe(t *testing.T) {
	r, numbers, db := furnished(t, 120) // two batches
	run := func(out *os.File) {
		t.Helper()
		spoiled(t, db, `UPDATE tickets SET origin = 'z' WHERE id = 50`)
		p := newProgress(out)
		p.every = 0
		require.NoError(t, rebuild(t.Context(), r, desk.RebuildOptions{}, out, p))
		require.NoError(t, out.Close())
	}
	ours, theirs := terminal(t)
	text := read(ours)
	run(theirs)
	shown := strings.ReplaceAll(<-text, "\r\n", "\n") // as a terminal ends lines
	require.Regexp(t, `\r\x1b\[Ktickets \[#{33}\.{7}\] 100 of about 120, \d+/s, about .* left`, shown)
	require.Contains(t, shown, "\r\x1b[K"+numbers[49]+" of north: made anew: ", "the bar makes room")
	require.NotContains(t, shown, ", after ", "no lines of progress")
	require.Regexp(t, `\r\x1b\[K120 tickets: 119 the same already, 1 made anew, .*\n\z`, shown)

	reads, writes, err := os.Pipe()
	require.NoError(t, err)
	text = read(reads)
	run(writes)
	shown = <-text
	require.NotContains(t, shown, "\x1b")
	require.NotContains(t, shown, "\r")
	require.Regexp(t, `(?m)^tickets: 0 of about 120, after 0$`, shown)
	require.Regexp(t, `(?m)^tickets: 100 of about 120, after 100, \d+/s, about .* left$`, shown)
	require.Regexp(t, `(?m)^tickets: 120 of about 120, after 120, \d+/s$`, shown)
	require.Regexp(t, `(?m)^counts: 0 of about 1, `, shown)
}
