package console

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

const pageEvents = 30

// eventsView is a part of a timeline, newest first.
type eventsView struct {
	Items   []eventView
	Total   int64
	Earlier string // address
	Later   string // address of the newest, when these are not
}

// events gives the part of a timeline that lies before a sequence number.
func (s *Console) events(v *visit, h head, before int64) (eventsView, error) {
	out := eventsView{Total: h.Seq}
	after := max(0, before-1-pageEvents)
	events, err := s.Records.Timeline(v.ctx, h.ID, after, int(before-1-after))
	if err != nil {
		return out, err
	}
	names := namesOf(h.Ticket)
	for _, e := range slices.Backward(events) {
		out.Items = append(out.Items, eventOf(e, names))
	}
	path := h.Path + "/timeline"
	if after > 0 {
		out.Earlier = address(path, url.Values{"before": {strconv.FormatInt(after+1, 10)}})
	}
	if before <= h.Seq {
		out.Later = path
	}
	return out, nil
}

type timelinePage struct {
	head
	Events eventsView
}

// timeline shows the timeline alone, page by page.
func (s *Console) timeline(v *visit) error {
	h, err := s.head(v)
	if err != nil {
		return err
	}
	before, err := v.number("before", h.Seq+1)
	if err != nil {
		return err
	}
	if before < 2 || before > h.Seq+1 {
		return errNoPage
	}
	events, err := s.events(v, h, before)
	if err != nil {
		return err
	}
	return v.render(http.StatusOK, "timeline", "Timeline of "+h.Number, timelinePage{h, events})
}
