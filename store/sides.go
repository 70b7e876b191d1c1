package store

import (
	"context"
	"slices"

	"signalbox/notice"
	"signalbox/ticket"
)

// complete fills in what the events replace but the ticket itself does not remember: earlier messages and contents of relations.
func (q *session) complete(ctx context.Context, steps []step) error {
	contents, messages := map[string][]string{}, map[string]ticket.Message{}
	for i := range steps {
		id, e := steps[i].after.ID, &steps[i].event
		if o := e.After.Opening; o != nil {
			for _, r := range o.Relations {
				contents[r.Type] = r.Content
			}
		}
		if r := e.After.Relation; r != nil {
			if e.Before.Relation != nil {
				earlier, seen := contents[r.Type]
				if !seen {
					if err := q.all(ctx, &earlier, `SELECT content FROM relations WHERE ticket_id = ? AND type = ? ORDER BY place`, id, r.Type); err != nil {
						return wrap("read a relation", err)
					}
				}
				e.Before.Relation = &ticket.Relation{Type: r.Type, Content: full(earlier)}
			}
			contents[r.Type] = r.Content
		}
		if m := e.After.Message; m != nil {
			if e.Before.Message != nil {
				earlier, seen := messages[m.ID]
				if !seen {
					row := messageRow{ID: m.ID}
					if _, err := q.find(ctx, &row, `SELECT id, author, content FROM messages WHERE ticket_id = ? AND id = ?`, id, m.ID); err != nil {
						return wrap("read a message", err)
					}
					earlier = ticket.Message{ID: row.ID, Author: row.Author, Content: row.Content}
				}
				e.Before.Message = &earlier
			}
			messages[m.ID] = *m
		}
	}
	return nil
}

// full is a list that JSON writes as one even when it is empty.
func full(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// sides brings the tables beside the ticket's row up to date.
func (q *session) sides(ctx context.Context, steps []step) error {
	relations := map[string][]string{}
	for _, s := range steps {
		if o := s.event.After.Opening; o != nil {
			if err := q.begin(ctx, s.after, o.Callback); err != nil {
				return err
			}
			for _, r := range o.Relations {
				relations[r.Type] = r.Content
			}
		}
		if r := s.event.After.Relation; r != nil {
			relations[r.Type] = r.Content
		}
		if m := s.event.After.Message; m != nil {
			if err := q.hear(ctx, s.after.ID, *m, s.event); err != nil {
				return err
			}
		}
	}
	last := steps[len(steps)-1].after
	if err := q.people(ctx, steps); err != nil {
		return err
	}
	if err := q.ended(ctx, steps[0].before, last); err != nil {
		return err
	}
	if err := q.relate(ctx, steps[0].before, last, relations); err != nil {
		return err
	}
	return q.await(ctx, steps[0].before, last)
}

// begin writes what only an opening brings: tags, words, and the address that is owed the ticket's notifications from the start.
func (q *session) begin(ctx context.Context, t ticket.Ticket, callback *ticket.Callback) error {
	var tags, words [][]any
	for _, tag := range t.Tags {
		tags = append(tags, []any{t.Tenant, tag, t.ID})
	}
	for _, term := range termsOf(t) {
		words = append(words, []any{t.Tenant, []byte(term), t.ID})
	}
	if err := q.insert(ctx, `ticket_tags (tenant, tag, ticket_id)`, tags); err != nil {
		return err
	}
	if err := q.insert(ctx, `words (tenant, term, ticket_id)`, words); err != nil {
		return err
	}
	if callback == nil {
		return nil
	}
	headers, err := q.openHeaders(ctx, t.Identity, *callback)
	if err != nil {
		return err
	}
	_, err = q.subscribe(ctx, t, notice.Subscription{URL: callback.URL, Format: notice.Format(callback.Format), Profile: callback.Profile,
		Headers: headers})
	return err
}

// relate replaces the contents of relations.
func (q *session) relate(ctx context.Context, before, t ticket.Ticket, contents map[string][]string) error {
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
		} else if _, err := q.exec(ctx, `DELETE FROM relations WHERE ticket_id = ? AND type = ?`, t.ID, head.Type); err != nil {
			return wrap("empty a relation", err)
		}
		for place, item := range content {
			rows = append(rows, []any{t.ID, head.Type, place, item, t.Tenant})
		}
	}
	return q.insert(ctx, `relations (ticket_id, type, place, content, tenant)`, rows)
}

// hear writes a message down, or its edit.
func (q *session) hear(ctx context.Context, id int64, m ticket.Message, e ticket.Event) error {
	_, err := q.exec(ctx, `INSERT INTO messages (ticket_id, id, seq, author, content, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (ticket_id, id) DO UPDATE SET author = excluded.author, content = excluded.content, updated_at = excluded.updated_at`,
		id, m.ID, e.Seq, m.Author, m.Content, at(e.At), at(e.At))
	return wrap("write a message", err)
}

// await writes down whom the ticket asks to act.
func (q *session) await(ctx context.Context, before, after ticket.Ticket) error {
	was, is := before.WaitingFor(), after.WaitingFor()
	if slices.Equal(was, is) {
		return nil
	}
	if len(was) > 0 {
		if _, err := q.exec(ctx, `DELETE FROM waiting WHERE ticket_id = ?`, after.ID); err != nil {
			return wrap("clear who is asked", err)
		}
	}
	var rows [][]any
	for _, person := range is {
		rows = append(rows, []any{after.Tenant, person, after.ID})
	}
	return q.insert(ctx, `waiting (tenant, person, ticket_id)`, rows)
}
