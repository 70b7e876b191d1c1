package calendar

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var zones = []string{"UTC", "Europe/Berlin", "America/New_York", "America/St_Johns", "Australia/Lord_Howe", "Asia/Shanghai", "Asia/Kathmandu", "Africa/Casablanca",
	"Pacific/Apia", "America/Santiago"}

// anySpans are hours of a day, in whole minutes.
func anySpans(t *rapid.T, least int) (out []string) {
	at := 0
	for range rapid.IntRange(least, 3).Draw(t, "spans") {
		from := at + rapid.IntRange(0, 400).Draw(t, "from")
		to := from + rapid.IntRange(1, 400).Draw(t, "to")
		if to > 1440 {
			break
		}
		out = append(out, fmt.Sprintf("%02d:%02d-%02d:%02d", from/60, from%60, to/60, to%60))
		at = to
	}
	return out
}

func anyCalendar(t *rapid.T) Calendar {
	c := Calendar{Key: "k", Name: "K", Zone: rapid.SampledFrom(zones).Draw(t, "zone"), Week: Week{
		Monday: anySpans(t, 0), Tuesday: anySpans(t, 0), Wednesday: []string{"10:00-11:00"}, Saturday: anySpans(t, 0), Sunday: anySpans(t, 0)}}
	date := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for range rapid.IntRange(0, 60).Draw(t, "dates") {
		date = date.AddDate(0, 0, rapid.IntRange(1, 12).Draw(t, "days"))
		if hours := anySpans(t, 0); len(hours) > 0 {
			c.WorkingDays = append(c.WorkingDays, WorkingDay{Date: date.Format(time.DateOnly), Hours: hours})
		} else {
			c.Holidays = append(c.Holidays, Holiday{Date: date.Format(time.DateOnly)})
		}
	}
	return c
}

func anyMoment(t *rapid.T, name string) time.Time {
	from := time.Date(2025, 12, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	return time.UnixMicro(from + rapid.Int64Range(0, 500*86_400_000_000).Draw(t, name)).UTC()
}

// TestAddAndBetweenAreInverse holds any calendar against the laws of lengths of time.
func TestAddAndBetweenAreInverse(t *testing.T) {
	crossed := 0
	rapid.Check(t, func(t *rapid.T) {
		h := compiled(t, anyCalendar(t))
		for range 20 {
			from := anyMoment(t, "from")
			d := time.Duration(rapid.Int64Range(0, 500*3600_000_000).Draw(t, "working")) * time.Microsecond
			e := time.Duration(rapid.Int64Range(0, 500*3600_000_000).Draw(t, "more")) * time.Microsecond
			to := h.Add(from, d)
			require.False(t, to.Before(from), "never backwards")
			require.Equal(t, d, h.Between(from, to), "inverse")
			require.Equal(t, h.Add(from, d+e), h.Add(to, e), "additive")
			if d > 0 {
				require.Less(t, h.Between(from, to.Add(-time.Microsecond)), d, "the earliest moment")
			}
			other := anyMoment(t, "other")
			if other.Before(from) {
				from, other = other, from
			}
			middle := from.Add(other.Sub(from) / 2).Truncate(time.Microsecond)
			require.GreaterOrEqual(t, h.Between(from, other), time.Duration(0), "never negative")
			require.Equal(t, h.Between(from, other), h.Between(from, middle)+h.Between(middle, other), "additive")
			require.False(t, h.Add(other, d).Before(h.Add(from, d)), "monotone")
			if passed := h.Between(from, other); passed > 0 && !h.Add(from, passed).Equal(other) {
				require.Zero(t, h.Between(h.Add(from, passed), other), "nothing is worked between the two")
			}
			if from.Year() != to.Year() {
				crossed++
			}
		}
	})
	require.Positive(t, crossed)
}

// TestWorkingTimeIsWhatTheClockOnTheWallShows counts the minutes, one by one, by the zone that the standard library knows.
func TestWorkingTimeIsWhatTheClockOnTheWallShows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := anyCalendar(t)
		h, loc := compiled(t, c), zone(t, c.Zone)
		from := anyMoment(t, "from").Truncate(time.Minute)
		minutes := rapid.IntRange(0, 4*1440).Draw(t, "minutes")
		count := 0
		for m := range minutes {
			if worked(c, from.Add(time.Duration(m)*time.Minute).In(loc)) {
				count++
			}
		}
		require.Equal(t, time.Duration(count)*time.Minute, h.Between(from, from.Add(time.Duration(minutes)*time.Minute)))
	})
}

// worked tells by the calendar's texts whether somebody works at a local time.
func worked(c Calendar, at time.Time) bool {
	week, _ := c.Week.weekdays()
	spans := week[(int(at.Weekday())+6)%7]
	for _, d := range c.Holidays {
		if d.Date == at.Format(time.DateOnly) {
			return false
		}
	}
	for _, d := range c.WorkingDays {
		if d.Date == at.Format(time.DateOnly) {
			spans = d.Hours
		}
	}
	clock := at.Format("15:04")
	for _, s := range spans {
		if s[:5] <= clock && clock < s[6:] {
			return true
		}
	}
	return false
}

// FuzzCompile: whatever a calendar says, it is refused or answers, and then its answers are inverse.
func FuzzCompile(f *testing.F) {
	f.Add("09:00-17:00", "2026-12-25", "10:00-12:00", "8h", int64(3600), int64(1_800_000_000_000_000), int64(36_000_000_000))
	f.Add("22:00-24:00", "2069-12-31", "00:00-00:01", "", int64(-43200), int64(0), int64(1))
	f.Add("22:00-06:00", "2026-02-30", "24:00-24:30", "25h", int64(86400), int64(-1), int64(-1))
	f.Fuzz(func(t *testing.T, hours, date, other, day string, offset, at, micros int64) {
		h, faults := Compile(Calendar{Key: "k", Name: "K", Zone: "X", Week: Week{Monday: []string{hours}, Sunday: []string{"01:00-02:30"}}, Day: day,
			Holidays: []Holiday{{Date: date}}, WorkingDays: []WorkingDay{{Date: "2026-03-29", Hours: []string{other}}}, Offsets: []Offset{{0, 0}, {1_700_000_000, offset}}})
		if len(faults) > 0 {
			require.Nil(t, h)
			return
		}
		from := time.UnixMicro(at % 4_000_000_000_000_000)
		d := time.Duration(micros%int64(10_000*time.Hour/time.Microsecond)) * time.Microsecond
		to := h.Add(from, d)
		require.Equal(t, max(0, d), h.Between(from, to))
	})
}
