package tickets

import (
	"encoding/base64"
	"html/template"
	"net/http"
	"net/url"
	"signalbox/console/page"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"signalbox/notice"
	"signalbox/ticket"
)

// How much of its lists a ticket's page shows; the rest has pages of its own.
const (
	shownMessages   = 10
	shownAddresses  = 10 // with their deliveries; others are named
	shownDeliveries = 5  // deliveries of each
	pageMessages    = 50
	pageDeliveries  = 25
)

// header is what all pages of one ticket begin with.
type header struct {
	ticket.Ticket
	Word     string // OPEN or CLOSED
	Path     string // of the ticket's page
	Workflow string // address in the Temporal UI; empty: no link
}

func (s *Room) header(v *page.Visit) (header, error) {
	key, err := v.Param("number")
	if err != nil {
		return header{}, err
	}
	t, err := s.Reader.Ticket(v.Until, v.Who.App.Tenant, key)
	if err != nil {
		return header{}, err
	}
	h := header{Ticket: t, Word: t.Status.Word(), Path: "/ticket/" + url.PathEscape(t.Number)}
	if s.TicketWorkflow != nil {
		h.Workflow = s.Temporal.Workflow(s.TicketWorkflow(t.Number, t.Generation))
	}
	return h, nil
}

// ticketView is a ticket's page.
type ticketView struct {
	header
	Now       nowView
	Picture   template.URL // the process, drawn; empty: there is no picture
	Nodes     nodesView
	Events    eventsView
	Messages  messagesView
	Fields    []fieldView
	Relations []relationView
	Addresses []addressView
	// MoreAddresses says that there are more than are shown.
	MoreAddresses bool
}

// show shows a ticket with all that belongs to it.
func (s *Room) show(v *page.Visit, h header) error { return s.page(v, h, http.StatusOK, nil) }

// page answers with a ticket's page. sent is a form that was just sent from it and refused, nil where none was.
func (s *Room) page(v *page.Visit, h header, status int, sent *refused) (err error) {
	p := ticketView{header: h, Now: s.now(v, h.Ticket, sent), Nodes: nodesOf(h.Ticket), Fields: fieldsOf(h.Fields), Picture: s.picture(v, h)}
	if p.Events, err = s.events(v, h, notice.Position{}); err != nil {
		return err
	}
	// The ticket has a summary of each message: so many there are, though the newest may have come since it was read.
	said := len(h.Ticket.Messages)
	p.Messages.Total = said
	if p.Messages.Items, err = s.Reader.Messages(v.Until, h.ID, max(0, said-shownMessages), shownMessages); err != nil {
		return err
	}
	relations, err := s.Reader.Relations(v.Until, h.Ticket)
	if err != nil {
		return err
	}
	p.Relations = relationsOf(h.Path, relations)
	registered, more, err := s.Reader.Registered(v.Until, h.ID, "", ticket.MaxPage)
	if err != nil {
		return err
	}
	p.MoreAddresses = more != ""
	for i, r := range registered {
		a := s.addressOf(h, r)
		if i < shownAddresses {
			if err := s.listDeliveries(v, h, &a, "", shownDeliveries); err != nil {
				return err
			}
		}
		if !a.Listed || a.Next != "" {
			a.All, a.Next = a.Path, ""
		}
		p.Addresses = append(p.Addresses, a)
	}
	return v.Render(status, "tickets/ticket", h.Number+" "+h.Title, p)
}

// picture draws the process as an image: whatever the SVG holds, scripts in an image do not run and it loads nothing.
func (s *Room) picture(v *page.Visit, h header) template.URL {
	svg, err := s.draw(v, h)
	if err != nil || len(svg) == 0 {
		return ""
	}
	return template.URL("data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString(svg))
}

func (s *Room) draw(v *page.Visit, h header) ([]byte, error) {
	if s.Diagram == nil {
		return nil, nil
	}
	svg, err := s.Diagram(v.Until, h.Ticket)
	if err != nil {
		v.Site().Log.WarnContext(v.Until, "console.diagram", "request_id", v.RequestID(), "ticket", h.Number, "error", err.Error())
	}
	return svg, err
}

// diagram serves the picture alone, in full size. Opened by itself an SVG is a document, so it is kept from doing anything.
func (s *Room) diagram(v *page.Visit, h header) error {
	svg, err := s.draw(v, h)
	if err != nil || len(svg) == 0 {
		return page.ErrNoPage
	}
	v.Set(fiber.HeaderContentSecurityPolicy, "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'")
	v.Set(fiber.HeaderContentType, "image/svg+xml")
	return v.Send(svg)
}

// fieldView is one of a ticket's own fields.
type fieldView struct {
	Name  string
	Value page.Folded
	JSON  bool
}

func fieldsOf(fields map[string]any) []fieldView {
	out := make([]fieldView, 0, len(fields))
	for name, value := range fields {
		var structured bool
		switch value.(type) {
		case map[string]any, []any:
			structured = true
		}
		out = append(out, fieldView{name, page.Fold(page.Pretty(value)), structured})
	}
	slices.SortFunc(out, func(a, b fieldView) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// messagesView is a part of a conversation, oldest first.
type messagesView struct {
	Items        []ticket.MessageRecord
	Total        int
	Older, Newer string // addresses
}

type conversationPage struct {
	header
	Messages messagesView
}

// conversation shows all messages, page by page; the last page is the newest.
func (s *Room) conversation(v *page.Visit, h header) error {
	said := len(h.Ticket.Messages)
	last := max(1, (said+pageMessages-1)/pageMessages)
	n, err := v.AskNumber("page", int64(last))
	if err != nil {
		return err
	}
	if n > int64(last) {
		return page.ErrNoPage
	}
	from := (int(n) - 1) * pageMessages
	messages, err := s.Reader.Messages(v.Until, h.ID, from, pageMessages)
	if err != nil {
		return err
	}
	p := conversationPage{h, messagesView{Total: said, Items: messages}}
	path := h.Path + "/conversation?page="
	if n > 1 {
		p.Messages.Older = path + strconv.FormatInt(n-1, 10)
	}
	if n < int64(last) {
		p.Messages.Newer = path + strconv.FormatInt(n+1, 10)
	}
	return v.Render(http.StatusOK, "tickets/conversation", "Conversation of "+h.Number, p)
}

// addressView is an address that is told of the ticket, with some of its deliveries.
type addressView struct {
	notice.Registration
	Path       string // of the page with all its deliveries
	Lane       string // address of the lane's workflow, if there is one
	Counts     []stateCount
	Deliveries []notice.DeliveryRecord
	Listed     bool   // the deliveries were looked up
	Next       string // address of older ones
	All        string // address of all of them, where not all are here
}

type stateCount struct {
	State notice.DeliveryState
	N     int
}

var deliveryStates = []notice.DeliveryState{notice.Pending, notice.Retrying, notice.Sent, notice.Failed, notice.Held, notice.Cancelled, notice.Gathering, notice.Digested}

func (s *Room) addressOf(h header, r notice.Registration) addressView {
	a := addressView{Registration: r, Path: h.Path + "/deliveries/" + url.PathEscape(r.ID)}
	for _, state := range deliveryStates {
		if n := r.Counts[state]; n > 0 {
			a.Counts = append(a.Counts, stateCount{state, n})
		}
	}
	if r.Counts[notice.Retrying] > 0 && s.LaneWorkflow != nil {
		a.Lane = s.Temporal.Workflow(s.LaneWorkflow(notice.Lane{Subscription: r.ID, TicketID: h.ID}))
	}
	return a
}

// listDeliveries looks up a part of the deliveries to an address.
func (s *Room) listDeliveries(v *page.Visit, h header, a *addressView, cursor string, limit int) error {
	items, next, err := s.Reader.Deliveries(v.Until, notice.Owner{Tenant: h.Ticket.Tenant, TicketID: h.ID}, a.ID, cursor, limit)
	if err != nil {
		return err
	}
	a.Deliveries, a.Listed = items, true
	if next != "" {
		a.Next = page.Address(a.Path, url.Values{"cursor": {next}})
	}
	return nil
}

type deliveriesPage struct {
	header
	Address addressView
	Further bool
}

// deliveries shows all deliveries to one address of the ticket, newest first.
func (s *Room) deliveries(v *page.Visit, h header) error {
	id, err := v.Param("subscription")
	if err != nil {
		return err
	}
	cursor, err := v.Ask("cursor", maxCursor)
	if err != nil {
		return err
	}
	// Only an address of this ticket: deliveries are looked up by subscription alone.
	registered, err := s.Reader.Registration(v.Until, notice.Owner{Tenant: h.Ticket.Tenant, TicketID: h.ID}, id)
	switch {
	case ticket.Is(err, ticket.NotFound):
		return page.ErrNoPage
	case err != nil:
		return err
	}
	p := deliveriesPage{h, s.addressOf(h, registered), cursor != ""}
	if err := s.listDeliveries(v, h, &p.Address, cursor, pageDeliveries); err != nil {
		return err
	}
	return v.Render(http.StatusOK, "tickets/deliveries", "Deliveries of "+h.Number, p)
}
