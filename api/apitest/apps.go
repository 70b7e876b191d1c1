package apitest

import (
	"context"

	"signalbox/desk"
	"signalbox/ticket"
)

// Apps are callers by their secrets; an app's code is its secret without "-secret".
type Apps map[string]desk.App

// The apps that tests call with, by secret.
const (
	Writer   = "writer-secret"   // tenant "north": read and write
	Reader   = "reader-secret"   // tenant "north": read
	Boss     = "boss-secret"     // tenant "north": admin
	Stranger = "stranger-secret" // tenant "south": read and write
	Gone     = "gone-secret"     // tenant "north": disabled
)

// NewApps gives the apps above.
func NewApps() Apps {
	return Apps{
		Writer:   {Code: "writer", Tenant: "north", Scopes: []desk.Scope{desk.Read, desk.Write}},
		Reader:   {Code: "reader", Tenant: "north", Scopes: []desk.Scope{desk.Read}},
		Boss:     {Code: "boss", Tenant: "north", Scopes: []desk.Scope{desk.Admin}},
		Stranger: {Code: "stranger", Tenant: "south", Scopes: []desk.Scope{desk.Read, desk.Write}},
		Gone:     {Code: "gone", Tenant: "north", Scopes: []desk.Scope{desk.Write}, Disabled: true},
	}
}

var errUnknown = ticket.Refuse(ticket.Unauthorized, "the credential is not valid")

// BySecret implements api.Apps.
func (a Apps) BySecret(_ context.Context, secret string) (desk.App, error) {
	app, ok := a[secret]
	if !ok || app.Disabled {
		return desk.App{}, errUnknown
	}
	return app, nil
}

// ByCode implements api.Apps.
func (a Apps) ByCode(ctx context.Context, code, secret string) (desk.App, error) {
	app, err := a.BySecret(ctx, secret)
	if err == nil && app.Code != code {
		err = errUnknown
	}
	return app, err
}

// Secrets implements api.Apps.
func (a Apps) Secrets(_ context.Context, code string) (desk.App, []string, error) {
	for secret, app := range a {
		if app.Code == code && !app.Disabled {
			return app, []string{secret}, nil
		}
	}
	return desk.App{}, nil, errUnknown
}
