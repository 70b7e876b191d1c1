package tickets

import (
	"net/http"
	"net/url"
	"signalbox/console/page"
	"slices"

	"signalbox/notice"
	"signalbox/ticket"
)

const pageEvents = 30

// eventsView is a part of a timeline, newest first.
type eventsView struct {
	Items   []eventView
	Earlier string // address
	Newest  string // address of the newest, when these are not
}

// events gives the part of a timeline that lies before a position; the zero position is behind all.
func (s *Room) events(v *page.Visit, h header, before notice.Position) (out eventsView, err error) {
	// One more than is shown tells whether there are earlier ones.
	entries, err := s.Reader.EntriesBefore(v.Until, h.ID, before, pageEvents+1)
	if err != nil {
		return out, err
	}
	path := h.Path + "/timeline"
	if len(entries) > pageEvents {
		entries = entries[1:]
		out.Earlier = page.Address(path, url.Values{"before": {entries[0].Position().String()}})
	}
	names := namesOf(h.Ticket)
	for _, e := range slices.Backward(entries) {
		out.Items = append(out.Items, entryOf(e, names))
	}
	if before != (notice.Position{}) {
		out.Newest = path
	}
	return out, nil
}

type timelinePage struct {
	header
	Events eventsView
}

// timeline shows the timeline alone, page by page.
func (s *Room) timeline(v *page.Visit, h header) error {
	var before notice.Position
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
	events, err := s.events(v, h, before)
	if err != nil {
		return err
	}
	if len(events.Items) == 0 {
		return page.ErrNoPage
	}
	return v.Render(http.StatusOK, "tickets/timeline", "Timeline of "+h.Number, timelinePage{h, events})
}
