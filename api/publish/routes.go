// Package publish is the publish family: whoever has seen something happen tells us (seed 003), and the stream tells everybody who follows it.
package publish

import (
	"context"
	"net/http"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"signalbox/api"
	"signalbox/api/bkapi"
	"signalbox/api/sdkhmac"
	"signalbox/desk"
	"signalbox/notice"
	"signalbox/ticket"
)

// Stream is where events go.
type Stream interface {
	// Publish keeps an event of the tenant and all that it owes, durably once the transaction that ctx carries is.
	Publish(ctx context.Context, tenant, app string, p notice.Published) error
}

// Handler is the publish family.
type Handler struct {
	Desk   api.Desk
	Stream Stream
	Apps   api.Apps         // whose signatures are taken
	Now    func() time.Time // the clock that dates of signatures are held against
	Open   string           // the tenant that callers without a credential publish into; empty: none may
}

// Family gives the family as the server mounts it.
func (h *Handler) Family() api.Family {
	ways := []api.Authenticator{sdkhmac.Authenticator(h.Apps, h.Now), h.application}
	if h.Open != "" {
		ways = append(ways, h.anonymous)
	}
	return api.Family{
		Channel:      ticket.ChannelPublish,
		Prefixes:     []string{"/api/publish"},
		Refuse:       refuse,
		Subject:      subject,
		Headers:      append([]string{bkapi.Header}, sdkhmac.Headers...),
		Credentials:  bkapi.Parameters,
		Authenticate: ways,
		Routes:       []api.Route{{Method: http.MethodPost, Path: "/api/publish", Scope: desk.Write, Handler: h.publish}},
	}
}

func (h *Handler) publish(c *fiber.Ctx) error {
	p, err := read(c)
	if err != nil {
		return err
	}
	p.RequestID, p.Hops = requestID(c), api.Hops(c)
	tenant, app := api.Caller(c).Tenant, api.Caller(c).Code
	return api.Transact(c, h.Desk, false, func(ctx context.Context) (any, error) {
		return envelope{p.RequestID, codeDone, msgDone}, h.Stream.Publish(ctx, tenant, app, p)
	})
}

// idKey keeps with a request the request ID that it was given in this family.
type idKey struct{}

// requestID is the request's ID as this family tells it, which is a UUID in any case: the caller's X-Request-Id if that is one.
func requestID(c *fiber.Ctx) string {
	if id, ok := c.Locals(idKey{}).(string); ok {
		return id
	}
	id, err := uuid.Parse(api.RequestID(c))
	if err != nil {
		id = uuid.New()
	}
	c.Locals(idKey{}, id.String())
	return id.String()
}
