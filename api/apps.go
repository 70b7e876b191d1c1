// Package api is the front desk: the HTTP server that all families share, who is calling, idempotency, limits and health.
package api

import (
	"context"

	"signalbox/desk"
)

// Apps finds callers by their credentials. Every failure to find an enabled app with a secret that is valid now is an Unauthorized refusal;
// any other error means that it cannot be told.
type Apps interface {
	// BySecret finds the app that has this secret.
	BySecret(ctx context.Context, secret string) (desk.App, error)
	// ByCode finds an app by its code and checks the secret.
	ByCode(ctx context.Context, code, secret string) (desk.App, error)
	// Secrets finds an app by its code and gives the plain secrets that are valid now, for checking a signature. Unauthorized as well when
	// no readable copy of a secret is kept.
	Secrets(ctx context.Context, code string) (desk.App, []string, error)
}
