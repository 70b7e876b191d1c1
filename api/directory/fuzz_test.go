package directory_test

import (
	"log/slog"
	"testing"
	"time"

	"signalbox/api"
	"signalbox/api/apitest"
	"signalbox/api/directory"
)

// FuzzCalls: whatever is sent to any call of the directory, it is answered or refused.
func FuzzCalls(f *testing.F) {
	const whole = `{"name":"a","email":"a@example.com","language":"en","time_zone":"UTC","active":true,"manager":"ada","chats":[{"network":"slack","address":"x"}],
		"members":[{"person":"ada"}],"add":[{"person":"ada"}],"remove":[{"group":"g"}],"persons":[{"id":"x","name":"y"}],"person":"ada","from":"2026-12-01","to":"2026-12-02T00:00:00Z","deputy":"bob","services":["s"],"operator":"ada"}`
	apitest.Fuzz(f, func(t testing.TB) apitest.Stand {
		back := apitest.NewBackend(t, nil)
		handler := &directory.Handler{Desk: back, People: back, Now: time.Now}
		server := api.New(api.Config{}, apitest.NewApps(), nil, slog.New(slog.DiscardHandler), handler.Family())
		client := apitest.Client{T: t, App: server.App(), Secret: apitest.Boss}
		for _, path := range []string{"/api/person/ada", "/api/person/bob", "/api/group/ada"} {
			client.Do("PUT", path, `{}`).Into(200, new(any))
		}
		return apitest.Stand{Server: server, Known: map[string]string{"id": "ada"}}
	}, whole, `{"members":[{"group":"ada"},{}]}`, `{"time_zone":"../../etc/passwd","email":"@"}`, `{"from":"9999-12-31","to":"0001-01-01"}`, `{"persons":[{}]}`)
}
