package api

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/gofiber/fiber/v2"

	"signalbox/desk"
	"signalbox/ratelimit"
	"signalbox/ticket"
)

// Audit is where refusals are written down.
type Audit interface {
	// Refused writes down that a request was refused. The entry's ID is that of the operation which was refused already, and empty if there is
	// none; its Number is whatever the request calls its ticket.
	Refused(ctx context.Context, e desk.Entry) error
}

const (
	// refusedRate is how many refusals a minute of one app, or of one person on the pages, are written down by a process. One that is refused more often, because it goes on
	// beyond its limit or guesses, cannot fill the database: the rest is in the log, and counted.
	refusedRate = 600
	// refusedWithin bounds how long the answer waits for it.
	refusedWithin = 2 * time.Second
)

// Refusals writes refusals down: of each app, and of each person who acts as themselves, no more than so many a minute.
type Refusals struct {
	// Lost is told the channel of each that is not written down, before anything is; nil: nobody is.
	Lost    func(ticket.Channel)
	audit   Audit
	now     func() time.Time
	callers *ratelimit.Keyed // what is left to each
}

// NewRefusals makes one.
func NewRefusals(audit Audit) *Refusals {
	return &Refusals{audit: audit, now: time.Now, callers: ratelimit.NewKeyed(keptLogins)}
}

// Write writes one down, also where ctx ends meanwhile. False: it is one too many of its caller, or could not be written, which the error tells. One that names its operation is
// never too many.
func (r *Refusals) Write(ctx context.Context, e desk.Entry) (written bool, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refusedWithin)
	defer cancel()
	if e.ID != "" || r.admit(callerOf(e)) {
		err = r.audit.Refused(ctx, e)
		written = err == nil
	}
	if !written && r.Lost != nil {
		r.Lost(e.Channel)
	}
	return written, err
}

// callerOf is whom a refusal counts against: an app, whatever names it gives those for whom it asks; or a person who has shown who they are, as all of them act by one app.
func callerOf(e desk.Entry) string {
	if e.App != desk.PagesApp {
		return e.App
	}
	return fmt.Sprintf("%s %q %q", e.App, e.Tenant, e.Operator) // no app's code has a blank
}

// AuditRefusals has written down what is refused to callers who are known, where the call would have changed something. What is refused to others is in
// the log alone: anybody could fill the database with it. It must be called before serving.
func (s *Server) AuditRefusals(audit Audit) {
	s.refusals = NewRefusals(audit)
	s.refusals.Lost = s.Unwritten
}

// admit reports whether one more refusal of a caller is written down.
func (r *Refusals) admit(caller string) bool {
	taken, _ := r.callers.Take(caller, ratelimit.Bucket{Rate: refusedRate, Burst: refusedRate}, 1, 0, r.now())
	return taken == 1
}

// auditRefusal writes down that a request was refused. What could not be done now is none of it, as the caller was not told no,
// unless its operation was closed already and lacks the status. Nor is it one to hear that the first request with the same key is still under way: that
// is in the audit itself, and whoever polls would fill it.
func (s *Server) auditRefusal(c *fiber.Ctx, rc *requestContext, began time.Time) {
	if s.refusals == nil || rc.refused == "" || rc.app.Tenant == "" || !rc.changes || rc.refused == Internal || rc.refused == ticket.Busy {
		return
	}
	var operation string
	if rc.trail != nil {
		operation = rc.trail.Refused
	}
	if operation == "" && rc.refused == ticket.Unavailable {
		return
	}
	refusal := classify(rc.cause)
	subject := subjectOf(c)
	e := desk.Entry{
		ID: operation, At: began, Tenant: rc.app.Tenant, App: rc.app.Code, Operator: subject.Operator, Address: rc.address, RequestID: rc.id, Channel: rc.family.Channel,
		Method: c.Method(), Path: c.Path(), Number: subject.Number, Status: c.Response().StatusCode(), Code: rc.refused,
		Why: refusal.Error.Error(), Outcome: desk.Refused,
	}
	if _, err := s.refusals.Write(c.UserContext(), e); err != nil {
		s.log.ErrorContext(c.UserContext(), "audit.refused", "request_id", rc.id, "error", err)
	}
}

// RefusedWith notes why a call was refused whose handler writes the answer itself.
func RefusedWith(c *fiber.Ctx, why *ticket.Error) {
	rc := requestOf(c)
	rc.refused, rc.cause = why.Code, why
}

// Subject is whom a request names as acting, and which ticket it is about: what it says, checked by nobody. Either may be empty.
type Subject struct{ Operator, Number string }

// Note keeps what a family read in a request about its subject; what it left empty is kept from before. Decode does so for whatever it reads that
// has a method Subject.
func Note(c *fiber.Ctx, s Subject) {
	rc := requestOf(c)
	rc.subject = Subject{cut(cmp.Or(s.Operator, rc.subject.Operator)), cut(cmp.Or(s.Number, rc.subject.Number))}
}

// Named gives what the first of the members says that a body has, for a family's Subject: the body has been taken by nobody, and what cannot be read
// names nobody.
func Named(c *fiber.Ctx, members ...string) string {
	var in map[string]json.RawMessage
	_ = DecodeJSON(c.BodyRaw(), &in)
	for _, name := range members {
		if text := TextOf(in[name]); text != "" {
			return text
		}
	}
	return ""
}

// subjectOf gives the subject of a request that was refused: as it was noted, and the rest as its family reads it.
func subjectOf(c *fiber.Ctx) Subject {
	rc := requestOf(c)
	if rc.family != nil && rc.family.Subject != nil && (rc.subject.Operator == "" || rc.subject.Number == "") {
		noted, said := rc.subject, rc.family.Subject(c)
		rc.subject = Subject{cut(cmp.Or(noted.Operator, said.Operator)), cut(cmp.Or(noted.Number, said.Number))}
	}
	return rc.subject
}

func cut(text string) string { return Shortened(text, ticket.MaxName) }
