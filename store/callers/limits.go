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

// UseSignature reports whether a signature may be used, and counts the use if so: the first time that its digest is seen before it expires,
// again with the key that it was first used with (no key is never the same key), again where every use before was given back, and again
// whenever repeats are taken.
func (d *Directory) UseSignature(ctx context.Context, digest, key string, expires time.Time, repeats bool) (ok bool, err error) {
	err = d.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		n, err := q.Exec(ctx, `INSERT INTO signatures (digest, key, expires, uses) VALUES (?, ?, ?, 1)
			ON CONFLICT (digest) DO UPDATE SET uses = signatures.uses + 1, key = CASE WHEN signatures.uses = 0 THEN excluded.key ELSE signatures.key END
			WHERE signatures.uses = 0 OR signatures.key = excluded.key AND excluded.key <> '' OR ?`, digest, key, db.At(expires), repeats)
		if err != nil {
			return fmt.Errorf("note a signature: %w", err)
		}
		ok = n == 1
		return nil
	})
	if err == nil && d.signatures.Add(1)%tidySignaturesEvery == 0 {
		d.tidySignatures(ctx)
	}
	return ok, err
}

// ReturnSignature gives one use of a signature back, because the request that it was for was refused. A signature without a use may be used
// again; it is kept until it expires all the same.
func (d *Directory) ReturnSignature(ctx context.Context, digest string) error {
	return d.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		if _, err := q.Exec(ctx, `UPDATE signatures SET uses = uses - 1 WHERE digest = ? AND uses > 0`, digest); err != nil {
			return fmt.Errorf("give a signature back: %w", err)
		}
		return nil
	})
}

// tidySignatures forgets some that have expired. That it fails is nothing to the caller.
func (d *Directory) tidySignatures(ctx context.Context) {
	err := d.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		old := q.Locking(`SELECT digest FROM signatures WHERE expires < ? ORDER BY expires LIMIT ?`, db.SkipLocked)
		_, err := q.Exec(ctx, `DELETE FROM signatures WHERE digest IN (`+old+`)`, db.At(d.db.Now()), tidiedSignatures)
		return err
	})
	if err != nil {
		d.db.Log.WarnContext(ctx, "signatures.tidy", "error", err)
	}
}
