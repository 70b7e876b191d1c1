package store

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"strconv"
	"strings"
)

// notary makes and checks the digests by which a change that somebody made to the database by hand is found: HMAC-SHA256 under a data key
// (KeyAudit), so that whoever can write the database alone cannot make them.
type notary struct{ keys [][]byte } // the first is the one in force

func (q *session) notary(ctx context.Context) (notary, error) {
	keys, err := q.dataKeys(ctx, KeyAudit)
	return notaryOf(keys), wrap("read the key of the chain", err)
}

func notaryOf(keys []DataKey) (a notary) {
	for _, k := range keys {
		a.keys = append(a.keys, k.Key)
	}
	return a
}

func (a notary) digest(parts ...string) string { return digestUnder(a.keys[0], parts) }

// holds reports whether a digest is ours, under whichever key.
func (a notary) holds(digest string, parts ...string) bool {
	for _, key := range a.keys {
		if hmac.Equal([]byte(digest), []byte(digestUnder(key, parts))) {
			return true
		}
	}
	return false
}

func digestUnder(key []byte, parts []string) string { return hex.EncodeToString(macOf(key, parts...)) }

// macOf is the HMAC-SHA256 of some parts. Their lengths keep the bounds between them.
func macOf(key []byte, parts ...string) []byte {
	mac := hmac.New(sha256.New, key)
	for _, part := range parts {
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		mac.Write([]byte(part))
	}
	return mac.Sum(nil)
}

// link is a row of a ticket's timeline, as the chain sees it. Rows are in the order of seq and n, which is that in which they were written.
type link struct {
	event  bool  // or else an alert
	seq, n int64 // n: which of the alerts after the event seq
	parts  []string
	hash   string
}

func (a notary) hash(previous string, l link) string {
	return a.digest(append([]string{"row", previous}, l.parts...)...)
}

// follows reports whether a row is what was written after the one with that hash.
func (a notary) follows(previous string, l link) bool {
	return a.holds(l.hash, append([]string{"row", previous}, l.parts...)...)
}

// head is where a ticket's chain ends. It is sealed, or else the last rows could be cut off: their hashes are there for everybody to read,
// but the seal of an earlier end is not.
type head struct {
	rows    int64  // in the chain
	adopted int64  // of these, how many were taken in long after they had been written; see Verify
	last    string // hash of the last row
	seal    string
}

// broken is the seal of an end that was not as we had left it when more was added. It stays so: going on must not hide what was done.
const broken = "broken"

// String writes it as the ticket's row has it.
func (h head) String() string {
	return strings.Join([]string{number(h.rows), number(h.adopted), h.last, h.seal}, ".")
}

// parseHead reads what String wrote; the empty text is a chain without rows.
func parseHead(text string) (h head, ok bool) {
	if text == "" {
		return h, true
	}
	parts := strings.Split(text, ".")
	if len(parts) != 4 {
		return h, false
	}
	var failed [2]error
	h.rows, failed[0] = strconv.ParseInt(parts[0], 10, 64)
	h.adopted, failed[1] = strconv.ParseInt(parts[1], 10, 64)
	h.last, h.seal = parts[2], parts[3]
	return h, failed == [2]error{}
}

func (h head) parts(ticket int64) []string {
	return []string{"head", number(ticket), number(h.rows), number(h.adopted), h.last}
}

// intact reports whether the text is the end of a ticket's chain as we left it.
func (a notary) intact(ticket int64, text string) bool {
	h, ok := parseHead(text)
	return ok && (text == "" || a.holds(h.seal, h.parts(ticket)...))
}

func (a notary) sealed(ticket int64, h head) string {
	h.seal = a.digest(h.parts(ticket)...)
	return h.String()
}

// extend gives rows that are added to a ticket's timeline their hashes, and tells where the chain ends then.
func (a notary) extend(ticket int64, text string, links []link) string {
	h, _ := parseHead(text)
	for i := range links {
		links[i].hash = a.hash(h.last, links[i])
		h.last = links[i].hash
		h.rows++
	}
	if !a.intact(ticket, text) {
		h.seal = broken
		return h.String()
	}
	return a.sealed(ticket, h)
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

// eventRow is an event as the table has it.
type eventRow struct {
	Ticket    int64  `db:"ticket_id"`
	Seq       int64  `db:"seq"`
	At        moment `db:"at"`
	Type      string `db:"type"`
	Actor     string `db:"actor"`
	Operation string `db:"operation"`
	Content   string `db:"content"`
	Hash      string `db:"hash"`
}

const eventColumns = `ticket_id, seq, at, type, actor, operation, content, hash`

func (r eventRow) link() link {
	return link{event: true, seq: r.Seq, hash: r.Hash, parts: []string{"event", number(r.Ticket), number(r.Seq), r.At.text(), r.Type, r.Actor,
		r.Operation, r.Content}}
}

// alertRow is an alert as the table has it.
type alertRow struct {
	ID           string `db:"id"`
	Tenant       string `db:"tenant"`
	Ticket       int64  `db:"ticket_id"`
	Seq          int64  `db:"seq"`
	N            int64  `db:"n"`
	At           moment `db:"at"`
	Kind         string `db:"kind"`
	Subscription string `db:"subscription_id"`
	Delivery     string `db:"delivery_id"`
	Host         string `db:"host"`
	Reason       string `db:"reason"`
	Hash         string `db:"hash"`
}

const alertColumns = `id, tenant, ticket_id, seq, n, at, kind, subscription_id, delivery_id, host, reason, hash`

func (r alertRow) link() link {
	return link{seq: r.Seq, n: r.N, hash: r.Hash, parts: []string{"alert", r.ID, r.Tenant, number(r.Ticket), number(r.Seq), number(r.N),
		r.At.text(), r.Kind, r.Subscription, r.Delivery, r.Host, r.Reason}}
}

// chainAlert gives an alert its hash, and tells where the chain of its ticket ends with it. The ticket's row is held.
func (q *session) chainAlert(ctx context.Context, r *alertRow) (end string, err error) {
	var tip string
	if err := q.get(ctx, &tip, `SELECT chain FROM tickets WHERE id = ?`, r.Ticket); err != nil {
		return "", wrap("read where a chain ends", err)
	}
	a, err := q.notary(ctx)
	if err != nil {
		return "", err
	}
	links := []link{r.link()}
	end = a.extend(r.Ticket, tip, links)
	r.Hash = links[0].hash
	return end, nil
}

// timelineBatch is how many rows of a timeline are read at once: each may have a mebibyte.
const timelineBatch = 50

// timeline goes through the rows of a ticket's timeline in the order in which they were written, a batch at a time. content is the event's.
func (q *session) timeline(ctx context.Context, id int64, see func(l link, content string) error) error {
	events, alerts := []eventRow{}, []alertRow{}
	event, alert := int64(math.MinInt64), [2]int64{math.MinInt64, 0}
	moreEvents, moreAlerts := true, true
	for {
		if len(events) == 0 && moreEvents {
			err := q.all(ctx, &events, `SELECT `+eventColumns+` FROM events WHERE ticket_id = ? AND seq > ? ORDER BY seq LIMIT ?`, id, event, timelineBatch)
			if err != nil {
				return wrap("list events", err)
			}
			moreEvents = len(events) == timelineBatch
		}
		if len(alerts) == 0 && moreAlerts {
			err := q.all(ctx, &alerts, `SELECT `+alertColumns+` FROM alerts WHERE ticket_id = ? AND (seq, n) > (?, ?) ORDER BY seq, n LIMIT ?`,
				id, alert[0], alert[1], timelineBatch)
			if err != nil {
				return wrap("list alerts", err)
			}
			moreAlerts = len(alerts) == timelineBatch
		}
		switch {
		case len(events) == 0 && len(alerts) == 0:
			return nil
		case len(alerts) == 0 || len(events) > 0 && events[0].Seq <= alerts[0].Seq:
			if err := see(events[0].link(), events[0].Content); err != nil {
				return err
			}
			event, events = events[0].Seq, events[1:]
		default:
			if err := see(alerts[0].link(), ""); err != nil {
				return err
			}
			alert, alerts = [2]int64{alerts[0].Seq, alerts[0].N}, alerts[1:]
		}
	}
}
