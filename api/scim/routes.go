// Package scim lets an identity provider keep a tenant's persons and groups by SCIM 2.0 (RFC 7643, RFC 7644). Schemas, discovery, and the check of requests against
// schemas are elimity-com/scim's; what is kept, and how a request becomes an operation of the audit, is ours.
package scim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"

	"github.com/elimity-com/scim"
	"github.com/elimity-com/scim/optional"
	"github.com/elimity-com/scim/schema"
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"

	"signalbox/api"
	"signalbox/desk"
	"signalbox/people"
	"signalbox/ticket"
)

// People are the directories of all tenants. What changes something joins the transaction that ctx carries.
type People interface {
	Person(ctx context.Context, tenant string, k people.Key) (people.PersonRecord, error)
	// PersonsFrom lists persons from an offset on and tells how many there are in all; GroupsFrom likewise.
	PersonsFrom(ctx context.Context, tenant string, f people.PersonFilter, offset, limit int) (list []people.PersonRecord, total int, err error)
	ChangePerson(ctx context.Context, tenant, app string, k people.Key, change func(had people.PersonRecord, known bool) (people.PersonRecord, error)) (people.PersonRecord, error)
	RemovePerson(ctx context.Context, tenant, app string, k people.Key, allow func(people.PersonRecord) error) error
	Group(ctx context.Context, tenant string, k people.Key) (people.GroupRecord, error)
	GroupsFrom(ctx context.Context, tenant string, f people.GroupFilter, offset, limit int, members bool) (list []people.GroupRecord, total int, err error)
	ChangeGroup(ctx context.Context, tenant, app string, k people.Key, members people.Membership, change func(had people.GroupRecord, known bool) (people.GroupRecord, error)) (people.GroupRecord, error)
	RemoveGroup(ctx context.Context, tenant, app string, k people.Key, allow func(people.GroupRecord) error) error
	// Names gives what SCIM names persons or groups by, from their ids, and Ids the other way round; those that are not known are left out.
	Names(ctx context.Context, tenant string, kind people.Kind, ids []string) (uids map[string]string, err error)
	IDs(ctx context.Context, tenant string, kind people.Kind, uids []string) (ids map[string]string, err error)
}

// Handler serves SCIM.
type Handler struct {
	Desk   api.Desk
	People People
}

const (
	prefix      = "/scim/v2"
	contentType = "application/scim+json"
	enterprise  = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	// pageSize is how many resources are given at once.
	pageSize = 200
)

func init() {
	// Entra ID writes booleans as texts ("False").
	schema.SetAllowStringValues(true)
}

// Family gives the family as the server mounts it.
func (h *Handler) Family() api.Family {
	family := api.Family{Channel: ticket.ChannelSCIM, Prefixes: []string{"/scim"}, Refuse: refuse}
	add := func(method, path string, handler fiber.Handler) {
		family.Routes = append(family.Routes, api.Route{Method: method, Path: prefix + path, Scope: desk.Directory, Reads: method == http.MethodGet, Handler: handler})
	}
	for _, path := range []string{"/ServiceProviderConfig", "/ResourceTypes", "/ResourceTypes/:id", "/Schemas", "/Schemas/:id"} {
		add(http.MethodGet, path, h.read)
	}
	for _, kind := range []string{"/Users", "/Groups"} {
		add(http.MethodGet, kind, h.read)
		add(http.MethodPost, kind, h.write)
		add(http.MethodGet, kind+"/:id", h.read)
		add(http.MethodPut, kind+"/:id", h.write)
		add(http.MethodPatch, kind+"/:id", h.write)
		add(http.MethodDelete, kind+"/:id", h.write)
	}
	return family
}

// call is one request on its way through the library.
type call struct {
	*Handler
	app     desk.App
	ifMatch string
	without bool  // members are not asked for
	err     error // what the library is to say no more about
}

type callKey struct{}

func callOf(r *http.Request) *call { return r.Context().Value(callKey{}).(*call) }

// fail keeps an error for whoever answers; the library would make another of it.
func (c *call) fail(err error) error {
	c.err = err
	return err
}

// matches refuses a change of another version than If-Match names.
func (c *call) matches(version int64) error {
	if c.ifMatch == "" || c.ifMatch == "*" {
		return nil
	}
	for one := range strings.SplitSeq(c.ifMatch, ",") {
		if strings.TrimSpace(one) == tag(version) {
			return nil
		}
	}
	return errChanged
}

var errChanged = ticket.RefuseField(ticket.Conflict, fiber.HeaderIfMatch, "was changed by somebody else meanwhile; read it again")

// tag is the entity tag of a version.
func tag(version int64) string { return `W/"` + strconv.FormatInt(version, 10) + `"` }

// ask has the library answer a request.
func (h *Handler) ask(ctx context.Context, c *fiber.Ctx) (status int, body []byte, err error) {
	r := new(http.Request)
	if converted, err := adaptor.ConvertRequest(c, false); err == nil {
		r = converted
	} else {
		return 0, nil, ticket.Refuse(ticket.Invalid, "the request is not proper HTTP")
	}
	one := &call{Handler: h, app: api.Caller(c), ifMatch: strings.TrimSpace(c.Get(fiber.HeaderIfMatch)), without: strings.Contains(c.Query("excludedAttributes"), "members")}
	r = r.WithContext(context.WithValue(ctx, callKey{}, one))
	r.Body = http.NoBody
	raw := c.BodyRaw()
	if c.Method() == http.MethodPatch {
		raw = patched(raw)
	}
	if len(raw) > 0 {
		r.Body, r.ContentLength = readCloser{bytes.NewReader(raw)}, int64(len(raw))
	}
	r.URL.Path = strings.TrimPrefix(c.Path(), "/scim")
	server, err := scim.NewServer(arguments, scim.WithBaseURL(c.BaseURL()+prefix))
	if err != nil {
		return 0, nil, err
	}
	w := httptest.NewRecorder()
	server.ServeHTTP(w, r)
	switch {
	case one.err != nil:
		return 0, nil, one.err
	case w.Code >= http.StatusInternalServerError:
		return 0, nil, errors.New("SCIM: " + w.Body.String())
	case w.Code >= http.StatusBadRequest:
		var said struct{ Detail, ScimType string }
		if err := json.Unmarshal(w.Body.Bytes(), &said); err != nil {
			return 0, nil, err
		}
		code := ticket.Invalid
		if w.Code == http.StatusNotFound {
			code = ticket.NotFound
		}
		if at := fault(c.Method(), r.URL.Path, raw); at != "" {
			said.Detail = at + ": " + said.Detail
		}
		return 0, nil, ticket.RefuseField(code, said.ScimType, said.Detail)
	}
	return w.Code, w.Body.Bytes(), nil
}

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }

func (h *Handler) read(c *fiber.Ctx) error {
	status, body, err := h.ask(api.Context(c), c)
	if err != nil {
		return err
	}
	return answer(c, status, body)
}

// write has a request done as an operation: once under its key, and written down.
func (h *Handler) write(c *fiber.Ctx) error {
	reply, err := h.Desk.Transact(api.Context(c), api.Request(c), func(ctx context.Context) (desk.Answer, error) {
		status, body, err := h.ask(ctx, c)
		return desk.Answer{Status: status, Body: body}, err
	})
	if err != nil {
		return err
	}
	c.Set(api.HeaderReplayed, strconv.FormatBool(reply.Replayed))
	return answer(c, reply.Status, reply.Body)
}

func answer(c *fiber.Ctx, status int, body []byte) error {
	var shown struct {
		Meta struct{ Location, Version string } `json:"meta"`
	}
	if json.Unmarshal(body, &shown) == nil {
		if shown.Meta.Version != "" {
			c.Set(fiber.HeaderETag, shown.Meta.Version)
		}
		if status == http.StatusCreated {
			c.Set(fiber.HeaderLocation, shown.Meta.Location)
		}
	}
	if status == http.StatusNoContent {
		return c.SendStatus(status)
	}
	c.Set(fiber.HeaderContentType, contentType)
	return c.Status(status).Send(body)
}

// types are the words for what is wrong, as RFC 7644, section 3.12, lists them.
var types = []string{"invalidFilter", "tooMany", "uniqueness", "mutability", "invalidSyntax", "invalidPath", "noTarget", "invalidValue", "invalidVers", "sensitive"}

// refuse answers a refusal as RFC 7644, section 3.12, has it.
func refuse(c *fiber.Ctx, r api.Refusal) error {
	kind, detail := "", r.Error.Error()
	switch {
	case slices.Contains(types, r.Field):
		kind, detail = r.Field, r.Message
	case r.Code == errChanged.Code && r.Field == errChanged.Field:
		r.Status = http.StatusPreconditionFailed
	case r.Code == ticket.Conflict && r.Field != "":
		kind = "uniqueness"
	case r.Code == ticket.Invalid:
		kind = "invalidValue"
	}
	body := map[string]any{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:Error"}, "status": strconv.Itoa(r.Status), "detail": detail}
	if kind != "" {
		body["scimType"] = kind
	}
	if err := api.Respond(c, r.Status, body); err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, contentType)
	return nil
}

// coreUser and enterpriseUser are the schemas of users.
var coreUser, enterpriseUser = schema.CoreUserSchema(), schema.ExtensionEnterpriseUser()

// arguments are what the library serves. Who is asked for what comes with the request.
var arguments = &scim.ServerArgs{
	ServiceProviderConfig: &scim.ServiceProviderConfig{
		MaxResults: pageSize, SupportFiltering: true, SupportPatch: true,
		AuthenticationSchemes: []scim.AuthenticationScheme{{
			Type: scim.AuthenticationTypeOauthBearerToken, Name: "Bearer token", Description: "The secret of an app that has the scope directory.", Primary: true,
			SpecURI: optional.NewString("https://www.rfc-editor.org/rfc/rfc6750"),
		}},
	},
	ResourceTypes: []scim.ResourceType{
		{ID: optional.NewString("User"), Name: "User", Endpoint: "/Users", Description: optional.NewString("Persons"), Schema: coreUser,
			SchemaExtensions: []scim.SchemaExtension{{Schema: enterpriseUser}}, Handler: users{}},
		{ID: optional.NewString("Group"), Name: "Group", Endpoint: "/Groups", Description: optional.NewString("Groups"), Schema: schema.CoreGroupSchema(), Handler: groups{}},
	},
}
