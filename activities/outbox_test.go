package activities_test

import (
	"fmt"
	"testing"
	"time"

	"signalbox/activities/outboxtest"
	"signalbox/notice"
)

func TestTheOutboxOfTheseTests(t *testing.T) {
	outboxtest.TestOutbox(t, func(*testing.T) outboxtest.Fixture {
		o := outboxtest.New()
		now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		lanes := map[int64][]notice.Lane{}
		last := int64(0)
		return outboxtest.Fixture{
			Outbox: o,
			Now:    func() time.Time { return now },
			Pass:   func(d time.Duration) { now = now.Add(d) },
			Ticket: func(*testing.T) (int64, int) { last++; return last, 0 },
			Address: func(_ *testing.T, ticket int64, url string) notice.Lane {
				lane := notice.Lane{Subscription: fmt.Sprintf("s-%d-%d", ticket, len(lanes[ticket])), TicketID: ticket}
				lanes[ticket] = append(lanes[ticket], lane)
				o.Subscribe(lane.Subscription, url, notice.Minutely)
				return lane
			},
			Happen: func(_ *testing.T, ticket int64, hops int) {
				for _, lane := range lanes[ticket] {
					o.EnqueueAfter(lane.Subscription, ticket, 1, hops)
				}
			},
			Delete: func(_ *testing.T, lane notice.Lane) { o.Delete(lane.Subscription) },
			Deliveries: func(_ *testing.T, lane notice.Lane) (list []notice.DeliveryRecord) {
				for _, d := range o.Deliveries() {
					if d.Lane != lane {
						continue
					}
					r := notice.DeliveryRecord{Delivery: d}
					for _, a := range o.Attempts() {
						if a.DeliveryID == d.ID {
							r.Attempts = append(r.Attempts, a)
						}
					}
					list = append(list, r)
				}
				return list
			},
			Subscription: func(_ *testing.T, lane notice.Lane) notice.Subscription { return o.Subscription(lane.Subscription) },
			Alerts: func(_ *testing.T, ticket int64) (kinds []notice.AlertKind) {
				for _, a := range o.Alerts() {
					if a.TicketID == ticket {
						kinds = append(kinds, a.Kind)
					}
				}
				return kinds
			},
			Redeliver: func(_ *testing.T, lane notice.Lane) string {
				o.Redeliver("redelivery of " + lane.String())
				return "redelivery of " + lane.String()
			},
		}
	})
}
