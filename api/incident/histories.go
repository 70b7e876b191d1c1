package incident

import (
	"fmt"
	"slices"
	"strings"

	"signalbox/api"
	"signalbox/ticket"
)

// search is the body of the list-histories calls. Members that only name a filter or combine several are passed over.
type search struct {
	Filters []filter `json:"string_filters"`
	Sort    *filter  `json:"sort_filter"`
	Page    *int64   `json:"page"`     // 1 to 1,000,000; 1 unless given
	PerPage *int64   `json:"per_page"` // 1 to 200; 200 unless given
}

type filter struct {
	Operator *string  `json:"operator"`
	Field    *string  `json:"field"`
	Values   []string `json:"values"`
}

const (
	maxPages   = 1_000_000
	maxPerPage = ticket.MaxPage
)

// page is what a search asks for.
type page struct {
	ticket      string // number or UUID
	field       string // where the caller named it
	newestFirst bool
	number      int64 // from 1
	size        int64
}

func (in search) page() (page, error) {
	p := page{number: 1, size: maxPerPage}
	var f ticket.Faults
	if len(in.Filters) == 0 {
		f.Add("string_filters", "is required and must name a ticket by its ticket_id")
	}
	for i, one := range in.Filters {
		at := fmt.Sprintf("string_filters[%d]", i)
		switch {
		case i > 0:
			f.Add(at, "is one too many: the one filter there is names the ticket")
		case api.Value(one.Field) != "ticket_id":
			f.Add(at+".field", "must be ticket_id")
		case api.Value(one.Operator) != "=" && api.Value(one.Operator) != "in":
			f.Add(at+".operator", `must be "="`)
		case len(one.Values) != 1:
			f.Add(at+".values", "must have exactly 1 item")
		default:
			p.ticket, p.field = one.Values[0], at+".values[0]"
		}
		if len(f) > 0 {
			break
		}
	}
	if in.Sort != nil {
		switch strings.ToLower(api.Value(in.Sort.Operator)) {
		case "desc":
			p.newestFirst = true
		case "asc":
		default:
			f.Add("sort_filter.operator", "must be asc or desc")
		}
		if field := api.Value(in.Sort.Field); field != "" && field != "start_time" {
			f.Add("sort_filter.field", "must be start_time")
		}
	}
	within := func(field string, given *int64, max int64, into *int64) {
		switch {
		case given == nil:
		case *given < 1 || *given > max:
			f.Add(field, fmt.Sprintf("must be between 1 and %d", max))
		default:
			*into = *given
		}
	}
	within("page", in.Page, maxPages, &p.number)
	within("per_page", in.PerPage, maxPerPage, &p.size)
	return p, f.Err()
}

// window gives the part of a timeline of that length that the page shows. It works because events are numbered from 1 without a gap.
func (p page) window(length int64) (after int64, limit int) {
	from := (p.number - 1) * p.size // entries that earlier pages show
	size := min(p.size, length-from)
	switch {
	case size <= 0:
		return 0, 0
	case p.newestFirst:
		return length - from - size, int(size)
	}
	return from, int(size)
}

// history is a page of what happened to a ticket.
type history struct {
	Total int64   `json:"total"` // of all pages
	Info  []entry `json:"info"`
}

// entry is one thing that happened. It took no time, so that its times are one; "is_deteted" is how the original system spells it.
type entry struct {
	ActionID     string `json:"action_id"` // of the request that caused it, where there was one
	Action       string `json:"action"`
	SubAction    string `json:"sub_action"`
	Operator     string `json:"operator"`
	Comment      string `json:"comment"`
	ID           string `json:"id"`
	TicketID     string `json:"ticket_id"`
	StartTime    int64  `json:"start_time"`
	StopTime     int64  `json:"stop_time"`
	UpdateTime   int64  `json:"update_time"`
	Deleted      bool   `json:"is_deteted"`
	ActionNameZh string `json:"action_name_zh"`
	ActionNameEn string `json:"action_name_en"`
	Status       string `json:"status,omitempty"` // what the ticket became by it; left out when its status stayed
}

func historyOf(t ticket.Ticket, events []ticket.Event, newestFirst bool) history {
	h := history{Total: t.Seq, Info: make([]entry, 0, len(events))}
	for _, e := range events {
		h.Info = append(h.Info, entryOf(t, e))
	}
	if newestFirst {
		slices.Reverse(h.Info)
	}
	return h
}

func entryOf(t ticket.Ticket, e ticket.Event) entry {
	labels, at := e.Labels(), e.At.UnixMilli()
	entry := entry{
		ActionID: e.Operation, Action: labels.Action, SubAction: string(e.Type), Operator: e.Actor, Comment: e.Note,
		ID: fmt.Sprintf("%s-%d", t.Number, e.Seq), TicketID: t.Number, StartTime: at, StopTime: at, UpdateTime: at,
		ActionNameZh: labels.ActionZh, ActionNameEn: labels.ActionEn, Status: statusWords[e.After.Status],
	}
	if entry.ActionID == "" {
		entry.ActionID = entry.ID
	}
	switch {
	case e.Type == ticket.Solved && e.After.Solution != nil:
		entry.Comment = e.After.Solution.Text
	case e.After.Message != nil:
		entry.Comment = e.After.Message.Content
	}
	return entry
}
