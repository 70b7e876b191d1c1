package e2e

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/store/postgrestest"
)

// peopledPages is the product over a database with so many tickets, looked at by somebody who has signed in as an app of its tenant.
type peopledPages struct {
	base     string
	browser  *http.Client
	number   string // of a ticket that was opened as any
	delivery string // of one that failed
}

// startPeopledPages starts it on a database that is filled as a house would be after a quarter of a year: two tickets, one open and one completed, are opened and acted on as any, and the others
// copied of them by SQL, with what the pages read beside them.
func startPeopledPages(t *testing.T, cluster *postgrestest.Cluster, n int) *peopledPages {
	t.Helper()
	dsn, err := cluster.CreateDatabase(t.Context())
	require.NoError(t, err)
	p := startProduction(t, dsn)
	worker := p.startWorker(t, "tickets")
	c := p.caller()
	c.publish(t, leaveOnPages("growing"))
	closed := result[string](t, c.must(t, "POST", "/api/issue", sample(t, "issue/testdata/open.json")))
	for _, body := range [][]byte{incidentCall(t, "accept.json", closed), incidentCall(t, "commit.json", closed), incidentCall(t, "confirm.json", closed, "false", "true")} {
		c.must(t, "POST", handlePath, body)
	}
	out := &peopledPages{base: p.api, number: c.open(t), delivery: "msg_7_1"}
	require.Zero(t, worker.Terminate(time.Minute))
	db, err := sql.Open("pgx", dsn)
	require.NoError(t, err)
	defer db.Close()
	began := time.Now()
	require.NoError(t, peoplePages(t.Context(), db, n, out.number, closed))
	t.Logf("%d tickets made in %s", n, time.Since(began).Round(time.Millisecond))

	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	out.browser = &http.Client{Timeout: time.Minute, Jar: jar}
	_, text := out.get(t, "/login")
	form := url.Values{}
	for _, field := range hiddenField.FindAllStringSubmatch(text, -1) {
		form.Set(field[1], html.UnescapeString(field[2]))
	}
	form.Set("code", "admin")
	form.Set("secret", bootstrapSecret)
	form.Set("operator", "person7")
	answer, err := out.browser.PostForm(out.base+"/login", form)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	_, text = out.get(t, "/ticket/"+out.number)
	require.Contains(t, text, out.number)
	return out
}

var hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)"`)

// get opens a page, and tells how long that took.
func (p *peopledPages) get(t testing.TB, path string) (took time.Duration, text string) {
	t.Helper()
	began := time.Now()
	answer, err := p.browser.Get(p.base + path)
	require.NoError(t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, answer.StatusCode, "%s: %.500s", path, body)
	return time.Since(began), string(body)
}

// peoplePages makes n tickets of the last 90 days, each twentieth open. Whatever is asked for fills a page in a small house too: a longer page takes longer.
func peoplePages(ctx context.Context, db *sql.DB, n int, open, closed string) error {
	db.SetMaxOpenConns(1)
	var tenant string
	if err := db.QueryRowContext(ctx, `SELECT tenant FROM apps`).Scan(&tenant); err != nil {
		return err
	}
	var drop, create string
	if err := db.QueryRowContext(ctx, `SELECT string_agg('DROP INDEX ' || indexname, ';'), string_agg(indexdef, ';') FROM pg_indexes
		WHERE schemaname = 'public' AND indexname NOT IN (SELECT conname FROM pg_constraint)`).Scan(&drop, &create); err != nil {
		return err
	}
	const first = 1000 // below it are those that are copied
	values := strings.NewReplacer("$tenant", "'"+tenant+"'", "$open", "'"+open+"'", "$closed", "'"+closed+"'", "$first", fmt.Sprint(first), "$series", fmt.Sprintf("generate_series(%d, %d) i", first, first+n-1),
		"$number", "('IM9' || lpad(i::text, 9, '0'))", "$at", fmt.Sprintf("(date_trunc('second', now()) - (%d - i) * interval '90 days' / %d)", first+n, n))
	// copied has rows of a table copied for each ticket of the series, with other values in some columns.
	copied := func(table, where, other string) string {
		return `INSERT INTO ` + table + ` SELECT (jsonb_populate_record(r, jsonb_build_object(` + other + `))).* FROM ` + table + ` r, $series WHERE ` + where
	}
	for _, half := range []struct{ of, which string }{{"$open", "i % 20 = 0"}, {"$closed", "i % 20 <> 0"}} {
		drop += `;` + copied("tickets", `number = `+half.of+` AND `+half.which, `'id', i, 'number', $number, 'uuid', gen_random_uuid()::text, 'origin', 'origin' || i % 50, 'assignee', CASE WHEN i % 3 = 0 OR i % 20 = 0 AND i < $first + 1000 THEN '' ELSE 'person' || i % 10 END,
			'created_at', $at, 'updated_at', $at + interval '1 hour', 'due_at', CASE WHEN i % 40 = 0 OR i % 20 = 0 AND i < $first + 1000 THEN $at + interval '2 days' END, 'ended_at', CASE WHEN i % 20 <> 0 THEN $at + interval '1 hour' END, 'posted', true,
			'state', (r.state::jsonb || jsonb_build_object('id', i, 'number', $number, 'title', 'Gate blocked ' || i, 'created_at', $at, 'updated_at', $at + interval '1 hour'))::text`) +
			`;` + copied("events", `ticket_id = (SELECT id FROM tickets WHERE number = `+half.of+`) AND `+half.which, `'ticket_id', i, 'at', $at, 'operation', 'op-' || i || '-' || seq`)
	}
	for _, statement := range []string{
		`SET session_replication_role = replica`, // what refers to what is right
		drop,
		`INSERT INTO ticket_tags (tenant, tag, ticket_id) SELECT $tenant, tag, i FROM $series, LATERAL (VALUES ('all'), ('tag' || i % 300)) v (tag)`,
		`INSERT INTO relations (ticket_id, type, place, content, tenant) SELECT i, 'manifest', place, 'N' || i % 20 || place, $tenant FROM $series, generate_series(0, 1) place`,
		`UPDATE tickets SET sla = 'breached' WHERE id >= $first AND (id % 20 = 0 OR id % 10 = 1)`,
		`INSERT INTO people (tenant, person, part, ticket_id, seq, ended) SELECT $tenant, 'person' || i / 20 % 10, part, i, 1, i % 20 <> 0 FROM $series, LATERAL (VALUES ('opener'), ('follower')) v (part)`,
		`INSERT INTO people (tenant, person, part, ticket_id, seq) SELECT $tenant, 'person7', part, i, 1 FROM $series, LATERAL (VALUES ('opener'), ('follower')) v (part) WHERE i % 20 = 0 AND i < $first + 1000 ON CONFLICT DO NOTHING`,
		`INSERT INTO waiting (tenant, person, ticket_id) SELECT $tenant, 'person' || i % 200, i FROM $series WHERE i % 20 = 0`,
		`INSERT INTO waiting (tenant, person, ticket_id) SELECT $tenant, 'person7', i FROM $series WHERE i % 20 = 0 AND i < $first + 1000 ON CONFLICT DO NOTHING`,
		`INSERT INTO ticket_nodes (tenant, service, node, ticket_id) SELECT $tenant, 'incident', 'accept', i FROM $series WHERE i % 20 = 0`,
		`INSERT INTO stuck (ticket_id, cause, tenant, since) SELECT i, 'undelivered', $tenant, $at FROM $series WHERE i % 20 = 0`,
		`INSERT INTO postings (tenant, term, block, members) SELECT $tenant, convert_to(term, 'UTF8'), i / 512,
			string_agg(substr(digits, i % 512 / 32 + 1, 1) || substr(digits, i % 32 + 1, 1), '') FROM $series, (SELECT '0123456789abcdefghijklmnopqrstuv') d (digits),
			LATERAL (VALUES (lower($number)), ('gate'), ('blocked'), ('serial' || i % 20)) v (term) GROUP BY 2, 3`,
		`INSERT INTO operations (id, scope, fingerprint, kind, state, tenant, app, door, method, path, request_id, number, content, status, body, why, created_at, lease, ended_at)
			SELECT 'op-' || i, 'scope-' || i, 'f', 'handle', 'done', $tenant, 'admin', 'issue', 'POST', '/', 'r', $number, '{}', 200, '{}', '', $at, $at, $at FROM $series`,
		`INSERT INTO subscriptions (id, tenant, ticket_id, url, host, format, profile, secret, state, reason, created_at) SELECT 'sub-' || i, $tenant, i, 'https://host' || i % 4 || '.example.com/box',
			'host' || i % 4 || '.example.com', 'issue', 'minutely', '', 'active', '', $at FROM $series`,
		`INSERT INTO deliveries (id, tenant, subscription_id, ticket_id, part, at, seq, type, body, state, tries, created_at, ended_at, counted) SELECT 'msg_' || i - $first || '_' || seq, $tenant, 'sub-' || i, i, i % 16,
			$at, seq, 'status', '{"a":1}', state, 1, $at, CASE WHEN state IN ('sent', 'failed', 'held') THEN $at END, CASE WHEN state IN ('sent', 'failed') THEN 'host' || i % 4 || '.example.com' ELSE '' END
			FROM $series, generate_series(1, 3) seq, LATERAL (SELECT CASE WHEN seq > 1 THEN 'sent' WHEN i % 20 = 0 THEN 'failed' WHEN i % 20 = 1 THEN 'pending' WHEN i % 20 = 2 THEN 'parked' WHEN i % 20 = 3 THEN 'held' WHEN i % 5 = 2 THEN 'failed' ELSE 'sent' END) s (state)`,
		`INSERT INTO attempts (delivery_id, n, started_at, finished_at, status, class, error, answer, succeeded) SELECT id, 1, at, at, 200, '', '', '', state = 'sent' FROM deliveries WHERE state <> 'pending'`,
		`INSERT INTO tallies (tenant, day, service, what, detail, n) SELECT tenant, to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD'), service, what, detail, COUNT(*) FROM tickets,
			LATERAL (VALUES ('opened', ''), ('accepted', (id % 9)::text), ('closed', ''), ('completed', (id % 11)::text)) v (what, detail) WHERE id >= $first AND (NOT open OR what = 'opened') GROUP BY 1, 2, 3, 4, 5 ON CONFLICT DO NOTHING`,
		`INSERT INTO tallies (tenant, day, service, what, detail, n) SELECT tenant, '', service, what, detail, COUNT(*) FROM tickets, LATERAL (VALUES ('phase', 'triggered'), ('node', 'accept'),
			('since', to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD'))) v (what, detail) WHERE id >= $first AND open GROUP BY 1, 3, 4, 5 ON CONFLICT DO NOTHING`,
		`INSERT INTO tallies (tenant, day, service, what, detail, n) SELECT tenant, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD'), '', CASE state WHEN 'sent' THEN 'arrived' ELSE 'failed' END, counted, COUNT(*) FROM deliveries
			WHERE counted <> '' GROUP BY 1, 2, 4, 5 ON CONFLICT DO NOTHING`,
		create,
		`VACUUM ANALYZE`,
	} {
		if _, err := db.ExecContext(ctx, values.Replace(statement)); err != nil {
			return fmt.Errorf("%.200s: %w", statement, err)
		}
	}
	return nil
}

// TestSlowPagesTakeNoLonger: however much is kept, a page takes no more than twice as long. The two houses are looked at by turns, so that what else the machine does falls on both, and what counts is the
// median; a page that seems to take longer is looked at for some rounds more, since a machine that is busy makes long of short, and then the median of the rounds counts.
func TestSlowPagesTakeNoLonger(t *testing.T) {
	if !slowTests() {
		t.Skip("fills a database with 100,000 tickets; make slow-test runs it")
	}
	t.Parallel()
	const few, many, times, most, rounds = 1_000, 100_000, 25, 2.0, 5
	cluster, err := postgrestest.NewDurableCluster()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, cluster.Close()) })
	small, large := startPeopledPages(t, cluster, few), startPeopledPages(t, cluster, many)
	ratio := func(pathIn func(*peopledPages) string) (a, b time.Duration) {
		var ofSmall, ofLarge []time.Duration
		for i := range times + 1 {
			var took [2]time.Duration
			for j := range took { // by turns who is first: whoever comes later finds less in the processors' memory
				which := (i + j) % 2
				house := []*peopledPages{small, large}[which]
				took[which], _ = house.get(t, pathIn(house))
			}
			if i > 0 { // the first prepares what is read
				ofSmall, ofLarge = append(ofSmall, took[0]), append(ofLarge, took[1])
			}
		}
		slices.Sort(ofSmall)
		slices.Sort(ofLarge)
		return ofSmall[times/2], ofLarge[times/2]
	}
	lines, slow := []string{"", fmt.Sprintf("| page | %d tickets | %d tickets | times as long |", few, many), "|---|---|---|---|"}, []string(nil)
	for _, path := range []string{"/", "/tickets", "/tickets?status=OPEN", "/tickets?status=CLOSED", "/tickets?phase=triggered&sort=due", "/tickets?overdue=1&sort=due", "/tickets?stuck=any&sort=stuck", "/tickets?unassigned=1",
		"/tickets?assignee=person7", "/tickets?waiting_for=person7", "/tickets?opener=person7", "/tickets?opener=person7&status=OPEN", "/tickets?status=OPEN&sla=breached", "/tickets?tag=all", "/tickets?related=N70", "/tickets?q=gate", "/tickets?q=gate+serial7", "/tickets?service=incident&node=accept",
		"/tickets?status=CLOSED&ended=7d", "/tickets?created=7d", "/tickets?sort=-updated", "/tickets/new", "/tickets/new?service=incident", "/ticket/{number}", "/ticket/{number}/timeline", "/deliveries",
		"/deliveries?state=all", "/deliveries?state=sent", "/deliveries?state=pending", "/deliveries?state=failed&host=host3.example.com", "/deliveries?state=sent&host=host3.example.com", "/deliveries/{delivery}",
		"/subscriptions", "/subscriptions/new", "/services", "/services/incident", "/services/growing", "/services/growing/edit", "/services/growing/simulate", "/editor/service", "/services/growing/migrate?to=1", "/people", "/groups", "/absences", "/calendars", "/apps", "/audit",
		"/audit?app=admin", "/overview", "/overview?days=90", "/overview?days=90&service=incident", "/settings"} {
		pathIn := func(p *peopledPages) string {
			return strings.NewReplacer("{number}", p.number, "{delivery}", p.delivery).Replace(path)
		}
		type round struct {
			a, b  time.Duration
			times float64
		}
		var all []round
		for range rounds {
			a, b := ratio(pathIn)
			all = append(all, round{a, b, float64(b) / float64(a)})
			if all[0].times <= most {
				break
			}
			t.Logf("%s seems to take %.2f times as long (%s, %s)", path, all[len(all)-1].times, a, b)
		}
		slices.SortFunc(all, func(x, y round) int { return cmp.Compare(x.times, y.times) })
		is := all[len(all)/2]
		lines = append(lines, fmt.Sprintf("| %s | %.1f ms | %.1f ms | %.2f |", path, is.a.Seconds()*1000, is.b.Seconds()*1000, is.times))
		if is.times > most {
			slow = append(slow, path)
		}
	}
	t.Log(strings.Join(lines, "\n"))
	require.Empty(t, slow, "pages that take more than %g times as long", most)
}
