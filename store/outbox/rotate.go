package outbox

import (
	"context"

	"signalbox/notice"
	"signalbox/store/db"
	"signalbox/store/vault"
)

// rotateSubscription gives a subscription, whose row is held, a new secret.
func (o *Outbox) rotateSubscription(ctx context.Context, q *db.Tx, id string) (string, error) {
	var had vault.Signing
	if err := q.Get(ctx, &had, `SELECT secret, older FROM subscriptions WHERE id = ?`, id); err != nil {
		return "", db.Wrap("read the secrets", err)
	}
	next, secret, err := o.vault.RotateSigning(had, id)
	if err != nil {
		return "", err
	}
	_, err = q.Exec(ctx, `UPDATE subscriptions SET secret = ?, older = ? WHERE id = ?`, next.Secret, next.Older, id)
	return secret, db.Wrap("change the secret", err)
}

// Rotate gives a lasting subscription a new secret, which nobody can ask for again. Earlier ones go on signing beside it, each for 24 hours
// from its own rotation. NotFound as with Subscription; TooMany: too many earlier ones still sign.
func (o *Outbox) Rotate(ctx context.Context, tenant, id string) (secret string, err error) {
	err = o.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		if _, err := o.tenantSubscription(ctx, q, tenant, id, db.Exclusive); err != nil {
			return err
		}
		secret, err = o.rotateSubscription(ctx, q, id)
		return err
	})
	return secret, err
}

// RotateAddress does the same for a subscription of a ticket. NotFound as with Registration; Conflict: the address was dropped.
func (o *Outbox) RotateAddress(ctx context.Context, ticketID int64, subscription string) (secret string, err error) {
	err = o.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		var state string
		found, err := q.FindSubscription(ctx, &state, db.Exclusive, `state`, `id = ? AND ticket_id = ? AND state <> 'deleted'`, subscription, ticketID)
		switch {
		case err != nil:
			return err
		case !found:
			return errNoSubscription
		case state != string(notice.Active):
			return errDropped
		}
		secret, err = o.rotateSubscription(ctx, q, subscription)
		return err
	})
	return secret, err
}
