// Package waitingtest runs the tests of packages in which they wait, for servers, deadlines and each other, more than they compute.
package waitingtest

import (
	"flag"
	"testing"
)

// Main is for TestMain: it runs the tests, eight of those that may run beside others at once, also where there are fewer processors. Whoever says
// -parallel is heard.
func Main(m *testing.M) {
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err) // there is no such flag: it is not called from TestMain
	}
	m.Run()
}
