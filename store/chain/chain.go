package chain

import (
	"context"
	"crypto/hmac"
	"encoding/hex"
	"math"
	"strconv"
	"strings"

	"signalbox/store/db"
	"signalbox/store/vault"
)

// Chain extends and reads the chains of timelines, and accounts for the ids of tickets.
type Chain struct {
	db    *db.DB
	vault *vault.Vault
}

// New gives the chains of a database.
func New(d *db.DB, v *vault.Vault) *Chain { return &Chain{db: d, vault: v} }

// Keyring makes and checks the digests by which a change that somebody made to the database by hand is found: HMAC-SHA256 under a data key
// (KeyAudit), so that whoever can write the database alone cannot make them.
type Keyring struct{ keys [][]byte } // the first is the one in force

// Keyring gives the keys that the database's digests are made with; the first use makes one.
func (c *Chain) Keyring(ctx context.Context, q *db.Tx) (Keyring, error) {
	keys, err := c.vault.KeysIn(ctx, q, vault.KeyAudit)
	return KeyringOf(keys), db.Wrap("read the key of the chain", err)
}

// KeyringOf gives a keyring of data keys of the purpose KeyAudit; the first is the one in force.
func KeyringOf(keys []vault.DataKey) (a Keyring) {
	for _, k := range keys {
		a.keys = append(a.keys, k.Key)
	}
	return a
}

// Digest gives the MAC of parts under the key in force, in hexadecimal.
func (a Keyring) Digest(parts ...string) string { return digestUnder(a.keys[0], parts) }

// Holds reports whether a digest is ours, under whichever key.
func (a Keyring) Holds(digest string, parts ...string) bool {
	for _, key := range a.keys {
		if hmac.Equal([]byte(digest), []byte(digestUnder(key, parts))) {
			return true
		}
	}
	return false
}

func digestUnder(key []byte, parts []string) string {
	return hex.EncodeToString(vault.MAC(key, parts...))
}

// Link is a row of a ticket's timeline, as the chain sees it. Rows are in the order of seq and n, which is that in which they were written.
type Link struct {
	Event  bool  // or else an alert
	Seq, N int64 // n: which of the alerts after the event seq
	parts  []string
	Hash   string
}

// Hash gives the digest of a row that comes after the one with that hash; the first comes after the empty one.
func (a Keyring) Hash(previous string, l Link) string {
	return a.Digest(append([]string{"row", previous}, l.parts...)...)
}

// Follows reports whether a row is what was written after the one with that hash.
func (a Keyring) Follows(previous string, l Link) bool {
	return a.Holds(l.Hash, append([]string{"row", previous}, l.parts...)...)
}

// Tip is where a ticket's chain ends. It has a MAC, or else the last rows could be cut off: their hashes are there for everybody to read,
// but the MAC of an earlier end is not.
type Tip struct {
	Rows       int64  // in the chain
	Backfilled int64  // of these, how many were taken in long after they had been written; see Verify
	Last       string // hash of the last row
	mac        string
}

// broken is the MAC of an end that was not as we had left it when more was added. It stays so: going on must not hide what was done.
const broken = "broken"

// String writes it as the ticket's row has it.
func (h Tip) String() string {
	return strings.Join([]string{number(h.Rows), number(h.Backfilled), h.Last, h.mac}, ".")
}

// ParseTip reads what String wrote; the empty text is a chain without rows.
func ParseTip(text string) (h Tip, ok bool) {
	if text == "" {
		return h, true
	}
	parts := strings.Split(text, ".")
	if len(parts) != 4 {
		return h, false
	}
	var failed [2]error
	h.Rows, failed[0] = strconv.ParseInt(parts[0], 10, 64)
	h.Backfilled, failed[1] = strconv.ParseInt(parts[1], 10, 64)
	h.Last, h.mac = parts[2], parts[3]
	return h, failed == [2]error{}
}

func (h Tip) parts(ticket int64) []string {
	return []string{"head", number(ticket), number(h.Rows), number(h.Backfilled), h.Last}
}

// Intact reports whether the text is the end of a ticket's chain as we left it.
func (a Keyring) Intact(ticket int64, text string) bool {
	h, ok := ParseTip(text)
	return ok && (text == "" || a.Holds(h.mac, h.parts(ticket)...))
}

// Signed gives the end of a ticket's chain as text, with its MAC.
func (a Keyring) Signed(ticket int64, h Tip) string {
	h.mac = a.Digest(h.parts(ticket)...)
	return h.String()
}

// Extend gives rows that are added to a ticket's timeline their hashes, and tells where the chain ends then.
func (a Keyring) Extend(ticket int64, text string, links []Link) string {
	h, _ := ParseTip(text)
	for i := range links {
		links[i].Hash = a.Hash(h.Last, links[i])
		h.Last = links[i].Hash
		h.Rows++
	}
	if !a.Intact(ticket, text) {
		h.mac = broken
		return h.String()
	}
	return a.Signed(ticket, h)
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

// EventRow is an event as the table has it.
type EventRow struct {
	Ticket    int64        `db:"ticket_id"`
	Seq       int64        `db:"seq"`
	At        db.Timestamp `db:"at"`
	Type      string       `db:"type"`
	Actor     string       `db:"actor"`
	Operation string       `db:"operation"`
	Content   string       `db:"content"`
	Hash      string       `db:"hash"`
}

// EventColumns are those of an EventRow.
const EventColumns = `ticket_id, seq, at, type, actor, operation, content, hash`

// Link gives the event as a row of the chain.
func (r EventRow) Link() Link {
	return Link{Event: true, Seq: r.Seq, Hash: r.Hash, parts: []string{"event", number(r.Ticket), number(r.Seq), r.At.Text(), r.Type, r.Actor,
		r.Operation, r.Content}}
}

// AlertRow is an alert as the table has it.
type AlertRow struct {
	ID           string       `db:"id"`
	Tenant       string       `db:"tenant"`
	Ticket       int64        `db:"ticket_id"`
	Seq          int64        `db:"seq"`
	N            int64        `db:"n"`
	At           db.Timestamp `db:"at"`
	Kind         string       `db:"kind"`
	Subscription string       `db:"subscription_id"`
	Delivery     string       `db:"delivery_id"`
	Host         string       `db:"host"`
	Reason       string       `db:"reason"`
	Hash         string       `db:"hash"`
}

// AlertColumns are those of an AlertRow.
const AlertColumns = `id, tenant, ticket_id, seq, n, at, kind, subscription_id, delivery_id, host, reason, hash`

func (r AlertRow) link() Link {
	return Link{Seq: r.Seq, N: r.N, Hash: r.Hash, parts: []string{"alert", r.ID, r.Tenant, number(r.Ticket), number(r.Seq), number(r.N),
		r.At.Text(), r.Kind, r.Subscription, r.Delivery, r.Host, r.Reason}}
}

// ChainAlert gives an alert its hash, and tells where the chain of its ticket ends with it. The ticket's row is held.
func (c *Chain) ChainAlert(ctx context.Context, q *db.Tx, r *AlertRow) (end string, err error) {
	var tip string
	if err := q.Get(ctx, &tip, `SELECT chain FROM tickets WHERE id = ?`, r.Ticket); err != nil {
		return "", db.Wrap("read where a chain ends", err)
	}
	a, err := c.Keyring(ctx, q)
	if err != nil {
		return "", err
	}
	links := []Link{r.link()}
	end = a.Extend(r.Ticket, tip, links)
	r.Hash = links[0].Hash
	return end, nil
}

// TimelineBatch is how many rows of a timeline are read at once: each may have a mebibyte.
const TimelineBatch = 50

// Timeline goes through the rows of a ticket's timeline in the order in which they were written, a batch at a time. content is the event's.
func (c *Chain) Timeline(ctx context.Context, q *db.Tx, id int64, see func(l Link, content string) error) error {
	events, alerts := []EventRow{}, []AlertRow{}
	event, alert := int64(math.MinInt64), [2]int64{math.MinInt64, 0}
	moreEvents, moreAlerts := true, true
	for {
		if len(events) == 0 && moreEvents {
			err := q.All(ctx, &events, `SELECT `+EventColumns+` FROM events WHERE ticket_id = ? AND seq > ? ORDER BY seq LIMIT ?`, id, event, TimelineBatch)
			if err != nil {
				return db.Wrap("list events", err)
			}
			moreEvents = len(events) == TimelineBatch
		}
		if len(alerts) == 0 && moreAlerts {
			err := q.All(ctx, &alerts, `SELECT `+AlertColumns+` FROM alerts WHERE ticket_id = ? AND (seq, n) > (?, ?) ORDER BY seq, n LIMIT ?`,
				id, alert[0], alert[1], TimelineBatch)
			if err != nil {
				return db.Wrap("list alerts", err)
			}
			moreAlerts = len(alerts) == TimelineBatch
		}
		switch {
		case len(events) == 0 && len(alerts) == 0:
			return nil
		case len(alerts) == 0 || len(events) > 0 && events[0].Seq <= alerts[0].Seq:
			if err := see(events[0].Link(), events[0].Content); err != nil {
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
