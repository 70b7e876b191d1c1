package harness

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// startWithParent starts a command that the kernel kills when this process dies, as it does without any clean-up when
// "go test" runs into its time limit.
func startWithParent(command *exec.Cmd) error {
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	failed := make(chan error)
	starter() <- func() { failed <- command.Start() }
	return <-failed
}

// starter is a thread that lives as long as the process. The kernel's notion of a parent is the thread that started the
// child: with any other thread, the child would die when Go retires that one.
var starter = sync.OnceValue(func() chan<- func() {
	jobs := make(chan func())
	go func() {
		runtime.LockOSThread()
		for job := range jobs {
			job()
		}
	}()
	return jobs
})
