package services

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"signalbox/flow"
	"signalbox/store/db"
	"signalbox/ticket"
)

type serviceRow struct {
	Tenant      string       `db:"tenant"`
	Number      int64        `db:"number"`
	Enabled     bool         `db:"enabled"`
	Content     string       `db:"content"`
	PublishedBy string       `db:"published_by"`
	PublishedAt db.Timestamp `db:"published_at"`
}

// serviceVersions is the query for versions of services; what it is about comes behind.
const serviceVersions = `SELECT s.tenant, s.number, s.enabled, v.content, v.published_by, v.published_at
	FROM services s JOIN service_versions v ON v.tenant = s.tenant AND v.key = s.key `

func (r serviceRow) record() (ticket.ServiceRecord, error) {
	def, err := readDefinition(r.Content)
	return ticket.ServiceRecord{Definition: def, Enabled: r.Enabled, PublishedBy: r.PublishedBy, PublishedAt: r.PublishedAt.Time}, err
}

func readDefinition(content string) (def flow.Definition, err error) {
	if err = json.Unmarshal([]byte(content), &def); err != nil {
		return def, fmt.Errorf("read a definition: %w", err)
	}
	return def, nil
}

func builtIn(key string) (ticket.ServiceRecord, bool) {
	process, ok := flow.Builtin()[key]
	if !ok {
		return ticket.ServiceRecord{}, false
	}
	return ticket.ServiceRecord{Definition: process.Definition(), BuiltIn: true, Enabled: true}, true
}

var (
	errNoService = ticket.Refuse(ticket.NotFound, "there is no such service")
	errNoVersion = ticket.Refuse(ticket.NotFound, "the service has no such version")
)

// ServiceRecords lists the latest versions of a tenant's services and of the built-in ones, those that are disabled included, in the order in
// which they were first published.
func (c *Catalogue) ServiceRecords(ctx context.Context, tenant string) (list []ticket.ServiceRecord, err error) {
	for key := range flow.Builtin() {
		record, _ := builtIn(key)
		list = append(list, record)
	}
	slices.SortFunc(list, func(a, b ticket.ServiceRecord) int { return cmp.Compare(a.Number, b.Number) })
	rows, err := c.services(ctx, serviceVersions+`WHERE s.tenant = ? AND v.version = s.version ORDER BY s.number`, tenant)
	return append(list, rows...), err
}

// ServiceRecord gives the latest version of a service; NotFound when the tenant has none of this key and none is built in.
func (c *Catalogue) ServiceRecord(ctx context.Context, tenant, key string) (ticket.ServiceRecord, error) {
	if record, ok := builtIn(key); ok {
		return record, nil
	}
	return c.service(ctx, errNoService, serviceVersions+`WHERE s.tenant = ? AND s.key = ? AND v.version = s.version`, tenant, db.CleanText(key))
}

// ServicePage lists the same by pages. next is empty behind the last; cursor is empty or next of the page before; anything else is Invalid, field "cursor". limit is 1 to
// ticket.MaxPage; 0 is ticket.DefaultPage.
func (c *Catalogue) ServicePage(ctx context.Context, tenant, cursor string, limit int) (list []ticket.ServiceRecord, next string, err error) {
	var after int64
	var w db.Where
	w.And(`s.tenant = ? AND v.version = s.version`, tenant)
	if err := w.AfterAscending(cursor, `s.number`, func(p db.Cursor) []any { after = p.N; return []any{p.N} }); err != nil {
		return nil, "", err
	}
	for key := range flow.Builtin() { // whose numbers are below all others
		if record, _ := builtIn(key); record.Number > after {
			list = append(list, record)
		}
	}
	slices.SortFunc(list, func(a, b ticket.ServiceRecord) int { return cmp.Compare(a.Number, b.Number) })
	if size := db.PageSize(limit); len(list) < size {
		rows, next, err := c.servicePage(ctx, w, `s.number`, size-len(list), func(r ticket.ServiceRecord) int64 { return r.Number })
		return append(list, rows...), next, err
	}
	list = list[:db.PageSize(limit)]
	return list, db.Cursor{N: list[len(list)-1].Number}.String(), nil
}

// ServiceVersions lists the versions of a service by pages, the latest first; NotFound when the tenant has none of this key. Pages are those of ServicePage.
func (c *Catalogue) ServiceVersions(ctx context.Context, tenant, key, cursor string, limit int) (list []ticket.ServiceRecord, next string, err error) {
	var before int64
	var w db.Where
	w.And(`s.tenant = ? AND s.key = ?`, tenant, db.CleanText(key))
	if err := w.After(cursor, `v.version`, func(p db.Cursor) []any { before = p.N; return []any{asked(p.N)} }); err != nil {
		return nil, "", err
	}
	if record, ok := builtIn(key); ok {
		if before == 0 || int64(record.Version) < before {
			list = append(list, record)
		}
		return list, "", nil
	}
	list, next, err = c.servicePage(ctx, w, `v.version DESC`, limit, func(r ticket.ServiceRecord) int64 { return int64(r.Version) })
	if err == nil && len(list) == 0 {
		_, err = c.ServiceRecord(ctx, tenant, key)
	}
	return list, next, err
}

// servicePage reads a page of versions of services in an order of which end gives the place of one.
func (c *Catalogue) servicePage(ctx context.Context, w db.Where, order string, limit int, end func(ticket.ServiceRecord) int64) (list []ticket.ServiceRecord, next string, err error) {
	limit = db.PageSize(limit)
	list, err = c.services(ctx, serviceVersions+`WHERE `+w.String()+` ORDER BY `+order+` LIMIT ?`, w.Args(limit+1)...)
	if err == nil {
		list, next = db.CutPage(list, limit, func(r ticket.ServiceRecord) db.Cursor { return db.Cursor{N: end(r)} })
	}
	return list, next, err
}

// Services is ServiceRecords with the definitions alone.
func (c *Catalogue) Services(ctx context.Context, tenant string) ([]flow.Definition, error) {
	records, err := c.ServiceRecords(ctx, tenant)
	list := make([]flow.Definition, len(records))
	for i, record := range records {
		list[i] = record.Definition
	}
	return list, err
}

// Service is ServiceRecord with the definition alone.
func (c *Catalogue) Service(ctx context.Context, tenant, key string) (flow.Definition, error) {
	record, err := c.ServiceRecord(ctx, tenant, key)
	return record.Definition, err
}

// ServiceByNumber gives the latest version of the service with this integer id; NotFound as above.
func (c *Catalogue) ServiceByNumber(ctx context.Context, tenant string, number int64) (ticket.ServiceRecord, error) {
	for key := range flow.Builtin() {
		if record, _ := builtIn(key); record.Number == number {
			return record, nil
		}
	}
	return c.service(ctx, errNoService, serviceVersions+`WHERE s.number = ? AND s.number > 0 AND s.tenant = ? AND v.version = s.version`, number, tenant)
}

// ServiceVersion gives one version of a service, which never changes; NotFound when there is none.
func (c *Catalogue) ServiceVersion(ctx context.Context, tenant, key string, version int) (flow.Definition, error) {
	if record, ok := builtIn(key); ok {
		if record.Version != version {
			return flow.Definition{}, errNoVersion
		}
		return record.Definition, nil
	}
	record, err := c.service(ctx, errNoVersion, serviceVersions+`WHERE v.tenant = ? AND v.key = ? AND v.version = ?`, tenant, db.CleanText(key), asked(version))
	return record.Definition, err
}

func (c *Catalogue) publishVersion(ctx context.Context, q *db.Tx, tenant, app string, def flow.Definition) (flow.Definition, error) {
	def.Calendars = nil // tickets are given them on the day on which they are opened
	had, err := c.publishing(ctx, q, tenant, def.Key)
	if err != nil {
		return def, err
	}
	if had.Version > 0 {
		if same, err := saysTheSame(had, def); err != nil || same {
			return had, err
		}
	}
	earlier, err := c.numbered(ctx, q, tenant, def.Key)
	if err != nil {
		return def, err
	}
	if def, err = c.number(ctx, q, def, flow.Definition{Number: had.Number, Nodes: earlier}); err != nil {
		return def, err
	}
	def.Version = had.Version + 1
	content, err := json.Marshal(def)
	switch {
	case err != nil:
		return def, fmt.Errorf("write a definition: %w", err)
	case len(content) > ticket.MaxDefinition:
		return def, ticket.RefuseField(ticket.Invalid, "definition", ticket.Over(ticket.MaxDefinition, "bytes as JSON", len(content)))
	}
	now := db.At(q.Now())
	if _, err := q.Exec(ctx, `UPDATE services SET number = ?, version = ?, updated_at = ? WHERE tenant = ? AND key = ?`,
		def.Number, def.Version, now, tenant, def.Key); err != nil {
		return def, db.Wrap("update a service", err)
	}
	err = q.Insert(ctx, `service_versions (tenant, key, version, content, published_by, published_at)`,
		[][]any{{tenant, def.Key, def.Version, string(content), app, now}})
	if err != nil {
		return def, err
	}
	var added [][]any
	for _, n := range def.Nodes {
		if !slices.ContainsFunc(earlier, func(e flow.Node) bool { return e.ID == n.ID }) {
			added = append(added, []any{n.Number, tenant, def.Key, n.ID})
		}
	}
	return def, q.Insert(ctx, `service_nodes (number, tenant, key, node)`, added)
}

// publishing makes sure of a service's row and locks it, so that of two who publish at once the second sees what the first did. It gives the
// latest version; its Version is 0 when there is none.
func (c *Catalogue) publishing(ctx context.Context, q *db.Tx, tenant, key string) (latest flow.Definition, err error) {
	now := db.At(q.Now())
	made, err := q.Exec(ctx, `INSERT INTO services (tenant, key, number, version, enabled, created_at, updated_at) VALUES (?, ?, 0, 0, ?, ?, ?)
		ON CONFLICT (tenant, key) DO NOTHING`, tenant, key, true, now, now)
	if err != nil {
		return latest, db.Wrap("insert a service", err)
	}
	if made == 1 {
		var n int
		if err := q.Get(ctx, &n, `SELECT COUNT(*) FROM services WHERE tenant = ?`, tenant); err != nil {
			return latest, db.Wrap("count services", err)
		}
		if n > ticket.MaxServices {
			return latest, ticket.Refuse(ticket.Conflict, fmt.Sprintf("a tenant can have at most %d services", ticket.MaxServices))
		}
		return latest, nil
	}
	var version int
	if err := q.Get(ctx, &version, q.Locking(`SELECT version FROM services WHERE tenant = ? AND key = ?`, db.Exclusive), tenant, key); err != nil {
		return latest, db.Wrap("lock a service", err)
	}
	var content string
	err = q.Get(ctx, &content, `SELECT content FROM service_versions WHERE tenant = ? AND key = ? AND version = ?`, tenant, key, version)
	if err != nil {
		return latest, db.Wrap("read a service", err)
	}
	return readDefinition(content)
}

// numbered gives every node that a service ever had, with its integer id.
func (c *Catalogue) numbered(ctx context.Context, q *db.Tx, tenant, key string) (nodes []flow.Node, err error) {
	var rows []struct {
		Number int64  `db:"number"`
		Node   string `db:"node"`
	}
	if err := q.All(ctx, &rows, `SELECT number, node FROM service_nodes WHERE tenant = ? AND key = ?`, tenant, key); err != nil {
		return nil, db.Wrap("list the numbers of nodes", err)
	}
	for _, row := range rows {
		nodes = append(nodes, flow.Node{ID: row.Node, Number: row.Number})
	}
	return nodes, nil
}

// counterServices is the counter that the integer ids of services and nodes are drawn from.
const counterServices = "services"

// number gives a definition its integer ids: those of earlier, and new ones for what it did not have.
func (c *Catalogue) number(ctx context.Context, q *db.Tx, def, earlier flow.Definition) (flow.Definition, error) {
	given := []flow.Definition{earlier}
	var needed int64
	flow.AssignNumbers(def, given, func() int64 { needed++; return needed })
	if needed == 0 {
		return flow.AssignNumbers(def, given, nil), nil
	}
	var last int64
	err := q.Get(ctx, &last, `INSERT INTO counters (name, value) VALUES (?, ?)
		ON CONFLICT (name) DO UPDATE SET value = counters.value + excluded.value RETURNING value`, counterServices, needed)
	if err != nil {
		return def, db.Wrap("draw numbers", err)
	}
	next := flow.FirstNumber - 1 + last - needed
	return flow.AssignNumbers(def, given, func() int64 { next++; return next }), nil
}

// saysTheSame reports whether two definitions differ in nothing but what publishing adds.
func saysTheSame(a, b flow.Definition) (bool, error) {
	var texts [2][]byte
	for i, def := range []flow.Definition{a, b} {
		def.Number, def.Version, def.Nodes = 0, 0, slices.Clone(def.Nodes)
		for n := range def.Nodes {
			def.Nodes[n].Number = 0
		}
		var err error
		if texts[i], err = json.Marshal(def); err != nil {
			return false, fmt.Errorf("write a definition: %w", err)
		}
	}
	return bytes.Equal(texts[0], texts[1]), nil
}

// EnableService says whether a tenant's service opens new tickets; those that are open go on. It joins the transaction that ctx carries.
// NotFound: there is none; Conflict: it is built in.
func (c *Catalogue) EnableService(ctx context.Context, tenant, key string, enabled bool) error {
	if _, ok := builtIn(key); ok {
		return ticket.Refuse(ticket.Conflict, "a built-in service is always enabled")
	}
	return c.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		n, err := q.Exec(ctx, `UPDATE services SET enabled = ?, updated_at = ? WHERE tenant = ? AND key = ?`, enabled, db.At(q.Now()), tenant, db.CleanText(key))
		if err == nil && n == 0 {
			err = errNoService
		}
		return db.Wrap("enable a service", err)
	})
}

func (c *Catalogue) services(ctx context.Context, query string, args ...any) (list []ticket.ServiceRecord, err error) {
	err = c.db.Read(ctx, func(q *db.Tx) error {
		var rows []serviceRow
		if err := q.All(ctx, &rows, query, args...); err != nil {
			return db.Wrap("list services", err)
		}
		for _, row := range rows {
			record, err := row.record()
			if err == nil {
				err = complete(ctx, q, row.Tenant, &record.Definition)
			}
			if err != nil {
				return err
			}
			list = append(list, record)
		}
		return nil
	})
	return list, err
}

// service reads one; otherwise is the refusal when there is none.
func (c *Catalogue) service(ctx context.Context, otherwise error, query string, args ...any) (ticket.ServiceRecord, error) {
	list, err := c.services(ctx, query, args...)
	switch {
	case err != nil:
		return ticket.ServiceRecord{}, err
	case len(list) == 0:
		return ticket.ServiceRecord{}, otherwise
	}
	return list[0], nil
}
