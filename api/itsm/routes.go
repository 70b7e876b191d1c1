package itsm

import (
	"net/http"
	"time"

	"github.com/gofiber/fiber/v2"

	"signalbox/api"
	"signalbox/api/bkapi"
	"signalbox/desk"
	"signalbox/notice"
	"signalbox/ticket"
)

// Handler is the itsm family. Allow, Types, Zone and Profile may be empty; the rest is needed.
type Handler struct {
	Desk     api.Desk
	Tickets  Tickets
	Services Services
	People   People
	Apps     api.Apps
	Types    []string       // words offered for mtm_type where a ticket has none of its own; api.Config.IncidentTypes
	Allow    notice.Reach   // where callbacks may lead; api.Config.Reach
	Profile  string         // of callbacks that name none; Settings.ITSMCallbackProfile, and once where it is empty
	Zone     *time.Location // of the times in requests and answers; nil means UTC
}

// address is one of the three ways in which the original system can be reached (itsm.md 1.1).
type address struct {
	prefixes []string
	esb      bool // its envelope and codes are the ESB's, otherwise the gateway's
}

var (
	esb     = address{prefixes: []string{"/api/c/compapi/v2/itsm/", "/api/c/compapi/itsm/"}, esb: true}
	native  = address{prefixes: []string{"/openapi/"}}
	gateway = address{prefixes: []string{"/prod/v2/itsm/"}}
)

// operation is one call, whichever way it comes.
type operation struct {
	esb, native, gateway string // its path under each of the prefixes
	method               string // the one that the gateway takes; the others take GET and POST
	scope                desk.Scope
	words                words
	do                   func(*Handler, *call) error
}

var operations = []operation{
	{"create_ticket", "ticket/create_ticket", "create_ticket", http.MethodPost, desk.Write, creating, (*Handler).createTicket},
	{"get_ticket_status", "ticket/get_ticket_status", "get_ticket_status", http.MethodGet, desk.Read, reading, (*Handler).ticketStatus},
	{"ticket_approval_result", "ticket/ticket_approval_result", "ticket_approval_result", http.MethodPost, desk.Write, reading, (*Handler).approvalResult},
	{"token/verify", "ticket/token/verify", "token/verify", http.MethodPost, desk.Read, reading, (*Handler).verifyToken},
	{"callback_failed_ticket", "ticket/callback_failed_ticket", "callback_failed_ticket", http.MethodGet, desk.Read, reading, (*Handler).failedCallbacks},
	{"get_tickets", "ticket/get_tickets", "get_tickets", http.MethodPost, desk.Read, reading, (*Handler).tickets},
	{"get_tickets_by_user", "ticket/get_tickets_by_user", "get_tickets_by_user", http.MethodGet, desk.Read, reading, (*Handler).ticketsByUser},
	{"get_ticket_info", "ticket/get_ticket_info", "get_ticket_info", http.MethodGet, desk.Read, reading, (*Handler).ticketInfo},
	{"get_ticket_logs", "ticket/get_ticket_logs", "get_ticket_logs", http.MethodGet, desk.Read, reading, (*Handler).ticketLogs},
	{"operate_ticket", "ticket/operate_ticket", "operate_ticket", http.MethodPost, desk.Write, operating, (*Handler).operateTicket},
	{"operate_node", "ticket/operate_node", "operate_node", http.MethodPost, desk.Write, operating, (*Handler).operateNode},
	{"approve", "ticket/approve", "approve", http.MethodPost, desk.Write, operating, (*Handler).approve},
	{"get_approver", "ticket/get_approver", "get_approver", http.MethodGet, desk.Read, reading, (*Handler).approver},
	{"get_approve_node_result", "ticket/get_approve_node_result", "get_approve_node_result", http.MethodGet, desk.Read, reading, (*Handler).approveNodeResult},
	{"comment_ticket", "ticket/comment", "comment", http.MethodPost, desk.Write, commenting, (*Handler).comment},
	{"get_services", "service/get_services", "get_services", http.MethodGet, desk.Read, reading, (*Handler).services},
	{"get_service_detail", "service/get_service_detail", "get_service_detail", http.MethodGet, desk.Read, reading, (*Handler).serviceDetail},
	{"get_service_catalogs", "service/get_service_catalogs", "get_service_catalogs", http.MethodGet, desk.Read, reading, (*Handler).serviceCatalogs},
	{"create_service_catalog", "service_catalog", "create_service_catalog", http.MethodPost, desk.Admin, importing, (*Handler).createCatalog},
	{"import_service", "service/import_service", "import_service", http.MethodPost, desk.Admin, importing, (*Handler).importService},
	{"update_service", "service/update_service", "update_service", http.MethodPost, desk.Admin, importing, (*Handler).updateService},
	{"get_service_roles", "service/get_service_roles", "get_service_roles", http.MethodGet, desk.Read, reading, (*Handler).serviceRoles},
	{"get_workflow_detail", "workflow/get_workflow_detail", "get_workflow_detail", http.MethodGet, desk.Read, reading, (*Handler).workflowDetail},
}

// Families gives the family as the server mounts it: three families, because each address has an envelope and codes of its own.
func (h *Handler) Families() []api.Family {
	either := []string{http.MethodGet, http.MethodPost}
	return []api.Family{
		h.family(esb, "/api/c", func(o operation) (string, []string) { return o.esb, either }),
		h.family(native, "/openapi", func(o operation) (string, []string) { return o.native, either }),
		h.family(gateway, "/prod", func(o operation) (string, []string) { return o.gateway, []string{o.method} }),
	}
}

func (h *Handler) family(a address, under string, at func(operation) (path string, methods []string)) api.Family {
	f := api.Family{Channel: ticket.ChannelITSM, Prefixes: []string{under}, Refuse: a.refuse, Subject: subject, Headers: []string{bkapi.Header}, Credentials: bkapi.Parameters, Authenticate: []api.Authenticator{h.authenticate}}
	for _, o := range operations {
		path, methods := at(o)
		for _, prefix := range a.prefixes {
			for _, method := range methods {
				f.Routes = append(f.Routes, api.Route{Method: method, Path: prefix + path + "/", Operation: "/itsm/" + o.esb, Scope: o.scope, Handler: h.serve(a, o)})
			}
		}
	}
	return f
}

// call is one request for an operation.
type call struct {
	*fiber.Ctx
	*api.Params
	esb    bool
	tenant string
	app    desk.App
	user   string // the person that the credentials name; may be empty
}

func (h *Handler) serve(a address, o operation) fiber.Handler {
	return func(c *fiber.Ctx) error {
		p, err := api.ReadParams(c)
		if err != nil {
			return err
		}
		app := api.Caller(c)
		user, err := userOf(c, p)
		api.Note(c, subjectOf(c, p))
		if err == nil {
			err = o.do(h, &call{Ctx: c, Params: p, esb: a.esb, tenant: app.Tenant, app: app, user: user})
		}
		if err != nil {
			o.words.translate(c, err)
		}
		return err
	}
}

// answer answers with what was found.
func (c *call) answer(data any) error {
	return api.Respond(c.Ctx, http.StatusOK, c.envelope(data))
}

func (h *Handler) zone() *time.Location {
	if h.Zone == nil {
		return time.UTC
	}
	return h.Zone
}

func (h *Handler) profile() string {
	if h.Profile == "" {
		return notice.Once
	}
	return h.Profile
}
