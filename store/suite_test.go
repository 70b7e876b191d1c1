package store_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/activities/outboxtest"
	"signalbox/desk/desktest"
	"signalbox/notice"
)

func TestTheLedgerKeepsItsPromises(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		desktest.TestLedger(t, desktest.LedgerFixture{Ledger: b.ledger, Now: b.clock.Now, Pass: b.clock.pass})
	})
}

func TestTheOutboxKeepsItsPromises(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		tenants := 0
		outboxtest.TestOutbox(t, func(t *testing.T) outboxtest.Fixture {
			t.Cleanup(b.emptied)
			b.t = t
			tickets, tenant := map[int64]*story{}, fmt.Sprint("tenant-", tenants)
			tenants++
			return outboxtest.Fixture{
				Outbox: b.outbox,
				Now:    b.clock.Now,
				Pass:   b.clock.pass,
				Ticket: func(*testing.T) (int64, int) {
					s := b.opened(tenant, draft("x"))
					tickets[s.ticket.ID] = s
					return s.ticket.ID, notice.Partition(s.ticket.ID, 16)
				},
				Address: func(t *testing.T, ticket int64, url string) notice.Lane {
					sub, err := b.Register(t.Context(), tickets[ticket].ticket, notice.Subscription{URL: url})
					require.NoError(t, err)
					return notice.Lane{Subscription: sub.ID, TicketID: ticket}
				},
				Happen: func(_ *testing.T, ticket int64, hops int) {
					s := tickets[ticket]
					s.at = b.clock.Now()
					events := s.relate("manifest", b.id())
					for i := range events {
						events[i].Hops = hops
					}
					b.project(s, events...)
				},
				Delete: func(t *testing.T, lane notice.Lane) {
					require.NoError(t, b.Unsubscribe(t.Context(), notice.Owner{Tenant: tenant, TicketID: lane.TicketID}, lane.Subscription))
				},
				Deliveries: func(_ *testing.T, lane notice.Lane) []notice.DeliveryRecord {
					return b.deliveries(notice.Subscription{ID: lane.Subscription})
				},
				Subscription: func(t *testing.T, lane notice.Lane) notice.Subscription {
					r, err := b.Registration(t.Context(), notice.Owner{Tenant: tenant, TicketID: lane.TicketID}, lane.Subscription)
					require.NoError(t, err)
					return r.Subscription
				},
				Alerts: func(t *testing.T, ticket int64) (kinds []notice.AlertKind) {
					entries, err := b.Entries(t.Context(), ticket, notice.Position{}, 100)
					require.NoError(t, err)
					for _, e := range entries {
						if e.Alert != nil {
							kinds = append(kinds, e.Alert.Kind)
						}
					}
					return kinds
				},
				Redeliver: func(t *testing.T, lane notice.Lane) string {
					r, err := b.BeginRedelivery(t.Context(), notice.Owner{Tenant: tenant, TicketID: lane.TicketID}, lane.Subscription, notice.Selection{State: notice.Failed}, false)
					require.NoError(t, err)
					return r.ID
				},
			}
		})
	})
}

// emptied takes all that is owed out of the database, for the next case of a suite.
func (b *bench) emptied() {
	for _, table := range []string{"attempts", "redeliveries", "lanes", "deliveries"} {
		_, err := b.raw().ExecContext(background(), "DELETE FROM "+table)
		require.NoError(b.t, err)
	}
}
