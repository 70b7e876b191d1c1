package e2e

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/api"
	"signalbox/api/exception"
	"signalbox/api/issue"
	"signalbox/desk"
	"signalbox/store"
	"signalbox/store/postgrestest"
	"signalbox/workflows"
)

// frontDesk is an API process: it has nothing in common with another but the database and Temporal.
func frontDesk(t *testing.T, dsn string, key []byte, engine *workflows.Engine, limit int) (address string, d *desk.Desk) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	s, err := store.Open(t.Context(), dsn, store.Options{MasterKey: key, Log: log})
	require.NoError(t, err)
	_, err = s.Migrate(t.Context())
	require.NoError(t, err)
	require.NoError(t, s.EnsureApp(t.Context(), "jira", "jira-secret", "north", []desk.Scope{desk.Write}))
	d = desk.New(s.Ledger(), engine, desk.Options{Log: log})
	exceptions := exception.Handler{Desk: d, Budget: s, Limit: limit, Now: time.Now}
	issues := issue.Handler{Desk: d, Tickets: s, Services: s, Addresses: s}
	server := api.New(api.Config{}, s, nil, log, issues.Family(), exceptions.Family())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		require.NoError(t, server.App().Shutdown())
		require.NoError(t, <-served)
		require.NoError(t, s.Close())
	})
	return "http://" + l.Addr().String(), d
}

func TestAnExternalSystemCallsTwoProcesses(t *testing.T) {
	t.Parallel()
	c, _, namespace := temporalServer(t)
	dsn := postgrestest.Start(t)
	key := make([]byte, 32)
	_, err := rand.Read(key)
	require.NoError(t, err)
	engine := &workflows.Engine{Client: c, Namespace: namespace}
	const limit = 8
	first, d := frontDesk(t, dsn, key, engine, limit)
	second, _ := frontDesk(t, dsn, key, engine, limit)
	startTicketWorker(t, c, d)

	send := func(method, url string, body any, headers ...string) (int, http.Header, string) {
		t.Helper()
		raw, err := json.Marshal(body)
		require.NoError(t, err)
		r, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(raw))
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer jira-secret")
		r.Header.Set("Content-Type", "application/json")
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		response, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		defer response.Body.Close()
		answer, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return response.StatusCode, response.Header, string(answer)
	}
	status, _, answer := send("POST", first+"/api/issue", map[string]any{"origin": "customs", "title": "异常"})
	require.Equal(t, 200, status, answer)
	var opened struct{ Result string }
	require.NoError(t, json.Unmarshal([]byte(answer), &opened))

	call := func(process, status string, minute int, headers ...string) (int, http.Header, string) {
		t.Helper()
		return send("POST", process+"/v1/exceptions/"+opened.Result+"/callback", map[string]any{
			"externalSystem": "JIRA", "externalIssueId": "RECON-1234", "status": status, "assignee": "zhang", "resolutionNotes": "更正",
			"updatedAt": fmt.Sprintf("2026-01-02T03:%02d:00Z", minute),
		}, headers...)
	}
	expect := func(want int, says string) func(int, http.Header, string) http.Header {
		return func(status int, h http.Header, body string) http.Header {
			t.Helper()
			require.Equal(t, want, status, body)
			require.Contains(t, body, says)
			return h
		}
	}
	taken := expect(200, `{"status":"accepted"}`)
	phase := func() (string, []string) {
		t.Helper()
		_, _, body := send("GET", second+"/api/issue/"+opened.Result, nil)
		var v struct{ Phase string }
		require.NoError(t, json.Unmarshal([]byte(body), &v))
		_, _, body = send("GET", second+"/api/issue/"+opened.Result+"/timeline", nil)
		var page struct {
			Result struct{ Items []struct{ Type string } }
		}
		require.NoError(t, json.Unmarshal([]byte(body), &page))
		var types []string
		for _, item := range page.Result.Items {
			types = append(types, item.Type)
		}
		return v.Phase, types
	}

	taken(call(first, "ASSIGNED", 10, "X-Idempotency-Key", "a"))
	replay := taken(call(second, "ASSIGNED", 10, "Idempotency-Key", "a"))
	require.Equal(t, "true", replay.Get("X-Idempotency-Replayed"))
	taken(call(second, "RESOLVED", 9)) // too late
	expect(422, "MTCH-0503")(call(first, "OPEN", 11))
	taken(call(second, "RESOLVED", 12, "X-Idempotency-Key", "b"))
	got, types := phase()
	require.Equal(t, "completed", got)
	require.Equal(t, []string{"opened", "accepted", "stale", "closed"}, types)

	// The ticket has ended: what the system still knows begins generations of their own, and nothing but that.
	taken(call(first, "RESOLVED", 13))
	taken(call(second, "RESOLVED", 14))
	taken(call(first, "RESOLVED", 14)) // word for word the same
	replay = taken(call(first, "RESOLVED", 12, "X-Idempotency-Key", "b"))
	require.Equal(t, "true", replay.Get("X-Idempotency-Replayed"))
	got, types = phase()
	require.Equal(t, "completed", got)
	require.Equal(t, []string{"opened", "accepted", "stale", "closed", "reported", "reported"}, types)

	// Seven were counted, whichever process took them.
	require.Equal(t, "0", taken(call(second, "RESOLVED", 15)).Get("X-RateLimit-Remaining"))
	for _, process := range []string{first, second} {
		require.NotEmpty(t, expect(429, "MTCH-0506")(call(process, "RESOLVED", 16)).Get("Retry-After"))
	}
}
