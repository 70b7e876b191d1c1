package e2e

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"signalbox/cmd/dev/e2e/harness"
	"signalbox/store/postgrestest"
)

// work has so many callers open tickets, talk on them, and close every third, for a while.
func (a *acked) work(callers int, long time.Duration) {
	a.t.Helper()
	until := time.Now().Add(long)
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for round := 0; time.Now().Before(until) && !a.t.Failed(); round++ {
				if err := a.round(round%3 == 0); err != nil {
					a.t.Error(err)
				}
			}
		})
	}
	all.Wait()
	require.False(a.t, a.t.Failed())
}

// round opens a ticket and does something to it and to one that was opened before, whatever that is.
func (a *acked) round(closed bool) error {
	do := func(method, path string, body any) (answer, error) {
		said, _, err := a.c.persist(a.t.Context(), method, path, uuid.NewString(), body)
		if err == nil && said.status != 200 {
			err = fmt.Errorf("%s %s: %s", method, path, said)
		}
		return said, err
	}
	opened, err := do("POST", "/api/issue", map[string]any{"origin": "e2e", "title": a.t.Name()})
	if err != nil {
		return err
	}
	var number string
	if err := opened.result(&number); err != nil {
		return err
	}
	a.done(number)
	for _, n := range []string{number, a.any()} {
		text := fmt.Sprint(n, " at ", time.Now().UnixNano())
		if _, err := do("POST", "/api/issue/"+n+"/conversation", map[string]any{"author": "li", "content": text}); err != nil {
			return err
		}
		a.done(n, text)
	}
	if closed {
		if _, err := do("PUT", "/api/issue/"+number+"/status", map[string]any{"status": "CLOSED", "operator": "li"}); err != nil {
			return err
		}
		a.done(number)
	}
	return nil
}

// any gives one of the tickets that there are.
func (a *acked) any() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	for number := range a.said { // in no order
		return number
	}
	return ""
}

// TestSlowStoresAMinuteApart has callers at work, puts one of the stores back to where it was a minute ago, and follows docs/operations.md from there: with a base
// backup made while everything was at work, the log archived since, and every step in its order.
func TestSlowStoresAMinuteApart(t *testing.T) {
	if !slowTests() {
		t.Skip("takes five minutes; make slow-test runs it")
	}
	t.Parallel()
	for _, lost := range []string{"database", "temporal"} {
		t.Run(lost, func(t *testing.T) {
			t.Parallel()
			s := startStoresWith(t, "apart-"+lost, postgrestest.Archived)
			a := newAcked(s)
			a.work(3, 5*time.Second)
			cluster := map[string]*postgrestest.Cluster{"database": s.database, "temporal": s.engine}[lost]
			copied, err := cluster.BaseBackup()
			require.NoError(t, err)
			a.work(3, 10*time.Second)
			moment, err := cluster.Now()
			require.NoError(t, err)
			before, written := a.texts(), a.written
			a.work(3, time.Minute)
			a.remember()
			var open, over []string
			for number := range a.said {
				if s.c.issue(t, number).Status == "OPEN" {
					open = append(open, number)
				} else {
					over = append(over, number)
				}
			}
			t.Logf("%d tickets, of which %d are open, and %d requests; of those %d since the moment", len(a.said), len(open), a.written, a.written-written)

			// Stop, and restore.
			require.Zero(t, s.apis.Terminate(time.Minute))
			s.stopWorkers()
			s.temporal.Terminate(time.Minute)
			require.NoError(t, copied.Restore(moment))
			s.temporal.start(t)
			s.workers = []*harness.Process{s.startWorker(t, "tickets")}

			told, code := s.migrate("reconcile", "-dry-run")
			require.Zero(t, code, told)
			done, code := s.migrate("reconcile")
			require.Zero(t, code, done)
			t.Log(done[strings.LastIndex(strings.TrimSpace(done), "\n")+1:])
			for number, texts := range a.said {
				known, was := before[number]
				verdict := ""
				switch {
				case was && known == len(texts): // nothing was lost of it
				case lost == "database" && was:
					verdict = "brought up"
				case lost == "database":
					verdict = "taken in"
				case slices.Contains(open, number):
					verdict = "begun again"
				}
				if verdict != "" {
					require.Contains(t, told, number+": would be "+verdict+": ")
					require.Contains(t, done, number+": "+verdict+": ")
				}
			}
			if lost == "database" {
				forgotten := 0
				for _, line := range regexp.MustCompile(`repeated, it would happen again: (.*)`).FindAllStringSubmatch(done, -1) {
					forgotten += strings.Count(line[1], ",") + 1
				}
				require.Equal(t, a.written-written, forgotten, "what callers were told since, with the operations that nothing is kept of")
			}
			out, code := s.migrate("verify")
			require.Zero(t, code, out)
			s.startAPI(t)
			s.startDeliveries()
			a.goesOn(open[:min(len(open), 50)], over[:min(len(over), 50)])
		})
	}
}

// texts counts what was said on each ticket so far.
func (a *acked) texts() map[string]int {
	out := map[string]int{}
	for number, texts := range a.said {
		out[number] = len(texts)
	}
	return out
}
