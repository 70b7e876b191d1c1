package exception_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/api/apitest"
	"signalbox/desk"
	"signalbox/ticket"
)

func TestBodiesThatAreWrong(t *testing.T) {
	b := setup(t)
	on := b.open("acknowledged")
	long := strings.Repeat("长", 256)
	with := func(name string, value any) string {
		raw, err := json.Marshal(body(map[string]any{name: value}))
		require.NoError(t, err)
		return string(raw)
	}
	without := func(name string) string {
		all := body(nil)
		delete(all, name)
		raw, err := json.Marshal(all)
		require.NoError(t, err)
		return string(raw)
	}
	cases := map[string]struct{ body, says string }{
		"no body":             {"", "body"},
		"cut off":             {`{"externalSystem":"JIRA"`, "body"},
		"text after it":       {with("x", 1) + "x", "body"},
		"an array":            {`[]`, "body: must be an object"},
		"null":                {`null`, "externalSystem: is required"},
		"bad UTF-8":           {strings.Replace(with("x", 1), "JIRA", "\xff", 1), "body: must be valid UTF-8"},
		"deep":                {`{"payload":{"a":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}}`, "body"},
		"several":             {`{}`, "externalIssueId: is required"},
		"unknown status":      {with("status", "Done"), "status: must be OPEN, ASSIGNED, PENDING_RESOLUTION or RESOLVED"},
		"status a number":     {with("status", 1), "status: must be a string"},
		"status far too long": {with("status", strings.Repeat("x", 100_000)), "status"},
		"control in system":   {with("externalSystem", "a\u0007b"), "externalSystem: must not contain control characters"},
		"NUL in notes":        {with("resolutionNotes", "a\x00"), "resolutionNotes"},
		"long notes":          {with("resolutionNotes", strings.Repeat("长", 10_001)), "resolutionNotes: must have at most 10000 characters"},
		"notes an object":     {with("resolutionNotes", map[string]any{}), "resolutionNotes: must be a string"},
		"payload an array":    {with("payload", []any{}), "payload: must be an object"},
		"payload a string":    {with("payload", "{}"), "payload: must be an object"},
		"year past its zone":  {with("dueAt", "9999-12-31T23:59:59-01:00"), "dueAt: must be within the years"},
		"year before it":      {with("updatedAt", "0000-01-01T00:00:00+01:00"), "updatedAt: must be within the years"},
		"time in the payload": {with("payload", map[string]any{"due_at": "2026-01-01"}), "payload.due_at: must be a time like"},
		"time in it, other":   {with("payload", map[string]any{"updated_at": " ", "updatedAt": "x"}), "payload.updatedAt: must be a time like"},
		"blank all over":      {with("externalSystem", " "), "externalSystem: is required"},
		"long by the payload": {with("payload", map[string]any{"assignee": long}), "assignee: must have at most 255 characters"},
	}
	for _, name := range []string{"externalSystem", "externalIssueId", "status"} {
		cases[name+" missing"] = struct{ body, says string }{without(name), name + ": is required"}
		cases[name+" null"] = struct{ body, says string }{with(name, nil), name + ": is required"}
		cases[name+" empty"] = struct{ body, says string }{strings.Replace(with(name, ""), "{", `{"payload":{"status":"OPEN","external_system":"x","external_issue_id":"y"},`, 1), name + ": is required"}
	}
	for _, name := range []string{"externalSystem", "externalIssueId", "callbackType", "assignee"} {
		cases[name+" long"] = struct{ body, says string }{with(name, long), name + ": must have at most 255 characters"}
		cases[name+" a number"] = struct{ body, says string }{with(name, 7), name + ": must be a string"}
	}
	for _, name := range []string{"dueAt", "updatedAt"} {
		for _, at := range []string{"", " ", "2026-01-01", "2026-01-01T00:00:00", "2026-01-01 00:00:00Z", "2026-01-01t00:00:00Z", "2026-01-01T00:00:00z",
			"2026-01-01T00:00:00+0300", "2026-01-01T0:00:00Z", "2026-01-01T00:00:00,5Z", "2026-02-30T00:00:00Z", "2026-01-01T24:00:00Z", "1767225600"} {
			cases[name+" "+at] = struct{ body, says string }{with(name, at), name + ": must be a time like 2023-11-07T05:31:56Z (RFC 3339)"}
		}
		cases[name+" a number"] = struct{ body, says string }{with(name, 1767225600), name + ": must be a string"}
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := b.on(t)
			b.refused(b.Do("POST", path(on.Number), c.body), 400, "MTCH-0001", c.says)
		})
	}
	var e struct{ Details struct{ Field string } }
	b.Do("POST", path(on.Number), with("status", "Done")).Into(400, &e)
	require.Equal(t, "status", e.Details.Field)
	b.refused(b.Do("POST", path(on.Number), with("resolutionNotes", strings.Repeat("x", 1<<20))), 413, "MTCH-0010", "too large")
	for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "application/jsonx", "application/json; charset", "/"} {
		b.refused(b.Do("POST", path(on.Number), with("x", 1), "Content-Type", kind), 400, "MTCH-0001", "Content-Type: must be application/json")
	}
	require.Equal(t, on, b.ticket(on.Number), "a refused call touches nothing")
	require.Empty(t, b.budget.used)

	for _, kind := range []string{"", "Application/JSON;charset=UTF-8"} {
		b.done(b.Do("POST", path(on.Number), with("status", "assigned"), "Content-Type", kind))
	}
	full := strings.Repeat("长", 255)
	b.done(b.call(on.Number, map[string]any{"externalSystem": " " + full + " ", "externalIssueId": full, "callbackType": full, "assignee": full,
		"resolutionNotes": strings.Repeat("长", 10_000), "dueAt": nil, "updatedAt": nil, "payload": nil, "unknown": []int{1}}))
	require.Equal(t, strings.Repeat("长", 10_000), b.ticket(on.Number).Solution.Text)
}

func TestThePayloadStandsInForWhatIsBlank(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	all := map[string]any{
		"external_system": "snow", "externalSystem": "no", "external_issue_id": "INC1", "externalIssueID": "no", "status": "assigned",
		"resolution_notes": "n", "assignee": " zhang ", "due_at": "2026-01-02T03:04:05Z", "updated_at": "2026-01-02T03:04:05Z",
	}
	other := map[string]any{
		"external_system": " ", "externalSystem": "snow", "external_issue_id": 7, "externalIssueID": "INC1", "status": "ASSIGNED",
		"resolutionNotes": "n", "assignee": "zhang", "dueAt": "2026-01-02T03:04:05Z", "updatedAt": "2026-01-02T03:04:05Z",
	}
	want := ticket.Statement{System: "SNOW", Issue: "INC1", Status: ticket.Acknowledged, Notes: "n", Assignee: "zhang", DueAt: &at, UpdatedAt: &at}
	blank := map[string]any{"externalSystem": " ", "externalIssueId": "\t", "status": "\n", "callbackType": "", "resolutionNotes": " ", "assignee": nil}
	said := func(b *bench, change map[string]any) ticket.Statement {
		on := b.open("triggered")
		b.done(b.call(on.Number, change))
		events := b.timeline(on.ID)
		return *events[len(events)-1].After.Statement
	}
	b := setup(t)
	for _, payload := range []map[string]any{all, other} {
		change := body(blank)
		change["payload"] = payload
		require.Equal(t, want, said(b, change))
	}
	change := body(blank)
	change["payload"], change["callbackType"] = all, "Jira"
	got := said(b, change)
	require.Equal(t, []string{"JIRA", "Jira"}, []string{got.System, got.Kind}, "the type comes before the payload")

	// What is given counts, and what the payload means by such a name is the system's own affair.
	got = said(b, map[string]any{"status": "OPEN", "payload": map[string]any{
		"status": map[string]any{"name": "Done"}, "assignee": map[string]any{"displayName": "x"}, "due_at": 1767225600, "updated_at": nil, "external_system": "x",
		"big": json.RawMessage("1e999"),
	}})
	require.Equal(t, ticket.Statement{System: "JIRA", Issue: "RECON-1234", Status: ticket.Triggered}, got)
}

func TestIDs(t *testing.T) {
	b := setup(t)
	on := b.open("triggered")
	plain := strings.ReplaceAll(on.UUID, "-", "")
	for _, id := range []string{on.Number, on.UUID, strings.ToUpper(on.UUID), plain, "%7B" + on.UUID + "%7D", "urn:uuid:" + on.UUID} {
		b.done(b.call(id, map[string]any{"status": "OPEN", "updatedAt": b.clock.Format(time.RFC3339)}))
	}
	for _, id := range []string{"x", "1", plain[1:], "IM1", "im" + on.Number[2:], on.Number + "x", "REQ2026010200001", "00000000-0000-0000-0000-000000000000",
		"%ff", "%00", "a%2Fb", strings.Repeat("1", 300), "%E4%BD%A0"} {
		b.refused(b.call(id, nil), 400, "MTCH-0001", "exceptionId")
	}
	for _, id := range []string{"IM000000000000000000000000", "REQ20260102000001", "CRQ20260102000001", "INC20260102000001", "PBI202601021000001",
		"12345678-1234-1234-1234-123456789012"} {
		b.refused(b.call(id, nil), 404, "MTCH-0501", "no such")
	}
}

func TestKeysThatAreWrong(t *testing.T) {
	b := setup(t)
	on := b.open("triggered")
	for _, header := range []string{"X-Idempotency-Key", "Idempotency-Key"} {
		for _, key := range []string{"a b", "a.b", "a/b", "a@b", "é", strings.Repeat("a", 129)} {
			b.refused(b.call("x", nil, header, key), 400, "MTCH-0015", header)
			b.refused(b.call(on.Number, nil, header, key), 400, "MTCH-0015", header)
		}
	}
	require.Equal(t, on, b.ticket(on.Number))

	// After a failure the key can be used again, also for another body.
	b.refused(b.call(on.Number, map[string]any{"status": "PENDING_RESOLUTION"}, "X-Idempotency-Key", "k"), 400, "MTCH-0001", "status")
	b.done(b.call(on.Number, nil, "X-Idempotency-Key", "k"))
	b.refused(b.call(on.Number, map[string]any{"status": "OPEN"}, "X-Idempotency-Key", "k2"), 422, "MTCH-0503", "status")
	b.done(b.call(on.Number, nil, "X-Idempotency-Key", strings.Repeat("a", 128)))
}

func TestWhoMayCall(t *testing.T) {
	b := setup(t)
	on := b.open("triggered")
	as := func(secret string) apitest.Answer {
		other := *b
		other.Client = b.As(secret)
		return other.call(on.Number, nil, "X-Idempotency-Key", "k")
	}
	for _, secret := range []string{"", "nonsense", apitest.Gone} {
		answer := as(secret)
		b.refused(answer, 401, "MTCH-0003", "credential")
		require.NotEmpty(t, answer.Header.Get("WWW-Authenticate"))
	}
	b.refused(b.call(on.Number, nil, "Authorization", "Basic "+apitest.Writer), 401, "MTCH-0003", "credential")
	forbidden := as(apitest.Reader)
	b.refused(forbidden, 403, "MTCH-0004", "scope write")
	require.Contains(t, forbidden.Header.Get("Content-Type"), "application/json")
	b.refused(as(apitest.Stranger), 404, "MTCH-0501", "no such")
	require.Equal(t, on, b.ticket(on.Number), "a refused call touches nothing")
	require.Empty(t, b.budget.used)
	for n, credential := range []string{"Bearer ", "bearer ", "BEARER  ", "Access_Key "} {
		b.done(b.call(on.Number, map[string]any{"externalIssueId": fmt.Sprint(n)}, "Authorization", credential+apitest.Writer))
	}
	b.done(b.call(on.Number, map[string]any{"externalIssueId": "t"}, "Authorization", "", "X-Auth-Token", apitest.Boss))
}

func TestNothingBehindAnswers(t *testing.T) {
	b := setup(t)
	on := b.open("triggered")
	later := ticket.Refuse(ticket.Unavailable, "come back later")
	b.back.Err = fmt.Errorf("read: %w", later)
	answer := b.call(on.Number, nil, "X-Idempotency-Key", "k")
	b.refused(answer, 503, "MTCH-0008", "later")
	require.NotEmpty(t, answer.Header.Get("Retry-After"))
	require.NotContains(t, string(answer.Body), "read:")
	b.back.Err = errors.New("password=hunter2")
	answer = b.call(on.Number, nil, "X-Idempotency-Key", "k")
	b.refused(answer, 500, "MTCH-0002", "internal error")
	require.NotContains(t, string(answer.Body), "hunter2")
	b.back.Err = nil
	for i, err := range []error{fmt.Errorf("read: %w", later), errors.New("password=hunter2")} {
		// The desk cannot tell whether it may be done, so it says that it cannot do it now, whatever kept the budget from saying so.
		b.budget.err = err
		answer = b.call(on.Number, nil, "X-Idempotency-Key", fmt.Sprint("budget-", i))
		b.refused(answer, 503, "MTCH-0008", "cannot do this now")
		require.NotEmpty(t, answer.Header.Get("Retry-After"))
		require.NotContains(t, string(answer.Body), err.Error())
	}
	b.budget.err = nil
	entries, _, err := b.back.Audit(t.Context(), "north", desk.EntryFilter{Outcome: desk.Refused})
	require.NoError(t, err)
	require.Len(t, entries, 2, "nothing was begun")
	for _, e := range entries {
		require.Equal(t, []any{503, ticket.Unavailable}, []any{e.Status, e.Code}, "%+v", e)
		require.NotContains(t, e.Why, "hunter2")
	}
	b.back.Err = ticket.Refuse(ticket.Busy, "the first request with this key is still running")
	busy := b.call(on.Number, nil, "X-Idempotency-Key", "k")
	b.refused(busy, 409, "MTCH-0018", "still running")
	require.Equal(t, "1", busy.Header.Get("Retry-After"))
	b.back.Err = nil
	require.Equal(t, on, b.ticket(on.Number))
	b.done(b.call(on.Number, nil, "X-Idempotency-Key", "k"))
}

func TestWrongPathsAndMethods(t *testing.T) {
	b := setup(t)
	on := b.open("triggered")
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"GET", path(on.Number), 405}, {"PUT", path(on.Number), 405}, {"DELETE", path(on.Number), 405}, {"BREW", path(on.Number), 405},
		{"GET", "/v1/exceptions", 404}, {"POST", "/v1/exceptions/" + on.Number, 404}, {"POST", "/v1/exceptions//callback", 404},
		{"POST", path(on.Number) + "/more", 404}, {"POST", "/v1/exceptions/bulk/assign", 404},
	} {
		b.refused(b.Do(c.method, c.path, nil), c.status, "MTCH-0005", "")
	}
	b.done(b.Do("POST", path(on.Number)+"/", body(nil)))
	answer := b.call(on.Number, nil, "X-Request-Id", "not safe\t")
	require.NotContains(t, answer.Header.Get("X-Request-Id"), "not safe")
	require.Equal(t, "r-1", b.call("x", nil, "X-Request-Id", "r-1").Header.Get("X-Request-Id"))
}

// FuzzCallback: whatever is sent, it is taken or refused, and the ticket goes where the rules allow.
func FuzzCallback(f *testing.F) {
	for _, seed := range []string{
		`{"externalSystem":"JIRA","externalIssueId":"RECON-1234","status":"RESOLVED","callbackType":"status_update","resolutionNotes":"<string>","assignee":"<string>","dueAt":"2023-11-07T05:31:56Z","updatedAt":"2023-11-07T05:31:56Z","payload":{}}`,
		`{"externalSystem":" ","externalIssueId":"\u2028","status":"assigned","payload":{"external_system":"ß","assignee":"x","due_at":"0000-01-01T00:00:00+23:59"}}`,
		`{"externalSystem":"ŉ","externalIssueId":"a","status":"OPEN","updatedAt":"9999-12-31T23:59:59-23:59"}`,
		`{"externalSystem":"a","externalIssueId":"a","status":"OPEN","payload":{"status":1e999,"due_at":"\ud800"}}`,
		`[]`, `{"payload":null}`, "\xff", "",
	} {
		f.Add([]byte(seed))
	}
	b := setup(f)
	b.Client.Contract = nil // its checks are made for requests that a person wrote
	on := b.open("triggered")
	f.Fuzz(func(t *testing.T, raw []byte) {
		other := *b
		other.Client = b.Client.On(t)
		*b.clock = b.clock.Add(time.Hour)
		answer := other.Do("POST", path(on.Number), raw)
		require.Contains(t, []int{200, 400, 413, 422}, answer.Status, string(answer.Body))
		if answer.Status == 200 {
			other.done(answer)
			_, err := json.Marshal(other.ticket(on.Number))
			require.NoError(t, err)
			return
		}
		var e struct{ Code string }
		require.NoError(t, json.Unmarshal(answer.Body, &e))
		require.Regexp(t, `^MTCH-(0001|0010|0503)$`, e.Code)
	})
}

// TestAForeignClockHasBounds: one callback from the end of time would make all later ones stale. What lies ahead by no more than the setting is taken.
func TestAForeignClockHasBounds(t *testing.T) {
	type object = map[string]any
	b := setup(t)
	on := b.open("triggered")
	said := func(at time.Time) object {
		return object{"externalSystem": "JIRA", "externalIssueId": "J-1", "status": "ASSIGNED", "assignee": "li", "updatedAt": at.Format(time.RFC3339)}
	}
	for _, at := range []time.Time{time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), epoch.Add(5*time.Minute + time.Second)} {
		b.refused(b.call(on.UUID, said(at)), 400, "MTCH-0001", "updatedAt: is more than 5m0s ahead of our clock")
		payload := said(at)
		payload["payload"] = object{"updated_at": payload["updatedAt"]}
		delete(payload, "updatedAt")
		b.refused(b.call(on.UUID, payload), 400, "MTCH-0001", "payload.updated_at: is more than 5m0s ahead of our clock")
	}
	require.Equal(t, ticket.Triggered, b.ticket(on.Number).Status)
	b.done(b.call(on.UUID, said(epoch.Add(5*time.Minute))))
	require.Equal(t, ticket.Acknowledged, b.ticket(on.Number).Status, "an honest one is no longer stale")
}
