// Package bench measures the product side by side with the bare engine: PostgreSQL, Temporal, the production programs and the plain workflow that
// they are compared with are processes of their own on this machine. What counts is the ratio of two things measured by turns in one run, since
// machines differ and are noisy. "make bench" runs it; its report is docs/performance.md.
package bench

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/cmd/dev/e2e/harness"
)

// What the environment says.
const (
	partsVariable  = "BENCH"        // parts to measure, with commas between; all
	roundsVariable = "BENCH_ROUNDS" // rounds, each measuring both sides; 5
	lengthVariable = "BENCH_LENGTH" // how long a side of a round is measured; 15s
	reportVariable = "BENCH_REPORT" // file for the report; the test's log unless set
	// profilesVariable is a folder for CPU profiles of our programs, one for each part's first round; none unless set.
	profilesVariable = "BENCH_PROFILES"
)

func TestMain(m *testing.M) {
	if role, is := roles[os.Getenv(roleVariable)]; is {
		if err := role(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(harness.Main(m))
}

// part is one line, or some, of the table.
type part struct {
	name    string
	measure func(b *bench)
}

// parts in the order in which they are measured: those that leave much behind come last.
var parts = []part{
	{"lifecycle", (*bench).lifecycle},
	{"told", (*bench).told},
	{"action", (*bench).action},
	{"opens", (*bench).opens},
	{"read", (*bench).read},
	{"deliveries", (*bench).deliveries},
	{"lists", (*bench).lists},
	{"asleep", (*bench).asleep},
	{"growth", (*bench).growth},
}

// bench is one run.
type bench struct {
	testing.TB
	*machine
	rounds  int
	length  time.Duration
	smoke   bool
	rows    []row
	details []string // lines of the report that are too many for the table
}

// TestBench measures. It fails only where something does not work: what is slow is for a reader of the report to judge.
func TestBench(t *testing.T) {
	asked := os.Getenv(partsVariable)
	if asked == "" {
		t.Skip("make bench runs this")
	}
	b := &bench{TB: t, rounds: number(t, roundsVariable, 5), length: 15 * time.Second}
	if text := os.Getenv(lengthVariable); text != "" {
		var err error
		b.length, err = time.ParseDuration(text)
		require.NoError(t, err, lengthVariable)
	}
	var names []string
	for _, p := range parts {
		names = append(names, p.name)
	}
	wanted := strings.Split(asked, ",")
	for _, name := range wanted {
		require.Contains(t, append(names, "all"), name, "%s names no part", partsVariable)
	}
	text := b.measure(func(name string) bool { return asked == "all" || slices.Contains(wanted, name) })
	t.Log("\n" + text)
	if file := os.Getenv(reportVariable); file != "" {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	}
}

// TestItRuns runs every part for a moment. Its figures mean nothing.
func TestItRuns(t *testing.T) {
	b := &bench{TB: t, rounds: 1, length: time.Second, smoke: true}
	text := b.measure(func(string) bool { return true })
	for _, r := range b.rows {
		require.Contains(t, text, "| "+r.what+" |")
		for _, round := range r.rounds {
			require.Positive(t, round.ratio, r.what)
		}
	}
}

// measure measures the parts that are wanted, and gives the report.
func (b *bench) measure(wanted func(name string) bool) string {
	b.machine = startMachine(b)
	began := time.Now()
	for _, p := range parts {
		if wanted(p.name) {
			had := len(b.rows)
			p.measure(b)
			require.Greater(b, len(b.rows), had, "%s is not in the report", p.name)
		}
	}
	return b.report(time.Since(began))
}

// progress tells whoever waits how far it is.
func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05 ")+format+"\n", args...)
}

func number(t testing.TB, variable string, otherwise int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err, variable)
	return n
}
