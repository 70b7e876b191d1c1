package calendar

import (
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/stretchr/testify/require"
)

var office = Week{
	Monday: []string{"09:00-12:30", "13:30-18:00"}, Tuesday: []string{"09:00-12:30", "13:30-18:00"}, Wednesday: []string{"09:00-12:30", "13:30-18:00"},
	Thursday: []string{"09:00-12:30", "13:30-18:00"}, Friday: []string{"09:00-15:00"},
}

func zone(t require.TestingT, name string) *time.Location {
	loc, err := time.LoadLocation(name)
	require.NoError(t, err)
	return loc
}

func compiled(t require.TestingT, c Calendar) *Hours {
	c.Offsets = OffsetsOf(zone(t, c.Zone))
	h, faults := Compile(c)
	require.Empty(t, faults)
	return h
}

func TestWorkingTime(t *testing.T) {
	berlin := Calendar{Key: "office", Name: "Office", Zone: "Europe/Berlin", Week: office,
		Holidays: []Holiday{{"2026-12-25", "Christmas"}, {"2027-01-01", "New Year"}}, WorkingDays: []WorkingDay{{Date: "2026-12-24", Hours: []string{"09:00-12:00"}}, {Date: "2026-12-19", Hours: []string{"10:00-11:00"}}}}
	always := []string{"00:00-24:00"}
	nights := Calendar{Key: "always", Name: "Always", Zone: "Europe/Berlin", Week: Week{always, always, always, always, always, always, always}}
	early := Calendar{Key: "early", Name: "Early", Zone: "Europe/Berlin", Week: Week{Monday: []string{"08:00-16:00"}, Sunday: []string{"02:00-04:00"}}}
	for name, c := range map[string]struct {
		calendar Calendar
		from     string
		working  time.Duration
		want     string
	}{
		"within a span":                          {berlin, "2026-11-30T10:00:00+01:00", time.Hour, "2026-11-30T11:00:00+01:00"},
		"over the break":                         {berlin, "2026-11-30T12:00:00+01:00", time.Hour, "2026-11-30T14:00:00+01:00"},
		"up to the break":                        {berlin, "2026-11-30T12:00:00+01:00", 30 * time.Minute, "2026-11-30T12:30:00+01:00"},
		"nothing":                                {berlin, "2026-11-29T12:00:00+01:00", 0, "2026-11-29T12:00:00+01:00"},
		"from before the hours":                  {berlin, "2026-11-30T03:00:00+01:00", time.Hour, "2026-11-30T10:00:00+01:00"},
		"to the end of the day":                  {berlin, "2026-11-30T17:00:00+01:00", time.Hour, "2026-11-30T18:00:00+01:00"},
		"over the night":                         {berlin, "2026-11-30T17:00:00+01:00", time.Hour + time.Microsecond, "2026-12-01T09:00:00.000001+01:00"},
		"over the weekend":                       {berlin, "2026-12-11T14:00:00+01:00", 2 * time.Hour, "2026-12-14T10:00:00+01:00"},
		"a Saturday that is worked":              {berlin, "2026-12-18T14:30:00+01:00", time.Hour, "2026-12-19T10:30:00+01:00"},
		"half a day, Christmas, Sunday":          {berlin, "2026-12-24T11:00:00+01:00", 2 * time.Hour, "2026-12-28T10:00:00+01:00"},
		"over the year's end":                    {berlin, "2026-12-31T17:00:00+01:00", 2 * time.Hour, "2027-01-04T10:00:00+01:00"},
		"the clocks go forward":                  {nights, "2026-03-28T12:00:00+01:00", 24 * time.Hour, "2026-03-29T13:00:00+02:00"},
		"the clocks go back":                     {nights, "2026-10-24T12:00:00+02:00", 24 * time.Hour, "2026-10-25T11:00:00+01:00"},
		"an hour that is skipped":                {early, "2026-03-29T00:00:00+01:00", 2 * time.Hour, "2026-03-30T09:00:00+02:00"},
		"an hour that comes twice":               {early, "2026-10-25T00:00:00+02:00", 3 * time.Hour, "2026-10-25T04:00:00+01:00"},
		"before the first year":                  {berlin, "1969-12-31T17:30:00+01:00", time.Hour, "1970-01-01T09:30:00+01:00"},
		"after the last one, by the last offset": {nights, "2075-07-01T12:00:00Z", 48 * time.Hour, "2075-07-03T12:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			h := compiled(t, c.calendar)
			from, err := time.Parse(time.RFC3339Nano, c.from)
			require.NoError(t, err)
			want, err := time.Parse(time.RFC3339Nano, c.want)
			require.NoError(t, err)
			got := h.Add(from, c.working)
			require.Equal(t, want.UTC(), got)
			require.Equal(t, c.working, h.Between(from, got))
			require.Zero(t, h.Between(got, from))
		})
	}
}

// TestAWorkingDay: unless the calendar says so, it is as long as the longest of its weekdays.
func TestAWorkingDay(t *testing.T) {
	require.Equal(t, 8*time.Hour, compiled(t, Calendar{Key: "k", Name: "K", Zone: "UTC", Week: office}).Day())
	require.Equal(t, 7*time.Hour+30*time.Minute, compiled(t, Calendar{Key: "k", Name: "K", Zone: "UTC", Week: office, Day: "7h30m"}).Day())
}

// TestOffsetsArePinned: what a calendar answers rests on what it carries, and on nothing that the machine knows of its zone.
func TestOffsetsArePinned(t *testing.T) {
	c := Calendar{Key: "k", Name: "K", Zone: "Europe/Berlin", Week: office, Offsets: []Offset{{0, 3600}}} // a country that gives up summer time
	h, faults := Compile(c)
	require.Empty(t, faults)
	summer := time.Date(2026, 7, 1, 8, 0, 0, 0, time.UTC)
	require.Equal(t, summer.Add(time.Hour), h.Add(summer, time.Hour))
	require.Equal(t, time.Date(2026, 7, 1, 9, 0, 0, 0, time.UTC), h.Add(time.Date(2026, 7, 1, 7, 0, 0, 0, time.UTC), time.Hour))

	c.Offsets = OffsetsOf(zone(t, "Europe/Berlin"))
	require.Len(t, c.Offsets, 1+2*(LastYear-FirstYear+1), "two a year")
	require.Len(t, OffsetsOf(zone(t, "Asia/Shanghai")), 1)
	require.Equal(t, []Offset{{time.Date(FirstYear, 1, 1, 0, 0, 0, 0, time.UTC).Unix(), 0}}, OffsetsOf(time.UTC))
}

// TestAnswersTakeNoLongerForMoreTime: ten thousand working hours of an hour a week are two centuries, and are counted in as few steps as one.
func TestAnswersTakeNoLongerForMoreTime(t *testing.T) {
	h := compiled(t, Calendar{Key: "k", Name: "K", Zone: "Europe/Berlin", Week: Week{Monday: []string{"09:00-10:00"}}})
	monday := time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC)
	least := func(d time.Duration) time.Duration {
		var best time.Duration
		for range 10 {
			began := time.Now()
			for range 10_000 {
				h.Add(monday, d)
			}
			if took := time.Since(began); best == 0 || took < best {
				best = took
			}
		}
		return best
	}
	require.Less(t, least(10_000*time.Hour), 100*least(time.Hour), "steps that grow with the time asked for would be ten thousand times as many")
	require.Equal(t, 10_000*time.Hour, h.Between(monday, h.Add(monday, 10_000*time.Hour)))
}

func BenchmarkAdd10000Hours(b *testing.B) {
	c := Calendar{Key: "k", Name: "K", Zone: "Europe/Berlin", Week: office}
	day := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	for range MaxDates {
		c.Holidays = append(c.Holidays, Holiday{Date: day.Format(time.DateOnly)})
		day = day.AddDate(0, 0, 8)
	}
	h := compiled(b, c)
	for b.Loop() {
		h.Add(day, 10_000*time.Hour)
	}
}
