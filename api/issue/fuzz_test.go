package issue_test

import (
	"log/slog"
	"testing"

	"signalbox/api"
	"signalbox/api/apitest"
	"signalbox/api/issue"
)

// FuzzCalls: whatever is sent to any call of this family, it is answered or refused.
func FuzzCalls(f *testing.F) {
	apitest.Fuzz(f, func(t testing.TB) apitest.Stand {
		back := apitest.NewBackend(t, nil)
		handler := issue.Handler{Desk: back, Tickets: back, Services: back, Addresses: back}
		server := api.New(api.Config{}, apitest.NewApps(), nil, slog.New(slog.DiscardHandler), handler.Family())
		c := apitest.Client{T: t, App: server.App(), Secret: apitest.Writer}
		made := func(path string, body any) string {
			var v struct{ Result any }
			c.Do("POST", path, body).Into(200, &v)
			if m, ok := v.Result.(map[string]any); ok {
				return m["id"].(string)
			}
			return v.Result.(string)
		}
		number := made("/api/issue", `{"origin":"a","title":"b","relations":[{"type":"t","content":["x"]}]}`)
		return apitest.Stand{Server: server, Known: map[string]string{
			"id": number, "type": "t", "cid": made("/api/issue/"+number+"/conversation", `{"author":"a","content":"b"}`),
			"nid": made("/api/issue/"+number+"/notification", `{"url":"https://hooks.example.com"}`), "did": "x",
		}}
	}, "testdata",
		`{"content":["x","y"]}`, `{"type":"t","content":[]}`, `{"url":"http://[::1]:80/%zz"}`, `{"status":"CLOSED","operator":"a","reason":"b"}`,
		`{"author":"a","content":"b"}`, `{"action":"accept","operator":"a"}`, `{"action":"confirm","operator":"a","parameter":{"virtual_confirm_result":"true","virtual_confirm_comment":"b"}}`,
		`{"action":"commit-solution","operator":"a","node":"solve","parameter":{"mtm_type":"inc_type_p_change_issues","is_service_interrupt":false,"cause":"c","solution":"s"}}`,
		`{"action":"deliver","operator":"a","parameter":{"to":["b"],"reason":"c","fields":{"x":[1,{"y":null}]}}}`, `{"version":1,"operator":"a","nodes":{"a":"b"}}`,
		`{"origin":"a","title":"b","service":"fast_approval","fields":{"title":"t","approver":"a,b"},"state_processors":{"a":["b"]},"opener":"o"}`)
}
