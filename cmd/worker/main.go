// Command worker hosts workflows and activities. Which task queues it serves is a setting, so that tickets and deliveries scale apart.
// Settings come from the environment; -help prints them.
package main

import (
	"context"
	"os"
	"slices"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"signalbox/cmd/internal/setup"
	"signalbox/workflows"
)

func main() {
	setup.Main("worker", setup.UntilEnded(func(ctx context.Context) error {
		var s setup.Worker
		if done, err := setup.Load("worker", os.Args[1:], &s, os.Stdout); done || err != nil {
			return err
		}
		log, traces := setup.StartTraces("worker", setup.Log(s.LogLevel, "worker"))
		defer traces.Stop()
		health, err := setup.ServeHealth(s.WorkerHTTPAddress)
		if err != nil {
			return err
		}
		defer health.Stop()
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
		metrics := setup.Metrics("worker")
		container.Measure(metrics)
		health.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
		workers, err := container.Workers(s.WorkerSettings, s.Partitions, metrics, log)
		if err != nil {
			return err
		}
		if err := container.AwaitTemporal(ctx, log); err != nil {
			return err
		}
		if err := workers.Start(); err != nil {
			return err
		}
		defer workers.Stop()
		if slices.Contains(s.WorkerQueues, workflows.QueueDeliveries) {
			if err := container.EnsureSchedules(ctx, s.WorkerSettings, log); err != nil {
				return err
			}
		}
		health.Ready(container.Ready)
		log.InfoContext(ctx, "worker.serving", "queues", s.WorkerQueues)
		<-ctx.Done()
		health.Drain() // before the queues are left, which takes as long as what is under way
		return nil
	}))
}
