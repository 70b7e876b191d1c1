package embedded

import (
	"context"
	"fmt"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// awaitFrontend returns once the namespace can be read and a workflow can be looked for, which takes the frontend, the
// history service and the database together.
func awaitFrontend(ctx context.Context, hostPort, namespace string) error {
	conn, err := grpc.NewClient("passthrough:///"+hostPort, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return fmt.Errorf("dial the frontend: %w", err)
	}
	defer func() { _ = conn.Close() }()
	frontend := workflowservice.NewWorkflowServiceClient(conn)

	return await(ctx, "Temporal frontend", func(ctx context.Context) error {
		if _, err := frontend.DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: namespace}, grpc.WaitForReady(true)); err != nil {
			return err
		}
		_, err := frontend.DescribeWorkflowExecution(ctx, &workflowservice.DescribeWorkflowExecutionRequest{
			Namespace: namespace,
			Execution: &commonpb.WorkflowExecution{WorkflowId: "signalbox-no-such-workflow"},
		})
		if status.Code(err) == codes.NotFound {
			return nil
		}
		return err
	})
}

// await tries until ready returns nil or the context ends; then the error carries the last reason.
func await(ctx context.Context, what string, ready func(context.Context) error) error {
	const first, most = 5 * time.Millisecond, 100 * time.Millisecond
	for pause := first; ; pause = min(2*pause, most) {
		attempt, cancel := context.WithTimeout(ctx, time.Second)
		err := ready(attempt)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w (last: %w)", what, ctx.Err(), err)
		case <-time.After(pause):
		}
	}
}
