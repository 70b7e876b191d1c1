package e2e

import (
	"fmt"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/cmd/dev/e2e/harness"
)

// inventory is what there is of a tenant.
type inventory struct {
	numbers       []string
	phases        map[string]int
	services      map[string]int // versions
	persons       int
	subscriptions int
}

// whole reads a list to its end.
func whole[T any](t testing.TB, c *caller, path string) (list []T) {
	t.Helper()
	for cursor := ""; ; {
		page := result[struct {
			Items []T
			Next  string `json:"next_cursor"`
		}](t, c.must(t, "GET", path+"?limit=50&cursor="+cursor, nil))
		list = append(list, page.Items...)
		if cursor = page.Next; cursor == "" {
			return list
		}
	}
}

func (c *caller) inventory(t testing.TB) inventory {
	t.Helper()
	s := inventory{phases: map[string]int{}, services: map[string]int{}}
	for _, one := range whole[struct{ ID, Phase string }](t, c, "/api/issue") {
		s.numbers = append(s.numbers, one.ID)
		s.phases[one.Phase]++
	}
	for _, one := range whole[struct {
		Key     string
		Version int
	}](t, c, "/api/service") {
		s.services[one.Key] = one.Version
	}
	s.persons = len(whole[struct{ ID string }](t, c, "/api/person"))
	s.subscriptions = len(whole[struct{ ID string }](t, c, "/api/subscription"))
	return s
}

// TestTheDemoIsMadeOnce starts what "make demo" starts three times: on an empty folder, on what that has left, and on one where it looks as if it had been interrupted before its
// end. There is something in every state, and nothing twice.
func TestTheDemoIsMadeOnce(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	c := d.caller()
	harness.Until(t, "two tickets are stuck, one delivery waits to be tried again, and one failed", time.Minute, func() error {
		stuck := len(items[struct{ ID string }](t, c.must(t, "GET", "/api/issue?stuck=any", nil)))
		failed := result[[]string](t, answer{body: `{"result":` + string(itsm{c, t}.ask("callback_failed_ticket", map[string]any{}).Data) + `}`})
		if stuck < 2 || len(failed) != 1 {
			return fmt.Errorf("%d stuck, %v failed", stuck, failed)
		}
		return nil
	})
	// Requests of processes may be under way as it says that it is ready; then nothing moves but by people and clocks.
	var first inventory
	harness.Until(t, "what can be booked is", time.Minute, func() error {
		if first = c.inventory(t); first.phases["resolved"] != 4 { // two solutions to confirm, and two that cannot be booked
			return fmt.Errorf("%v", first.phases)
		}
		return nil
	})
	for _, phase := range []string{"triggered", "acknowledged", "resolved", "completed", "suspended", "terminated", "revoked"} {
		require.Positive(t, first.phases[phase], phase)
	}
	for _, service := range []string{"leave", "incident", "reconciliation"} {
		require.Equal(t, 1, first.services[service], service)
	}

	made := regexp.MustCompile(`made (\d+) tickets`).FindStringSubmatch(d.process.Logs())
	require.NotNil(t, made)
	require.Equal(t, fmt.Sprint(len(first.numbers)), made[1], "it says what it made")

	again := func(says string) {
		t.Helper()
		require.Zero(t, d.process.Terminate(time.Minute))
		d.start(t)
		d.said(t, "Ctrl-C ends it.", 1)
		require.Contains(t, d.process.Logs(), says)
		require.Equal(t, first, c.inventory(t))
	}
	again("there already")

	mark, err := os.ReadFile(d.file("demo.json"))
	require.NoError(t, err)
	unfinished := regexp.MustCompile(`,"made":.*}}`).ReplaceAll(mark, []byte("}"))
	require.NotEqual(t, mark, unfinished)
	require.NoError(t, os.WriteFile(d.file("demo.json"), unfinished, 0o600))
	again("made " + made[1])
}
