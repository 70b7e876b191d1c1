package service_test

import (
	"log/slog"
	"testing"
	"time"

	"signalbox/api"
	"signalbox/api/apitest"
	"signalbox/api/service"
)

// FuzzCalls: whatever is sent to any call of the services, published, checked or simulated, it is answered or refused.
func FuzzCalls(f *testing.F) {
	const leave = "../../examples/leave_request.yaml"
	apitest.Fuzz(f, func(t testing.TB) apitest.Stand {
		back := apitest.NewBackend(t, nil)
		handler := service.Handler{Desk: back, Services: back, Now: func() time.Time { return start }}
		server := api.New(api.Config{}, apitest.NewApps(), nil, slog.New(slog.DiscardHandler), handler.Family())
		return apitest.Stand{Server: server, Known: map[string]string{"key": "incident", "version": "1"}}
	}, "testdata", leave, "../../examples/change_two_levels.yaml", "../../examples/incident_auto_remediation.yaml", "../../flow/builtin",
		`{"enabled":false}`,
		`{"service":"incident","opener":"o","start":"2026-01-02T03:04:05Z","script":{"answers":[{"node":"accept","after":"1d","action":"accept","actor":"a"}]}}`,
		`{"definition":"key: a\nname: b\nnodes: [{id: c, type: wait, wait: {after: 1s}, next: c}]","fields":{"x":1e99}}`,
		`{"service":"fast_approval","state_processors":{"approve":["a"]},"script":{"answers":[{"node":"*","action":"approve","actor":"a","comment":"c"}],
			"calls":[{"node":"b","after":"99999999h","status":-1,"body":{"a":[]}}]}}`)
}
