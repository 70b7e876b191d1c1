// Package worker says who hosts what: which task queues a process serves, with which options, and what is registered where.
package worker

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/client"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"signalbox/activities"
	"signalbox/workflows"
)

// Options choose what a process hosts.
type Options struct {
	Queues     []string // of workflows.QueueTickets and workflows.QueueDeliveries
	Activities *activities.Activities
	Deliveries *activities.Deliveries
	Keeping    *activities.Keeping
	// Versioning is on when both are set: tickets move to a new build by themselves, lanes stay with the one they began on.
	DeploymentName, BuildID string
}

// Workers are the workers of one process.
type Workers []sdkworker.Worker

// stopWithin is how long running activities may go on when a worker stops: as long as a delivery may take, so that none is broken off and
// sent a second time.
const stopWithin = 15 * time.Second

// New makes the workers for the queues, not started yet.
func New(c client.Client, o Options) (Workers, error) {
	if err := CheckQueues(o.Queues); err != nil {
		return nil, err
	}
	var out Workers
	for _, queue := range o.Queues {
		options := sdkworker.Options{WorkerStopTimeout: stopWithin}
		if o.DeploymentName != "" && o.BuildID != "" {
			options.DeploymentOptions = sdkworker.DeploymentOptions{
				UseVersioning: true,
				Version:       sdkworker.WorkerDeploymentVersion{DeploymentName: o.DeploymentName, BuildID: o.BuildID},
			}
		}
		w := sdkworker.New(c, queue, options)
		hosts[queue](w, o)
		out = append(out, w)
	}
	return out, nil
}

// CheckQueues tells what is wrong with a choice of queues.
func CheckQueues(queues []string) error {
	if len(queues) == 0 {
		return fmt.Errorf("no queue to serve; name %s or %s", workflows.QueueTickets, workflows.QueueDeliveries)
	}
	for i, queue := range queues {
		if _, ok := hosts[queue]; !ok {
			return fmt.Errorf("there is no queue %q; there are %s and %s", queue, workflows.QueueTickets, workflows.QueueDeliveries)
		}
		if slices.Contains(queues[:i], queue) {
			return fmt.Errorf("queue %q is named twice", queue)
		}
	}
	return nil
}

// Start starts them all, or none.
func (w Workers) Start() error {
	for i, worker := range w {
		if err := worker.Start(); err != nil {
			w[:i].Stop()
			return fmt.Errorf("start worker: %w", err)
		}
	}
	return nil
}

// Stop lets running tasks finish and returns.
func (w Workers) Stop() {
	for _, worker := range slices.Backward(w) {
		worker.Stop()
	}
}

// hosts is the one place that registers anything.
var hosts = map[string]func(sdkworker.Worker, Options){
	workflows.QueueTickets: func(w sdkworker.Worker, o Options) {
		w.RegisterWorkflowWithOptions(workflows.Ticket, upgrading)
		w.RegisterActivity(o.Activities)
	},
	workflows.QueueDeliveries: func(w sdkworker.Worker, o Options) {
		w.RegisterWorkflowWithOptions(workflows.Deliveries, upgrading)
		w.RegisterWorkflowWithOptions(workflows.Sweep, upgrading)
		w.RegisterWorkflowWithOptions(workflows.Prune, upgrading)
		w.RegisterWorkflowWithOptions(workflows.Redeliver, upgrading)
		w.RegisterWorkflowWithOptions(workflows.Lane, workflow.RegisterOptions{VersioningBehavior: workflow.VersioningBehaviorPinned})
		w.RegisterActivity(o.Activities)
		w.RegisterActivity(o.Deliveries)
		w.RegisterActivity(o.Keeping)
	},
}

var upgrading = workflow.RegisterOptions{VersioningBehavior: workflow.VersioningBehaviorAutoUpgrade}
