package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Source gives a folder with what a commit or tag of the repository around dir holds, for Build. It is the same folder for the same commit, so that what was compiled there is not compiled again;
// it lies in the user's cache, and may be deleted. Where the repository does not have the commit, the test fails if CI is set and is skipped otherwise, with a line that says how to get it.
func Source(t testing.TB, dir, revision string) string {
	t.Helper()
	commit, err := git(dir, "rev-parse", "--verify", "--quiet", revision+"^{commit}")
	if err != nil {
		missing := fmt.Sprintf("this repository does not have %s; it may be shallow: git fetch --depth=1 origin %s", revision, revision)
		if os.Getenv("CI") != "" {
			t.Fatal(missing)
		}
		t.Skipf("*** NOT TESTED: %s ***", missing)
	}
	source, err := unpack(dir, commit)
	if err != nil {
		t.Fatalf("the source of %s: %v", revision, err)
	}
	return source
}

var unpacking sync.Mutex

// unpack gives the folder of a commit, and makes it where there is none. Processes that do so at once each make one and keep the first that is whole.
func unpack(dir, commit string) (string, error) {
	unpacking.Lock()
	defer unpacking.Unlock()
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	all := filepath.Join(cache, "signalbox-e2e")
	source := filepath.Join(all, commit)
	if _, err := os.Stat(source); err == nil {
		return source, nil
	}
	if err := os.MkdirAll(all, 0o700); err != nil {
		return "", err
	}
	made, err := os.MkdirTemp(all, "unfinished-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(made)
	archive := filepath.Join(made, "source.tar")
	if _, err := git(dir, "archive", "--output="+archive, commit); err != nil {
		return "", err
	}
	tree := filepath.Join(made, "tree")
	if err := os.Mkdir(tree, 0o700); err != nil {
		return "", err
	}
	if out, err := exec.Command("tar", "-xf", archive, "-C", tree).CombinedOutput(); err != nil {
		return "", fmt.Errorf("tar: %w\n%s", err, out)
	}
	if err := os.Rename(tree, source); err != nil {
		if _, there := os.Stat(source); there != nil {
			return "", err
		}
	}
	return source, nil
}

func git(dir string, args ...string) (string, error) {
	command := exec.Command("git", args...)
	command.Dir = dir
	out, err := command.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("git %s: %w\n%s", args[0], err, out)
	}
	return strings.TrimSpace(string(out)), nil
}
