package audit_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/api"
	"signalbox/api/apitest"
	"signalbox/api/audit"
	"signalbox/desk"
	"signalbox/ticket"
)

// records are some entries, and what was asked for.
type records struct {
	tenant  string
	filter  desk.EntryFilter
	entries []desk.Entry
	next    string
	err     error
}

func (r *records) Audit(_ context.Context, tenant string, f desk.EntryFilter) ([]desk.Entry, string, error) {
	r.tenant, r.filter = tenant, f
	return r.entries, r.next, r.err
}

func TestTheAudit(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_901_000, time.UTC)
	r := &records{next: "more", entries: []desk.Entry{
		{ID: "1", At: at, EndedAt: &at, Tenant: "north", App: "writer", Operator: "ann", Address: "203.0.113.9", RequestID: "r", Channel: ticket.ChannelITSM,
			Method: "POST", Path: "/openapi/ticket/approve/", Number: "REQ1", Kind: desk.KindHandle, Outcome: desk.Refused, Status: 200, Code: ticket.Forbidden, Why: "no"},
		{ID: "2", At: at, Outcome: desk.Running},
	}}
	server := api.New(api.Config{}, apitest.NewApps(), nil, nil, (&audit.Handler{Reader: r}).Family())
	client := apitest.Client{T: t, App: server.App(), Secret: apitest.Boss}

	answer := client.Do("GET", "/api/audit?app=writer&operator=ann&number=REQ1&outcome=refused&from=2026-01-02T00:00:00Z&to=2026-01-03T00:00:00Z&limit=7&cursor=c", nil)
	require.Equal(t, 200, answer.Status)
	require.JSONEq(t, `{"success":true,"message":"","result":{"next_cursor":"more","items":[
		{"id":"1","at":"2026-01-02T03:04:05.678901Z","ended_at":"2026-01-02T03:04:05.678901Z","app":"writer","operator":"ann","address":"203.0.113.9","request_id":"r",
			"door":"itsm","method":"POST","path":"/openapi/ticket/approve/","number":"REQ1","outcome":"refused","status":200,"code":"forbidden","why":"no"},
		{"id":"2","at":"2026-01-02T03:04:05.678901Z","ended_at":null,"app":"","operator":"","address":"","request_id":"","door":"","method":"","path":"",
			"number":"","outcome":"running","status":0,"code":"","why":""}]}}`, string(answer.Body))
	require.Equal(t, "north", r.tenant)
	require.Equal(t, desk.EntryFilter{App: "writer", Operator: "ann", Number: "REQ1", Outcome: desk.Refused, From: at.Truncate(24 * time.Hour),
		To: at.Truncate(24 * time.Hour).Add(24 * time.Hour), Limit: 7, Cursor: "c"}, r.filter)

	for _, bad := range []string{"outcome=happened", "limit=0", "limit=201", "from=yesterday", "to=1", "app=a&app=b", "operator=%00"} {
		require.Equal(t, 400, client.Do("GET", "/api/audit?"+bad, nil).Status, bad)
	}
	require.Equal(t, 403, client.As(apitest.Writer).Do("GET", "/api/audit", nil).Status)
	require.Equal(t, 401, client.As("nonsense").Do("GET", "/api/audit", nil).Status)
	require.Equal(t, 405, client.Do("POST", "/api/audit", nil).Status)
	r.err = errors.New("a secret of the database")
	answer = client.Do("GET", "/api/audit", nil)
	require.Equal(t, 500, answer.Status)
	require.NotContains(t, string(answer.Body), "secret")
}
