package bench

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/cmd/dev/e2e/harness"
	"signalbox/ticket"
)

// filters of a list, by name: everything that it can be asked for by itself, and what is asked for together.
var filters = []struct{ name, query string }{
	{"none", ""}, {"status open", "status=OPEN"}, {"status closed", "status=CLOSED"}, {"phase", "phase=triggered"}, {"common phase", "phase=completed"},
	{"phases", "phase=triggered&phase=revoked"}, {"origin", "origin=origin7"}, {"tag", "tag=tag7"}, {"common tag", "tag=all"}, {"service", "service=incident"}, {"assignee", "assignee=person7"},
	{"waiting for", "waiting_for=person7"}, {"relation", "relation=manifest:N7"}, {"created after", "created_after=2026-01-01T06:00:00Z"},
	{"created before", "created_before=2026-01-01T06:00:00Z"}, {"updated after", "updated_after=2026-01-01T06:00:00Z"}, {"updated before", "updated_before=2026-01-01T06:00:00Z"},
	{"a common word", "q=海关"}, {"two common words", "q=gate 海关"}, {"three common words", "q=half tenth 海关"}, {"a common beginning", "q=gat"}, {"a beginning of all numbers", "q=im1"},
	{"a rare word", "q=serial7 海关"}, {"words that are nowhere together", "q=first last 海关"}, {"a word that is nowhere", "q=nowhere 海关"},
	{"a common word, by phase", "q=海关&phase=triggered"}, {"a common word, by assignee", "q=海关&assignee=person7"}, {"a common word, by time", "q=海关&created_before=2026-01-01T06:00:00Z"},
	{"assignee and phase", "assignee=person7&phase=triggered"}, {"assignee and common phase", "assignee=person7&phase=completed"},
	{"everything", "status=OPEN&phase=triggered&origin=origin0&tag=all&service=incident&assignee=person0&waiting_for=person0&relation=manifest:N0&q=gate"},
}

// house is a system with so many tickets, for reading alone.
type house struct {
	api string
	n   int
}

// house makes one: a database of its own, filled by SQL as a house in its second year would have it, and an API on it.
func (b *bench) house(n int) house {
	database, err := b.cluster.CreateDatabase(b.Context())
	require.NoError(b, err)
	env := append(slices.Clone(b.env), "SIGNALBOX_DATABASE_URL="+database)
	migrate := harness.Start(b, harness.Command{Path: harness.Build(b, root, "./cmd/migrate"), Env: append(env, "SIGNALBOX_BOOTSTRAP_APP=admin:"+secret)})
	require.Zero(b, migrate.Wait(2*time.Minute), migrate.Logs())
	db, err := sql.Open("postgres", database)
	require.NoError(b, err)
	defer db.Close()
	began := time.Now()
	require.NoError(b, fillTickets(b.Context(), db, n))
	progress("%d tickets made in %s", n, time.Since(began).Round(time.Second))
	h := house{fmt.Sprintf("http://127.0.0.1:%d", harness.FreePort(b)), n}
	harness.Start(b, harness.Command{Path: harness.Build(b, root, "./cmd/api"), Env: append(env, "SIGNALBOX_HTTP_ADDRESS="+h.api[len("http://"):])})
	harness.UntilOK(b, h.api+"/readyz", time.Minute)
	return h
}

// fillTickets makes n tickets of the one tenant that there is, the last twentieth open, and all that lists read of them.
func fillTickets(ctx context.Context, db *sql.DB, n int) error {
	db.SetMaxOpenConns(1)
	var tenant string
	if err := db.QueryRowContext(ctx, `SELECT tenant FROM apps`).Scan(&tenant); err != nil {
		return err
	}
	state, err := json.Marshal(ticket.Ticket{Identity: ticket.Identity{Number: "NUMBER", Tenant: tenant}, Title: "Gate 海关 blocked", Origin: "customs", Service: "incident", Status: ticket.Triggered,
		Description: strings.Repeat("The manifest names three items that the declaration does not have. ", 6)})
	if err != nil {
		return err
	}
	series := fmt.Sprintf("generate_series(1, %d) i", n)
	at := "timestamptz '2026-01-01' + i * interval '1 minute'"
	for _, statement := range []string{
		`SET session_replication_role = replica`, // what refers to what is right
		`INSERT INTO tickets (id, tenant, number, uuid, open, phase, origin, service, assignee, created_at, updated_at, seq, state, chain, folded, posted)
			SELECT i, '` + tenant + `', 'IM1' || lpad(i::text, 9, '0'), gen_random_uuid(), i % 20 = 0, CASE i % 20 WHEN 0 THEN 'triggered' WHEN 1 THEN 'revoked' ELSE 'completed' END,
			'origin' || i % 50, 'incident', 'person' || i % 200, ` + at + `, ` + at + ` + interval '1 hour', 1, replace('` + string(state) + `', 'NUMBER', 'IM1' || lpad(i::text, 9, '0')), '', true, true FROM ` + series,
		`INSERT INTO ticket_tags (tenant, tag, ticket_id) SELECT '` + tenant + `', tag, i FROM ` + series + `, LATERAL (VALUES ('all'), ('tag' || i % 300)) v (tag)`,
		`INSERT INTO relations (ticket_id, type, place, content, tenant) SELECT i, 'manifest', 0, 'N' || i % 500, '` + tenant + `' FROM ` + series,
		`INSERT INTO waiting (tenant, person, ticket_id) SELECT '` + tenant + `', 'person' || i % 200, i FROM ` + series + ` WHERE i % 20 = 0`,
		`INSERT INTO postings (tenant, term, block, members) SELECT '` + tenant + `', convert_to(term, 'UTF8'), i / 512,
			string_agg(substr(digits, i % 512 / 32 + 1, 1) || substr(digits, i % 32 + 1, 1), '') FROM ` + series + `, (SELECT '0123456789abcdefghijklmnopqrstuv') d (digits),
			LATERAL (VALUES ('im1' || lpad(i::text, 9, '0')), ('gate'), ('海关'), (CASE WHEN i % 2 = 0 THEN 'half' ELSE 'first' END), (CASE WHEN i % 10 = 0 THEN 'tenth' END),
				(CASE WHEN i % 2 = 0 THEN 'last' END), ('serial' || i % 5000)) v (term) WHERE term IS NOT NULL GROUP BY 2, 3`,
		`VACUUM ANALYZE`,
	} {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%.80s: %w", statement, err)
		}
	}
	return nil
}

// page reads a page of a list, and gives the cursor of the next and how many are on it.
func (h house) page(ctx context.Context, query, cursor string, limit int) (next string, n int, err error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return "", 0, err
	}
	values.Set("limit", fmt.Sprint(limit))
	if cursor != "" {
		values.Set("cursor", cursor)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, h.api+"/api/issue?"+values.Encode(), nil)
	if err != nil {
		return "", 0, err
	}
	request.Header.Set("Authorization", "Access_Key "+secret)
	answer, err := keeping.Do(request)
	if err != nil {
		return "", 0, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return "", 0, err
	}
	if answer.StatusCode != http.StatusOK {
		return "", 0, fmt.Errorf("%s: %d %s", request.URL, answer.StatusCode, text)
	}
	var page struct {
		Result struct {
			Items []json.RawMessage `json:"items"`
			Next  string            `json:"next_cursor"`
		} `json:"result"`
	}
	err = json.Unmarshal(text, &page)
	return page.Result.Next, len(page.Result.Items), err
}

// deepPage is the page of a list that is far behind.
const deepPage = 500

// deep gives the cursor of a page so far behind, or of the last full one before it.
func (h house) deep(ctx context.Context, query string, page int) (cursor string, at int, err error) {
	for at = 1; at < page; {
		step := min((page-at)*ticket.DefaultPage, ticket.MaxPage)
		next, n, err := h.page(ctx, query, cursor, step)
		if err != nil || next == "" || n < step {
			return cursor, at, err
		}
		cursor, at = next, at+step/ticket.DefaultPage
	}
	return cursor, at, nil
}

// lists compares pages of lists of a thousand tickets with those of a million: how long its caller waits.
func (b *bench) lists() {
	few, many, times := 1_000, 1_000_000, 100
	if b.smoke {
		few, many, times = 100, 2_000, 2
	}
	small, large := b.house(few), b.house(many)
	for _, deep := range []bool{false, true} {
		what := "first page"
		if deep {
			what = fmt.Sprintf("page %d", deepPage)
		}
		lines := []string{"", fmt.Sprintf("Lists, %s, one caller, p50 and p95 of %d tickets and of %d, medians over the rounds:", what, few, many), "", "| filter | page | few | many | ratio of p95 (spread) |", "|---|---|---|---|---|"}
		var all []float64
		worst, slowest := 0.0, ""
		for _, f := range filters {
			cursor, at := "", 1
			if deep {
				var err error
				cursor, at, err = large.deep(b.Context(), f.query, deepPage)
				require.NoError(b, err, f.name)
			}
			r := row{what: f.name}
			for range b.rounds {
				a, c := b.listing(f.name, times, small, large, f.query, cursor)
				r.rounds = append(r.rounds, rounds{ours: c, other: a, ratio: float64(c.quantile(0.95)) / float64(a.quantile(0.95))})
			}
			side := func(of func(rounds) measured) string {
				p50, _, _ := spread(r.figures(func(x rounds) float64 { return of(x).quantile(0.5).Seconds() }))
				p95, _, _ := spread(r.figures(func(x rounds) float64 { return of(x).quantile(0.95).Seconds() }))
				return brief(time.Duration(p50*1e9)) + ", " + brief(time.Duration(p95*1e9))
			}
			ratio, least, most := spread(r.figures(func(x rounds) float64 { return x.ratio }))
			lines = append(lines, fmt.Sprintf("| %s | %d | %s | %s | %.2f (%.2f to %.2f) |", f.name, at, side(func(x rounds) measured { return x.other }), side(func(x rounds) measured { return x.ours }), ratio, least, most))
			progress("lists, %s, %s: %.2f", what, f.name, ratio)
			if all = append(all, ratio); ratio > worst {
				worst, slowest = ratio, f.name
			}
		}
		median, _, _ := spread(all)
		b.rows = append(b.rows, row{what: fmt.Sprintf("lists, %s, %d filters: p95 of %d tickets against %d (times as long)", what, len(filters), many, few), goal: "≤ 1.5",
			note: fmt.Sprintf("median %.2f, most %.2f (%s)", median, worst, slowest)})
		b.details = append(b.details, lines...)
	}
}

// listing reads a page of both houses by turns, so many times.
func (b *bench) listing(name string, times int, small, large house, query, cursor string) (few, many measured) {
	for i := range times + 1 {
		for _, side := range []struct {
			of     house
			cursor string
			to     *measured
		}{{small, "", &few}, {large, cursor, &many}} {
			began := time.Now()
			_, _, err := side.of.page(b.Context(), query, side.cursor, ticket.DefaultPage)
			require.NoError(b, err, name)
			if took := time.Since(began); i > 0 { // the first prepares what is read
				side.to.latencies, side.to.done, side.to.took = append(side.to.latencies, took), side.to.done+1, side.to.took+took
			}
		}
	}
	slices.Sort(few.latencies)
	slices.Sort(many.latencies)
	return few, many
}
