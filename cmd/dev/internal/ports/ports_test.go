package ports

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFreePortsDifferAndCanBeListenedOn(t *testing.T) {
	found, err := Free(5)
	require.NoError(t, err)
	seen := map[int]bool{}
	for _, port := range found {
		require.False(t, seen[port], "port %d twice", port)
		seen[port] = true
		l, err := net.Listen("tcp", Address(port))
		require.NoError(t, err)
		defer l.Close()
	}
	require.ErrorContains(t, Check(found[0]), "in use")
}
