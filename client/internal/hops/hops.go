// Package hops hands the CDN-Loop header (RFC 8586) of a request that was received on to the calls that it leads to.
package hops

import "context"

// Header is the name of the header.
const Header = "CDN-Loop"

type key struct{}

// With gives a context whose calls carry the values of the header.
func With(ctx context.Context, values []string) context.Context {
	if len(values) == 0 {
		return ctx
	}
	return context.WithValue(ctx, key{}, values)
}

// Of gives what With was told.
func Of(ctx context.Context) []string {
	values, _ := ctx.Value(key{}).([]string)
	return values
}
