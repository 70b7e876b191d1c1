package tickets

import (
	"context"
	"slices"

	"signalbox/notice"
	"signalbox/store/db"
	"signalbox/store/outbox"
	"signalbox/ticket"
)

// fillBefore fills in what the events replace but the ticket itself does not remember: earlier messages and contents of relations.
func (p *Projections) fillBefore(ctx context.Context, q *db.Tx, steps []outbox.Step) error {
	contents, messages := map[string][]string{}, map[string]ticket.Message{}
	for i := range steps {
		id, e := steps[i].After.ID, &steps[i].Event
		if o := e.After.Opening; o != nil {
			for _, r := range o.Relations {
				contents[r.Type] = r.Content
			}
		}
		if r := e.After.Relation; r != nil {
			if e.Before.Relation != nil {
				earlier, seen := contents[r.Type]
				if !seen {
					if err := q.All(ctx, &earlier, `SELECT content FROM relations WHERE ticket_id = ? AND type = ? ORDER BY place`, id, r.Type); err != nil {
						return db.Wrap("read a relation", err)
					}
				}
				e.Before.Relation = &ticket.Relation{Type: r.Type, Content: nonNil(earlier)}
			}
			contents[r.Type] = r.Content
		}
		if m := e.After.Message; m != nil {
			if e.Before.Message != nil {
				earlier, seen := messages[m.ID]
				if !seen {
					earlier.ID = m.ID
					if _, err := q.Find(ctx, &earlier, `SELECT id, author, content FROM messages WHERE ticket_id = ? AND id = ?`, id, m.ID); err != nil {
						return db.Wrap("read a message", err)
					}
				}
				e.Before.Message = &earlier
			}
			messages[m.ID] = *m
		}
	}
	return nil
}

// nonNil is a list that JSON writes as one even when it is empty.
func nonNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// updateProjections writes what the steps change in the tables that are read beside the ticket's row: tags, words and the callback when it opens, then
// messages, people, relations, what is counted of it, where it stands, why it cannot go on and who is waited for. The ticket's row is held. stuck is why it cannot go on as it is written down.
func (p *Projections) updateProjections(ctx context.Context, q *db.Tx, steps []outbox.Step, stuck ticket.Cause) error {
	relations := map[string][]string{}
	for _, s := range steps {
		if o := s.Event.After.Opening; o != nil {
			if err := p.insertOpening(ctx, q, s.After, o.Callback); err != nil {
				return err
			}
			for _, r := range o.Relations {
				relations[r.Type] = r.Content
			}
		}
		if r := s.Event.After.Relation; r != nil {
			relations[r.Type] = r.Content
		}
		if m := s.Event.After.Message; m != nil {
			if err := p.upsertMessage(ctx, q, s.After.ID, *m, s.Event); err != nil {
				return err
			}
		}
	}
	last := steps[len(steps)-1].After
	if err := p.updatePeople(ctx, q, steps); err != nil {
		return err
	}
	if err := p.updateEnded(ctx, q, steps[0].Before, last); err != nil {
		return err
	}
	if err := p.replaceRelations(ctx, q, steps[0].Before, last, relations); err != nil {
		return err
	}
	if err := p.tally(ctx, q, steps); err != nil {
		return err
	}
	if err := p.updateNodes(ctx, q, steps[0].Before, last); err != nil {
		return err
	}
	if err := p.updateStuck(ctx, q, steps[0].Before, last, stuck); err != nil {
		return err
	}
	return p.updateWaiting(ctx, q, steps[0].Before, last)
}

// insertOpening writes what only an opening brings: tags, words, and the address that is owed the ticket's notifications from the start.
func (p *Projections) insertOpening(ctx context.Context, q *db.Tx, t ticket.Ticket, callback *ticket.Callback) error {
	var tags [][]any
	for _, tag := range t.Tags {
		tags = append(tags, []any{t.Tenant, tag, t.ID})
	}
	if err := q.Insert(ctx, `ticket_tags (tenant, tag, ticket_id)`, tags); err != nil {
		return err
	}
	if err := p.queueTerms(ctx, q, t); err != nil {
		return err
	}
	if callback == nil {
		return nil
	}
	headers, err := p.vault.DecryptHeaders(ctx, q, t.Identity, *callback)
	if err != nil {
		return err
	}
	_, err = p.outbox.SubscribeTicket(ctx, q, t, notice.Subscription{URL: callback.URL, Format: notice.Format(callback.Format), Profile: callback.Profile,
		Headers: headers})
	return err
}

// replaceRelations replaces the contents of relations.
func (p *Projections) replaceRelations(ctx context.Context, q *db.Tx, before, t ticket.Ticket, contents map[string][]string) error {
	had := map[string]bool{}
	for _, head := range before.Relations {
		had[head.Type] = head.Count > 0
	}
	var rows [][]any
	for _, head := range t.Relations {
		content, changed := contents[head.Type]
		if !changed {
			continue
		}
		if !had[head.Type] {
			// Nothing to empty.
		} else if err := q.Later(ctx, `DELETE FROM relations WHERE ticket_id = ? AND type = ?`, t.ID, head.Type); err != nil {
			return db.Wrap("empty a relation", err)
		}
		for place, item := range content {
			rows = append(rows, []any{t.ID, head.Type, place, item, t.Tenant})
		}
	}
	return q.Insert(ctx, `relations (ticket_id, type, place, content, tenant)`, rows)
}

// upsertMessage writes a message down, or its edit.
func (p *Projections) upsertMessage(ctx context.Context, q *db.Tx, id int64, m ticket.Message, e ticket.Event) error {
	err := q.Later(ctx, `INSERT INTO messages (ticket_id, id, seq, author, content, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (ticket_id, id) DO UPDATE SET author = excluded.author, content = excluded.content, updated_at = excluded.updated_at`,
		id, m.ID, e.Seq, m.Author, m.Content, db.At(e.At), db.At(e.At))
	return db.Wrap("write a message", err)
}

// updateWaiting writes down whom the ticket asks to act.
func (p *Projections) updateWaiting(ctx context.Context, q *db.Tx, before, after ticket.Ticket) error {
	was, is := before.WaitingFor(), after.WaitingFor()
	if slices.Equal(was, is) {
		return nil
	}
	if len(was) > 0 {
		if err := q.Later(ctx, `DELETE FROM waiting WHERE ticket_id = ?`, after.ID); err != nil {
			return db.Wrap("clear who is asked", err)
		}
	}
	var rows [][]any
	for _, person := range is {
		rows = append(rows, []any{after.Tenant, person, after.ID})
	}
	return q.Insert(ctx, `waiting (tenant, person, ticket_id)`, rows)
}
