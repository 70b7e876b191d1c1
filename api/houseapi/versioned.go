package houseapi

import (
	"context"
	"errors"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"signalbox/api"
	"signalbox/flow"
	"signalbox/ticket"
)

// Versioned are the calls that documents with keys and versions have in common: they are checked, published as the next version of their key, shown, and
// enabled. D is a document.
type Versioned[D any] struct {
	Desk     api.Desk
	Kind     string // what is published, as in "service"
	Document string // what a version of it says, as in "the definition"

	// Read reads the document that a request's body is, and tells what is wrong with it.
	Read func(c *fiber.Ctx) (document D, faults flow.Faults, err error)
	// Put publishes a document without faults, with the text that it was written as where there is one, and gives the result that callers see. Joins the transaction of ctx.
	Put func(ctx context.Context, tenant, app string, document D, text string) (published any, err error)
	// Switch says whether what has the key is enabled; NotFound. Joins the transaction of ctx.
	Switch func(ctx context.Context, tenant, key string, enabled bool) error
}

// Publish makes the document that is sent the next version of its key.
func (v Versioned[D]) Publish(c *fiber.Ctx) error {
	document, faults, err := v.Read(c)
	if err != nil {
		return err
	}
	if len(faults) > 0 && api.Request(c).Key == "" {
		return Faulty(c, v.Document, faults)
	}
	app, text := api.Caller(c), Written(c.BodyRaw())
	err = Transact(c, v.Desk, false, func(ctx context.Context) (any, error) {
		if len(faults) > 0 { // what it names may have been there when a request with the same key was done
			return nil, errFaulty
		}
		return v.Put(ctx, app.Tenant, app.Code, document, text)
	})
	if errors.Is(err, errFaulty) {
		return Faulty(c, v.Document, faults)
	}
	return err
}

// errFaulty refuses a document with faults, which are told in its place.
var errFaulty = &ticket.Error{Code: ticket.Invalid}

// Check tells what is wrong with the document that is sent, and publishes nothing.
func (v Versioned[D]) Check(c *fiber.Ctx) error {
	_, faults, err := v.Read(c)
	if err != nil {
		return err
	}
	return Verdict(c, faults)
}

type enabling struct {
	Enabled *bool `json:"enabled"`
}

// Enable enables or disables what the path names.
func (v Versioned[D]) Enable(c *fiber.Ctx) error {
	key, err := v.Key(c)
	if err != nil {
		return err
	}
	var in enabling
	if err := api.Decode(c, &in); err != nil {
		return err
	}
	if in.Enabled == nil {
		return ticket.RefuseField(ticket.Invalid, "enabled", "is required")
	}
	return Transact(c, v.Desk, false, func(ctx context.Context) (any, error) {
		return nil, v.Switch(ctx, api.Caller(c).Tenant, key, *in.Enabled)
	})
}

// Key gives the key that the path names.
func (v Versioned[D]) Key(c *fiber.Ctx) (string, error) {
	return Word(c, "key", ticket.Refuse(ticket.NotFound, "there is no such "+v.Kind))
}

// Named gives the key that the path names, and the version; 0 where it names none.
func (v Versioned[D]) Named(c *fiber.Ctx) (key string, version int, err error) {
	if key, err = v.Key(c); err != nil || c.Params("version") == "" {
		return key, 0, err
	}
	if version, err = strconv.Atoi(c.Params("version")); err != nil || version < 1 {
		return "", 0, ticket.Refuse(ticket.NotFound, "the "+v.Kind+" has no such version")
	}
	return key, version, nil
}

// Versions shows the versions of the key that the path names by pages, the latest first: find finds them, and show says how each is shown.
func Versions[D, R, S any](c *fiber.Ctx, v Versioned[D], find func(ctx context.Context, tenant, key, cursor string, limit int) ([]R, string, error), show func(R) S) error {
	key, err := v.Key(c)
	if err != nil {
		return err
	}
	return List(c, func(ctx context.Context, tenant, cursor string, limit int) ([]R, string, error) {
		return find(ctx, tenant, key, cursor, limit)
	}, show)
}

// List shows a list of the caller's tenant that is chosen from by nothing, by pages: find finds one, and show says how each of it is shown.
func List[R, S any](c *fiber.Ctx, find func(ctx context.Context, tenant, cursor string, limit int) ([]R, string, error), show func(R) S) error {
	q, err := api.ReadQuery(c)
	if err != nil {
		return err
	}
	limit, cursor := q.Page()
	if err := q.Err(); err != nil {
		return err
	}
	records, next, err := find(api.Context(c), api.Caller(c).Tenant, cursor, limit)
	if err != nil {
		return err
	}
	return Respond(c, Items[S]{Items: api.Each(records, show), Next: next})
}
