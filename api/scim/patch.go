package scim

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/elimity-com/scim"
	scimfilter "github.com/elimity-com/scim/filter"
	"github.com/elimity-com/scim/schema"

	"signalbox/ticket"
)

// list gives the values of a multi-valued attribute; one that is given by itself is taken for a list of one.
func list(value any) []any {
	switch v := value.(type) {
	case nil:
		return nil
	case []any:
		return v
	case []map[string]any:
		out := make([]any, len(v))
		for i, one := range v {
			out[i] = one
		}
		return out
	}
	return []any{value}
}

// patched gives a PATCH in which the manager is an object. Entra ID names it by a text, against the schema of RFC 7643, section 4.3. What cannot be read stays as
// it is, and is refused by who reads it next.
func patched(raw []byte) []byte {
	var request map[string]any
	if json.Unmarshal(raw, &request) != nil {
		return raw
	}
	for _, one := range list(request[spelling(request, "Operations")]) {
		op, _ := one.(map[string]any)
		path, _ := op["path"].(string)
		if uid, text := op["value"].(string); text && strings.EqualFold(path, enterprise+":manager") {
			op["value"] = map[string]any{"value": uid}
		}
	}
	if out, err := json.Marshal(request); err == nil {
		return out
	}
	return raw
}

// spelling gives the name by which an object has a member, whatever the case (RFC 7643, section 2.1).
func spelling(in map[string]any, name string) string {
	for _, known := range slices.Sorted(maps.Keys(in)) {
		if strings.EqualFold(known, name) {
			return known
		}
	}
	return name
}

// named gives the members of an object the names that their schema has for them. Until then they have those that were sent.
func named(by schema.Attributes, in map[string]any) {
	for _, key := range slices.Sorted(maps.Keys(in)) {
		attribute, known := by.ContainsAttribute(key)
		if !known {
			continue
		}
		value := in[key]
		delete(in, key)
		in[attribute.Name()] = value
		for _, one := range list(value) {
			if inner, is := one.(map[string]any); is {
				named(attribute.SubAttributes(), inner)
			}
		}
	}
}

// several are the attributes of users that have several values.
var several = []string{"emails", "phoneNumbers", "ims", "photos", "addresses", "entitlements", "roles", "x509Certificates"}

// patch changes attributes as an operation says (RFC 7644, section 3.5.2). The library has checked it against the schemas.
func patch(attributes map[string]any, op scim.PatchOperation) error {
	if op.Path == nil {
		given, is := op.Value.(map[string]any)
		if !is {
			return ticket.RefuseField(ticket.Invalid, "invalidValue", "without a path the value must be an object")
		}
		for _, name := range slices.Sorted(maps.Keys(given)) {
			value := given[name]
			if inner, is := value.(map[string]any); is && !strings.EqualFold(name, "manager") {
				at := spelling(attributes, name)
				had, _ := attributes[at].(map[string]any)
				if had == nil {
					had = map[string]any{}
				}
				for key, v := range inner {
					had[spelling(had, key)] = v
				}
				attributes[at] = had
				continue
			}
			set(attributes, name, op.Op, value)
		}
		return nil
	}
	in, path := attributes, op.Path.AttributePath
	if uri := path.URI(); uri != "" && strings.EqualFold(uri, enterprise) {
		inner, _ := attributes[enterprise].(map[string]any)
		if inner == nil {
			inner = map[string]any{}
			attributes[enterprise] = inner
		}
		in = inner
	}
	sub := path.SubAttributeName()
	if op.Path.SubAttribute != nil {
		sub = *op.Path.SubAttribute
	}
	name := spelling(in, path.AttributeName)
	if op.Path.ValueExpression != nil {
		return patchSome(in, name, sub, op)
	}
	switch {
	case sub == "":
		set(in, name, op.Op, op.Value)
	case strings.EqualFold(name, "manager") && op.Op != scim.PatchOperationRemove:
		in[name] = map[string]any{"value": op.Value}
	default:
		inner, _ := in[name].(map[string]any)
		if inner == nil {
			inner = map[string]any{}
			in[name] = inner
		}
		set(inner, sub, op.Op, op.Value)
	}
	return nil
}

// set gives an attribute a value, or takes it away. What is added to several values is added once.
func set(in map[string]any, name, op string, value any) {
	name = spelling(in, name)
	many := slices.ContainsFunc(several, func(s string) bool { return strings.EqualFold(s, name) })
	switch {
	case op == scim.PatchOperationRemove:
		delete(in, name)
	case many && op == scim.PatchOperationAdd:
		values := list(in[name])
		for _, one := range list(value) {
			if !slices.ContainsFunc(values, func(had any) bool { return reflect.DeepEqual(had, one) }) {
				values = append(values, one)
			}
		}
		in[name] = values
	case many:
		in[name] = list(value)
	default:
		in[name] = value
	}
}

// patchSome changes those of several values that a path chooses, as in emails[type eq "work"].value. Where none is chosen, one that the path describes is
// added: identity providers replace what is not there yet. Of what is no description by eq alone there must be some (RFC 7644, section 3.5.2.3).
func patchSome(in map[string]any, name, sub string, op scim.PatchOperation) error {
	attribute, known := coreUser.Attributes.ContainsAttribute(name)
	if !known {
		return ticket.RefuseField(ticket.Invalid, "invalidPath", name+" has no values to choose among")
	}
	by := scimfilter.NewFilterValidator(op.Path.ValueExpression, schema.Schema{Attributes: scimfilter.MultiValuedFilterAttributes(attribute)})
	chosen := func(item any) bool {
		one, is := item.(map[string]any)
		return is && by.PassesFilter(one) == nil
	}
	values := list(in[name])
	if !slices.ContainsFunc(values, chosen) {
		if op.Op == scim.PatchOperationRemove {
			return nil
		}
		described, err := conditions(op.Path.ValueExpression)
		if err != nil {
			return ticket.RefuseField(ticket.Invalid, "noTarget", "none of "+name+" is chosen by the path")
		}
		fresh := map[string]any{}
		for _, e := range described {
			fresh[e.attribute] = e.value
		}
		values = append(values, fresh)
	}
	var left []any
	for _, item := range values {
		one, _ := item.(map[string]any)
		switch {
		case !chosen(item):
		case op.Op == scim.PatchOperationRemove && sub == "":
			continue
		case sub != "":
			set(one, sub, op.Op, op.Value)
		default:
			if given, is := op.Value.(map[string]any); is {
				for key, v := range given {
					one[spelling(one, key)] = v
				}
			}
		}
		left = append(left, item)
	}
	in[name] = left
	return nil
}
