package setup

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/activities"
	"signalbox/api"
	"signalbox/desk"
	"signalbox/internal/watch"
	"signalbox/worker"
	"signalbox/workflows"
)

// TestDeadlines holds how deadlines of different rooms depend on each other; docs/deadlines.md says why. Those within workflows have a test there.
func TestDeadlines(t *testing.T) {
	request := api.Config{}.Defaults().RequestTimeout
	for _, d := range []struct {
		name           string
		shorter, other time.Duration
	}{
		{"request < lease - tidying", request, desk.DefaultLease - desk.DefaultTidying},
		{"watch of a store < request", watch.Within + watch.Every, request},
		{"workflow task < request", workflows.TaskTimeout, request},
		{"tidying < lease", desk.DefaultTidying, desk.DefaultLease},
		{"request < API's end", request, shutdownTimeout},
		{"send + flush < worker's end", activities.SendTimeout + activities.FlushTimeout, worker.StopTimeout},
		{"send + flush < try of a lane", activities.SendTimeout + activities.FlushTimeout, workflows.TryTimeout},
		{"flush < heartbeat", activities.FlushTimeout, activities.HeartbeatTimeout},
		{"open breaker < a minute", activities.BreakerPause, time.Minute},
	} {
		require.Less(t, d.shorter, d.other, "broken: %s", d.name)
	}
	require.Equal(t, desk.DefaultLease/3, desk.DefaultTidying, "tidying is a third of the lease")
}
