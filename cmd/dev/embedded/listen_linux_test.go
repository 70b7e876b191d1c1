package embedded

import (
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNothingListensBeyondLoopback(t *testing.T) {
	before := listening(t)
	start(t, Options{UIPort: AnyPort})
	var added []string
	for _, address := range listening(t) {
		if !slices.Contains(before, address) {
			added = append(added, address)
		}
	}
	require.Len(t, added, 5, "four services and the web UI")
	for _, address := range added {
		require.True(t, strings.HasPrefix(address, "127.0.0.1:"), "%s is open to the network", address)
	}
}

// listening returns the addresses of all TCP sockets on which this process listens, from the kernel's own tables.
func listening(t *testing.T) []string {
	t.Helper()
	open, err := filepath.Glob("/proc/self/fd/*")
	require.NoError(t, err)
	mine := map[string]bool{}
	for _, fd := range open {
		if target, err := os.Readlink(fd); err == nil {
			if inode, ok := strings.CutPrefix(target, "socket:["); ok {
				mine[strings.TrimSuffix(inode, "]")] = true
			}
		}
	}

	const listen = "0A"
	var found []string
	for _, table := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		text, err := os.ReadFile(table)
		if os.IsNotExist(err) {
			continue
		}
		require.NoError(t, err)
		for _, line := range strings.Split(string(text), "\n")[1:] {
			field := strings.Fields(line)
			if len(field) > 9 && field[3] == listen && mine[field[9]] {
				found = append(found, readable(t, field[1]))
			}
		}
	}
	return found
}

// readable turns the kernel's "0100007F:1F90" into "127.0.0.1:8080".
func readable(t *testing.T, kernel string) string {
	t.Helper()
	host, port, _ := strings.Cut(kernel, ":")
	ip, err := hex.DecodeString(host)
	require.NoError(t, err)
	// Written by the kernel as little-endian words of four bytes.
	for word := range slices.Chunk(ip, 4) {
		slices.Reverse(word)
	}
	var number int
	_, err = fmt.Sscanf(port, "%X", &number)
	require.NoError(t, err)
	return net.JoinHostPort(net.IP(ip).String(), fmt.Sprint(number))
}
