package publish_test

import (
	"log/slog"
	"testing"
	"time"

	"signalbox/api"
	"signalbox/api/apitest"
	"signalbox/api/publish"
)

// FuzzCalls: whatever is published, it is taken or refused.
func FuzzCalls(f *testing.F) {
	apitest.Fuzz(f, func(t testing.TB) apitest.Stand {
		back := apitest.NewBackend(t, nil)
		apps := apitest.NewApps()
		handler := &publish.Handler{Desk: back, Stream: back, Apps: apps, Now: time.Now, Open: "north"}
		return apitest.Stand{Server: api.New(api.Config{}, apps, nil, slog.New(slog.DiscardHandler), handler.Family())}
	}, "testdata", `{"event_source":"s","event_topic":"t","event_type":"y","event_status":"u","event_key":null,"changes":["c",1]}`,
		`{"bk_app_code":"writer","bk_app_secret":"writer-secret","event_source":"s","event_topic":"t","event_type":"y","event_status":"u","changes":["c"]}`)
}
