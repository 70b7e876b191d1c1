package services

import (
	"context"
	"encoding/json"
	"fmt"

	"signalbox/store/db"
	"signalbox/ticket"
)

// counterCatalogs is the counter that ids of catalogs are drawn from. Those below firstCatalog are part of the program.
const (
	counterCatalogs = "catalogs"
	firstCatalog    = 100
)

type catalogRow struct {
	ID          int64  `db:"id"`
	Parent      int64  `db:"parent"`
	Name        string `db:"name"`
	Description string `db:"description"`
}

// Catalogs lists the catalogs that a tenant made, in the order in which they were made.
func (c *Catalogue) Catalogs(ctx context.Context, tenant string) (list []ticket.Catalog, err error) {
	err = c.db.Read(ctx, func(q *db.Tx) error {
		var rows []catalogRow
		if err := q.All(ctx, &rows, `SELECT id, parent, name, description FROM service_catalogs WHERE tenant = ? ORDER BY id`, tenant); err != nil {
			return db.Wrap("list catalogs", err)
		}
		for _, row := range rows {
			list = append(list, ticket.Catalog(row))
		}
		return nil
	})
	return list, err
}

// EnsureCatalog gives the id of the tenant's catalog of this name in its parent, and makes it where there is none. Whether there is such a parent is the
// caller's to know. It joins the transaction that ctx carries. Conflict: the tenant has ticket.MaxCatalogs.
func (c *Catalogue) EnsureCatalog(ctx context.Context, tenant, app string, catalog ticket.Catalog) (id int64, err error) {
	err = c.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		const query = `SELECT id FROM service_catalogs WHERE tenant = ? AND parent = ? AND name = ?`
		found, err := q.Find(ctx, &id, query, tenant, catalog.Parent, catalog.Name)
		if err != nil || found {
			return db.Wrap("find a catalog", err)
		}
		number, err := q.DrawNumber(ctx, counterCatalogs)
		if err != nil {
			return err
		}
		if _, err := q.Exec(ctx, `INSERT INTO service_catalogs (id, tenant, parent, name, description, created_by, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (tenant, parent, name) DO NOTHING`, firstCatalog-1+number, tenant, catalog.Parent, catalog.Name, catalog.Description, app, db.At(q.Now())); err != nil {
			return db.Wrap("insert a catalog", err)
		}
		if err := q.Get(ctx, &id, query, tenant, catalog.Parent, catalog.Name); err != nil {
			return db.Wrap("find a catalog", err)
		}
		var n int
		if err := q.Get(ctx, &n, `SELECT COUNT(*) FROM service_catalogs WHERE tenant = ?`, tenant); err != nil {
			return db.Wrap("count catalogs", err)
		}
		if n > ticket.MaxCatalogs {
			return ticket.Refuse(ticket.Conflict, fmt.Sprintf("a tenant can have at most %d catalogs", ticket.MaxCatalogs))
		}
		return nil
	})
	return id, err
}

// ImportedServices lists the services that a tenant imported.
func (c *Catalogue) ImportedServices(ctx context.Context, tenant string) (list []ticket.ImportedService, err error) {
	err = c.db.Read(ctx, func(q *db.Tx) error {
		var rows []struct {
			Key     string `db:"key"`
			Catalog int64  `db:"catalog"`
			Name    string `db:"name"`
			LeftOut string `db:"left_out"`
		}
		if err := q.All(ctx, &rows, `SELECT key, catalog, name, left_out FROM service_imports WHERE tenant = ? ORDER BY key`, tenant); err != nil {
			return db.Wrap("list imported services", err)
		}
		for _, row := range rows {
			s := ticket.ImportedService{Key: row.Key, Catalog: row.Catalog, Name: row.Name}
			if err := json.Unmarshal([]byte(row.LeftOut), &s.Left); err != nil {
				return fmt.Errorf("read what an import left out: %w", err)
			}
			list = append(list, s)
		}
		return nil
	})
	return list, err
}

// RecordImport keeps where a service of the tenant's was imported to, instead of what was kept of it before. It joins the transaction that ctx carries.
// Conflict: another service of that catalog was imported by this name.
func (c *Catalogue) RecordImport(ctx context.Context, tenant, app string, s ticket.ImportedService) error {
	left, err := json.Marshal(s.Left)
	if err != nil {
		return fmt.Errorf("write what an import left out: %w", err)
	}
	return c.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		var other string
		taken, err := q.Find(ctx, &other, `SELECT key FROM service_imports WHERE tenant = ? AND catalog = ? AND name = ? AND key <> ?`, tenant, s.Catalog, s.Name, s.Key)
		switch {
		case err != nil:
			return db.Wrap("find an imported service", err)
		case taken:
			return ticket.RefuseField(ticket.Conflict, "name", "another service of this catalog has it")
		}
		_, err = q.Exec(ctx, `INSERT INTO service_imports (tenant, key, catalog, name, left_out, imported_by, imported_at) VALUES (?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (tenant, key) DO UPDATE SET catalog = excluded.catalog, name = excluded.name, left_out = excluded.left_out,
				imported_by = excluded.imported_by, imported_at = excluded.imported_at`,
			tenant, s.Key, s.Catalog, s.Name, string(left), app, db.At(q.Now()))
		return db.Wrap("keep an import", err)
	})
}
