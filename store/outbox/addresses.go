package outbox

import (
	"context"
	"slices"
	"strings"

	"signalbox/notice"
	"signalbox/store/db"
	"signalbox/ticket"
)

// address gives the address of a row in its one spelling, with its host. A version of the program that knew neither may have written the row, or changed
// its url and left the host of the one before.
func (r subscriptionRow) address() notice.Address {
	if r.Person != "" { // in the directory alone
		return notice.Address{URL: r.URL, Host: r.Host}
	}
	if r.Host != "" && (strings.HasPrefix(r.URL, "https://"+r.Host+"/") || strings.HasPrefix(r.URL, "http://"+r.Host+"/")) {
		return notice.Address{URL: r.URL, Host: r.Host}
	}
	return notice.AddressOf(r.URL)
}

// atAddress lists the ticket's subscriptions of an address, however it is spelled, in the format of want and in that state, oldest first, without those that were
// registered again since.
func (o *Outbox) atAddress(ctx context.Context, q *db.Tx, t ticket.Ticket, want notice.Subscription, state notice.SubscriptionState) ([]notice.Subscription, error) {
	url := notice.AddressOf(want.URL).URL
	list, err := o.list(ctx, q, ofTicket(t.ID), ` AND tenant = ? AND `+db.Owed+` AND (url = ? OR host = '') AND format = ? AND state = ? ORDER BY created_at, id`,
		t.Tenant, url, string(want.Format), string(state))
	return slices.DeleteFunc(list, func(s notice.Subscription) bool { return s.URL != url }), err
}

// respelt leaves of some rows those whose address is stored in another spelling, or without its host.
func respelt(rows []subscriptionRow) []subscriptionRow {
	return slices.DeleteFunc(rows, func(r subscriptionRow) bool { return r.address() == notice.Address{URL: r.URL, Host: r.Host} })
}

// respell stores the addresses of rows in their one spelling, with their hosts, except of those that were given another meanwhile.
func (o *Outbox) respell(ctx context.Context, rows []subscriptionRow) error {
	rows = respelt(rows)
	if len(rows) == 0 {
		return nil
	}
	slices.SortFunc(rows, func(a, b subscriptionRow) int { return strings.Compare(a.ID, b.ID) }) // the order of locks
	rows = slices.CompactFunc(rows, func(a, b subscriptionRow) bool { return a.ID == b.ID })
	return o.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		for _, r := range rows {
			a := r.address()
			if _, err := q.Exec(ctx, `UPDATE subscriptions SET url = ?, host = ? WHERE id = ? AND url = ?`, a.URL, a.Host, r.ID, r.URL); err != nil {
				return db.Wrap("store an address in its one spelling", err)
			}
		}
		return nil
	})
}

// RespellAddresses stores the addresses of all subscriptions in their one spelling, with their hosts, as versions that knew neither left them. It may be repeated,
// and others may work meanwhile.
func (o *Outbox) RespellAddresses(ctx context.Context) error {
	for after := ""; ; {
		var rows []subscriptionRow
		err := o.db.Read(ctx, func(q *db.Tx) error {
			return q.All(ctx, &rows, `SELECT id, person, url, host FROM subscriptions WHERE id > ? ORDER BY id LIMIT ?`, after, addressBatch)
		})
		if err != nil || len(rows) == 0 {
			return db.Wrap("list addresses", err)
		}
		after = rows[len(rows)-1].ID
		if err := o.respell(ctx, rows); err != nil {
			return err
		}
	}
}

// addressBatch is how many subscriptions are looked at in one transaction.
const addressBatch = 500
