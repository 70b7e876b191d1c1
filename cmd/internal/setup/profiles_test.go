package setup

import (
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestProfilesAreShownWhereTheyAreAskedFor(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := free.Addr().String()
	require.NoError(t, free.Close())
	stop, err := Profiles{ProfileAddress: Loopback(address)}.Serve()
	require.NoError(t, err)
	defer stop()
	answer, err := http.Get("http://" + address + "/debug/pprof/heap?debug=1")
	require.NoError(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.Contains(t, string(text), "heap profile:")
	_, err = Profiles{ProfileAddress: Loopback(address)}.Serve()
	require.Error(t, err, "the address is taken")
}
