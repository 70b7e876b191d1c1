package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"time"

	"signalbox/migrations"
)

const (
	// aloneKey is the advisory lock of who works alone on a PostgreSQL database; any number that nobody else uses.
	aloneKey int64 = 0x7369676e616c62
	// aloneEvery is how often who works alone makes sure that it still does.
	aloneEvery = 5 * time.Second
	// aloneLease is how long an SQLite database takes somebody for at work who gives no sign of life: a process that was killed takes nothing back.
	aloneLease = 30 * time.Second
)

// Held tells that somebody else is at what one alone may do.
type Held struct {
	What  string    // the command; empty: it cannot be told, as when it has just begun
	Who   string    // machine and process
	Since time.Time // when it began
	Until time.Time // when it is taken for gone, unless it gives a sign of life; zero: it is known to be there
}

// Error implements error.
func (h *Held) Error() string {
	text := "another command has just begun"
	if h.What != "" {
		text = fmt.Sprintf("%s has been at work since %s", h.What, h.Since.UTC().Format(time.RFC3339))
	}
	text += " (" + h.Who + "), and only one may be at a time: wait until it has ended, or end it"
	if !h.Until.IsZero() {
		text += fmt.Sprintf("; if it was killed, this can be run from %s on", h.Until.UTC().Format(time.RFC3339))
	}
	return text
}

// errNotAlone tells that who worked alone was taken for gone, as when its connection was lost, and that others may be at work since.
var errNotAlone = errors.New("it was no longer sure that nobody else is at work: the connection that says so was lost, or it stood still for too long")

// hold is what somebody has who works alone. Each who does has another fence; what was begun under an earlier one commits nothing any more.
type hold struct{ fence int64 }

type holdKey struct{ *DB }

// Alone runs do while nobody else runs anything by it on this database: rewriting the read model, or counting, at the same time as somebody else who does would do it twice. *Held: somebody is at it
// already. The context that do gets is over as soon as that is not sure any more, and no transaction of Write that is begun with it commits from then on. On PostgreSQL it takes a connection of its own, in
// whose session an advisory lock is held, which ends with the process. On SQLite it is the row alone that says so, which is renewed, and taken for gone after half a minute.
func (d *DB) Alone(ctx context.Context, what string, do func(ctx context.Context) error) error {
	if d.held(ctx) != nil {
		return do(ctx)
	}
	session, err := d.session(ctx)
	if err != nil {
		return TranslateError(err)
	}
	defer session.close()
	fence, err := d.take(ctx, what, session)
	if err != nil {
		return TranslateError(err)
	}
	within, lose := context.WithCancelCause(context.WithValue(ctx, holdKey{d}, &hold{fence}))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		d.keepAlone(within, lose, fence, session)
	}()
	err = do(within)
	if errors.Is(context.Cause(within), errNotAlone) {
		err = fmt.Errorf("%w: %w", errNotAlone, err)
	}
	lose(nil)
	<-ended
	// Also where the call is over. Where it fails, the row says somebody who is not there any more.
	leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), aloneEvery)
	defer cancel()
	if left := d.Write(leaving, func(ctx context.Context, q *Tx) error {
		return q.Later(ctx, `UPDATE upkeep SET what = '' WHERE fence = ?`, fence)
	}); left != nil {
		d.Log.WarnContext(ctx, "upkeep.not_left", "what", what, "error", left)
	}
	return err
}

func (d *DB) held(ctx context.Context) *hold {
	h, _ := ctx.Value(holdKey{d}).(*hold)
	return h
}

// session is that in which the advisory lock is held; nil on SQLite, which has none.
type session struct {
	pool    *sql.DB
	conn    *sql.Conn
	backend int64
}

// session takes the advisory lock. *Held: somebody else has it.
func (d *DB) session(ctx context.Context) (*session, error) {
	if d.dialect != migrations.PostgreSQL {
		return nil, nil
	}
	// Of its own: a pool of few connections would have none left for the work, and gives up those that are old.
	pool, err := openPostgres(d.dsn, 1, d.common)
	if err != nil {
		return nil, err
	}
	s := &session{pool: pool}
	if s.conn, err = pool.Conn(ctx); err != nil {
		s.close()
		return nil, err
	}
	var got bool
	if err := s.conn.QueryRowContext(ctx, `SELECT pg_try_advisory_lock($1), pg_backend_pid()`, aloneKey).Scan(&got, &s.backend); err != nil {
		s.close()
		return nil, Wrap("lock out others", err)
	}
	if got {
		return s, nil
	}
	defer s.close()
	h := Held{}
	var backend *int64
	err = s.conn.QueryRowContext(ctx, `SELECT l.pid, u.what, u.who, u.since FROM upkeep u LEFT JOIN pg_locks l ON l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.classid::bigint = $1 AND
		l.objid::bigint = $2 AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())`, aloneKey>>32, aloneKey&0xffffffff).Scan(&backend, &h.What, &h.Who, &h.Since)
	if err != nil {
		return nil, Wrap("look who is at work", err)
	}
	switch ofPostgres := ""; {
	case backend == nil:
		h.What, h.Who = "", "it may have ended meanwhile"
	default:
		if ofPostgres = fmt.Sprintf("process %d of PostgreSQL", *backend); !isOf(h.Who, ofPostgres) {
			h.What, h.Who = "", ofPostgres // the row is still of somebody before
		}
	}
	return nil, &h
}

// isOf reports whether somebody's connection is that process of PostgreSQL.
func isOf(who, process string) bool {
	return len(who) >= len(process) && who[len(who)-len(process):] == process
}

func (s *session) close() {
	if s == nil {
		return
	}
	if s.conn != nil {
		// Said, since a session that is closed ends a moment later.
		leaving, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, _ = s.conn.ExecContext(leaving, `SELECT pg_advisory_unlock_all()`)
		_ = s.conn.Close()
	}
	_ = s.pool.Close() // and with it the session, and its lock in any case
}

// take writes down who is at work, and gives the fence. *Held: on SQLite, somebody else is.
func (d *DB) take(ctx context.Context, what string, s *session) (fence int64, err error) {
	host, _ := os.Hostname()
	who := fmt.Sprintf("%s, process %d", host, os.Getpid())
	if s != nil {
		who += fmt.Sprintf(", process %d of PostgreSQL", s.backend)
	}
	err = d.Write(ctx, func(ctx context.Context, q *Tx) error {
		var row struct {
			Fence   int64     `db:"fence"`
			What    string    `db:"what"`
			Who     string    `db:"who"`
			Since   Timestamp `db:"since"`
			Renewed Timestamp `db:"renewed_at"`
		}
		if err := q.Get(ctx, &row, q.Locking(`SELECT fence, what, who, since, renewed_at FROM upkeep`, Exclusive)); err != nil {
			return Wrap("look who is at work", err)
		}
		now := q.Now()
		if until := row.Renewed.Time.Add(aloneLease); s == nil && row.What != "" && now.Before(until) {
			return &Held{What: row.What, Who: row.Who, Since: row.Since.Time, Until: until}
		}
		fence = row.Fence + 1
		return Wrap("write down who is at work", q.Later(ctx, `UPDATE upkeep SET fence = ?, what = ?, who = ?, since = ?, renewed_at = ?`, fence, what, who, At(now), At(now)))
	})
	return fence, err
}

// keepAlone makes sure, as long as ctx lasts, that nobody else is taken for alone, and ends it where that is not sure.
func (d *DB) keepAlone(ctx context.Context, lose context.CancelCauseFunc, fence int64, s *session) {
	ticks := time.NewTicker(aloneEvery)
	defer ticks.Stop()
	for renewed := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		asking, cancel := context.WithTimeout(ctx, aloneEvery)
		var err error
		if s != nil {
			_, err = s.conn.ExecContext(asking, `SELECT 1`)
		} else {
			err = d.renew(asking, fence)
		}
		cancel()
		switch {
		case err == nil:
			renewed = time.Now()
		case ctx.Err() != nil:
			return
		case s != nil, errors.Is(err, errNotAlone), time.Since(renewed) > aloneLease-2*aloneEvery:
			lose(errNotAlone)
			return
		}
	}
}

func (d *DB) renew(ctx context.Context, fence int64) error {
	return d.Write(ctx, func(ctx context.Context, q *Tx) error {
		n, err := q.Exec(ctx, `UPDATE upkeep SET renewed_at = ? WHERE fence = ?`, At(q.Now()), fence)
		if err == nil && n == 0 {
			err = errNotAlone
		}
		return err
	})
}

// checkAlone makes sure that a transaction commits only while who began it works alone, if it does: whoever takes over waits for it. It comes before all other locks.
func (q *Tx) checkAlone(ctx context.Context) error {
	h := q.held(ctx)
	if h == nil {
		return nil
	}
	found, err := q.Find(ctx, new(int), q.Locking(`SELECT 1 FROM upkeep WHERE fence = ?`, Shared), h.fence)
	if err == nil && !found {
		err = errNotAlone
	}
	return Wrap("make sure that nobody else is at work", err)
}
