package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/cmd/dev/e2e/harness"
)

// TestAnOwnerNeedNotWait has a delivery that waits a minute for its second try tried at once, and one that blocks its lane cancelled.
func TestAnOwnerNeedNotWait(t *testing.T) {
	t.Parallel()
	d := startDev(t, "SIGNALBOX_PROFILE_INTERVALS=minutely:1h") // so that nothing but what is asked for is in time
	c, r := d.caller(), harness.NewReceiver(t)
	number := c.open(t)
	r.Answer("/told", harness.Response{Status: 500})
	nid := c.register(t, number, r.URL("/told"))
	path := "/api/issue/" + number + "/notification/" + nid + "/deliveries/"
	say := func(n int) {
		for i := range n {
			c.must(t, "POST", "/api/issue/"+number+"/conversation", map[string]any{"author": "li", "content": fmt.Sprint(i)})
		}
	}
	states := func(want ...string) {
		t.Helper()
		harness.Until(t, fmt.Sprint(want), time.Minute, func() error {
			var got []string
			for _, one := range c.deliveries(t, number, nid) {
				got = append(got, one.State)
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				return fmt.Errorf("they are %v", got)
			}
			return nil
		})
	}
	say(1)
	states("parked")
	first := c.deliveries(t, number, nid)[0].ID
	r.Await(t, "/told", 1, time.Minute)
	c.must(t, "POST", path+first+"/retry", nil) // before its workflow has begun
	r.Await(t, "/told", 2, time.Minute)
	harness.Until(t, "the second try is written down", time.Minute, func() error {
		if n := len(c.deliveries(t, number, nid)[0].Attempts); n != 2 {
			return fmt.Errorf("%d are", n)
		}
		return nil
	})
	c.must(t, "POST", path+first+"/retry", nil) // while Temporal waits with its try
	requests := r.Await(t, "/told", 3, time.Minute)
	require.Equal(t, "3", requests[2].Header.Get("webhook-attempt"))

	say(2)
	states("parked", "parked", "parked")
	r.Answer("/told", harness.Response{})
	c.must(t, "POST", path+first+"/cancel", nil)
	states("cancelled", "sent", "sent")
	require.Len(t, r.Requests("/told"), 5)
	_, alerts := c.wholeTimeline(t, number)
	require.Equal(t, []string{"delivery_cancelled", first}, []string{alerts[len(alerts)-1].Type, alerts[len(alerts)-1].Delivery})
}
