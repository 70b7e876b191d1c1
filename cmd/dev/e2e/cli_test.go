package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/cmd/dev/e2e/harness"
)

// TestCommandLine works the whole system from bin/signalbox, as somebody at a terminal does: a ticket is opened, found, acted on and watched; a receiver that was down is
// told again of what it missed.
func TestCommandLine(t *testing.T) {
	t.Parallel()
	d := sharedDev(t)
	program := binary(t, "signalbox")
	command := func(args ...string) *exec.Cmd {
		c := exec.CommandContext(t.Context(), program, args...)
		c.Env = append(os.Environ(), "SIGNALBOX_URL="+d.api, "SIGNALBOX_SECRET=demo-secret", "SIGNALBOX_OPERATOR=ann", "HOME="+t.TempDir())
		return c
	}
	run := func(args ...string) string {
		t.Helper()
		c := command(args...)
		var out, errs bytes.Buffer
		c.Stdout, c.Stderr = &out, &errs
		require.NoError(t, c.Run(), "%s: %s%s", args, &out, &errs)
		return strings.TrimSpace(out.String())
	}

	// Somebody watches everything, from before the ticket is there.
	watching := command("watch", "--from", "latest", "--every", "100ms", "-o", "json")
	said, err := watching.StdoutPipe()
	require.NoError(t, err)
	var errs bytes.Buffer
	watching.Stderr = &errs
	require.NoError(t, watching.Start())
	t.Cleanup(func() { _ = watching.Process.Kill() })
	seen := make(chan string, 10_000)
	go func() {
		defer close(seen)
		for lines := bufio.NewScanner(said); lines.Scan(); {
			var change struct {
				Event struct{ Type string }
				Issue struct{ ID string }
			}
			if json.Unmarshal(lines.Bytes(), &change) == nil {
				seen <- change.Issue.ID + " " + change.Event.Type
			}
		}
		_, _ = io.Copy(io.Discard, said)
	}()
	await := func(want string) {
		t.Helper()
		after := time.After(time.Minute)
		for {
			select {
			case got, open := <-seen:
				require.True(t, open, "whoever watches has ended: %s", &errs)
				if got == want {
					return
				}
			case <-after:
				t.Fatalf("%s was not seen", want)
			}
		}
	}
	// It has the feed's end once it sees a ticket that was opened after it.
	harness.Until(t, "whoever watches sees", time.Minute, func() error {
		number := run("open", "--title", "is anybody watching")
		select {
		case got := <-seen:
			if strings.HasPrefix(got, number) {
				return nil
			}
			return fmt.Errorf("saw %s", got)
		case <-time.After(time.Second):
			return fmt.Errorf("%s was not seen", number)
		}
	})

	number := run("open", "--title", "集装箱被扣留", "--origin", "cli-e2e")
	await(number + " opened")
	require.Contains(t, run("list", "--origin", "cli-e2e"), number)
	require.Contains(t, run("show", number), "集装箱被扣留")
	receiver := harness.NewReceiver(t)
	receiver.Answer("/told", harness.Response{Status: 500})
	var added struct{ ID string }
	require.NoError(t, json.Unmarshal([]byte(run("subscriptions", "add", receiver.URL("/told"), "--profile", "once", "--key", "ticket."+number, "-o", "json")), &added))
	run("act", number, "accept")
	await(number + " accepted")

	in := func(state string) int {
		var all []struct{ State string }
		require.NoError(t, json.Unmarshal([]byte(run("deliveries", "list", "--all", "--subscription", added.ID, "--state", state, "-o", "json")), &all))
		return len(all)
	}
	harness.Until(t, "the delivery is given up", time.Minute, func() error {
		if n := in("failed"); n != 1 {
			return fmt.Errorf("%d are", n)
		}
		return nil
	})
	told := len(receiver.Requests("/told"))
	receiver.Answer("/told", harness.Response{Status: 200, Body: `{"code": 0}`})
	require.Contains(t, run("deliveries", "redeliver", "--subscription", added.ID, "--state", "failed", "--yes"), "1 of 1 deliveries")
	receiver.Await(t, "/told", told+1, time.Minute)
	harness.Until(t, "the delivery arrives", time.Minute, func() error {
		if n := in("sent"); n != 1 {
			return fmt.Errorf("%d have", n)
		}
		return nil
	})
	run("subscriptions", "delete", added.ID, "--yes")

	// Ctrl-C ends it cleanly.
	require.NoError(t, watching.Process.Signal(syscall.SIGINT))
	for range seen { // to the end of what it says
	}
	var ended *exec.ExitError
	require.ErrorAs(t, watching.Wait(), &ended)
	require.Equal(t, 130, ended.ExitCode())
	require.Equal(t, "signalbox: interrupted\n", errs.String())
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.Error(t, exec.CommandContext(ctx, program, "show", "IM000000000000000000000000", "--url", d.api, "--secret", "demo-secret").Run())
}
