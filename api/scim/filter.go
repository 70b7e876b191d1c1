package scim

import (
	"net/http"
	"strings"

	scimfilter "github.com/elimity-com/scim/filter"
	filter "github.com/scim2/filter-parser/v2"

	"signalbox/people"
	"signalbox/ticket"
)

var errFilter = ticket.RefuseField(ticket.Invalid, "invalidFilter",
	"takes eq, and between several: users by userName, externalId, id, emails, displayName and active, groups by displayName, externalId, id and members")

// equal is one condition of a filter: that an attribute, in small letters, has a value.
type equal struct {
	attribute string
	value     any
}

// equals takes a filter apart.
func equals(v *scimfilter.Validator) ([]equal, error) {
	if v == nil {
		return nil, nil
	}
	return conditions(v.GetFilter())
}

func conditions(e filter.Expression) ([]equal, error) {
	switch e := e.(type) {
	case *filter.AttributeExpression:
		if e.Operator != filter.EQ {
			return nil, errFilter
		}
		name := e.AttributePath.AttributeName
		if sub := e.AttributePath.SubAttributeName(); sub != "" && !strings.EqualFold(sub, "value") {
			return nil, errFilter
		}
		return []equal{{strings.ToLower(name), e.CompareValue}}, nil
	case *filter.LogicalExpression:
		if e.Operator != filter.AND {
			return nil, errFilter
		}
		left, err := conditions(e.Left)
		if err != nil {
			return nil, err
		}
		right, err := conditions(e.Right)
		return append(left, right...), err
	}
	return nil, errFilter
}

func userFilter(v *scimfilter.Validator) (f people.PersonFilter, err error) {
	all, err := equals(v)
	if err != nil {
		return f, err
	}
	for _, one := range all {
		into := map[string]*string{"username": &f.ID, "externalid": &f.ExternalID, "id": &f.UID, "emails": &f.Email, "displayname": &f.Name}[one.attribute]
		text, is := one.value.(string)
		yes, flag := one.value.(bool)
		switch {
		case one.attribute == "active" && flag && f.Active == nil:
			f.Active = &yes
		case into != nil && is && text != "" && *into == "":
			*into = text
		default:
			return f, errFilter
		}
	}
	return f, nil
}

func (c *call) groupFilter(r *http.Request, v *scimfilter.Validator) (f people.GroupFilter, err error) {
	all, err := equals(v)
	if err != nil {
		return f, err
	}
	for _, one := range all {
		text, is := one.value.(string)
		into := map[string]*string{"displayname": &f.Name, "externalid": &f.ExternalID, "id": &f.UID}[one.attribute]
		switch {
		case one.attribute == "members" && is && f.Member == (people.Member{}):
			members, err := c.resolve(r, []any{map[string]any{"value": text}}, false)
			if err != nil {
				return f, err
			}
			if f.Member = (people.Member{Person: "\x00"}); len(members) > 0 { // nobody has such an id
				f.Member = members[0]
			}
		case into != nil && is && text != "" && *into == "":
			*into = text
		default:
			return f, errFilter
		}
	}
	return f, nil
}
