package embedded

import (
	"context"
	"fmt"
	"net/http"

	uiserver "github.com/temporalio/ui-server/v2/server"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	uioptions "github.com/temporalio/ui-server/v2/server/server_options"

	"signalbox/cmd/dev/internal/ports"
)

// webUI is Temporal's web UI, served from the module's own assets.
type webUI struct {
	address string
	server  *uiserver.Server
}

// startUI serves in the background. The port must have been checked: the UI ends the process when it cannot listen.
func startUI(port int, frontend string, o Options) *webUI {
	ui := &webUI{
		address: "http://" + ports.Address(port),
		server: uiserver.NewServer(uioptions.WithConfigProvider(&uiconfig.Config{
			Host:                ports.Loopback,
			Port:                port,
			TemporalGRPCAddress: frontend,
			DefaultNamespace:    o.Namespace,
			EnableUI:            true,
			HideLogs:            true,
			DisableNewsFetch:    true,
			// Loopback is plain HTTP, over which a browser would not send a secure cookie back.
			CORS:  uiconfig.CORS{CookieInsecure: true},
			Codec: uiconfig.Codec{Endpoint: o.CodecEndpoint, IncludeCredentials: true, DefaultErrorMessage: "Encrypted. Sign in to read it:", DefaultErrorLink: o.SignIn},
		})),
	}
	go func() { _ = ui.server.Start() }()
	return ui
}

func (u *webUI) await(ctx context.Context) error {
	return await(ctx, "Temporal web UI", func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.address+"/healthz", nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer func() { _ = response.Body.Close() }()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("answered %s", response.Status)
		}
		return nil
	})
}

func (u *webUI) stop() { u.server.Stop() }
