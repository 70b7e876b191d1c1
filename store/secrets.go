package store

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"signalbox/notice"
	"signalbox/ticket"
)

// rotationOverlap is how long an earlier secret goes on signing after a rotation, and maxOlder how many of them there may be at once.
const (
	rotationOverlap = 24 * time.Hour
	maxOlder        = 4
)

// signing is what is signed with for one address or service, as its row has it.
type signing struct {
	Secret string `db:"secret"` // sealed; empty: not made yet
	Older  string `db:"older"`  // JSON: []olderSecret
}

// olderSecret is a secret that was replaced and still signs.
type olderSecret struct {
	Sealed string    `json:"sealed"`
	Until  time.Time `json:"until"`
}

// still gives the earlier secrets that still sign, oldest first.
func (s signing) still(now time.Time) ([]olderSecret, error) {
	still := []olderSecret{}
	if s.Older == "[]" {
		return still, nil
	}
	var all []olderSecret
	if err := json.Unmarshal([]byte(s.Older), &all); err != nil {
		return nil, fmt.Errorf("read earlier secrets: %w", err)
	}
	for _, o := range all {
		if now.Before(o.Until) {
			still = append(still, o)
		}
	}
	return still, nil
}

// opened gives what is signed with for this owner: the secret in force, and earlier ones that still sign.
func (s *Store) opened(had signing, owner string) (secret string, older []string, err error) {
	if secret, err = s.seals.open(had.Secret, owner); err != nil {
		return "", nil, fmt.Errorf("secret: %w", err)
	}
	still, err := had.still(s.now())
	if err != nil {
		return "", nil, err
	}
	for _, o := range still {
		text, err := s.seals.open(o.Sealed, owner)
		if err != nil {
			return "", nil, fmt.Errorf("an earlier secret: %w", err)
		}
		older = append(older, text)
	}
	return secret, older, nil
}

// rotated gives what an owner signs with from now on, and its new secret. Its row is held. TooMany: too many earlier secrets still sign.
func (s *Store) rotated(had signing, owner string) (next signing, secret string, err error) {
	older, err := had.still(s.now())
	switch {
	case err != nil:
		return had, "", err
	case len(older) >= maxOlder:
		return had, "", ticket.Refuse(ticket.TooMany, fmt.Sprintf("%d earlier secrets still sign; the first of them ends at %s", len(older), older[0].Until.UTC().Format(time.RFC3339)))
	case had.Secret != "":
		older = append(older, olderSecret{had.Secret, s.now().Add(rotationOverlap).UTC()})
	}
	kept, err := json.Marshal(older)
	if err != nil {
		return had, "", fmt.Errorf("write earlier secrets: %w", err)
	}
	secret = newSigningSecret()
	return signing{Secret: s.seals.seal(secret, owner), Older: string(kept)}, secret, nil
}

// newSigningSecret makes one as Standard Webhooks has it.
func newSigningSecret() string { return newSecret(notice.SecretPrefix, base64.StdEncoding) }

// rotateSubscription gives a subscription, whose row is held, a new secret.
func (q *session) rotateSubscription(ctx context.Context, id string) (string, error) {
	var had signing
	if err := q.get(ctx, &had, `SELECT secret, older FROM subscriptions WHERE id = ?`, id); err != nil {
		return "", wrap("read the secrets", err)
	}
	next, secret, err := q.rotated(had, id)
	if err != nil {
		return "", err
	}
	_, err = q.exec(ctx, `UPDATE subscriptions SET secret = ?, older = ? WHERE id = ?`, next.Secret, next.Older, id)
	return secret, wrap("change the secret", err)
}

// Rotate gives a lasting subscription a new secret, which nobody can ask for again. Earlier ones go on signing beside it, each for 24 hours
// from its own rotation. NotFound as with Subscription; TooMany: too many earlier ones still sign.
func (s *Store) Rotate(ctx context.Context, tenant, id string) (secret string, err error) {
	err = s.write(ctx, func(ctx context.Context, q *session) error {
		if _, err := q.lasting(ctx, tenant, id, exclusive); err != nil {
			return err
		}
		secret, err = q.rotateSubscription(ctx, id)
		return err
	})
	return secret, err
}

// RotateAddress does the same for a subscription of a ticket. NotFound as with Registration; Conflict: the address was dropped.
func (s *Store) RotateAddress(ctx context.Context, ticketID int64, subscription string) (secret string, err error) {
	err = s.write(ctx, func(ctx context.Context, q *session) error {
		var state string
		found, err := q.findSubscription(ctx, &state, exclusive, `state`, `id = ? AND ticket_id = ? AND state <> 'deleted'`, subscription, ticketID)
		switch {
		case err != nil:
			return err
		case !found:
			return errNoSubscription
		case state != string(notice.Active):
			return errDropped
		}
		secret, err = q.rotateSubscription(ctx, subscription)
		return err
	})
	return secret, err
}

// serviceOwner is the owner of what a service's requests are signed with. A key has no slash, so no two services have one owner.
func serviceOwner(tenant, key string) string { return "service:" + tenant + "/" + key }

// RotateService does the same for the requests that the processes of a service make. NotFound: the tenant has no such service; Conflict: it is
// built in.
func (s *Store) RotateService(ctx context.Context, tenant, key string) (secret string, err error) {
	if _, ok := builtIn(key); ok {
		return "", ticket.Refuse(ticket.Conflict, "a built-in service makes no requests, so it has no secret")
	}
	key = tidy(key)
	err = s.write(ctx, func(ctx context.Context, q *session) error {
		var had signing
		found, err := q.find(ctx, &had, q.locking(`SELECT secret, older FROM services WHERE tenant = ? AND key = ?`, exclusive), tenant, key)
		switch {
		case err != nil:
			return wrap("read the secrets", err)
		case !found:
			return errNoService
		}
		next, fresh, err := q.rotated(had, serviceOwner(tenant, key))
		if err != nil {
			return err
		}
		secret = fresh
		_, err = q.exec(ctx, `UPDATE services SET secret = ?, older = ? WHERE tenant = ? AND key = ?`, next.Secret, next.Older, tenant, key)
		return wrap("change the secret", err)
	})
	return secret, err
}

// CallSecrets gives what the requests of a ticket's process are signed with: the secret of its service, which is made when it is first asked
// for, and earlier ones that still sign. Where service is empty it is looked up by the ticket. NotFound: the tenant has
// no such service, or it is a built-in one.
func (s *Store) CallSecrets(ctx context.Context, t ticket.Identity, service string) (secret string, older []string, err error) {
	had := signing{}
	err = s.read(ctx, func(q *session) (err error) {
		if service == "" {
			if _, err = q.find(ctx, &service, `SELECT service FROM tickets WHERE tenant = ? AND number = ?`, t.Tenant, t.Number); err != nil {
				return wrap("look for a ticket's service", err)
			}
		}
		if _, ok := builtIn(service); ok {
			return errNoService // that could have a secret
		}
		service = tidy(service)
		had, err = q.serviceSigning(ctx, t.Tenant, service)
		return err
	})
	if err == nil && had.Secret == "" {
		had, err = s.firstSecret(ctx, t.Tenant, service)
	}
	if err == nil {
		secret, older, err = s.opened(had, serviceOwner(t.Tenant, service))
	}
	return secret, older, err
}

func (q *session) serviceSigning(ctx context.Context, tenant, key string) (s signing, err error) {
	found, err := q.find(ctx, &s, `SELECT secret, older FROM services WHERE tenant = ? AND key = ?`, tenant, key)
	if err == nil && !found {
		err = errNoService
	}
	return s, wrap("read the secrets", err)
}

// firstSecret makes a service's first secret, unless somebody else just has, and gives what it signs with then.
func (s *Store) firstSecret(ctx context.Context, tenant, key string) (made signing, err error) {
	err = s.write(ctx, func(ctx context.Context, q *session) error {
		// Of two who come at once the second waits for the row, and then finds that there is one.
		_, err := q.exec(ctx, `UPDATE services SET secret = ? WHERE tenant = ? AND key = ? AND secret = ''`,
			q.seals.seal(newSigningSecret(), serviceOwner(tenant, key)), tenant, key)
		if err != nil {
			return wrap("make the first secret", err)
		}
		made, err = q.serviceSigning(ctx, tenant, key)
		return err
	})
	return made, err
}
