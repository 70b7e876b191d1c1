package callers

import (
	"context"
	"fmt"
	"time"

	"signalbox/ratelimit"
	"signalbox/store/db"
)

// TakeRequests takes up to n requests from an app's bucket, which all processes share, after giving back those that were taken before and
// not used. It tells how many were to be had, and the bucket as it is then.
func (d *Directory) TakeRequests(ctx context.Context, app string, b ratelimit.Bucket, n, unused int) (taken int, after ratelimit.Bucket, err error) {
	err = d.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		var full int64
		look := q.Locking(`SELECT full_at FROM buckets WHERE app = ?`, db.Exclusive)
		found, err := q.Find(ctx, &full, look, app)
		if err == nil && !found {
			// Two that both found none must wait for each other all the same.
			if _, err = q.Exec(ctx, `INSERT INTO buckets (app, full_at) VALUES (?, 0) ON CONFLICT (app) DO NOTHING`, app); err == nil {
				err = q.Get(ctx, &full, look, app)
			}
		}
		if err != nil {
			return fmt.Errorf("look into a bucket: %w", err)
		}
		now := d.db.Now()
		after = b
		after.FullAt = time.UnixMicro(full)
		after.Put(unused, now)
		taken = after.Take(n, now)
		if _, err := q.Exec(ctx, `UPDATE buckets SET full_at = ? WHERE app = ?`, after.FullAt.UnixMicro(), app); err != nil {
			return fmt.Errorf("take from a bucket: %w", err)
		}
		return nil
	})
	return taken, after, err
}

// How often, in uses, signatures that have expired are forgotten, and how many at a time.
const (
	tidySignaturesEvery = 32
	tidiedSignatures    = 200
)

// UseSignature reports whether a signature may be used: the first time that its digest is seen before it expires, or again with the key that
// it was first used with. No key is never the same key.
func (d *Directory) UseSignature(ctx context.Context, digest, key string, expires time.Time) (ok bool, err error) {
	err = d.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		n, err := q.Exec(ctx, `INSERT INTO signatures (digest, key, expires) VALUES (?, ?, ?) ON CONFLICT (digest) DO NOTHING`, digest, key, db.At(expires))
		if err != nil {
			return fmt.Errorf("note a signature: %w", err)
		}
		if ok = n == 1; ok || key == "" {
			return nil
		}
		var first string
		found, err := q.Find(ctx, &first, `SELECT key FROM signatures WHERE digest = ?`, digest)
		if err != nil {
			return fmt.Errorf("look for a signature: %w", err)
		}
		ok = found && first == key
		return nil
	})
	if err == nil && d.signatures.Add(1)%tidySignaturesEvery == 0 {
		d.tidySignatures(ctx)
	}
	return ok, err
}

// tidySignatures forgets some that have expired. That it fails is nothing to the caller.
func (d *Directory) tidySignatures(ctx context.Context) {
	err := d.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		old := q.Locking(`SELECT digest FROM signatures WHERE expires < ? ORDER BY expires LIMIT ?`, db.SkipLocked)
		_, err := q.Exec(ctx, `DELETE FROM signatures WHERE digest IN (`+old+`)`, db.At(d.db.Now()), tidiedSignatures)
		return err
	})
	if err != nil {
		d.db.Log.Warn("signatures.tidy", "error", err)
	}
}
