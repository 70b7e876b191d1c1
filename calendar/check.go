package calendar

import (
	"fmt"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// MinWeek is the least working time that a week has: a calendar without any would never come to an end of anything.
const MinWeek = time.Hour

// Fault is something that is wrong with a calendar: where, such as week.monday[0], and what.
type Fault struct{ Path, Message string }

// Compile makes Hours of a calendar. It names everything that is wrong with it; without faults it compiles.
func Compile(c Calendar) (*Hours, []Fault) {
	b := builder{hours: &Hours{calendar: c}}
	b.identity(c)
	week, names := c.Week.weekdays()
	had := len(b.faults)
	var total time.Duration
	for i, spans := range week {
		b.hours.week[i] = b.spans("week."+names[i], spans)
		worked := time.Duration(b.hours.week[i].total) * time.Microsecond
		total += worked
		b.hours.length = max(b.hours.length, worked)
	}
	if total < MinWeek && len(b.faults) == had {
		b.add("week", "must have at least an hour of working time")
	}
	b.length(c.Day)
	b.dates(c)
	b.offsets(c.Offsets)
	if len(b.faults) > 0 {
		return nil, b.faults
	}
	b.hours.compile()
	return b.hours, nil
}

type builder struct {
	hours  *Hours
	faults []Fault
}

func (b *builder) add(path, format string, values ...any) {
	b.faults = append(b.faults, Fault{path, fmt.Sprintf(format, values...)})
}

var key = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

func (b *builder) identity(c Calendar) {
	if b.text("key", c.Key, 1, MaxWord) && !key.MatchString(c.Key) {
		b.add("key", "may only contain A-Z, a-z, 0-9, '_', '.' and '-'")
	}
	b.text("name", c.Name, 1, MaxName)
	switch n := utf8.RuneCountInString(c.Description); {
	case n > MaxDescription:
		b.add("description", "has %d characters; at most %d are allowed", n, MaxDescription)
	case !utf8.ValidString(c.Description) || strings.ContainsRune(c.Description, 0):
		b.add("description", "must be valid UTF-8 without the character NUL")
	}
	if len(c.Offsets) == 0 { // the publisher did not know the zone
		b.add("zone", "must be the name of a time zone, such as Asia/Shanghai or UTC")
	}
}

// text checks a text of one line.
func (b *builder) text(path, value string, min, max int) bool {
	switch n := utf8.RuneCountInString(value); {
	case min > 0 && strings.TrimSpace(value) == "":
		b.add(path, "is required and must not be empty")
	case n > max:
		b.add(path, "has %d characters; at most %d are allowed", n, max)
	case !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl):
		b.add(path, "must be valid UTF-8 without control characters")
	default:
		return true
	}
	return false
}

var clock = regexp.MustCompile(`^([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)$`)

// spans reads the hours of one day.
func (b *builder) spans(path string, texts []string) (d day) {
	if len(texts) > MaxSpans {
		b.add(path, "has %d spans; at most %d are allowed", len(texts), MaxSpans)
		return d
	}
	for i, text := range texts {
		at := fmt.Sprintf("%s[%d]", path, i)
		parts := clock.FindStringSubmatch(text)
		if parts == nil {
			b.add(at, "must be a span of time such as 09:00-17:30")
			continue
		}
		var n [4]int64
		for k := range n {
			n[k], _ = strconv.ParseInt(parts[k+1], 10, 64)
		}
		const minute = int64(time.Minute / time.Microsecond)
		s := span{(n[0]*60 + n[1]) * minute, (n[2]*60 + n[3]) * minute}
		switch {
		case s.to > dayLength || s.from >= dayLength:
			b.add(at, "a day ends at 24:00")
		case s.to <= s.from:
			b.add(at, "must end after it begins; what goes on after midnight is a span of the next day")
		case len(d.spans) > 0 && s.from < d.spans[len(d.spans)-1].to:
			b.add(at, "must not begin before the span in front of it ends")
		default:
			d.spans = append(d.spans, s)
			d.total += s.to - s.from
		}
	}
	return d
}

var dayText = regexp.MustCompile(`^(?:(\d{1,2})h)?(?:(\d{1,4})m)?$`)

// length reads how much a working day is.
func (b *builder) length(text string) {
	if text == "" {
		return
	}
	parts := dayText.FindStringSubmatch(text)
	if parts == nil {
		b.add("day", "must be hours and minutes such as 8h or 7h30m")
		return
	}
	hours, _ := strconv.Atoi("0" + parts[1])
	minutes, _ := strconv.Atoi("0" + parts[2])
	b.hours.length = time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	if b.hours.length <= 0 || b.hours.length > 24*time.Hour {
		b.add("day", "must be above zero and at most 24h")
	}
}

// dates reads the days that are not like their weekday, each once.
func (b *builder) dates(c Calendar) {
	taken := map[int64]string{}
	date := func(path, text string) (int64, bool) {
		at, err := time.Parse(time.DateOnly, text)
		switch {
		case err != nil:
			b.add(path, "must be a date such as 2026-12-25")
			return 0, false
		case at.Year() < FirstYear || at.Year() > LastYear:
			b.add(path, "must be from %d-01-01 to %d-12-31", FirstYear, LastYear)
			return 0, false
		}
		days := floor(at.UnixMicro(), dayLength)
		if where, again := taken[days]; again {
			b.add(path, "the date is there already, at %s", where)
			return 0, false
		}
		taken[days] = path
		return days, true
	}
	if len(c.Holidays) > MaxDates {
		b.add("holidays", "has %d dates; at most %d are allowed", len(c.Holidays), MaxDates)
		return
	}
	if len(c.WorkingDays) > MaxDates {
		b.add("working_days", "has %d dates; at most %d are allowed", len(c.WorkingDays), MaxDates)
		return
	}
	for i, h := range c.Holidays {
		path := fmt.Sprintf("holidays[%d]", i)
		if days, ok := date(path+".date", h.Date); ok {
			b.hours.special = append(b.hours.special, special{date: days})
		}
		b.text(path+".name", h.Name, 0, MaxName)
	}
	for i, w := range c.WorkingDays {
		path := fmt.Sprintf("working_days[%d]", i)
		days, ok := date(path+".date", w.Date)
		hours := b.spans(path+".hours", w.Hours)
		if len(w.Hours) == 0 {
			b.add(path+".hours", "is required: a date without hours is a holiday")
		}
		if ok {
			b.hours.special = append(b.hours.special, special{date: days, day: hours})
		}
		b.text(path+".name", w.Name, 0, MaxName)
	}
}

// maxOffset is more than any zone ever was ahead of UTC or behind it, in seconds.
const maxOffset = 24 * 60 * 60

// offsets checks what a publisher gave: whoever reads a calendar from elsewhere must not be led astray by it.
func (b *builder) offsets(list []Offset) {
	for i, o := range list {
		if o[1] <= -maxOffset || o[1] >= maxOffset || i > 0 && o[0] <= list[i-1][0] {
			b.add("offsets", "must be in order and less than a day from UTC")
			return
		}
	}
}

// OffsetsOf gives the offsets of a zone from FirstYear to LastYear, as the zone's data have them: what a publisher puts into a calendar. No zone changes its clocks
// twice within a day. (time.Time.ZoneBounds would tell, but for the last day of a leap year it gives an end that has passed.)
func OffsetsOf(zone *time.Location) []Offset {
	const step = 24 * 60 * 60
	offset := func(at int64) int64 {
		_, seconds := time.Unix(at, 0).In(zone).Zone()
		return int64(seconds)
	}
	at := time.Date(FirstYear, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	end := time.Date(LastYear+1, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	list := []Offset{{at, offset(at)}}
	for ; at < end; at += step {
		had := list[len(list)-1][1]
		if offset(at+step) == had {
			continue
		}
		later := 1 + sort.Search(step-1, func(i int) bool { return offset(at+1+int64(i)) != had })
		list = append(list, Offset{at + int64(later), offset(at + int64(later))})
	}
	return list
}
