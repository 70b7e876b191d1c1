// Package overview is how a tenant's tickets went on some days, and how those that are open stand: numbers, each of which leads to the list behind it, and a plot of them.
package overview

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox/console/page"
	"signalbox/notice"
	"signalbox/ticket"
)

// Reader is what the overview reads. All of it is limited to the tenant.
type Reader interface {
	// Overview tells what happened to the tickets of one service or (empty) of all on the days from first to last, which are days of the installation's zone, and how those
	// that are open stand.
	Overview(ctx context.Context, tenant, service string, first, last time.Time) (ticket.Overview, error)
	// Count counts the tickets of a list, up to most.
	Count(ctx context.Context, tenant string, f ticket.Filter, most int) (ticket.Total, error)
	// OwedByAge counts the deliveries that are still owed, by age.
	OwedByAge(ctx context.Context, tenant string) ([]notice.BacklogAge, error)
}

// Services knows what services are called.
type Services interface {
	// ServiceRecord gives the latest version of a service, be it enabled or not; NotFound: the tenant has none of that key.
	ServiceRecord(ctx context.Context, tenant, key string) (ticket.ServiceRecord, error)
}

// Room is the area. Reader and Services are needed.
type Room struct {
	Reader   Reader
	Services Services
	Zone     *time.Location // in which days are counted; nil: UTC
}

// Area gives its routes.
func (r *Room) Area() page.Area {
	return page.Area{
		Routes: []page.Route{{Method: http.MethodGet, Path: path, Right: page.Read, Do: r.show}},
		Menu:   []page.Entry{{Path: path, Label: "menu.overview", Right: page.Read}},
	}
}

const path = "/overview"

// ranges are how many days can be looked at, the usual number first.
var ranges = []int{7, 14, 30, 90}

// unfolded is how many days a table of them has at most that is shown at once: a longer one would keep what comes behind it out of sight.
const unfolded = 14

// view is the page.
type view struct {
	Days              int
	Ranges            []int
	Service, Zone     string
	Figures           []figure
	PerDay            []day
	Phases, Services  []share
	Ages              []share
	Accepted, Settled took
	Kept, Broken      int
	KeptPath          string
	BrokenPath        string
	Percent           int // of tickets that kept what they promised
	Hosts             []host
	MoreHosts         int // that are not among them
	Arrived, GivenUp  counted
	Waiting           []notice.DeliveryState
	Backlog           []waits
	Owed              bool // something waits
	Folded            bool // the tables of days are shown on demand
}

// counted is a number of deliveries with the list behind it; without an address there are none.
type counted struct{ N, Path string }

// host is what became of the deliveries to a host.
type host struct {
	Name             string
	Arrived, GivenUp counted
	Percent          int // of those that are over, how many arrived
}

// waits is what is owed of an age.
type waits struct {
	Age    string
	Counts []counted // by state, as Waiting has them
}

// took is how long something took, in words.
type took struct {
	N          int
	Half, Most string
	Path       string // of the tickets; empty: no list has just these
}

func tookOf(v *page.Visit, d ticket.Durations, path string) took {
	return took{d.N, span(v, d.P50), span(v, d.P95), path}
}

// span gives a length of time in the visitor's language.
func span(v *page.Visit, d time.Duration) string {
	switch {
	case d < time.Hour:
		return v.T("time.minutes", "N", int(d/time.Minute))
	case d < 48*time.Hour:
		return v.T("time.hours", "N", int(d/time.Hour))
	}
	return v.T("time.days", "N", int(d/(24*time.Hour)))
}

// figure is a number with the list behind it.
type figure struct {
	What string
	N    string
	Path string
	Bad  bool
}

// day is what happened on a day.
type day struct {
	ticket.DayCounts
	OpenedPath, ClosedPath, ReopenedPath string
	KeptPath, BrokenPath                 string
	ArrivedPath, FailedPath              string // of deliveries
}

// share is how many of the open tickets are of a kind.
type share struct {
	Key        string // of a service
	Name, Path string
	N          int
	Percent    int // of the largest
}

// show shows the overview.
func (r *Room) show(v *page.Visit) error {
	text, err := v.Ask("days", 3)
	if err != nil {
		return err
	}
	days, err := strconv.Atoi(cmp.Or(text, strconv.Itoa(ranges[0])))
	if err != nil || !slices.Contains(ranges, days) {
		return ticket.RefuseField(ticket.Invalid, "days", "must be one of "+strings.Trim(strings.ReplaceAll(fmt.Sprint(ranges), " ", ", "), "[]"))
	}
	service, err := v.Ask("service", ticket.MaxName)
	if err != nil {
		return err
	}
	zone := r.Zone
	if zone == nil {
		zone = time.UTC
	}
	now := v.Site().Now()
	first := now.In(zone).AddDate(0, 0, 1-days)
	found, err := r.Reader.Overview(v.Until, v.Who.App.Tenant, service, first, now)
	if err != nil {
		return err
	}
	l := lists{service: service}
	if zone.String() != v.Zone().String() {
		l.zone = zone.String()
	}
	begins, ends := found.Days[0].Day, found.Days[len(found.Days)-1].Day
	ended := func(first, last string, more ...string) string {
		return l.of(append([]string{"status", ticket.WordClosed, "ended_from", first, "ended_to", last}, more...)...)
	}
	w := view{Days: days, Ranges: ranges, Service: service, Zone: zone.String(), Accepted: tookOf(v, found.Accepted, ""),
		Settled: tookOf(v, found.Complete, ended(begins, ends, "phase", string(ticket.Completed))), KeptPath: ended(begins, ends, "sla", ticket.SLAKept),
		BrokenPath: ended(begins, ends, "sla", ticket.SLAStateBreached), Folded: days > unfolded}
	var opened, closed int
	for _, d := range found.Days {
		at, err := time.ParseInLocation(ticket.DayLayout, d.Day, zone)
		if err != nil {
			return err
		}
		told := func(state notice.DeliveryState) string { return deliveries(state, "", at, at.AddDate(0, 0, 1)) }
		w.PerDay = append(w.PerDay, day{DayCounts: d, OpenedPath: l.of("created_from", d.Day, "created_to", d.Day), ClosedPath: ended(d.Day, d.Day),
			ReopenedPath: l.of("reopened_from", d.Day, "reopened_to", d.Day), KeptPath: ended(d.Day, d.Day, "sla", ticket.SLAKept), BrokenPath: ended(d.Day, d.Day, "sla", ticket.SLAStateBreached),
			ArrivedPath: told(notice.Sent), FailedPath: told(notice.Failed)})
		opened, closed, w.Kept, w.Broken = opened+d.Opened, closed+d.Closed, w.Kept+d.SLAKept, w.Broken+d.SLABroken
	}
	if all := w.Kept + w.Broken; all > 0 {
		w.Percent = w.Kept * 100 / all
	}
	for _, name := range phases {
		if n := found.Phases[name]; n > 0 {
			w.Phases = append(w.Phases, share{Name: name, N: n, Path: l.of("phase", name)})
		}
	}
	open := 0
	for name, n := range found.Services {
		open += n
		w.Services = append(w.Services, share{Key: name, Name: name, N: n, Path: lists{service: name}.of("status", ticket.WordOpen)})
	}
	slices.SortFunc(w.Services, func(a, b share) int { return cmp.Or(b.N-a.N, strings.Compare(a.Name, b.Name)) })
	w.Services = w.Services[:min(len(w.Services), maxServices)]
	for i := range w.Services {
		switch called, err := r.Services.ServiceRecord(v.Until, v.Who.App.Tenant, w.Services[i].Key); {
		case err == nil:
			w.Services[i].Name = v.Spoken(called.Definition).Name
		case !ticket.Is(err, ticket.NotFound):
			return err
		}
	}
	for i, a := range found.Ages {
		age := share{Name: v.T("overview.age_over", "Days", a.Days), N: a.N}
		query := []string{"status", ticket.WordOpen, "created_to", now.In(zone).AddDate(0, 0, -a.Days).Format(ticket.DayLayout)}
		if i+1 < len(found.Ages) {
			next := found.Ages[i+1].Days
			if age.Name = v.T("overview.age", "From", a.Days, "To", next-1); next-1 == a.Days {
				age.Name = v.T("overview.days", "Count", a.Days)
			}
			query = append(query, "created_from", now.In(zone).AddDate(0, 0, 1-next).Format(ticket.DayLayout))
		}
		age.Path = l.of(query...)
		w.Ages = append(w.Ages, age)
	}
	for _, list := range [][]share{w.Phases, w.Services, w.Ages} {
		most := 1
		for _, s := range list {
			most = max(most, s.N)
		}
		for i := range list {
			list[i].Percent = list[i].N * 100 / most
		}
	}
	if err := r.figures(v, &w, l, now, open, opened, closed); err != nil {
		return err
	}
	if err := r.deliveries(v, &w, found, first); err != nil {
		return err
	}
	return v.Render(http.StatusOK, "overview/overview", v.T("menu.overview"), w)
}

// maxServices is how many services are told of; maxHosts how many hosts.
const (
	maxServices = 20
	maxHosts    = 20
)

// deliveries tells what became of those of the days from first on, and what is still owed. They are those of all services: an address can follow several.
func (r *Room) deliveries(v *page.Visit, w *view, found ticket.Overview, first time.Time) error {
	from := time.Date(first.Year(), first.Month(), first.Day(), 0, 0, 0, 0, first.Location())
	to := from.AddDate(0, 0, len(found.Days))
	over := func(n int, state notice.DeliveryState, host string) counted {
		if n <= 0 {
			return counted{N: "0"}
		}
		return counted{strconv.Itoa(n), deliveries(state, host, from, to)}
	}
	arrived, failed := 0, 0
	for i, at := range found.Hosts {
		arrived, failed = arrived+at.Arrived, failed+at.Failed
		if i >= maxHosts {
			w.MoreHosts++
			continue
		}
		h := host{Name: at.Host, Arrived: over(at.Arrived, notice.Sent, at.Host), GivenUp: over(at.Failed, notice.Failed, at.Host)}
		if all := at.Arrived + at.Failed; all > 0 {
			h.Percent = at.Arrived * 100 / all
		}
		w.Hosts = append(w.Hosts, h)
	}
	w.Arrived, w.GivenUp = over(arrived, notice.Sent, ""), over(failed, notice.Failed, "")
	backlog, err := r.Reader.OwedByAge(v.Until, v.Who.App.Tenant)
	if err != nil {
		return err
	}
	w.Waiting = notice.Waiting
	for i, age := range backlog {
		var line waits
		switch {
		case i == len(backlog)-1:
			line.Age = v.T("overview.over", "Span", span(v, age.Over))
		case i == 0:
			line.Age = v.T("overview.under", "Span", span(v, backlog[1].Over))
		default:
			line.Age = v.T("overview.between", "From", span(v, age.Over), "To", span(v, backlog[i+1].Over))
		}
		for _, state := range notice.Waiting {
			total := age.Waits[state]
			c := counted{N: strconv.Itoa(total.N)}
			if total.More {
				c.N += "+"
			}
			if total.N > 0 {
				c.Path, w.Owed = deliveries(state, "", age.From, age.To), true
			}
			line.Counts = append(line.Counts, c)
		}
		w.Backlog = append(w.Backlog, line)
	}
	return nil
}

// deliveries gives the address of a list of deliveries, of those that tell of what happened from one moment on and before another.
func deliveries(state notice.DeliveryState, host string, from, to time.Time) string {
	query := url.Values{"state": {string(state)}}
	for name, value := range map[string]string{"host": host, "from": moment(from), "to": moment(to)} {
		if value != "" {
			query.Set(name, value)
		}
	}
	return page.Address("/deliveries", query)
}

func moment(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}

var phases = []string{string(ticket.Triggered), string(ticket.Acknowledged), string(ticket.Resolved), ticket.PhaseSuspended}

// figures are the numbers that come first.
func (r *Room) figures(v *page.Visit, w *view, l lists, now time.Time, open, opened, closed int) error {
	first, last := w.PerDay[0].Day, w.PerDay[len(w.PerDay)-1].Day
	w.Figures = []figure{
		{What: v.T("overview.open"), N: strconv.Itoa(open), Path: l.of("status", ticket.WordOpen)},
		{What: v.T("overview.opened"), N: strconv.Itoa(opened), Path: l.of("created_from", first, "created_to", last)},
		{What: v.T("overview.closed"), N: strconv.Itoa(closed), Path: l.of("status", ticket.WordClosed, "ended_from", first, "ended_to", last)},
	}
	isOpen := true
	for _, f := range []struct {
		what   string
		filter ticket.Filter
		path   string
	}{
		{v.T("overview.overdue"), ticket.Filter{Overdue: now}, l.of("overdue", "1", "sort", string(ticket.SortDue))},
		{v.T("overview.stuck"), ticket.Filter{Stuck: ticket.Causes}, l.of("stuck", "any", "sort", string(ticket.SortStuck))},
		{v.T("overview.missed"), ticket.Filter{Open: &isOpen, SLA: []string{ticket.SLAStateBreached}}, l.of("status", ticket.WordOpen, "sla", ticket.SLAStateBreached)},
		{v.T("overview.at_risk"), ticket.Filter{Open: &isOpen, SLA: []string{ticket.SLAStateWarned}}, l.of("status", ticket.WordOpen, "sla", ticket.SLAStateWarned)},
	} {
		f.filter.Service = l.service
		total, err := r.Reader.Count(v.Until, v.Who.App.Tenant, f.filter, f.filter.Most())
		if err != nil {
			return err
		}
		n := strconv.Itoa(total.N)
		if total.More {
			n += "+"
		}
		w.Figures = append(w.Figures, figure{f.what, n, f.path, total.N > 0})
	}
	return nil
}

// lists are the lists of tickets that numbers lead to.
type lists struct{ service, zone string }

// of gives the address of a list by names and values of what it asks for.
func (l lists) of(pairs ...string) string {
	query := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		query.Set(pairs[i], pairs[i+1])
	}
	if l.service != "" {
		query.Set("service", l.service)
	}
	if l.zone != "" && (query.Has("created_from") || query.Has("created_to") || query.Has("ended_from") || query.Has("reopened_from")) {
		query.Set("zone", l.zone)
	}
	return page.Address("/tickets", query)
}
