// Package apps is the pages on which admins look after the apps of their tenant: who may call, with what rights and how often.
package apps

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"signalbox/api"
	"signalbox/console/page"
	"signalbox/desk"
	"signalbox/ticket"
)

// Apps is the apps of all tenants. What changes something joins the transaction that ctx carries.
type Apps interface {
	// AppRecords lists a tenant's apps by code.
	AppRecords(ctx context.Context, tenant string) ([]desk.AppRecord, error)
	// AppRecord is one of them; NotFound.
	AppRecord(ctx context.Context, tenant, code string) (desk.AppRecord, error)
	// CreateApp makes one and gives its secret. Conflict: the code is taken.
	CreateApp(ctx context.Context, a desk.App) (secret string, err error)
	// SetAppDisabled turns one off or on again.
	SetAppDisabled(ctx context.Context, code string, disabled bool) error
	// SetAppRate limits its requests a minute, and of these how many at once; 0: as for all apps, and all.
	SetAppRate(ctx context.Context, code string, rate, burst int) error
	// RotateSecret gives it a new secret; its others work on for a time.
	RotateSecret(ctx context.Context, code string, overlap time.Duration) (secret string, err error)
}

// Room is the area. Both are needed.
type Room struct {
	Desk api.Desk
	Apps Apps
}

const (
	all = "/apps"
	one = all + "/:code"
)

// Area gives its routes.
func (r *Room) Area() page.Area {
	route := func(method, path string, do page.Handler) page.Route {
		return page.Route{Method: method, Path: path, Right: page.Admin, Do: do}
	}
	return page.Area{
		Routes: []page.Route{
			route(http.MethodGet, all, r.list),
			route(http.MethodPost, all, r.create),
			route(http.MethodGet, all+"/new", r.empty),
			route(http.MethodGet, one, r.of(r.show)),
			route(http.MethodPost, one+"/limit", r.of(r.limit)),
			route(http.MethodPost, one+"/rotate", r.of(r.rotate)),
			route(http.MethodPost, one+"/disable", r.of(r.turn(true))),
			route(http.MethodPost, one+"/enable", r.of(r.turn(false))),
		},
		Menu: []page.Entry{{Path: all, Label: "menu.apps", Right: page.Admin}},
	}
}

// of is for pages of one app, which is the visitor's tenant's. No app moves to another tenant, so that what is done to it after it was found is done to theirs.
func (r *Room) of(do func(v *page.Visit, app desk.AppRecord) error) page.Handler {
	return func(v *page.Visit) error {
		code, err := v.Param("code")
		if err != nil {
			return err
		}
		app, err := r.Apps.AppRecord(v.Until, v.Who.App.Tenant, code)
		if err != nil {
			return err
		}
		return do(v, app)
	}
}

func pathOf(code string) string { return all + "/" + url.PathEscape(code) }

func (r *Room) list(v *page.Visit) error {
	list, err := r.Apps.AppRecords(v.Until, v.Who.App.Tenant)
	if err != nil {
		return err
	}
	return v.Render(http.StatusOK, "apps/list", v.T("app.title"), list)
}

// scopes are those that an app can be given, in the order of what they allow.
var scopes = []desk.Scope{desk.Read, desk.Write, desk.Directory, desk.Admin}

// overlaps are how long the secrets of before can work on.
var overlaps = []time.Duration{0, time.Hour, 24 * time.Hour, 7 * 24 * time.Hour}

// formView is the form for a new app.
type formView struct {
	Code, Rate, Burst string
	Chosen            []string
	Scopes            []desk.Scope
	Fault             page.Fault
}

// Has reports whether a scope is chosen.
func (f formView) Has(s desk.Scope) bool { return slices.Contains(f.Chosen, string(s)) }

func (f formView) render(v *page.Visit, status int) error {
	f.Scopes = scopes
	return v.Render(status, "apps/form", v.T("app.new"), f)
}

func (r *Room) empty(v *page.Visit) error {
	return formView{Chosen: []string{string(desk.Read), string(desk.Write)}}.render(v, http.StatusOK)
}

// told is an app whose secret is told this once.
type told struct {
	Code, Secret string
	Rotated      bool
}

// Path is its page.
func (t told) Path() string { return pathOf(t.Code) }

func (r *Room) create(v *page.Visit) error {
	f := formView{Code: v.Form.Text("code"), Rate: v.Form.Text("rate"), Burst: v.Form.Text("burst"), Chosen: v.Form.Values["scopes"]}
	rate, burst, err := limits(v.Form)
	made := told{Code: f.Code}
	if err == nil {
		app := desk.App{Code: f.Code, Tenant: v.Who.App.Tenant, Rate: rate, Burst: burst}
		for _, s := range f.Chosen {
			app.Scopes = append(app.Scopes, desk.Scope(s))
		}
		made, err = page.Transact(v, r.Desk, true, func(ctx context.Context) (told, error) {
			secret, err := r.Apps.CreateApp(ctx, app)
			return told{Code: app.Code, Secret: secret}, err
		})
	}
	if err != nil {
		fault, ok := v.Fault(err)
		if !ok {
			return err
		}
		f.Fault = fault
		return f.render(v, http.StatusBadRequest)
	}
	return v.Render(http.StatusOK, "apps/secret", v.T("app.made"), made)
}

// limits reads how often an app may call. What is left empty is 0.
func limits(form page.Form) (rate, burst int, err error) {
	var f ticket.Faults
	number := func(name string) int {
		text := form.Text(name)
		if text == "" {
			return 0
		}
		n, err := strconv.Atoi(text)
		if err != nil {
			f.Add(name, "must be a whole number")
		}
		return n
	}
	rate, burst = number("rate"), number("burst")
	return rate, burst, f.Err()
}

// showView is the page of one app.
type showView struct {
	desk.AppRecord
	Path        string
	Own         bool   // the visitor acts through it
	Rate, Burst string // as typed, or as they are
	Fault       page.Fault
	Overlaps    []overlap
}

type overlap struct {
	Seconds int
	Label   string
}

func (r *Room) show(v *page.Visit, app desk.AppRecord) error {
	return r.render(v, http.StatusOK, showView{AppRecord: app, Rate: written(app.Rate), Burst: written(app.Burst)})
}

func (r *Room) render(v *page.Visit, status int, w showView) error {
	w.Path, w.Own = pathOf(w.Code), w.Code == v.Who.App.Code
	for _, d := range overlaps {
		label := v.T("app.overlap_none")
		if d > 0 {
			label = v.T("app.overlap", "Count", int(d/time.Hour))
		}
		w.Overlaps = append(w.Overlaps, overlap{int(d / time.Second), label})
	}
	return v.Render(status, "apps/show", w.Code, w)
}

// written gives a limit as the form has it: empty where there is none.
func written(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func (r *Room) limit(v *page.Visit, app desk.AppRecord) error {
	rate, burst, err := limits(v.Form)
	if err == nil {
		_, err = page.Transact(v, r.Desk, false, func(ctx context.Context) (string, error) {
			return app.Code, r.Apps.SetAppRate(ctx, app.Code, rate, burst)
		})
	}
	if err != nil {
		fault, ok := v.Fault(err)
		if !ok {
			return err
		}
		return r.render(v, http.StatusBadRequest, showView{AppRecord: app, Rate: v.Form.Text("rate"), Burst: v.Form.Text("burst"), Fault: fault})
	}
	return v.Done(pathOf(app.Code), v.T("app.limited"))
}

func (r *Room) rotate(v *page.Visit, app desk.AppRecord) error {
	seconds, err := strconv.Atoi(v.Form.Get("overlap"))
	during := time.Duration(seconds) * time.Second
	if err != nil || !slices.Contains(overlaps, during) {
		return ticket.RefuseField(ticket.Invalid, "overlap", "is none of those that there are")
	}
	secret, err := page.Transact(v, r.Desk, true, func(ctx context.Context) (string, error) {
		return r.Apps.RotateSecret(ctx, app.Code, during)
	})
	if err != nil {
		return v.Failed(pathOf(app.Code), err)
	}
	return v.Render(http.StatusOK, "apps/secret", v.T("app.rotated"), told{Code: app.Code, Secret: secret, Rotated: true})
}

// turn disables or enables an app. Nobody disables the app that they act through: it would be the last thing that they did.
func (r *Room) turn(off bool) func(v *page.Visit, app desk.AppRecord) error {
	return func(v *page.Visit, app desk.AppRecord) error {
		if off && app.Code == v.Who.App.Code {
			return v.Failed(pathOf(app.Code), ticket.Refuse(ticket.Conflict, v.T("app.own")))
		}
		_, err := page.Transact(v, r.Desk, false, func(ctx context.Context) (string, error) {
			return app.Code, r.Apps.SetAppDisabled(ctx, app.Code, off)
		})
		switch {
		case err != nil:
			return v.Failed(pathOf(app.Code), err)
		case off:
			return v.Done(pathOf(app.Code), v.T("app.disabled_now"))
		}
		return v.Done(pathOf(app.Code), v.T("app.enabled_now"))
	}
}
