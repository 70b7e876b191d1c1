package api

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"signalbox/desk"
	"signalbox/ratelimit"
	"signalbox/ticket"
)

// Audit keeps what was refused.
type Audit interface {
	// Refused writes down that a request was refused. The entry's ID is that of the operation which was refused already, and empty if there is
	// none; its Number is whatever the request calls its ticket.
	Refused(ctx context.Context, e desk.Entry) error
}

const (
	// refusedRate is how many refusals a minute of one app are written down by a process. One that is refused more often, because it goes on
	// beyond its limit or guesses, cannot fill the database: the rest is in the log, and counted.
	refusedRate = 600
	// refusedWithin bounds how long the answer waits for it.
	refusedWithin = 2 * time.Second
)

// refusals writes refusals down.
type refusals struct {
	audit Audit
	now   func() time.Time
	apps  *ratelimit.Keyed // what is left to each app
}

// Keep has written down what is refused to callers who are known, where the call would have changed something. What is refused to others is in
// the log alone: anybody could fill the database with it. It must be called before serving.
func (s *Server) Keep(audit Audit) {
	s.refusals = &refusals{audit: audit, now: time.Now, apps: ratelimit.NewKeyed(keptLogins)}
}

// admit reports whether one more refusal of an app is written down.
func (r *refusals) admit(app string) bool {
	taken, _ := r.apps.Take(app, ratelimit.Bucket{Rate: refusedRate, Burst: refusedRate}, 1, 0, r.now())
	return taken == 1
}

// keep writes down that a request was refused. What could not be done now is none of it: the caller was not told no.
func (s *Server) keep(c *fiber.Ctx, v *visit, began time.Time) {
	if s.refusals == nil || v.refused == "" || v.app.Tenant == "" || !v.changes || v.refused == ticket.Unavailable || v.refused == Internal {
		return
	}
	refusal := Classify(v.cause)
	e := desk.Entry{
		At: began, Tenant: v.app.Tenant, App: v.app.Code, Operator: operatorOf(c), Address: v.address, RequestID: v.id, Channel: v.family.Channel,
		Method: c.Method(), Path: c.Path(), Number: numberOf(c), Status: c.Response().StatusCode(), Code: v.refused,
		Why: refusal.Error.Error(), Outcome: desk.Refused,
	}
	if v.trail != nil {
		e.ID = v.trail.Refused
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.UserContext()), refusedWithin)
	defer cancel()
	if e.ID == "" && !s.refusals.admit(v.app.Code) {
		s.meter.unwritten(v)
		return
	}
	if err := s.refusals.audit.Refused(ctx, e); err != nil {
		s.meter.unwritten(v)
		s.log.ErrorContext(ctx, "audit.refused", "request_id", v.id, "error", err)
	}
}

// RefusedWith notes why a call was refused whose handler writes the answer itself.
func RefusedWith(c *fiber.Ctx, why *ticket.Error) {
	v := visitOf(c)
	v.refused, v.cause = why.Code, why
}

// operatorMembers are what the families call the person on whose behalf a request is made; numberMembers the ticket that it is about.
var (
	operatorMembers = []string{"operator", "approver", "bk_username", "username", "author", "creator", "opener"}
	numberMembers   = []string{"incident_num", "sn"}
	numberParams    = []string{"id", "incident_num", "exceptionId"}
)

// operatorOf finds whom a request names as its operator: in its body, its query or among an application's credentials. It is what the request
// says, checked by nobody.
func operatorOf(c *fiber.Ctx) string {
	if operator := saidOf(c, operatorMembers); operator != "" {
		return operator
	}
	given, err := ApplicationOf(c, func(string) string { return "" })
	if err != nil {
		return ""
	}
	return cut(given.User)
}

// numberOf finds what a request calls the ticket that it is about, likewise. It need not be there.
func numberOf(c *fiber.Ctx) string {
	if v := visitOf(c); v.family.Channel == ticket.ChannelIssue || v.family.Channel == ticket.ChannelException || v.family.Channel == ticket.ChannelIncident {
		for _, name := range numberParams {
			if value, err := Param(c, name); err == nil && value != "" {
				return cut(value)
			}
		}
	}
	return saidOf(c, numberMembers)
}

// saidOf finds the first of some members of a request that is a text, in its body or query.
func saidOf(c *fiber.Ctx, names []string) string {
	const read = 64 << 10
	var body map[string]json.RawMessage
	if raw := c.BodyRaw(); len(raw) > 0 && len(raw) <= read {
		_ = json.Unmarshal(raw, &body) // what is no object names nobody
	}
	for _, name := range names {
		said := Text(body[name])
		if said == "" {
			said = strings.ToValidUTF8(string(c.Request().URI().QueryArgs().Peek(name)), "?")
		}
		if said != "" {
			return cut(said)
		}
	}
	return ""
}

func cut(text string) string {
	runes := []rune(text)
	return string(runes[:min(len(runes), ticket.MaxName)])
}
