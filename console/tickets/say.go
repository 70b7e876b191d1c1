package tickets

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"

	"signalbox/console/forms"
	"signalbox/console/page"
	"signalbox/desk"
	"signalbox/flow"
	"signalbox/notice"
	"signalbox/ticket"
)

// What the forms beside the card Now are called, for whoever is shown one again.
const (
	formSay      = "say"
	formRelate   = "relate"
	formRegister = "register"
)

// saying is the form for a message.
func saying(v *page.Visit, sent *refused) formView {
	f := formView{ID: formSay, Action: formSay, Inputs: []forms.Input{{Name: "content", Label: v.T("say.message"), Kind: forms.Text, Required: true, Max: ticket.MaxMessage, Hint: v.T("say.mention")}}}
	f.finish(v, sent)
	return f
}

// relating is the form for what a ticket is tied to.
func relating(v *page.Visit, sent *refused) formView {
	f := formView{ID: formRelate, Action: formRelate, Inputs: []forms.Input{
		{Name: "type", Label: v.T("relate.type"), Kind: forms.Line, Required: true, Max: ticket.MaxRelationType, Hint: v.T("relate.type_hint")},
		{Name: "content", Label: v.T("relate.items"), Kind: forms.Text, Hint: v.T("relate.items_hint")},
		{Name: "mode", Label: v.T("relate.mode"), Kind: forms.Select, Value: "add", Choices: []forms.Choice{{Key: "add", Name: v.T("relate.add")}, {Key: "set", Name: v.T("relate.set")}}},
	}}
	f.finish(v, sent)
	return f
}

// registering is the form for an address that is to be told of a ticket.
func registering(v *page.Visit, sent *refused) formView {
	f := formView{ID: formRegister, Action: formRegister, Inputs: []forms.Input{{Name: "url", Label: v.T("told.url"), Kind: forms.URL, Required: true, Max: ticket.MaxURL}}}
	f.finish(v, sent)
	return f
}

// handle has a command of one of these forms done, and leads to a part of the ticket's page.
func (s *Room) handle(v *page.Visit, h header, what desk.Handling, to, done string) error {
	what.Ticket, what.Answer = h.Number, nothing
	if _, err := s.Desk.Handle(v.Until, v.DeskRequest(), what); err != nil {
		return s.again(v, h, err)
	}
	return v.Done(h.Path+to, done)
}

// say adds a message to the conversation, or changes one of the visitor's own.
func (s *Room) say(v *page.Visit, h header) error {
	m := ticket.Message{ID: v.Form.Get("message"), Author: v.Who.Person, Content: forms.Lines(v.Form.Text("content"))}
	c := as(v, ticket.Command{Action: ticket.Revise, Message: &m})
	if m.ID == "" {
		c.Action, m.ID = ticket.Say, uuid.NewString()
		return s.handle(v, h, desk.Handling{Command: c}, "#timeline", v.T("say.said"))
	}
	before, err := s.Reader.Message(v.Until, h.ID, m.ID)
	if err != nil {
		return err
	}
	if before.Author != v.Who.Person {
		return ticket.Refuse(ticket.Forbidden, v.T("say.not_yours"))
	}
	return s.handle(v, h, desk.Handling{Command: c}, "#timeline", v.T("say.changed"))
}

// editPage is the form by which somebody changes a message of their own.
type editPage struct {
	header
	Message string
	Form    formView
}

// edit shows it.
func (s *Room) edit(v *page.Visit, h header) error {
	id, err := v.Ask("message", ticket.MaxRelationType)
	if err != nil {
		return err
	}
	m, err := s.Reader.Message(v.Until, h.ID, id)
	if err != nil {
		return err
	}
	if m.Author != v.Who.Person {
		return ticket.Refuse(ticket.Forbidden, v.T("say.not_yours"))
	}
	p := editPage{header: h, Message: id, Form: saying(v, nil)}
	p.Form.Inputs[0].Value = m.Content
	return v.Render(http.StatusOK, "tickets/edit", v.T("say.edit"), p)
}

// relate adds items to a relation, or puts others in the place of all that it has.
func (s *Room) relate(v *page.Visit, h header) error {
	r := ticket.Relation{Type: v.Form.Text("type"), Content: []string{}}
	for line := range strings.Lines(v.Form.Get("content")) {
		if line = strings.TrimSpace(line); line != "" {
			r.Content = append(r.Content, line)
		}
	}
	what := desk.Handling{Command: as(v, ticket.Command{Action: ticket.Relate, Relation: &r})}
	if v.Form.Get("mode") == "add" {
		what.Complete = func(t ticket.Ticket, c *ticket.Command) error {
			all, err := s.Reader.Relations(v.Until, t)
			if err != nil {
				return err
			}
			for _, have := range all {
				if have.Type == r.Type {
					c.Relation = &ticket.Relation{Type: r.Type, Content: slices.Concat(have.Content, r.Content)}
				}
			}
			return nil
		}
	}
	return s.handle(v, h, what, "#relations", v.T("relate.done"))
}

// register has an address told of the ticket, also one that was dropped.
func (s *Room) register(v *page.Visit, h header) error {
	address := v.Form.Text("url")
	if err := notice.CheckURL(address, s.Reach); err != nil {
		if why := ticket.AsError(err); why != nil && why.Field == "" {
			err = ticket.RefuseField(why.Code, "url", why.Message)
		}
		return s.again(v, h, err)
	}
	return s.transact(v, h, v.T("told.registered"), func(ctx context.Context) error {
		_, err := s.Reader.Register(ctx, h.Ticket, notice.Subscription{URL: address})
		return err
	})
}

// follow has the visitor follow the ticket, or follow it no more.
func (s *Room) follow(v *page.Visit, h header) error {
	on, done := v.Form.On("on"), v.T("follow.off")
	if on {
		done = v.T("follow.on")
	}
	_, err := s.Desk.Transact(v.Until, v.DeskRequest(), func(ctx context.Context) (desk.Answer, error) {
		return nothing, s.Reader.Follow(ctx, h.Ticket, v.Who.Person, on)
	})
	if err != nil {
		return s.again(v, h, err)
	}
	return v.Done(h.Path, done)
}

// redeliver has one delivery of an address sent again.
func (s *Room) redeliver(v *page.Visit, h header) error {
	id, err := v.Param("subscription")
	if err != nil {
		return err
	}
	return s.transact(v, h, v.T("told.again"), func(ctx context.Context) error {
		return s.Reader.Redeliver(ctx, notice.Owner{Tenant: h.Ticket.Tenant, TicketID: h.ID}, id, v.Form.Get("delivery"))
	})
}

// stop has an address told nothing of the ticket any more.
func (s *Room) stop(v *page.Visit, h header) error {
	id, err := v.Param("subscription")
	if err != nil {
		return err
	}
	return s.transact(v, h, v.T("told.stopped"), func(ctx context.Context) error {
		return s.Reader.Unsubscribe(ctx, notice.Owner{Tenant: h.Ticket.Tenant, TicketID: h.ID}, id)
	})
}

// rotate gives an address of the ticket a new secret, and tells it.
func (s *Room) rotate(v *page.Visit, h header) error {
	id, err := v.Param("subscription")
	if err != nil {
		return err
	}
	of := notice.Owner{Tenant: h.Ticket.Tenant, TicketID: h.ID}
	address, err := s.Reader.Registration(v.Until, of, id)
	if err != nil {
		return err
	}
	secret, err := page.Transact(v, s.Desk, true, func(ctx context.Context) (string, error) { return s.Reader.Rotate(ctx, of, id) })
	if err != nil {
		return s.again(v, h, err)
	}
	return v.ShowSecret(v.T("subscription.rotated"), address.URL, secret, v.T("subscription.rotated_text"), h.Path+"#told")
}

// transact does something with the addresses of a ticket that touches the database alone.
func (s *Room) transact(v *page.Visit, h header, done string, effect func(ctx context.Context) error) error {
	_, err := s.Desk.Transact(v.Until, v.DeskRequest(), func(ctx context.Context) (desk.Answer, error) { return nothing, effect(ctx) })
	if err != nil {
		return s.again(v, h, err)
	}
	return v.Done(h.Path+"#told", done)
}

// draftView is the form by which a ticket is opened.
type draftView struct {
	Services []forms.Choice
	Service  string
	Called   string
	About    string
	Closed   bool // the service opens nothing new
	Form     formView
	Persons  []forms.Choice // whom it suggests
}

// draft shows the services, or the form of the one that is asked for.
func (s *Room) draft(v *page.Visit) error {
	key, err := v.Ask("service", ticket.MaxName)
	if err != nil {
		return err
	}
	return s.drafted(v, http.StatusOK, key, nil)
}

func (s *Room) drafted(v *page.Visit, status int, key string, sent *refused) error {
	services, err := s.Reader.ServiceRecords(v.Until, v.Who.App.Tenant)
	if err != nil {
		return err
	}
	p := draftView{Service: key, Form: formView{ID: "new", Action: "open", Open: true}}
	for _, r := range services {
		if r.Enabled || r.Key == key {
			p.Services = append(p.Services, forms.Choice{Key: r.Key, Name: v.Spoken(r.Definition).Name, On: r.Key == key})
		}
	}
	if key != "" {
		r, err := s.Reader.ServiceRecord(v.Until, v.Who.App.Tenant, key)
		if err != nil {
			return err
		}
		def := v.Spoken(r.Definition)
		p.Called, p.About, p.Closed = def.Name, def.Description, !r.Enabled
		p.Form.Inputs = openingInputs(v, def)
		p.Form.finish(v, sent)
		if p.Persons, err = s.suggest(v, &p.Form); err != nil {
			return err
		}
	}
	return v.Render(status, "tickets/new", v.T("new.title"), p)
}

// openingInputs are the fields of a service's opening form, with what every ticket has.
func openingInputs(v *page.Visit, def flow.Definition) []forms.Input {
	out, titled := forms.Opening(v, def)
	if !titled {
		out = slices.Insert(out, 0, forms.Input{Name: "title", Label: v.T("new.called"), Kind: forms.Line, Required: true, Max: ticket.MaxTitle})
	}
	return append(out,
		forms.Input{Name: "description", Label: v.T("ticket.description_of"), Kind: forms.Text, Max: ticket.MaxDescription},
		forms.Input{Name: "assignee", Label: v.T("ticket.assignee"), Kind: forms.Line, Persons: true, Max: ticket.MaxName, Hint: v.T("form.person")},
		forms.Input{Name: "tag", Label: v.T("ticket.tags"), Kind: forms.Line, Hint: v.T("new.tags")})
}

// open opens a ticket by the form of a service, and leads to it.
func (s *Room) open(v *page.Visit) error {
	key := v.Form.Get("service")
	record, err := s.Reader.ServiceRecord(v.Until, v.Who.App.Tenant, key)
	if err != nil {
		return err
	}
	opened := forms.Open(v, v.Form, record.Definition)
	d := ticket.Draft{Channel: ticket.ChannelPages, App: v.Who.App.Code, Service: key, Origin: string(ticket.ChannelPages), Title: cmp.Or(opened.Title, v.Form.Text("title")),
		Description: forms.Lines(v.Form.Text("description")), Tags: v.Form.List("tag"), Opener: v.Who.Person, Assignee: v.Form.Text("assignee"), Form: opened.Form, Types: s.Types,
		Named: opened.Named}
	if warning, err := s.warned(v, openingInputs(v, record.Definition)); err != nil {
		return err
	} else if warning != nil {
		return s.drafted(v, http.StatusBadRequest, key, warning)
	}
	reply, err := s.Desk.Open(v.Until, v.DeskRequest(), desk.Opening{Series: ticket.SeriesIM, Draft: d, Service: &record, Answer: func(id ticket.Identity) desk.Answer {
		raw, _ := json.Marshal(id.Number) // a text always marshals
		return desk.Answer{Status: http.StatusOK, Body: raw}
	}})
	var number string
	if why := ticket.AsError(err); why != nil && refusalStatus[why.Code] != 0 {
		v.Refused(why)
		return s.drafted(v, refusalStatus[why.Code], key, &refused{form: v.Form, why: forms.Misnamed(why)})
	} else if err != nil {
		return err
	}
	if err := json.Unmarshal(reply.Body, &number); err != nil {
		return err
	}
	return v.Done("/ticket/"+url.PathEscape(number), v.T("new.opened", "Number", number))
}
