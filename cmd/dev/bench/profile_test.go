package bench

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/stretchr/testify/require"
)

// profile takes CPU profiles of our programs from now on for as long as a side is measured, where a folder for them is set and has none of that side
// yet. What it gives waits until they are written.
func (b *bench) profile(side string) (wait func()) {
	dir := os.Getenv(profilesVariable)
	if dir == "" {
		return func() {}
	}
	require.NoError(b, os.MkdirAll(dir, 0o755))
	var group sync.WaitGroup
	for program, address := range b.profiles {
		file := filepath.Join(dir, strings.ReplaceAll(side, " ", "-")+"."+program+".pprof")
		if _, err := os.Stat(file); err == nil {
			continue
		}
		group.Go(func() {
			answer, err := http.Get(fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", address, max(1, int(b.length.Seconds()))))
			if err != nil {
				b.Errorf("profile of %s: %v", program, err)
				return
			}
			defer answer.Body.Close()
			raw, err := io.ReadAll(answer.Body)
			if err == nil {
				err = os.WriteFile(file, raw, 0o644)
			}
			if err != nil {
				b.Errorf("profile of %s: %v", program, err)
			}
		})
	}
	return group.Wait
}
