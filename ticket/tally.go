package ticket

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Tally is something that an overview counts: what happened on a day, or, where the day is empty, where tickets stand now.
type Tally struct {
	Day     string // as DayLayout has it
	Service string // empty: of no service
	What    string
	Detail  string
	N       int // how many more there are
}

// DayLayout is how a day is written.
const DayLayout = "2006-01-02"

// What is counted. Of a day:
const (
	TallyOpened    = "opened"
	TallyClosed    = "closed"
	TallyReopened  = "reopened"
	TallyAccepted  = "accepted"   // by somebody, for the first time; detail is the bucket of how long that took
	TallyCompleted = "completed"  // likewise, from its opening to its end in the ordinary way
	TallyKept      = "sla_kept"   // tickets that ended and had promised something: all of it was kept
	TallyBroken    = "sla_broken" // or some was not
)

// What became of the deliveries that tell of a day; detail is the host. One that begins anew is counted no more.
const (
	TallyArrived = "arrived"
	TallyGivenUp = "failed" // it was given up
)

// And of now:
const (
	TallyPhase = "phase" // open tickets by phase
	TallySince = "since" // by the day on which they were opened
	TallyNode  = "node"  // by the node at which they stand, whatever the version of their service
)

// TalliesOfOverview are those that an overview is made of.
var TalliesOfOverview = []string{TallyOpened, TallyClosed, TallyReopened, TallyAccepted, TallyCompleted, TallyKept, TallyBroken, TallyArrived, TallyGivenUp, TallyPhase, TallySince}

// buckets are how long something took, up to and with; what took longer is in a last one. A percentile is told as the end of the bucket that it is in.
var buckets = []time.Duration{time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour,
	12 * time.Hour, day, 2 * day, 3 * day, 5 * day, 7 * day, 10 * day, 14 * day, 21 * day, 30 * day, 60 * day, 90 * day, 180 * day, 365 * day}

const day = 24 * time.Hour

// bucket gives the bucket of a length of time.
func bucket(took time.Duration) string {
	i, _ := slices.BinarySearch(buckets, took)
	return strconv.Itoa(i)
}

// Happened gives what an event adds to the counts of its day.
func Happened(before, after Ticket, e Event, zone *time.Location) (list []Tally) {
	on := e.At.In(zone).Format(DayLayout)
	add := func(what, detail string) { list = append(list, Tally{on, after.Service, what, detail, 1}) }
	if e.After.Opening != nil {
		add(TallyOpened, "")
	}
	if before.Seq > 0 && before.Status == Triggered && before.Generation == 0 && (after.Status == Acknowledged || after.Status == Resolved) {
		add(TallyAccepted, bucket(e.At.Sub(after.CreatedAt)))
	}
	switch {
	case before.Seq > 0 && before.Ended() && !after.Ended():
		add(TallyReopened, "")
	case (before.Seq == 0 || !before.Ended()) && after.Ended():
		add(TallyClosed, "")
		if after.Status == Completed {
			add(TallyCompleted, bucket(e.At.Sub(after.CreatedAt)))
		}
		switch after.SLAListed() {
		case SLAStateBreached:
			add(TallyBroken, "")
		case SLAKept:
			add(TallyKept, "")
		}
	}
	return list
}

// StandsAt gives the nodes at which a ticket stands, each once; none where it has ended, or is none yet.
func (t Ticket) StandsAt() (nodes []string) {
	if t.Ended() {
		return nil
	}
	for _, s := range t.Position.Nodes {
		if s.State.Open() {
			nodes = append(nodes, s.Node)
		}
	}
	slices.Sort(nodes)
	return slices.Compact(nodes)
}

// Moved gives what lies between where a ticket stood and where it stands; a ticket that was not there yet stood nowhere.
func Moved(before, after Ticket, zone *time.Location) (list []Tally) {
	counts, order := map[Tally]int{}, []Tally(nil)
	count := func(t Ticket, n int) {
		if t.Seq == 0 || t.Ended() {
			return
		}
		stands := []Tally{{Service: t.Service, What: TallyPhase, Detail: t.Phase()}, {Service: t.Service, What: TallySince, Detail: t.CreatedAt.In(zone).Format(DayLayout)}}
		for _, node := range t.StandsAt() {
			stands = append(stands, Tally{Service: t.Service, What: TallyNode, Detail: node})
		}
		for _, s := range stands {
			if _, seen := counts[s]; !seen {
				order = append(order, s)
			}
			counts[s] += n
		}
	}
	count(before, -1)
	count(after, 1)
	for _, s := range order {
		if n := counts[s]; n != 0 {
			s.N = n
			list = append(list, s)
		}
	}
	return list
}

// MaxDays is how many days an overview has at most.
const MaxDays = 92

// Overview is what happened to a tenant's tickets on some days, and how those that are open stand now.
type Overview struct {
	Days     []DayCounts    // each day of the range, the first first
	Phases   map[string]int // open tickets by phase
	Services map[string]int // and by service
	Ages     []AgeCount     // and by how many days ago they were opened
	Accepted Durations      // how long it took until tickets were accepted on these days
	Complete Durations      // and until those were completed that were
	Hosts    []HostCounts   // what became of the deliveries of these days, by host: the one with the most that failed first
}

// HostCounts is how many of the deliveries of some days arrived at a host, and how many were given up.
type HostCounts struct {
	Host            string
	Arrived, Failed int
}

// DayCounts is what happened on a day.
type DayCounts struct {
	Day                                          string
	Opened, Closed, Reopened, SLAKept, SLABroken int
	Arrived, Failed                              int // deliveries
}

// AgeCount is how many open tickets were opened that many days ago: from Days on, and before those of the next.
type AgeCount struct{ Days, N int }

// ages are where the ages of open tickets begin.
var ages = []int{0, 1, 3, 7, 14, 30, 90}

// Durations tells how long something took: of N, half no longer than P50 and 95 of 100 no longer than P95, each as the end of a bucket; 0 where N is.
// What took longer than a year is told as a year.
type Durations struct {
	N        int
	P50, P95 time.Duration
}

// OverviewOf makes an overview of counts, of the days from first to last; today is the day that ages are told from. Invalid, field "to": there are none, or too many.
func OverviewOf(counts []Tally, first, last, today time.Time) (Overview, error) {
	out := Overview{Phases: map[string]int{}, Services: map[string]int{}}
	places := map[string]int{}
	for d := first; !d.After(last); d = d.AddDate(0, 0, 1) {
		if len(out.Days) == MaxDays {
			return out, RefuseField(Invalid, "to", Over(MaxDays, "days", MaxDays+1))
		}
		places[d.Format(DayLayout)] = len(out.Days)
		out.Days = append(out.Days, DayCounts{Day: d.Format(DayLayout)})
	}
	if len(out.Days) == 0 {
		return out, RefuseField(Invalid, "to", "must not be before from")
	}
	for _, from := range ages {
		out.Ages = append(out.Ages, AgeCount{Days: from})
	}
	hosts := map[string]*HostCounts{}
	accepted, completed := make([]int, len(buckets)+1), make([]int, len(buckets)+1)
	for _, c := range counts {
		if c.Day == "" {
			switch c.What {
			case TallyPhase:
				out.Phases[c.Detail] += c.N
				out.Services[c.Service] += c.N
			case TallySince:
				if opened, err := time.Parse(DayLayout, c.Detail); err == nil {
					old := int(today.Sub(opened) / day)
					i := len(ages) - 1
					for i > 0 && ages[i] > old {
						i--
					}
					out.Ages[i].N += c.N
				}
			}
			continue
		}
		i, asked := places[c.Day]
		if !asked {
			continue
		}
		d := &out.Days[i]
		switch c.What {
		case TallyOpened:
			d.Opened += c.N
		case TallyClosed:
			d.Closed += c.N
		case TallyReopened:
			d.Reopened += c.N
		case TallyKept:
			d.SLAKept += c.N
		case TallyBroken:
			d.SLABroken += c.N
		case TallyArrived, TallyGivenUp:
			at := hosts[c.Detail]
			if at == nil {
				at = &HostCounts{Host: c.Detail}
				hosts[c.Detail] = at
			}
			if c.What == TallyArrived {
				d.Arrived, at.Arrived = d.Arrived+c.N, at.Arrived+c.N
			} else {
				d.Failed, at.Failed = d.Failed+c.N, at.Failed+c.N
			}
		case TallyAccepted, TallyCompleted:
			into := accepted
			if c.What == TallyCompleted {
				into = completed
			}
			if b, err := strconv.Atoi(c.Detail); err == nil && b >= 0 && b < len(into) {
				into[b] += c.N
			}
		}
	}
	out.Accepted, out.Complete = durations(accepted), durations(completed)
	for _, at := range hosts {
		if at.Arrived != 0 || at.Failed != 0 {
			out.Hosts = append(out.Hosts, *at)
		}
	}
	slices.SortFunc(out.Hosts, func(a, b HostCounts) int {
		return cmp.Or(b.Failed-a.Failed, b.Arrived-a.Arrived, strings.Compare(a.Host, b.Host))
	})
	for name, n := range out.Phases {
		if n == 0 {
			delete(out.Phases, name)
		}
	}
	for name, n := range out.Services {
		if n == 0 {
			delete(out.Services, name)
		}
	}
	return out, nil
}

func durations(counts []int) (out Durations) {
	for _, n := range counts {
		out.N += n
	}
	within := func(percent int) time.Duration {
		seen := 0
		for i, n := range counts {
			if seen += n; out.N > 0 && seen*100 >= out.N*percent {
				return buckets[min(i, len(buckets)-1)]
			}
		}
		return 0
	}
	out.P50, out.P95 = within(50), within(95)
	return out
}
