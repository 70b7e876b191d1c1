package flow

import (
	"errors"
	"regexp"
	"strconv"
	"time"
)

// MaxDuration is the longest time that a definition can name: ten years of 365 days.
const MaxDuration = 3650 * 24 * time.Hour

var duration = regexp.MustCompile(`^(?:(\d{1,4})w)?(?:(\d{1,5})d)?(?:(\d{1,6})h)?(?:(\d{1,7})m)?(?:(\d{1,9})s)?$`)

// ParseDuration reads a length of time such as 30s, 2h30m, 1d12h or 2w. A day has 24 hours. It must be above zero and at most MaxDuration.
func ParseDuration(text string) (time.Duration, error) {
	parts := duration.FindStringSubmatch(text)
	if parts == nil || text == "" {
		return 0, errors.New("must be a length of time such as 30s, 2h30m, 1d12h or 2w")
	}
	units := []time.Duration{7 * 24 * time.Hour, 24 * time.Hour, time.Hour, time.Minute, time.Second}
	var total time.Duration
	for i, unit := range units {
		n, _ := strconv.ParseInt("0"+parts[i+1], 10, 64)
		total += time.Duration(n) * unit // nine digits of seconds and four of weeks stay far below the overflow
	}
	if total <= 0 || total > MaxDuration {
		return 0, errors.New("must be above zero and at most 3650d")
	}
	return total, nil
}
