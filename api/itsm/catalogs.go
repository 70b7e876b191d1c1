package itsm

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"signalbox/api"
	"signalbox/flow"
	"signalbox/ticket"
)

// catalog is a shelf of services, as it is shown.
type catalog struct {
	ID       int64      `json:"id"`
	Key      string     `json:"key"`
	Name     string     `json:"name"`
	Level    int        `json:"level"`
	Desc     string     `json:"desc"`
	Children []*catalog `json:"children"`
}

const (
	rootCatalog = 1
	project     = "0" // the one project that there is
)

// fixed are the catalogs that every tenant has: one for each type of service, under a root. On them stands whatever was not imported to another.
var fixed = []catalog{{ID: 2, Key: "request", Name: "请求管理"}, {ID: 3, Key: "change", Name: "变更管理"}, {ID: 4, Key: "event", Name: "事件管理"},
	{ID: 5, Key: "question", Name: "问题管理"}}

// shelves are the catalogs of a tenant, and what was imported to which of them.
type shelves struct {
	made     []ticket.Catalog
	imported map[string]ticket.ImportedService // by key
}

func (h *Handler) shelves(ctx context.Context, tenant string) (s shelves, err error) {
	if s.made, err = h.Services.Catalogs(ctx, tenant); err != nil {
		return s, err
	}
	list, err := h.Services.ImportedServices(ctx, tenant)
	s.imported = map[string]ticket.ImportedService{}
	for _, i := range list {
		s.imported[i.Key] = i
	}
	return s, err
}

// catalogOf is the catalog that a service is in.
func (s shelves) catalogOf(def flow.Definition) int64 {
	if i, ok := s.imported[def.Key]; ok {
		return i.Catalog
	}
	for _, f := range fixed {
		if f.Key == serviceType(def) {
			return f.ID
		}
	}
	return rootCatalog
}

// within reports whether a catalog is another, or in it.
func (s shelves) within(id, other int64) bool {
	depth, _ := s.depth(id, other)
	return depth >= 0
}

// depth tells how far a catalog is below another; below 0: it is not in it. known: there is such a catalog.
func (s shelves) depth(id, below int64) (depth int, known bool) {
	depth = 0
	for range ticket.MaxCatalogs {
		if id == below {
			return depth, true
		}
		i := slices.IndexFunc(s.made, func(c ticket.Catalog) bool { return c.ID == id })
		switch {
		case i >= 0:
			id, known = s.made[i].Parent, true
		case id != rootCatalog && slices.ContainsFunc(fixed, func(f catalog) bool { return f.ID == id }):
			id, known = rootCatalog, true
		default:
			return -1, known || id == rootCatalog
		}
		depth++
	}
	return -1, known
}

// under gives a catalog with all that are in it; shown chooses which.
func (s shelves) under(c catalog, shown func(catalog) bool) *catalog {
	c.Children = []*catalog{}
	var children []catalog
	if c.ID == rootCatalog {
		children = slices.Clone(fixed)
	}
	for _, m := range s.made {
		if m.Parent == c.ID {
			children = append(children, catalog{ID: m.ID, Key: fmt.Sprintf("catalog_%d", m.ID), Name: m.Name, Desc: m.Description})
		}
	}
	for _, child := range children {
		if child.Level = c.Level + 1; shown(child) {
			c.Children = append(c.Children, s.under(child, shown))
		}
	}
	return &c
}

func (h *Handler) serviceCatalogs(c *call) error {
	filled, key, name := c.Flag("has_service"), c.Choice("service_key", "request", "change", "event", "question"), c.Name("name", 0, ticket.MaxName)
	in := c.Name("project_key", 0, ticket.MaxName)
	if err := c.Err(); err != nil {
		return err
	}
	if in != "" && in != project {
		return c.answer(nothing)
	}
	s, err := h.shelves(api.Context(c.Ctx), c.tenant)
	if err != nil {
		return err
	}
	var records []ticket.ServiceRecord
	if filled || key != "" {
		if records, err = h.Services.ServiceRecords(api.Context(c.Ctx), c.tenant); err != nil {
			return err
		}
	}
	// Whether a catalog has a service, in itself or in one that is in it.
	has := func(id int64) bool {
		return slices.ContainsFunc(records, func(r ticket.ServiceRecord) bool {
			return r.Enabled && (key == "" || key == serviceType(r.Definition)) && s.within(s.catalogOf(r.Definition), id)
		})
	}
	var named func(c catalog) bool
	named = func(c catalog) bool {
		return strings.Contains(c.Name, name) || slices.ContainsFunc(s.made, func(m ticket.Catalog) bool {
			return m.Parent == c.ID && named(catalog{ID: m.ID, Name: m.Name})
		})
	}
	root := s.under(catalog{ID: rootCatalog, Key: "root", Name: "根目录"}, func(c catalog) bool {
		return named(c) && (key == "" || c.Key == key || c.ID > rootCatalog+int64(len(fixed)) && has(c.ID)) && (!filled || has(c.ID))
	})
	return c.answer([]*catalog{root})
}

// createCatalog makes a catalog, or gives the one that has the name already.
func (h *Handler) createCatalog(c *call) error {
	parent, name, desc := c.Needed("parent__id", 1, api.MaxID), c.Name("name", 1, ticket.MaxName), c.Text("desc", 0, ticket.MaxName)
	c.project()
	if err := c.Err(); err != nil {
		return err
	}
	return api.Transact(c.Ctx, h.Desk, false, func(ctx context.Context) (any, error) {
		s, err := h.shelves(ctx, c.tenant)
		if err != nil {
			return nil, err
		}
		depth, known := s.depth(parent, rootCatalog)
		switch {
		case !known:
			return nil, ticket.RefuseField(ticket.Conflict, "parent__id", "there is no such catalog")
		case depth >= ticket.MaxCatalogDepth:
			return nil, ticket.RefuseField(ticket.Conflict, "parent__id", fmt.Sprintf("catalogs lie at most %d deep", ticket.MaxCatalogDepth))
		}
		if parent == rootCatalog {
			if i := slices.IndexFunc(fixed, func(f catalog) bool { return f.Name == name }); i >= 0 {
				there := fixed[i]
				there.Level, there.Children = 1, []*catalog{}
				return c.envelope(there), nil
			}
		}
		id, err := h.Services.EnsureCatalog(ctx, c.tenant, c.app.Code, ticket.Catalog{Parent: parent, Name: name, Description: desc})
		made := catalog{ID: id, Key: fmt.Sprintf("catalog_%d", id), Name: name, Level: depth + 1, Desc: desc, Children: []*catalog{}}
		return c.envelope(made), err
	})
}

// project reads which project is meant: there is one.
func (c *call) project() {
	if key := c.Name("project_key", 0, ticket.MaxName); key != "" && key != project {
		c.Faults.Add("project_key", "there is the project "+project+" alone")
	}
}
