package e2e

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/cmd/dev/e2e/harness"
	"signalbox/notice"
	"signalbox/workflows"
)

// TestHeldIsNotLost has an address dropped with much behind it, registered again, and told all of it under the ids that it had.
func TestHeldIsNotLost(t *testing.T) {
	t.Parallel()
	d := startDev(t, "SIGNALBOX_PROFILE_INTERVALS=minutely:200ms")
	c, r := d.caller(), harness.NewReceiver(t)
	number := c.open(t)
	path := "/api/issue/" + number + "/notification/"
	r.Answer("/told", harness.Response{Status: 500, Header: http.Header{"Set-Cookie": {"session=s3cret"}}, Body: "no"})
	old := c.register(t, number, r.URL("/told"))
	for i := range 5 {
		c.must(t, "POST", "/api/issue/"+number+"/conversation", map[string]any{"author": "li", "content": fmt.Sprint(i)})
	}
	var ids []string
	harness.Until(t, "the address is dropped", 30*time.Second, func() error {
		ids = nil
		for i, one := range c.deliveries(t, number, old) {
			want := notice.Held
			if i == 0 {
				want = notice.Failed
			}
			if one.State != string(want) {
				return fmt.Errorf("%s is %s", one.ID, one.State)
			}
			ids = append(ids, one.ID)
		}
		if len(ids) != 5 {
			return fmt.Errorf("%d deliveries", len(ids))
		}
		return nil
	})
	require.Len(t, r.Requests("/told"), 11)
	first := result[struct {
		Attempts []struct {
			Headers       map[string]string
			AnswerHeaders map[string]string `json:"answer_headers"`
			Answer        string
		}
	}](t, c.must(t, "GET", path+old+"/deliveries/"+ids[0], nil))
	require.Len(t, first.Attempts, 11)
	require.Equal(t, r.Requests("/told")[10].Header.Get("webhook-signature"), first.Attempts[10].Headers["Webhook-Signature"], "as it was sent")
	require.Equal(t, []string{"[redacted]", "no"}, []string{first.Attempts[0].AnswerHeaders["Set-Cookie"], first.Attempts[0].Answer})

	// Nobody is there to be told; then there is.
	refused, err := c.send(t.Context(), "POST", path+old+"/redeliver", "", map[string]any{"state": "held"})
	require.NoError(t, err)
	require.Equal(t, 409, refused.status, refused)
	r.Answer("/told", harness.Response{})
	again := c.register(t, number, r.URL("/told"))
	require.NotEqual(t, old, again)
	type redelivery struct {
		ID, State   string
		Total, Done int
	}
	require.Equal(t, redelivery{Total: 4}, result[redelivery](t, c.must(t, "POST", path+old+"/redeliver", map[string]any{"state": "held", "dry_run": true})))
	begun := result[redelivery](t, c.must(t, "POST", path+old+"/redeliver", map[string]any{"state": "held"}))
	harness.Until(t, "it is done", 30*time.Second, func() error {
		now := result[redelivery](t, c.must(t, "GET", path+old+"/redeliver/"+begun.ID, nil))
		if now.State != string(notice.Redelivered) {
			return fmt.Errorf("%+v", now)
		}
		require.Equal(t, []int{4, 4}, []int{now.Total, now.Done})
		return nil
	})
	var told []string
	for _, request := range r.Await(t, "/told", 15, 20*time.Second)[11:] {
		told = append(told, request.Header.Get("webhook-id"))
	}
	require.Equal(t, ids[1:], told, "in order, under their ids")

	temporal := dialTemporal(t, d.temporal, "default")
	value, err := temporal.QueryWorkflow(t.Context(), workflows.RedeliverID(begun.ID), "", workflows.QueryProgress)
	require.NoError(t, err)
	var now notice.Redelivery
	require.NoError(t, value.Get(&now))
	require.Equal(t, 4, now.Done)

	response, err := http.Get(d.api + "/metrics")
	require.NoError(t, err)
	defer response.Body.Close()
	metrics, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	for _, line := range []string{"signalbox_addresses_dropped_total 1", `signalbox_deliveries_total{outcome="failed"} 1`, `signalbox_deliveries_total{outcome="sent"} 4`,
		`signalbox_delivery_attempts_total{class="status"} 11`, "signalbox_deliveries_pending 0", "signalbox_lanes_parked 0", "signalbox_breakers_open "} {
		require.Contains(t, string(metrics), "\n"+line)
	}
}
