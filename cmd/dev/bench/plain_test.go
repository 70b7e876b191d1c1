package bench

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// The engine's own price: a workflow that does nothing but be updated three times, and what its callers do with it.
const (
	plainQueue    = "plain"
	plainWorkflow = "Plain"
	plainUpdate   = "step"
)

// plain is over after so many updates.
func plain(ctx workflow.Context, updates int) error {
	done := 0
	err := workflow.SetUpdateHandler(ctx, plainUpdate, func(workflow.Context, string) (int, error) {
		done++
		return done, nil
	})
	if err != nil {
		return err
	}
	return workflow.Await(ctx, func() bool { return done == updates })
}

// plainTelling is plain after four updates, with an activity that tells an address after the first and one after the last.
func plainTelling(ctx workflow.Context, address string) error {
	done, told := 0, 0
	err := workflow.SetUpdateHandler(ctx, plainUpdate, func(workflow.Context, string) (int, error) {
		done++
		return done, nil
	})
	if err != nil {
		return err
	}
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
	for told < 2 {
		if err := workflow.Await(ctx, func() bool { return done >= 1+3*told }); err != nil {
			return err
		}
		if err := workflow.ExecuteActivity(ctx, tell, address).Get(ctx, nil); err != nil {
			return err
		}
		told++
	}
	return nil
}

// tell makes one request.
func tell(ctx context.Context, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(`{"id":"x","type":"status","details":{"from":"OPEN","to":"CLOSED"}}`))
	if err != nil {
		return err
	}
	answer, err := keeping.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}

func servePlain() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	showProfiles()
	c, err := client.Dial(client.Options{HostPort: os.Getenv(temporalVariable), Namespace: namespace, Logger: quiet{}})
	if err != nil {
		return err
	}
	defer c.Close()
	w := worker.New(c, plainQueue, worker.Options{})
	w.RegisterWorkflowWithOptions(plain, workflow.RegisterOptions{Name: plainWorkflow})
	w.RegisterWorkflow(plainTelling)
	w.RegisterActivity(tell)
	if err := w.Start(); err != nil {
		return err
	}
	<-ctx.Done()
	w.Stop()
	return nil
}

// startPlain starts one, and gives its id.
func (m *machine) startPlain(ctx context.Context, updates int) (string, error) {
	id := "plain:" + uuid.NewString()
	_, err := m.engine.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: id, TaskQueue: plainQueue}, plainWorkflow, updates)
	return id, err
}

// stepPlain makes one update and waits for its result.
func (m *machine) stepPlain(ctx context.Context, id string) error {
	handle, err := m.engine.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{WorkflowID: id, UpdateID: uuid.NewString(), UpdateName: plainUpdate, Args: []any{"li"},
		WaitForStage: client.WorkflowUpdateStageCompleted})
	if err != nil {
		return err
	}
	var n int
	return handle.Get(ctx, &n)
}

// plainLifecycle is start and three updates.
func (m *machine) plainLifecycle(ctx context.Context) error {
	id, err := m.startPlain(ctx, 3)
	for i := 0; i < 3 && err == nil; i++ {
		err = m.stepPlain(ctx, id)
	}
	return err
}

// plainTold is start and four updates of the one that tells.
func (m *machine) plainTold(ctx context.Context, address string) error {
	id := "plain:" + uuid.NewString()
	_, err := m.engine.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: id, TaskQueue: plainQueue}, plainTelling, address)
	for i := 0; i < 4 && err == nil; i++ {
		err = m.stepPlain(ctx, id)
	}
	return err
}

// quiet is a logger that says nothing.
type quiet struct{}

// Debug says nothing.
func (quiet) Debug(string, ...any) {}

// Info says nothing.
func (quiet) Info(string, ...any) {}

// Warn says nothing.
func (quiet) Warn(string, ...any) {}

// Error tells what went wrong.
func (quiet) Error(text string, more ...any) {
	fmt.Fprintln(os.Stderr, time.Now().Format("15:04:05"), text, more)
}
