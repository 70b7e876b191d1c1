package exception_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/api"
	"signalbox/api/apitest"
	"signalbox/api/exception"
	"signalbox/api/issue"
	"signalbox/desk"
	"signalbox/ticket"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 678_901_000, time.UTC)

// budget is the store's, in memory.
type budget struct {
	mu    sync.Mutex
	used  map[string]int
	began map[string]time.Time
	now   func() time.Time
	err   error
}

func (b *budget) Take(_ context.Context, tenant, name string, limit int, window time.Duration) (int, time.Time, bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return 0, time.Time{}, false, b.err
	}
	key := tenant + "\n" + name
	if at, ok := b.began[key]; !ok || !b.now().Before(at.Add(window)) {
		b.used[key], b.began[key] = 0, b.now()
	}
	b.used[key]++
	return max(limit-b.used[key], 0), b.began[key].Add(window), b.used[key] <= limit, nil
}

// bench is a server with the exception family, and the issue family to open and read with, over the true desk and store.
type bench struct {
	*testing.T
	apitest.Client
	back   *apitest.Backend
	budget *budget
	clock  *time.Time
}

const limit = 60

func setup(t testing.TB) *bench {
	t.Helper()
	at := epoch
	now := func() time.Time { return at }
	back := apitest.NewBackend(t, nil)
	back.Now = now
	b := &bench{back: back, budget: &budget{used: map[string]int{}, began: map[string]time.Time{}, now: now}, clock: &at}
	handler := exception.Handler{Desk: back, Budget: b.budget, Limit: limit, Ahead: api.Config{}.Defaults().ExceptionClockAhead, Now: now}
	issues := issue.Handler{Desk: back, Tickets: back, Services: back, Addresses: back}
	server := api.New(api.Config{}, apitest.NewApps(), nil, slog.New(slog.NewTextHandler(io.Discard, nil)), handler.Family(), issues.Family())
	server.AuditRefusals(back)
	b.Client = apitest.Client{T: t, App: server.App(), Contract: apitest.LoadContract(t, "exception", "issue"), Secret: apitest.Writer}
	b.T, _ = t.(*testing.T)
	return b
}

func (b *bench) on(t *testing.T) *bench {
	other := *b
	other.T, other.Client = t, b.Client.On(t)
	return &other
}

// open opens a ticket and brings it into a phase.
func (b *bench) open(phase string) ticket.Ticket {
	b.Client.T.Helper()
	t := b.Client.T
	r := desk.Request{App: apitest.NewApps()[apitest.Writer], Channel: ticket.ChannelIssue}
	draft := ticket.Draft{Channel: ticket.ChannelIssue, App: "writer", Origin: "a", Title: "b", Opener: "wang"}
	var id ticket.Identity
	_, err := b.back.Open(t.Context(), r, desk.Opening{Series: ticket.SeriesIM, Draft: draft, Answer: func(i ticket.Identity) desk.Answer { id = i; return desk.Answer{} }})
	require.NoError(t, err)
	status, suspended := strings.CutPrefix(phase, "suspended ")
	steps := map[string][]ticket.Action{
		"triggered": {}, "acknowledged": {ticket.Accept}, "resolved": {ticket.Accept, ticket.CommitSolution},
		"completed": {ticket.Close}, "terminated": {ticket.Terminate}, "revoked": {ticket.Withdraw},
	}[status]
	require.NotNil(t, steps)
	if suspended {
		steps = append(steps, ticket.Suspend)
	}
	for _, action := range steps {
		c := ticket.Command{Action: action, Operator: "wang", Solution: &ticket.Solution{Type: "x", Cause: "原因", Text: "方案"}}
		_, err := b.back.Handle(t.Context(), r, desk.Handling{Ticket: id.Number, Command: c})
		require.NoError(t, err)
	}
	return b.ticket(id.Number)
}

func (b *bench) ticket(number string) ticket.Ticket {
	b.Client.T.Helper()
	found, err := b.back.Ticket(b.Client.T.Context(), "north", number)
	require.NoError(b.Client.T, err)
	return found
}

func (b *bench) timeline(id int64) []ticket.Event {
	b.Client.T.Helper()
	events, err := b.back.Timeline(b.Client.T.Context(), id, 0, 1000)
	require.NoError(b.Client.T, err)
	return events
}

func path(id string) string { return "/v1/exceptions/" + id + "/callback" }

func body(change map[string]any) map[string]any {
	all := map[string]any{"externalSystem": "JIRA", "externalIssueId": "RECON-1234", "status": "RESOLVED"}
	for name, value := range change {
		all[name] = value
	}
	return all
}

func (b *bench) call(id string, change map[string]any, headers ...string) apitest.Answer {
	b.Client.T.Helper()
	return b.Do("POST", path(id), body(change), headers...)
}

func (b *bench) done(a apitest.Answer) {
	b.Client.T.Helper()
	require.Equal(b.Client.T, http.StatusOK, a.Status, string(a.Body))
	require.Equal(b.Client.T, `{"status":"accepted"}`, string(a.Body))
	require.Equal(b.Client.T, "application/json", strings.Split(a.Header.Get("Content-Type"), ";")[0])
}

func (b *bench) refused(a apitest.Answer, status int, code, says string) {
	b.Client.T.Helper()
	var e struct {
		Code, Title, Message string
		Details              map[string]any
	}
	a.Into(status, &e)
	require.Equal(b.Client.T, []string{code, http.StatusText(status)}, []string{e.Code, e.Title}, string(a.Body))
	require.Contains(b.Client.T, e.Message, says)
	require.Equal(b.Client.T, "false", a.Header.Get("X-Idempotency-Replayed"))
}

func TestEveryCallIsInTheDocumentAndTheOtherWayRound(t *testing.T) {
	handler := exception.Handler{}
	require.Equal(t, apitest.LoadContract(t, "exception").Routes(), apitest.Mounted(handler.Family()))
}

func TestCalledAsTheSeedShows(t *testing.T) {
	for _, header := range []string{"X-Idempotency-Key", "Idempotency-Key"} {
		b := setup(t)
		on := b.open("acknowledged")
		sample, err := os.ReadFile("testdata/callback.json")
		require.NoError(t, err)
		call := func(headers ...string) apitest.Answer {
			headers = append([]string{"Authorization", "Bearer " + apitest.Writer, "X-Request-Id", "trace-1"}, headers...)
			return b.Do("POST", path(on.UUID), sample, headers...)
		}
		first := call(header, "k:1")
		b.done(first)
		require.Equal(t, "false", first.Header.Get("X-Idempotency-Replayed"))
		require.Equal(t, "trace-1", first.Header.Get("X-Request-Id"))
		require.Equal(t, "60", first.Header.Get("X-RateLimit-Limit"))
		require.Equal(t, "59", first.Header.Get("X-RateLimit-Remaining"))
		require.Equal(t, strconv.FormatInt(epoch.Unix()+61, 10), first.Header.Get("X-RateLimit-Reset"))
		after := b.ticket(on.Number)
		require.Equal(t, ticket.Completed, after.Status)
		require.Equal(t, "<string>", after.Solution.Text)
		require.Equal(t, "wang", after.Assignee, "passed over when a case is resolved")
		updated := time.Date(2023, 11, 7, 5, 31, 56, 0, time.UTC)
		require.Equal(t, []ticket.Link{{System: "JIRA", Issue: "RECON-1234", Status: ticket.Completed, UpdatedAt: &updated, Digest: after.Links[0].Digest}}, after.Links)
		events := b.timeline(on.ID)
		last := events[len(events)-1]
		require.Equal(t, []string{"closed", "writer", "exception"}, []string{string(last.Type), last.Actor, string(last.Channel)})
		require.Equal(t, "status_update", last.After.Statement.Kind)

		for _, again := range []string{"X-Idempotency-Key", "Idempotency-Key"} {
			replay := call(again, "k:1")
			b.done(replay)
			require.Equal(t, "true", replay.Header.Get("X-Idempotency-Replayed"))
			require.Empty(t, replay.Header.Get("X-RateLimit-Remaining"), "a replay costs nothing")
		}
		require.Equal(t, after, b.ticket(on.Number))
		b.refused(call("X-Idempotency-Key", "k:2", "Idempotency-Key", "k:1"), 400, "MTCH-0015", "Idempotency-Key")
		b.done(call("X-Idempotency-Key", "k:1", "Idempotency-Key", "k:1"))
		b.refused(b.call(on.UUID, nil, header, "k:1"), 422, "MTCH-0006", "key")
	}
}

// The table of what every status does, as the contract has it.
const moves = `
the ticket is           OPEN  ASSIGNED      PENDING_RESOLUTION  RESOLVED
triggered               200   acknowledged  400                 completed
acknowledged            422   200           400                 completed
resolved                400   422           200                 completed
completed               422   422           422                 200
terminated              422   422           422                 200
revoked                 422   422           422                 200
suspended_triggered     200   422           400                 completed
suspended_acknowledged  422   200           400                 completed
suspended_resolved      400   422           200                 completed
`

func TestEveryStatusOfEveryTicket(t *testing.T) {
	b := setup(t)
	lines := strings.Split(strings.TrimSpace(moves), "\n")
	words := strings.Fields(lines[0])[3:]
	require.Len(t, words, 4)
	for n, line := range lines[1:] {
		cells := strings.Fields(line)
		for i, want := range cells[1:] {
			t.Run(cells[0]+"/"+words[i], func(t *testing.T) {
				b := b.on(t)
				on := b.open(strings.ReplaceAll(cells[0], "_", " "))
				answer := b.call(on.Number, map[string]any{"externalSystem": fmt.Sprint("S", n), "status": words[i], "assignee": "zhang"})
				after := b.ticket(on.Number)
				switch want {
				case "400", "422":
					status, _ := strconv.Atoi(want)
					code := map[string]string{"400": "MTCH-0001", "422": "MTCH-0503"}[want]
					b.refused(answer, status, code, "ticket")
					require.Equal(t, on, after, "a refused call changes nothing")
				case "200":
					b.done(answer)
					require.Equal(t, on.Phase(), after.Phase())
					require.Len(t, after.Links, 1)
				default:
					b.done(answer)
					require.Equal(t, want, after.Phase())
					require.Len(t, after.Links, 1)
				}
			})
		}
	}
}

func TestAssignedNeedsAnAssignee(t *testing.T) {
	b := setup(t)
	on := b.open("triggered")
	b.refused(b.call(on.Number, map[string]any{"status": "ASSIGNED"}), 400, "MTCH-0001", "assignee: is required")
	b.refused(b.call(on.Number, map[string]any{"status": "ASSIGNED", "assignee": " \t"}), 400, "MTCH-0001", "assignee: is required")
	b.done(b.call(on.Number, map[string]any{"status": "ASSIGNED", "assignee": " 张三 "}))
	require.Equal(t, "张三", b.ticket(on.Number).Assignee)
	b.done(b.call(on.Number, map[string]any{"status": "ASSIGNED", "assignee": "李四"}))
	require.Equal(t, "李四", b.ticket(on.Number).Assignee)
	b.done(b.call(on.Number, map[string]any{"status": "ASSIGNED"}))
	require.Equal(t, "李四", b.ticket(on.Number).Assignee)
}

func TestALateCallbackIsTakenAndChangesNothing(t *testing.T) {
	b := setup(t)
	on := b.open("triggered")
	b.done(b.call(on.Number, map[string]any{"status": "ASSIGNED", "assignee": "a", "updatedAt": "2026-01-02T03:00:00.5+08:00"}))
	before := b.ticket(on.Number)
	require.Equal(t, time.UTC, before.Links[0].UpdatedAt.Location())
	for _, status := range []string{"OPEN", "PENDING_RESOLUTION", "RESOLVED"} {
		b.done(b.call(on.Number, map[string]any{"status": status, "updatedAt": "2026-01-01T19:00:00.4Z"}))
		events := b.timeline(on.ID)
		require.Equal(t, ticket.Stale, events[len(events)-1].Type)
		after := b.ticket(on.Number)
		require.Equal(t, before.Phase(), after.Phase())
		require.Equal(t, before.Links, after.Links)
	}
	b.done(b.call(on.Number, map[string]any{"updatedAt": "2026-01-01T19:00:00.5Z"}))
	require.Equal(t, "Resolved via JIRA callback", b.ticket(on.Number).Solution.Text)
}

func TestAnEndedTicketStillTakesWhatASystemKnows(t *testing.T) {
	b := setup(t)
	on := b.open("terminated")
	b.done(b.call(on.Number, map[string]any{"assignee": "x", "dueAt": "2026-01-01T00:00:00Z", "externalIssueId": "A"}))
	after := b.ticket(on.Number)
	require.Equal(t, ticket.Terminated, after.Status)
	require.Empty(t, after.Assignee)
	require.Equal(t, "A", after.Links[0].Issue)
	require.Nil(t, after.Links[0].DueAt)
}

func TestLinksAreShownWithTheIssue(t *testing.T) {
	b := setup(t)
	on := b.open("triggered")
	require.NotContains(t, string(b.Do("GET", "/api/issue/"+on.Number, nil).Body), "links")
	b.done(b.call(on.Number, map[string]any{"externalSystem": " jira ", "externalIssueId": " RECON-1234 ", "status": " assigned ", "assignee": "a",
		"dueAt": "2026-02-01T08:00:00+08:00", "updatedAt": "2026-01-02T03:04:05Z"}))
	got := b.Do("GET", "/api/issue/"+on.Number, nil).Body
	require.True(t, bytes.HasSuffix(got, []byte(
		`"links":[{"system":"JIRA","issue":"RECON-1234","phase":"acknowledged","due_at":"2026-02-01T00:00:00Z","updated_at":"2026-01-02T03:04:05Z"}]}`)), "%s", got)
	var page struct {
		Result struct{ Items []json.RawMessage }
	}
	b.Do("GET", "/api/issue/"+on.Number+"/timeline", nil).Into(200, &page)
	require.Len(t, page.Result.Items, 2)
}

func TestASystemHasItsMinute(t *testing.T) {
	b := setup(t)
	on := b.open("triggered")
	say := func(b *bench, system string, headers ...string) apitest.Answer {
		return b.call(on.Number, map[string]any{"externalSystem": system, "status": "OPEN", "updatedAt": b.clock.Format(time.RFC3339Nano)}, headers...)
	}
	first := say(b, "jira", "X-Idempotency-Key", "first")
	b.done(first)
	began := *b.clock
	b.refused(b.call(on.Number, map[string]any{"status": "nonsense"}), 400, "MTCH-0001", "status") // costs nothing
	b.refused(b.call("IM000000000000000000000000", nil), 404, "MTCH-0501", "no such")
	for n := range limit - 1 {
		*b.clock = b.clock.Add(100 * time.Millisecond)
		answer := say(b, "JIRA")
		b.done(answer)
		require.Equal(t, strconv.Itoa(limit-2-n), answer.Header.Get("X-RateLimit-Remaining"))
	}
	before := b.ticket(on.Number)
	over := say(b, "Jira", "X-Idempotency-Key", "over")
	b.refused(over, 429, "MTCH-0506", "at most 60 callbacks a minute")
	reset := began.Add(time.Minute).Unix() + 1
	require.Equal(t, "55", over.Header.Get("Retry-After"), "54.1 seconds")
	require.Equal(t, strconv.FormatInt(reset, 10), over.Header.Get("X-RateLimit-Reset"))
	require.Equal(t, "0", over.Header.Get("X-RateLimit-Remaining"))
	*b.clock = b.clock.Add(200 * time.Millisecond)
	require.Equal(t, "54", say(b, "JIRA").Header.Get("Retry-After"), "53.9 seconds, which is not 55 because two seconds begin meanwhile")
	require.Equal(t, before, b.ticket(on.Number))
	require.Equal(t, map[string]int{"north\nexception:JIRA": limit + 2}, b.budget.used)

	replay := b.Do("POST", path(on.Number), body(map[string]any{"externalSystem": "jira", "status": "OPEN", "updatedAt": began.Format(time.RFC3339Nano)}),
		"X-Idempotency-Key", "first")
	b.done(replay)
	require.Equal(t, "true", replay.Header.Get("X-Idempotency-Replayed"), "a replay is free")
	b.done(say(b, "SERVICENOW"))

	*b.clock = began.Add(time.Minute)
	b.done(say(b, "JIRA", "X-Idempotency-Key", "over"))
}
