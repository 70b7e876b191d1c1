package activities

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/activity"

	"signalbox/desk"
	"signalbox/ticket"
)

const (
	// AttendAtOnce bounds how many tickets one round looks at; the next goes on behind them.
	AttendAtOnce = 1000
	// attendPage is how many are listed at a time.
	attendPage = 100
	// AttendHeartbeat is how long a round may be silent.
	AttendHeartbeat = time.Minute
	// attendSince is how far before a round changes are looked for that the one before may not have seen: they were not committed yet.
	attendSince = 5 * time.Minute
)

// Attended is how far a round came, and what came of it.
type Attended struct {
	After int64           `json:"after,omitempty"` // the last ticket that was looked at; 0: all were
	Since time.Time       `json:"since,omitzero"`  // changes from then on are looked at until the round comes to its end
	Began time.Time       `json:"began,omitzero"`  // when that round began
	Sum   desk.Attendance `json:"sum,omitzero"`
}

// Absentees lists tickets to be told of who is absent.
type Absentees interface {
	// ToAttend lists open tickets, in the order of their ids and behind one of them, that ask somebody who is absent at that time, who is not active, or to whom something
	// happened since another time.
	ToAttend(ctx context.Context, after int64, at, since time.Time, limit int) ([]ticket.Identity, error)
}

// Attendant is what has the workflow Attend tell tickets who is absent, and who is not active any more.
type Attendant struct {
	desk    *desk.Desk
	tickets Absentees
	now     func() time.Time
	log     *slog.Logger
	told    *prometheus.CounterVec
}

// NewAttendant puts what it does into a registry.
func NewAttendant(d *desk.Desk, tickets Absentees, now func() time.Time, log *slog.Logger, registry prometheus.Registerer) *Attendant {
	a := &Attendant{desk: d, tickets: tickets, now: now, log: log, told: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signalbox_standing_total",
		Help: "What tickets were told of people: stand_in (a deputy was asked), stand_down (and no more), taken_over (from somebody who has left), nobody (took over), failed (a ticket could not be told)."},
		[]string{"what"})}
	a.count(desk.Attendance{})
	registry.MustRegister(a.told)
	return a
}

func (a *Attendant) count(c desk.Attendance) {
	for what, n := range map[string]int{"stand_in": c.StandIn, "stand_down": c.StandDown, "taken_over": c.TakenOver, "nobody": c.Nobody, "failed": c.Failed} {
		a.told.WithLabelValues(what).Add(float64(n))
	}
}

// Attend tells some tickets, behind those of the round before. One that cannot be told does not hold up the others.
func (a *Attendant) Attend(ctx context.Context, before Attended) (out Attended, err error) {
	out = Attended{After: before.After, Since: before.Since, Began: before.Began}
	now := a.now()
	if out.After == 0 {
		if out.Began = now; out.Since.IsZero() {
			out.Since = now.Add(-24 * time.Hour)
		}
	}
	for seen := 0; seen < AttendAtOnce; {
		list, err := a.tickets.ToAttend(ctx, out.After, now, out.Since, attendPage)
		if err != nil {
			return out, err
		}
		for _, id := range list {
			activity.RecordHeartbeat(ctx)
			came, err := a.desk.Attend(ctx, id)
			if ctx.Err() != nil {
				return out, ctx.Err()
			}
			if err != nil {
				came.Failed = 1
				a.log.WarnContext(ctx, "ticket.attend", "ticket", id.Number, "error", err)
			}
			out.After = id.ID
			out.Sum.Add(came)
			a.count(came)
		}
		if seen += len(list); len(list) < attendPage {
			out.After, out.Since = 0, out.Began.Add(-attendSince)
			break
		}
	}
	if out.Sum != (desk.Attendance{}) {
		a.log.InfoContext(ctx, "tickets.attended", "told", out.Sum.Told, "stand_in", out.Sum.StandIn, "stand_down", out.Sum.StandDown, "taken_over", out.Sum.TakenOver, "nobody", out.Sum.Nobody, "failed", out.Sum.Failed)
	}
	return out, nil
}
