package scim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/elimity-com/scim"
	"github.com/elimity-com/scim/optional"

	"signalbox/people"
	"signalbox/ticket"
)

// users are a tenant's persons. A user's userName is the id of the person; what a person has no member for is kept beside and given back as it came.
type users struct{}

func (users) Create(r *http.Request, attributes scim.ResourceAttributes) (scim.Resource, error) {
	c := callOf(r)
	id, _ := attributes["userName"].(string)
	return c.changeUser(r, people.Key{ID: id}, func(had people.PersonRecord, known bool) (scim.ResourceAttributes, error) {
		if known {
			return nil, ticket.RefuseField(ticket.Conflict, "userName", "is that of another user")
		}
		return attributes, nil
	})
}

func (users) Replace(r *http.Request, id string, attributes scim.ResourceAttributes) (scim.Resource, error) {
	c := callOf(r)
	return c.changeUser(r, people.Key{UID: id}, func(had people.PersonRecord, known bool) (scim.ResourceAttributes, error) {
		if !known {
			return nil, errNoUser
		}
		return attributes, c.matches(had.Version)
	})
}

func (users) Patch(r *http.Request, id string, operations []scim.PatchOperation) (scim.Resource, error) {
	c := callOf(r)
	return c.changeUser(r, people.Key{UID: id}, func(had people.PersonRecord, known bool) (scim.ResourceAttributes, error) {
		if !known {
			return nil, errNoUser
		}
		if err := c.matches(had.Version); err != nil {
			return nil, err
		}
		attributes, err := c.attributesOf(r, had)
		if err != nil {
			return nil, err
		}
		for _, op := range operations {
			if err := patch(attributes, op); err != nil {
				return nil, err
			}
		}
		named(coreUser.Attributes, attributes)
		if inner, is := attributes[enterprise].(map[string]any); is {
			named(enterpriseUser.Attributes, inner)
		}
		return attributes, nil
	})
}

var errNoUser = ticket.Refuse(ticket.NotFound, "there is no such user")

// changeUser keeps what change makes of a user's attributes.
func (c *call) changeUser(r *http.Request, k people.Key, change func(had people.PersonRecord, known bool) (scim.ResourceAttributes, error)) (scim.Resource, error) {
	rec, err := c.People.ChangePerson(r.Context(), c.app.Tenant, c.app.Code, k, func(had people.PersonRecord, known bool) (people.PersonRecord, error) {
		attributes, err := change(had, known)
		if err != nil {
			return had, err
		}
		return c.person(r, had, known, attributes)
	})
	if err != nil {
		return scim.Resource{}, c.fail(spelled(err))
	}
	return c.user(r, rec)
}

// spelled gives a refusal with the field as SCIM spells it.
func spelled(err error) error {
	refusal := ticket.AsError(err)
	names := map[string]string{"id": "userName", "name": "displayName", "email": "emails", "language": "preferredLanguage", "time_zone": "timezone"}
	if refusal == nil || names[refusal.Field] == "" {
		return err
	}
	return ticket.RefuseField(refusal.Code, names[refusal.Field], refusal.Message)
}

// person makes a person of a user's attributes. Its chats are none of SCIM's business and stay.
func (c *call) person(r *http.Request, had people.PersonRecord, known bool, attributes scim.ResourceAttributes) (people.PersonRecord, error) {
	text := func(name string) string { s, _ := attributes[name].(string); return s }
	had.ID, had.ExternalID = text("userName"), text("externalId")
	had.Name, had.Email, had.TimeZone = nameOf(attributes), emailOf(attributes), text("timezone")
	if had.Language = text("preferredLanguage"); had.Language == "" {
		had.Language = text("locale")
	}
	active, said := attributes["active"].(bool)
	if word, is := attributes["active"].(string); is {
		active, said = strings.EqualFold(word, "true"), true
	}
	had.Active = active || !said
	delete(attributes, "password") // of no use here, and nothing to keep
	manager, err := managerOf(attributes)
	if err != nil {
		return had, err
	}
	if had.Manager = ""; manager != "" {
		ids, err := c.People.IDs(r.Context(), c.app.Tenant, people.Persons, []string{manager})
		if err != nil {
			return had, err
		}
		if had.Manager = ids[manager]; had.Manager == "" {
			return had, ticket.RefuseField(ticket.Invalid, "manager", "there is no such user")
		}
	}
	kept := scim.ResourceAttributes{}
	for name, value := range attributes {
		switch name {
		case "id", "meta", "schemas", "externalId", "userName", "active", "groups":
		default:
			kept[name] = value
		}
	}
	raw, err := json.Marshal(kept)
	had.Attributes = string(raw)
	return had, err
}

func nameOf(attributes scim.ResourceAttributes) string {
	if name, _ := attributes["displayName"].(string); name != "" {
		return name
	}
	parts, _ := attributes["name"].(map[string]any)
	if name, _ := parts["formatted"].(string); name != "" {
		return name
	}
	given, _ := parts["givenName"].(string)
	family, _ := parts["familyName"].(string)
	return strings.TrimSpace(given + " " + family)
}

// emailOf gives the primary address, or else one for work, or the first.
func emailOf(attributes scim.ResourceAttributes) string {
	if at := mainEmail(attributes); at != nil {
		value, _ := at["value"].(string)
		return value
	}
	return ""
}

func mainEmail(attributes scim.ResourceAttributes) (best map[string]any) {
	rank := 3
	for _, item := range list(attributes["emails"]) {
		email, _ := item.(map[string]any)
		own := 2
		if primary, _ := email["primary"].(bool); primary {
			own = 0
		} else if email["type"] == "work" {
			own = 1
		}
		if value, _ := email["value"].(string); value != "" && own < rank {
			best, rank = email, own
		}
	}
	return best
}

func managerOf(attributes scim.ResourceAttributes) (uid string, err error) {
	extension, _ := attributes[enterprise].(map[string]any)
	switch manager := extension["manager"].(type) {
	case nil:
		return "", nil
	case string: // as Entra ID patches it
		return manager, nil
	case map[string]any:
		uid, _ = manager["value"].(string)
		return uid, nil
	}
	return "", ticket.RefuseField(ticket.Invalid, "manager", "must be an object with value")
}

// attributesOf gives a user's attributes: what an identity provider said, with what is so by now.
func (c *call) attributesOf(r *http.Request, rec people.PersonRecord) (scim.ResourceAttributes, error) {
	attributes := scim.ResourceAttributes{}
	if rec.Attributes != "" {
		if err := json.Unmarshal([]byte(rec.Attributes), &attributes); err != nil {
			return nil, fmt.Errorf("read the attributes of a user: %w", err)
		}
	}
	attributes["userName"], attributes["active"] = rec.ID, rec.Active
	put := func(name, value string) {
		if attributes[name] = value; value == "" {
			delete(attributes, name)
		}
	}
	put("externalId", rec.ExternalID)
	put("timezone", rec.TimeZone)
	if rec.Name != nameOf(attributes) {
		put("displayName", rec.Name)
	}
	language, _ := attributes["preferredLanguage"].(string)
	if locale, _ := attributes["locale"].(string); rec.Language != language && !(language == "" && rec.Language == locale) {
		put("preferredLanguage", rec.Language)
	}
	if main := mainEmail(attributes); rec.Email == "" {
		delete(attributes, "emails")
	} else if main == nil {
		attributes["emails"] = []any{map[string]any{"value": rec.Email, "type": "work", "primary": true}}
	} else {
		main["value"] = rec.Email
	}
	extension, _ := attributes[enterprise].(map[string]any)
	if rec.Manager == "" {
		delete(extension, "manager")
	} else {
		uids, err := c.People.Names(r.Context(), c.app.Tenant, people.Persons, []string{rec.Manager})
		if err != nil {
			return nil, err
		}
		if extension == nil {
			extension = map[string]any{}
			attributes[enterprise] = extension
		}
		extension["manager"] = map[string]any{"value": uids[rec.Manager], "$ref": "../Users/" + uids[rec.Manager], "displayName": rec.Manager}
	}
	if extension != nil && len(extension) == 0 {
		delete(attributes, enterprise)
	}
	return attributes, nil
}

// user shows a person.
func (c *call) user(r *http.Request, rec people.PersonRecord) (scim.Resource, error) {
	attributes, err := c.attributesOf(r, rec)
	if err != nil {
		return scim.Resource{}, c.fail(err)
	}
	delete(attributes, "externalId")
	created, updated := rec.CreatedAt.UTC(), rec.UpdatedAt.UTC()
	out := scim.Resource{ID: rec.UID, Attributes: attributes, Meta: scim.Meta{Created: &created, LastModified: &updated, Version: tag(rec.Version)}}
	if rec.ExternalID != "" {
		out.ExternalID = optional.NewString(rec.ExternalID)
	}
	return out, nil
}

func (users) Get(r *http.Request, id string) (scim.Resource, error) {
	c := callOf(r)
	rec, err := c.People.Person(r.Context(), c.app.Tenant, people.Key{UID: id})
	if ticket.Is(err, ticket.NotFound) {
		err = errNoUser
	}
	if err != nil {
		return scim.Resource{}, c.fail(err)
	}
	return c.user(r, rec)
}

func (users) GetAll(r *http.Request, params scim.ListRequestParams) (scim.Page, error) {
	c := callOf(r)
	f, err := userFilter(params.FilterValidator)
	if err != nil {
		return scim.Page{}, c.fail(err)
	}
	list, total, err := c.People.PersonsFrom(r.Context(), c.app.Tenant, f, params.StartIndex-1, params.Count)
	if err != nil {
		return scim.Page{}, c.fail(err)
	}
	page := scim.Page{TotalResults: total, Resources: []scim.Resource{}}
	for _, rec := range list {
		one, err := c.user(r, rec)
		if err != nil {
			return scim.Page{}, err
		}
		page.Resources = append(page.Resources, one)
	}
	return page, nil
}

func (users) Delete(r *http.Request, id string) error {
	c := callOf(r)
	err := c.People.RemovePerson(r.Context(), c.app.Tenant, c.app.Code, people.Key{UID: id}, func(had people.PersonRecord) error { return c.matches(had.Version) })
	if ticket.Is(err, ticket.NotFound) {
		err = errNoUser
	}
	if err != nil {
		return c.fail(err)
	}
	return nil
}
