package bench

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"

	"github.com/stretchr/testify/require"

	"signalbox/workflows"
)

// growth says what one opening, action, ending and delivery leave behind in either store. It counts, so that it does not depend on how busy the machine is.
func (b *bench) growth() {
	n := 2_000
	if b.smoke {
		n = 20
	}
	var arrived atomic.Int64
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		arrived.Add(1)
	}))
	defer receiver.Close()
	b.details = append(b.details, "", fmt.Sprintf("What one leaves behind, of %d:", n), "",
		"| one | events of history | bytes of history | rows ours | rows temporal | rows visibility | rows changed ours | bytes ours | bytes temporal | bytes visibility | WAL bytes |",
		"|---|---|---|---|---|---|---|---|---|---|---|")
	var tickets, told stock
	// each does one thing to each of some tickets, and tells what that left behind.
	each := func(what string, s *stock, do func(ctx context.Context, number string) error) {
		numbers, events, bytes := s.list, int64(0), int64(0)
		if do != nil {
			events, bytes = b.history(numbers)
		}
		b.drain()
		before := b.stored()
		if do == nil {
			s.fill(b, n, b.open)
			numbers = s.list
		} else {
			var again stock
			at := atomic.Int64{}
			again.fill(b, len(numbers), func(ctx context.Context) (string, error) {
				number := numbers[at.Add(1)-1]
				return number, do(ctx, number)
			})
		}
		b.drain()
		after, of := b.stored(), float64(len(numbers))
		moreEvents, moreBytes := b.history(numbers)
		line := fmt.Sprintf("| %s | %.1f | %.0f |", what, float64(moreEvents-events)/of, float64(moreBytes-bytes)/of)
		for _, count := range []func(stored) int64{
			func(s stored) int64 { return s.inserted["ours"] }, func(s stored) int64 { return s.inserted["temporal"] }, func(s stored) int64 { return s.inserted["visibility"] },
			func(s stored) int64 { return s.changed["ours"] },
			func(s stored) int64 { return s.size["ours"] }, func(s stored) int64 { return s.size["temporal"] }, func(s stored) int64 { return s.size["visibility"] },
			func(s stored) int64 { return s.wal },
		} {
			line += fmt.Sprintf(" %.1f |", float64(count(after)-count(before))/of)
		}
		b.details = append(b.details, line)
		progress("%s", line)
	}
	handle := func(what map[string]any) func(ctx context.Context, number string) error {
		return func(ctx context.Context, number string) error { return b.handle(ctx, number, what) }
	}
	relate := func(ctx context.Context, number string) error {
		_, err := b.call(ctx, "PUT", "/api/issue/"+number+"/relations/declaration", map[string]any{"content": []string{"D1"}})
		return err
	}
	each("opening", &tickets, nil)
	each("action (accept)", &tickets, handle(accept))
	each("action that changes a relation, of which nobody is told", &tickets, relate)
	each("action (commit-solution)", &tickets, handle(commit))
	each("ending (confirm)", &tickets, handle(confirm))
	each("opening, once more", &told, nil)
	each("subscription", &told, func(ctx context.Context, number string) error {
		_, err := b.call(ctx, "POST", "/api/issue/"+number+"/notification", map[string]any{"url": receiver.URL + "/" + number})
		return err
	})
	each("action that changes a relation, with one delivery", &told, relate)
	b.arrive(&arrived, int64(n))
	b.rows = append(b.rows, row{what: "what one opening, action, ending and delivery leave behind", note: "see below"})
}

// history gives how many events tickets have in Temporal, and how many bytes, all together; worked out from some of them.
func (b *bench) history(numbers []string) (events, bytes int64) {
	step := max(1, len(numbers)/50)
	looked := int64(0)
	for i := 0; i < len(numbers); i += step {
		found, err := b.engine.DescribeWorkflowExecution(b.Context(), workflows.TicketID(numbers[i], 0), "")
		require.NoError(b, err)
		events += found.WorkflowExecutionInfo.HistoryLength
		bytes += found.WorkflowExecutionInfo.HistorySizeBytes
		looked++
	}
	return events * int64(len(numbers)) / max(1, looked), bytes * int64(len(numbers)) / max(1, looked)
}

// stored is what the databases hold, and what has been written.
type stored struct {
	inserted, changed, size map[string]int64 // by database, as in databases
	wal                     int64
}

func (b *bench) stored() stored {
	s := stored{map[string]int64{}, map[string]int64{}, map[string]int64{}, 0}
	for name, database := range map[string]string{"ours": b.database[strings.LastIndex(b.database, "/")+1:], "temporal": "temporal", "visibility": "temporal_visibility"} {
		database, _, _ = strings.Cut(database, "?")
		var inserted, changed, size int64
		require.NoError(b, b.admin.QueryRowContext(b.Context(),
			`SELECT tup_inserted, tup_updated, pg_database_size(datname) FROM pg_stat_database WHERE datname = $1`, database).Scan(&inserted, &changed, &size))
		s.inserted[name], s.changed[name], s.size[name] = inserted, changed, size
	}
	require.NoError(b, b.admin.QueryRowContext(b.Context(), `SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint`).Scan(&s.wal))
	return s
}
