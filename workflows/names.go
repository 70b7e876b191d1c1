// Package workflows is the durable side, both halves of each conversation: the workflows themselves, and the client half that the desk sees
// as its engine.
package workflows

import (
	"fmt"
	"strconv"
	"strings"

	"go.temporal.io/sdk/temporal"

	"signalbox/notice"
	"signalbox/ticket"
)

// Task queues, one for each kind of work, so that they scale apart and slow receivers never delay a ticket.
const (
	QueueTickets    = "tickets"    // ticket workflows and their activities
	QueueDeliveries = "deliveries" // everything that is told to subscribers
)

// Names in the conversation with a ticket's workflow.
const (
	TypeTicket   = "Ticket" // of the workflow
	TypeLane     = "Lane"   // likewise, of a retrying lane
	UpdateHandle = "handle" // takes HandleRequest, gives HandleResult; any action
	QueryTicket  = "ticket" // takes PeekRequest, gives PeekResult
)

// Updates are the names of all updates of a ticket: UpdateHandle, and each action, by which Temporal shows what was done. All take HandleRequest and give HandleResult, and
// histories have them: none is ever taken away.
func Updates() []string {
	names := []string{UpdateHandle}
	for _, action := range ticket.UpdateActions {
		names = append(names, string(action))
	}
	return names
}

// TicketID gives the workflow ID of one generation of a ticket: "ticket:IM…", and "ticket:IM…/2" when it was taken up again twice.
func TicketID(number string, generation int) string {
	if generation == 0 {
		return "ticket:" + number
	}
	return "ticket:" + number + "/" + strconv.Itoa(generation)
}

// ParseTicketID reads what TicketID gave; false: it is none.
func ParseTicketID(id string) (number string, generation int, ok bool) {
	rest, ok := strings.CutPrefix(id, "ticket:")
	if !ok {
		return "", 0, false
	}
	number, later, again := strings.Cut(rest, "/")
	if again {
		generation, _ = strconv.Atoi(later)
	}
	return number, generation, TicketID(number, generation) == id
}

// DeliveriesID gives the workflow ID of a partition.
func DeliveriesID(partition int) string { return fmt.Sprintf("deliveries:%d", partition) }

// LaneID gives the workflow ID of a retrying lane.
func LaneID(lane notice.Lane) string { return "lane:" + lane.String() }

// RedeliverID gives the workflow ID of a redelivery of many.
func RedeliverID(redelivery string) string { return "redeliver:" + redelivery }

// PruneID is the ID of the schedule by which what was kept long enough is deleted.
const PruneID = "prune"

// CompareID is the ID of the schedule by which database and Temporal are compared.
const CompareID = "compare"

// AttendID is the ID of the schedule by which tickets are told who is absent.
const AttendID = "attend"

// SweepID is the ID of the sweep's schedule.
const SweepID = "sweep"

// Search attributes of tickets; all are keywords. They must be registered with the namespace before a ticket is opened.
var (
	AttributeTenant  = temporal.NewSearchAttributeKeyKeyword("SignalboxTenant")
	AttributeService = temporal.NewSearchAttributeKeyKeyword("SignalboxService")
	AttributeStatus  = temporal.NewSearchAttributeKeyKeyword("SignalboxStatus") // OPEN or CLOSED
	AttributePhase   = temporal.NewSearchAttributeKeyKeyword("SignalboxPhase")  // Ticket.Phase, of a ticket that has ended
	// AttributeCase is the UUID of a ticket that was opened for a case which may have no other; see desk.Opening.
	AttributeCase = temporal.NewSearchAttributeKeyKeyword("SignalboxCase")
)

// Attributes lists every search attribute, for whoever registers them.
func Attributes() []temporal.SearchAttributeKeyKeyword {
	return []temporal.SearchAttributeKeyKeyword{AttributeTenant, AttributeService, AttributeStatus, AttributePhase, AttributeCase}
}
