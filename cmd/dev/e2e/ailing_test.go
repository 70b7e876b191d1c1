package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/cmd/dev/e2e/harness"
	"signalbox/desk"
)

// A ticket whose workflow somebody ended is among those that are stuck, until it is revived.
func TestAWorkflowThatSomebodyEndedIsSeen(t *testing.T) {
	t.Parallel()
	d := startDev(t, "SIGNALBOX_COMPARE_EVERY=1s")
	c := d.caller()
	c.open(t)
	number := c.open(t)
	stuck := func(want ...string) {
		t.Helper()
		harness.Until(t, fmt.Sprintf("%q are lost", want), time.Minute, func() error {
			numbers := []string{}
			for _, one := range items[struct {
				ID string
			}](t, c.must(t, "GET", "/api/issue?stuck=lost", nil)) {
				numbers = append(numbers, one.ID)
			}
			if fmt.Sprint(numbers) != fmt.Sprint(want) {
				return fmt.Errorf("%q are", numbers)
			}
			return nil
		})
	}
	stuck()
	temporal := dialTemporal(t, d.temporal, "default")
	require.NoError(t, temporal.TerminateWorkflow(t.Context(), "ticket:"+number, "", "by hand"))
	stuck(number)
	_, err := d.reconciler(t, temporal).Reconcile(t.Context(), desk.ReconcileOptions{Lost: true}, func(desk.Finding) {})
	require.NoError(t, err)
	stuck()
}
