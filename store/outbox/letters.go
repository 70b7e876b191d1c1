package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"signalbox/notice"
	"signalbox/people"
	"signalbox/store/db"
	"signalbox/ticket"
)

// ofPersons is the ticket_id of subscriptions that are ways of telling a person. Their address is in the directory alone: whoever corrects it there corrects it for what
// is still to be sent, too.
const ofPersons = -1

// mailHost is what the mail server is called where deliveries are shared out by host: all mails go there.
const mailHost = "mail"

// personRow is as much of a person as it takes to write to them.
type personRow struct {
	ID       string `db:"id"`
	UID      string `db:"uid"`
	Name     string `db:"name"`
	Email    string `db:"email"`
	Language string `db:"language"`
	TimeZone string `db:"time_zone"`
	Chats    string `db:"chats"` // as they may be seen
	Letters  string `db:"letters"`
	Hooks    string `db:"hooks"`
}

const personColumns = `id, uid, name, email, language, time_zone, chats, letters, hooks`

// person gives the row's person, who is active.
func (r personRow) person() (p people.Person, err error) {
	p = people.Person{ID: r.ID, Name: r.Name, Email: r.Email, Language: r.Language, TimeZone: r.TimeZone, Active: true}
	if err = json.Unmarshal([]byte(r.Chats), &p.Chats); err == nil && r.Letters != "" {
		err = json.Unmarshal([]byte(r.Letters), &p.Letters)
	}
	return p, db.Wrap("read the person "+r.ID, err)
}

// wayID is the id of the subscription that is a way of telling a person: whoever makes it first makes the same.
func wayID(tenant, uid, way string) string {
	raw, err := json.Marshal([]string{tenant, uid, way})
	if err != nil {
		panic("outbox: strings that do not marshal: " + err.Error())
	}
	return uuid.NewSHA1(wayNamespace, raw).String()
}

var wayNamespace = uuid.MustParse("6f7f2a58-5a1d-4f0e-9f5c-0b0f3f3d9a41")

// enqueueLetters adds what people are to be told of a projection's steps, those who follow the ticket among them, and gives the ways in which, each once.
func (o *Outbox) enqueueLetters(ctx context.Context, q *db.Tx, steps []Step, to *Audience, following []string, render notice.Context, pending map[string][]deliveryRow) (ways []follower, err error) {
	tellings, followers := make([][]notice.Telling, len(steps)), followersOf(steps, following)
	var ids []string
	for i, s := range steps {
		tellings[i] = notice.Tell(render, s.Before, s.Event, s.After, followers)
		for _, t := range tellings[i] {
			ids = append(ids, t.To...)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	tenant := steps[0].After.Tenant
	persons, err := o.activePersons(ctx, q, tenant, cleaned(ids), to)
	if err != nil || len(persons) == 0 {
		return nil, err
	}
	var rows [][]any
	for i, s := range steps {
		for _, told := range notice.Tellings(tellings[i], func(id string) bool { return persons[id].ID != "" }) {
			p, row := persons[told.Person], persons[told.Person].row
			letter := notice.Letter{Language: notice.LanguageOf(p.Language), Zone: p.TimeZone, Items: []notice.Item{told.Item}}
			if letter.Zone == "" {
				letter.Zone = o.zoneName()
			}
			for _, way := range p.Ways() {
				if way == people.ByMail && !o.mail {
					continue
				}
				d := deliveryRow{At: db.At(s.Event.At), Seq: s.Event.Seq, Type: string(told.Item.Why), Body: string(letter.Body()), Letter: true, Hops: s.Event.Hops}
				if p.Letters.When == people.InDigest {
					due := db.At(q.Now().Add(time.Duration(p.Letters.Minutes) * time.Minute))
					d.State, d.NextTry = string(notice.Gathering), &due
				}
				id := wayID(tenant, row.UID, way)
				if pending[id] == nil {
					ways = append(ways, follower{ID: id, Format: way})
					rows = append(rows, o.wayRow(q, id, tenant, row, p.Person, way))
				}
				pending[id] = append(pending[id], d)
			}
		}
	}
	slices.SortFunc(rows, func(a, b []any) int { return strings.Compare(a[0].(string), b[0].(string)) }) // the order of locks
	return ways, q.InsertMissing(ctx, `subscriptions (id, tenant, ticket_id, person, url, host, format, profile, secret, headers, tls, trust, unordered, timeout, state, reason, created_at, filter, shape, selector)`, rows)
}

// wayRow is what is stored of a way of telling a person.
func (o *Outbox) wayRow(q *db.Tx, id, tenant string, row personRow, p people.Person, way string) []any {
	url, host := mailHost, mailHost
	if i := slices.IndexFunc(p.Chats, func(c people.Chat) bool { return c.Network == way }); i >= 0 {
		url, host = wayAddress(p.Chats[i].Webhook)
	}
	return []any{id, tenant, ofPersons, row.UID, url, host, way, notice.Letters, "", "", "", "", false, 0, string(notice.Active), "", db.At(q.Now()), `{}`, 0, ""}
}

// wayAddress gives what of a webhook is no secret, as a subscription's address and host.
func wayAddress(webhook string) (url, host string) {
	a := notice.AddressOf(notice.OriginOf(webhook) + "/")
	return a.URL, a.Host
}

// known is a person whom something is to be told.
type known struct {
	people.Person
	row personRow
}

// cleaned gives ids as the directory has them, each once.
func cleaned(ids []string) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = db.CleanText(id)
	}
	return db.Distinct(out)
}

const findPersons = `SELECT ` + personColumns + ` FROM directory_persons WHERE tenant = ? AND active AND id IN (?)`

// followersOf gives who follows the ticket as steps of it are projected: whoever does now, and whom an opening among the steps names, which is not written down yet where they were asked for.
func followersOf(steps []Step, now []string) []string {
	if o := steps[0].Event.After.Opening; o != nil {
		return cleaned(slices.Concat(now, o.Followers))
	}
	return now
}

// activePersons finds active persons by their ids, among those who were looked for already and elsewhere.
func (o *Outbox) activePersons(ctx context.Context, q *db.Tx, tenant string, ids []string, already *Audience) (map[string]known, error) {
	rows := already.persons
	ids = slices.DeleteFunc(ids, func(id string) bool { _, looked := slices.BinarySearch(already.looked, id); return looked })
	for chunk := range slices.Chunk(ids, db.MaxParameters/2) {
		var some []personRow
		if err := q.AllIn(ctx, &some, findPersons, tenant, chunk); err != nil {
			return nil, db.Wrap("find who is to be told", err)
		}
		rows = append(rows, some...)
	}
	found := map[string]known{}
	for _, r := range rows {
		p, err := r.person()
		if err != nil {
			return nil, err
		}
		found[r.ID] = known{p, r}
	}
	return found, nil
}

// addressees finds, by uid, the persons that rows of one or several tenants go to.
func (o *Outbox) addressees(ctx context.Context, q *db.Tx, rows []workRow) (map[string]personRow, error) {
	byTenant := map[string][]string{}
	for _, r := range rows {
		if r.Sub.Person != "" {
			byTenant[r.Sub.Tenant] = append(byTenant[r.Sub.Tenant], r.Sub.Person)
		}
	}
	found := map[string]personRow{}
	for tenant, uids := range byTenant {
		var some []personRow
		if err := q.AllIn(ctx, &some, `SELECT `+personColumns+` FROM directory_persons WHERE tenant = ? AND uid IN (?)`, tenant, db.Distinct(uids)); err != nil {
			return nil, db.Wrap("find whom letters go to", err)
		}
		for _, r := range some {
			found[r.UID] = r
		}
	}
	return found, nil
}

// address completes work that is a letter with where it goes, as the directory has it now.
func (o *Outbox) address(w *notice.Work, way string, r personRow) error {
	p, err := r.person()
	if err != nil {
		return err
	}
	w.Contact.Name = p.Label()
	if way == people.ByMail {
		if w.Contact.Address = p.Email; p.Email == "" {
			w.Unsendable = "the directory has no e-mail address of the person"
		}
		return nil
	}
	i := slices.IndexFunc(p.Chats, func(c people.Chat) bool { return c.Network == way && c.Webhook != "" })
	if i < 0 {
		w.Unsendable = "the directory has no webhook of the person for " + way
		return nil
	}
	hooks, err := o.vault.OpenHooks(r.Hooks, r.UID)
	if err != nil {
		return err
	}
	w.Contact.Address, w.Contact.Webhook, w.Contact.Secret = p.Chats[i].Address, hooks[way].Webhook, hooks[way].Secret
	if w.Contact.Webhook == "" {
		return errors.New("a webhook that is shown is not kept")
	}
	w.Subscription.URL, w.Subscription.Host = wayAddress(w.Contact.Webhook)
	return nil
}

// named gives the ids of the persons whose ways subscriptions are, in place of their uids, as far as they are known.
func (o *Outbox) named(ctx context.Context, q *db.Tx, subs []notice.Subscription) error {
	var uids []string
	tenant := ""
	for _, s := range subs {
		if s.Person != "" {
			tenant, uids = s.Tenant, append(uids, s.Person)
		}
	}
	if len(uids) == 0 {
		return nil
	}
	var rows []personRow
	if err := q.AllIn(ctx, &rows, `SELECT id, uid FROM directory_persons WHERE tenant = ? AND uid IN (?)`, tenant, db.Distinct(uids)); err != nil {
		return db.Wrap("name who is told", err)
	}
	for i := range subs {
		for _, r := range rows {
			if subs[i].Person == r.UID {
				subs[i].Person = r.ID
			}
		}
	}
	return nil
}

func (o *Outbox) zoneName() string {
	if o.zone == nil {
		return time.UTC.String()
	}
	return o.zone.String()
}

// GatherDigests makes digests of what waits for one, in at most so many ways of telling somebody, where the first of it is due: see activities.Outbox.
func (o *Outbox) GatherDigests(ctx context.Context, limit int) (made int, err error) {
	var due []struct {
		ID     string `db:"subscription_id"`
		Tenant string `db:"tenant"`
	}
	err = o.db.Read(ctx, func(q *db.Tx) error {
		return q.All(ctx, &due, `SELECT DISTINCT subscription_id, tenant FROM deliveries WHERE state = 'gathering' AND next_try <= ? LIMIT ?`, db.At(q.Now()), limit)
	})
	if err != nil {
		return 0, db.Wrap("look for digests", err)
	}
	var faults []error
	for _, way := range due {
		err := o.db.Write(ctx, func(ctx context.Context, q *db.Tx) error { return o.gather(ctx, q, way.Tenant, way.ID) })
		if err != nil {
			faults = append(faults, fmt.Errorf("make a digest for %s: %w", way.ID, err))
			continue
		}
		made++
	}
	return made, errors.Join(faults...)
}

// gather makes one delivery of what waits for a digest. Digests of one way follow each other in a lane of their own.
func (o *Outbox) gather(ctx context.Context, q *db.Tx, tenant, way string) error {
	lane := StreamLane(tenant, "letters."+way)
	where, err := q.EnterLane(ctx, lane)
	if err != nil {
		return err
	}
	to, err := o.lockFollowers(ctx, q, []follower{{ID: way}})
	if err != nil {
		return err
	}
	var rows []deliveryRow
	err = q.All(ctx, &rows, q.Locking(`SELECT `+deliveryColumns+` FROM deliveries d WHERE d.subscription_id = ? AND d.state = 'gathering' ORDER BY d.id LIMIT ?`, db.Exclusive), way, notice.MaxDigest)
	if err != nil || len(rows) == 0 {
		return db.Wrap("list what waits for a digest", err)
	}
	as, reason := notice.Cancelled, "nobody is told in this way any more"
	if len(to) > 0 {
		digest := deliveryRow{At: where.At, Seq: where.Seq, Type: string(notice.InDigest), Letter: true}
		letters := make([]notice.Letter, len(rows))
		for i, r := range rows {
			if letters[i], err = notice.ReadLetter([]byte(r.Body)); err != nil {
				return fmt.Errorf("read %s: %w", r.ID, err)
			}
			digest.Hops = max(digest.Hops, r.Hops)
		}
		digest.Body = string(notice.Digest(letters).Body())
		as, reason = notice.Digested, "is part of "+deliveryID(way, lane, digest)
		if err := o.insertDeliveries(ctx, q, tenant, lane, to, map[string][]deliveryRow{way: {digest}}); err != nil {
			return err
		}
	}
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	_, err = q.ExecIn(ctx, `UPDATE deliveries SET state = ?, reason = ?, next_try = NULL, ended_at = ? WHERE id IN (?)`, string(as), reason, db.At(q.Now()), ids)
	return db.Wrap("end what was waiting for a digest", err)
}

var errOfDirectory = ticket.Refuse(ticket.Conflict, "it is how a person is told; that is kept in the directory")
