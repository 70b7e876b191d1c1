package tickets

import (
	"net/http"
	"net/url"
	"slices"

	"signalbox/console/page"
	"signalbox/flow"
	"signalbox/notice"
	"signalbox/ticket"
)

const (
	pageEvents = 30
	scanned    = 100   // entries that are read at once to find those of a kind
	scannedMax = 1_500 // entries that are looked at for one page
)

// What of a timeline is shown; all unless asked.
const (
	showMessages   = "messages"
	showDecisions  = "decisions"
	showDeliveries = "deliveries"
)

var shows = []string{"", showMessages, showDecisions, showDeliveries}

// filterView is a choice of what is shown.
type filterView struct {
	Show, Path string
	Chosen     bool
}

// eventsView is a part of a timeline, newest first.
type eventsView struct {
	Show    string
	Filters []filterView
	Items   []eventView
	Total   int    // of all entries; 0 where only some kind is shown, whose number is not known
	Whole   bool   // these are all there are of what is shown
	Earlier string // address
	Newest  string // address of the newest, when these are not
	Talk    string // address of the conversation by itself, where messages are shown
}

// shown reports whether an entry is one of what is asked for. What concerns a lasting subscription concerns its owner, and is shown among the deliveries alone.
func shown(e eventView, show string) bool {
	switch show {
	case showMessages:
		return e.Message != nil
	case showDecisions:
		return e.Alert == nil && e.Type.About() == ticket.AboutProcess
	case showDeliveries:
		return e.Alert != nil && e.Alert.Delivery != ""
	}
	return !e.Lasting
}

// events gives the part of a timeline that lies before a position; the zero position is behind all.
func (s *Room) events(v *page.Visit, h header, show string, before notice.Position) (out eventsView, err error) {
	path := h.Path + "/timeline"
	query := url.Values{}
	out.Show = show
	for _, kind := range shows {
		f := filterView{Show: kind, Path: path, Chosen: kind == show}
		if kind != "" {
			f.Path = page.Address(path, url.Values{"show": {kind}})
		}
		out.Filters = append(out.Filters, f)
	}
	if show != "" {
		query.Set("show", show)
	}
	if show == showMessages && len(h.Ticket.Messages) > 0 {
		out.Talk = h.Path + "/conversation"
	}
	then, lasting := wordingOf(h.Ticket), map[string]bool{}
	if before != (notice.Position{}) {
		next := before.Seq // the first event that is not shown
		if before.N > 0 {
			next++
		}
		if then, err = s.wordingBefore(v, h, next); err != nil {
			return out, err
		}
	}
	at, more := before, true
	limit := pageEvents + 1
	if show != "" {
		limit = scanned
	}
	for read := 0; more && len(out.Items) <= pageEvents && read < scannedMax; read += limit {
		entries, err := s.Reader.EntriesBefore(v.Until, h.ID, at, limit)
		if err != nil {
			return out, err
		}
		more = len(entries) == limit
		for _, e := range slices.Backward(entries) {
			if e.Event != nil {
				event := v.SpokenEvent(then.ticket, *e.Event)
				e.Event = &event
			}
			item := entryOf(v, e, then.names, then.fields).called(h.Called)
			if item.After.Pinned != nil { // what is read next was before it
				if then, err = s.wordingBefore(v, h, item.Seq); err != nil {
					return out, err
				}
			}
			if a := e.Alert; a != nil && a.Subscription != "" {
				if item.Lasting, err = s.lasting(v, h, a.Subscription, lasting); err != nil {
					return out, err
				}
				item.Told = h.Path + "/deliveries/" + url.PathEscape(a.Subscription)
			}
			if twin(out.Items, e.Alert) {
				out.Items[len(out.Items)-1].Also = e.Alert.Reason
			} else if shown(item, show) {
				if len(out.Items) == pageEvents { // one more than is shown tells that there are earlier ones
					more = true
					break
				}
				out.Items = append(out.Items, item)
			}
			at = e.Position()
		}
		if len(out.Items) == pageEvents && more {
			break
		}
	}
	if more {
		query.Set("before", at.String())
		out.Earlier = page.Address(path, query)
		query.Del("before")
	}
	if before != (notice.Position{}) {
		out.Newest = page.Address(path, query)
	}
	out.Whole = out.Earlier == "" && out.Newest == ""
	if !out.Whole && show == "" {
		if out.Total, err = s.Reader.CountEntries(v.Until, h.ID); err != nil {
			return out, err
		}
	}
	s.own(v, h, out.Items)
	return out, nil
}

// wording is what the nodes and fields of a ticket's process are called by one version of its service.
type wording struct {
	ticket ticket.Ticket // as one that runs through that version
	names  func(id string) string
	fields func(key string) flow.Field
}

func wordingOf(t ticket.Ticket) wording { return wording{t, namesOf(t), formsOf(t)} }

// wordingBefore gives the wording that was in force before an event, by its number.
func (s *Room) wordingBefore(v *page.Visit, h header, seq int64) (wording, error) {
	if seq <= 1 { // nothing was
		return wordingOf(h.Ticket), nil
	}
	move, err := s.Reader.LastMove(v.Until, h.ID, seq)
	if err != nil {
		return wording{}, err
	}
	t := h.Ticket.Through(nil)
	t.Definition, _ = move.Definition()
	return wordingOf(v.SpokenTicket(t)), nil
}

// twin reports whether an alert that a delivery was given up belongs to the entry shown last, which tells that its address was dropped by that.
func twin(items []eventView, a *notice.Alert) bool {
	if a == nil || a.Kind != notice.DeliveryFailed || len(items) == 0 {
		return false
	}
	last := items[len(items)-1].Alert
	return last != nil && last.Kind == notice.AddressDropped && last.Delivery == a.Delivery
}

// lasting reports whether a subscription follows all of a tenant's tickets; known keeps what was found.
func (s *Room) lasting(v *page.Visit, h header, id string, known map[string]bool) (bool, error) {
	if is, ok := known[id]; ok {
		return is, nil
	}
	_, err := s.Reader.Registration(v.Until, notice.Owner{Tenant: h.Ticket.Tenant}, id)
	if err != nil && !ticket.Is(err, ticket.NotFound) {
		return false, err
	}
	known[id] = err == nil
	return known[id], nil
}

// own marks the messages that the visitor may change: their own, as they are now.
func (s *Room) own(v *page.Visit, h header, items []eventView) {
	if !h.Acts {
		return
	}
	latest := map[string]ticket.MessageSummary{}
	for _, m := range h.Ticket.Messages {
		latest[m.ID] = m
	}
	for i, e := range items {
		if m := e.After.Message; m != nil && m.Author == v.Who.Person && latest[m.ID] == m.Summary() {
			delete(latest, m.ID) // once
			items[i].Message.Edit = page.Address(h.Path+"/say", url.Values{"message": {m.ID}})
		}
	}
}

type timelinePage struct {
	header
	Events eventsView
}

// timeline shows the timeline alone, page by page.
func (s *Room) timeline(v *page.Visit, h header) error {
	var before notice.Position
	show, err := v.Ask("show", 20)
	if err != nil {
		return err
	}
	if !slices.Contains(shows, show) {
		return ticket.RefuseField(ticket.Invalid, "show", "must be one of messages, decisions, deliveries")
	}
	text, err := v.Ask("before", notice.MaxPosition)
	if err != nil {
		return err
	}
	if text != "" {
		var ok bool
		if before, ok = notice.ParsePosition(text); !ok {
			return ticket.RefuseField(ticket.Invalid, "before", "must be a place in the timeline")
		}
		if before.Seq < 1 || before.Seq > h.Seq+1 {
			return page.ErrNoPage
		}
	}
	events, err := s.events(v, h, show, before)
	if err != nil {
		return err
	}
	if len(events.Items) == 0 && text != "" && show == "" && events.Earlier == "" {
		return page.ErrNoPage
	}
	return v.Render(http.StatusOK, "tickets/timeline", v.T("ticket.timeline_of", "Number", h.Number), timelinePage{h, events})
}

// liveView is what of a ticket's page changes by itself. Forms are none of it, so that nothing is lost that somebody is typing.
type liveView struct {
	header
	Picture pictureView
	Nodes   nodesView
	Events  eventsView
	Changed bool // since the page was made
}

// live answers what has changed since an event, by its number; that nothing has, with HTTP 204.
func (s *Room) live(v *page.Visit, h header) error {
	seen, err := v.AskNumber("seq", 0)
	if err != nil {
		return err
	}
	if seen == h.Seq {
		v.Status(http.StatusNoContent)
		return nil
	}
	p := liveView{header: h, Nodes: nodesOf(h.Ticket), Picture: pictureOf(v, h), Changed: true}
	if p.Events, err = s.events(v, h, "", notice.Position{}); err != nil {
		return err
	}
	return v.Render(http.StatusOK, "tickets/live", h.Number+" "+h.Title, p)
}
