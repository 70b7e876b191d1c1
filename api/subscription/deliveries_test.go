package subscription_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/api/apitest"
	"signalbox/desk"
	"signalbox/notice"
	"signalbox/ticket"
)

type line struct {
	ID, Type, State, Issue, Subscription, Notification, URL, Host string
	At                                                            time.Time
	Last                                                          *struct {
		N          int
		HTTPStatus int `json:"http_status"`
		Error      string
	} `json:"last_attempt"`
}

// told makes two tickets with an address each, and gives the second one's number and the id of its address.
func (b bench) told(t *testing.T) (number, address string) {
	t.Helper()
	for _, title := range []string{"one", "two"} {
		by := desk.Request{App: apitest.NewApps()[apitest.Writer], Channel: ticket.ChannelIssue, Method: "POST", Path: "/"}
		_, err := b.back.Desk.Open(t.Context(), by, desk.Opening{
			Series: ticket.SeriesIM, Draft: ticket.Draft{Channel: ticket.ChannelIssue, App: "a", Origin: "o", Title: title, Callback: &ticket.Callback{URL: "https://tickets.example.com/" + title, Format: string(notice.FormatIssue), Profile: notice.Minutely}},
			Answer: func(id ticket.Identity) desk.Answer {
				number = id.Number
				return desk.Answer{Status: 200}
			}})
		require.NoError(t, err)
		_, err = b.back.Desk.Handle(t.Context(), by, desk.Handling{Ticket: number, Command: ticket.Command{Action: ticket.Relate, Relation: &ticket.Relation{Type: "manifest", Content: []string{title}}}})
		require.NoError(t, err)
		found, err := b.back.Store.Ticket(t.Context(), "north", number)
		require.NoError(t, err)
		registered, _, err := b.back.Registered(t.Context(), found.ID, "", 0)
		require.NoError(t, err)
		require.Len(t, registered, 1)
		address = registered[0].ID
	}
	return number, address
}

func TestDeliveriesToAllAddresses(t *testing.T) {
	b := setup(t)
	const all = "/api/delivery"
	list := func(query string) (lines []line) {
		t.Helper()
		var page struct{ Items []line }
		b.Result(b.Do("GET", all+"?"+query, nil), &page)
		return page.Items
	}
	require.Equal(t, `{"success":true,"message":"","result":{"items":[]}}`, string(b.Do("GET", all, nil).Body))
	lasting := b.add(`{"url":"https://stream.example.com/a","source":"x"}`)
	for range 3 {
		require.NoError(t, b.back.Publish(t.Context(), "north", "x", notice.Published{Source: "x", Type: "cert", Changes: []string{"1"}}))
	}
	other := b.add(`{"url":"https://stream.example.com/b","source":"y"}`)
	var sent struct{ ID string }
	b.Result(b.Do("POST", "/api/subscription/"+other.ID+"/test", nil), &sent)
	for _, said := range []string{"first", "second"} {
		b.back.Tried(b.back.Waiting(other.ID)[0], notice.Failed, notice.Attempt{Status: 500, Class: notice.ErrorStatus, Error: said, StartedAt: time.Now(), FinishedAt: time.Now()})
		if said == "first" {
			b.Result(b.Do("POST", "/api/subscription/"+other.ID+"/deliveries/"+sent.ID+"/redeliver", nil), nil)
		}
	}

	require.Len(t, list(""), 4)
	require.Equal(t, sent.ID, list("")[0].ID, "newest first")
	require.Len(t, list("host=Stream.Example.com"), 4)
	require.Empty(t, list("host=example.com"))
	require.Len(t, list("subscription="+lasting.ID), 3)
	require.Empty(t, list("subscription=nothing"))
	require.Len(t, list("state=pending"), 3)
	require.Len(t, list("state=pending&state=failed"), 4)
	require.Empty(t, list("state=held"))
	failed := list("state=failed&host=stream.example.com&subscription=" + other.ID)
	require.Len(t, failed, 1)
	require.Equal(t, line{ID: sent.ID, Type: "test", State: "failed", Subscription: other.ID, URL: "https://stream.example.com/b", Host: "stream.example.com", At: failed[0].At, Last: failed[0].Last}, failed[0])
	require.Equal(t, 2, failed[0].Last.N)
	require.Equal(t, "second", failed[0].Last.Error, "the last alone")
	moment := func(at time.Time) string { return url.QueryEscape(at.Format(time.RFC3339Nano)) }
	require.Len(t, list("from="+moment(failed[0].At)), 1)
	require.Len(t, list("to="+moment(failed[0].At)), 3)
	require.NotContains(t, string(b.Do("GET", all, nil).Body), `"body"`)

	var one struct {
		line
		Body     string
		Attempts []struct{ N int }
	}
	b.Result(b.Do("GET", all+"/"+sent.ID, nil), &one)
	require.Equal(t, []any{sent.ID, other.ID, "https://stream.example.com/b", 2}, []any{one.ID, one.Subscription, one.URL, len(one.Attempts)})
	require.Contains(t, one.Body, `"event_type":"test"`)
	for _, nothing := range []string{"nothing", "%00", "a%2Fb"} {
		b.Refused(b.Do("GET", all+"/"+nothing, nil), 404, "no such delivery")
	}
	b.Refused(b.As(apitest.Stranger).Do("GET", all+"/"+sent.ID, nil), 404, "no such delivery")
	require.Equal(t, `{"success":true,"message":"","result":{"items":[]}}`, string(b.As(apitest.Stranger).Do("GET", all, nil).Body))
	require.Equal(t, 200, b.As(apitest.Reader).Do("GET", all, nil).Status)
	b.Refused(b.As("").Do("GET", all, nil), 401, "credential")
}

func TestDeliveriesOfATicket(t *testing.T) {
	b := setup(t)
	number, address := b.told(t)
	found, err := b.back.Store.Ticket(t.Context(), "north", number)
	require.NoError(t, err)
	for _, spelling := range []string{number, found.UUID} {
		var page struct{ Items []line }
		b.Result(b.Do("GET", "/api/delivery?issue="+spelling, nil), &page)
		require.NotEmpty(t, page.Items)
		for _, d := range page.Items {
			require.Equal(t, []string{number, address, "", "tickets.example.com"}, []string{d.Issue, d.Notification, d.Subscription, d.Host}, "how its own calls name it")
		}
	}
	b.Refused(b.Do("GET", "/api/delivery?issue=IM000000000000000000000000", nil), 400, "issue: there is no such issue")
	b.Refused(b.As(apitest.Stranger).Do("GET", "/api/delivery?issue="+number, nil), 400, "issue: there is no such issue")
	b.back.Err = ticket.Refuse(ticket.Unavailable, "down")
	b.Refused(b.Do("GET", "/api/delivery?issue="+number, nil), 503, "down")
}

func TestPagesOfDeliveries(t *testing.T) {
	b := setup(t)
	b.add(`{"url":"` + address + `"}`)
	for range 5 {
		require.NoError(t, b.back.Publish(t.Context(), "north", "x", notice.Published{Type: "cert", Changes: []string{"1"}}))
	}
	seen := map[string]bool{}
	for cursor, pages := "", 0; ; {
		var page struct {
			Items []line
			Next  string `json:"next_cursor"`
		}
		b.Result(b.Do("GET", "/api/delivery?state=pending&limit=2&cursor="+cursor, nil), &page)
		for _, d := range page.Items {
			require.False(t, seen[d.ID], "twice")
			seen[d.ID] = true
		}
		if pages++; page.Next == "" {
			require.Equal(t, 3, pages)
			break
		}
		cursor = page.Next
	}
	require.Len(t, seen, 5)
	for query, says := range map[string]string{
		"limit=0": "limit", "limit=201": "limit", "limit=x": "limit", "cursor=x": "cursor", "state=lost": "state: must be one of pending, parked, sent", "from=yesterday": "from", "to=1": "to",
		"from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z": "to: must be after from", "host=a&host=b": "host", "stat=sent": "did you mean state?",
		"limit=0&state=lost&from=x": "from", // all at once
	} {
		b.Refused(b.Do("GET", "/api/delivery?"+query, nil), 400, says)
	}
	b.Refused(b.Do("POST", "/api/delivery", `{}`), 405, "method")
}
