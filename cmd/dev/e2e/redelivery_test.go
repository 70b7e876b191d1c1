package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
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
	c, r, watcher := d.caller(), harness.NewReceiver(t), harness.NewReceiver(t)
	number := c.open(t)
	path := "/api/issue/" + number + "/notification/"
	c.must(t, "POST", "/api/subscription", map[string]any{"url": watcher.URL("/alerts"), "topic": "delivery"})
	say := func(n int) {
		for i := range n {
			c.must(t, "POST", "/api/issue/"+number+"/conversation", map[string]any{"author": "li", "content": fmt.Sprint(i)})
		}
	}
	r.Answer("/told", harness.Response{Status: 500, Header: http.Header{"Set-Cookie": {"session=s3cret"}}, Body: "no"})
	old := c.register(t, number, r.URL("/told"))
	say(5)
	var ids []string
	harness.Until(t, "the address is dropped", time.Minute, func() error {
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

	// It is told of where the ticket is looked at, and to who follows the stream. What happens now is kept.
	c.must(t, "PUT", "/api/issue/"+number+"/relations/manifest", map[string]any{"content": []string{"1"}})
	say(2)
	owed := c.deliveries(t, number, old)
	require.Len(t, owed, 8)
	for _, one := range owed[5:] {
		require.Equal(t, string(notice.Held), one.State)
		ids = append(ids, one.ID)
	}
	for _, address := range items[struct {
		ID     string
		Counts map[string]int
	}](t, c.must(t, "GET", "/api/issue/"+number+"/notification", nil)) {
		require.Equal(t, map[string]int{"failed": 1, "held": 7, "pending": 0, "parked": 0, "sent": 0, "cancelled": 0, "gathering": 0, "digested": 0}, address.Counts)
	}
	events, alerts := c.wholeTimeline(t, number)
	require.Len(t, events, 9, "opened, and what was done")
	require.Len(t, alerts, 3)
	for i, kind := range []notice.AlertKind{notice.BreakerOpened, notice.DeliveryFailed, notice.AddressDropped} {
		require.Equal(t, []any{string(kind), old, ids[0], 6}, []any{alerts[i].Type, alerts[i].Subscription, alerts[i].Delivery, alerts[i].after})
		require.NotEmpty(t, alerts[i].Note)
		var event struct {
			Type    string `json:"event_type"`
			Key     string `json:"event_key"`
			Changes []string
		}
		require.NoError(t, json.Unmarshal(watcher.Await(t, "/alerts", 3, time.Minute)[i].Body, &event))
		require.Equal(t, []any{string(kind), "ticket." + number, []string{old, ids[0]}}, []any{event.Type, event.Key, event.Changes})
	}

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
	require.Equal(t, redelivery{Total: 7}, result[redelivery](t, c.must(t, "POST", path+old+"/redeliver", map[string]any{"state": "held", "dry_run": true})))
	begun := result[redelivery](t, c.must(t, "POST", path+old+"/redeliver", map[string]any{"state": "held"}))
	harness.Until(t, "it is done", time.Minute, func() error {
		now := result[redelivery](t, c.must(t, "GET", path+old+"/redeliver/"+begun.ID, nil))
		if now.State != string(notice.Redelivered) {
			return fmt.Errorf("%+v", now)
		}
		require.Equal(t, []int{7, 7}, []int{now.Total, now.Done})
		return nil
	})
	var told []string
	for _, request := range r.Await(t, "/told", 18, time.Minute)[11:] {
		told = append(told, request.Header.Get("webhook-id"))
	}
	require.Equal(t, ids[1:], told, "in order, under their ids")

	temporal := dialTemporal(t, d.temporal, "default")
	value, err := temporal.QueryWorkflow(t.Context(), workflows.RedeliverID(begun.ID), "", workflows.QueryProgress)
	require.NoError(t, err)
	var now notice.Redelivery
	require.NoError(t, value.Get(&now))
	require.Equal(t, 7, now.Done)

	// The last try is counted, and its lane found empty, a moment after the receiver has been told.
	exposes(t, d.api, "signalbox_addresses_dropped_total 1", `signalbox_deliveries_total{outcome="failed"} 1`, `signalbox_deliveries_total{outcome="sent"} 10`,
		`signalbox_delivery_attempts_total{class="status"} 11`, "signalbox_deliveries_pending 0", "signalbox_lanes_parked 0", "signalbox_breakers_open ")
}

// exposes waits until the metrics at an address have lines that begin like these.
func exposes(t testing.TB, address string, lines ...string) {
	t.Helper()
	harness.Until(t, "the metrics", time.Minute, func() error {
		response, err := http.Get(address + "/metrics")
		if err != nil {
			return err
		}
		defer response.Body.Close()
		metrics, err := io.ReadAll(response.Body)
		if err != nil {
			return err
		}
		for _, line := range lines {
			if !strings.Contains(string(metrics), "\n"+line) {
				return fmt.Errorf("%s is not among them", line)
			}
		}
		return nil
	})
}
