package scim

import (
	"net/http"
	"slices"
	"strings"

	"github.com/elimity-com/scim"
	"github.com/elimity-com/scim/optional"
	filter "github.com/scim2/filter-parser/v2"

	"signalbox/people"
	"signalbox/ticket"
)

// groups are a tenant's groups. The id of a group that is made here is its displayName then; it keeps the id when it is called otherwise, because processes name it
// by that.
type groups struct{}

var errNoGroup = ticket.Refuse(ticket.NotFound, "there is no such group")

func (groups) Create(r *http.Request, attributes scim.ResourceAttributes) (scim.Resource, error) {
	c := callOf(r)
	name, _ := attributes["displayName"].(string)
	members, err := c.members(r, list(attributes["members"]))
	if err != nil {
		return scim.Resource{}, c.fail(err)
	}
	return c.changeGroup(r, people.Key{ID: name}, people.Membership{All: true}, func(had people.GroupRecord, known bool) (people.GroupRecord, error) {
		if known {
			return had, ticket.RefuseField(ticket.Conflict, "displayName", "is the id of another group")
		}
		had.ID, had.Name, had.Members = name, name, members
		had.ExternalID, _ = attributes["externalId"].(string)
		return had, nil
	})
}

func (groups) Replace(r *http.Request, id string, attributes scim.ResourceAttributes) (scim.Resource, error) {
	c := callOf(r)
	members, err := c.members(r, list(attributes["members"]))
	if err != nil {
		return scim.Resource{}, c.fail(err)
	}
	return c.changeGroup(r, people.Key{UID: id}, people.Membership{All: true}, func(had people.GroupRecord, known bool) (people.GroupRecord, error) {
		if !known {
			return had, errNoGroup
		}
		had.ExternalID, _ = attributes["externalId"].(string)
		had.Members = members
		if err := c.matches(had.Version); err != nil {
			return had, err
		}
		return called(had, attributes["displayName"])
	})
}

// Patch reads what becomes of the members first: what is added and removed of a large group is not worth reading all of it.
func (groups) Patch(r *http.Request, id string, operations []scim.PatchOperation) (scim.Resource, error) {
	c := callOf(r)
	attributes := scim.ResourceAttributes{}
	var moves people.Membership
	for _, op := range operations {
		given, is := op.Value.(map[string]any)
		switch {
		case op.Path != nil && strings.EqualFold(op.Path.AttributePath.AttributeName, "members"):
			if err := c.move(r, &moves, op, list(op.Value)); err != nil {
				return scim.Resource{}, c.fail(err)
			}
		case op.Path != nil:
			attributes[strings.ToLower(op.Path.AttributePath.AttributeName)] = op.Value
		case is:
			for name, value := range given {
				if !strings.EqualFold(name, "members") {
					attributes[strings.ToLower(name)] = value
				} else if err := c.move(r, &moves, op, list(value)); err != nil {
					return scim.Resource{}, c.fail(err)
				}
			}
		}
	}
	replaced := moves.All
	wanted := moves.Add
	if replaced {
		moves = people.Membership{All: true}
	}
	return c.changeGroup(r, people.Key{UID: id}, moves, func(had people.GroupRecord, known bool) (people.GroupRecord, error) {
		if !known {
			return had, errNoGroup
		}
		if replaced {
			had.Members = wanted
		}
		if external, said := attributes["externalid"]; said {
			had.ExternalID, _ = external.(string)
		}
		if err := c.matches(had.Version); err != nil {
			return had, err
		}
		if name, said := attributes["displayname"]; said {
			return called(had, name)
		}
		return had, nil
	})
}

// called gives a group the displayName, which RFC 7643, section 4.2, requires.
func called(rec people.GroupRecord, displayName any) (people.GroupRecord, error) {
	rec.Name, _ = displayName.(string)
	if strings.TrimSpace(rec.Name) == "" {
		return rec, ticket.RefuseField(ticket.Invalid, "displayName", "must not be empty")
	}
	return rec, nil
}

// move notes what an operation does to the members. What comes later counts.
func (c *call) move(r *http.Request, to *people.Membership, op scim.PatchOperation, values []any) error {
	if op.Path != nil && op.Path.ValueExpression != nil {
		one, is := op.Path.ValueExpression.(*filter.AttributeExpression)
		uid, text := "", false
		if is {
			uid, text = one.CompareValue.(string)
		}
		if !is || !text || one.Operator != filter.EQ || !strings.EqualFold(one.AttributePath.AttributeName, "value") || op.Op != scim.PatchOperationRemove {
			return ticket.RefuseField(ticket.Invalid, "invalidPath", `members are chosen by members[value eq "…"], to be removed`)
		}
		values = []any{map[string]any{"value": uid}}
	}
	if op.Op == scim.PatchOperationRemove && len(values) == 0 || op.Op == scim.PatchOperationReplace {
		*to = people.Membership{All: true}
	}
	// Who is to go and is not known is not a member.
	members, err := c.resolve(r, values, op.Op != scim.PatchOperationRemove)
	if err != nil {
		return err
	}
	without := func(from []people.Member) []people.Member {
		return slices.DeleteFunc(from, func(m people.Member) bool { return slices.Contains(members, m) })
	}
	if op.Op == scim.PatchOperationRemove {
		to.Add = without(to.Add)
		if !to.All {
			to.Remove = append(to.Remove, members...)
		}
		return nil
	}
	to.Remove, to.Add = without(to.Remove), append(to.Add, members...)
	return nil
}

func (c *call) members(r *http.Request, values []any) ([]people.Member, error) {
	return c.resolve(r, values, true)
}

// resolve gives the members that values name, in their order. strict refuses those that are not known.
func (c *call) resolve(r *http.Request, values []any, strict bool) (members []people.Member, err error) {
	var uids []string
	for _, value := range values {
		one, _ := value.(map[string]any)
		uid, _ := one["value"].(string)
		if uid == "" {
			return nil, ticket.RefuseField(ticket.Invalid, "members", "each must have a value, the id of a user or group")
		}
		uids = append(uids, uid)
	}
	if len(uids) == 0 {
		return nil, nil
	}
	persons, err := c.People.IDs(r.Context(), c.app.Tenant, people.Persons, uids)
	if err != nil {
		return nil, err
	}
	groups, err := c.People.IDs(r.Context(), c.app.Tenant, people.Groups, uids)
	if err != nil {
		return nil, err
	}
	for _, uid := range uids {
		switch {
		case persons[uid] != "":
			members = append(members, people.Member{Person: persons[uid]})
		case groups[uid] != "":
			members = append(members, people.Member{Group: groups[uid]})
		case strict:
			return nil, ticket.RefuseField(ticket.Invalid, "members", "there is no user or group "+uid)
		}
	}
	return members, nil
}

func (c *call) changeGroup(r *http.Request, k people.Key, members people.Membership, change func(had people.GroupRecord, known bool) (people.GroupRecord, error)) (scim.Resource, error) {
	rec, err := c.People.ChangeGroup(r.Context(), c.app.Tenant, c.app.Code, k, members, change)
	if err != nil {
		if refusal := ticket.AsError(err); refusal != nil && (refusal.Field == "id" || refusal.Field == "name") {
			err = ticket.RefuseField(refusal.Code, "displayName", refusal.Message)
		}
		return scim.Resource{}, c.fail(err)
	}
	return groups{}.Get(r, rec.UID)
}

func (groups) Get(r *http.Request, id string) (scim.Resource, error) {
	c := callOf(r)
	rec, err := c.People.Group(r.Context(), c.app.Tenant, people.Key{UID: id})
	if ticket.Is(err, ticket.NotFound) {
		err = errNoGroup
	}
	if err != nil {
		return scim.Resource{}, c.fail(err)
	}
	shown, err := c.shown(r, []people.GroupRecord{rec})
	if err != nil {
		return scim.Resource{}, c.fail(err)
	}
	return shown[0], nil
}

// shown shows groups with their members.
func (c *call) shown(r *http.Request, recs []people.GroupRecord) (out []scim.Resource, err error) {
	var persons, others []string
	for _, rec := range recs {
		for _, m := range rec.Members {
			if m.Group != "" {
				others = append(others, m.Group)
			} else {
				persons = append(persons, m.Person)
			}
		}
	}
	users, err := c.People.Names(r.Context(), c.app.Tenant, people.Persons, persons)
	if err != nil {
		return nil, err
	}
	groups, err := c.People.Names(r.Context(), c.app.Tenant, people.Groups, others)
	if err != nil {
		return nil, err
	}
	out = []scim.Resource{}
	for _, rec := range recs {
		attributes := scim.ResourceAttributes{"displayName": rec.Label()}
		if !c.without {
			members := []any{}
			for _, m := range rec.Members {
				if m.Group != "" {
					members = append(members, map[string]any{"value": groups[m.Group], "type": "Group", "$ref": "../Groups/" + groups[m.Group], "display": m.Group})
				} else {
					members = append(members, map[string]any{"value": users[m.Person], "type": "User", "$ref": "../Users/" + users[m.Person], "display": m.Person})
				}
			}
			attributes["members"] = members
		}
		created, updated := rec.CreatedAt.UTC(), rec.UpdatedAt.UTC()
		one := scim.Resource{ID: rec.UID, Attributes: attributes, Meta: scim.Meta{Created: &created, LastModified: &updated, Version: tag(rec.Version)}}
		if rec.ExternalID != "" {
			one.ExternalID = optional.NewString(rec.ExternalID)
		}
		out = append(out, one)
	}
	return out, nil
}

func (groups) GetAll(r *http.Request, params scim.ListRequestParams) (scim.Page, error) {
	c := callOf(r)
	f, err := c.groupFilter(r, params.FilterValidator)
	if err != nil {
		return scim.Page{}, c.fail(err)
	}
	list, total, err := c.People.GroupsFrom(r.Context(), c.app.Tenant, f, params.StartIndex-1, params.Count, !c.without)
	if err != nil {
		return scim.Page{}, c.fail(err)
	}
	shown, err := c.shown(r, list)
	if err != nil {
		return scim.Page{}, c.fail(err)
	}
	return scim.Page{TotalResults: total, Resources: shown}, nil
}

func (groups) Delete(r *http.Request, id string) error {
	c := callOf(r)
	err := c.People.RemoveGroup(r.Context(), c.app.Tenant, c.app.Code, people.Key{UID: id}, func(had people.GroupRecord) error { return c.matches(had.Version) })
	if ticket.Is(err, ticket.NotFound) {
		err = errNoGroup
	}
	if err != nil {
		return c.fail(err)
	}
	return nil
}
