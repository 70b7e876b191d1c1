package callers

import (
	"context"

	"signalbox/desk"
	"signalbox/store/db"
)

type recordRow struct {
	appRow
	CreatedAt db.Timestamp `db:"created_at"`
	UpdatedAt db.Timestamp `db:"updated_at"`
}

const recordColumns = appColumns + `, a.created_at, a.updated_at`

// AppRecords lists a tenant's apps by code, with what is known of their use.
func (d *Directory) AppRecords(ctx context.Context, tenant string) (list []desk.AppRecord, err error) {
	err = d.db.Read(ctx, func(q *db.Tx) error {
		list, err = d.records(ctx, q, `a.tenant = ?`, db.CleanText(tenant))
		return err
	})
	return list, err
}

// AppRecord is one of a tenant's apps. NotFound: the tenant has no such app.
func (d *Directory) AppRecord(ctx context.Context, tenant, code string) (r desk.AppRecord, err error) {
	err = d.db.Read(ctx, func(q *db.Tx) error {
		list, err := d.records(ctx, q, `a.tenant = ? AND a.code = ?`, db.CleanText(tenant), db.CleanText(code))
		switch {
		case err != nil:
			return err
		case len(list) == 0:
			return errNoApp
		}
		r = list[0]
		return nil
	})
	return r, err
}

func (d *Directory) records(ctx context.Context, q *db.Tx, where string, args ...any) (list []desk.AppRecord, err error) {
	var rows []recordRow
	if err := q.All(ctx, &rows, `SELECT `+recordColumns+` FROM apps a WHERE `+where+` ORDER BY a.code`, args...); err != nil {
		return nil, db.Wrap("list apps", err)
	}
	index := map[string]int{}
	for i, row := range rows {
		a, err := row.app()
		if err != nil {
			return nil, err
		}
		index[row.Code] = i
		list = append(list, desk.AppRecord{App: a, CreatedAt: row.CreatedAt.Time, UpdatedAt: row.UpdatedAt.Time, UsedAt: row.UsedAt.Pointer()})
	}
	var secrets []struct {
		App       string        `db:"app"`
		CreatedAt db.Timestamp  `db:"created_at"`
		ExpiresAt *db.Timestamp `db:"expires_at"`
	}
	if err := q.All(ctx, &secrets, `SELECT s.app, s.created_at, s.expires_at FROM app_secrets s JOIN apps a ON a.code = s.app WHERE `+where+`
		AND (s.expires_at IS NULL OR s.expires_at > ?) ORDER BY s.created_at DESC, s.hash`, append(args, db.At(q.Now()))...); err != nil {
		return nil, db.Wrap("list secrets of apps", err)
	}
	for _, s := range secrets {
		at := &list[index[s.App]]
		at.Secrets = append(at.Secrets, desk.AppSecret{CreatedAt: s.CreatedAt.Time, ExpiresAt: s.ExpiresAt.Pointer()})
	}
	return list, nil
}

// used writes down that an app is used, unless that was done a moment ago. It is no reason to turn anybody away where it cannot be: a standby takes no writes.
func (d *Directory) used(ctx context.Context, r appRow) {
	now := d.db.Now()
	before := now.Add(-desk.UsedEvery)
	if r.UsedAt != nil && r.UsedAt.After(before) {
		return
	}
	_ = d.db.Statement(ctx, func(q *db.Tx) error {
		_, err := q.Exec(ctx, `UPDATE apps SET used_at = ? WHERE code = ? AND (used_at IS NULL OR used_at <= ?)`, db.At(now), r.Code, db.At(before))
		return err
	})
}
