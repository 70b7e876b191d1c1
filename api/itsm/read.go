package itsm

import (
	"context"
	"fmt"
	"strings"
	"time"

	"signalbox/api"
	"signalbox/flow"
	"signalbox/notice"
	"signalbox/ticket"
)

func (h *Handler) format(at time.Time) string { return at.In(h.zone()).Format(notice.ITSMTime) }

func (h *Handler) maybe(at *time.Time) *string {
	if at == nil {
		return nil
	}
	text := h.format(*at)
	return &text
}

// one finds the ticket that sn names, and whether it is rated.
func (h *Handler) one(c *call) (ticket.Ticket, ticket.Rating, error) {
	sn := c.sn()
	if err := c.Err(); err != nil {
		return ticket.Ticket{}, ticket.Rating{}, err
	}
	ctx := api.Context(c.Ctx)
	t, err := h.Tickets.Ticket(ctx, c.tenant, sn)
	if err != nil {
		return t, ticket.Rating{}, err
	}
	ratings, err := h.Tickets.Ratings(ctx, []int64{t.ID})
	return t, ratings[t.ID], err
}

type ticketStatus struct {
	URL        string         `json:"ticket_url"`
	IframeURL  string         `json:"iframe_ticket_url"`
	Operations []operationKey `json:"operations"`
	Status     string         `json:"current_status"`
	Steps      []openStep     `json:"current_steps"`
	Commented  bool           `json:"is_commented"`
}

func (h *Handler) ticketStatus(c *call) error {
	t, rating, err := h.one(c)
	if err != nil {
		return err
	}
	url := h.Tickets.TicketURL(t.Number)
	return c.answer(ticketStatus{url, url, ticketOperations(t), notice.ITSMStatus(t), openSteps(t, h.types(t)), rating.Stars > 0})
}

type approvalResult struct {
	Number    string `json:"sn"`
	Title     string `json:"title"`
	URL       string `json:"ticket_url"`
	Status    string `json:"current_status"`
	UpdatedBy string `json:"updated_by"`
	UpdatedAt string `json:"update_at"`
	Approved  bool   `json:"approve_result"`
}

// maxNumbers bounds how many tickets are asked for by their numbers at once.
const maxNumbers = 1_000

// approvalResult tells how tickets stand. Who is told that a ticket is over needs its callback no longer: that takes it off the list of
// failed ones.
func (h *Handler) approvalResult(c *call) error {
	numbers := c.List("sn", maxNumbers)
	if len(numbers) == 0 && len(c.Faults) == 0 {
		c.Faults.Add("sn", "is required and must name at least one ticket")
	}
	if err := c.Err(); err != nil {
		return err
	}
	return api.Transact(c.Ctx, h.Desk, false, func(ctx context.Context) (any, error) {
		tickets, _, err := h.Tickets.Search(ctx, c.tenant, ticket.Search{Keys: numbers, Limit: maxNumbers})
		if err != nil {
			return nil, err
		}
		actors, err := h.Tickets.Actors(ctx, idsOf(tickets))
		if err != nil {
			return nil, err
		}
		results, over := []approvalResult{}, []int64{}
		for _, t := range tickets {
			results = append(results, approvalResult{t.Number, t.Title, h.Tickets.TicketURL(t.Number), notice.ITSMStatus(t),
				strings.Join(actors[t.ID], ","), h.format(t.UpdatedAt), t.Approved()})
			if t.Ended() {
				over = append(over, t.ID)
			}
		}
		if len(over) > 0 {
			err = h.Tickets.Unlist(ctx, c.tenant, over)
		}
		return c.envelope(results), err
	})
}

func idsOf(tickets []ticket.Ticket) []int64 {
	return api.Each(tickets, func(t ticket.Ticket) int64 { return t.ID })
}

func (h *Handler) verifyToken(c *call) error {
	token := c.AsText("token", false)
	if err := c.Err(); err != nil {
		return err
	}
	passed, err := h.Tickets.VerifyToken(api.Context(c.Ctx), c.tenant, token)
	if err != nil {
		return err
	}
	return c.answer(map[string]bool{"is_passed": passed})
}

func (h *Handler) failedCallbacks(c *call) error {
	numbers, err := h.Tickets.FailedCallbacks(api.Context(c.Ctx), c.tenant)
	if err != nil {
		return err
	}
	return c.answer(api.List(numbers))
}

// line is a ticket in lists and by itself (itsm.md 1.11).
type line struct {
	ID          int64   `json:"id"`
	Number      string  `json:"sn"`
	Title       string  `json:"title"`
	CatalogID   int64   `json:"catalog_id"`
	ServiceID   int64   `json:"service_id"`
	ServiceType string  `json:"service_type"`
	FlowID      int64   `json:"flow_id"`
	Status      string  `json:"current_status"`
	CommentID   string  `json:"comment_id"`
	Commented   bool    `json:"is_commented"`
	UpdatedBy   string  `json:"updated_by"`
	UpdatedAt   string  `json:"update_at"`
	EndedAt     *string `json:"end_at"`
	Creator     string  `json:"creator"`
	CreatedAt   string  `json:"create_at"`
	BusinessID  int64   `json:"bk_biz_id"`
	URL         string  `json:"ticket_url"`
	IframeURL   string  `json:"iframe_ticket_url"`
}

// noBusiness is the bk_biz_id of a ticket that belongs to none, as all of ours.
const noBusiness = -1

// definitionOf gives the process of a ticket; empty when this build does not know it.
func definitionOf(t ticket.Ticket) flow.Definition {
	process, err := t.Process()
	if err != nil {
		return flow.Definition{}
	}
	return process.Definition()
}

// types are the words offered for mtm_type on a ticket: its own, or else those of the day.
func (h *Handler) types(t ticket.Ticket) []string {
	if len(t.Types) > 0 {
		return t.Types
	}
	return h.Types
}

func (h *Handler) line(t ticket.Ticket, shelves shelves, actors []string, rating ticket.Rating) line {
	def, url := definitionOf(t), h.Tickets.TicketURL(t.Number)
	l := line{
		ID: t.ID, Number: t.Number, Title: t.Title, CatalogID: shelves.catalogOf(def), ServiceID: def.Number, ServiceType: serviceType(def), FlowID: flowID(def),
		Status: notice.ITSMStatus(t), Commented: rating.Stars > 0, UpdatedBy: strings.Join(actors, ","), UpdatedAt: h.format(t.UpdatedAt),
		EndedAt: h.maybe(t.EndedAt()), Creator: t.Opener, CreatedAt: h.format(t.CreatedAt), BusinessID: noBusiness, URL: url, IframeURL: url,
	}
	if l.Commented {
		l.CommentID = fmt.Sprint(rating.ID)
	}
	return l
}

// lines gives tickets as they are listed.
func (h *Handler) lines(ctx context.Context, tenant string, tickets []ticket.Ticket) ([]line, error) {
	out := []line{}
	if len(tickets) == 0 {
		return out, nil
	}
	actors, err := h.Tickets.Actors(ctx, idsOf(tickets))
	if err != nil {
		return nil, err
	}
	ratings, err := h.Tickets.Ratings(ctx, idsOf(tickets))
	if err != nil {
		return nil, err
	}
	shelves, err := h.shelves(ctx, tenant)
	if err != nil {
		return nil, err
	}
	for _, t := range tickets {
		out = append(out, h.line(t, shelves, actors[t.ID], ratings[t.ID]))
	}
	return out, nil
}

// ticketInfo is a ticket with where it stands and what was filled in.
type ticketInfo struct {
	line
	Steps  []step        `json:"current_steps"`
	Fields []filledField `json:"fields"`
}

func (h *Handler) ticketInfo(c *call) error {
	t, rating, err := h.one(c)
	if err != nil {
		return err
	}
	actors, err := h.Tickets.Actors(api.Context(c.Ctx), []int64{t.ID})
	if err != nil {
		return err
	}
	shelves, err := h.shelves(api.Context(c.Ctx), c.tenant)
	if err != nil {
		return err
	}
	return c.answer(ticketInfo{line: h.line(t, shelves, actors[t.ID], rating), Steps: stepsOf(t), Fields: filledFields(t, definitionOf(t), h.types(t))})
}

// approver tells who has voted at a node.
func (h *Handler) approver(c *call) error {
	_, state, err := h.entered(c)
	if err != nil {
		return err
	}
	return c.answer(map[string]string{"approver": strings.Join(voters(state), ",")})
}

// entered finds the node that a request names, as far as the ticket has come with it.
func (h *Handler) entered(c *call) (flow.Node, flow.NodeState, error) {
	sn, id := c.sn(), c.ID("state_id")
	if err := c.Err(); err != nil {
		return flow.Node{}, flow.NodeState{}, err
	}
	t, err := h.Tickets.Ticket(api.Context(c.Ctx), c.tenant, sn)
	if err != nil {
		return flow.Node{}, flow.NodeState{}, err
	}
	node, err := nodeByNumber(t, id)
	state, _ := t.Position.Find(node.ID)
	return node, state, err
}

func voters(s flow.NodeState) []string {
	names := []string{}
	for _, v := range s.Votes {
		names = append(names, v.Who)
	}
	return names
}

type nodeResult struct {
	Name     string `json:"name"`
	By       string `json:"processed_user"`
	Approved bool   `json:"approve_result"`
	Remark   string `json:"approve_remark"`
}

// approveNodeResult tells what came of an approval, as soon as it is finished, also while the ticket goes on.
func (h *Handler) approveNodeResult(c *call) error {
	node, state, err := h.entered(c)
	switch {
	case err != nil:
		return err
	case node.Type != flow.Approval:
		return ticket.RefuseField(ticket.Conflict, "state_id", "the node is no approval")
	case state.State != flow.Done:
		return ticket.RefuseField(ticket.Conflict, "state_id", "当前节点状态为非结束状态")
	}
	out := nodeResult{Name: node.Name, By: strings.Join(voters(state), ","), Approved: state.Result != nil && *state.Result}
	if last := len(state.Votes) - 1; last >= 0 {
		out.Remark = state.Votes[last].Comment
	}
	return c.answer(out)
}
