// Command api serves the REST families. Settings come from the environment; -help prints them.
package main

import (
	"context"
	"fmt"
	"os"

	"signalbox/cmd/internal/setup"
)

func main() {
	setup.Main("api", setup.UntilEnded(func(ctx context.Context) error {
		var s setup.API
		if done, err := setup.Load("api", os.Args[1:], &s, os.Stdout); done || err != nil {
			return err
		}
		log, traces := setup.StartTraces("api", setup.Log(s.LogLevel, "api"))
		defer traces.Stop()
		// At once: where the address is taken, that is all there is to say, and whoever asks meanwhile hears that the process is up.
		lobby, err := setup.OpenLobby(s.HTTPAddress)
		if err != nil {
			return fmt.Errorf("serve on %s: %w", s.HTTPAddress, err)
		}
		defer lobby.Close()
		stop, err := s.Profiles.Serve()
		if err != nil {
			return err
		}
		defer stop()
		s.Base.Connections, s.Base.Patient, s.Base.Tracer = s.DatabaseConnections, true, traces.Tracer()
		container, err := s.Base.Open(ctx, log)
		if err != nil {
			return err
		}
		defer container.Close()
		if err := container.EnsureBootstrap(ctx, s.BootstrapApp); err != nil {
			return err
		}
		metrics := setup.Metrics("api")
		container.Measure(metrics)
		server, err := container.API(s.APISettings, metrics, log)
		if err != nil {
			return err
		}
		listener, err := lobby.Leave()
		if err != nil {
			return err
		}
		log.InfoContext(ctx, "api.serving", "address", s.HTTPAddress)
		if err := setup.Serve(ctx, server, listener, s.StopDelay); err != nil {
			return fmt.Errorf("serve on %s: %w", s.HTTPAddress, err)
		}
		return nil
	}))
}
