package issue_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/notice"
)

func TestManyDeliveriesAgain(t *testing.T) {
	b := setup(t)
	number := b.open()
	path := "/api/issue/" + number + "/notification"
	var made struct{ ID string }
	b.Result(b.Do("POST", path, b.sample("notification.json")), &made)
	path += "/" + made.ID
	for range 3 {
		b.back.Tried(b.owe(number, made.ID), notice.Failed)
	}
	b.back.Tried(b.owe(number, made.ID), notice.Sent)

	require.Equal(t, `{"success":true,"message":"","result":{"total":3,"done":0}}`, string(b.Do("POST", path+"/redeliver", `{"state":"failed","dry_run":true}`).Body))
	var r struct {
		ID, State   string
		Total, Done int
	}
	b.Result(b.Do("POST", path+"/redeliver", `{"from":"2020-01-02T03:04:05+08:00","to":"2100-01-01T00:00:00Z","dry_run":true}`), &r)
	require.Equal(t, 4, r.Total)
	first := b.Do("POST", path+"/redeliver", `{"state":"failed"}`, "Idempotency-Key", "again")
	b.Result(first, &r)
	require.Equal(t, 3, r.Total)
	require.NotEmpty(t, r.ID)
	require.Equal(t, string(first.Body), string(b.Do("POST", path+"/redeliver", `{"state":"failed"}`, "Idempotency-Key", "again").Body))
	b.Result(b.Do("GET", path+"/redeliver/"+r.ID, nil), &r)
	require.Equal(t, "running", r.State)
	b.back.GoOn(r.ID)
	require.Equal(t, 3, b.registered(strings.TrimSuffix(path, "/"+made.ID))[0].Counts["pending"])

	for body, says := range map[string]string{
		`{}`: "state", `{"state":"pending"}`: "state", `{"state":7}`: "state", `{"from":"yesterday"}`: "from", `{"state":"failed","to":"2026-13-01T00:00:00Z"}`: "to",
		`{"from":"2026-01-02T00:00:00Z","to":"2026-01-02T00:00:00Z"}`: "to", `{"state":"failed","dry_run":"yes"}`: "dry_run",
	} {
		b.Refused(b.Do("POST", path+"/redeliver", body), 400, says)
	}
	b.Refused(b.Do("POST", strings.Replace(path, made.ID, "nothing", 1)+"/redeliver", `{"state":"failed"}`), 404, "notification")
	b.Refused(b.Do("GET", path+"/redeliver/nothing", nil), 404, "redelivery")
	b.back.GiveUp(made.ID, "ten minutes")
	b.Refused(b.Do("POST", path+"/redeliver", `{"state":"held"}`), 409, "dropped")
}

func TestOneDeliveryWithAllThatIsKeptOfIt(t *testing.T) {
	b := setup(t)
	number := b.open()
	path := "/api/issue/" + number + "/notification"
	var made struct{ ID string }
	b.Result(b.Do("POST", path, b.sample("notification.json")), &made)
	owed := b.owe(number, made.ID)
	id := owed.Delivery.ID
	b.back.Tried(owed, notice.Failed, notice.Attempt{StartedAt: time.Now(), FinishedAt: time.Now(), Status: 500, Class: notice.ErrorStatus, Answer: []byte(strings.Repeat("x", notice.MaxAnswer)),
		Sent: map[string]string{"Webhook-Id": "msg_1", "X-Key": notice.Redacted}, Header: map[string]string{"Server": "nginx"}})
	var d struct {
		ID, Body string
		Attempts []struct {
			Answer        string
			Headers       map[string]string
			AnswerHeaders map[string]string `json:"answer_headers"`
		}
	}
	b.Result(b.Do("GET", path+"/"+made.ID+"/deliveries/"+id, nil), &d)
	require.Equal(t, id, d.ID)
	require.Len(t, d.Attempts[0].Answer, notice.MaxAnswer)
	require.Equal(t, "[redacted]", d.Attempts[0].Headers["X-Key"])
	require.Equal(t, "nginx", d.Attempts[0].AnswerHeaders["Server"])
	b.Refused(b.Do("GET", path+"/"+made.ID+"/deliveries/nothing", nil), 404, "delivery")
	b.Refused(b.Do("GET", path+"/nothing/deliveries/"+id, nil), 404, "notification")
}
