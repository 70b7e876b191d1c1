package calendar

// Calendar is working time as data. Once published it never changes; a change is a new version.
type Calendar struct {
	Key         string `json:"key"` // A-Za-z0-9_.-
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Version     int    `json:"version,omitempty"` // given by the publisher
	Zone        string `json:"zone"`              // its name in the IANA database, such as Europe/Berlin
	Week        Week   `json:"week"`
	Day         string `json:"day,omitempty"` // how much a working day is, such as 7h30m; as much as the weekday with the longest hours unless said

	Holidays    []Holiday    `json:"holidays,omitempty"`     // nobody works
	WorkingDays []WorkingDay `json:"working_days,omitempty"` // these hours are worked, whatever the weekday

	Offsets []Offset `json:"offsets,omitempty"` // of the zone, in order; given by the publisher: see OffsetsOf
}

// Week is the hours of each weekday: spans of local time such as 09:00-12:30, in order. 24:00 is the end of a day; what goes on after midnight is a span of the next
// day. A weekday without any is free.
type Week struct {
	Monday    []string `json:"monday,omitempty"`
	Tuesday   []string `json:"tuesday,omitempty"`
	Wednesday []string `json:"wednesday,omitempty"`
	Thursday  []string `json:"thursday,omitempty"`
	Friday    []string `json:"friday,omitempty"`
	Saturday  []string `json:"saturday,omitempty"`
	Sunday    []string `json:"sunday,omitempty"`
}

// Holiday is a date on which nobody works.
type Holiday struct {
	Date string `json:"date"` // 2006-01-02, in the calendar's zone
	Name string `json:"name,omitempty"`
}

// WorkingDay is a date that has hours of its own: one that is worked although its weekday is free, or that is shorter or longer than usual.
type WorkingDay struct {
	Date  string   `json:"date"`
	Hours []string `json:"hours"` // as those of a weekday
	Name  string   `json:"name,omitempty"`
}

// Offset is a moment, in seconds since 1970, and by how many seconds local time is ahead of UTC from then on.
type Offset [2]int64

// Limits of a calendar. Lengths are in characters.
const (
	MaxWord        = 64 // of a key
	MaxName        = 255
	MaxDescription = 10_000
	MaxSpans       = 12    // of one day
	MaxDates       = 2_000 // holidays, and likewise working days
	FirstYear      = 2020  // of dates, and of the offsets of a zone: before it the first one holds
	LastYear       = 2069  // likewise; after it the last one holds
)

// weekdays gives the spans of the days of a week and what they are called, Monday first.
func (w Week) weekdays() (days [7][]string, names [7]string) {
	return [7][]string{w.Monday, w.Tuesday, w.Wednesday, w.Thursday, w.Friday, w.Saturday, w.Sunday},
		[7]string{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}
}
