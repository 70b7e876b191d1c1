// Package houseapi is what the parts of the house's own API share: the envelope of seed 000, lists, and the calls about one subscription.
package houseapi

import (
	"context"
	"net/http"
	"signalbox/api"

	"github.com/gofiber/fiber/v2"
)

// Envelope is around every answer in the house's own style (seed 000) that is not a thing itself. Result is left out where there is nothing
// to tell.
type Envelope struct {
	Success bool   `json:"success"`
	Message string `json:"message"` // empty on success
	Result  any    `json:"result,omitempty"`
}

// Done is what a caller is told when all went well.
func Done(result any) Envelope { return Envelope{Success: true, Result: result} }

// ID is the result of what made something that has an id.
type ID struct {
	ID string `json:"id"`
}

// rotated is the result of replacing a secret, which is told this once.
type rotated struct {
	ID     string `json:"id"`
	Secret string `json:"secret"`
}

// Items is the result of every list; Next is left out on the last page.
type Items[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next_cursor,omitempty"`
}

// Refuse answers a refusal in the envelope of seed 000, with the HTTP status that fits.
func Refuse(c *fiber.Ctx, r api.Refusal) error {
	return api.Respond(c, r.Status, Envelope{Success: false, Message: r.Error.Error()})
}

// Respond answers with the result of a call that only reads.
func Respond(c *fiber.Ctx, result any) error { return api.Respond(c, http.StatusOK, Done(result)) }

// Transact is api.Transact with the result in the envelope.
func Transact(c *fiber.Ctx, d api.Desk, secret bool, effect func(ctx context.Context) (result any, err error)) error {
	return api.Transact(c, d, secret, func(ctx context.Context) (any, error) {
		result, err := effect(ctx)
		return Done(result), err
	})
}
