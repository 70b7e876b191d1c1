package subscription_test

import (
	"log/slog"
	"testing"

	"signalbox/api"
	"signalbox/api/apitest"
	"signalbox/api/subscription"
)

// FuzzCalls: whatever is sent to any call of lasting subscriptions, it is answered or refused.
func FuzzCalls(f *testing.F) {
	const whole = `{"url":"https://hooks.example.com/a","format":"event","source":"s","topic":"t","type":"y","status":"u","key":"k*","profile":"standard",
		"secret":"whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}`
	apitest.Fuzz(f, func(t testing.TB) apitest.Stand {
		back := apitest.NewBackend(t, nil)
		handler := &subscription.Handler{Desk: back, Subscriptions: back, Deliveries: back}
		server := api.New(api.Config{}, apitest.NewApps(), nil, slog.New(slog.DiscardHandler), handler.Family())
		var v struct{ Result struct{ ID string } }
		apitest.Client{T: t, App: server.App(), Secret: apitest.Writer}.Do("POST", "/api/subscription", whole).Into(200, &v)
		return apitest.Stand{Server: server, Known: map[string]string{"id": v.Result.ID, "did": "msg_000001"}}
	}, whole, `{"url":"http://[::ffff:127.0.0.1%25eth0]:99999/%zz"}`, `{"format":"publish","profile":"once","key":"**"}`, `{"secret":"whsec_"}`, `{"state":"failed","from":"2026-01-01T00:00:00Z","dry_run":true}`)
}
