package verify

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"signalbox/desk"
	"signalbox/store/chain"
	"signalbox/store/db"
	"signalbox/store/tickets"
	"signalbox/store/vault"
	"signalbox/ticket"
)

// Remake makes the rows of tickets and all that lies beside them anew, as their timelines have it, and tells see of each what was not so; a dry run only tells. What is right is read and not
// written. A ticket whose timeline was changed by hand, or cannot be read, is left as it is: see desk.Remade. The rows of one ticket are held at a time, while they are compared once more and
// written, so that one which moves meanwhile comes to where it moved. Ids without a ticket are passed over.
func (s *Verifier) Remake(ctx context.Context, ids []int64, dry bool, see func(desk.Remade) error) error {
	keys, err := s.vault.DataKeys(ctx, vault.KeyAudit)
	if err != nil {
		return err
	}
	v := &verification{store: s, Keyring: chain.KeyringOf(keys)}
	for _, id := range ids {
		one, known, err := v.remake(ctx, id, dry)
		switch err = db.TranslateError(err); {
		case err != nil && (ctx.Err() != nil || ticket.Is(err, ticket.Unavailable)):
			return fmt.Errorf("ticket %d: %w", id, err)
		case err != nil: // it must not keep the others
			one.Wrong, one.Unknown = nil, append(one.Unknown, "it cannot be written: "+err.Error())
		case !known:
			continue
		}
		if err := see(one); err != nil {
			return err
		}
	}
	return nil
}

func (v *verification) remake(ctx context.Context, id int64, dry bool) (out desk.Remade, known bool, err error) {
	i, known, err := v.inspect(ctx, v.store.db.Reader(), id, false)
	if out = i.remade(); err != nil || !known || i.whole() {
		return out, known, err
	}
	err = v.store.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		if i, known, err = v.inspect(ctx, q, id, true); err != nil {
			return err
		}
		if out = i.remade(); !known || !i.sound || i.whole() || dry {
			return nil
		}
		if err := v.store.tickets.Restore(ctx, q, i.derived()); err != nil {
			return err
		}
		now, _, err := v.inspect(ctx, q, id, true)
		if err == nil && !now.whole() {
			err = fmt.Errorf("it is not what it was written as: %s", strings.Join(now.remade().Wrong, "; "))
		}
		return err
	})
	return out, known, err
}

// whole reports whether everything is as its timeline has it.
func (i *inspection) whole() bool { return i.sound && len(i.faults)+len(i.stale) == 0 }

// remade tells what was found, as it is to be put right.
func (i *inspection) remade() (out desk.Remade) {
	out.Identity, out.Doubt = ticket.Identity{ID: i.row.ID, Number: i.row.Number, Tenant: i.row.Tenant, UUID: i.row.UUID}, i.row.Doubt
	if !i.sound {
		if out.Unknown = i.faults; i.blind {
			out.Unknown = append(slices.Clone(i.faults), "its timeline cannot be read by this version")
		}
		if len(out.Unknown) == 0 {
			out.Unknown = []string{"it has no timeline"}
		}
		return out
	}
	out.Ticket, out.Wrong = i.state, slices.Concat(i.faults, i.stale)
	return out
}

func (i *inspection) derived() tickets.Derived {
	d := tickets.Derived{Ticket: i.state, Opened: i.opened}
	for p, seq := range i.parts {
		d.People = append(d.People, tickets.Participant{Person: p.Person, Part: p.Part, Seq: seq})
	}
	return d
}
