package e2e

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"signalbox/cmd/dev/e2e/harness"
	"signalbox/store/postgrestest"
)

const (
	identicalRequests = 200
	// lease is how long a claimant alone works on a request (desk.Options); a little more is for the settling.
	lease, settleWithin = 30 * time.Second, 10 * time.Second
	// latestKill is when in a burst the last moment to be killed is. The first request is claimed, done and answered well before.
	latestKill = 150 * time.Millisecond
	// nearClaim is when after its claim a request that meets no obstacle is done and answered.
	nearClaim = 30 * time.Millisecond
)

// twins are two API processes over one database and one Temporal. The production's own API process is the first.
type twins struct {
	*production
	dsn      string
	db       *sql.DB
	temporal client.Client
	bases    [2]string
	apis     [2]*harness.Process
}

func startTwins(t testing.TB, more ...string) *twins {
	t.Helper()
	dsn := postgrestest.Start(t)
	p := startProduction(t, dsn, more...)
	p.startWorker(t, "tickets")
	w := &twins{production: p, dsn: dsn, bases: [2]string{p.api, fmt.Sprintf("http://127.0.0.1:%d", harness.FreePort(t))}}
	w.apis[0] = p.apis
	w.start(t, 1)
	var err error
	w.db, err = sql.Open("pgx", dsn)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.db.Close()) })
	w.temporal = dialTemporal(t, p.temporal.address, p.namespace)
	t.Cleanup(w.temporal.Close)
	return w
}

// start starts one of the two, again on its port after it has ended.
func (w *twins) start(t testing.TB, i int) {
	t.Helper()
	w.apis[i] = harness.Start(t, harness.Command{Path: binary(t, "api"), Env: append(w.env, "SIGNALBOX_HTTP_ADDRESS="+w.bases[i][len("http://"):])})
	harness.UntilOK(t, w.bases[i]+"/readyz", time.Minute)
}

// count runs a query that counts.
func (w *twins) count(t testing.TB, query string, args ...any) (n int) {
	t.Helper()
	require.NoError(t, w.db.QueryRow(query, args...).Scan(&n))
	return n
}

// identical is one request that many send at once.
type identical struct {
	name, method, path string
	body, other        any            // other: what the same key must not be used for
	changes            func() int     // how often it has happened, as the database tells
	number             string         // of a ticket whose workflow must have been updated exactly once; may be empty
	heard              []answer       // all that told the outcome, in no order
	key, id            string         // idempotency key, X-Request-Id
	codes              map[string]int // answers of the burst by kind
}

// send makes the request on one of the processes, over a connection of its own or of a client's.
func (q *identical) send(c *http.Client, base string, body any) (answer, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return answer{}, err
	}
	r, err := http.NewRequest(q.method, base+q.path, bytes.NewReader(raw))
	if err != nil {
		return answer{}, err
	}
	for name, value := range map[string]string{"Authorization": "Access_Key " + bootstrapSecret, "Content-Type": "application/json",
		"X-Idempotency-Key": q.key, "X-Request-Id": q.id} {
		r.Header.Set(name, value)
	}
	response, err := c.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(text)}, err
}

// oneShot is a client whose every request has a connection of its own: a connection that is used again would have Go's client repeat, out of
// our sight, what was broken off.
func oneShot() *http.Client {
	return &http.Client{Timeout: 60 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
}

// kinds of answers.
const (
	executed = "200 false"
	replayed = "200 true"
	busy     = "409"
	broken   = "broken"
)

// kind tells what kind of answer it is; an error says that there may be no such answer.
func kind(a answer) (string, error) {
	switch told := a.header.Get("X-Idempotency-Replayed"); {
	case a.status == http.StatusOK && told == "false":
		return executed, nil
	case a.status == http.StatusOK && told == "true":
		return replayed, nil
	case a.status == http.StatusConflict && a.header.Get("Retry-After") == "1":
		return busy, nil
	}
	return "", fmt.Errorf("%s %v", a, a.header)
}

// deadly is when a process is killed: so long after the burst began, or after the request's claim was seen.
type deadly struct {
	victim  int
	claimed bool
	after   time.Duration
}

func (d deadly) String() string {
	from := "the beginning"
	if d.claimed {
		from = "the claim"
	}
	return fmt.Sprintf("%d killed %d ms after %s", d.victim, d.after.Milliseconds(), from)
}

// throw gives a moment. Half of them are near the claim, because what is done then takes a small part of the burst.
func throw(dice *rand.Rand) deadly {
	d := deadly{victim: dice.IntN(2), claimed: dice.IntN(2) == 0, after: time.Duration(dice.Int64N(int64(latestKill)))}
	if d.claimed {
		d.after = time.Duration(dice.Int64N(int64(nearClaim)))
	}
	return d
}

// kill kills when the moment has come, or when the burst is over.
func (w *twins) kill(t testing.TB, q *identical, d deadly, over <-chan struct{}) {
	for claimed := !d.claimed; !claimed; {
		select {
		case <-over:
			claimed = true
		default:
			if err := w.db.QueryRow(`SELECT COUNT(*) > 0 FROM operations WHERE request_id = $1 AND state <> 'refused'`, q.id).Scan(&claimed); err != nil {
				t.Errorf("look for the claim: %v", err)
				claimed = true
			}
		}
	}
	select {
	case <-over:
	case <-time.After(d.after):
	}
	w.apis[d.victim].Kill()
}

// burst sends the request many times at once to both processes, and kills one of them meanwhile.
func (w *twins) burst(t testing.TB, q *identical, d deadly) {
	t.Helper()
	type result struct {
		answer
		error
	}
	results := make([]result, identicalRequests)
	var ready, done sync.WaitGroup
	begin := make(chan struct{})
	c := oneShot()
	ready.Add(len(results))
	for i := range results {
		done.Go(func() {
			ready.Done()
			<-begin
			results[i].answer, results[i].error = q.send(c, w.bases[i%2], q.body)
		})
	}
	ready.Wait()
	over, dead := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(dead)
		<-begin
		w.kill(t, q, d, over)
	}()
	close(begin)
	done.Wait()
	close(over)
	<-dead
	q.codes = map[string]int{}
	for i, r := range results {
		if r.error != nil {
			require.Equal(t, d.victim, i%2, "%s: the process that lives left a caller without an answer: %v", q.name, r.error)
			q.codes[broken]++
			continue
		}
		kind, err := kind(r.answer)
		require.NoError(t, err, q.name)
		q.codes[kind]++
		if kind != busy {
			q.heard = append(q.heard, r.answer)
		}
	}
}

// converge repeats the request until it is answered.
func (w *twins) converge(t testing.TB, q *identical, i int) answer {
	t.Helper()
	var a answer
	harness.Until(t, q.name+": the key is answered", lease+settleWithin, func() (err error) {
		if a, err = q.send(oneShot(), w.bases[i], q.body); err != nil {
			return err
		}
		if a.status == http.StatusConflict || a.status == http.StatusServiceUnavailable {
			require.NotEmpty(t, a.header.Get("Retry-After"), a)
			return fmt.Errorf("%s", a)
		}
		return nil
	})
	_, err := kind(a)
	require.NoError(t, err, q.name)
	q.heard = append(q.heard, a)
	return a
}

// round plays one burst and holds what came of it against the contract. It tells what the killing met.
func (w *twins) round(t testing.TB, q *identical, dice *rand.Rand) (met string) {
	t.Helper()
	d := throw(dice)
	before := q.changes()
	w.burst(t, q, d)
	open := w.count(t, `SELECT COUNT(*) FROM operations WHERE request_id = $1 AND state = 'running'`, q.id)
	switch {
	case q.codes[executed] == 1:
		met = "after the answer"
	case open == 1:
		met = "between claim and finish"
	case w.count(t, `SELECT COUNT(*) FROM operations WHERE request_id = $1 AND state <> 'refused'`, q.id) == 1:
		met = "between finish and answer"
	default:
		met = "before the claim"
	}
	require.True(t, q.codes[executed] == 1 || q.codes[broken] > 0, "%s: nobody was told that it was done: %v", q.name, q.codes)

	began := time.Now()
	again, _ := kind(w.converge(t, q, 1-d.victim)) // whoever generations tells without the other
	took := time.Since(began)
	w.start(t, d.victim)
	for i := range w.bases {
		require.True(t, w.converge(t, q, i).replayed(), q.name)
	}
	first := 0
	for _, a := range q.heard {
		require.Equal(t, q.heard[0].body, a.body, q.name)
		if !a.replayed() {
			first++
		}
	}
	require.LessOrEqual(t, first, 1, "%s: it was done more than once", q.name)
	a, err := q.send(oneShot(), w.bases[d.victim], q.other)
	require.NoError(t, err)
	require.Equal(t, http.StatusUnprocessableEntity, a.status, "%s: %s", q.name, a)

	require.Equal(t, before+1, q.changes(), "%s: changes", q.name)
	require.Equal(t, 1, w.count(t, `SELECT COUNT(*) FROM operations WHERE request_id = $1 AND state <> 'refused'`, q.id), q.name)
	require.Equal(t, 1, w.count(t, `SELECT COUNT(*) FROM operations WHERE request_id = $1 AND state = 'done'`, q.id), q.name)
	if q.number != "" {
		require.Equal(t, 1, w.updates(t, q.number), "%s: updates of the workflow", q.name)
	}
	t.Logf("%-24s %s: %s; %v, then %s after %s", q.name, d, met, q.codes, again, took.Round(time.Millisecond))
	return met
}

// updates counts what a ticket's workflow was asked and took on.
func (w *twins) updates(t testing.TB, number string) (n int) {
	t.Helper()
	history := w.temporal.GetWorkflowHistory(t.Context(), "ticket:"+number, "", false, 0)
	for history.HasNext() {
		e, err := history.Next()
		require.NoError(t, err)
		if e.GetWorkflowExecutionUpdateAcceptedEventAttributes() != nil {
			n++
		}
	}
	return n
}

// play plays so many rounds, with a different call each time.
func (w *twins) play(t testing.TB, rounds int, seed uint64) {
	t.Helper()
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	calls := w.calls(t)
	first := dice.IntN(len(calls))
	met, answers := map[string]int{}, map[string]int{}
	for n := range rounds {
		q := calls[(first+n)%len(calls)](n)
		q.key, q.id = fmt.Sprintf("burst:%d", n), fmt.Sprintf("burst-%d-%d", seed, n)
		met[w.round(t, q, dice)]++
		for kind, count := range q.codes {
			answers[kind] += count
		}
	}
	t.Logf("%d rounds of %d requests: %v; killed %v", rounds, identicalRequests, answers, met)

	// An opening that nobody knows of would be a workflow without a row.
	tickets := w.count(t, `SELECT COUNT(*) FROM tickets`)
	harness.Until(t, "Temporal shows all tickets", time.Minute, func() error {
		numbers := map[string]bool{} // a ticket that was taken up again after its end has a workflow for each generation
		for request := (&workflowservice.ListWorkflowExecutionsRequest{Namespace: w.namespace, Query: `WorkflowType = 'Ticket'`}); ; {
			page, err := w.temporal.ListWorkflow(t.Context(), request)
			if err != nil {
				return err
			}
			for _, e := range page.Executions {
				number, _, _ := strings.Cut(e.Execution.WorkflowId, "/")
				numbers[number] = true
			}
			if request.NextPageToken = page.NextPageToken; len(request.NextPageToken) == 0 {
				break
			}
		}
		if len(numbers) != tickets {
			return fmt.Errorf("workflows of %d tickets, and %d tickets", len(numbers), tickets)
		}
		return nil
	})
}

// TestIdenticalRequestsOverTwoProcesses sends one request many times at once to two processes, kills one of them meanwhile, and does so with
// calls of all families.
func TestIdenticalRequestsOverTwoProcesses(t *testing.T) {
	t.Parallel()
	startTwins(t).play(t, 5, rand.Uint64())
}

// TestSlowIdenticalRequests does it fifty times.
func TestSlowIdenticalRequests(t *testing.T) {
	if !slowTests() {
		t.Skip("takes minutes; make slow-test runs it")
	}
	t.Parallel()
	startTwins(t).play(t, 50, rand.Uint64())
}
