package e2e

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/cmd/dev/e2e/harness"
)

// itsm calls the itsm family on the ESB's address, as its clients do.
type itsm struct {
	*caller
	t testing.TB
}

type itsmAnswer struct {
	Result  bool
	Code    int
	Message string
	Data    json.RawMessage
}

func (c itsm) ask(operation string, body any) (a itsmAnswer) {
	c.t.Helper()
	require.NoError(c.t, json.Unmarshal([]byte(c.must(c.t, "POST", "/api/c/compapi/v2/itsm/"+operation+"/", body).body), &a))
	return a
}

func (c itsm) done(operation string, body, data any) {
	c.t.Helper()
	a := c.ask(operation, body)
	require.True(c.t, a.Result && a.Code == 0, "%s: %d %s", operation, a.Code, a.Message)
	require.NoError(c.t, json.Unmarshal(a.Data, data))
}

// create opens a ticket that alice, bob and carol are asked to approve, any one of them.
func (c itsm) create(callback string) string {
	c.t.Helper()
	var created struct{ SN string }
	c.done("create_ticket", map[string]any{"creator": "wang", "fast_approval": true,
		"fields": []map[string]any{{"key": "title", "value": "发布"}, {"key": "APPROVER", "value": "alice,bob,carol"}},
		"meta":   map[string]any{"callback_url": callback, "headers": map[string]string{"X-Mine": "42"}}}, &created)
	return created.SN
}

func (c itsm) failed() (numbers []string) {
	c.t.Helper()
	c.done("callback_failed_ticket", map[string]any{}, &numbers)
	return numbers
}

func (c itsm) results(numbers ...string) (list []map[string]any) {
	c.t.Helper()
	c.done("ticket_approval_result", map[string]any{"sn": numbers}, &list)
	return list
}

func TestApprovalsAndTheirCallbacks(t *testing.T) {
	t.Parallel()
	d := startDev(t, "SIGNALBOX_TIME_ZONE=UTC")
	c := itsm{d.caller(), t}
	r := harness.NewReceiver(t)
	good := harness.Response{Body: `{"message":"success","code":0,"data":null,"result":true}`, Header: map[string][]string{"Content-Type": {"application/json"}}}

	// All vote at once: one vote counts, and the ticket's end is told once.
	slow := good
	slow.Delay = 2 * time.Second
	r.Answer("/slow", slow)
	sn := c.create(r.URL("/slow"))
	var votes sync.WaitGroup
	var counted [9]itsmAnswer
	for i := range counted {
		votes.Go(func() {
			body := map[string]any{"sn": sn, "state_id": 21, "operator": []string{"alice", "bob", "carol"}[i%3], "action_type": "TRANSITION",
				"fields": []map[string]any{{"key": "approve_result_21", "value": fmt.Sprint(i%2 == 0)}, {"key": "approve_remark_21", "value": "好"}, {"key": "reject_remark_21", "value": "不"}}}
			a, err := c.send(t.Context(), "POST", "/api/c/compapi/v2/itsm/operate_node/", "", body)
			if err == nil {
				_ = json.Unmarshal([]byte(a.body), &counted[i])
			}
		})
	}
	votes.Wait()
	passed := 0
	for _, a := range counted {
		if a.Result {
			passed++
		} else {
			require.Equal(t, 3900004, a.Code, a.Message)
		}
	}
	require.Equal(t, 1, passed)

	request := r.Await(t, "/slow", 1, time.Minute)[0]
	var body map[string]any
	require.NoError(t, json.Unmarshal(request.Body, &body))
	require.Len(t, body, 9)
	require.Equal(t, "42", request.Header.Get("X-Mine"))
	// The receiver has not answered yet: it asks whether this is true.
	var verified struct {
		Passed bool `json:"is_passed"`
	}
	c.done("token/verify", map[string]any{"token": body["token"]}, &verified)
	require.True(t, verified.Passed)
	told := c.results(sn)[0]
	require.Equal(t, "FINISHED", told["current_status"])
	for _, member := range []string{"title", "current_status", "sn", "ticket_url", "updated_by", "approve_result"} {
		require.Equal(t, told[member], body[member], member)
	}
	require.Equal(t, d.api+"/ticket/"+sn, body["ticket_url"])

	// A receiver that says no, and one that is not there: listed until somebody asks what the ticket came to.
	r.Answer("/no", harness.Response{Body: `{"code":1}`}, good)
	r.Answer("/gone", harness.Response{Drop: true})
	refused, lost := c.create(r.URL("/no")), c.create(r.URL("/gone"))
	for _, number := range []string{refused, lost} {
		var nothing []any
		c.done("operate_ticket", map[string]any{"sn": number, "operator": "wang", "action_type": "WITHDRAW", "action_message": "x"}, &nothing)
	}
	harness.Until(t, "both on the list", time.Minute, func() error {
		if got := c.failed(); len(got) != 2 {
			return fmt.Errorf("%v", got)
		}
		return nil
	})
	require.Equal(t, "REVOKED", c.results(refused)[0]["current_status"])
	require.Equal(t, []string{lost}, c.failed())
	require.Len(t, r.Requests("/no"), 1, "one try (seed 002)")
	require.Len(t, r.Requests("/slow"), 1, "told once")

	other := itsm{newCaller(d.api, "other-secret"), t}
	require.Empty(t, other.failed())
	require.Empty(t, other.results(sn))
	other.done("token/verify", map[string]any{"token": body["token"]}, &verified)
	require.False(t, verified.Passed)
}
