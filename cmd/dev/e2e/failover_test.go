package e2e

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/cmd/dev/e2e/harness"
	"signalbox/store/postgrestest"
)

// TestAFailOver has the primary die under load and its standby promoted, with programs that name both in the address of the database. Nobody is restarted, and nothing that
// was acknowledged is lost, since the primary waits for its standby.
func TestAFailOver(t *testing.T) {
	t.Parallel()
	primary := newCluster(t, postgrestest.Replicated...)
	dsn, err := primary.CreateDatabase(t.Context())
	require.NoError(t, err)
	standby, err := primary.NewStandby()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, standby.Close()) })
	admin, err := sql.Open("pgx", dsn)
	require.NoError(t, err)
	defer admin.Close()
	for _, statement := range []string{"ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()"} {
		_, err := admin.ExecContext(t.Context(), statement)
		require.NoError(t, err)
	}
	harness.Until(t, "the primary waits for its standby", time.Minute, func() error {
		var n int
		err := admin.QueryRowContext(t.Context(), "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'").Scan(&n)
		if err == nil && n != 1 {
			err = fmt.Errorf("%d are waited for", n)
		}
		return err
	})

	both := strings.Replace(dsn, primary.Address(), primary.Address()+","+standby.Address(), 1) + "&target_session_attrs=read-write"
	p := startProduction(t, both)
	tickets, deliveries := p.startWorker(t, "tickets"), p.startWorker(t, "deliveries")
	l := startLoad(t, harness.NewReceiver(t), 6, p.caller())
	l.awaitMore(60, time.Minute)
	primary.Stop()
	harness.Until(t, "the API says that it is not ready", time.Minute, func() error { return notReady(p.api) })
	told := func(what string) int {
		return strings.Count(p.apis.Logs(), fmt.Sprintf(`"msg":%q,"process":"api","what":"database"`, what))
	}
	harness.Until(t, "its log says what is away", time.Minute, func() error { // a fail-over that is over sooner is no outage
		if told("away") == 0 {
			return errors.New("it does not")
		}
		return nil
	})
	require.NoError(t, standby.Promote())
	harness.UntilOK(t, p.api+"/readyz", time.Minute)
	l.awaitMore(60, 2*time.Minute)
	l.stop()
	l.check()
	for _, process := range []*harness.Process{p.apis, tickets, deliveries} {
		require.True(t, process.Running())
	}
	require.Equal(t, told("away"), told("back"))
	verify := harness.Start(t, harness.Command{Path: binary(t, "migrate"), Args: []string{"verify"}, Env: p.env})
	require.Zero(t, verify.Wait(time.Minute), verify.Logs())
}
