package exception

import (
	"context"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"signalbox/api"
	"signalbox/desk"
	"signalbox/ticket"
)

// Handler is the exception family. All members are needed.
type Handler struct {
	Desk   api.Desk
	Budget Budget
	Limit  int              // callbacks a minute of one external system in one tenant; api.Config.ExceptionsPerMinute
	Ahead  time.Duration    // how far the clock of an external system may be ahead of ours; api.Config.ExceptionClockAhead
	Now    func() time.Time // our clock
}

// Family gives the family as the server mounts it.
func (h *Handler) Family() api.Family {
	return api.Family{
		Channel:  ticket.ChannelException,
		Prefixes: []string{"/v1/exceptions"},
		Refuse:   refuse,
		Subject: func(c *fiber.Ctx) api.Subject { // callbacks name nobody
			number, _ := api.Param(c, "exceptionId")
			return api.Subject{Number: number}
		},
		Routes: []api.Route{
			{Method: http.MethodPost, Path: "/v1/exceptions/:exceptionId/callback", Scope: desk.Write, Handler: h.callback},
		},
	}
}

func (h *Handler) callback(c *fiber.Ctx) error {
	key, err := exceptionID(c)
	if err != nil {
		return err
	}
	var in callback
	if err := decode(c, &in); err != nil {
		return err
	}
	cmd, err := in.command(h.Now().Add(h.Ahead), h.Ahead)
	if err != nil {
		return err
	}
	return api.Handle(c, h.Desk, desk.Handling{Ticket: key, Command: cmd, Gate: h.budget(c, cmd.Statement.System)}, accepted)
}

// budget counts a callback of a system, and refuses it when the system's minute is used up. The desk asks it for no replay.
func (h *Handler) budget(c *fiber.Ctx, system string) desk.Gate {
	return func(ctx context.Context) error {
		remaining, reset, ok, err := h.Budget.Take(ctx, api.Caller(c).Tenant, "exception:"+system, h.Limit, time.Minute)
		if err != nil {
			return fmt.Errorf("count the callbacks of a system: %w", err)
		}
		// They take the place of what was said of the app's own limit: a system's is the closer one.
		c.Set(api.HeaderRateLimit, strconv.Itoa(h.Limit))
		c.Set(api.HeaderRateRemaining, strconv.Itoa(remaining))
		c.Set(api.HeaderRateReset, strconv.FormatInt(reset.Add(time.Second-1).Unix(), 10))
		if ok {
			return nil
		}
		return api.Later(ticket.Refuse(ticket.TooMany, fmt.Sprintf("at most %d callbacks a minute are taken from one external system", h.Limit)),
			reset.Sub(h.Now()))
	}
}

// exceptionID gives the ticket that the path names: by number, or by UUID in any of the spellings that the original system takes.
func exceptionID(c *fiber.Ctx) (string, error) {
	key, err := api.Param(c, "exceptionId")
	if err != nil {
		return "", err
	}
	if id, err := uuid.Parse(key); err == nil && id != uuid.Nil {
		return id.String(), nil
	}
	if !ticket.IsNumber(key) {
		return "", ticket.RefuseField(ticket.Invalid, "exceptionId", "must be a UUID or the number of a ticket")
	}
	return key, nil
}

// decode is api.Decode for a family whose callers say what they send: the original system takes application/json alone. No word about it
// is taken for that.
func decode(c *fiber.Ctx, in *callback) error {
	if said := c.Get(fiber.HeaderContentType); said != "" {
		if kind, _, err := mime.ParseMediaType(said); err != nil || kind != fiber.MIMEApplicationJSON {
			return ticket.RefuseField(ticket.Invalid, fiber.HeaderContentType, "must be "+fiber.MIMEApplicationJSON)
		}
	}
	return api.Decode(c, in)
}
