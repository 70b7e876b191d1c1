package operations

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"signalbox/desk"
	"signalbox/store/chain"
	"signalbox/store/db"
	"signalbox/store/vault"
	"signalbox/ticket"
)

// operationRow is an operation as the table has it.
type operationRow struct {
	ID          string       `db:"id"`
	Scope       *string      `db:"scope"`
	Fingerprint string       `db:"fingerprint"`
	Kind        string       `db:"kind"`
	State       string       `db:"state"`
	Tenant      string       `db:"tenant"`
	App         string       `db:"app"`
	Channel     string       `db:"door"`
	Method      string       `db:"method"`
	Path        string       `db:"path"`
	RequestID   string       `db:"request_id"`
	Address     string       `db:"address"`
	Number      string       `db:"number"`
	Content     string       `db:"content"`
	Status      int          `db:"status"`
	Body        string       `db:"body"`
	CreatedAt   db.Timestamp `db:"created_at"`
	Lease       db.Timestamp `db:"lease"`

	RequestScope       *string `db:"request_scope"`
	RequestFingerprint string  `db:"request_fingerprint"`
}

const operationColumns = `id, scope, fingerprint, kind, state, tenant, app, door, method, path, request_id, address, number, content, status, body,
	created_at, lease, request_scope, request_fingerprint`

// operationContent is what an operation does.
type operationContent struct {
	Series  ticket.Series   `json:"series,omitempty"`
	Ticket  ticket.Identity `json:"ticket"`
	Opening []ticket.Event  `json:"opening,omitempty"`
	Command *ticket.Command `json:"command,omitempty"`
}

func rowOf(op desk.Operation) (operationRow, error) {
	content, err := json.Marshal(operationContent{Series: op.Series, Ticket: op.Ticket, Opening: op.Opening, Command: op.Command})
	if err != nil {
		return operationRow{}, fmt.Errorf("write an operation: %w", err)
	}
	r := op.Request
	// The query of an address may carry credentials; they are part of the scope, as a digest, and kept nowhere.
	path, _, _ := strings.Cut(r.Path, "?")
	return operationRow{
		ID: op.ID, Scope: spelledScope(r), Fingerprint: r.BodyDigest, RequestScope: requestScope(r), RequestFingerprint: r.Fingerprint, Kind: string(op.Kind), State: string(op.State), Tenant: r.App.Tenant,
		App: r.App.Code, Channel: string(r.Channel), Method: r.Method, Path: path, RequestID: r.RequestID, Address: r.Address,
		Number: op.Ticket.Number, Content: string(content), Status: op.Answer.Status, Body: string(op.Answer.Body),
		CreatedAt: db.At(op.CreatedAt), Lease: db.At(op.Lease),
	}, nil
}

// operation gives back what rowOf took, but for the key, the query and what else the app is.
func (r operationRow) operation() (desk.Operation, error) {
	var c operationContent
	if err := json.Unmarshal([]byte(r.Content), &c); err != nil {
		return desk.Operation{}, fmt.Errorf("read operation %s: %w", r.ID, err)
	}
	op := desk.Operation{
		ID: r.ID,
		Request: desk.Request{App: desk.App{Code: r.App, Tenant: r.Tenant}, Channel: ticket.Channel(r.Channel), Method: r.Method, Path: r.Path,
			Fingerprint: r.RequestFingerprint, BodyDigest: r.Fingerprint, RequestID: r.RequestID, Address: r.Address},
		Kind: desk.Kind(r.Kind), Series: c.Series, Ticket: c.Ticket, Opening: c.Opening, Command: c.Command,
		Answer: desk.Answer{Status: r.Status}, State: desk.OperationState(r.State), CreatedAt: r.CreatedAt.Time, Lease: r.Lease.Time,
	}
	if r.Body != "" {
		op.Answer.Body = json.RawMessage(r.Body)
	}
	return op, nil
}

// requestScope is the digest of what makes two requests the same; nil: no key, so no two are.
func requestScope(r desk.Request) *string { return scopeOf(r, cmp.Or(r.Route, r.Path)) }

// spelledScope is that digest as the version before makes it and looks for it: the address counts as it was spelled.
func spelledScope(r desk.Request) *string { return scopeOf(r, r.Path) }

func scopeOf(r desk.Request, target string) *string {
	if r.Key == "" {
		return nil
	}
	// JSON keeps the bounds between the parts.
	raw, err := json.Marshal([]string{r.App.Tenant, r.App.Code, r.Method, target, r.Key})
	if err != nil {
		panic("store: strings that do not marshal: " + err.Error())
	}
	sum := sha256.Sum256(raw)
	scope := hex.EncodeToString(sum[:])
	return &scope
}

// same reports whether a request is the one that the row was claimed for; the two have the same scope.
func (r operationRow) same(as desk.Request) bool {
	if r.RequestScope == nil { // by a process of the version before
		return r.Fingerprint == as.BodyDigest
	}
	return r.RequestFingerprint == as.Fingerprint
}

// insert inserts an operation at once; false: another one has its scope.
func (l *Log) insert(ctx context.Context, q *db.Tx, op desk.Operation) (bool, error) {
	statement, args, err := l.insertion(ctx, q, op)
	if err != nil {
		return false, err
	}
	n, err := q.Exec(ctx, statement+` ON CONFLICT DO NOTHING`, args...)
	return n == 1, db.Wrap("insert operation", err)
}

// insertion gives the statement that inserts an operation.
func (l *Log) insertion(ctx context.Context, q *db.Tx, op desk.Operation) (statement string, args []any, err error) {
	r, err := rowOf(op)
	if err != nil {
		return "", nil, err
	}
	mac := ""
	if op.Kind == desk.KindOpen {
		a, err := l.chain.Keyring(ctx, q)
		if err != nil {
			return "", nil, err
		}
		mac = a.Digest(chain.ClaimParts(op.ID, op.Ticket.ID)...)
	}
	return `INSERT INTO operations (` + operationColumns + `, operator, seal, why)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '')`, []any{
			r.ID, r.Scope, r.Fingerprint, r.Kind, r.State, r.Tenant, r.App, r.Channel, r.Method, r.Path, r.RequestID, r.Address, r.Number, r.Content,
			r.Status, r.Body, r.CreatedAt, r.Lease, r.RequestScope, r.RequestFingerprint, operatorOf(op), mac}, nil
}

// operatorOf gives whom the audit names as acting.
func operatorOf(op desk.Operation) string {
	operator := op.Request.Operator
	switch {
	case op.Command != nil && op.Command.Operator != "":
		operator = op.Command.Operator
	case len(op.Opening) > 0 && op.Opening[0].After.Opening != nil && op.Opening[0].After.Opening.Opener != "":
		operator = op.Opening[0].After.Opening.Opener
	}
	return short(operator, maxAuditName)
}

// decryptBody gives the row with its body as it was sent.
func (l *Log) decryptBody(r operationRow) (operationRow, error) {
	sealed, is := strings.CutPrefix(r.Body, vault.EncryptedMark)
	if !is {
		return r, nil
	}
	var err error
	r.Body, err = l.vault.Decrypt(sealed, r.ID)
	return r, db.Wrap("open the answer of operation "+r.ID, err)
}

// MarkDone marks an operation as one that happened, whatever it was before.
func (l *Log) MarkDone(ctx context.Context, q *db.Tx, op desk.Operation) error {
	body := string(op.Answer.Body)
	if op.Answer.Secret {
		body = vault.EncryptedMark + l.vault.Encrypt(body, op.ID)
	}
	// Without its MAC it cannot be passed off as one that is under way, or did not happen.
	err := q.Later(ctx, `UPDATE operations SET state = 'done', status = ?, body = ?, code = '', why = '', seal = '', ended_at = ? WHERE id = ? AND state <> 'done'`,
		op.Answer.Status, body, db.At(q.Now()), op.ID)
	if err != nil {
		return fmt.Errorf("end operation: %w", err)
	}
	return nil
}

// Close ends a running operation that did not happen: Refused frees its key, Void keeps it for the same request.
func (l *Log) Close(ctx context.Context, id string, state desk.OperationState, why string) error {
	return l.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		set := `UPDATE operations SET state = ?, why = ?, ended_at = ?`
		if state == desk.Refused {
			set += `, scope = NULL`
		}
		var row chain.ClosedRow
		closed, err := q.Find(ctx, &row, set+` WHERE id = ? AND state = 'running' RETURNING id, kind, content, seal`, string(state), db.CleanText(why), db.At(q.Now()), id)
		if err != nil {
			return fmt.Errorf("close operation: %w", err)
		}
		if closed {
			return l.chain.RecordVoid(ctx, q, row)
		}
		return nil
	})
}

// Expire ends the operation's lease now, if it is that one.
func (l *Log) Expire(ctx context.Context, id string, lease time.Time) error {
	return l.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		if _, err := q.Exec(ctx, `UPDATE operations SET lease = ? WHERE id = ? AND state = 'running' AND lease = ?`, db.At(q.Now()), id, db.At(lease)); err != nil {
			return fmt.Errorf("expire operation: %w", err)
		}
		return nil
	})
}

// Lease takes an expired operation for settling; false: somebody else has it, or it is no longer running.
func (l *Log) Lease(ctx context.Context, id string, until time.Time) (mine bool, err error) {
	err = l.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		n, err := q.Exec(ctx, `UPDATE operations SET lease = ? WHERE id = ? AND state = 'running' AND lease <= ?`, db.At(until), id, db.At(q.Now()))
		if err != nil {
			return fmt.Errorf("lease operation: %w", err)
		}
		mine = n == 1
		return nil
	})
	return mine, err
}

// Expired lists running operations whose lease is over, oldest first. One that could not be settled goes to the end of the queue, because
// Expire and Lease give it a later time.
func (l *Log) Expired(ctx context.Context, limit int) (ops []desk.Operation, err error) {
	err = l.db.Read(ctx, func(q *db.Tx) error {
		var rows []operationRow
		err := q.All(ctx, &rows, `SELECT `+operationColumns+` FROM operations WHERE state = 'running' AND lease <= ? ORDER BY lease LIMIT ?`,
			db.At(l.db.Now()), limit)
		if err != nil {
			return fmt.Errorf("list expired operations: %w", err)
		}
		ops, err = db.Convert(rows, operationRow.operation)
		return err
	})
	return ops, err
}

// Happened reports whether an event that this operation caused is in the read model.
func (l *Log) Happened(ctx context.Context, id string) (happened bool, err error) {
	err = l.db.Read(ctx, func(q *db.Tx) error {
		var one int
		happened, err = q.Find(ctx, &one, `SELECT 1 FROM events WHERE operation = ? AND operation <> '' LIMIT 1`, id)
		if err != nil {
			return fmt.Errorf("look for an operation's events: %w", err)
		}
		return nil
	})
	return happened, err
}

// Unclaimed gives those of some operations that nothing is kept of.
func (l *Log) Unclaimed(ctx context.Context, ids []string) (out []string, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	err = l.db.Read(ctx, func(q *db.Tx) error {
		var kept []string
		if err := q.AllIn(ctx, &kept, `SELECT id FROM operations WHERE id IN (?)`, db.Distinct(ids)); err != nil {
			return fmt.Errorf("look for operations: %w", err)
		}
		for _, id := range db.Distinct(ids) {
			if !slices.Contains(kept, id) {
				out = append(out, id)
			}
		}
		return nil
	})
	return out, err
}

// PruneOperations takes keys and answers from up to limit operations, oldest first, that are over and were claimed before that time; the audit
// keeps the rest: see PruneAudit. Keys must be remembered for 24 hours at least (contracts); operations that are still running stay.
func (l *Log) PruneOperations(ctx context.Context, before time.Time, limit int) (pruned int64, err error) {
	err = l.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		pruned, err = q.Exec(ctx, `UPDATE operations SET scope = NULL, fingerprint = '', request_scope = NULL, request_fingerprint = '', content = '', body = '' WHERE id IN (
			SELECT id FROM operations WHERE state <> 'running' AND content <> '' AND created_at < ? ORDER BY created_at LIMIT ?)`, db.At(before), limit)
		if err != nil {
			return fmt.Errorf("prune operations: %w", err)
		}
		return nil
	})
	return pruned, err
}
