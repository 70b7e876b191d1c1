package ticket

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// Series is a kind of ticket number.
type Series string

const (
	SeriesIM  Series = "IM"  // issue and incident: IM + yyyyMMddHHmmss + 10 digits (seed 001)
	SeriesREQ Series = "REQ" // itsm, by type of service: prefix + yyyyMMdd + a counter of 6 digits that starts anew each day
	SeriesCRQ Series = "CRQ"
	SeriesINC Series = "INC"
	SeriesPBI Series = "PBI"
)

// Counter names the counter that numbers of this series opened at that moment are drawn from; empty: the ticket's integer id serves.
func (s Series) Counter(at time.Time) string {
	if s == SeriesIM {
		return ""
	}
	return string(s) + at.Format("20060102")
}

// Number gives the ticket number for the n-th draw of the series' counter. It uses at in its own time zone.
func (s Series) Number(at time.Time, n int64) string {
	if s == SeriesIM {
		return fmt.Sprintf("%s%s%010d", s, at.Format("20060102150405"), n)
	}
	return fmt.Sprintf("%s%06d", s.Counter(at), n)
}

// Counters have the digits they are given at least; they may outgrow them.
var number = regexp.MustCompile(`^(IM[0-9]{24,30}|(REQ|CRQ|INC|PBI)[0-9]{14,30})$`)

// IsNumber reports whether a text is spelled like a ticket number.
func IsNumber(key string) bool { return number.MatchString(key) }

// Drawn tells which draw a number is of, and from which counter; the empty one is that of the ticket's integer id. False: it is no number.
func Drawn(number string) (counter string, n int64, ok bool) {
	if !IsNumber(number) {
		return "", 0, false
	}
	prefix := len(SeriesIM) + len("20060102150405")
	if number[:2] != string(SeriesIM) {
		prefix = len(SeriesREQ) + len("20060102")
		counter = number[:prefix]
	}
	n, err := strconv.ParseInt(number[prefix:], 10, 64)
	return counter, n, err == nil
}
