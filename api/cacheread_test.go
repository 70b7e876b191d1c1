package api_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"

	"signalbox/api"
	"signalbox/api/apitest"
	"signalbox/desk"
	"signalbox/ticket"
)

// notes are a recorder that keeps one answer for each key, and carries a mark to the effect as a store carries its transaction.
type notes struct {
	api.Desk // of which it has the one call

	kept map[string]desk.Answer
	down error
	runs int // of each effect that is to be kept
}

type mark struct{}

func (n *notes) Transact(ctx context.Context, r desk.Request, effect func(context.Context) (desk.Answer, error)) (desk.Reply, error) {
	if n.down != nil {
		return desk.Reply{}, n.down
	}
	if kept, ok := n.kept[r.Key]; ok {
		return desk.Reply{Answer: kept, Replayed: true}, nil
	}
	var answer desk.Answer
	for range n.runs {
		var err error
		if answer, err = effect(context.WithValue(ctx, mark{}, true)); err != nil {
			return desk.Reply{}, err
		}
	}
	n.kept[r.Key] = answer
	return desk.Reply{Answer: answer}, nil
}

// What only reads and takes a key is answered once, too: only when it could be answered, and once however often the database has it run.
func TestReadingUnderAKey(t *testing.T) {
	n := &notes{kept: map[string]desk.Answer{}, runs: 2}
	asked, marked := 0, false
	var refusal error
	status := 200
	server := api.New(api.Config{}, apitest.NewApps(), nil, slog.New(slog.DiscardHandler), family(ticket.ChannelIssue, api.Route{Method: "POST", Path: "/issue/search",
		Scope: desk.Read, Handler: func(c *fiber.Ctx) error {
			asked++
			marked, _ = api.Context(c).Value(mark{}).(bool)
			if refusal != nil {
				return refusal
			}
			return api.Respond(c, status, fiber.Map{"asked": asked})
		}}))
	server.CacheReads(n)
	c := apitest.Client{T: t, App: server.App(), Secret: apitest.Writer}
	search := func(key string) apitest.Answer {
		return c.Do("POST", "/issue/search", fiber.Map{}, api.HeaderXKey, key)
	}

	a := c.Do("POST", "/issue/search", fiber.Map{})
	require.Equal(t, []any{200, 1, false}, []any{a.Status, asked, marked}, "without a key nothing is kept")

	refusal = ticket.Refuse(ticket.NotFound, "no")
	require.Equal(t, 404, search("k").Status)
	refusal = errors.New("broken")
	require.Equal(t, 500, search("k").Status, "as it would be without a key")
	refusal, status = nil, 409
	require.Equal(t, 409, search("k").Status)
	status = 200
	require.Empty(t, n.kept)

	asked = 0
	a = search("k")
	require.Equal(t, []any{200, `{"asked":2}`, "false", true}, []any{a.Status, string(a.Body), a.Header.Get(api.HeaderReplayed), marked})
	a = search("k")
	require.Equal(t, []any{200, `{"asked":2}`, "true", 2}, []any{a.Status, string(a.Body), a.Header.Get(api.HeaderReplayed), asked})
	n.down = ticket.Refuse(ticket.Reused, "used")
	require.Equal(t, 422, search("k").Status)
	n.down = ticket.Refuse(ticket.Unavailable, "down")
	require.Equal(t, 503, search("k").Status)
}
