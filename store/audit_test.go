package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"signalbox/desk"
	"signalbox/store/operations"
	"signalbox/store/storetest"
	"signalbox/ticket"
)

// asked is an operation of an app at its turn, by an operator, under a request id.
func (b *bench) asked(app, tenant, operator, id string) desk.Operation {
	b.clock.pass(time.Second)
	op := b.operation("")
	op.Request.App = desk.App{Code: app, Tenant: tenant}
	op.Request.RequestID, op.Request.Address = id, "203.0.113.9"
	op.Command = &ticket.Command{Action: ticket.Accept, Operator: operator}
	op.CreatedAt = b.clock.Now()
	return op
}

func (b *bench) audit(tenant string, f desk.EntryFilter) (ids []string) {
	b.t.Helper()
	entries, next, err := b.Audit(b.t.Context(), tenant, f)
	require.NoError(b.t, err)
	require.Empty(b.t, next)
	for _, e := range entries {
		ids = append(ids, e.RequestID)
	}
	return ids
}

func TestTheAuditTellsWhoAskedForWhat(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s := b.opened("a", draft("x"))
		claim := func(op desk.Operation) desk.Operation {
			op.Ticket = s.ticket.Identity
			claimed, _, err := b.ledger.Claim(t.Context(), op, nothing)
			require.NoError(t, err)
			return claimed
		}
		done := claim(b.asked("shop", "a", "ann", "done"))
		require.NoError(t, b.ledger.Finish(t.Context(), done, nil))
		refused := claim(b.asked("shop", "a", "bob", "refused"))
		require.NoError(t, b.ledger.Close(t.Context(), refused.ID, desk.Refused, "not your turn"))
		require.NoError(t, b.Refused(t.Context(), desk.Entry{ID: refused.ID, Status: 409, Code: ticket.Conflict, Why: "not your turn"}))
		claim(b.asked("yard", "a", "ann", "running"))
		void := claim(b.asked("yard", "a", "", "void"))
		require.NoError(t, b.ledger.Close(t.Context(), void.ID, desk.Void, "did not happen"))
		claim(b.asked("shop", "b", "ann", "theirs"))
		b.clock.pass(time.Second)
		early := desk.Entry{At: b.clock.Now(), Tenant: "a", App: "shop", Operator: "eve", Address: "203.0.113.9", RequestID: "early", Channel: ticket.ChannelIssue,
			Method: "POST", Path: "/api/issue/" + s.ticket.UUID + "/handle", Number: s.ticket.UUID, Outcome: desk.Refused, Status: 403, Code: ticket.Forbidden, Why: "no"}
		require.NoError(t, b.Refused(t.Context(), early))
		foreign := early
		foreign.Tenant, foreign.RequestID = "b", "foreign"
		require.NoError(t, b.Refused(t.Context(), foreign))

		require.Equal(t, []string{"early", "void", "running", "refused", "done"}, b.audit("a", desk.EntryFilter{}))
		require.Equal(t, []string{"foreign", "theirs"}, b.audit("b", desk.EntryFilter{}))
		for want, f := range map[string]desk.EntryFilter{
			"early refused done":              {App: "shop"},
			"running done":                    {Operator: "ann"},
			"early void running refused done": {Number: s.ticket.Number},
			"early refused":                   {Outcome: desk.Refused},
			"done":                            {Outcome: desk.Done, App: "shop", Operator: "ann", Number: s.ticket.Number},
			"void":                            {Outcome: desk.Void},
			"running":                         {Outcome: desk.Running},
			"running refused":                 {From: refused.CreatedAt, To: void.CreatedAt},
			"":                                {Number: "IM1"},
		} {
			require.Equal(t, want, strings.Join(b.audit("a", f), " "), "%+v", f)
		}
		require.Equal(t, []string{"theirs"}, b.audit("b", desk.EntryFilter{Number: s.ticket.Number}), "who knows a ticket's UUID alone is not told its number")

		entries, _, err := b.Audit(t.Context(), "a", desk.EntryFilter{Outcome: desk.Refused})
		require.NoError(t, err)
		early.ID, early.Number, early.EndedAt = entries[0].ID, s.ticket.Number, entries[0].EndedAt
		require.NotEmpty(t, early.ID)
		require.Equal(t, early, entries[0])
		require.Equal(t, []any{refused.ID, "bob", 409, ticket.Conflict, "not your turn", "/api/issue"},
			[]any{entries[1].ID, entries[1].Operator, entries[1].Status, entries[1].Code, entries[1].Why, entries[1].Path}, "the query is not kept")

		// A page at a time gives the same, once each, also where several were asked for at one moment.
		for range 5 {
			require.NoError(t, b.Refused(t.Context(), anew(early)))
		}
		all := b.auditPages("a", 3)
		require.Len(t, all, 10)
		seen := map[string]bool{}
		for _, e := range all {
			require.False(t, seen[e.ID])
			seen[e.ID] = true
		}
		_, _, err = b.Audit(t.Context(), "a", desk.EntryFilter{Cursor: "nonsense"})
		require.True(t, ticket.Is(err, ticket.Invalid))
	})
}

func anew(e desk.Entry) desk.Entry {
	e.ID = ""
	return e
}

func (b *bench) auditPages(tenant string, limit int) (all []desk.Entry) {
	b.t.Helper()
	f := desk.EntryFilter{Limit: limit}
	for {
		entries, next, err := b.Audit(b.t.Context(), tenant, f)
		require.NoError(b.t, err)
		all = append(all, entries...)
		if next == "" {
			return all
		}
		f.Cursor = next
	}
}

// TestWhatARequestBringsIsKeptShort: nobody fills a row with what it calls itself.
func TestWhatARequestBringsIsKeptShort(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		long := strings.Repeat("界\x00\xff", 5_000)
		require.NoError(t, b.Refused(t.Context(), desk.Entry{At: b.clock.Now(), Tenant: "a", Operator: long, Path: "/" + long, Number: long, Why: long}))
		entries, _, err := b.Audit(t.Context(), "a", desk.EntryFilter{})
		require.NoError(t, err)
		require.Len(t, []rune(entries[0].Operator), 255)
		require.Len(t, []rune(entries[0].Number), 255)
		require.Len(t, []rune(entries[0].Path), 2_000)
		require.Len(t, []rune(entries[0].Why), 2_000)
	})
}

// TestWhatIsRecordedIsInTheAudit: what touches the database alone names its operator too, and is not there when it failed.
func TestWhatIsRecordedIsInTheAudit(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		op := b.asked("shop", "a", "", "recorded")
		op.Kind, op.Command, op.Request.Operator = desk.KindTransact, nil, "ann"
		_, _, err := b.ledger.Transact(t.Context(), op, func(context.Context) (desk.Answer, error) { return desk.Answer{Status: 200}, nil })
		require.NoError(t, err)
		failed := b.asked("shop", "a", "", "failed")
		failed.Kind, failed.Command = desk.KindTransact, nil
		_, _, err = b.ledger.Transact(t.Context(), failed, func(context.Context) (desk.Answer, error) { return desk.Answer{}, errors.New("no") })
		require.Error(t, err)
		require.Equal(t, []string{"recorded"}, b.audit("a", desk.EntryFilter{Operator: "ann"}))
		require.Equal(t, []string{"recorded"}, b.audit("a", desk.EntryFilter{}))
	})
}

func TestTheAuditIsAnsweredByIndexes(t *testing.T) {
	t.Parallel()
	b := open(t, storetest.Postgres(t))
	db := b.raw()
	n := fmt.Sprintf("generate_series(1, %d) i", crowdSize)
	at := "timestamptz '2026-01-01' + i * interval '1 minute'"
	for _, statement := range []string{
		`INSERT INTO operations (id, fingerprint, kind, state, tenant, app, door, method, path, request_id, number, content, status, body, why, created_at, lease, ended_at, operator)
			SELECT 'op-' || i, 'f', 'handle', CASE WHEN i % 1000 = 0 THEN 'running' WHEN i % 50 = 1 THEN 'refused' ELSE 'done' END, CASE WHEN i % 4 = 0 THEN 'b' ELSE 'a' END,
			'app' || i % 30, 'issue', 'POST', '/', 'r', 'IM' || i % 5000, CASE WHEN i % 2 = 0 THEN '{}' ELSE '' END, 200, '', '', ` + at + `, ` + at + `, ` + at + `, 'person' || i % 200 FROM ` + n,
		`ANALYZE operations`,
	} {
		_, err := db.Exec(statement)
		require.NoError(t, err)
	}
	day := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	for name, f := range map[string]desk.EntryFilter{
		"none": {}, "app": {App: "app7"}, "no such app": {App: "x"}, "operator": {Operator: "person7"}, "number": {Number: "IM7"}, "refused": {Outcome: desk.Refused},
		"done": {Outcome: desk.Done}, "running": {Outcome: desk.Running}, "from": {From: day}, "to": {To: day}, "a day": {From: day, To: day.Add(24 * time.Hour)},
		"all": {App: "app7", Operator: "person7", Number: "IM7", Outcome: desk.Refused, From: day}, "page": {Cursor: "eyJhIjoiMjAyNi0wMS0wNVQwMDowMDowMFoiLCJuIjoxLCJpIjoib3AtMTAifQ"},
	} {
		query, args, err := operations.AuditQuery("a", f)
		require.NoError(t, err)
		text := explain(t, b, query, append(args, ticket.DefaultPage+1))
		require.NotContains(t, text, "Seq Scan", "%s\n%s", name, text)
		if name != "running" { // few, by their own index
			require.NotContains(t, text, "Sort", "%s: the newest come first without sorting\n%s", name, text)
		}
		require.Contains(t, text, "Index", name)
	}
	for _, prune := range []func(context.Context, time.Time, int) (int64, error){b.PruneOperations, b.PruneAudit} {
		pruned, err := prune(t.Context(), day, 10)
		require.NoError(t, err)
		require.EqualValues(t, 10, pruned)
	}
	for _, query := range []string{
		`SELECT id FROM operations WHERE state <> 'running' AND content <> '' AND created_at < $1 ORDER BY created_at LIMIT 500`,
		`SELECT id FROM operations WHERE content = '' AND created_at < $1 ORDER BY created_at LIMIT 500`,
	} {
		text := explain(t, b, query, []any{day})
		require.Regexp(t, "operations_(whole|bare)", text)
	}
}

func explain(t *testing.T, b *bench, query string, args []any) string {
	t.Helper()
	rows, err := b.raw().QueryContext(t.Context(), "EXPLAIN "+sqlx.Rebind(sqlx.DOLLAR, query), args...)
	require.NoError(t, err)
	defer rows.Close()
	var plan []string
	for rows.Next() {
		var line string
		require.NoError(t, rows.Scan(&line))
		plan = append(plan, line)
	}
	require.NoError(t, rows.Err())
	return strings.Join(plan, "\n")
}
