package services

import (
	"context"

	"signalbox/store/db"
	"signalbox/store/vault"
	"signalbox/ticket"
)

// RotateService does the same for the requests that the processes of a service make. NotFound: the tenant has no such service; Conflict: it is
// built in.
func (c *Catalogue) RotateService(ctx context.Context, tenant, key string) (secret string, err error) {
	if _, ok := builtIn(key); ok {
		return "", ticket.Refuse(ticket.Conflict, "a built-in service makes no requests, so it has no secret")
	}
	key = db.CleanText(key)
	err = c.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		var had vault.Signing
		found, err := q.Find(ctx, &had, q.Locking(`SELECT secret, older FROM services WHERE tenant = ? AND key = ?`, db.Exclusive), tenant, key)
		switch {
		case err != nil:
			return db.Wrap("read the secrets", err)
		case !found:
			return errNoService
		}
		next, fresh, err := c.vault.RotateSigning(had, vault.ServiceOwner(tenant, key))
		if err != nil {
			return err
		}
		secret = fresh
		_, err = q.Exec(ctx, `UPDATE services SET secret = ?, older = ? WHERE tenant = ? AND key = ?`, next.Secret, next.Older, tenant, key)
		return db.Wrap("change the secret", err)
	})
	return secret, err
}

// CallSecrets gives what the requests of a ticket's process are signed with: the secret of its service, which is made when it is first asked
// for, and earlier ones that still sign. Where service is empty it is looked up by the ticket. NotFound: the tenant has
// no such service, or it is a built-in one.
func (c *Catalogue) CallSecrets(ctx context.Context, t ticket.Identity, service string) (secret string, older []string, err error) {
	had := vault.Signing{}
	err = c.db.Read(ctx, func(q *db.Tx) (err error) {
		if service == "" {
			if _, err = q.Find(ctx, &service, `SELECT service FROM tickets WHERE tenant = ? AND number = ?`, t.Tenant, t.Number); err != nil {
				return db.Wrap("look for a ticket's service", err)
			}
		}
		if _, ok := builtIn(service); ok {
			return errNoService // that could have a secret
		}
		service = db.CleanText(service)
		had, err = c.serviceSigning(ctx, q, t.Tenant, service)
		return err
	})
	if err == nil && had.Secret == "" {
		had, err = c.firstSecret(ctx, t.Tenant, service)
	}
	if err == nil {
		secret, older, err = c.vault.OpenSigning(had, vault.ServiceOwner(t.Tenant, service))
	}
	return secret, older, err
}

func (c *Catalogue) serviceSigning(ctx context.Context, q *db.Tx, tenant, key string) (s vault.Signing, err error) {
	found, err := q.Find(ctx, &s, `SELECT secret, older FROM services WHERE tenant = ? AND key = ?`, tenant, key)
	if err == nil && !found {
		err = errNoService
	}
	return s, db.Wrap("read the secrets", err)
}

// firstSecret makes a service's first secret, unless somebody else just has, and gives what it signs with then.
func (c *Catalogue) firstSecret(ctx context.Context, tenant, key string) (made vault.Signing, err error) {
	err = c.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		// Of two who come at once the second waits for the row, and then finds that there is one.
		_, err := q.Exec(ctx, `UPDATE services SET secret = ? WHERE tenant = ? AND key = ? AND secret = ''`,
			c.vault.Encrypt(vault.NewSigningSecret(), vault.ServiceOwner(tenant, key)), tenant, key)
		if err != nil {
			return db.Wrap("make the first secret", err)
		}
		made, err = c.serviceSigning(ctx, q, tenant, key)
		return err
	})
	return made, err
}
