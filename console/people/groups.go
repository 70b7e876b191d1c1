package people

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"signalbox/api/houseapi"
	"signalbox/console/page"
	"signalbox/people"
	"signalbox/ticket"
)

// groupView is a group in a list.
type groupView struct {
	people.GroupRecord
	Path string
}

// groupsView is a page of groups.
type groupsView struct {
	Search      string
	Rows        []groupView
	First, Next string
	Chosen      bool
}

func (r *Room) groups(v *page.Visit) error {
	var l groupsView
	var err error
	if l.Search, err = v.Ask("q", people.MaxName); err != nil {
		return err
	}
	cursor, err := v.Ask("cursor", maxCursor)
	if err != nil {
		return err
	}
	found, next, err := r.Directory.Groups(v.Until, v.Who.App.Tenant, people.GroupFilter{Search: l.Search}, cursor, listPage)
	if err != nil {
		return err
	}
	for _, g := range found {
		l.Rows = append(l.Rows, groupView{g, groupPath(g.ID)})
	}
	query := url.Values{}
	if l.Chosen = l.Search != ""; l.Chosen {
		query.Set("q", l.Search)
	}
	l.First, l.Next = pages("/groups", query, cursor, next)
	return v.Render(http.StatusOK, "people/groups", v.T("groups.title"), l)
}

// groupPage is a group with a part of its members.
type groupPage struct {
	people.GroupRecord
	Path        string
	Rows        []memberView
	Total       int
	First, Next string
	Persons, In string // as typed: who is to come in
	Fault       page.Fault
}

// memberView is a member of a group.
type memberView struct {
	people.Member
	Path string
	Kind string // person or group
}

func (r *Room) group(v *page.Visit) error {
	id, err := v.Param("id")
	if err != nil {
		return err
	}
	return r.grouped(v, http.StatusOK, id, groupPage{})
}

// grouped shows a group. Members come in the order in which they are kept, some at a time.
func (r *Room) grouped(v *page.Visit, status int, id string, w groupPage) error {
	g, err := r.Directory.Group(v.Until, v.Who.App.Tenant, people.Key{ID: id})
	if err != nil {
		return err
	}
	from, err := v.AskNumber("from", 1)
	if err != nil {
		return err
	}
	w.GroupRecord, w.Path, w.Total = g, groupPath(id), len(g.Members)
	start := min(int(min(from, people.MaxMembers))-1, w.Total)
	end := min(start+listPage, w.Total)
	for _, m := range g.Members[start:end] {
		view := memberView{Member: m, Path: pathOf(m.Person), Kind: "person"}
		if m.Group != "" {
			view.Path, view.Kind = groupPath(m.Group), "group"
		}
		w.Rows = append(w.Rows, view)
	}
	if start > 0 {
		w.First = w.Path
	}
	if end < w.Total {
		w.Next = page.Address(w.Path, url.Values{"from": {strconv.Itoa(end + 1)}})
	}
	return v.Render(status, "people/group", g.Label(), w)
}

// newGroup is a group as a form.
type newGroup struct {
	ID, Name string
	Fault    page.Fault
}

func (r *Room) beginGroup(v *page.Visit) error {
	return v.Render(http.StatusOK, "people/newgroup", v.T("groups.new"), newGroup{})
}

func (r *Room) addGroup(v *page.Visit) error {
	w := newGroup{ID: v.Form.Text("id"), Name: v.Form.Text("name")}
	var err error
	if w.ID == "" {
		err = ticket.RefuseField(ticket.Invalid, "id", "is required")
	} else {
		err = r.changeGroup(v, w.ID, people.Membership{}, func(had people.GroupRecord, known bool) (people.GroupRecord, error) {
			if known {
				return had, errKnown
			}
			had.ID, had.Name = w.ID, w.Name
			return had, nil
		})
	}
	if err == nil {
		return v.Done(groupPath(w.ID), v.T("groups.done.kept"))
	}
	wrong, ok := v.Fault(err)
	if !ok {
		return err
	}
	if w.Fault = wrong; ticket.AsError(err) == errKnown {
		w.Fault = page.Fault{Field: wrong.Field, Text: v.T("groups.known")}
	}
	return v.Render(http.StatusBadRequest, "people/newgroup", v.T("groups.new"), w)
}

func (r *Room) rename(v *page.Visit) error {
	return r.changed(v, v.T("groups.done.kept"), people.Membership{}, func(had *people.GroupRecord) { had.Name = v.Form.Text("name") })
}

// members takes members into a group and out of it.
func (r *Room) members(v *page.Visit) error {
	var m people.Membership
	for _, id := range v.Form.List("persons") {
		m.Add = append(m.Add, people.Member{Person: id})
	}
	for _, id := range v.Form.List("groups") {
		m.Add = append(m.Add, people.Member{Group: id})
	}
	for _, out := range v.Form.Values["out"] {
		kind, id, _ := strings.Cut(out, ":")
		if kind == "group" {
			m.Remove = append(m.Remove, people.Member{Group: id})
		} else {
			m.Remove = append(m.Remove, people.Member{Person: id})
		}
	}
	if len(m.Add)+len(m.Remove) == 0 {
		id, err := v.Param("id")
		if err != nil {
			return err
		}
		return r.grouped(v, http.StatusBadRequest, id, groupPage{Fault: page.Fault{Text: v.T("groups.nobody")}})
	}
	if err := houseapi.CheckMembership(m); err != nil {
		return r.refused(v, err)
	}
	return r.changed(v, v.T("groups.done.members", "In", len(m.Add), "Out", len(m.Remove)), m, func(*people.GroupRecord) {})
}

// changed changes the group that the path names, and shows it.
func (r *Room) changed(v *page.Visit, done string, members people.Membership, change func(*people.GroupRecord)) error {
	id, err := v.Param("id")
	if err != nil {
		return err
	}
	err = r.changeGroup(v, id, members, func(had people.GroupRecord, known bool) (people.GroupRecord, error) {
		if !known {
			return had, page.ErrNoPage
		}
		change(&had)
		return had, nil
	})
	if err == nil {
		return v.Done(groupPath(id), done)
	}
	return r.refused(v, err)
}

// refused shows the group that the path names with what is wrong with the form that was sent.
func (r *Room) refused(v *page.Visit, err error) error {
	wrong, ok := v.Fault(err)
	if !ok || ticket.Is(err, ticket.NotFound) {
		return err
	}
	id, err := v.Param("id")
	if err != nil {
		return err
	}
	return r.grouped(v, http.StatusBadRequest, id, groupPage{Persons: v.Form.Get("persons"), In: v.Form.Get("groups"), Fault: wrong})
}

func (r *Room) changeGroup(v *page.Visit, id string, members people.Membership, change func(had people.GroupRecord, known bool) (people.GroupRecord, error)) error {
	_, err := page.Transact(v, r.Desk, false, func(ctx context.Context) (int64, error) {
		rec, err := r.Directory.ChangeGroup(ctx, v.Who.App.Tenant, v.Who.By(), people.Key{ID: id}, members, change)
		return rec.Version, err
	})
	return err
}

// removeGroup forgets a group, once the box was ticked that says so.
func (r *Room) removeGroup(v *page.Visit) error {
	id, err := v.Param("id")
	if err != nil {
		return err
	}
	if !v.Form.On("sure") {
		return v.Failed(groupPath(id), ticket.Refuse(ticket.Invalid, v.T("people.sure")))
	}
	var name string
	_, err = page.Transact(v, r.Desk, false, func(ctx context.Context) (bool, error) {
		return true, r.Directory.RemoveGroup(ctx, v.Who.App.Tenant, v.Who.By(), people.Key{ID: id}, func(had people.GroupRecord) error {
			name = had.Label()
			return nil
		})
	})
	if err != nil {
		return err
	}
	return v.Done("/groups", v.T("people.done.removed", "Name", cmp.Or(name, id)))
}
