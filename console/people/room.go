// Package people is the pages of a tenant's directory: persons, groups, and who is absent. Whoever keeps the directory sees and keeps all of it; everybody else sees
// their own page, says when they are away and who stands in, and how they want to be told of things.
package people

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"signalbox/api"
	"signalbox/console/page"
	"signalbox/notice"
	"signalbox/people"
	"signalbox/ticket"
)

// Directory are the directories of all tenants. NotFound stands for what a tenant does not have. All that changes something joins the transaction that ctx
// carries, and refuses as Invalid, with the field at fault, what may not be kept; by is who is written down.
type Directory interface {
	Person(ctx context.Context, tenant string, k people.Key) (people.PersonRecord, error)
	Persons(ctx context.Context, tenant string, f people.PersonFilter, cursor string, limit int) (list []people.PersonRecord, next string, err error)
	// PersonsOf gives by id those that there are, out of some.
	PersonsOf(ctx context.Context, tenant string, ids []string) (map[string]people.PersonRecord, error)
	// PersonNames gives by id what those persons are called, out of some, who have a name.
	PersonNames(ctx context.Context, tenant string, ids []string) (map[string]string, error)
	// ChangePersons changes many, all or none of them; at is the place of the one who is refused.
	ChangePersons(ctx context.Context, tenant, by string, list []people.Person, change func(i int, had people.PersonRecord, known bool) (people.PersonRecord, error)) (at int, err error)
	ChangePerson(ctx context.Context, tenant, by string, k people.Key, change func(had people.PersonRecord, known bool) (people.PersonRecord, error)) (people.PersonRecord, error)
	RemovePerson(ctx context.Context, tenant, by string, k people.Key, allow func(people.PersonRecord) error) error

	Group(ctx context.Context, tenant string, k people.Key) (people.GroupRecord, error)
	Groups(ctx context.Context, tenant string, f people.GroupFilter, cursor string, limit int) (list []people.GroupRecord, next string, err error)
	ChangeGroup(ctx context.Context, tenant, by string, k people.Key, members people.Membership, change func(had people.GroupRecord, known bool) (people.GroupRecord, error)) (people.GroupRecord, error)
	RemoveGroup(ctx context.Context, tenant, by string, k people.Key, allow func(people.GroupRecord) error) error

	AddAbsence(ctx context.Context, tenant, by string, a people.Absence) (people.AbsenceRecord, error)
	EndAbsence(ctx context.Context, tenant, by, id string, at time.Time, allow func(people.AbsenceRecord) error) (people.AbsenceRecord, error)
	Absences(ctx context.Context, tenant string, f people.AbsenceFilter, cursor string, limit int) (list []people.AbsenceRecord, next string, err error)
}

// Room is the area. Desk, Directory and Now are needed.
type Room struct {
	Desk      api.Desk
	Directory Directory
	Allow     notice.Reach // where webhooks may lead; api.Config.Reach
	Now       func() time.Time
	Passwords Passwords // nil: nobody signs in with one
	// Forget has sessions of a person be looked at anew, so that those of an earlier password are over at once; needed with Passwords.
	Forget func(tenant, person string)
}

// Area gives its routes. What is new comes under a path of its own, because a person or a group may be called anything.
func (r *Room) Area() page.Area {
	route := func(method, path string, right page.Right, do page.Handler) page.Route {
		return page.Route{Method: method, Path: path, Right: right, Do: do}
	}
	return page.Area{
		Routes: []page.Route{
			route(http.MethodGet, "/people", page.Read, r.list),
			route(http.MethodGet, "/people/:id", page.Read, r.own(r.show)),
			route(http.MethodGet, "/people/:id/edit", page.Directory, r.own(r.edit)),
			route(http.MethodPost, "/people/:id/edit", page.Directory, r.own(func(v *page.Visit, p people.PersonRecord) error { return r.save(v, p.ID) })),
			route(http.MethodPost, "/people/:id/letters", page.Act, r.own(r.letters)),
			route(http.MethodPost, "/people/:id/absences", page.Act, r.own(r.away)),
			route(http.MethodPost, "/people/:id/absences/:absence/end", page.Act, r.own(r.back)),
			route(http.MethodPost, "/people/:id/remove", page.Directory, r.own(r.remove)),
			route(http.MethodGet, "/people/:id/password", page.Admin, r.own(r.password)),
			route(http.MethodPost, "/people/:id/password", page.Admin, r.own(r.setPassword)),
			route(http.MethodGet, "/directory/search", page.Act, r.search),
			route(http.MethodGet, "/directory/persons.csv", page.Directory, r.export),
			route(http.MethodGet, "/directory/import", page.Directory, r.importing),
			route(http.MethodPost, "/directory/import", page.Directory, r.imported),
			route(http.MethodGet, "/directory/person", page.Directory, r.begin),
			route(http.MethodPost, "/directory/person", page.Directory, func(v *page.Visit) error { return r.save(v, "") }),
			route(http.MethodGet, "/groups", page.Directory, r.groups),
			route(http.MethodGet, "/groups/:id", page.Directory, r.group),
			route(http.MethodPost, "/groups/:id", page.Directory, r.rename),
			route(http.MethodPost, "/groups/:id/members", page.Directory, r.members),
			route(http.MethodPost, "/groups/:id/remove", page.Directory, r.removeGroup),
			route(http.MethodGet, "/directory/group", page.Directory, r.beginGroup),
			route(http.MethodPost, "/directory/group", page.Directory, r.addGroup),
			route(http.MethodGet, "/absences", page.Directory, r.absences),
		},
		Menu: []page.Entry{{Path: "/people", Label: "menu.people", Right: page.Read}},
	}
}

// keeps reports whether the visitor keeps the directory.
func keeps(v *page.Visit) bool { return v.Who.May(page.Directory) }

// own finds the person whom the path names: for whoever keeps the directory anybody, for others themselves.
func (r *Room) own(h func(*page.Visit, people.PersonRecord) error) page.Handler {
	return func(v *page.Visit) error {
		id, err := v.Param("id")
		if err != nil {
			return err
		}
		if !keeps(v) && !(v.Who.Own && v.Who.Person == id) {
			return errOthers
		}
		p, err := r.Directory.Person(v.Until, v.Who.App.Tenant, people.Key{ID: id})
		if err != nil {
			return err
		}
		return h(v, p)
	}
}

// errOthers refuses what is somebody else's.
var errOthers = ticket.Refuse(ticket.Forbidden, "Pages of other persons are for those who keep the directory.")

// What is on one page of a list.
const (
	listPage  = 50
	maxCursor = 512 // characters
)

// pathOf is the page of a person, and groupPath that of a group.
func pathOf(id string) string    { return "/people/" + url.PathEscape(id) }
func groupPath(id string) string { return "/groups/" + url.PathEscape(id) }

// pages gives the addresses of the first page of a list and of the one that comes next; empty where there is none.
func pages(path string, query url.Values, cursor, next string) (first, following string) {
	if cursor != "" {
		first = page.Address(path, query)
	}
	if next != "" {
		query.Set("cursor", next)
		following = page.Address(path, query)
	}
	return first, following
}
