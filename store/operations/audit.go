package operations

import (
	"context"
	"time"

	"github.com/google/uuid"

	"signalbox/desk"
	"signalbox/store/db"
	"signalbox/ticket"
)

// The audit is the table of operations, read by tenant and time.

type auditRow struct {
	ID        string        `db:"id"`
	Tenant    string        `db:"tenant"`
	App       string        `db:"app"`
	Operator  string        `db:"operator"`
	Address   string        `db:"address"`
	RequestID string        `db:"request_id"`
	Channel   string        `db:"door"`
	Method    string        `db:"method"`
	Path      string        `db:"path"`
	Number    string        `db:"number"`
	Kind      string        `db:"kind"`
	State     string        `db:"state"`
	Status    int           `db:"status"`
	Code      string        `db:"code"`
	Why       string        `db:"why"`
	CreatedAt db.Timestamp  `db:"created_at"`
	EndedAt   *db.Timestamp `db:"ended_at"`
}

const auditColumns = `id, tenant, app, operator, address, request_id, door, method, path, number, kind, state, status, code, why, created_at, ended_at`

func (r auditRow) entry() desk.Entry {
	return desk.Entry{
		ID: r.ID, At: r.CreatedAt.Time, EndedAt: r.EndedAt.Pointer(), Tenant: r.Tenant, App: r.App, Operator: r.Operator, Address: r.Address,
		RequestID: r.RequestID, Channel: ticket.Channel(r.Channel), Method: r.Method, Path: r.Path, Number: r.Number, Kind: desk.Kind(r.Kind),
		Outcome: desk.OperationState(r.State), Status: r.Status, Code: ticket.Code(r.Code), Why: r.Why,
	}
}

// AuditQuery gives the query of a page, and its arguments but for the last, its limit. Each part that chooses few is answered by an index that
// goes on with the time. Its text varies with the filter, so it is to be run with db.Once. Invalid: the filter's cursor.
func AuditQuery(tenant string, f desk.EntryFilter) (string, []any, error) {
	var w db.Where
	w.And("tenant = ?", tenant)
	w.AndIf(f.App != "", "app = ?", f.App)
	w.AndIf(f.Operator != "", "operator = ? AND operator <> ''", f.Operator)
	w.AndIf(f.Number != "", "number = ? AND number <> ''", f.Number)
	if f.Outcome == desk.Refused {
		w.And("state = 'refused'") // as the index has it
	} else {
		w.AndIf(f.Outcome != "", "state = ?", string(f.Outcome))
	}
	w.AndIf(!f.From.IsZero(), "created_at >= ?", db.At(f.From))
	w.AndIf(!f.To.IsZero(), "created_at < ?", db.At(f.To))
	err := w.After(f.Cursor, "created_at, id", func(c db.Cursor) []any { return []any{db.At(c.At), c.ID} })
	return `SELECT ` + auditColumns + ` FROM operations WHERE ` + w.String() + ` ORDER BY created_at DESC, id DESC LIMIT ?`, w.Args(), err
}

// Audit lists what was asked for in a tenant, done or refused, newest first; next is the cursor of the next page, and empty on the last. A
// limit of 0 is ticket.DefaultPage, one above ticket.MaxPage is that.
func (l *Log) Audit(ctx context.Context, tenant string, f desk.EntryFilter) (entries []desk.Entry, next string, err error) {
	query, args, err := AuditQuery(tenant, f)
	if err != nil {
		return nil, "", err
	}
	err = l.db.Read(ctx, func(q *db.Tx) error {
		var rows []auditRow
		rows, next, err = db.ReadPage(db.Once(ctx), q, f.Limit, query, args, func(r auditRow) db.Cursor { return db.Cursor{At: r.CreatedAt.Time, N: 1, ID: r.ID} })
		for _, r := range rows {
			entries = append(entries, r.entry())
		}
		return db.Wrap("list the audit", err)
	})
	return entries, next, err
}

// Bounds of what a request can have us keep, in characters.
const (
	maxAuditText = 2_000
	maxAuditName = 255
)

// Refused writes down that a request was refused. Its ID names the operation that was refused, if there is one, and is empty otherwise.
// Number may be any way of naming a ticket of the tenant's.
func (l *Log) Refused(ctx context.Context, e desk.Entry) error {
	return l.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		if e.ID != "" {
			_, err := q.Exec(ctx, `UPDATE operations SET status = ?, code = ? WHERE id = ? AND state = 'refused'`, e.Status, string(e.Code), e.ID)
			return db.Wrap("complete a refused operation", err)
		}
		key := short(e.Number, maxAuditName)
		if key != "" {
			if _, err := q.FindTicket(ctx, &key, db.Unlocked, `number`, e.Tenant, key); err != nil {
				return err
			}
		}
		err := q.Insert(ctx, `operations (`+auditColumns+`, fingerprint, content, body, lease)`, [][]any{{
			uuid.NewString(), e.Tenant, e.App, short(e.Operator, maxAuditName), e.Address, e.RequestID, string(e.Channel), e.Method, short(e.Path, maxAuditText), key,
			string(e.Kind), string(desk.Refused), e.Status, string(e.Code), short(e.Why, maxAuditText), db.At(e.At), db.At(q.Now()), "", "", "", db.At(e.At)}})
		return db.Wrap("write down what was refused", err)
	})
}

// short cuts a text that a request brought.
func short(text string, most int) string {
	text = db.CleanText(text)
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most])
	}
	return text
}

// PruneAudit deletes up to limit operations, oldest first, that were asked for before that time and of which PruneOperations has left nothing
// but who asked for what.
func (l *Log) PruneAudit(ctx context.Context, before time.Time, limit int) (pruned int64, err error) {
	err = l.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		pruned, err = q.Exec(ctx, `DELETE FROM operations WHERE id IN (
			SELECT id FROM operations WHERE content = '' AND created_at < ? ORDER BY created_at LIMIT ?)`, db.At(before), limit)
		return db.Wrap("prune the audit", err)
	})
	return pruned, err
}
