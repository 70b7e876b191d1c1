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
	"signalbox/console/versions"
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
	// PublishWritten makes a definition without faults the next version of its service, and gives it with its version. One that says what the latest version
	// says is that version. Joins the transaction of ctx.
	// The text that it was read from is kept beside it, which ServiceText gives; empty: there is none.
	PublishWritten(ctx context.Context, tenant, by string, def flow.Definition, text string) (flow.Definition, error)
	ServiceText(ctx context.Context, tenant, key string, version int) (string, error)
	// EnableService says whether a service opens new tickets. Joins the transaction of ctx.
	EnableService(ctx context.Context, tenant, key string, enabled bool) error
	// RotateService gives the requests that a service's processes make a new secret to be signed with, and tells it. Conflict: it is built in. Joins the transaction of ctx.
	RotateService(ctx context.Context, tenant, key string) (secret string, err error)
	// OpenAtNodes counts the open tickets of a service by the node at which they stand, whatever their version of it; one that stands at several is counted at each.
	OpenAtNodes(ctx context.Context, tenant, service string) (map[string]int, error)
}

// Room is the area. All are needed.
type Room struct {
	Desk    api.Desk
	Records Records
	Tickets Tickets
	Now     func() time.Time
}

// draftPath is where new services are written: none below /services, where any word may be the key of one.
const draftPath = "/editor/service"

// Area gives its routes.
func (r *Room) Area() page.Area {
	route := func(method, path string, right page.Right, do page.Handler) page.Route {
		return page.Route{Method: method, Path: path, Right: right, Do: do}
	}
	return page.Area{
		Routes: append(r.kind().Routes(), []page.Route{
			route(http.MethodGet, "/services", page.Read, r.list),
			route(http.MethodPost, draftPath+"/simulate", page.Read, r.stepOfDraft),
			route(http.MethodGet, "/services/:key", page.Read, r.kind().Of(r.show)),
			route(http.MethodGet, "/services/:key/v/:version", page.Read, r.kind().Of(r.show)),
			route(http.MethodGet, "/services/:key/v/:version/diagram.svg", page.Read, r.of(r.picture)),
			route(http.MethodGet, "/services/:key/simulate", page.Read, r.of(r.simulate)),
			route(http.MethodPost, "/services/:key/simulate", page.Read, r.of(r.step)),
			route(http.MethodGet, "/services/:key/migrate", page.Admin, r.of(r.migration)),
			route(http.MethodPost, "/services/:key/migrate", page.Admin, r.of(r.migrate)),
			route(http.MethodPost, "/services/:key/rotate", page.Admin, r.of(r.rotate)),
		}...),
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
	return r.kind().Of(func(v *page.Visit, f versions.Found[ticket.ServiceRecord]) error {
		return h(v, found{f.Latest, f.Shown.Definition})
	})
}

// rotate gives the requests of a service's processes a new secret, and tells it.
func (r *Room) rotate(v *page.Visit, f found) error {
	secret, err := page.Transact(v, r.Desk, true, func(ctx context.Context) (string, error) {
		return r.Records.RotateService(ctx, v.Who.App.Tenant, f.Key)
	})
	if err != nil {
		return v.Failed(pathOf(f.Key), err)
	}
	return v.ShowSecret(v.T("subscription.rotated"), f.Key, secret, v.T("services.rotated_text"), pathOf(f.Key))
}

// spoken gives a service as pages show it.
func spoken(v *page.Visit, s ticket.ServiceRecord) ticket.ServiceRecord {
	s.Definition = v.Spoken(s.Definition)
	return s
}

// picture serves the process alone.
func (r *Room) picture(v *page.Visit, f found) error {
	return houseapi.PictureBy(func(*fiber.Ctx) (flow.Definition, *flow.Position, error) { return v.Spoken(f.Definition), nil, nil }, v.DrawNamed)(v.Ctx)
}

// pathOf is the page of a service.
func pathOf(key string) string { return "/services/" + key }

// versionPath is the page of a version of it.
func versionPath(key string, version int) string { return pathOf(key) + "/v/" + strconv.Itoa(version) }
