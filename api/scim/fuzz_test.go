package scim_test

import (
	"log/slog"
	"testing"

	"signalbox/api"
	"signalbox/api/apitest"
	"signalbox/api/scim"
)

// FuzzCalls: whatever is sent to any call of SCIM, it is answered or refused.
func FuzzCalls(f *testing.F) {
	apitest.Fuzz(f, func(t testing.TB) apitest.Stand {
		back := apitest.NewBackend(t, nil)
		handler := &scim.Handler{Desk: back, People: back}
		server := api.New(api.Config{}, apitest.NewApps(), nil, slog.New(slog.DiscardHandler), handler.Family())
		var made struct{ ID string }
		apitest.Client{T: t, App: server.App(), Secret: apitest.Boss}.Do("POST", "/scim/v2/Users", barbara).Into(201, &made)
		return apitest.Stand{Server: server, Known: map[string]string{"id": made.ID}}
	}, barbara, patchOf+`[{"op":"add","path":"emails[type eq \"work\"].value","value":"x"},{"op":"remove","path":"members[value eq \"y\"]"},{"op":"replace","value":{"active":"False"}}]}`,
		`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"g","members":[{"value":"x"}]}`)
}
