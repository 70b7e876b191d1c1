package audit_test

import (
	"log/slog"
	"testing"

	"signalbox/api"
	"signalbox/api/apitest"
	"signalbox/api/audit"
	"signalbox/desk"
)

// FuzzCalls: whatever is asked of the audit, it is answered or refused.
func FuzzCalls(f *testing.F) {
	apitest.Fuzz(f, func(testing.TB) apitest.Stand {
		handler := &audit.Handler{Reader: &records{entries: []desk.Entry{{ID: "1"}}, next: "more"}}
		return apitest.Stand{Server: api.New(api.Config{}, apitest.NewApps(), nil, slog.New(slog.DiscardHandler), handler.Family())}
	}, `{"app":"writer","operator":"ann","number":"REQ1","outcome":"refused","from":"2026-01-02T00:00:00Z","to":"2026-01-03T00:00:00+08:00","limit":7}`)
}
