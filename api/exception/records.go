// Package exception is the exception family: the callback of seed 004, with which an external system tells what became of a case there.
package exception

import (
	"context"
	"time"
)

// Budget counts what may be done only so often, for all processes together.
type Budget interface {
	// Take counts one use of what is named in the tenant, within a window of time that begins with the first use. ok is false when more
	// than limit have been counted; remaining is how many are left until the window ends at reset.
	Take(ctx context.Context, tenant, name string, limit int, window time.Duration) (remaining int, reset time.Time, ok bool, err error)
}
