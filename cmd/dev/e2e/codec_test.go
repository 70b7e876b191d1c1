package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"

	"signalbox/cmd/dev/e2e/harness"
	"signalbox/cmd/internal/setup"
	"signalbox/desk"
	"signalbox/flow"
	"signalbox/internal/aead"
	"signalbox/store"
	"signalbox/store/vault"
	"signalbox/ticket"
	"signalbox/workflows"
)

// secretly is a process whose call fails, and whose every part tells a text.
const secretly = `
key: secretly
name: %[1]s
fields: [{key: note, name: %[1]s, type: STRING}]
nodes:
  - {id: call, name: %[1]s, type: call, call: {method: POST, url: '%[2]s', body: '"%[1]s"', retry: {attempts: 2, interval: 1s}}, processors: {persons: [%[1]s]}, next: ask}
  - {id: ask, name: %[1]s, type: task, processors: {persons: [%[1]s]}, next: over}
  - {id: over, name: End, type: end}
`

// TestTemporalHoldsCiphertext turns encrypting on over a running system and off again, and looks at everything that Temporal has.
func TestTemporalHoldsCiphertext(t *testing.T) {
	t.Parallel()
	const plain, secret = "PLAINMARKER", "SECRETMARKER"
	intervals := "SIGNALBOX_PROFILE_INTERVALS=minutely:1s"
	d := startDev(t, intervals)
	c := d.caller()
	r := harness.NewReceiver(t)
	r.Answer("/"+secret, harness.Response{Status: 500, Body: secret})
	temporal := dialTemporal(t, d.temporal, "default") // it knows no codec
	open := func(title string) string {
		return result[string](t, c.must(t, "POST", "/api/issue", map[string]any{"origin": title, "title": title, "description": title, "tag": []string{title},
			"relations": []map[string]any{{"type": "manifest", "content": []string{title}}}}))
	}
	signal := func(number, name string, payload any) {
		t.Helper()
		require.NoError(t, temporal.SignalWorkflow(t.Context(), "ticket:"+number, "", name, payload))
	}
	phase := func(number, want string) {
		t.Helper()
		harness.Until(t, number+" is "+want, time.Minute, func() error {
			if got := c.issue(t, number).Phase; got != want {
				return errors.New(got)
			}
			return nil
		})
	}
	restart := func(env ...string) {
		t.Helper()
		require.Zero(t, d.process.Terminate(time.Minute))
		kept := d.env
		d.env = append(append([]string{}, kept...), env...)
		d.start(t)
		d.env = kept
		temporal = dialTemporal(t, d.temporal, "default")
	}

	// What is there before goes on.
	before := open(plain)
	c.must(t, "POST", handlePath, incidentCall(t, "accept.json", before))
	require.Positive(t, stored(t, d, plain), "in plain it is there to be found")
	restart("SIGNALBOX_ENCRYPT_PAYLOADS=true")
	c.must(t, "POST", handlePath, incidentCall(t, "commit.json", before))
	c.must(t, "POST", handlePath, incidentCall(t, "confirm.json", before, "false", "true"))
	phase(before, "completed")

	// A generation in which every part tells the secret: opening, updates, a signal in plain from the outside, failing deliveries and calls.
	number := open(secret)
	c.register(t, number, r.URL("/"+secret))
	c.must(t, "POST", "/api/issue/"+number+"/conversation", map[string]any{"author": secret, "content": secret})
	c.must(t, "PUT", "/api/issue/"+number+"/relations/manifest", map[string]any{"content": []string{secret, "2"}})
	signal(number, "accept", workflows.AcceptSignal{Operator: "li"})
	phase(number, "acknowledged")
	r.Await(t, "/"+secret, 3, time.Minute)
	c.publish(t, fmt.Sprintf(secretly, secret, r.URL("/"+secret)))
	called := c.openService(t, "secretly", map[string]any{"note": secret})
	harness.Until(t, "the call has failed", time.Minute, func() error {
		for _, h := range c.happened(t, called) {
			if strings.HasPrefix(h, flow.CallFailed) {
				return nil
			}
		}
		return fmt.Errorf("%v", c.happened(t, called))
	})
	details, err := temporal.QueryWorkflow(t.Context(), "ticket:"+number, "", "__temporal_workflow_metadata")
	require.NoError(t, err)
	require.Error(t, details.Get(new(map[string]any)), "what the web UI asks for is encrypted too")

	// Turned off again: the ticket goes on all the same, with both kinds in its history.
	encrypted := histories(t, temporal, number, called)
	require.Zero(t, stored(t, d, secret), "it is nowhere in Temporal's files")
	restart()
	c.must(t, "POST", handlePath, incidentCall(t, "commit.json", number))
	phase(number, "resolved")
	mixed := histories(t, temporal, number)

	kinds := 0
	for id, history := range encrypted {
		raw, err := protojson.Marshal(history)
		require.NoError(t, err)
		require.NotContains(t, string(raw), secret, id)
		kinds += payloads(t, history)
	}
	require.Greater(t, kinds, 20, "a test that looks at nothing proves nothing")

	// They replay, with the keys and only with them.
	codec := codecOf(t, d)
	for _, set := range []map[string]*historypb.History{encrypted, mixed, histories(t, temporal, before)} {
		for id, history := range set {
			require.NoError(t, replaysWith(t, history, worker.WorkflowReplayerOptions{DataConverter: codec.DataConverter()}), id)
		}
	}
	require.Error(t, replaysWith(t, encrypted[number], worker.WorkflowReplayerOptions{}))
}

// stored counts how often a text is in Temporal's files.
func stored(t testing.TB, d *dev, text string) (n int) {
	t.Helper()
	files, err := filepath.Glob(d.file("temporal.db") + "*")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		n += bytes.Count(raw, []byte(text))
	}
	return n
}

// histories reads what Temporal has of tickets, as it has it.
func histories(t testing.TB, c client.Client, numbers ...string) map[string]*historypb.History {
	t.Helper()
	out := map[string]*historypb.History{}
	for _, number := range numbers {
		history := &historypb.History{}
		for i := c.GetWorkflowHistory(t.Context(), "ticket:"+number, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); i.HasNext(); {
			event, err := i.Next()
			require.NoError(t, err)
			history.Events = append(history.Events, event)
		}
		out[number] = history
	}
	return out
}

// payloads counts the payloads of a history, each of which has to be encrypted, but for search attributes, and for what came from the outside.
func payloads(t testing.TB, history *historypb.History) (n int) {
	t.Helper()
	var look func(m protoreflect.Message, in string)
	look = func(m protoreflect.Message, in string) {
		switch v := m.Interface().(type) {
		case *commonpb.SearchAttributes:
			return
		case *historypb.WorkflowExecutionSignaledEventAttributes:
			return // sent in plain
		case *commonpb.Payload:
			require.Equal(t, "binary/encrypted", string(v.Metadata["encoding"]), "%s: %s", in, v)
			n++
			return
		}
		m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
			name := in + "." + string(field.Name())
			switch {
			case field.IsMap() && field.MapValue().Message() != nil:
				value.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool { look(v.Message(), name); return true })
			case field.IsList() && field.Message() != nil:
				for i := range value.List().Len() {
					look(value.List().Get(i).Message(), name)
				}
			case !field.IsMap() && !field.IsList() && field.Message() != nil:
				look(value.Message(), name)
			}
			return true
		})
	}
	for _, event := range history.Events {
		look(event.ProtoReflect(), event.EventType.String())
	}
	return n
}

func replaysWith(t testing.TB, history *historypb.History, options worker.WorkflowReplayerOptions) error {
	t.Helper()
	r, err := worker.NewWorkflowReplayerWithOptions(options)
	require.NoError(t, err)
	r.RegisterWorkflow(workflows.Ticket)
	return r.ReplayWorkflowHistory(quiet{}, history)
}

// codecOf is the codec of a system, with its keys as an operator would read them.
func codecOf(t testing.TB, d *dev) *workflows.Codec {
	t.Helper()
	text, err := os.ReadFile(d.file("master.key"))
	require.NoError(t, err)
	var key setup.Key
	require.NoError(t, key.Decode(string(text)))
	s, err := store.Open(t.Context(), "sqlite:"+d.file("signalbox.db"), store.Options{MasterKey: key})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return &workflows.Codec{Keys: func(ctx context.Context) (keys []aead.Key, err error) {
		stored, err := s.DataKeys(ctx, vault.KeyPayload)
		for _, key := range stored {
			keys = append(keys, aead.Key(key))
		}
		return keys, err
	}}
}

// TestATicketWaitsForItsKey takes the key away from a worker. A ticket must neither fail nor lose a signal for want of it.
func TestATicketWaitsForItsKey(t *testing.T) {
	t.Parallel()
	plain, address, namespace := temporalServer(t)
	key := aead.Key{ID: "one", Key: []byte("0123456789abcdef0123456789abcdef")}
	other := aead.Key{ID: "other", Key: []byte("fedcba9876543210fedcba9876543210")}
	var there atomic.Bool
	dial := func(keys func(context.Context) ([]aead.Key, error)) (client.Client, *workflows.Codec) {
		codec := &workflows.Codec{Encrypt: true, Keys: keys}
		c, err := workflows.Connection{Address: address, Namespace: namespace}.Dial(slog.Default(), codec)
		require.NoError(t, err)
		t.Cleanup(c.Close)
		return c, codec
	}
	opener, codec := dial(func(context.Context) ([]aead.Key, error) { return []aead.Key{key}, nil })
	loaded := false
	working, workersCodec := dial(func(context.Context) ([]aead.Key, error) {
		switch {
		case !loaded:
			loaded = true
			return []aead.Key{other}, nil
		case !there.Load():
			return nil, errors.New("the database is away")
		}
		return []aead.Key{key, other}, nil
	})
	require.NoError(t, workersCodec.Load(t.Context()), "as a process does at its start")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	engine := &workflows.Engine{Client: opener, Namespace: namespace, Codec: codec}
	book := &notebook{}
	startTicketWorker(t, working, desk.New(book, engine, desk.Options{}))

	events := openingEvents(t)
	id := events[0].After.Opening.Identity
	require.NoError(t, engine.Begin(ctx, ticket.Ticket{}, events))
	begun, err := engine.Begun(ctx, id, 0)
	require.NoError(t, err)
	require.Equal(t, events, begun, "it is read without a worker")
	require.NoError(t, opener.SignalWorkflow(ctx, workflows.TicketID(id.Number, 0), "", string(ticket.Accept), workflows.AcceptSignal{Operator: "li"}))
	said := make(chan error, 1)
	go func() { // an update wakes what nobody has acted on yet
		_, err := engine.Update(ctx, id, 0, desk.Seen{}, speak())
		said <- err
	}()
	harness.Until(t, "a workflow task has failed", time.Minute, func() error {
		for _, event := range histories(t, plain, id.Number)[id.Number].Events {
			if event.EventType == enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED {
				return nil
			}
		}
		return errors.New("none has")
	})
	described, err := plain.DescribeWorkflowExecution(ctx, workflows.TicketID(id.Number, 0), "")
	require.NoError(t, err)
	require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, described.WorkflowExecutionInfo.Status)

	there.Store(true)
	require.NoError(t, <-said)
	peeked, err := engine.Peek(ctx, id, 0, 0)
	require.NoError(t, err)
	var happened []ticket.Type
	for _, e := range peeked.Events {
		happened = append(happened, e.Type)
	}
	require.ElementsMatch(t, []ticket.Type{ticket.Opened, ticket.Accepted, ticket.Said}, happened)
}
