package notice_test

import (
	"os"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"signalbox/notice"
)

func TestWhatResultsAreToldOf(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	end := start.Add(time.Second)
	work := notice.Work{Delivery: notice.Delivery{ID: "msg_1", Tenant: "a", Lane: notice.Lane{Subscription: "s", TicketID: 7}},
		Subscription: notice.Subscription{ID: "s", TicketID: 7, Host: "example.com:8443", URL: "https://Example.COM:8443/hook?token=secret"}}
	lasting := work
	lasting.Subscription.TicketID = 0
	once := func(a notice.Alert) notice.Alert { a.Once = true; return a }
	ofAlert := work
	ofAlert.Delivery.Alert = true
	failed := notice.Attempt{StartedAt: start, FinishedAt: end, Class: notice.ErrorTimeout, Error: "no answer"}
	alert := func(kind notice.AlertKind, status, reason string, at time.Time, quiet bool) notice.Alert {
		return notice.Alert{Tenant: "a", TicketID: 7, At: at, Kind: kind, Subscription: "s", Delivery: "msg_1", Host: "example.com:8443", Status: status, Reason: reason, Quiet: quiet}
	}
	const leftAlone = "the host answers nobody and is left alone for a while"
	for name, c := range map[string]struct {
		result notice.Result
		want   []notice.Alert
	}{
		"sent":     {notice.Result{Work: work, Then: notice.Sent, Attempt: notice.Attempt{Succeeded: true}}, nil},
		"goes on":  {notice.Result{Work: work, Then: notice.Retrying, Attempt: failed}, nil},
		"given up": {notice.Result{Work: work, Then: notice.Failed, Attempt: failed}, []notice.Alert{alert(notice.DeliveryFailed, "timeout", "no answer", end, false)}},
		"given up, of a lasting one": {notice.Result{Work: lasting, Then: notice.Failed, Drop: "gone", Attempt: failed}, []notice.Alert{
			once(alert(notice.DeliveryFailed, "timeout", "no answer", end, false)), alert(notice.AddressDropped, "dropped", "gone", end, false)}},
		"put off":   {notice.Result{Work: work, Then: notice.Retrying, PutOff: true, Attempt: notice.Attempt{StartedAt: start}}, nil},
		"first off": {notice.Result{Work: work, Then: notice.Retrying, PutOff: true, BreakerOpened: true, Attempt: notice.Attempt{StartedAt: start}}, []notice.Alert{alert(notice.BreakerOpened, "open", leftAlone, start, false)}},
		"all at once": {notice.Result{Work: work, Then: notice.Failed, Drop: "gone", BreakerOpened: true, Attempt: failed}, []notice.Alert{
			alert(notice.DeliveryFailed, "timeout", "no answer", end, false), alert(notice.AddressDropped, "dropped", "gone", end, false), alert(notice.BreakerOpened, "open", leftAlone, end, false)}},
		"of an alert": {notice.Result{Work: ofAlert, Then: notice.Failed, Drop: "gone", BreakerOpened: true, Attempt: failed}, []notice.Alert{
			alert(notice.DeliveryFailed, "timeout", "no answer", end, true), alert(notice.AddressDropped, "dropped", "gone", end, false), alert(notice.BreakerOpened, "open", leftAlone, end, true)}},
	} {
		require.Equal(t, c.want, c.result.Alerts(), name)
	}
}

// What the stream is told of an alert can be published by anybody: seed 003's limits hold, and none of its members is empty.
func TestTheStreamIsToldOfAlerts(t *testing.T) {
	a := notice.Alert{ID: "id", Kind: notice.DeliveryFailed, Subscription: "s", Delivery: "msg_1", Status: "status"}
	want := notice.Published{RequestID: "id", Source: "signalbox", Topic: "delivery", Type: "delivery_failed", Status: "status", Key: "ticket.IM1", Changes: []string{"s", "msg_1"}}
	require.Equal(t, want, notice.OfAlert(a, "IM1"))
	want.Key = "subscription.s"
	require.Equal(t, want, notice.OfAlert(a, ""), "it was about no ticket")
}

func TestPositionsAreWrittenOneWay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := notice.Position{Seq: rapid.Int64Min(0).Draw(t, "seq"), N: rapid.Int64Min(0).Draw(t, "n")}
		q := notice.Position{Seq: rapid.Int64Range(0, 3).Draw(t, "seq"), N: rapid.Int64Range(0, 3).Draw(t, "n")}
		for _, place := range []notice.Position{p, q} {
			back, ok := notice.ParsePosition(place.String())
			require.True(t, ok)
			require.Equal(t, place, back)
			require.LessOrEqual(t, len(place.String()), 39)
		}
		require.Equal(t, p != q, p.Before(q) != q.Before(p))
		require.False(t, p.Before(p))
	})
	for _, text := range []string{"", ".", "1.", ".1", "1.0", "01", "1.01", "-1", "1.-1", "+1", "1 ", "1.1.1", "9223372036854775808"} {
		_, ok := notice.ParsePosition(text)
		require.False(t, ok, "%q", text)
	}
}

// Alerts head entries of timelines too. Each kind is a constant and a line of the table.
func TestEveryAlertHasATitle(t *testing.T) {
	source, err := os.ReadFile("alert.go")
	require.NoError(t, err)
	constants := regexp.MustCompile(`(?m)^\s+\w+\s+AlertKind = "(\w+)"`).FindAllStringSubmatch(string(source), -1)
	for _, found := range constants {
		if kind := notice.AlertKind(found[1]); !slices.Contains(notice.AlertKinds, kind) || kind.Title() == "" || kind.Title() == found[1] {
			t.Errorf("the pages have no title for the alert %q", kind)
		}
	}
	require.Len(t, constants, len(notice.AlertKinds))
	require.Equal(t, "new", notice.AlertKind("new").Title(), "of a newer build")
}
