//go:build !unix

package postgrestest

import (
	"os"
	"os/exec"
)

var immediateStop = os.Kill

type account struct{}

func serverUser() (account, error) { return account{}, ErrNoPostgreSQL }

func (account) command(_, path string, args ...string) *exec.Cmd { return exec.Command(path, args...) }
func (account) makeDir() (string, error)                         { return "", ErrNoPostgreSQL }
func (account) own(string) error                                 { return ErrNoPostgreSQL }
