// Package services is the pages of services: the list, what a process is like in each of its versions, and where one is written, tried out and published.
package services

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"signalbox/api"
	"signalbox/api/houseapi"
	"signalbox/console/page"
	"signalbox/flow"
	"signalbox/ticket"
)

// Records are the services of all tenants as these pages see them, the built-in ones among those of each. NotFound stands for what a tenant does not have.
type Records interface {
	houseapi.Surroundings
	// ServicePage lists the latest versions, those of disabled services included, in the order in which they were first published.
	ServicePage(ctx context.Context, tenant, cursor string, limit int) (list []ticket.ServiceRecord, next string, err error)
	// ServiceRecord gives the latest version of a service.
	ServiceRecord(ctx context.Context, tenant, key string) (ticket.ServiceRecord, error)
	// ServiceVersions lists the versions of a service, the latest first.
	ServiceVersions(ctx context.Context, tenant, key, cursor string, limit int) (list []ticket.ServiceRecord, next string, err error)
	// ServiceVersion gives one version, which never changes.
	ServiceVersion(ctx context.Context, tenant, key string, version int) (flow.Definition, error)
	// PublishService makes a definition without faults the next version of its service, and gives it with its version. One that says what the latest version
	// says is that version. Joins the transaction of ctx.
	PublishService(ctx context.Context, tenant, by string, def flow.Definition) (flow.Definition, error)
	// EnableService says whether a service opens new tickets. Joins the transaction of ctx.
	EnableService(ctx context.Context, tenant, key string, enabled bool) error
}

// Room is the area. All are needed.
type Room struct {
	Desk    api.Desk
	Records Records
	Tickets Tickets
	Now     func() time.Time
}

// Area gives its routes. What is fixed in a path comes before keys, which no service can then be shown by: "new" and "draft" are no keys that make sense.
func (r *Room) Area() page.Area {
	route := func(method, path string, right page.Right, do page.Handler) page.Route {
		return page.Route{Method: method, Path: path, Right: right, Do: do}
	}
	return page.Area{
		Routes: []page.Route{
			route(http.MethodGet, "/services", page.Read, r.list),
			route(http.MethodGet, "/services/new", page.Admin, r.begin),
			route(http.MethodPost, "/services/new", page.Admin, r.save),
			route(http.MethodPost, "/services/draft", page.Read, r.draft),
			route(http.MethodGet, "/services/:key", page.Read, r.of(r.show)),
			route(http.MethodGet, "/services/:key/v/:version", page.Read, r.of(r.show)),
			route(http.MethodGet, "/services/:key/v/:version/diagram.svg", page.Read, r.of(r.picture)),
			route(http.MethodGet, "/services/:key/edit", page.Admin, r.of(r.edit)),
			route(http.MethodPost, "/services/:key/edit", page.Admin, r.of(func(v *page.Visit, _ found) error { return r.save(v) })),
			route(http.MethodGet, "/services/:key/migrate", page.Admin, r.of(r.migration)),
			route(http.MethodPost, "/services/:key/migrate", page.Admin, r.of(r.migrate)),
			route(http.MethodPost, "/services/:key/enable", page.Admin, r.of(r.enable)),
		},
		Menu: []page.Entry{{Path: "/services", Label: "menu.services", Right: page.Read}},
	}
}

// found is a service that a path names, and the version of it that the page is about: the latest where the path names none.
type found struct {
	Latest ticket.ServiceRecord
	flow.Definition
}

// of finds the service and the version that the path names.
func (r *Room) of(h func(*page.Visit, found) error) page.Handler {
	return func(v *page.Visit) error {
		key, err := v.Param("key")
		if err != nil {
			return err
		}
		latest, err := r.Records.ServiceRecord(v.Until, v.Who.App.Tenant, key)
		if err != nil {
			return err
		}
		f := found{latest, latest.Definition}
		if v.Params("version") != "" {
			number, err := strconv.ParseInt(v.Params("version"), 10, 32)
			if err != nil {
				return page.ErrNoPage
			}
			if f.Definition, err = r.version(v, latest, number); err != nil {
				return err
			}
		}
		return h(v, f)
	}
}

// version gives a version of a service by its number.
func (r *Room) version(v *page.Visit, latest ticket.ServiceRecord, number int64) (flow.Definition, error) {
	if number == int64(latest.Version) {
		return latest.Definition, nil
	}
	if number < 1 || number > int64(latest.Version) {
		return flow.Definition{}, page.ErrNoPage
	}
	return r.Records.ServiceVersion(v.Until, v.Who.App.Tenant, latest.Key, int(number))
}

// picture serves the process alone.
func (r *Room) picture(v *page.Visit, f found) error {
	return houseapi.Picture(func(*fiber.Ctx) (flow.Definition, *flow.Position, error) { return f.Definition, nil, nil })(v.Ctx)
}

// pathOf is the page of a service.
func pathOf(key string) string { return "/services/" + key }

// versionPath is the page of a version of it.
func versionPath(key string, version int) string { return pathOf(key) + "/v/" + strconv.Itoa(version) }
