package itsm

import (
	"strings"

	"signalbox/flow"
	"signalbox/ticket"
)

// operationKey is something that can be done now.
type operationKey struct {
	Key        string `json:"key"`
	Name       string `json:"name"`
	CanOperate bool   `json:"can_operate"`
}

// operationNames are the original's.
var operationNames = map[string]string{
	"TRANSITION": "提交", "CLAIM": "认领", "DISTRIBUTE": "分派", "DELIVER": "转单", "TERMINATE": "终止", "SUSPEND": "挂起", "UNSUSPEND": "恢复",
	"WITHDRAW": "撤单", "AUTOMATIC": "自动处理",
}

func operationsOf(can bool, keys ...string) []operationKey {
	out := []operationKey{}
	for _, key := range keys {
		out = append(out, operationKey{key, operationNames[key], can})
	}
	return out
}

// ticketOperations are what can be done to a ticket as a whole (itsm.md 1.5).
func ticketOperations(t ticket.Ticket) []operationKey {
	switch {
	case t.Ended():
		return []operationKey{}
	case t.Suspended:
		return operationsOf(true, "WITHDRAW", "UNSUSPEND")
	}
	return operationsOf(true, "WITHDRAW", "SUSPEND")
}

// handledBySystem stands for the processors of what nobody is asked for.
const handledBySystem = "系统自动处理"

// step is a node at which a ticket stands (itsm.md 1.5).
type step struct {
	ID             int64  `json:"id"` // the same as state_id: lists of the original's call it so
	Name           string `json:"name"`
	StateID        int64  `json:"state_id"`
	Type           string `json:"type"`
	Status         string `json:"status"`
	ActionType     string `json:"action_type"`
	Tag            string `json:"tag"`
	ProcessorsType string `json:"processors_type"`
	Processors     string `json:"processors"`
	Round          int    `json:"round"` // how often the ticket has come to it, from 1: what an act may name. It is ours: the original has none
}

// openStep is a step with what can be done at it.
type openStep struct {
	step
	Operations []operationKey `json:"operations"`
	Fields     []formField    `json:"fields"`
}

// actionTypes say how a node is moved on, by its state.
var actionTypes = map[flow.State]string{flow.Active: "TRANSITION", flow.Claiming: "CLAIM", flow.Assigning: "DISTRIBUTE"}

// nodeStatuses are the original's words for states in which a node holds the ticket (itsm.md 5.3).
var nodeStatuses = map[flow.State]string{
	flow.Active: "RUNNING", flow.Claiming: "RECEIVING", flow.Assigning: "DISTRIBUTING", flow.Calling: "RUNNING", flow.Waiting: "RUNNING", flow.Failed: "FAILED",
}

func stepOf(t ticket.Ticket, n ticket.Node) step {
	s := step{ID: n.Number, Name: n.Name, StateID: n.Number, Type: stateTypes[n.Type], Status: nodeStatuses[n.State], ActionType: actionTypes[n.State], Tag: "DEFAULT",
		ProcessorsType: "PERSON", Processors: strings.Join(n.Processors, ","), Round: n.Round}
	if t.Suspended {
		s.Status = "SUSPEND"
	}
	if s.ActionType == "" {
		s.ActionType = "AUTOMATIC"
		if n.State != flow.Failed { // what has failed waits for people
			s.ProcessorsType, s.Processors = "EMPTY", handledBySystem
			return s
		}
	}
	switch {
	case n.Anyone:
		s.ProcessorsType = "OPEN"
	case len(n.Processors) == 0:
		s.ProcessorsType = "EMPTY"
	}
	return s
}

// stepsOf lists where a ticket stands. A join stands for the branches that are shown themselves.
func stepsOf(t ticket.Ticket) []step {
	out := []step{}
	for _, n := range t.Nodes() {
		if n.Type != flow.Join {
			out = append(out, stepOf(t, n))
		}
	}
	return out
}

// openSteps is stepsOf with what can be done. Nothing can while the ticket is suspended.
func openSteps(t ticket.Ticket, types []string) []openStep {
	out := []openStep{}
	process, err := t.Process()
	if err != nil {
		return out
	}
	def := process.Definition()
	for _, n := range t.Nodes() {
		if n.Type == flow.Join {
			continue
		}
		s := openStep{step: stepOf(t, n), Fields: []formField{}}
		node := nodeOf(def, n.Node)
		keys := []string{s.ActionType}
		if s.ActionType == "TRANSITION" {
			s.Fields = within(flowID(def), nodeForm(node, types))
			keys = append(keys, "SUSPEND")
		}
		for _, action := range n.Actions {
			switch action {
			case flow.Deliver:
				keys = append(keys, "DELIVER")
			case flow.Terminate:
				keys = append(keys, "TERMINATE")
			}
		}
		if s.ActionType == "AUTOMATIC" {
			keys = nil
		}
		s.Operations = operationsOf(!t.Suspended, keys...)
		out = append(out, s)
	}
	return out
}

func nodeOf(def flow.Definition, id string) flow.Node {
	for _, n := range def.Nodes {
		if n.ID == id {
			return n
		}
	}
	return flow.Node{}
}

// versions is how many versions of a service its integer ids have room for.
const versions = 100_000

// flowID is the integer id of one version of a service, which is what the original calls a workflow.
func flowID(def flow.Definition) int64 { return def.Number*versions + int64(def.Version) }
