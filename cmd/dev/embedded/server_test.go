package embedded

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

var (
	stage   = temporal.NewSearchAttributeKeyKeyword("Stage")
	service = temporal.NewSearchAttributeKeyKeyword("Service")
)

const queue = "embedded-test"

// waiter shows its stage in a search attribute, remembers every note sent to it and ends on "end".
func waiter(ctx workflow.Context) ([]string, error) {
	if err := workflow.UpsertTypedSearchAttributes(ctx, stage.ValueSet("waiting")); err != nil {
		return nil, err
	}
	var notes []string
	if err := workflow.SetUpdateHandler(ctx, "note", func(_ workflow.Context, note string) error {
		notes = append(notes, note)
		return nil
	}); err != nil {
		return nil, err
	}
	workflow.GetSignalChannel(ctx, "end").Receive(ctx, nil)
	return notes, nil
}

func start(t *testing.T, o Options) *Server {
	t.Helper()
	began := time.Now()
	s, err := Start(t.Context(), o)
	require.NoError(t, err)
	t.Logf("ready after %s", time.Since(began).Round(time.Millisecond))
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func connect(t *testing.T, hostPort string) client.Client {
	t.Helper()
	c, err := client.Dial(client.Options{HostPort: hostPort, Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func work(t *testing.T, c client.Client) worker.Worker {
	t.Helper()
	w := worker.New(c, queue, worker.Options{})
	w.RegisterWorkflow(waiter)
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
	return w
}

func tryNote(c client.Client, workflowID, text string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	handle, err := c.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: workflowID, UpdateName: "note", Args: []any{text}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err != nil {
		return err
	}
	return handle.Get(ctx, nil)
}

func withStage() Options {
	return Options{SearchAttributes: map[string]enumspb.IndexedValueType{stage.GetName(): enumspb.INDEXED_VALUE_TYPE_KEYWORD}}
}

func TestFileKeepsWorkflowsAcrossClose(t *testing.T) {
	o := withStage()
	// A directory that does not exist and characters that mean something in an SQLite address.
	o.DataFile = filepath.Join(t.TempDir(), "made for us", "50%?#.db")

	first := start(t, o)
	c := connect(t, first.HostPort())
	w := work(t, c)
	_, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "kept", TaskQueue: queue}, waiter)
	require.NoError(t, err)
	require.NoError(t, tryNote(c, "kept", "before"))
	w.Stop()

	began := time.Now()
	require.NoError(t, first.Close())
	require.Less(t, time.Since(began), closeWithin+20*time.Second, "it waits for what it does not close itself")
	t.Logf("closed after %s", time.Since(began).Round(time.Millisecond))
	_, err = net.Dial("tcp", first.HostPort())
	require.Error(t, err, "the frontend still listens")

	// The second start also wants one search attribute more and another retention.
	o.Retention = 100 * time.Hour
	o.SearchAttributes[service.GetName()] = enumspb.INDEXED_VALUE_TYPE_KEYWORD
	second := start(t, o)
	c = connect(t, second.HostPort())
	work(t, c)
	require.NoError(t, tryNote(c, "kept", "after"))
	require.NoError(t, c.SignalWorkflow(t.Context(), "kept", "", "end", nil))
	var notes []string
	require.NoError(t, c.GetWorkflow(t.Context(), "kept", "").Get(t.Context(), &notes))
	require.Equal(t, []string{"before", "after"}, notes)

	namespace, err := c.WorkflowService().DescribeNamespace(t.Context(), &workflowservice.DescribeNamespaceRequest{Namespace: "default"})
	require.NoError(t, err)
	require.Equal(t, 100*time.Hour, namespace.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration())
	_, err = c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: "labelled", TaskQueue: queue, TypedSearchAttributes: temporal.NewSearchAttributes(service.ValueSet("loans")),
	}, waiter)
	require.NoError(t, err)
	listed(t, c, `Service = "loans" AND Stage = "waiting"`, "labelled")
}

// listed waits until exactly these workflows match: visibility follows by a moment.
func listed(t *testing.T, c client.Client, query string, ids ...string) {
	t.Helper()
	require.EventuallyWithT(t, func(collect *assert.CollectT) {
		page, err := c.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Query: query})
		require.NoError(collect, err)
		var found []string
		for _, execution := range page.GetExecutions() {
			found = append(found, execution.GetExecution().GetWorkflowId())
		}
		require.Equal(collect, ids, found)
	}, 10*time.Second, 20*time.Millisecond)
}

func TestMemoryServesSearchAttributesAndWebUI(t *testing.T) {
	var reports bytes.Buffer
	o := withStage()
	o.UIPort = AnyPort
	o.Logger = slog.New(slog.NewTextHandler(&reports, &slog.HandlerOptions{Level: slog.LevelError}))
	s := start(t, o)
	c := connect(t, s.HostPort())
	work(t, c)
	_, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "seen", TaskQueue: queue}, waiter)
	require.NoError(t, err)
	listed(t, c, `Stage = "waiting"`, "seen")
	listed(t, c, `Stage = "gone"`)

	require.Contains(t, get(t, s.UIAddress()+"/"), "<html")
	// The UI speaks to this frontend, not merely serves pages.
	require.Contains(t, get(t, s.UIAddress()+"/api/v1/namespaces/default/workflows"), `"seen"`)

	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	require.Empty(t, reports.String(), "the server is noisy")
}

func get(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, "%s: %s", url, body)
	return string(body)
}

// childEnv names the data file in the environment of a child process, which then is a server until it is killed.
const childEnv = "EMBEDDED_TEST_CHILD_DATA"

func TestMain(m *testing.M) {
	if file := os.Getenv(childEnv); file != "" {
		o := withStage()
		o.DataFile = file
		s, err := Start(context.Background(), o)
		if err != nil {
			fmt.Println("failed:", err)
			os.Exit(1)
		}
		fmt.Println(s.HostPort())
		select {}
	}
	os.Exit(m.Run())
}

// child runs a server in a process of its own and returns its address and the means to kill it.
func child(t *testing.T, file string) (hostPort string, kill func()) {
	t.Helper()
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), childEnv+"="+file)
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	kill = func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	}
	t.Cleanup(kill)
	line := make([]byte, 200)
	n, err := out.Read(line)
	require.NoError(t, err)
	return strings.TrimSpace(string(line[:n])), kill
}

func TestKilledServerLosesNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "temporal.db")
	hostPort, kill := child(t, file)
	c := connect(t, hostPort)
	w := work(t, c)
	_, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: "survivor", TaskQueue: queue,
		// A task in flight at the kill is waited for this long afterwards.
		WorkflowTaskTimeout: time.Second,
	}, waiter)
	require.NoError(t, err)

	// Notes arrive without a pause until the server dies under them: all that were acknowledged must be there after.
	var acknowledged atomic.Int32
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for tryNote(c, "survivor", fmt.Sprint(acknowledged.Load())) == nil {
			acknowledged.Add(1)
		}
	}()
	require.Eventually(t, func() bool { return acknowledged.Load() >= 20 }, 10*time.Second, time.Millisecond)
	listed(t, c, `Stage = "waiting"`, "survivor")
	_, err = Start(t.Context(), Options{DataFile: file})
	require.ErrorContains(t, err, "another server has it open")
	kill()
	w.Stop()
	<-ended
	count := int(acknowledged.Load())
	t.Logf("%d notes acknowledged before the kill", count)

	hostPort, _ = child(t, file)
	c = connect(t, hostPort)
	work(t, c)
	require.NoError(t, c.SignalWorkflow(t.Context(), "survivor", "", "end", nil))
	var notes []string
	require.NoError(t, c.GetWorkflow(t.Context(), "survivor", "").Get(t.Context(), &notes))
	// One more may have been written and not acknowledged.
	require.GreaterOrEqual(t, len(notes), count)
	require.LessOrEqual(t, len(notes), count+1)
	for i, text := range notes {
		require.Equal(t, fmt.Sprint(i), text)
	}
}

func TestStartRefusesWhatCannotWork(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = taken.Close() }()
	port := taken.Addr().(*net.TCPAddr).Port
	garbage := filepath.Join(t.TempDir(), "garbage.db")
	require.NoError(t, os.WriteFile(garbage, bytes.Repeat([]byte("not a database "), 100), 0o600))

	for name, c := range map[string]struct {
		options Options
		says    string
	}{
		"frontend port in use": {Options{Port: port}, "Temporal frontend"},
		"web UI port in use":   {Options{UIPort: port}, "Temporal web UI"},
		"short retention":      {Options{Retention: time.Minute}, "under an hour"},
		"foreign file":         {Options{DataFile: garbage}, "not a database"},
		"reserved attribute": {Options{SearchAttributes: map[string]enumspb.IndexedValueType{
			"WorkflowId": enumspb.INDEXED_VALUE_TYPE_KEYWORD}}, "Temporal's own"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Start(t.Context(), c.options)
			require.ErrorContains(t, err, c.says)
		})
	}
}

func TestAssignKeepsColumnsAndNamesEveryFault(t *testing.T) {
	keyword, integer := enumspb.INDEXED_VALUE_TYPE_KEYWORD, enumspb.INDEXED_VALUE_TYPE_INT
	current := map[string]string{"Keyword01": "Stage", "Keyword03": "Old"}

	got, err := assign(current, map[string]enumspb.IndexedValueType{"Stage": keyword, "New": keyword, "Count": integer})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"Keyword01": "Stage", "Keyword02": "New", "Keyword03": "Old", "Int01": "Count"}, got)
	require.Len(t, current, 2, "the argument was changed")

	_, err = assign(current, map[string]enumspb.IndexedValueType{"Stage": integer, "RunId": keyword})
	require.ErrorContains(t, err, `"Stage" is Keyword already and cannot become Int`)
	require.ErrorContains(t, err, `"RunId"`)
}
