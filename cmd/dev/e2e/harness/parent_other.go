//go:build !linux

package harness

import "os/exec"

// startWithParent starts a command; on this system it outlives a test run that is aborted.
func startWithParent(command *exec.Cmd) error { return command.Start() }
