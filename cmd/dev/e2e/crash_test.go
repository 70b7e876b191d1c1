package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/api/workflowservice/v1"

	"signalbox/cmd/dev/e2e/harness"
)

// TestKilledWhileDelivering kills the whole system while a receiver keeps it waiting.
func TestKilledWhileDelivering(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	c := d.caller()
	r := harness.NewReceiver(t)
	number := c.open(t)
	nid := c.register(t, number, r.URL("/"+number))
	r.Answer("/"+number, harness.Response{Hang: true}, harness.Response{})
	c.must(t, "POST", handlePath, incidentCall(t, "accept.json", number))
	c.must(t, "POST", "/api/issue/"+number+"/conversation", map[string]any{"author": "li", "content": "hello"})
	hung := r.Await(t, "/"+number, 1, time.Minute)[0]
	// These wait behind it.
	c.must(t, "PUT", "/api/issue/"+number+"/relations/manifest", map[string]any{"content": []string{"one"}})
	c.must(t, "POST", handlePath, incidentCall(t, "commit.json", number))
	c.must(t, "PUT", "/api/issue/"+number+"/status", map[string]any{"status": "CLOSED", "operator": "li"})
	d.process.Kill()
	require.Len(t, r.Requests(""), 1)

	d.start(t)
	began := time.Now()
	r.Await(t, "/"+number, 4, time.Minute)
	t.Logf("gone on with %s after the start", time.Since(began).Round(time.Millisecond))
	bodies, doubles := checkArrivals(t, c, r, number, nid)
	require.Equal(t, []int{3, 0}, []int{bodies, doubles})
	got := r.Requests("")
	require.Len(t, got, 4, "one that was broken off, and three complete ones")
	require.Equal(t, hung.Header.Get("webhook-id"), got[1].Header.Get("webhook-id"))
	require.Equal(t, hung.Body, got[1].Body)
	for i, kind := range []string{`"conversation","details":{}`, `"relations","details":{}`, `"status","details":{"from":"OPEN","to":"CLOSED"}`} {
		require.Equal(t, `{"id":"`+number+`","type":`+kind+`}`, string(got[i+1].Body))
	}
	// The ticket goes on.
	c.must(t, "PUT", "/api/issue/"+number+"/status", map[string]any{"status": "OPEN", "operator": "li"})
	r.Await(t, "/"+number, 5, time.Minute)
}

// TestKilledWhileWorking kills the whole system twice while callers are at it.
func TestKilledWhileWorking(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	l := startLoad(t, harness.NewReceiver(t), 8, d.caller())
	for range 2 {
		l.awaitMore(150, 2*time.Minute)
		d.process.Kill()
		d.start(t)
	}
	l.awaitMore(50, 2*time.Minute)
	l.stop()
	l.check()
}

// laneDetails is what Temporal's pages say of the only lane that is retrying.
func laneDetails(t *testing.T, d *dev) string {
	t.Helper()
	temporal := dialTemporal(t, d.temporal, "default")
	list, err := temporal.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Query: "WorkflowType = 'Lane' AND ExecutionStatus = 'Running'"})
	require.NoError(t, err)
	require.Len(t, list.Executions, 1)
	value, err := temporal.QueryWorkflow(t.Context(), list.Executions[0].Execution.WorkflowId, "", "__temporal_workflow_metadata")
	require.NoError(t, err)
	var metadata sdkpb.WorkflowMetadata
	require.NoError(t, value.Get(&metadata))
	return metadata.GetCurrentDetails()
}

// TestKilledDuringTriesOfALane kills the whole system during tries of a lane: each of them is one of the eleven that a delivery has.
func TestKilledDuringTriesOfALane(t *testing.T) {
	t.Parallel()
	d := startDev(t, "SIGNALBOX_PROFILE_INTERVALS=minutely:1s")
	c := d.caller()
	r := harness.NewReceiver(t)
	number := c.open(t)
	nid := c.register(t, number, r.URL("/told"))
	no, hang := harness.Response{Status: 404}, harness.Response{Hang: true}
	r.Answer("/told", no, no, hang, hang, no)
	c.must(t, "POST", handlePath, incidentCall(t, "accept.json", number))
	c.must(t, "POST", "/api/issue/"+number+"/conversation", map[string]any{"author": "li", "content": "hello"})
	for n := 3; n <= 4; n++ {
		r.Await(t, "/told", n, 2*time.Minute)
		require.Contains(t, laneDetails(t, d), ", from try 2 of 11 on", "whatever Temporal tries without waking the workflow")
		d.process.Kill()
		d.start(t)
	}
	path := "/api/issue/" + number + "/notification/" + nid + "/deliveries"
	var id string
	harness.Until(t, "the delivery is given up", 3*time.Minute, func() error {
		all := c.deliveries(t, number, nid)
		if len(all) != 1 || all[0].State != "failed" {
			return fmt.Errorf("%+v", all)
		}
		id = all[0].ID
		return nil
	})
	one := result[struct {
		Attempts []struct {
			Class string `json:"error_class"`
		}
	}](t, c.must(t, "GET", path+"/"+id, nil))
	var classes []string
	for _, a := range one.Attempts {
		classes = append(classes, a.Class)
	}
	require.Equal(t, append([]string{"status", "status", "lost", "lost"}, slices.Repeat([]string{"status"}, 7)...), classes)
	require.Len(t, r.Requests("/told"), 11, "no request that is not written down")
}
