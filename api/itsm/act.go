package itsm

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"signalbox/api"
	"signalbox/api/parameter"
	"signalbox/desk"
	"signalbox/flow"
	"signalbox/ticket"
)

// systemAccount is the name under which an admin app may act where nobody else is entitled; its own code is another.
const systemAccount = "admin"

// nothing is the data of an operation that has nothing to tell.
var nothing = []any{}

// handle has something done to a ticket. The operator has to be entitled in person, unless an admin app acts as itself. complete, which may be
// nil, fills in what depends on the ticket.
func (h *Handler) handle(c *call, key string, cmd ticket.Command, complete func(ticket.Ticket, *ticket.Command) error) error {
	asItself := c.app.May(desk.Admin) && (cmd.Operator == systemAccount || cmd.Operator == c.app.Code)
	cmd.Personal = !asItself
	return api.Handle(c.Ctx, h.Desk, desk.Handling{Ticket: key, Command: cmd, Complete: complete}, c.envelope(nothing))
}

// operator gives who acts: named for the operation, or by the credentials.
func (c *call) operator(field string) string {
	if !c.Has(field) && c.user != "" {
		return c.user
	}
	return c.Name(field, 1, ticket.MaxName)
}

// round gives the round of the node for which something is done, zero where none is named. It is ours: neither seed nor original has it.
func (c *call) round() int { return int(c.Whole("round", 0, 1, math.MaxInt32)) }

// ticketActions are the actions of operate_ticket. The original's clients end a whole ticket by TERMINATE as well.
var ticketActions = map[string]ticket.Action{
	"SUSPEND": ticket.Suspend, "UNSUSPEND": ticket.Unsuspend, "WITHDRAW": ticket.Withdraw, "TERMINATE": ticket.Terminate,
}

func (h *Handler) operateTicket(c *call) error {
	sn, operator := c.sn(), c.operator("operator")
	cmd := ticket.Command{Operator: operator, Note: c.Text("action_message", 0, ticket.MaxReason)}
	word := c.Name("action_type", 1, ticket.MaxName)
	if err := c.Err(); err != nil {
		return err
	}
	if cmd.Action = ticketActions[word]; cmd.Action == "" {
		return fail(ticket.Invalid, codeOperate, saysOperate+"action_type: must be one of SUSPEND, UNSUSPEND, WITHDRAW, TERMINATE")
	}
	return h.handle(c, sn, cmd, nil)
}

// nodeActions are the actions of operate_node. TRANSITION is whatever completes the node.
var nodeActions = []string{"TRANSITION", "CLAIM", "DISTRIBUTE", "DELIVER", "TERMINATE"}

func (h *Handler) operateNode(c *call) error {
	sn, state, operator := c.sn(), c.ID("state_id"), c.operator("operator")
	cmd := ticket.Command{Operator: operator, Note: c.Text("action_message", 0, ticket.MaxReason)}
	cmd.Round = c.round()
	word := c.Name("action_type", 1, ticket.MaxName)
	var list []field
	c.Object("fields", &list)
	values := c.values(list)
	targets := flow.SplitPersons(c.Text("processors", 0, flow.MaxText))
	kind := c.Name("processors_type", 0, ticket.MaxName)
	switch {
	case word == "DELIVER" || word == "DISTRIBUTE":
		if len(targets) == 0 {
			c.Faults.Add("processors", "is required")
		}
		if kind != "" && kind != "PERSON" {
			c.Faults.Add("processors_type", "must be PERSON")
		}
	case word == "TRANSITION" && len(list) > maxFields:
		c.Faults.Add("fields", ticket.Over(maxFields, "items", len(list)))
	}
	if (word == "DELIVER" || word == "TERMINATE") && blank(cmd.Note) {
		c.Faults.Add("action_message", "is required")
	}
	if err := c.Err(); err != nil {
		return err
	}
	if !slices.Contains(nodeActions, word) {
		return fail(ticket.Invalid, codeOperate, saysOperate+"action_type: must be one of TRANSITION, CLAIM, DISTRIBUTE, DELIVER, TERMINATE")
	}
	err := h.handle(c, sn, cmd, func(t ticket.Ticket, cmd *ticket.Command) error {
		node, err := nodeByNumber(t, state)
		if err != nil {
			return err
		}
		cmd.Node = node.ID
		switch word {
		case "TRANSITION":
			return h.submit(cmd, node, values)
		case "CLAIM":
			cmd.Action = ticket.Claim
		case "DISTRIBUTE":
			cmd.Action, cmd.Targets = ticket.Assign, targets
		case "DELIVER":
			cmd.Action, cmd.Targets = ticket.Deliver, targets
		case "TERMINATE":
			cmd.Action = ticket.Terminate
		}
		return nil
	})
	if refusal := ticket.AsError(err); word == "DELIVER" && refusal != nil && refusal.Code == ticket.Conflict && refusal.Field == "targets" {
		return because(err, codeDelivered, saysOperate+refusal.Error())
	}
	return err
}

// blank reports whether a text says nothing.
func blank(text string) bool { return strings.TrimSpace(text) == "" }

// values gives what was filled in, by key.
func (c *call) values(list []field) map[string]any {
	out := map[string]any{}
	for i, f := range list {
		switch {
		case blank(api.Value(f.Key)):
			c.Faults.Add(fmt.Sprintf("fields[%d].key", i), "is required")
		default:
			if _, twice := out[*f.Key]; twice {
				c.Faults.Add(fmt.Sprintf("fields[%d].key", i), fmt.Sprintf("the field %q is there twice", *f.Key))
			}
			out[*f.Key] = f.Value
		}
	}
	return out
}

// nodeByNumber finds a node of a ticket's process by its integer id.
func nodeByNumber(t ticket.Ticket, number int64) (flow.Node, error) {
	process, err := t.Process()
	if err != nil {
		return flow.Node{}, err
	}
	nodes := process.Definition().Nodes
	i := slices.IndexFunc(nodes, func(n flow.Node) bool { return n.Number == number })
	if i < 0 {
		return flow.Node{}, ticket.RefuseField(ticket.Conflict, "state_id", "the ticket's process has no such node")
	}
	return nodes[i], nil
}

// submit makes the command of a TRANSITION: what completes the node, from what was filled in.
func (h *Handler) submit(cmd *ticket.Command, node flow.Node, values map[string]any) error {
	switch {
	case node.Type == flow.Approval:
		return vote(cmd, node, values)
	case node.Type != flow.Task:
		return ticket.RefuseField(ticket.Conflict, "state_id", "nobody acts at this node")
	}
	cmd.Action = ticket.Submit
	if node.Action != "" {
		cmd.Action = ticket.Action(node.Action)
	}
	if builtin := actionFields(node, nil); len(builtin) > 0 {
		given := map[string]any{}
		for _, f := range builtin {
			if value, ok := values[f.Key]; ok {
				given[f.Key] = value
				delete(values, f.Key)
			}
		}
		raw, err := json.Marshal(given)
		if err != nil {
			return fmt.Errorf("read fields: %w", err)
		}
		if err := parameter.Fill(cmd, raw); err != nil {
			return err
		}
		if v := cmd.Verdict; v != nil && !blank(v.Comment) {
			v.Comment = remarks(v.Comment, cmd.Note)
		}
	}
	cmd.Fields = values
	return nil
}

// remarks puts together what was said beside a verdict: nothing of it is lost, and what was said in several places is said once.
func remarks(texts ...string) string {
	var said []string
	for _, text := range texts {
		if !blank(text) && !slices.Contains(said, text) {
			said = append(said, text)
		}
	}
	return strings.Join(said, "\n")
}

// vote makes a vote of the three fields that an approval asks for (itsm.md 1.11): the result, a remark for each result; the one for a
// rejection must not be empty when it counts. What else is filled in is the node's own form.
func vote(cmd *ticket.Command, node flow.Node, values map[string]any) error {
	var f ticket.Faults
	three := approvalFields(node)
	texts := map[string]string{}
	for _, one := range three {
		value, given := values[one.Key]
		delete(values, one.Key)
		text, isText := value.(string)
		if b, isBool := value.(bool); isBool {
			text, isText = fmt.Sprint(b), true
		}
		if given && value != nil && !isText {
			f.Add(one.Key, "must be a string")
		}
		texts[one.Key] = text
	}
	result, passing, rejecting := three[0].Key, three[1].Key, three[2].Key
	switch texts[result] {
	case "true":
		cmd.Action = ticket.Approve
		cmd.Note = remarks(texts[passing], texts[rejecting], cmd.Note) // clients that look for a remark by its name fill in the last
	case "false":
		cmd.Action = ticket.Reject
		if blank(texts[rejecting]) {
			f.Add(rejecting, "is required to reject")
		}
		cmd.Note = remarks(texts[rejecting], texts[passing], cmd.Note)
	default:
		if len(f) == 0 {
			f.Add(result, `must be "true" or "false"`)
		}
	}
	f.Text("remark", cmd.Note, 0, ticket.MaxReason)
	cmd.Fields = maps.Clone(values)
	return f.Err()
}

// approve is a shorter way to vote.
func (h *Handler) approve(c *call) error {
	sn, state, approver := c.sn(), c.ID("state_id"), c.operator("approver")
	cmd := ticket.Command{Operator: approver, Note: c.Text("remark", 0, ticket.MaxReason), Action: ticket.Reject}
	cmd.Round = c.round()
	if c.Verdict("action") {
		cmd.Action = ticket.Approve
	}
	if err := c.Err(); err != nil {
		return err
	}
	return h.handle(c, sn, cmd, func(t ticket.Ticket, cmd *ticket.Command) error {
		node, err := nodeByNumber(t, state)
		if err == nil && node.Type != flow.Approval {
			err = ticket.RefuseField(ticket.Conflict, "state_id", "the node is no approval")
		}
		cmd.Node = node.ID
		return err
	})
}

// maxRater is how long the name of who rates a ticket may be here (itsm.md 1.11).
const maxRater = 16

func (h *Handler) comment(c *call) error {
	sn := c.sn()
	r := ticket.Rating{Stars: int(c.Needed("stars", 1, ticket.MaxStars)), Operator: c.operator("operator"), Comments: c.Text("comments", 0, ticket.MaxRatingComment)}
	c.Faults.Name("operator", r.Operator, 0, maxRater)
	if err := c.Err(); err != nil {
		return err
	}
	err := api.Transact(c.Ctx, h.Desk, false, func(ctx context.Context) (any, error) {
		return c.envelope(nothing), h.Tickets.Rate(ctx, c.tenant, sn, r)
	})
	switch refusal := ticket.AsError(err); {
	case refusal == nil:
	case refusal.Code == ticket.NotFound:
		return because(err, codeForm, saysForm+"sn="+sn+"对应的单据不存在!")
	case refusal.Code == ticket.Conflict && refusal.Field == "status":
		return because(err, codeForm, saysForm+"单据未结束，不允许评价!")
	case refusal.Code == ticket.Conflict && refusal.Field == "stars":
		return because(err, codeForm, saysForm+"该单据已经被评论，请勿重复评论")
	}
	return err
}
