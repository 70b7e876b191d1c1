package workflows

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"go.temporal.io/sdk/workflow"

	"signalbox/flow"
	"signalbox/ticket"
)

// Pages are the addresses of our pages, to which what Temporal shows leads back. The zero value leads nowhere.
type Pages struct {
	Ticket   func(number string) string // of a ticket
	Delivery func(id string) string     // of a delivery
}

// TicketWorkflow is Ticket whose details lead to the ticket's page. It is registered under TypeTicket.
func (p Pages) TicketWorkflow(ctx workflow.Context, in TicketInput) error {
	return runTicket(ctx, in, p)
}

// LaneWorkflow is Lane whose details lead to the page of the delivery that is next. It is registered under TypeLane.
func (p Pages) LaneWorkflow(ctx workflow.Context, in LaneInput) error { return runLane(ctx, in, p) }

// link is a link to a page, as a paragraph of its own; empty where there is no address.
func link(label string, page func(string) string, of string) string {
	if page == nil || of == "" {
		return ""
	}
	return "[" + label + "](<" + page(of) + ">)\n\n"
}

// The most that is shown of what people typed, in octets, and of whom a node asks.
const (
	maxQuoted = 200
	maxShown  = 20
)

// quoted gives what people typed for a place that Temporal shows as Markdown: as code, in which nothing is a link or a mark, and which nothing ends, for a backtick becomes
// an apostrophe. It is one line of at most maxQuoted octets; what cannot be seen is a blank. Empty: nothing is left.
func quoted(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '`':
			return '\''
		case unicode.IsSpace(r), !unicode.IsGraphic(r): // line ends, controls, and what changes the direction of the text
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, " "))
	if s = summary(strings.Join(strings.Fields(s), " ")); s == "" {
		return ""
	}
	return "`" + s + "`"
}

// moment is a time as it is shown in Temporal.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") + " UTC" }

// details is what Temporal shows of a ticket, in Markdown: where it stands, for whom it waits, until when, and what is wrong. It is true until the next event, and says nothing
// that becomes untrue by waiting.
func details(t ticket.Ticket, pages Pages) string {
	var b strings.Builder
	b.WriteString(link("Open "+t.Number+" on the pages", pages.Ticket, t.Number))
	fmt.Fprintf(&b, "**%s** %s\n\n%s since event %d, %s", t.Number, quoted(t.Title), t.Phase(), t.Seq, moment(t.UpdatedAt))
	if t.Suspended {
		b.WriteString("; its deadlines stand still")
		if reason := quoted(t.Reason); reason != "" {
			b.WriteString(": " + reason)
		}
	}
	if due := t.DueAt(); due != nil && !t.Ended() {
		b.WriteString("\n\nSLA to be met by " + moment(*due))
	}
	b.WriteString("\n")
	for _, n := range t.Nodes() {
		b.WriteString("\n- at " + quoted(n.Name) + waits(n))
		if n.Due != nil && !t.Suspended {
			b.WriteString(", until " + moment(*n.Due))
		}
		for _, s := range n.Standing {
			b.WriteString("; " + quoted(s.Deputy) + " stands in for " + quoted(s.For))
		}
		if problem := quoted(n.Problem); problem != "" && !t.Suspended {
			b.WriteString("\n  - **cannot go on by itself:** " + problem)
		}
	}
	return b.String()
}

// waits says for whom or what a node waits.
func waits(n ticket.Node) string {
	switch {
	case n.Type == flow.Wait:
		return " it waits"
	case n.Type == flow.Join:
		return " it waits for its other branches"
	case n.Type == flow.Call && n.State != flow.Failed:
		return " a request is made"
	case n.Anyone:
		return " it waits for anybody"
	case len(n.Pending) == 0:
		return " it waits for nobody"
	}
	return " it waits for " + listed(n.Pending)
}

// listed gives people in words: "`ann`, `bob` and `eve`".
func listed(people []string) string {
	names := make([]string, 0, maxShown+1)
	for _, who := range people[:min(len(people), maxShown)] {
		names = append(names, quoted(who))
	}
	if more := len(people) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	if len(names) == 1 {
		return names[0]
	}
	last := len(names) - 1
	return strings.Join(slices.Clone(names[:last]), ", ") + " and " + names[last]
}
