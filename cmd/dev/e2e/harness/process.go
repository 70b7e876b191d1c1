package harness

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Command says which program to start.
type Command struct {
	// Path of the binary, as Build returns it.
	Path string
	Args []string
	// Env is added to (and overrides) the test's own environment, as "NAME=value".
	Env []string
	// Dir is the working directory; empty means the test's.
	Dir string
}

// Process is a program started by a test. It is killed when the test ends, and what it wrote is shown if the test failed.
type Process struct {
	t       testing.TB
	name    string
	command *exec.Cmd
	logs    logs
	ended   chan struct{}
}

// Start starts a program. It does not wait for it to be ready: use UntilOK or Until.
func Start(t testing.TB, c Command) *Process {
	t.Helper()
	p := &Process{t: t, name: filepath.Base(c.Path), command: exec.Command(c.Path, c.Args...), ended: make(chan struct{})}
	p.command.Env = append(os.Environ(), c.Env...)
	p.command.Dir = c.Dir
	p.command.Stdout, p.command.Stderr = &p.logs, &p.logs
	// A grandchild that keeps the output open must not keep us waiting.
	p.command.WaitDelay = time.Second
	if err := startWithParent(p.command); err != nil {
		t.Fatalf("start %s: %v", p.name, err)
	}
	go func() {
		_ = p.command.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("%s (pid %d) wrote:\n%s", p.name, p.PID(), p.Logs())
		}
	})
	return p
}

// PID is the process id.
func (p *Process) PID() int { return p.command.Process.Pid }

// Logs is everything written to standard output and standard error so far.
func (p *Process) Logs() string { return p.logs.String() }

// Running tells whether the process has not ended yet.
func (p *Process) Running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// Kill ends the process with SIGKILL, which it cannot notice, and returns when it is gone.
func (p *Process) Kill() {
	_ = p.command.Process.Kill()
	<-p.ended
}

// Terminate asks the process to end with SIGTERM and returns its exit code, or fails the test when it takes longer.
func (p *Process) Terminate(within time.Duration) int { return p.signal(syscall.SIGTERM, within) }

// Interrupt is Terminate with SIGINT, as Ctrl-C sends it.
func (p *Process) Interrupt(within time.Duration) int { return p.signal(syscall.SIGINT, within) }

func (p *Process) signal(s syscall.Signal, within time.Duration) int {
	p.t.Helper()
	// An error means that it has ended already, which Wait reports.
	_ = p.command.Process.Signal(s)
	return p.Wait(within)
}

// Wait returns the exit code once the process has ended (-1 when a signal ended it), or fails the test after the given time.
func (p *Process) Wait(within time.Duration) int {
	p.t.Helper()
	select {
	case <-p.ended:
		return p.command.ProcessState.ExitCode()
	case <-time.After(within):
		p.t.Fatalf("%s (pid %d) still runs after %s", p.name, p.PID(), within)
		return 0
	}
}

// logs collects output from two pipes at once.
type logs struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write appends.
func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String is all that was written.
func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
