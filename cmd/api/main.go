// Command api serves the REST families. Settings come from the environment; -help prints them.
package main

import (
	"context"
	"fmt"
	"net"
	"os"

	"signalbox/cmd/internal/setup"
)

func main() {
	setup.Main("api", setup.UntilEnded(func(ctx context.Context) error {
		var s setup.API
		if done, err := setup.Load("api", os.Args[1:], &s, os.Stdout); done || err != nil {
			return err
		}
		log := setup.Log(s.LogLevel, "api")
		s.Base.Connections = s.DatabaseConnections
		container, err := s.Base.Open(ctx, log)
		if err != nil {
			return err
		}
		defer container.Close()
		if err := container.EnsureBootstrap(ctx, s.BootstrapApp); err != nil {
			return err
		}
		server, err := container.API(s.APISettings, setup.Metrics(), log)
		if err != nil {
			return err
		}
		log.Info("api.serving", "address", s.HTTPAddress)
		listener, err := net.Listen("tcp", s.HTTPAddress)
		if err != nil {
			return err
		}
		if err := setup.Serve(ctx, server, listener); err != nil {
			return fmt.Errorf("serve on %s: %w", s.HTTPAddress, err)
		}
		return nil
	}))
}
