package e2e

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/cmd/dev/e2e/harness"
)

// TestWhoIsToldToEndWhileStartingEnds has the programs that serve wait for a database that takes connections and never answers. Being told to end then
// is no failure, to whoever looks at exit codes.
func TestWhoIsToldToEndWhileStartingEnds(t *testing.T) {
	t.Parallel()
	key := make([]byte, 32)
	_, err := rand.Read(key)
	require.NoError(t, err)
	for _, name := range []string{"api", "worker"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			silent, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			t.Cleanup(func() { _ = silent.Close() })
			called := make(chan net.Conn, 100)
			go func() {
				for {
					conn, err := silent.Accept()
					if err != nil {
						return
					}
					called <- conn
				}
			}()
			address := fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t))
			p := harness.Start(t, harness.Command{Path: binary(t, name), Env: []string{
				"SIGNALBOX_DATABASE_URL=postgres://nobody@" + silent.Addr().String() + "/none?sslmode=disable",
				"SIGNALBOX_MASTER_KEY=" + base64.StdEncoding.EncodeToString(key),
				"SIGNALBOX_HTTP_ADDRESS=" + address, "SIGNALBOX_WORKER_HTTP_ADDRESS=" + address,
			}})
			select {
			case conn := <-called:
				t.Cleanup(func() { _ = conn.Close() })
			case <-time.After(time.Minute):
				t.Fatal("the database was not called")
			}
			require.Zero(t, p.Terminate(time.Minute), p.Logs())
			require.Contains(t, p.Logs(), "told to end: ")
		})
	}
}
