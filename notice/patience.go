package notice

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// patience is how long a try may be put off after it was due, where no minute has to be kept.
const patience = time.Minute

// Latest is how long the try after made others may wait for its host, which answers nobody or has its share already; from then on it is
// made whatever the host does. Where a round has a fixed end, no wait may move it: the first try is counted as if it had been made when it
// was due, a later one waits for half the time before the next, and the last for nothing.
func (p Profile) Latest(made int, due time.Time) time.Time {
	switch {
	case !p.Steady:
		return due.Add(patience)
	case made < len(p.Waits):
		return due.Add(p.Waits[made] / 2)
	}
	return due
}

// Override replaces all waits of profiles by others, by name: what operators and tests shorten. A profile that is not there, one that has
// no waits and a wait that is not positive are errors.
func (ps Profiles) Override(intervals map[string]time.Duration) error {
	for _, name := range slices.Sorted(maps.Keys(intervals)) {
		p, known := ps[name]
		switch {
		case !known:
			return fmt.Errorf("there is no profile %q; there are %s", name, strings.Join(slices.Sorted(maps.Keys(ps)), ", "))
		case len(p.Waits) == 0:
			return fmt.Errorf("the profile %s makes one try and waits for nothing", name)
		case intervals[name] <= 0:
			return fmt.Errorf("the interval of %s must be more than nothing", name)
		}
		ps[name] = p.Every(intervals[name])
	}
	return nil
}
