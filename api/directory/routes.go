// Package directory is the part of the house API that keeps a tenant's people: persons, groups, and who is absent.
package directory

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"signalbox/api"
	"signalbox/api/houseapi"
	"signalbox/desk"
	"signalbox/notice"
	"signalbox/people"
	"signalbox/ticket"
)

// People are the directories of all tenants. NotFound stands for what a tenant does not have. All that changes something joins the transaction that ctx
// carries, and refuses as Invalid, with the field at fault, what may not be kept.
type People interface {
	// Person finds a person, and Persons lists those that a filter chooses, in the order of their ids.
	Person(ctx context.Context, tenant string, k people.Key) (people.PersonRecord, error)
	Persons(ctx context.Context, tenant string, f people.PersonFilter, cursor string, limit int) (list []people.PersonRecord, next string, err error)
	// ChangePerson keeps what change makes of a person. What is the same afterwards keeps its version.
	ChangePerson(ctx context.Context, tenant, app string, k people.Key, change func(had people.PersonRecord, known bool) (people.PersonRecord, error)) (people.PersonRecord, error)
	// ImportPersons keeps many; errs has the refusals of those that are not kept, in their places.
	ImportPersons(ctx context.Context, tenant, app string, persons []people.Person) (recs []people.PersonRecord, errs []error, err error)
	// RemovePerson forgets a person, with memberships and absences; allow may refuse.
	RemovePerson(ctx context.Context, tenant, app string, k people.Key, allow func(people.PersonRecord) error) error

	// The same of groups. Lists, and what ChangeGroup gives, are without members.
	Group(ctx context.Context, tenant string, k people.Key) (people.GroupRecord, error)
	Groups(ctx context.Context, tenant string, f people.GroupFilter, cursor string, limit int) (list []people.GroupRecord, next string, err error)
	ChangeGroup(ctx context.Context, tenant, app string, k people.Key, members people.Membership, change func(had people.GroupRecord, known bool) (people.GroupRecord, error)) (people.GroupRecord, error)
	RemoveGroup(ctx context.Context, tenant, app string, k people.Key, allow func(people.GroupRecord) error) error

	// AddAbsence keeps that somebody is away, and EndAbsence ends it at a time.
	AddAbsence(ctx context.Context, tenant, app string, a people.Absence) (people.AbsenceRecord, error)
	EndAbsence(ctx context.Context, tenant, app, id string, at time.Time, allow func(people.AbsenceRecord) error) (people.AbsenceRecord, error)
	Absences(ctx context.Context, tenant string, f people.AbsenceFilter, cursor string, limit int) (list []people.AbsenceRecord, next string, err error)
}

// Handler is the directory's part of the house API.
type Handler struct {
	Desk   api.Desk
	People People
	Allow  notice.Reach // where webhooks may lead; api.Config.Reach
	Now    func() time.Time
}

// Family gives the family as the server mounts it.
func (h *Handler) Family() api.Family {
	const person, group, absence = "/api/person", "/api/group", "/api/absence"
	return api.Family{
		Channel:  ticket.ChannelIssue,
		Prefixes: []string{person, group, absence},
		Refuse:   refuse,
		Exact:    true,
		Routes: []api.Route{
			{Method: http.MethodGet, Path: person, Scope: desk.Read, Query: true, Handler: h.listPersons},
			{Method: http.MethodPost, Path: person, Scope: desk.Directory, Handler: api.Body(h.importPersons)},
			{Method: http.MethodGet, Path: person + "/:id", Scope: desk.Read, Handler: h.readPerson},
			{Method: http.MethodPut, Path: person + "/:id", Scope: desk.Directory, Handler: api.Body(h.putPerson)},
			{Method: http.MethodPatch, Path: person + "/:id", Scope: desk.Directory, Handler: api.Body(h.patchPerson)},
			{Method: http.MethodDelete, Path: person + "/:id", Scope: desk.Directory, Handler: h.removePerson},
			{Method: http.MethodGet, Path: group, Scope: desk.Read, Query: true, Handler: h.listGroups},
			{Method: http.MethodGet, Path: group + "/:id", Scope: desk.Read, Handler: h.readGroup},
			{Method: http.MethodPut, Path: group + "/:id", Scope: desk.Directory, Handler: api.Body(h.putGroup)},
			{Method: http.MethodPost, Path: group + "/:id/members", Scope: desk.Directory, Handler: api.Body(h.changeMembers)},
			{Method: http.MethodDelete, Path: group + "/:id", Scope: desk.Directory, Handler: h.removeGroup},
			{Method: http.MethodGet, Path: absence, Scope: desk.Read, Query: true, Handler: h.listAbsences},
			{Method: http.MethodPost, Path: absence, Scope: desk.Write, Handler: api.Body(h.addAbsence)},
			{Method: http.MethodPost, Path: absence + "/:id/end", Scope: desk.Write, Handler: api.Body(h.endAbsence)},
		},
	}
}

// errChanged refuses what was meant for another version than there is.
var errChanged = ticket.RefuseField(ticket.Conflict, fiber.HeaderIfMatch, "was changed by somebody else meanwhile; read it again")

// refuse is houseapi.Refuse, with the status that RFC 9110, section 13.1.1, asks for where a condition of the request does not hold.
func refuse(c *fiber.Ctx, r api.Refusal) error {
	if r.Code == errChanged.Code && r.Field == errChanged.Field {
		r.Status = http.StatusPreconditionFailed
	}
	return houseapi.Refuse(c, r)
}

// tag is the entity tag of a version.
func tag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// condition gives what If-Match asks of what there is: nothing where the request has none.
func condition(c *fiber.Ctx) func(version int64, known bool) error {
	header := strings.TrimSpace(c.Get(fiber.HeaderIfMatch))
	return func(version int64, known bool) error {
		switch {
		case header == "", header == "*" && known:
			return nil
		case known:
			for one := range strings.SplitSeq(header, ",") {
				if strings.TrimSpace(one) == tag(version) {
					return nil
				}
			}
		}
		return errChanged
	}
}

// named gives the id that the path has.
func named(c *fiber.Ctx) (people.Key, error) {
	id, err := api.Param(c, "id")
	return people.Key{ID: id}, err
}

func (h *Handler) listPersons(c *fiber.Ctx) error {
	q, err := api.ReadQuery(c)
	if err != nil {
		return err
	}
	limit, cursor := q.Page()
	f := people.PersonFilter{Search: q.Name("search", 0, ticket.MaxName), Email: q.Name("email", 0, people.MaxEmail), Manager: q.Name("manager", 0, ticket.MaxName)}
	if word := q.Choice("active", "true", "false"); word != "" {
		yes := word == "true"
		f.Active = &yes
	}
	if err := q.Err(); err != nil {
		return err
	}
	list, next, err := h.People.Persons(api.Context(c), api.Caller(c).Tenant, f, cursor, limit)
	if err != nil {
		return err
	}
	return houseapi.Respond(c, houseapi.Items[personView]{Items: api.Each(list, personViewOf), Next: next})
}

func (h *Handler) readPerson(c *fiber.Ctx) error {
	k, err := named(c)
	if err != nil {
		return err
	}
	rec, err := h.People.Person(api.Context(c), api.Caller(c).Tenant, k)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderETag, tag(rec.Version))
	return houseapi.Respond(c, personViewOf(rec))
}

// putPerson keeps a person as the body has it: what it leaves out is empty, and a person is active unless it says otherwise.
func (h *Handler) putPerson(c *fiber.Ctx, in personBody) error {
	return h.changePerson(c, in, func(had people.PersonRecord, known bool) (people.PersonRecord, error) {
		had.Person = in.apply(people.Person{ID: had.ID, Active: true})
		return had, nil
	})
}

// patchPerson changes what the body has.
func (h *Handler) patchPerson(c *fiber.Ctx, in personBody) error {
	return h.changePerson(c, in, func(had people.PersonRecord, known bool) (people.PersonRecord, error) {
		if !known {
			return had, ticket.Refuse(ticket.NotFound, "there is no such person")
		}
		had.Person = in.apply(had.Person)
		return had, nil
	})
}

func (h *Handler) changePerson(c *fiber.Ctx, in personBody, change func(had people.PersonRecord, known bool) (people.PersonRecord, error)) error {
	k, err := named(c)
	if err == nil {
		err = in.check("", h.Allow)
	}
	if err != nil {
		return err
	}
	holds, app := condition(c), api.Caller(c)
	return houseapi.Transact(c, h.Desk, false, func(ctx context.Context) (any, error) {
		rec, err := h.People.ChangePerson(ctx, app.Tenant, app.Code, k, func(had people.PersonRecord, known bool) (people.PersonRecord, error) {
			if err := holds(had.Version, known); err != nil {
				return had, err
			}
			had.ID = k.ID
			return change(had, known)
		})
		return personViewOf(rec), err
	})
}

func (h *Handler) importPersons(c *fiber.Ctx, in importBody) error {
	persons, err := in.persons(h.Allow)
	if err != nil {
		return err
	}
	app := api.Caller(c)
	return houseapi.Transact(c, h.Desk, false, func(ctx context.Context) (any, error) {
		recs, errs, err := h.People.ImportPersons(ctx, app.Tenant, app.Code, persons)
		if err != nil {
			return nil, err
		}
		return importedOf(persons, recs, errs), nil
	})
}

func (h *Handler) removePerson(c *fiber.Ctx) error {
	k, err := named(c)
	if err != nil {
		return err
	}
	holds, app := condition(c), api.Caller(c)
	return houseapi.Transact(c, h.Desk, false, func(ctx context.Context) (any, error) {
		return nil, h.People.RemovePerson(ctx, app.Tenant, app.Code, k, func(had people.PersonRecord) error { return holds(had.Version, true) })
	})
}

func (h *Handler) listGroups(c *fiber.Ctx) error {
	q, err := api.ReadQuery(c)
	if err != nil {
		return err
	}
	limit, cursor := q.Page()
	f := people.GroupFilter{Search: q.Name("search", 0, ticket.MaxName), Member: people.Member{Person: q.Name("person", 0, ticket.MaxName), Group: q.Name("group", 0, ticket.MaxName)}}
	if f.Member.Person != "" && f.Member.Group != "" {
		q.Faults.Add("group", "is asked for beside person; ask for one of them")
	}
	if err := q.Err(); err != nil {
		return err
	}
	list, next, err := h.People.Groups(api.Context(c), api.Caller(c).Tenant, f, cursor, limit)
	if err != nil {
		return err
	}
	return houseapi.Respond(c, houseapi.Items[groupView]{Items: api.Each(list, groupViewOf), Next: next})
}

func (h *Handler) readGroup(c *fiber.Ctx) error {
	k, err := named(c)
	if err != nil {
		return err
	}
	rec, err := h.People.Group(api.Context(c), api.Caller(c).Tenant, k)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderETag, tag(rec.Version))
	return houseapi.Respond(c, peopledOf(rec))
}

// putGroup keeps a group as the body has it.
func (h *Handler) putGroup(c *fiber.Ctx, in groupBody) error {
	return h.changeGroup(c, people.Membership{All: true}, func(had people.GroupRecord, _ bool) (people.GroupRecord, error) {
		had.Name, had.Members = api.Value(in.Name), in.Members
		return had, nil
	})
}

// changeMembers takes members into a group and out of it.
func (h *Handler) changeMembers(c *fiber.Ctx, in membersBody) error {
	if err := in.check(); err != nil {
		return err
	}
	return h.changeGroup(c, people.Membership{Add: in.Add, Remove: in.Remove}, func(had people.GroupRecord, known bool) (people.GroupRecord, error) {
		if !known {
			return had, ticket.Refuse(ticket.NotFound, "there is no such group")
		}
		return had, nil
	})
}

func (h *Handler) changeGroup(c *fiber.Ctx, members people.Membership, change func(had people.GroupRecord, known bool) (people.GroupRecord, error)) error {
	k, err := named(c)
	if err != nil {
		return err
	}
	holds, app := condition(c), api.Caller(c)
	return houseapi.Transact(c, h.Desk, false, func(ctx context.Context) (any, error) {
		rec, err := h.People.ChangeGroup(ctx, app.Tenant, app.Code, k, members, func(had people.GroupRecord, known bool) (people.GroupRecord, error) {
			if err := holds(had.Version, known); err != nil {
				return had, err
			}
			had.ID = k.ID
			return change(had, known)
		})
		return groupViewOf(rec), err
	})
}

func (h *Handler) removeGroup(c *fiber.Ctx) error {
	k, err := named(c)
	if err != nil {
		return err
	}
	holds, app := condition(c), api.Caller(c)
	return houseapi.Transact(c, h.Desk, false, func(ctx context.Context) (any, error) {
		return nil, h.People.RemoveGroup(ctx, app.Tenant, app.Code, k, func(had people.GroupRecord) error { return holds(had.Version, true) })
	})
}

func (h *Handler) listAbsences(c *fiber.Ctx) error {
	q, err := api.ReadQuery(c)
	if err != nil {
		return err
	}
	limit, cursor := q.Page()
	f := people.AbsenceFilter{Person: q.Name("person", 0, ticket.MaxName), Deputy: q.Name("deputy", 0, ticket.MaxName), At: q.Time("at")}
	if err := q.Err(); err != nil {
		return err
	}
	list, next, err := h.People.Absences(api.Context(c), api.Caller(c).Tenant, f, cursor, limit)
	if err != nil {
		return err
	}
	return houseapi.Respond(c, houseapi.Items[absenceView]{Items: api.Each(list, absenceViewOf), Next: next})
}

// mayFor refuses an app that says for somebody else than its operator who is absent: that is for apps that keep the directory.
func mayFor(app desk.App, operator, person string) error {
	if operator == person || app.May(desk.Directory) {
		return nil
	}
	return ticket.RefuseField(ticket.Forbidden, "operator", "must be the person who is absent, unless the app has the scope directory")
}

func (h *Handler) addAbsence(c *fiber.Ctx, in absenceBody) error {
	app := api.Caller(c)
	if err := mayFor(app, api.Value(in.Operator), in.Person); err != nil {
		return err
	}
	person, err := h.People.Person(api.Context(c), app.Tenant, people.Key{ID: in.Person})
	if err != nil && !ticket.Is(err, ticket.NotFound) {
		return err
	}
	absence, err := houseapi.Away(people.Absence{Person: in.Person, Deputy: api.Value(in.Deputy), Services: in.Services}, in.From, api.Value(in.To), person)
	if err != nil {
		return err
	}
	return houseapi.Transact(c, h.Desk, false, func(ctx context.Context) (any, error) {
		rec, err := h.People.AddAbsence(ctx, app.Tenant, app.Code, absence)
		return absenceViewOf(rec), err
	})
}

// endAbsence ends an absence now.
func (h *Handler) endAbsence(c *fiber.Ctx, in ending) error {
	id, err := api.Param(c, "id")
	if err != nil {
		return err
	}
	app := api.Caller(c)
	return houseapi.Transact(c, h.Desk, false, func(ctx context.Context) (any, error) {
		rec, err := h.People.EndAbsence(ctx, app.Tenant, app.Code, id, h.Now(), func(had people.AbsenceRecord) error {
			return mayFor(app, api.Value(in.Operator), had.Person)
		})
		return absenceViewOf(rec), err
	})
}
