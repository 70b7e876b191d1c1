package bench

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ticks is how many clock ticks a second has, in which Linux counts CPU time; see proc(5).
const ticks = 100

// cpuOf gives the CPU time that a process has used so far.
func cpuOf(pid int) time.Duration {
	own, _, _, _ := stat(pid)
	return own
}

// cpuOfPostgreSQL gives the CPU time that a server has used so far: that of the connections there are to each of some databases, by their names, and under "" that of everything else:
// what is written out and vacuumed, and connections that are over.
func cpuOfPostgreSQL(pid int, databases ...string) map[string]time.Duration {
	own, over, _, _ := stat(pid)
	used := map[string]time.Duration{"": own + over}
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range all {
		child, _ := strconv.Atoi(filepath.Base(dir))
		own, _, parent, ok := stat(child)
		if !ok || parent != pid {
			continue
		}
		title, _ := os.ReadFile(dir + "/cmdline") // "postgres: user database host(port) state"
		words, of := strings.Fields(string(title)), ""
		if len(words) > 3 && slices.Contains(databases, words[2]) {
			of = words[2]
		}
		used[of] += own
	}
	return used
}

func stat(pid int) (own, children time.Duration, parent int, ok bool) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, 0, false
	}
	_, rest, _ := strings.Cut(string(raw), ") ") // a name may have blanks
	fields := strings.Fields(rest)
	if len(fields) < 15 {
		return 0, 0, 0, false
	}
	n := func(i int) time.Duration {
		v, _ := strconv.ParseInt(fields[i], 10, 64)
		return time.Duration(v) * time.Second / ticks
	}
	parent, _ = strconv.Atoi(fields[1])
	return n(11) + n(12), n(13) + n(14), parent, true
}

// memoryOf gives how much memory a process holds, in bytes.
func memoryOf(pid int) int64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(raw)) {
		if rest, is := strings.CutPrefix(line, "VmRSS:"); is {
			kib, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kib << 10
		}
	}
	return 0
}

// commits gives how many transactions a database has committed so far. Backends report with some delay, so it is asked for once all is quiet.
func commits(ctx context.Context, admin *sql.DB, database string) (n int64, err error) {
	err = admin.QueryRowContext(ctx, `SELECT COALESCE(xact_commit, 0) FROM pg_stat_database WHERE datname = $1`, database).Scan(&n)
	return n, err
}

// noise measures the machine itself: how long a fixed piece of work takes on one core, and a write that the disk has to confirm.
func noise(dir string) (spin, sync time.Duration, err error) {
	began := time.Now()
	x := uint64(88172645463325252)
	for range 50_000_000 {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	spin = time.Since(began)
	f, err := os.CreateTemp(dir, "noise-")
	if err != nil {
		return 0, 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	began = time.Now()
	const writes = 20
	for range writes {
		if _, err = fmt.Fprintln(f, x); err == nil {
			err = f.Sync()
		}
		if err != nil {
			return 0, 0, err
		}
	}
	return spin, time.Since(began) / writes, nil
}
