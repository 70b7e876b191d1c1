package people

import (
	"context"
	"slices"
	"sync"
	"time"

	"signalbox/store/db"
)

// maxNamed bounds whose names are asked for at once; of those behind it nobody is found.
const maxNamed = db.MaxParameters / 2

// PersonNames tells what those of a tenant's persons are called, by id, out of some, who have a name. It takes one statement, and none where the tenant keeps nobody: that this is so is
// believed for emptyFor where another process may have changed it.
func (b *Book) PersonNames(ctx context.Context, tenant string, ids []string) (map[string]string, error) {
	if len(ids) == 0 || b.empty.is(tenant, b.db.Now()) {
		return nil, nil
	}
	clean := make([]string, min(len(ids), maxNamed))
	for i := range clean {
		clean[i] = db.CleanText(ids[i])
	}
	var rows []namedRow
	err := b.db.Read(ctx, func(q *db.Tx) error {
		return db.Wrap("read the names of persons", q.AllIn(ctx, &rows, `SELECT d.persons, p.id, p.name FROM directories d
			LEFT JOIN directory_persons p ON p.tenant = d.tenant AND p.tenant = ? AND p.id IN (?) AND p.name <> '' WHERE d.tenant = ?`, tenant, db.Distinct(clean), tenant))
	})
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(rows, func(r namedRow) bool { return r.Persons > 0 }) {
		b.empty.found(tenant, b.db.Now())
		return nil, nil
	}
	names := map[string]string{}
	for _, row := range rows {
		if row.ID != nil && row.Name != nil {
			names[*row.ID] = *row.Name
		}
	}
	return names, nil
}

// namedRow is a person who has a name, or nobody, with how many persons the directory has.
type namedRow struct {
	Persons int64   `db:"persons"`
	ID      *string `db:"id"`
	Name    *string `db:"name"`
}

const (
	// emptyFor is how long a directory in which nobody was found is not looked into again.
	emptyFor = 30 * time.Second
	// emptyKept bounds of how many tenants it is known.
	emptyKept = 10_000
)

// empty remembers which directories have nobody in them.
type empty struct {
	mu      sync.Mutex
	until   map[string]time.Time
	changed map[string]time.Time // when this process began to change one
}

func newEmpty() *empty {
	return &empty{until: map[string]time.Time{}, changed: map[string]time.Time{}}
}

func (e *empty) is(tenant string, now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	until, known := e.until[tenant]
	return known && now.Before(until)
}

// found notes that a directory has nobody in it, unless this process has begun to change it a moment ago: what was found may be from before that was committed.
func (e *empty) found(tenant string, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if at, ok := e.changed[tenant]; ok && now.Sub(at) < emptyFor {
		return
	}
	if len(e.until) >= emptyKept {
		clear(e.until)
	}
	delete(e.changed, tenant)
	e.until[tenant] = now.Add(emptyFor)
}

// changes notes that somebody changes a directory here.
func (e *empty) changes(tenant string, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.changed) >= emptyKept {
		clear(e.changed)
	}
	delete(e.until, tenant)
	e.changed[tenant] = now
}
