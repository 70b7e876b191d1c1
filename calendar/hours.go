package calendar

import (
	"math"
	"sort"
	"time"
)

// Hours is a calendar that has been checked and compiled. It never changes and may be used by many goroutines at once. What it answers takes time that grows with
// the logarithm of the calendar's dates alone, however much working time is asked for.
//
// A moment is working time when a clock on the wall of the zone shows a time within the hours of its date. So a span that the clocks skip in spring is shorter by
// that, and one that they go through twice in autumn counts twice.
type Hours struct {
	calendar Calendar
	week     [7]day   // Monday first
	before   [8]int64 // working time of a week before each of its days; the last one is that of the whole week
	special  []special
	periods  []period
	length   time.Duration // of a working day
}

// day is the hours of one day, in microseconds since its midnight.
type day struct {
	spans []span
	total int64
}

type span struct{ from, to int64 }

// special is a date that has other hours than its weekday. Working time is that since 1970 in local time, as measure counts it.
type special struct {
	date       int64 // days since 1970
	day        day
	extra      int64 // by how much working time there was more than by weekdays alone, before this date
	start, end int64 // working time before it, and with it
}

// period is a time in which the zone has one offset from UTC.
type period struct {
	from   int64 // UTC, microseconds since 1970
	offset int64 // microseconds
	start  int64 // working time since the first period began, at its beginning
	local  int64 // what measure says there
}

const dayLength = int64(24 * time.Hour / time.Microsecond)

// monday is by how many days 1970-01-01 comes after a Monday.
const monday = 3

// Calendar gives back what was compiled. It must not be changed.
func (h *Hours) Calendar() Calendar { return h.calendar }

// Day is how much working time a working day is.
func (h *Hours) Day() time.Duration { return h.length }

// Between is the working time from a to b, to the microsecond; 0 where b is not after a. What does not fit a Duration, some 292 years, is the longest one.
func (h *Hours) Between(a, b time.Time) time.Duration {
	if !b.After(a) {
		return 0
	}
	return duration(h.worked(b.UnixMicro()) - h.worked(a.UnixMicro()))
}

// Add gives the moment at which so much working time has passed since from: the earliest one, so that what is over at the end of a working day is over that day. It
// is UTC, to the microsecond. Without working time to pass it is from itself.
func (h *Hours) Add(from time.Time, working time.Duration) time.Time {
	at, micros := from.UnixMicro(), working.Microseconds()
	if micros <= 0 {
		return time.UnixMicro(at).UTC()
	}
	want := h.worked(at) + micros
	k := sort.Search(len(h.periods)-1, func(i int) bool { return h.periods[i+1].start >= want })
	p := h.periods[k]
	return time.UnixMicro(h.reached(want-p.start+p.local) - p.offset).UTC()
}

// worked is the working time from the beginning of the first period to a moment in UTC; negative before.
func (h *Hours) worked(at int64) int64 {
	k := max(0, sort.Search(len(h.periods), func(i int) bool { return h.periods[i].from > at })-1)
	p := h.periods[k]
	return p.start + h.measure(at+p.offset) - p.local
}

// measure is the working time from Monday of the week of 1970-01-01 to a local time, as if the clocks were never changed.
func (h *Hours) measure(local int64) int64 {
	date := floor(local, dayLength)
	within := local - date*dayLength
	ordinary, weekday := h.ordinary(date)
	i := sort.Search(len(h.special), func(i int) bool { return h.special[i].date >= date })
	if i < len(h.special) && h.special[i].date == date {
		return h.special[i].start + h.special[i].day.until(within)
	}
	return ordinary + h.extra(i) + h.week[weekday].until(within)
}

// ordinary is the working time before a date by weekdays alone, and which weekday it is.
func (h *Hours) ordinary(date int64) (before int64, weekday int) {
	week := floor(date+monday, 7)
	weekday = int(date + monday - week*7)
	return week*h.before[7] + h.before[weekday], weekday
}

// extra is what the first i special dates make different.
func (h *Hours) extra(i int) int64 {
	switch {
	case i < len(h.special):
		return h.special[i].extra
	case i == 0:
		return 0
	}
	last := h.special[i-1]
	_, weekday := h.ordinary(last.date)
	return last.extra + last.day.total - h.week[weekday].total
}

// reached is the earliest local time at which measure is so much.
func (h *Hours) reached(want int64) int64 {
	i := sort.Search(len(h.special), func(i int) bool { return h.special[i].end >= want })
	if i < len(h.special) && h.special[i].start < want {
		s := h.special[i]
		return s.date*dayLength + s.day.reached(want-s.start)
	}
	want -= h.extra(i)
	week := floor(want-1, h.before[7]) // so that what is left is above zero: the earliest moment
	want -= week * h.before[7]
	weekday := sort.Search(7, func(i int) bool { return h.before[i+1] >= want })
	return (week*7+int64(weekday)-monday)*dayLength + h.week[weekday].reached(want-h.before[weekday])
}

// until is the working time of a day up to a time of it.
func (d day) until(within int64) (sum int64) {
	for _, s := range d.spans {
		sum += max(0, min(within, s.to)-s.from)
	}
	return sum
}

// reached is the earliest time of a day at which it has had so much working time, which is above zero and no more than it has.
func (d day) reached(want int64) int64 {
	for _, s := range d.spans {
		if length := s.to - s.from; want > length {
			want -= length
		} else {
			return s.from + want
		}
	}
	return dayLength
}

// compile works out what does not depend on a question.
func (h *Hours) compile() {
	for i, d := range h.week {
		h.before[i+1] = h.before[i] + d.total
	}
	sort.Slice(h.special, func(i, k int) bool { return h.special[i].date < h.special[k].date })
	var extra int64
	for i := range h.special {
		s := &h.special[i]
		before, weekday := h.ordinary(s.date)
		s.extra, s.start = extra, before+extra
		s.end = s.start + s.day.total
		extra += s.day.total - h.week[weekday].total
	}
	for i, o := range h.calendar.Offsets {
		p := period{from: o[0] * 1e6, offset: o[1] * 1e6}
		p.local = h.measure(p.from + p.offset)
		if i > 0 {
			was := h.periods[i-1]
			p.start = was.start + h.measure(p.from+was.offset) - was.local
		}
		h.periods = append(h.periods, p)
	}
}

func floor(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func duration(micros int64) time.Duration {
	if micros > math.MaxInt64/1000 {
		return math.MaxInt64
	}
	return time.Duration(micros) * time.Microsecond
}
