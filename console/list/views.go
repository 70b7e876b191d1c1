package list

import (
	"context"
	"net/http"
	"net/url"

	"signalbox/console/page"
	"signalbox/desk"
	"signalbox/ticket"
)

// Views are lists that somebody wants to see again.
type Views interface {
	// Views lists a person's own views and those that everybody has.
	Views(ctx context.Context, tenant, person string) ([]ticket.View, error)
	// View gives one of these; NotFound.
	View(ctx context.Context, tenant, person, id string) (ticket.View, error)
	// AddView keeps a view under a new ID. Invalid, Conflict (the name is taken) or TooMany.
	AddView(ctx context.Context, v ticket.View) (ticket.View, error)
	// ChangeView gives a view another name and another query.
	ChangeView(ctx context.Context, v ticket.View) error
	// DeleteView deletes an owner's view.
	DeleteView(ctx context.Context, tenant, owner, id string) error
}

// keeping is the form that keeps a list as a view, or the one that changes a view, as it is on the page.
type keeping struct {
	Name, Problem string
	Shared, Open  bool
}

// keep keeps the list that was looked at as a view.
func (r *Room) keep(v *page.Visit) error {
	a, err := r.looked(v)
	if err != nil {
		return err
	}
	kept := ticket.View{Tenant: v.Who.App.Tenant, Owner: v.Who.Person, Name: v.Form.Text("name"), Query: a.String()}
	shared := v.Form.On("shared")
	if shared {
		kept.Owner = ""
	}
	err = r.transact(v, func(ctx context.Context) error {
		_, err := r.Views.AddView(ctx, kept)
		return err
	})
	if problem, ok := r.problem(v, err); ok {
		return r.page(v, http.StatusBadRequest, a, view{Keep: keeping{Name: kept.Name, Shared: shared, Problem: problem, Open: true}})
	} else if err != nil {
		return err
	}
	return v.Done(a.address(), v.T("list.kept", "Name", kept.Name))
}

// change gives a view another name, or deletes it.
func (r *Room) change(v *page.Visit) error {
	id, err := v.Param("id")
	if err != nil {
		return err
	}
	kept, err := r.Views.View(v.Until, v.Who.App.Tenant, v.Who.Person, id)
	if err != nil && !(ticket.Is(err, ticket.NotFound) && v.Form.Get("do") == "delete") { // what is deleted twice was deleted
		return err
	}
	if v.Form.Get("do") == "delete" {
		err := r.transact(v, func(ctx context.Context) error { return r.Views.DeleteView(ctx, kept.Tenant, kept.Owner, id) })
		if err != nil {
			return err
		}
		return v.Done(path, v.T("list.deleted"))
	}
	var a asked
	values, err := url.ParseQuery(kept.Query)
	if err == nil {
		err = a.read(values)
	}
	if err != nil {
		return err
	}
	kept.Name = v.Form.Text("name")
	err = r.transact(v, func(ctx context.Context) error { return r.Views.ChangeView(ctx, kept) })
	if problem, ok := r.problem(v, err); ok {
		return r.page(v, http.StatusBadRequest, a, view{Change: keeping{Name: kept.Name, Problem: problem, Open: true}})
	} else if err != nil {
		return err
	}
	return v.Done(a.address(), v.T("list.kept", "Name", kept.Name))
}

// looked reads which list was looked at.
func (r *Room) looked(v *page.Visit) (a asked, err error) {
	values, err := url.ParseQuery(v.Form.Get("query"))
	if err != nil {
		return a, ticket.RefuseField(ticket.Invalid, "query", "is not properly escaped")
	}
	return a, a.read(values)
}

// problem tells what is wrong with a name; false: it is something else.
func (r *Room) problem(v *page.Visit, err error) (string, bool) {
	refusal := ticket.AsError(err)
	switch {
	case refusal == nil:
		return "", false
	case refusal.Code == ticket.Conflict:
		return v.T("list.name_taken"), true
	case refusal.Code == ticket.TooMany:
		return v.T("list.too_many_views", "N", ticket.MaxViews), true
	case refusal.Code == ticket.Invalid && refusal.Field == "name":
		return v.T("list.name_needed", "N", ticket.MaxViewName), true
	}
	return "", false
}

func (r *Room) transact(v *page.Visit, effect func(ctx context.Context) error) error {
	_, err := r.Desk.Transact(v.Until, v.DeskRequest(), func(ctx context.Context) (desk.Answer, error) {
		return desk.Answer{Status: http.StatusOK, Body: []byte(`{}`)}, effect(ctx)
	})
	return err
}

// kept are the links to views that are kept, and which of them the list is that is looked at; empty: none.
func (r *Room) kept(v *page.Visit, a asked) (links []link, here ticket.View, err error) {
	views, err := r.Views.Views(v.Until, v.Who.App.Tenant, v.Who.Person)
	if err != nil {
		return nil, here, err
	}
	for _, one := range views {
		current := one.Query == a.String()
		if links = append(links, link{Path: page.Address(path, nil), Label: one.Name, Current: current, Shared: one.Owner == ""}); one.Query != "" {
			links[len(links)-1].Path += "?" + one.Query
		}
		if current && here.ID == "" {
			here = one
		}
	}
	return links, here, nil
}
