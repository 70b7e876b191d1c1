package calendar

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestEveryFaultOfACalendarIsNamed breaks a good calendar in one place at a time.
func TestEveryFaultOfACalendarIsNamed(t *testing.T) {
	good := func() Calendar {
		return Calendar{Key: "k", Name: "K", Zone: "UTC", Offsets: []Offset{{0, 0}}, Week: Week{Monday: []string{"09:00-12:00", "12:00-24:00"}},
			Holidays: []Holiday{{"2026-12-25", "Christmas"}}, WorkingDays: []WorkingDay{{Date: "2026-12-26", Hours: []string{"09:00-10:00"}}}}
	}
	_, faults := Compile(good())
	require.Empty(t, faults)
	for want, spoil := range map[string]func(*Calendar){
		"key: is required":                 func(c *Calendar) { c.Key = "" },
		"key: may only contain":            func(c *Calendar) { c.Key = "a b" },
		"key: has 65 characters":           func(c *Calendar) { c.Key = strings.Repeat("k", 65) },
		"name: is required":                func(c *Calendar) { c.Name = " " },
		"name: must be valid":              func(c *Calendar) { c.Name = "a\nb" },
		"description: has 10001":           func(c *Calendar) { c.Description = strings.Repeat("d", 10_001) },
		"description: must be valid":       func(c *Calendar) { c.Description = "\x00" },
		"zone: must be the name":           func(c *Calendar) { c.Offsets = nil },
		"offsets: must be in order":        func(c *Calendar) { c.Offsets = []Offset{{1, 0}, {1, 3600}} },
		"week: must have at least an hour": func(c *Calendar) { c.Week = Week{Friday: []string{"09:00-09:59"}} },
		"week.monday[0]: must be a span":   func(c *Calendar) { c.Week.Monday = []string{"9-17"} },
		"week.friday[0]: must end after it begins; what goes on after midnight": func(c *Calendar) { c.Week.Friday = []string{"22:00-06:00"} },
		"week.friday[0]: a day ends at 24:00":                                   func(c *Calendar) { c.Week.Friday = []string{"09:00-24:01"} },
		"week.monday[1]: must not begin before":                                 func(c *Calendar) { c.Week.Monday = []string{"09:00-12:00", "11:59-13:00"} },
		"week.monday: has 13 spans":                                             func(c *Calendar) { c.Week.Monday = make([]string, 13) },
		"day: must be hours and minutes":                                        func(c *Calendar) { c.Day = "a day" },
		"day: must be above zero":                                               func(c *Calendar) { c.Day = "24h1m" },
		"holidays[0].date: must be a date":                                      func(c *Calendar) { c.Holidays[0].Date = "2026-02-30" },
		"holidays[0].date: must be from 2020-01-01":                             func(c *Calendar) { c.Holidays[0].Date = "2070-01-01" },
		"holidays[1].date: the date is there already":                           func(c *Calendar) { c.Holidays = append(c.Holidays, c.Holidays[0]) },
		"holidays[0].name: has 256":                                             func(c *Calendar) { c.Holidays[0].Name = strings.Repeat("n", 256) },
		"holidays: has 2001 dates":                                              func(c *Calendar) { c.Holidays = make([]Holiday, MaxDates+1) },
		"working_days[0].date: the date is there already, at holidays[0].date":  func(c *Calendar) { c.WorkingDays[0].Date = "2026-12-25" },
		"working_days[0].hours: is required":                                    func(c *Calendar) { c.WorkingDays[0].Hours = nil },
		"working_days[0].hours[0]: must be a span":                              func(c *Calendar) { c.WorkingDays[0].Hours = []string{"x"} },
		"working_days[0].name: must be valid":                                   func(c *Calendar) { c.WorkingDays[0].Name = "\x00" },
		"working_days: has 2001 dates":                                          func(c *Calendar) { c.WorkingDays = make([]WorkingDay, MaxDates+1) },
	} {
		t.Run(want, func(t *testing.T) {
			c := good()
			spoil(&c)
			h, faults := Compile(c)
			require.Nil(t, h)
			require.Len(t, faults, 1)
			require.Contains(t, faults[0].Path+": "+faults[0].Message, want)
		})
	}
}
