package workflows

import (
	"encoding/json"

	"go.temporal.io/sdk/converter"

	"signalbox/flow"
	"signalbox/ticket"
)

// Payloads of the signals that a ticket's workflow takes; docs/temporal.md shows each. Member names match exactly and unknown ones are ignored,
// as in the calls of the API.

// AcceptSignal is the payload of the signal "accept".
type AcceptSignal struct {
	Operator string `json:"operator"`
}

// CommitSolutionSignal is the payload of the signal "commit-solution", with the members of seed 001.
type CommitSolutionSignal struct {
	Operator string `json:"operator"`
	ticket.Solution
}

// ConfirmSignal is the payload of the signal "confirm", with the members of seed 001.
type ConfirmSignal struct {
	Operator string `json:"operator"`
	ticket.Verdict
}

// VoteSignal is the payload of the signals "approve" and "reject".
type VoteSignal struct {
	Operator string `json:"operator"`
	Node     string `json:"node,omitempty"`
	Round    int    `json:"round,omitempty"` // of the node
	Comment  string `json:"comment,omitempty"`
}

// signalCommand reads a signal for a ticket of some rules. The command names action and channel even when the payload cannot be read.
func signalCommand(action ticket.Action, raw converter.RawValue, rules flow.Rules) (ticket.Command, error) {
	c := ticket.Command{Action: action, Channel: ticket.ChannelSignal, App: string(ticket.ChannelSignal)}
	if rules < flow.RulesComplete {
		err := readLeniently(&c, raw)
		return c, err
	}
	payload := raw.Payload()
	if encoding := string(payload.GetMetadata()[converter.MetadataEncoding]); encoding != converter.MetadataEncodingJSON && encoding != converter.MetadataEncodingNil {
		return c, ticket.Refuse(ticket.Invalid, "the signal's payload must be JSON")
	}
	m := members{given: map[string]json.RawMessage{}}
	if data := payload.GetData(); len(data) > 0 && json.Unmarshal(data, &m.given) != nil {
		return c, ticket.RefuseField(ticket.Invalid, "payload", "must be a JSON object")
	}
	var p ticket.Parameter
	m.read("operator", &c.Operator)
	switch action {
	case ticket.CommitSolution, ticket.Confirm:
		p.Read(m.read)
	case ticket.Approve, ticket.Reject:
		var round *int
		m.read("node", &c.Node)
		m.read("comment", &c.Note)
		if m.read("round", &round); round != nil {
			if c.Round = *round; c.Round < 1 {
				m.faults.Add("round", "must be at least 1")
			}
		}
	}
	if err := m.faults.Err(); err != nil {
		return c, err
	}
	err := p.Fill(&c)
	return c, err
}

// members are those of a payload, by their exact names.
type members struct {
	given  map[string]json.RawMessage
	faults ticket.Faults
}

// read reads one into what v points to; one that is missing or null leaves that alone.
func (m *members) read(name string, v any) {
	raw, is := m.given[name]
	if !is {
		return
	}
	if err := json.Unmarshal(raw, v); err != nil {
		message := "is of the wrong type"
		if why := ticket.AsError(err); why != nil {
			message = why.Message
		}
		m.faults.Add(name, message)
	}
}

// readLeniently reads a signal as it was before flow.RulesComplete: what is missing is empty or false.
func readLeniently(c *ticket.Command, raw converter.RawValue) error {
	decode := func(v any) error {
		if err := converter.GetDefaultDataConverter().FromPayload(raw.Payload(), v); err != nil {
			return ticket.Refuse(ticket.Invalid, "the signal's payload cannot be read: "+err.Error())
		}
		return nil
	}
	var err error
	switch c.Action {
	case ticket.Accept:
		var s AcceptSignal
		err = decode(&s)
		c.Operator = s.Operator
	case ticket.CommitSolution:
		var s CommitSolutionSignal
		err = decode(&s)
		c.Operator, c.Solution = s.Operator, &s.Solution
	case ticket.Confirm:
		var s ConfirmSignal
		err = decode(&s)
		c.Operator, c.Verdict = s.Operator, &s.Verdict
	case ticket.Approve, ticket.Reject:
		var s VoteSignal
		err = decode(&s)
		c.Operator, c.Node, c.Round, c.Note = s.Operator, s.Node, s.Round, s.Comment
	}
	return err
}
