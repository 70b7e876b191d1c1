package list

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"signalbox/console/page"
	"signalbox/ticket"
)

const maxCursor = 512 // characters

// asked is what the address of a list asks for, as it stands there. Each list has an address of its own, so that it can be kept, sent and come back to.
type asked struct {
	Terms, Status, Phase, Service, Origin, Assignee, Opener, Follower, WaitingFor, Tag string
	Related, RelationType                                                              string
	SLA                                                                                string
	Unassigned, Overdue                                                                string // "1"
	Stuck                                                                              string // a cause, or any
	Node                                                                               string // at which they stand, of the service
	Created, Updated, Ended                                                            string // a period, up to now
	CreatedFrom, CreatedTo, UpdatedFrom, UpdatedTo, EndedFrom, EndedTo                 string // days
	DueFrom, DueTo, ReopenedFrom, ReopenedTo                                           string // days
	Sort                                                                               string
	Zone                                                                               string // of the days; empty: the visitor's

	cursor string
}

// parameter is a member of an address.
type parameter struct {
	name   string
	to     *string
	max    int      // characters
	choice []string // all that it may be; nil: anything
}

var phases = []string{string(ticket.Triggered), string(ticket.Acknowledged), string(ticket.Resolved), ticket.PhaseSuspended,
	string(ticket.Completed), string(ticket.Terminated), string(ticket.Revoked)}

// The periods that can be chosen by name. They begin at midnight where the visitor is, and weeks on Monday.
const (
	today   = "today"
	week    = "week"
	days7   = "7d"
	days30  = "30d"
	oneDay  = "2006-01-02"
	yes     = "1"
	opened  = "opened" // the order of opening, which an address need not say
	maxDate = len(oneDay)
)

var periods = []string{today, week, days7, days30}

// anyCause asks for what is stuck for whatever cause.
const anyCause = "any"

// causes are what can be asked for of tickets that are stuck.
var causes = append([]string{anyCause}, causeWords()...)

func causeWords() (out []string) {
	for _, c := range ticket.Causes {
		out = append(out, string(c))
	}
	return out
}

// slas are what can be asked for of SLAs.
var slas = append(slices.Clone(ticket.SLAStates), ticket.SLAKept)

// sorts are the orders that can be chosen, the usual one first.
var sorts = append([]string{opened}, ticket.Sorts...)

// parameters lists what an address may say, in the order of the form.
func (a *asked) parameters() []parameter {
	return []parameter{
		{"q", &a.Terms, ticket.MaxName, nil},
		{"status", &a.Status, 20, []string{ticket.WordOpen, ticket.WordClosed}},
		{"phase", &a.Phase, 20, phases},
		{"service", &a.Service, ticket.MaxName, nil},
		{"node", &a.Node, ticket.MaxName, nil},
		{"origin", &a.Origin, ticket.MaxName, nil},
		{"assignee", &a.Assignee, ticket.MaxName, nil},
		{"unassigned", &a.Unassigned, 1, []string{yes}},
		{"waiting_for", &a.WaitingFor, ticket.MaxName, nil},
		{"opener", &a.Opener, ticket.MaxName, nil},
		{"follower", &a.Follower, ticket.MaxName, nil},
		{"tag", &a.Tag, ticket.MaxTag, nil},
		{"related", &a.Related, ticket.MaxName, nil},
		{"relation_type", &a.RelationType, ticket.MaxRelationType, nil},
		{"sla", &a.SLA, 20, slas},
		{"overdue", &a.Overdue, 1, []string{yes}},
		{"stuck", &a.Stuck, 20, causes},
		{"created", &a.Created, 20, periods},
		{"created_from", &a.CreatedFrom, maxDate, nil},
		{"created_to", &a.CreatedTo, maxDate, nil},
		{"updated", &a.Updated, 20, periods},
		{"updated_from", &a.UpdatedFrom, maxDate, nil},
		{"updated_to", &a.UpdatedTo, maxDate, nil},
		{"ended", &a.Ended, 20, periods},
		{"ended_from", &a.EndedFrom, maxDate, nil},
		{"ended_to", &a.EndedTo, maxDate, nil},
		{"due_from", &a.DueFrom, maxDate, nil},
		{"due_to", &a.DueTo, maxDate, nil},
		{"reopened_from", &a.ReopenedFrom, maxDate, nil},
		{"reopened_to", &a.ReopenedTo, maxDate, nil},
		{"sort", &a.Sort, 20, sorts},
		{"zone", &a.Zone, 63, nil},
	}
}

// read reads what an address asks for.
func (a *asked) read(values url.Values) error {
	var f ticket.Faults
	for _, p := range append(a.parameters(), parameter{"cursor", &a.cursor, maxCursor, nil}) {
		value := values.Get(p.name)
		if f.Name(p.name, value, 0, p.max); value != "" && p.choice != nil && !slices.Contains(p.choice, value) {
			f.Add(p.name, "must be one of "+strings.Join(p.choice, ", "))
		}
		*p.to = value
	}
	if a.RelationType != "" && a.Related == "" {
		f.Add("related", "is required beside the type of a relation")
	}
	if a.Node != "" && a.Service == "" {
		f.Add("service", "is required beside a node")
	}
	if a.Sort == opened {
		a.Sort = ""
	}
	return f.Err()
}

// query gives the address's query: what is asked for, and nothing that says nothing.
func (a asked) query() url.Values {
	out := url.Values{}
	for _, p := range a.parameters() {
		if *p.to != "" {
			out.Set(p.name, *p.to)
		}
	}
	return out
}

// filter translates it. Days are those of the zone that the address names, or else of the visitor's, the first and the last of them included.
func (a asked) filter(now time.Time, zone *time.Location) (ticket.Filter, error) {
	var faults ticket.Faults
	if a.Zone != "" {
		named, err := time.LoadLocation(a.Zone)
		if err != nil {
			return ticket.Filter{}, ticket.RefuseField(ticket.Invalid, "zone", "must be the name of a time zone, such as Asia/Shanghai")
		}
		zone = named
	}
	f := ticket.Filter{Terms: a.Terms, Service: a.Service, Node: a.Node, Origin: a.Origin, Assignee: a.Assignee, Opener: a.Opener, Follower: a.Follower, WaitingFor: a.WaitingFor, Tag: a.Tag,
		RelationType: a.RelationType, RelationItem: a.Related, Unassigned: a.Unassigned != "", Sort: ticket.Sort(a.Sort), Cursor: a.cursor}
	if a.Status != "" {
		open := a.Status == ticket.WordOpen
		f.Open = &open
	}
	if a.Phase != "" {
		f.Phases = []string{a.Phase}
	}
	if a.SLA != "" {
		f.SLA = []string{a.SLA}
	}
	if a.Overdue != "" {
		f.Overdue = now
	}
	switch a.Stuck {
	case "":
	case anyCause:
		f.Stuck = ticket.Causes
	default:
		f.Stuck = []ticket.Cause{ticket.Cause(a.Stuck)}
	}
	for _, p := range []struct {
		period, name, from, to string
		after, before          *time.Time
	}{
		{a.Created, "created", a.CreatedFrom, a.CreatedTo, &f.CreatedAfter, &f.CreatedBefore},
		{a.Updated, "updated", a.UpdatedFrom, a.UpdatedTo, &f.UpdatedAfter, &f.UpdatedBefore},
		{a.Ended, "ended", a.EndedFrom, a.EndedTo, &f.EndedAfter, &f.EndedBefore},
		{"", "due", a.DueFrom, a.DueTo, &f.DueAfter, &f.DueBefore},
		{"", "reopened", a.ReopenedFrom, a.ReopenedTo, &f.ReopenedAfter, &f.ReopenedBefore},
	} {
		from, fault := dayOf(p.from, 0, zone)
		if fault {
			faults.Add(p.name+"_from", "must be a day, such as 2026-11-24")
		}
		before, fault := dayOf(p.to, 1, zone)
		if fault {
			faults.Add(p.name+"_to", "must be a day, such as 2026-11-24")
		}
		if begins := begin(p.period, now, zone); begins.After(from) {
			from = begins
		}
		if *p.before = before; !from.IsZero() {
			*p.after = from.Add(-time.Microsecond) // what is said of both ends of a filter is that they are left out
		}
	}
	return f, faults.Err()
}

// dayOf gives the beginning of a day, or of one so many days after it.
func dayOf(text string, later int, zone *time.Location) (at time.Time, fault bool) {
	if text == "" {
		return time.Time{}, false
	}
	day, err := time.Parse(oneDay, text)
	if err != nil {
		return time.Time{}, true
	}
	return time.Date(day.Year(), day.Month(), day.Day()+later, 0, 0, 0, 0, zone), false
}

// begin tells when a period began; the zero time where there is none.
func begin(period string, now time.Time, zone *time.Location) time.Time {
	now = now.In(zone)
	back := 0
	switch period {
	case today:
	case week:
		back = (int(now.Weekday()) + 6) % 7
	case days7:
		back = 6
	case days30:
		back = 29
	default:
		return time.Time{}
	}
	return time.Date(now.Year(), now.Month(), now.Day()-back, 0, 0, 0, 0, zone)
}

// path is where the list is.
const path = "/tickets"

// address is where a list is that asks for this.
func (a asked) address() string { return page.Address(path, a.query()) }

// sorted is the address of the same list in another order.
func (a asked) sorted(by string) string {
	if a.Sort = by; by == opened {
		a.Sort = ""
	}
	return a.address()
}

// builtIn are the views that everybody has: a name among our texts, and what it asks for.
var builtIn = []struct {
	name string
	asks asked
}{
	{"all", asked{}},
	{"open", asked{Status: ticket.WordOpen}},
	{"stuck", asked{Stuck: anyCause, Sort: string(ticket.SortStuck)}},
	{"overdue", asked{Overdue: yes, Sort: string(ticket.SortDue)}},
	{"unassigned", asked{Unassigned: yes}},
	{"closed_this_week", asked{Status: ticket.WordClosed, Ended: week}},
}

// common reports whether it is one of these.
func (a asked) common() bool {
	for _, b := range builtIn {
		if b.asks.String() == a.String() {
			return true
		}
	}
	return false
}

// String is the query as it is kept.
func (a asked) String() string { return a.query().Encode() }
