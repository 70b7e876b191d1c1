// Package testmain is what TestMain calls: it says how the tests of a package are run where that makes them quicker.
package testmain

import (
	"flag"
	"os"
	"runtime/debug"
	"testing"
)

// garbage is how much garbage may lie about beside what is in use, in percent of that, before it is collected. Tests have little in use and make much: by Go's own
// hundred they collect all the time.
const garbage = 800

// Computing runs tests that compute more than they wait. Whoever sets GOGC is heard.
func Computing(m *testing.M) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
	m.Run()
}

// Waiting is Computing for tests that wait, for servers, deadlines and each other, more than they compute: eight of those that may run beside others are at work at once, also
// where there are fewer processors. Whoever says -parallel is heard.
func Waiting(m *testing.M) {
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err) // there is no such flag: it is not called from TestMain
	}
	Computing(m)
}
