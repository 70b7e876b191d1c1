//go:build linux || darwin

package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Archived are the settings of a cluster whose write-ahead log is kept, so that it can be put back to any moment after a base backup.
var Archived = []string{"wal_level=replica", "max_wal_senders=4", "archive_mode=on", "archive_command=mkdir -p ../archive && cp %p ../archive/%f"}

// BaseBackup copies the cluster, which has Archived among its settings, while it is at work. The copy goes with the cluster.
func (c *Cluster) BaseBackup() (*BaseBackup, error) {
	b := &BaseBackup{cluster: c, dir: fmt.Sprintf("%s-%d", c.data(), c.made.Add(1))}
	return b, c.baseBackup(c, b.dir, "--wal-method=stream")
}

// baseBackup has a cluster copied into a folder by pg_basebackup, with options of its own.
func (c *Cluster) baseBackup(from *Cluster, into string, options ...string) error {
	command := c.command(context.Background(), c.Program("pg_basebackup"), append([]string{"--pgdata=" + into, "--host=127.0.0.1", "--port=" + strconv.Itoa(from.port),
		"--username=" + superuser, "--checkpoint=fast", "--no-sync"}, options...)...)
	command.Env = append(command.Env, "PGPASSWORD="+from.password)
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("pg_basebackup: %w\n%s", err, out)
	}
	return nil
}

// BaseBackup is a copy that a cluster can be put back from.
type BaseBackup struct {
	cluster *Cluster
	dir     string
}

// Now is the time by the cluster's clock, as Restore takes it.
func (c *Cluster) Now() (now time.Time, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return now, c.execute(ctx, "SELECT clock_timestamp()", &now)
}

// Restore puts the cluster back to a moment after the copy was made and before something else was committed, and returns when it can be written to. What was committed
// until then is there, and nothing that was committed later. It may be done several times, also to later moments than the time before: each goes by the history in which
// the copy was made.
func (b *BaseBackup) Restore(to time.Time) error {
	c := b.cluster
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	// What the server has not archived yet would be lost with it.
	var archived bool
	if err := c.execute(ctx, "SELECT pg_switch_wal() IS NOT NULL", &archived); err != nil {
		return fmt.Errorf("archive the log: %w", err)
	}
	if err := c.stopGently(ctx); err != nil {
		return err
	}
	if err := c.copyData(b.dir, c.data()); err != nil {
		return err
	}
	for name, text := range map[string]string{
		"recovery.signal": "",
		"postgresql.auto.conf": fmt.Sprintf("restore_command = 'cp ../archive/%%f %%p'\nrecovery_target_time = '%s'\nrecovery_target_timeline = 'current'\nrecovery_target_action = 'promote'\n",
			to.UTC().Format("2006-01-02 15:04:05.999999 UTC")),
	} {
		path := filepath.Join(c.data(), name)
		if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), c.own(path)); err != nil {
			return err
		}
	}
	if err := c.Start(); err != nil {
		return err
	}
	for recovering := true; recovering; time.Sleep(20 * time.Millisecond) {
		if err := c.execute(ctx, "SELECT pg_is_in_recovery()", &recovering); err != nil {
			return fmt.Errorf("%w: %s", err, c.log())
		}
	}
	return nil
}

// stopGently stops the server as an administrator does, who has it archive what it has.
func (c *Cluster) stopGently(ctx context.Context) error {
	out, err := c.command(ctx, c.Program("pg_ctl"), "stop", "--mode=fast", "--wait", "--pgdata="+c.data()).CombinedOutput()
	if err != nil {
		return fmt.Errorf("stop PostgreSQL: %w\n%s", err, out)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	<-c.ended
	return nil
}
