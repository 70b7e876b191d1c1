package workflows

import (
	"go.temporal.io/sdk/converter"

	"signalbox/ticket"
)

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

// signalCommand reads a signal. The command names action and channel even when the payload cannot be read.
func signalCommand(action ticket.Action, raw converter.RawValue) (ticket.Command, error) {
	c := ticket.Command{Action: action, Channel: ticket.ChannelSignal, App: string(ticket.ChannelSignal)}
	decode := func(v any) error {
		if err := converter.GetDefaultDataConverter().FromPayload(raw.Payload(), v); err != nil {
			return ticket.Refuse(ticket.Invalid, "the signal's payload cannot be read: "+err.Error())
		}
		return nil
	}
	var err error
	switch action {
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
	return c, err
}
