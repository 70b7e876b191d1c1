package flow

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	"signalbox/calendar"
)

// MaxWorking is the longest working time that a definition can name, and MaxWorkingDays the most working days. By any calendar that is less than two centuries.
const (
	MaxWorking     = 10_000 * time.Hour
	MaxWorkingDays = 400
)

// length is a length of time that a definition names: of the clock, or of working time by a calendar.
type length struct {
	d  time.Duration
	by *calendar.Hours // nil: of the clock
}

// from gives the moment at which so much time has passed since at.
func (l length) from(at time.Time) time.Time {
	if l.by == nil {
		return Nearest(at.Add(l.d))
	}
	return Nearest(l.by.Add(at, l.d))
}

// resumed is when something comes that was due while the ticket was suspended, from paused until now: when what was left of it has passed.
func (l length) resumed(due, paused, now time.Time) time.Time {
	switch {
	case l.by == nil:
		return length{d: max(0, now.Sub(paused))}.from(due)
	case !due.After(paused): // its time had come before
		return due
	}
	return length{l.by.Between(paused, due), l.by}.from(now)
}

var workingText = regexp.MustCompile(`^(\d{1,8}) working (second|minute|hour|day)s?$`)

// working reports whether a text is meant for working time.
func working(text string) bool { return workingText.MatchString(text) }

// length reads a length of time; key is the calendar that working time is counted by.
func (b *builder) length(path, text, key string) length {
	parts := workingText.FindStringSubmatch(text)
	if parts == nil {
		d, err := ParseDuration(text)
		switch {
		case err != nil && !duration.MatchString(text):
			b.add(path, "%s, or of working time such as 90 working minutes, 8 working hours or 2 working days", err)
		case err != nil:
			b.add(path, "%s", err)
		}
		return length{d: d}
	}
	if key == "" {
		b.add(path, "there is no calendar to count working time by: name one as calendar, here or of the definition")
		return length{}
	}
	l := length{by: b.hours[key]}
	if l.by == nil {
		return l // which was named as a fault where the calendar is
	}
	n, _ := strconv.ParseInt(parts[1], 10, 64)
	unit := map[string]time.Duration{"second": time.Second, "minute": time.Minute, "hour": time.Hour, "day": l.by.Day()}[parts[2]]
	if l.d = time.Duration(n) * unit; n == 0 || l.d > MaxWorking || parts[2] == "day" && n > MaxWorkingDays {
		b.add(path, "must be above zero and at most %d working hours or %d working days", MaxWorking/time.Hour, MaxWorkingDays)
	}
	return l
}

// CalendarsNamed gives the keys of the calendars that a definition names, each once, sorted.
func (d Definition) CalendarsNamed() []string {
	named := []string{d.Calendar}
	for _, n := range d.Nodes {
		named = append(named, n.Calendar)
		for _, s := range n.Deadline {
			named = append(named, s.Calendar)
		}
	}
	for _, s := range d.SLA {
		named = append(named, s.Calendar)
	}
	slices.Sort(named)
	return slices.DeleteFunc(slices.Compact(named), func(key string) bool { return key == "" })
}

// calendars compiles those that the definition was given, and checks the one that it names for all.
func (b *builder) calendars() {
	b.hours = map[string]*calendar.Hours{}
	for i, c := range b.p.def.Calendars {
		hours, faults := calendar.Compile(c)
		for _, f := range faults {
			b.add(fmt.Sprintf("calendars[%d].%s", i, f.Path), "%s", f.Message)
		}
		if hours != nil {
			b.hours[c.Key] = hours
		}
	}
	b.calendarOf("calendar", b.p.def.Calendar)
}

// calendarOf gives the closest of some keys of calendars, or that of the definition. The first is checked, at its path; the others are where they stand.
func (b *builder) calendarOf(path string, keys ...string) string {
	if own := keys[0]; own != "" && b.hours[own] == nil {
		b.add(path, "there is no calendar %q that can be named", own)
	}
	return cmp.Or(append(keys, b.p.def.Calendar)...)
}

// calendarNamed checks the calendar of a node: that there is one, and something that it is for.
func (b *builder) calendarNamed(n *node, path string) {
	if n.Calendar == "" || !slices.Contains(memberTypes["calendar"], n.Type) {
		return
	}
	b.calendarOf(path, n.Calendar)
	if !working(n.For) && !slices.ContainsFunc(n.Deadline, func(s Stage) bool { return s.Calendar == "" && working(s.After) }) {
		b.add(path, "nothing of the node counts working time by it")
	}
}

// WorkClock is what of working time was used at a node, by one calendar, since it was entered. Times are to the microsecond.
type WorkClock struct {
	Calendar string        `json:"calendar"`
	Version  int           `json:"version"`        // of the calendar
	Used     time.Duration `json:"used,omitempty"` // in nanoseconds, until Since
	Since    time.Time     `json:"since"`          // from when on more is used; while the ticket is suspended, since when it is
}

// clocks are those of a node that is entered.
func (n *node) clocks(at time.Time) (out []WorkClock) {
	for _, hours := range n.calendars() {
		c := hours.Calendar()
		out = append(out, WorkClock{Calendar: c.Key, Version: c.Version, Since: at})
	}
	return out
}

// calendars are those that the deadline of a node counts by, each once, in order.
func (n *node) calendars() (out []*calendar.Hours) {
	for _, s := range n.stages {
		if s.after.by != nil && !slices.Contains(out, s.after.by) {
			out = append(out, s.after.by)
		}
	}
	return out
}

// clock gives that of a calendar. Where none runs it counts from when the node was entered, less suspensions: as if they had come first.
func (s *NodeState) clock(by *calendar.Hours) WorkClock {
	c := by.Calendar()
	for _, clock := range s.Worked {
		if clock.Calendar == c.Key {
			return clock
		}
	}
	return WorkClock{Calendar: c.Key, Version: c.Version, Since: s.Entered.Add(s.PausedFor)}
}

// use counts what was used of working time until a moment.
func (n *node) use(s *NodeState, at time.Time) {
	for _, by := range n.calendars() {
		key := by.Calendar().Key
		if i := slices.IndexFunc(s.Worked, func(c WorkClock) bool { return c.Calendar == key }); i >= 0 {
			c := &s.Worked[i]
			c.Used += by.Between(c.Since, at)
		}
	}
	s.begin(at)
}

// begin has more of working time be used from a moment on.
func (s *NodeState) begin(at time.Time) {
	for i := range s.Worked {
		s.Worked[i].Since = at
	}
}

// after is the length of time that the timer of a node waits for: of its wait, or of the next stage.
func (n *node) after(s NodeState) length {
	switch {
	case n.Type == Wait:
		return n.pause
	case s.Stage < len(n.stages):
		return n.stages[s.Stage].after
	}
	return length{}
}

// recount has an open node count by the calendars of its target. What remains of the stage that runs remains, and comes when it has been worked by the target's.
func (source *node) recount(target *node, s *NodeState, at time.Time) {
	if s.Paused != nil {
		at = *s.Paused
	}
	was, is := source.after(*s).by, target.after(*s).by
	if s.Due != nil && was != nil && is != nil && was != is && s.Due.After(at) {
		due := length{was.Between(at, *s.Due), is}.from(at)
		s.Due = &due
	}
	source.use(s, at)
	had := *s
	s.Worked = nil
	for _, by := range target.calendars() {
		c := by.Calendar()
		i := slices.IndexFunc(had.Worked, func(w WorkClock) bool { return w.Calendar == c.Key })
		used := time.Duration(0)
		if i >= 0 {
			used = had.Worked[i].Used
		} else {
			used = by.Between(s.Entered.Add(s.PausedFor), at)
		}
		s.Worked = append(s.Worked, WorkClock{Calendar: c.Key, Version: c.Version, Used: used, Since: at})
	}
}
