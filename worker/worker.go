// Package worker says who hosts what: which task queues a process serves, with which options, and what is registered where.
package worker

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
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
	Retention  *activities.Retention
	Attendant  *activities.Attendant // nil: nobody tells tickets who is absent here
	Comparer   *activities.Comparer  // nil: nobody compares the two stores here
	Pages      workflows.Pages       // that what Temporal shows leads to
	// Versioning is on when both are set: tickets move to a new build by themselves, lanes stay with the one they began on.
	DeploymentName, BuildID string
}

// Workers are the workers of one process.
type Workers []sdkworker.Worker

// StopTimeout is how long running activities may go on when a worker stops: as long as a delivery may take, so that none is broken off and
// sent a second time.
const StopTimeout = 15 * time.Second

// sticky is how long a task waits for the worker that remembers its workflow before any other may have it: that one may have died. Temporal's own 5 s
// would be the caller's to wait.
const sticky = time.Second

// pollers keep both of a worker's queues polled, its own and the one it shares. Left to themselves, the two pollers that are usual both go to
// the first when that has a backlog, and what comes to the other, such as twenty questions to a ticket that has just ended, waits for five
// seconds.
var pollers = sdkworker.NewPollerBehaviorAutoscaling(sdkworker.PollerBehaviorAutoscalingOptions{})

// New makes the workers for the queues, not started yet.
func New(c client.Client, o Options) (Workers, error) {
	if err := CheckQueues(o.Queues); err != nil {
		return nil, err
	}
	var out Workers
	for _, queue := range o.Queues {
		tuner, err := slots()
		if err != nil {
			return nil, err
		}
		options := sdkworker.Options{Tuner: tuner, WorkerStopTimeout: StopTimeout, WorkflowTaskPollerBehavior: pollers, StickyScheduleToStartTimeout: sticky}
		if o.versioned() {
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

// Stop takes no more tasks, lets running ones finish and returns. A server that can do so (frontend.enableCancelWorkerPollsOnShutdown) ends the polls, so that no
// task is handed to a worker that is gone; one that does not answer would have us wait for the end of each poll, and is waited for no longer than tasks are.
func (w Workers) Stop() {
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		var all sync.WaitGroup
		for _, worker := range w {
			all.Go(worker.Stop)
		}
		all.Wait()
	}()
	select {
	case <-stopped:
	case <-time.After(StopTimeout + stopGrace):
	}
}

// stopGrace is for what stopping takes beside tasks.
const stopGrace = 5 * time.Second

// hosts is the one place that registers anything.
var hosts = map[string]func(sdkworker.Worker, Options){
	workflows.QueueTickets: func(w sdkworker.Worker, o Options) {
		w.RegisterWorkflowWithOptions(o.Pages.TicketWorkflow, named(workflows.TypeTicket, o.upgrading()))
		w.RegisterActivity(o.Activities)
	},
	workflows.QueueDeliveries: func(w sdkworker.Worker, o Options) {
		w.RegisterWorkflowWithOptions(workflows.Deliveries, o.upgrading())
		w.RegisterWorkflowWithOptions(workflows.Sweep, o.upgrading())
		w.RegisterWorkflowWithOptions(workflows.Prune, o.upgrading())
		w.RegisterWorkflowWithOptions(workflows.Compare, o.upgrading())
		w.RegisterWorkflowWithOptions(workflows.Attend, o.upgrading())
		w.RegisterWorkflowWithOptions(workflows.Redeliver, o.upgrading())
		w.RegisterWorkflowWithOptions(o.Pages.LaneWorkflow, named(workflows.TypeLane, o.behaving(workflow.VersioningBehaviorPinned)))
		w.RegisterActivity(o.Activities) // on this queue too: Sweep runs here, and has Settle done where it runs
		w.RegisterActivity(o.Deliveries)
		w.RegisterActivityWithOptions(o.Deliveries.Reconcile, activity.RegisterOptions{Name: activities.NameReconcile})
		w.RegisterActivity(o.Retention)
		if o.Comparer != nil {
			w.RegisterActivity(o.Comparer)
		}
		if o.Attendant != nil {
			w.RegisterActivity(o.Attendant)
		}
	},
}

func named(name string, o workflow.RegisterOptions) workflow.RegisterOptions {
	o.Name = name
	return o
}

func (o Options) versioned() bool { return o.DeploymentName != "" && o.BuildID != "" }

func (o Options) upgrading() workflow.RegisterOptions {
	return o.behaving(workflow.VersioningBehaviorAutoUpgrade)
}

// behaving says how running workflows move between builds. A worker that is not versioned must not say so: the server would hold the workflow
// for versioned, and let its tasks wait five seconds for a worker that does not exist.
func (o Options) behaving(b workflow.VersioningBehavior) workflow.RegisterOptions {
	if !o.versioned() {
		return workflow.RegisterOptions{}
	}
	return workflow.RegisterOptions{VersioningBehavior: b}
}
