package incident

import (
	"math"
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"

	"signalbox/api"
	"signalbox/ticket"
)

// Sizes of pages of the list of tickets, as the vendor documents them.
const (
	listed    = 50
	maxListed = 100
)

// simple is a ticket in a list, as the vendor's SDK has it (IncidentSimpleTicketInfo). What a ticket of another family lacks is left out.
type simple struct {
	Title       string   `json:"title"`
	Number      string   `json:"ticket_id"`
	Description string   `json:"description"`
	Status      string   `json:"status"`
	Level       string   `json:"level,omitempty"`
	Project     string   `json:"enterprise_project,omitempty"`
	Source      string   `json:"source,omitempty"`
	Creator     string   `json:"creator"`
	Assignee    []string `json:"assignee"`
}

// simpleList is a page of tickets. The SDK leaves its type open; the members are called as in the vendor's later list.
type simpleList struct {
	Total   int      `json:"total"`
	Tickets []simple `json:"tickets"`
}

// list gives the caller's tickets by pages, newest first. offset is the number of a page, from 1.
func (h *Handler) list(c *fiber.Ctx) error {
	p, err := api.ReadParams(c)
	if err != nil {
		return err
	}
	page, size := p.Whole("offset", 1, 1, math.MaxInt32), p.Whole("limit", listed, 1, maxListed)
	if err := p.Err(); err != nil {
		return err
	}
	found, total, err := h.Reader.Search(api.Context(c), api.Caller(c).Tenant, ticket.Search{Offset: int((page - 1) * size), Limit: int(size)})
	if err != nil {
		return err
	}
	out := simpleList{Total: total, Tickets: []simple{}}
	for _, t := range found {
		d := detailOf(t)
		out.Tickets = append(out.Tickets, simple{d.Title, d.Number, d.Description, d.Status, d.Level, strings.Join(d.Project, ","), d.Source, d.Creator, d.Assignee})
	}
	return api.Respond(c, http.StatusOK, done(out))
}

// issue is a ticket as the vendor's SDK has a problem ticket (CocIssuesTicketDetailInfoResponseData): of its members those that a ticket of ours can tell.
type issue struct {
	Number      string      `json:"ticket_id"`
	Title       string      `json:"title"`
	Description string      `json:"description"`
	Regions     string      `json:"regions,omitempty"`
	Services    string      `json:"impacted_cloud_services,omitempty"`
	Cause       string      `json:"root_cause_comment,omitempty"`
	Solution    string      `json:"solution,omitempty"`
	FoundTime   *int64      `json:"fount_time,omitempty"` // as the vendor spells it
	Status      string      `json:"work_flow_status"`
	Creator     string      `json:"creator"`
	Assignee    string      `json:"assignee,omitempty"`
	CreateTime  int64       `json:"create_time"`
	UpdateTime  int64       `json:"update_time"`
	Deleted     bool        `json:"is_deleted"`
	Enums       []enumWords `json:"enum_data_list"`
}

// issue tells a ticket as the vendor tells its problem tickets.
func (h *Handler) issue(c *fiber.Ctx) error {
	number, err := api.Param(c, "ticket_id")
	switch {
	case err != nil:
		return err
	case number == "create": // a call of the vendor's that there is not here
		return ticket.Refuse(api.NoMethod, "the path does not take this method")
	}
	t, err := h.ticket(c, "ticket_id", number)
	if err != nil {
		return err
	}
	d := detailOf(t)
	out := issue{Number: d.Number, Title: d.Title, Description: d.Description, Regions: strings.Join(d.Region, ","), Services: strings.Join(d.Service, ","),
		FoundTime: d.StartTime, Status: d.Status, Creator: d.Creator, Assignee: t.Assignee, CreateTime: d.CreateTime, UpdateTime: t.UpdatedAt.UnixMilli(), Enums: d.Enums}
	if s := t.Solution; s != nil {
		out.Cause, out.Solution = s.Cause, s.Text
	}
	return api.Respond(c, http.StatusOK, done(out))
}
