package list

import (
	"bytes"
	"encoding/csv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"signalbox/console/page"
	"signalbox/ticket"
)

// maxRows is how many tickets a file has at most.
const maxRows = 10_000

// byteOrderMark tells spreadsheets that the file is UTF-8; without it they take Chinese for something else.
const byteOrderMark = "\uFEFF"

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
	out := bytes.NewBufferString(byteOrderMark)
	w := csv.NewWriter(out)
	w.UseCRLF = true
	heads := []string{v.T("list.number"), v.T("list.title"), v.T("list.status"), v.T("list.phase"), v.T("list.service"), v.T("list.origin"), v.T("list.opener"), v.T("list.assignee"),
		v.T("list.waits"), v.T("list.tags"), v.T("list.opened"), v.T("list.updated"), v.T("list.ended"), v.T("list.due"), v.T("list.sla")}
	_ = w.Write(heads) // a buffer takes everything
	for n := 0; ; {
		found, err := r.Reader.Tickets(v.Until, v.Who.App.Tenant, f)
		if err != nil {
			return err
		}
		for _, t := range found.Items {
			if n == maxRows {
				break
			}
			n++
			_ = w.Write(cells(v, t))
		}
		if f.Cursor = found.Next; f.Cursor == "" {
			break
		}
		if n == maxRows {
			_ = w.Write([]string{v.T("list.cut", "N", maxRows)})
			break
		}
	}
	w.Flush()
	v.Set(fiber.HeaderContentType, "text/csv; charset=utf-8")
	v.Set(fiber.HeaderContentDisposition, `attachment; filename="tickets-`+v.Site().Now().In(v.Zone()).Format(oneDay)+`.csv"`)
	return v.Send(out.Bytes())
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
	for i := range out {
		out[i] = harmless(out[i])
	}
	return out
}

// harmless keeps spreadsheets from taking what somebody wrote for a formula, which could send what else is in the file elsewhere (OWASP, CSV injection).
func harmless(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", []rune(cell)[0]) {
		return "'" + cell
	}
	return cell
}
