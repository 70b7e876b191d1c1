package sdkhmac

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signalbox/api"
	"signalbox/desk"
	"signalbox/ticket"
)

// keys are apps by code, each with its secrets.
type keys map[string][]string

func (k keys) Secrets(_ context.Context, code string) (desk.App, []string, error) {
	switch secrets, ok := k[code]; {
	case code == "down":
		return desk.App{}, nil, errors.New("the database does not answer")
	case ok:
		return desk.App{Code: code, Tenant: "north"}, secrets, nil
	}
	return desk.App{}, nil, ticket.Refuse(ticket.Unauthorized, "there is no such app")
}

func (k keys) BySecret(context.Context, string) (desk.App, error)       { panic("not asked") }
func (k keys) ByCode(context.Context, string, string) (desk.App, error) { panic("not asked") }

// ask sends raw bytes to a real server and gives its answer: who called, or why nobody is known.
func ask(t *testing.T, apps api.Apps, at time.Time, raw []byte) (int, string) {
	t.Helper()
	authenticate := Authenticator(apps, func() time.Time { return at })
	app := fiber.New(fiber.Config{Immutable: true, DisableStartupMessage: true})
	app.All("/*", func(c *fiber.Ctx) error {
		caller, known, err := authenticate(c)
		switch {
		case ticket.Is(err, ticket.Unauthorized):
			return c.Status(http.StatusUnauthorized).SendString(ticket.AsError(err).Error())
		case err != nil:
			return c.Status(http.StatusServiceUnavailable).SendString(err.Error())
		case !known:
			return c.Status(http.StatusNoContent).SendString("")
		}
		return c.SendString(caller.Code)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go app.Listener(listener)
	defer app.Shutdown()
	conn, err := net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = conn.Write(raw)
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(body)
}

func TestAuthenticatorKnowsWhatTheSDKSendsOverTheWire(t *testing.T) {
	for name, g := range goldens(t, "accepted") {
		t.Run(name, func(t *testing.T) {
			apps := keys{"test-ak": {"another secret", g.secret}}
			status, answer := ask(t, apps, g.at, g.raw)
			assert.Equal(t, http.StatusOK, status, answer)
			assert.Equal(t, "test-ak", answer)

			status, answer = ask(t, keys{"test-ak": {"another secret"}}, g.at, g.raw)
			assert.Equal(t, http.StatusUnauthorized, status)
			assert.Equal(t, "Authorization: the signature does not fit the request", answer)

			status, same := ask(t, keys{}, g.at, g.raw)
			assert.Equal(t, http.StatusUnauthorized, status)
			assert.Equal(t, answer, same, "which codes there are is not told")

			status, _ = ask(t, apps, g.at.Add(time.Hour), g.raw)
			assert.Equal(t, http.StatusUnauthorized, status)

			status, _ = ask(t, apps, g.at, bytes.Replace(g.raw, []byte("Access=test-ak"), []byte("Access=down"), 1))
			assert.Equal(t, http.StatusServiceUnavailable, status, "that it cannot be told is not a refusal")

			for _, garbage := range []string{"", "=,;", "Access=test-ak", "Access=test-ak, SignedHeaders=x-sdk-date, Signature=00"} {
				signed := g.http.Header.Get("Authorization")
				status, _ = ask(t, apps, g.at, bytes.Replace(g.raw, []byte(signed), []byte(Algorithm+" "+garbage), 1))
				assert.Equal(t, http.StatusUnauthorized, status, garbage)
			}
		})
	}
}

func TestAuthenticatorLeavesOtherCredentialsToOthers(t *testing.T) {
	for _, header := range []string{"", "Authorization: Bearer x\r\n", "Authorization: SDK-HMAC-SM3 Access=a\r\n", "X-Auth-Token: x\r\n"} {
		status, answer := ask(t, keys{}, time.Now(), []byte("GET / HTTP/1.1\r\nHost: x\r\n"+header+"\r\n"))
		assert.Equal(t, http.StatusNoContent, status, answer)
	}
}
