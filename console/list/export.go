package list

import (
	"strings"
	"time"

	"signalbox/console/page"
	"signalbox/ticket"
)

// maxRows is how many tickets a file has at most.
const maxRows = 10_000

// export gives the list as a file of comma-separated values (RFC 4180), made whole before anything of it is sent. What was cut off is told by its last line.
func (r *Room) export(v *page.Visit) error {
	a, err := r.read(v)
	if err != nil {
		return err
	}
	f, err := a.filter(v.Site().Now(), v.Zone())
	if err != nil {
		return err
	}
	f.Cursor, f.Limit = "", ticket.MaxPage
	return v.CSV("tickets-"+v.Site().Now().In(v.Zone()).Format(oneDay)+".csv", func(row func(cells ...string)) error {
		row(v.T("list.number"), v.T("list.title"), v.T("list.status"), v.T("list.phase"), v.T("list.service"), v.T("list.origin"), v.T("list.opener"), v.T("list.assignee"),
			v.T("list.waits"), v.T("list.tags"), v.T("list.opened"), v.T("list.updated"), v.T("list.ended"), v.T("list.due"), v.T("list.sla"))
		for n := 0; ; {
			found, err := r.Reader.Tickets(v.Until, v.Who.App.Tenant, f)
			if err != nil {
				return err
			}
			for _, t := range found.Items[:min(len(found.Items), maxRows-n)] {
				n++
				row(cells(v, v.SpokenTicket(t))...)
			}
			if f.Cursor = found.Next; f.Cursor == "" {
				return nil
			}
			if n == maxRows {
				row(v.T("list.cut", "N", maxRows))
				return nil
			}
		}
	})
}

// cells gives a ticket as a line of the file. Times are those of the visitor's zone, with their distance from UTC (RFC 3339).
func cells(v *page.Visit, t ticket.Ticket) []string {
	at := func(t *time.Time) string {
		if t == nil {
			return ""
		}
		return t.In(v.Zone()).Format(time.RFC3339)
	}
	out := []string{t.Number, t.Title, v.Word("word", t.Status.Word()), v.Word("phase", t.Phase()), row{Ticket: t}.ServiceName(), t.Origin, t.Opener, t.Assignee, strings.Join(t.WaitingFor(), ", "),
		strings.Join(t.Tags, ", "), at(&t.CreatedAt), at(&t.UpdatedAt), at(t.EndedAt()), at(t.DueAt()), ""}
	if s := t.SLAState(); s != "" {
		out[len(out)-1] = v.Word("sla", s)
	}
	return out
}
