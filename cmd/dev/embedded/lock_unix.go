//go:build unix

package embedded

import (
	"errors"
	"fmt"
	"syscall"
)

// fileLock keeps a second server, in this process or another, off a data file: two would take turns in stealing the
// shards from each other. The kernel lets go of it when the process dies, however it dies.
//
// It is a bare descriptor because an *os.File closes itself, and so unlocks, once a caller forgets its Server.
type fileLock struct{ fd int }

func lockFile(dataFile string) (*fileLock, error) {
	fd, err := syscall.Open(dataFile+"-lock", syscall.O_CREAT|syscall.O_RDWR|syscall.O_CLOEXEC, 0o644)
	if err != nil {
		return nil, fmt.Errorf("data file %s: open its lock: %w", dataFile, err)
	}
	if err := syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = syscall.Close(fd)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("data file %s: another server has it open", dataFile)
		}
		return nil, fmt.Errorf("data file %s: lock: %w", dataFile, err)
	}
	return &fileLock{fd: fd}, nil
}

// release keeps the lock file in place: removing it would let two later servers lock two different files of that name.
func (l *fileLock) release() {
	if l != nil {
		_ = syscall.Close(l.fd)
	}
}
