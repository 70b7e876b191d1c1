package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/activities"
	"signalbox/desk"
)

// queryTimeout is Temporal's own: how long a query may take.
const queryTimeout = 10 * time.Second

// TestDeadlines holds how deadlines depend on each other; docs/deadlines.md says why. Those between rooms have a test in cmd/internal/setup.
func TestDeadlines(t *testing.T) {
	pauses := pruneBackoff * (1<<(pruneTries-1) - 1)
	for _, d := range []struct {
		name           string
		shorter, other time.Duration
	}{
		{"outcome of an update < tidying", outcomeWait, desk.DefaultTidying},
		{"payload keys < workflow task", keysWithin, TaskTimeout},
		{"query < dormant", queryTimeout, dormant},
		{"send, its request given up < try of a lane", activities.SendTimeout + activities.StallGrace, TryTimeout},
		{"report < call margin", activities.ReportTime, callMargin},
		{"all attempts < sweep", sweepTries * sweepTry, sweepTimeout},
		{"one call < attempt of prune", activities.PruneTime, pruneTry},
		{"all attempts < prune", pruneTries*pruneTry + pauses, pruneTimeout},
	} {
		require.Less(t, d.shorter, d.other, "broken: %s", d.name)
	}
}
