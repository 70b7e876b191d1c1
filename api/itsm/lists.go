package itsm

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"signalbox/api"
	"signalbox/notice"
	"signalbox/ticket"
)

// page is a part of a list that is counted (itsm.md 1.11).
type page struct {
	Page     int64   `json:"page"`
	Total    int64   `json:"total_page"`
	Count    int64   `json:"count"`
	Next     *string `json:"next"`
	Previous *string `json:"previous"`
	Items    any     `json:"items"`
}

// Sizes of pages (itsm.md 1.11).
const (
	pageSize = 10
	maxPages = 1_000_000
)

// moment gives a time as this family writes it, in the zone, or as RFC 3339 does. A day alone begins at midnight.
func (c *call) moment(name string, zone *time.Location) time.Time {
	text := c.Name(name, 0, ticket.MaxName)
	if text == "" {
		return time.Time{}
	}
	for _, layout := range []string{time.DateTime, time.RFC3339, time.DateOnly} {
		if at, err := time.ParseInLocation(layout, text, zone); err == nil {
			return at.UTC()
		}
	}
	c.Faults.Add(name, "must be a time like "+time.DateTime)
	return time.Time{}
}

// sn gives the ticket's number, or its UUID.
func (c *call) sn() string { return c.Name("sn", 1, ticket.MaxName) }

// window reads which page is asked for.
func (c *call) window() (number, size int64) {
	number, size = c.Whole("page", 1, 1, maxPages), c.Whole("page_size", pageSize, 1, 1<<31)
	return number, min(size, ticket.MaxSearch)
}

func (c *call) page(number, size int64, total int, items any) page {
	count := int64(total)
	p := page{Page: number, Total: max(1, (count+size-1)/size), Count: count, Items: items}
	link := func(n int64) *string {
		text := c.Path() + "?" + url.Values{"page": {fmt.Sprint(n)}, "page_size": {fmt.Sprint(size)}}.Encode()
		return &text
	}
	if number < p.Total {
		p.Next = link(number + 1)
	}
	if number > 1 {
		p.Previous = link(number - 1)
	}
	return p
}

// openPhases are those of RUNNING; phases are all, by the words of this family.
var (
	openPhases = []string{string(ticket.Triggered), string(ticket.Acknowledged), string(ticket.Resolved)}
	phases     = map[string][]string{
		notice.ITSMRunning: openPhases, notice.ITSMSuspended: {ticket.PhaseSuspended}, notice.ITSMFinished: {string(ticket.Completed)},
		notice.ITSMTerminated: {string(ticket.Terminated)}, notice.ITSMRevoked: {string(ticket.Revoked)},
	}
)

// search reads the filters that both lists of tickets have. nobody tells that nothing can match.
func (h *Handler) search(c *call) (f ticket.Search, number, size int64, nobody bool, err error) {
	number, size = c.window()
	f = ticket.Search{CreatedFrom: c.moment("create_at__gte", h.zone()), CreatedTo: c.moment("create_at__lte", h.zone()), Offset: int((number - 1) * size), Limit: int(size)}
	services := c.Wholes("service_id__in", maxNumbers)
	if c.Has("service_id") {
		services = append(services, c.Whole("service_id", 0, 0, api.MaxID))
	}
	catalog, byCatalog := c.Whole("catalog_id", rootCatalog, 0, api.MaxID), c.Has("catalog_id")
	if key := c.Name("project_key", 0, ticket.MaxName); key != "" && key != project {
		nobody = true
	}
	if err := c.Err(); err != nil {
		return f, number, size, false, err
	}
	if len(services) == 0 && !byCatalog {
		return f, number, size, nobody, nil
	}
	shelves, err := h.shelves(api.Context(c.Ctx), c.tenant)
	if err != nil {
		return f, number, size, nobody, err
	}
	records, err := h.Services.ServiceRecords(api.Context(c.Ctx), c.tenant)
	for _, r := range records {
		if (len(services) == 0 || slices.Contains(services, r.Number)) && shelves.within(shelves.catalogOf(r.Definition), catalog) {
			f.Services = append(f.Services, r.Key)
		}
	}
	return f, number, size, nobody || len(f.Services) == 0, err
}

// find gives a page of tickets.
func (h *Handler) find(c *call, f ticket.Search, nobody bool) ([]ticket.Ticket, int, error) {
	if nobody {
		return nil, 0, nil
	}
	return h.Tickets.Search(api.Context(c.Ctx), c.tenant, f)
}

func (h *Handler) tickets(c *call) error {
	numbers := c.List("sns", maxNumbers)
	creator, tag, username := c.Name("creator", 0, ticket.MaxName), c.Name("tag", 0, ticket.MaxTag), c.Name("username", 0, ticket.MaxName)
	var statuses []string
	for i, word := range c.List("current_status__in", len(phases)) {
		if phases[word] == nil {
			c.Faults.Add(fmt.Sprintf("current_status__in[%d]", i), "is no status")
		}
		statuses = append(statuses, phases[word]...)
	}
	business := c.Wholes("bk_biz_id__in", maxNumbers)
	endedFrom, endedTo := c.moment("end_at__gte", h.zone()), c.moment("end_at__lte", h.zone())
	f, number, size, nobody, err := h.search(c)
	if err != nil {
		return err
	}
	f.Keys, f.Opener, f.Tag, f.Phases, f.EndedFrom, f.EndedTo = numbers, creator, tag, statuses, endedFrom, endedTo
	if username != "" { // that user's to-do
		f.Person, f.Asked = username, true
		f.Phases = openPhases
		nobody = nobody || len(statuses) > 0 && !slices.Contains(statuses, openPhases[0])
	}
	found, total, err := h.find(c, f, nobody || len(business) > 0 && !slices.Contains(business, noBusiness))
	if err != nil {
		return err
	}
	items, err := h.lines(api.Context(c.Ctx), c.tenant, found)
	if err != nil {
		return err
	}
	return c.answer(c.page(number, size, total, items))
}

// views say which tickets of a user a list shows (itsm.md 1.11).
var views = map[string]ticket.Search{
	"my_todo":      {Asked: true, Phases: openPhases},
	"my_created":   {Parts: []ticket.Part{ticket.PartOpener}},
	"my_history":   {Parts: []ticket.Part{ticket.PartActor}, Others: true},
	"my_dealt":     {Parts: []ticket.Part{ticket.PartActor}},
	"my_approval":  {Parts: []ticket.Part{ticket.PartApprover}, Phases: openPhases},
	"my_attention": {Parts: []ticket.Part{ticket.PartFollower}},
}

// userLine is a ticket as a user sees it in a list.
type userLine struct {
	line
	ServiceName    string   `json:"service_name"`
	StatusName     string   `json:"current_status_display"`
	Steps          []step   `json:"current_steps"`
	Processors     string   `json:"current_processors"`
	PriorityName   string   `json:"priority_name"`
	CanComment     bool     `json:"can_comment"`
	CanOperate     bool     `json:"can_operate"`
	CanSupervise   bool     `json:"can_supervise"`
	CanWithdraw    bool     `json:"can_withdraw"`
	WaitingApprove bool     `json:"waiting_approve"`
	Followers      []string `json:"followers"`
	SuperviseNeed  bool     `json:"is_supervise_needed"`
	SuperviseType  string   `json:"supervise_type"`
	Supervisor     string   `json:"supervisor"`
	BusinessNeed   bool     `json:"is_biz_need"`
	SLA            []string `json:"sla"`
	SLAColor       string   `json:"sla_color"`
}

// statusNames are how a status is shown.
var statusNames = map[string]string{
	notice.ITSMRunning: "处理中", notice.ITSMSuspended: "被挂起", notice.ITSMFinished: "已完成", notice.ITSMTerminated: "被终止", notice.ITSMRevoked: "被撤销",
}

func (h *Handler) ticketsByUser(c *call) error {
	user := c.user
	for _, name := range []string{"user", "username"} {
		if c.Has(name) {
			user = c.Name(name, 0, ticket.MaxName)
		}
	}
	if user == "" && len(c.Faults) == 0 {
		c.Faults.Add("user", "is required")
	}
	kind := c.Choice("view_type", "my_todo", "my_created", "my_history", "my_approval", "my_attention", "my_dealt")
	if kind == "" && len(c.Faults) == 0 {
		c.Faults.Add("view_type", "is required")
	}
	if c.Has("create_at__gte") != c.Has("create_at__lte") {
		c.Faults.Add("create_at__gte", "must come together with create_at__lte")
	}
	f, number, size, nobody, err := h.search(c)
	if err != nil {
		return err
	}
	view := views[kind]
	f.Person, f.Parts, f.Asked, f.Others, f.Phases = user, view.Parts, view.Asked, view.Others, view.Phases
	found, total, err := h.find(c, f, nobody)
	if err != nil {
		return err
	}
	lines, err := h.lines(api.Context(c.Ctx), c.tenant, found)
	if err != nil {
		return err
	}
	followers, err := h.Tickets.FollowersOf(api.Context(c.Ctx), found)
	if err != nil {
		return err
	}
	items := []userLine{}
	for i, t := range found {
		items = append(items, userLineOf(lines[i], t, user, followers[t.ID]))
	}
	return c.answer(c.page(number, size, total, items))
}

func userLineOf(l line, t ticket.Ticket, user string, followers []string) userLine {
	asked := t.WaitingFor()
	u := userLine{line: l, ServiceName: definitionOf(t).Name, StatusName: statusNames[l.Status], Steps: stepsOf(t), Processors: strings.Join(asked, ","),
		CanComment: t.Rateable(user, l.Commented), CanOperate: slices.Contains(asked, user) && !t.Suspended,
		CanWithdraw: !t.Ended() && t.Opener == user, WaitingApprove: slices.Contains(t.Approvers(), user), Followers: append([]string{}, followers...),
		SuperviseType: "EMPTY", SLA: []string{}}
	return u
}
