//go:build linux || darwin

package postgrestest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Replicated are the settings of a cluster that standbys can follow.
var Replicated = []string{"wal_level=replica", "max_wal_senders=4"}

// NewStandby makes and starts a hot standby that follows the cluster, which has Replicated among its settings. It has the same databases, each under an
// address that differs in the port alone: see On.
func (c *Cluster) NewStandby() (*Cluster, error) {
	return newCluster(&Cluster{password: c.password, settings: c.settings}, func(s *Cluster) error {
		return s.baseBackup(c, s.data(), "--write-recovery-conf", "--wal-method=stream")
	})
}

// Promote has a standby go on by itself, as what can be written to, and returns when it is.
func (c *Cluster) Promote() error {
	var done bool
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := c.execute(ctx, "SELECT pg_promote(true, 60)", &done); err != nil || !done {
		return errors.Join(errors.New("the standby was not promoted"), err)
	}
	return nil
}

// On gives the address of a database of another cluster of the same family as it is here.
func (c *Cluster) On(dsn string) string { return c.dsn(nameOf(dsn)) }

// Address is where the server listens, as host:port.
func (c *Cluster) Address() string { return "127.0.0.1:" + strconv.Itoa(c.port) }

// Freeze has every process of the server stand still: connections stay open, new ones are taken by the kernel, and nothing is answered. It needs /proc.
func (c *Cluster) Freeze() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.signal(syscall.SIGSTOP)
}

// Thaw ends a Freeze.
func (c *Cluster) Thaw() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.signal(syscall.SIGCONT)
}

// signal sends a signal to the server and then to each of its processes, which have sessions of their own.
func (c *Cluster) signal(s syscall.Signal) error {
	err := syscall.Kill(c.pid, s) // first: it begins no more of them
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		text, readErr := os.ReadFile(file)
		if readErr != nil {
			continue // it has ended
		}
		// pid (name) state ppid …, where the name may hold anything.
		_, rest, _ := strings.Cut(string(text[strings.LastIndexByte(string(text), ')')+1:]), " ")
		fields := strings.Fields(rest)
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if len(fields) > 1 && fields[1] == strconv.Itoa(c.pid) {
			err = errors.Join(err, ignoreGone(syscall.Kill(pid, s)))
		}
	}
	if len(files) == 0 {
		return errors.Join(err, errors.New("there is no /proc to find the processes of the server in"))
	}
	return err
}

func ignoreGone(err error) error {
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}
