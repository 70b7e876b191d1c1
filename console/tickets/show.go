package tickets

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"signalbox/api/houseapi"
	"signalbox/console/forms"
	"signalbox/console/page"
	"signalbox/flow"
	"signalbox/notice"
	"signalbox/ticket"
)

// How much of its lists a ticket's page shows; the rest has pages of its own.
const (
	shownAddresses  = 10 // with their deliveries; others are named
	shownDeliveries = 5  // deliveries of each
	pageMessages    = 50
	pageDeliveries  = 25
	shownFollowers  = 50  // who follow the ticket
	maxCursor       = 512 // characters
)

// header is what all pages of one ticket begin with.
type header struct {
	ticket.Ticket
	Word     string // OPEN or CLOSED
	Called   string // the name of the service
	Path     string // of the ticket's page
	Workflow string // address in the Temporal UI; empty: no link
	Acts     bool   // the visitor may act
	// Who follows the ticket, the visitor first where they do; where there are more than are shown it says so.
	Watchers     []string
	MoreWatchers bool
	Follows      bool // the visitor does
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
	h := header{Path: "/ticket/" + url.PathEscape(t.Number), Acts: v.Who.May(page.Act)}
	h.is(v.SpokenTicket(t))
	if h.Watchers, err = s.Reader.Followers(v.Until, t, v.Who.Person, shownFollowers+1); err != nil {
		return header{}, err
	}
	h.Follows = slices.Contains(h.Watchers, v.Who.Person)
	if h.MoreWatchers = len(h.Watchers) > shownFollowers; h.MoreWatchers {
		h.Watchers = h.Watchers[:shownFollowers]
	}
	if s.TicketWorkflow != nil {
		h.Workflow = s.Temporal.Workflow(s.TicketWorkflow(t.Number, t.Generation))
	}
	return h, nil
}

// is takes the ticket as it was read.
func (h *header) is(t ticket.Ticket) {
	h.Ticket, h.Word, h.Called = t, t.Status.Word(), t.Service
	if process, err := t.Process(); err == nil {
		h.Called = process.Definition().Name
	}
}

// ticketView is a ticket's page.
type ticketView struct {
	header
	Now       nowView
	Form      []fieldView // what was filled in when the ticket was opened, in the order of the form
	Later     []fieldView // at its nodes, and what other families keep
	Picture   pictureView
	Nodes     nodesView
	Events    eventsView
	Say       formView
	Relations []relationView
	Relate    formView
	Addresses []addressView
	Register  formView
	Persons   []forms.Choice // whom its forms suggest
	Rated     ratedView
	Missed    bool // something did not arrive that the visitor may have sent again
	// MoreAddresses says that there are more than are shown.
	MoreAddresses bool
}

// pictureView is the process, drawn.
type pictureView struct {
	Path string // empty: there is no picture
	X, Y int    // where the current node is, in hundredths of its width and height
}

// show shows a ticket with all that belongs to it.
func (s *Room) show(v *page.Visit, h header) error { return s.page(v, h, http.StatusOK, nil) }

// page answers with a ticket's page. sent is a form that was just sent from it and refused, nil where none was.
func (s *Room) page(v *page.Visit, h header, status int, sent *refused) (err error) {
	p := ticketView{header: h, Nodes: nodesOf(h.Ticket), Picture: pictureOf(v, h)}
	p.Form, p.Later = fieldsOf(v, h.Ticket)
	p.Say, p.Relate, p.Register = saying(v, sent), relating(v, sent), registering(v, sent)
	if p.Events, err = s.events(v, h, "", notice.Position{}); err != nil {
		return err
	}
	if p.Rated, err = s.rated(v, h, sent); err != nil {
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
		p.Missed = p.Missed || h.Acts && misses(r)
		p.Addresses = append(p.Addresses, a)
	}
	p.Now = s.now(v, h.Ticket, sent) // last: it tells of what no form has shown
	if p.Persons, err = s.suggest(v, p.Now.forms()...); err != nil {
		return err
	}
	return v.Render(status, "tickets/ticket", h.Number+" "+h.Title, p)
}

// pictureOf tells where the picture of a ticket's process is. A process that this build does not know has none.
func pictureOf(v *page.Visit, h header) (out pictureView) {
	process, err := h.Process()
	if err != nil {
		return out
	}
	drawn := v.Draw(process.Definition(), &h.Position)
	return pictureView{Path: h.Path + "/diagram.svg", X: drawn.X, Y: drawn.Y}
}

// diagram serves the picture, as the API does.
func (s *Room) diagram(v *page.Visit, h header) error {
	process, err := h.Process()
	if err != nil {
		return page.ErrNoPage
	}
	return houseapi.PictureBy(func(*fiber.Ctx) (flow.Definition, *flow.Position, error) {
		return process.Definition(), &h.Position, nil
	}, v.DrawNamed)(v.Ctx)
}

// fieldView is a value of a form.
type fieldView struct {
	Name    string
	Value   page.Folded
	Persons []string   // whom it names, by their ids
	At      *time.Time // it is a moment
	JSON    bool
}

// fieldsOf gives the values of a ticket's fields: those of its opening form in the order of the form, then those of the forms of its nodes and what else there is, by name.
func fieldsOf(v tongue, t ticket.Ticket) (opening, later []fieldView) {
	shown := map[string]bool{}
	add := func(to []fieldView, form []flow.Field) []fieldView {
		for _, f := range form {
			if value, ok := t.Fields[f.Key]; ok && !shown[f.Key] {
				shown[f.Key] = true
				to = append(to, fieldOf(v, f, value))
			}
		}
		return to
	}
	if process, err := t.Process(); err == nil {
		def := process.Definition()
		opening = add(opening, def.Fields)
		for _, n := range def.Nodes {
			later = add(later, n.Fields)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t.Fields)) {
		if !shown[name] {
			later = append(later, fieldOf(v, flow.Field{Key: name}, t.Fields[name]))
		}
	}
	return opening, later
}

// formsOf tells of the fields of a ticket's process, in whichever of its forms they are; one that is in none is called by its key.
func formsOf(t ticket.Ticket) func(string) flow.Field {
	fields := map[string]flow.Field{}
	if process, err := t.Process(); err == nil {
		def := process.Definition()
		all := def.Fields
		for _, n := range def.Nodes {
			all = slices.Concat(all, n.Fields)
		}
		for _, f := range all {
			if _, there := fields[f.Key]; !there {
				fields[f.Key] = f
			}
		}
	}
	return func(key string) flow.Field {
		if f, ok := fields[key]; ok {
			return f
		}
		return flow.Field{Key: key}
	}
}

// fieldOf gives one value as people read it: choices by their names, moments as times.
func fieldOf(v tongue, f flow.Field, value any) fieldView {
	out := fieldView{Name: cmp.Or(f.Name, f.Key)}
	text := page.Pretty(value)
	switch value := value.(type) {
	case map[string]any, []any:
		out.JSON = true
	case bool:
		if f.Type == flow.Bool || f.Type == "" {
			text = v.T("form.no")
			if value {
				text = v.T("form.yes")
			}
		}
	case string:
		text = value
		if at, err := time.Parse(time.RFC3339, value); err == nil && f.Type == flow.DateTime {
			out.At = &at
		}
		if len(f.Choice) > 0 {
			items := strings.Split(value, ",")
			for i, item := range items {
				for _, c := range f.Choice {
					if c.Key == item {
						items[i] = cmp.Or(c.Name, c.Key)
					}
				}
			}
			text = strings.Join(items, ", ")
		} else if f.Type == flow.Members || f.Type == flow.Member {
			out.Persons = slices.DeleteFunc(strings.Split(value, ","), func(id string) bool { return id == "" })
			text = strings.Join(out.Persons, ", ")
		}
	}
	out.Value = page.Fold(text)
	return out
}

// tongue is the language of a visitor; *page.Visit is one.
type tongue interface {
	T(key string, with ...any) string
	Word(kind string, word any) string
	Reason(sentence string) string
	Why(sentence string) string
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
	return v.Render(http.StatusOK, "tickets/conversation", v.T("ticket.conversation_of", "Number", h.Number), p)
}

// addressView is an address that is told of the ticket, with some of its deliveries.
type addressView struct {
	notice.Registration
	Path       string // of the page with all its deliveries
	Ticket     string // of the ticket's page
	Acts       bool   // the visitor may have deliveries sent again
	Again      bool   // it was dropped, and the visitor may register it again
	Keeps      bool   // it is an address of the ticket's own, and the visitor may give it a new secret or have it told nothing any more
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
	a := addressView{Registration: r, Path: h.Path + "/deliveries/" + url.PathEscape(r.ID), Ticket: h.Path, Acts: h.Acts}
	a.Keeps = h.Acts && r.Person == ""
	a.Again = h.Acts && r.State == notice.Dropped && r.Person == ""
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
	return v.Render(http.StatusOK, "tickets/deliveries", v.T("ticket.deliveries_of", "Number", h.Number), p)
}
