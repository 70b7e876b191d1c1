//go:build unix

package postgrestest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	osuser "os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// immediateStop is what PostgreSQL takes for "stop now, recover later".
const immediateStop = syscall.SIGQUIT

// account is who the server runs as. PostgreSQL refuses to run as root, so root lends it an ordinary user.
type account struct {
	credential *syscall.Credential // nil: whoever we are
}

func serverUser() (account, error) {
	if os.Geteuid() != 0 {
		return account{}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		found, err := osuser.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(found.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(found.Gid, 10, 32)
		if errUID == nil && errGID == nil {
			return account{&syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
		}
	}
	return account{}, errors.New("PostgreSQL cannot run as root, and there is no user postgres or nobody")
}

// command makes a command that runs as the account, in a session of its own so that Ctrl-C in a terminal reaches only us, and
// without the settings for PostgreSQL that our own environment may hold.
func (a account) command(dir, path string, args ...string) *exec.Cmd {
	command := exec.Command(path, args...)
	command.Dir = dir
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "LC_ALL=C", "TZ=UTC"}
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: a.credential}
	return command
}

// makeDir makes a directory that belongs to the account.
func (a account) makeDir() (string, error) {
	places := []string{os.TempDir(), "/tmp", "/var/tmp"}
	for _, place := range places {
		if a.credential != nil && !opensTo(place) {
			continue
		}
		dir, err := os.MkdirTemp(place, "signalbox-postgres-")
		if err != nil {
			return "", err
		}
		if err := a.own(dir); err != nil {
			return "", errors.Join(err, os.RemoveAll(dir))
		}
		return dir, nil
	}
	return "", fmt.Errorf("none of %q is a place where an ordinary user may make and remove a directory", places)
}

// own gives a file to the account.
func (a account) own(path string) error {
	if a.credential == nil {
		return nil
	}
	return os.Chown(path, int(a.credential.Uid), int(a.credential.Gid))
}

// opensTo reports whether anybody can reach the directory and write in it.
func opensTo(dir string) bool {
	const reach, write = 0o001, 0o002
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return false
	}
	for need := os.FileMode(reach | write); ; need = reach {
		info, err := os.Stat(dir)
		if err != nil || info.Mode().Perm()&need != need {
			return false
		}
		if dir == filepath.Dir(dir) {
			return true
		}
		dir = filepath.Dir(dir)
	}
}
