package outbox

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"signalbox/notice"
	"signalbox/store/db"
	"signalbox/store/vault"
	"signalbox/ticket"
)

type subscriptionRow struct {
	vault.Signing
	ID           string        `db:"id"`
	Tenant       string        `db:"tenant"`
	TicketID     int64         `db:"ticket_id"`
	Person       string        `db:"person"`
	URL          string        `db:"url"`
	Host         string        `db:"host"`
	Format       string        `db:"format"`
	Profile      string        `db:"profile"`
	Headers      string        `db:"headers"`
	HasHeaders   bool          `db:"has_headers"`
	TLS          string        `db:"tls"`
	Trust        string        `db:"trust"`
	Unordered    bool          `db:"unordered"`
	Timeout      int           `db:"timeout"` // seconds
	Filter       string        `db:"filter"`
	State        string        `db:"state"`
	Reason       string        `db:"reason"`
	CreatedAt    db.Timestamp  `db:"created_at"`
	EndedAt      *db.Timestamp `db:"ended_at"`
	FailingSince *db.Timestamp `db:"failing_since"`
}

// subscriptionColumns are all but the secrets, and the headers and TLS, which may hold one.
const subscriptionColumns = `id, tenant, ticket_id, person, url, host, format, profile, headers <> '' AS has_headers, trust, unordered, timeout, state, reason, created_at, ended_at, failing_since, filter`

func (r subscriptionRow) timeout() time.Duration { return time.Duration(r.Timeout) * time.Second }

// subscription gives the row's subscription, without secrets, headers and TLS; without its filter where that was not read.
func (r subscriptionRow) subscription() (notice.Subscription, error) {
	a := r.address()
	sub := notice.Subscription{
		ID: r.ID, Tenant: r.Tenant, TicketID: r.TicketID, Person: r.Person, URL: a.URL, Host: a.Host, Format: notice.Format(r.Format), Profile: r.Profile,
		Timeout: r.timeout(), State: notice.SubscriptionState(r.State), Reason: r.Reason, CreatedAt: r.CreatedAt.Time, EndedAt: r.EndedAt.Pointer(),
		FailingSince: r.FailingSince.Pointer(), HasHeaders: r.HasHeaders, Unordered: r.Unordered,
	}
	if r.Trust != "" {
		if err := json.Unmarshal([]byte(r.Trust), &sub.Trust); err != nil {
			return sub, fmt.Errorf("read the trust of subscription %s: %w", r.ID, err)
		}
	}
	if r.Filter != "" {
		if err := json.Unmarshal([]byte(r.Filter), &sub.Filter); err != nil {
			return sub, fmt.Errorf("read the filter of subscription %s: %w", r.ID, err)
		}
	}
	return sub, nil
}

var (
	errNoSubscription       = ticket.Refuse(ticket.NotFound, "there is no such notification")
	errNoTenantSubscription = ticket.Refuse(ticket.NotFound, "there is no such subscription")
	errDropped              = ticket.Refuse(ticket.Conflict, "the address was dropped; it has to be registered again")
)

// notActive is the refusal of what only an active subscription of a tenant can be asked for; nil for those.
func notActive(state notice.SubscriptionState) error {
	if state == notice.Active {
		return nil
	}
	return ticket.Refuse(ticket.Conflict, "the subscription is "+string(state)+"; it has to be resumed first")
}

// owner is whose subscriptions are meant, and how a query says so.
type owner struct {
	ticket  int64    // 0: a tenant
	where   string   // the condition that its subscriptions meet; those that were deleted do not
	args    []any    // of where
	shown   string   // the condition for one that is shown with it: of a ticket also the ways of the people who were told of it
	seen    []any    // of shown
	none    error    // the refusal where it has no such subscription
	counted []string // the conditions for the deliveries that its registrations count
	about   []any    // of each of counted
}

func ownerOf(o notice.Owner) owner {
	if o.TicketID == 0 {
		return ofTenant(o.Tenant)
	}
	own := ofTicket(o.TicketID)
	own.where, own.args = own.where+` AND tenant = ?`, append(own.args, o.Tenant)
	own.shown, own.seen = own.shown+` AND tenant = ?`, append(own.seen, o.Tenant)
	return own
}

func ofTicket(id int64) owner {
	return owner{ticket: id, where: `ticket_id = ? AND state <> 'deleted'`, args: []any{id}, none: errNoSubscription, counted: []string{`ticket_id = ?`}, about: []any{id},
		shown: `(ticket_id = ? OR person <> '' AND EXISTS (SELECT 1 FROM deliveries d WHERE d.letter AND d.ticket_id = ? AND d.subscription_id = subscriptions.id))
			AND state <> 'deleted'`, seen: []any{id, id}}
}

func ofTenant(tenant string) owner {
	const where = `tenant = ? AND ticket_id = 0 AND state <> 'deleted'`
	return owner{where: where, args: []any{tenant}, shown: where, seen: []any{tenant}, none: errNoTenantSubscription,
		// What arrived is not counted: there is no end to it. Two conditions, since each has a partial index.
		counted: []string{`state IN ('pending', 'parked')`, `state IN ('held', 'failed')`}}
}

// find reads a subscription that is shown with the owner and locks its row. The owner's refusal: it has none under that ID.
func (o *Outbox) find(ctx context.Context, q *db.Tx, own owner, id string, how db.Lock) (notice.Subscription, error) {
	var row subscriptionRow
	found, err := q.FindSubscription(ctx, &row, how, subscriptionColumns, `id = ? AND `+own.shown, append([]any{id}, own.seen...)...)
	switch {
	case err != nil:
		return notice.Subscription{}, err
	case !found:
		return notice.Subscription{}, own.none
	}
	return row.subscription()
}

// list reads the owner's subscriptions; rest continues the query after its condition.
func (o *Outbox) list(ctx context.Context, q *db.Tx, own owner, rest string, args ...any) ([]notice.Subscription, error) {
	var rows []subscriptionRow
	if err := q.All(ctx, &rows, `SELECT `+subscriptionColumns+` FROM subscriptions WHERE `+own.where+rest, append(own.args, args...)...); err != nil {
		return nil, db.Wrap("list subscriptions", err)
	}
	return db.Convert(rows, subscriptionRow.subscription)
}

// withCounts gives subscriptions of the owner with counts of their deliveries by state.
func (o *Outbox) withCounts(ctx context.Context, q *db.Tx, own owner, subs []notice.Subscription) (list []notice.Registration, err error) {
	if len(subs) == 0 {
		return nil, nil
	}
	ids, index := make([]string, len(subs)), map[string]int{}
	for i, sub := range subs {
		ids[i], index[sub.ID] = sub.ID, i
		list = append(list, notice.Registration{Subscription: sub, Counts: map[notice.DeliveryState]int{}})
	}
	var queries []string
	var args []any
	for _, where := range own.counted {
		queries = append(queries, `SELECT subscription_id, state, COUNT(*) AS n FROM deliveries WHERE subscription_id IN (?) AND `+where+` GROUP BY subscription_id, state`)
		args = append(append(args, ids), own.about...)
	}
	var counts []struct {
		Subscription string `db:"subscription_id"`
		State        string `db:"state"`
		N            int    `db:"n"`
	}
	err = q.AllIn(ctx, &counts, strings.Join(queries, ` UNION ALL `), args...)
	if err == nil {
		err = o.named(ctx, q, subs)
	}
	for i := range list {
		list[i].Person = subs[i].Person
	}
	for _, c := range counts {
		list[index[c.Subscription]].Counts[notice.DeliveryState(c.State)] = c.N
	}
	return list, db.Wrap("count deliveries", err)
}

// Registration is one subscription of an owner with counts of its deliveries: of a ticket's in every state, of a tenant's of those that did not
// arrive (pending, retrying, held and failed). NotFound: the owner has no such subscription, or it was deleted.
func (o *Outbox) Registration(ctx context.Context, of notice.Owner, id string) (r notice.Registration, err error) {
	err = o.db.Read(ctx, func(q *db.Tx) error {
		own := ownerOf(of)
		sub, err := o.find(ctx, q, own, id, db.Unlocked)
		if err != nil {
			return err
		}
		list, err := o.withCounts(ctx, q, own, []notice.Subscription{sub})
		if err == nil {
			r = list[0]
		}
		return err
	})
	return r, err
}

// add inserts a subscription under a new ID, active, and gives it back with its secret, which is made where none was given. Secret and headers are
// stored encrypted, and its address in its one spelling.
func (o *Outbox) add(ctx context.Context, q *db.Tx, sub notice.Subscription) (notice.Subscription, error) {
	a := notice.AddressOf(sub.URL)
	sub.URL, sub.Host = a.URL, a.Host
	sub.ID, sub.State, sub.CreatedAt = uuid.NewString(), notice.Active, db.At(q.Now()).Time
	if sub.Secret == "" {
		sub.Secret = vault.NewSigningSecret()
	}
	headers, err := o.sealHeaders(sub)
	if err != nil {
		return sub, err
	}
	own, trust, err := o.sealTLS(sub)
	if err != nil {
		return sub, err
	}
	sub.HasHeaders = headers != ""
	filter, form, selector, err := filterColumns(sub)
	if err != nil {
		return sub, err
	}
	return sub, q.Insert(ctx, `subscriptions (id, tenant, ticket_id, url, host, format, profile, secret, headers, tls, trust, unordered, timeout, state, reason, created_at, filter, shape, selector)`, [][]any{{
		sub.ID, sub.Tenant, sub.TicketID, sub.URL, sub.Host, string(sub.Format), sub.Profile, o.vault.Encrypt(sub.Secret, sub.ID), headers, own, trust, sub.Unordered, int(sub.Timeout / time.Second), string(sub.State), "",
		db.At(sub.CreatedAt), filter, form, selector}})
}

// sealHeaders gives what is stored of a subscription's headers: nothing where there are none.
func (o *Outbox) sealHeaders(sub notice.Subscription) (string, error) {
	headers, err := writeHeaders(sub.Headers)
	if err != nil || headers == "" {
		return "", err
	}
	return o.vault.Encrypt(headers, vault.HeadersOwner(sub.ID)), nil
}

// sealTLS gives what is stored of a subscription's TLS, encrypted and to be seen: nothing where there is none.
func (o *Outbox) sealTLS(sub notice.Subscription) (own, trust string, err error) {
	if sub.TLS == nil || *sub.TLS == (notice.TLS{}) {
		return "", "", nil
	}
	plain, err := json.Marshal(sub.TLS)
	if err != nil {
		return "", "", fmt.Errorf("write what an address is connected to with: %w", err)
	}
	shown, err := json.Marshal(sub.Trust)
	return o.vault.Encrypt(string(plain), vault.TLSOwner(sub.ID)), string(shown), db.Wrap("write the trust of a subscription", err)
}

// changeReach stores the headers and the TLS that sub has: those that are nil stay as they are. Its row is locked.
func (o *Outbox) changeReach(ctx context.Context, q *db.Tx, sub notice.Subscription) error {
	if sub.Headers != nil {
		headers, err := o.sealHeaders(sub)
		if err != nil {
			return err
		}
		if _, err := q.Exec(ctx, `UPDATE subscriptions SET headers = ? WHERE id = ?`, headers, sub.ID); err != nil {
			return db.Wrap("change the headers of a subscription", err)
		}
	}
	if sub.TLS != nil {
		own, trust, err := o.sealTLS(sub)
		if err != nil {
			return err
		}
		if _, err := q.Exec(ctx, `UPDATE subscriptions SET tls = ?, trust = ? WHERE id = ?`, own, trust, sub.ID); err != nil {
			return db.Wrap("change the TLS of a subscription", err)
		}
	}
	return nil
}

// filterColumns gives what is stored of a subscription's filter: itself as JSON, its shape and its selector. A ticket's has no filter, and no
// selector that it could be found by.
func filterColumns(sub notice.Subscription) (filter string, form int, selector string, err error) {
	if sub.TicketID != 0 {
		return `{}`, 0, "", nil
	}
	raw, err := json.Marshal(sub.Filter)
	if err != nil {
		return "", 0, "", fmt.Errorf("write a filter: %w", err)
	}
	s, selector := selectorOf(sub.Filter)
	return string(raw), int(s), selector, nil
}

// Unsubscribe deletes a subscription: nothing more is sent, what is pending or held is cancelled, and its secrets, headers and TLS are gone. PruneSubscriptions deletes
// the row. NotFound as with Registration.
func (o *Outbox) Unsubscribe(ctx context.Context, of notice.Owner, id string) error {
	return o.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		own := ownerOf(of)
		if own.ticket != 0 {
			if err := q.LockLaneOwner(ctx, own.ticket); err != nil {
				return err
			}
		}
		n, err := q.Exec(ctx, `UPDATE subscriptions SET state = 'deleted', ended_at = ?, sifting = '', `+noSecrets+` WHERE id = ? AND `+own.where, append([]any{db.At(q.Now()), id}, own.args...)...)
		switch {
		case err != nil:
			return db.Wrap("delete a subscription", err)
		case n == 0:
			return own.none
		}
		return o.beginTransition(ctx, q, id)
	})
}

// noSecrets wipes what of a subscription is encrypted.
const noSecrets = `secret = '', older = '[]', headers = '', tls = ''`

// Rotate gives a subscription a new secret, which nobody can ask for again. Earlier ones go on signing beside it, each for 24 hours from its own
// rotation. NotFound as with Registration; Conflict: it is a ticket's, and was dropped; TooMany: too many earlier ones still sign.
func (o *Outbox) Rotate(ctx context.Context, of notice.Owner, id string) (secret string, err error) {
	err = o.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		own := ownerOf(of)
		sub, err := o.find(ctx, q, own, id, db.Exclusive)
		switch {
		case err != nil:
			return err
		case sub.Format.Letter():
			return errOfDirectory
		case own.ticket != 0 && sub.State != notice.Active:
			return errDropped
		}
		var had vault.Signing
		if err := q.Get(ctx, &had, `SELECT secret, older FROM subscriptions WHERE id = ?`, id); err != nil {
			return db.Wrap("read the secrets", err)
		}
		var next vault.Signing
		if next, secret, err = o.vault.RotateSigning(had, id); err != nil {
			return err
		}
		_, err = q.Exec(ctx, `UPDATE subscriptions SET secret = ?, older = ? WHERE id = ?`, next.Secret, next.Older, id)
		return db.Wrap("change the secret", err)
	})
	return secret, err
}
