package workflows

import (
	"cmp"
	"errors"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
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

// signal is what comes with a signal as it is read: any member may be missing.
type signal struct {
	Operator string `json:"operator"`
	Node     string `json:"node"`
	Round    *int   `json:"round"`
	Comment  string `json:"comment"`
	ticket.Parameter
}

// signalCommand reads a signal for a ticket of some rules. The command names action and channel even when the payload cannot be read.
func signalCommand(action ticket.Action, raw converter.RawValue, rules flow.Rules) (ticket.Command, error) {
	c := ticket.Command{Action: action, Channel: ticket.ChannelSignal, App: string(ticket.ChannelSignal)}
	if rules < flow.RulesComplete {
		err := readLeniently(&c, raw)
		return c, err
	}
	var s signal
	payload := raw.Payload()
	if encoding := string(payload.GetMetadata()[converter.MetadataEncoding]); encoding != converter.MetadataEncodingJSON && encoding != converter.MetadataEncodingNil {
		return c, ticket.Refuse(ticket.Invalid, "the signal's payload must be JSON")
	}
	if len(payload.GetData()) > 0 {
		if err := jsonv2.Unmarshal(payload.GetData(), &s, jsontext.AllowDuplicateNames(true)); err != nil {
			return c, unreadable(err)
		}
	}
	c.Operator = s.Operator
	switch action {
	case ticket.Approve, ticket.Reject:
		c.Node, c.Note = s.Node, s.Comment
		if s.Round != nil {
			if c.Round = *s.Round; c.Round < 1 {
				return c, ticket.RefuseField(ticket.Invalid, "round", "must be at least 1")
			}
		}
	}
	err := s.Fill(&c)
	return c, err
}

// unreadable is the refusal of a payload.
func unreadable(err error) error {
	var semantic *jsonv2.SemanticError
	if !errors.As(err, &semantic) {
		return ticket.Refuse(ticket.Invalid, "the signal's payload is not well-formed JSON")
	}
	field, message := cmp.Or(semantic.JSONPointer.LastToken(), "payload"), "is of the wrong type"
	if why := ticket.AsError(semantic.Err); why != nil {
		message = why.Message
	}
	return ticket.RefuseField(ticket.Invalid, field, message)
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
