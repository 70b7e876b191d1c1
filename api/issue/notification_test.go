package issue_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"signalbox/api/apitest"
	"signalbox/notice"
)

type registration struct {
	ID, URL, State, Reason string
	DroppedAt              *time.Time `json:"dropped_at"`
	Counts                 map[string]int
}

func (b bench) registered(path string) []registration {
	b.T.Helper()
	var page struct{ Items []registration }
	b.Result(b.Do("GET", path, nil), &page)
	return page.Items
}

// happen has something happen to a ticket that its addresses are told of.
func (b bench) happen(number string) {
	b.T.Helper()
	b.Result(b.Do("PUT", "/api/issue/"+number+"/relations/happened", map[string]any{"content": []string{uuid.NewString()}}), nil)
}

// owe has something happen to a ticket, and gives what an address is owed for it.
func (b bench) owe(number, address string) notice.Work {
	b.T.Helper()
	b.happen(number)
	works := b.back.Waiting(address)
	return works[len(works)-1]
}

func TestNotificationsAreBoundedAndListedInPages(t *testing.T) {
	b := setup(t)
	path := "/api/issue/" + b.open() + "/notification"
	for i := range notice.MaxNotifications {
		require.Equal(t, http.StatusOK, b.Do("POST", path, map[string]any{"url": fmt.Sprintf("HTTPS://Example.com/%d", i)}).Status)
	}
	a := b.Do("POST", path, map[string]any{"url": "https://example.com/more"})
	require.Equal(t, http.StatusTooManyRequests, a.Status)
	require.Contains(t, string(a.Body), "a ticket has at most 100 notifications, and this one has 100")
	var urls []string
	cursor := ""
	for pages := 1; ; pages++ {
		var page struct {
			Items []registration
			Next  string `json:"next_cursor"`
		}
		b.Result(b.Do("GET", path+"?limit=30&cursor="+cursor, nil), &page)
		for _, r := range page.Items {
			urls = append(urls, r.URL)
		}
		if cursor = page.Next; cursor == "" {
			require.Equal(t, 4, pages)
			break
		}
	}
	require.Len(t, urls, notice.MaxNotifications)
	require.ElementsMatch(t, urls, slices.Compact(slices.Sorted(slices.Values(urls))), "each once")
	require.Contains(t, urls, "https://example.com/99", "in its one spelling")
	for query, field := range map[string]string{"limit=0": "limit", "limit=201": "limit", "cursor=x": "cursor", "page=2": "page"} {
		a := b.Do("GET", path+"?"+query, nil)
		require.Equal(t, http.StatusBadRequest, a.Status, query)
		require.Contains(t, string(a.Body), field)
	}
}

func TestNotifications(t *testing.T) {
	b := setup(t)
	number := b.open()
	path := "/api/issue/" + number + "/notification"
	require.Equal(t, `{"success":true,"message":"","result":{"items":[]}}`, string(b.Do("GET", path, nil).Body))

	var made, again struct{ ID string }
	answer := b.Do("POST", path, b.sample("notification.json"))
	b.Result(answer, &made)
	require.Equal(t, `{"success":true,"message":"","result":{"id":"`+made.ID+`"}}`, string(answer.Body))
	b.Result(b.Do("POST", path, b.sample("notification.json")), &again)
	require.Equal(t, made, again, "an active address gives its id again")

	b.happen(number)
	b.back.GiveUp(made.ID, "ten minutes of failures")
	b.Result(b.Do("POST", path, b.sample("notification.json")), &again)
	require.NotEqual(t, made, again, "a dropped address gets a new id")
	list := b.registered(path)
	require.Len(t, list, 2)
	require.Equal(t, "dropped", list[0].State)
	require.Equal(t, "ten minutes of failures", list[0].Reason)
	require.NotNil(t, list[0].DroppedAt)
	require.Equal(t, "active", list[1].State)
	require.Len(t, list[1].Counts, 8)

	require.Equal(t, `{"success":true,"message":""}`, string(b.Do("DELETE", path+"/"+again.ID, nil).Body))
	b.Refused(b.Do("DELETE", path+"/"+again.ID, nil), 404, "notification")
	require.Len(t, b.registered(path), 1)
	b.Refused(b.Do("DELETE", path+"/%00", nil), 404, "notification")
}

func TestTheSecretOfAnAddressIsToldByRotatingIt(t *testing.T) {
	b := setup(t)
	number := b.open()
	path := "/api/issue/" + number + "/notification"
	var made struct{ ID string }
	b.Result(b.Do("POST", path, b.sample("notification.json")), &made)
	var first, second struct{ ID, Secret string }
	a := b.Do("POST", path+"/"+made.ID+"/rotate", nil, "X-Idempotency-Key", "k")
	b.Result(a, &first)
	require.NoError(t, notice.CheckSecret("secret", first.Secret))
	require.Equal(t, `{"success":true,"message":"","result":{"id":"`+made.ID+`","secret":"`+first.Secret+`"}}`, string(a.Body))
	require.Equal(t, a.Body, b.Do("POST", path+"/"+made.ID+"/rotate", nil, "X-Idempotency-Key", "k").Body, "the answer to a key is told again")
	b.Result(b.Do("POST", path+"/"+made.ID+"/rotate", nil), &second)
	require.NotEqual(t, first.Secret, second.Secret)
	require.NotContains(t, string(b.Do("GET", path, nil).Body), "whsec_")

	b.Refused(b.Do("POST", path+"/nothing/rotate", nil), 404, "notification")
	b.Refused(b.Do("POST", path+"/%00/rotate", nil), 404, "notification")
	b.Refused(b.Do("POST", "/api/issue/"+b.open()+"/notification/"+made.ID+"/rotate", nil), 404, "notification")
	b.Refused(b.As(apitest.Reader).Do("POST", path+"/"+made.ID+"/rotate", nil), 403, "write")
	b.happen(number)
	b.back.GiveUp(made.ID, "ten minutes of failures")
	b.Refused(b.Do("POST", path+"/"+made.ID+"/rotate", nil), 409, "dropped")
}

func TestAddressGivenAtTheOpening(t *testing.T) {
	b := setup(t)
	var number string
	b.Result(b.Do("POST", "/api/issue", `{"origin":"a","title":"b","callback_url":"https://example.com/x"}`), &number)
	require.Equal(t, "https://example.com/x", b.registered("/api/issue/" + number + "/notification")[0].URL)
	b.Refused(b.Do("POST", "/api/issue", `{"origin":"a","title":"b","callback_url":"ftp://example.com"}`), 400, "callback_url: must begin with http:// or https://")
	b.Refused(b.Do("POST", "/api/issue", `{"origin":"a","title":"b","callback_url":""}`), 400, "callback_url")
}

func TestBadAddresses(t *testing.T) {
	b := setup(t)
	path := "/api/issue/" + b.open() + "/notification"
	for _, body := range []string{
		`{}`, `{"url":null}`, `{"url":""}`, `{"url":"not a url"}`, `{"url":"http://a\u0000b"}`, `{"url":"http://a\nb"}`,
		`{"url":"http://` + strings.Repeat("a", 2048) + `"}`, `{"url":["http://a"]}`,
		`{"url":"http://127.0.0.1/x"}`, `{"url":"http://[::1]/"}`, `{"url":"https://u:p@example.com/"}`, `{"url":"//example.com"}`,
	} {
		b.Refused(b.Do("POST", path, body), 400, "url")
	}
}

func TestDeliveries(t *testing.T) {
	b := setup(t)
	number := b.open()
	path := "/api/issue/" + number + "/notification"
	var made struct{ ID string }
	b.Result(b.Do("POST", path, b.sample("notification.json")), &made)
	path += "/" + made.ID + "/deliveries"
	require.Equal(t, `{"success":true,"message":"","result":{"items":[]}}`, string(b.Do("GET", path, nil).Body))

	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 8*3600))
	first := b.owe(number, made.ID)
	b.back.Tried(first, notice.Failed,
		notice.Attempt{StartedAt: at, FinishedAt: at.Add(1500 * time.Millisecond), Class: notice.ErrorTimeout, Error: "no answer"},
		notice.Attempt{StartedAt: at.Add(time.Minute), FinishedAt: at.Add(time.Minute), Status: 500, Class: notice.ErrorStatus, Error: "HTTP 500",
			Answer: []byte(strings.Repeat("好", 2000) + "\xff")})
	failed, pending := first.Delivery.ID, b.owe(number, made.ID).Delivery.ID

	var page struct {
		Items []struct {
			ID, Type, State string
			Attempts        []struct {
				DurationMS int  `json:"duration_ms"`
				HTTPStatus *int `json:"http_status"`
				ErrorClass string
				StartedAt  string `json:"started_at"`
				Answer     string
			}
		}
		Next string `json:"next_cursor"`
	}
	b.Result(b.Do("GET", path+"?limit=1", nil), &page)
	require.Equal(t, pending, page.Items[0].ID)
	require.NotNil(t, page.Items[0].Attempts)
	b.Result(b.Do("GET", path+"?limit=1&cursor="+page.Next, nil), &page)
	require.Equal(t, failed, page.Items[0].ID)
	tries := page.Items[0].Attempts
	require.Len(t, tries, 2)
	require.Nil(t, tries[0].HTTPStatus)
	require.Equal(t, 1500, tries[0].DurationMS)
	require.Equal(t, "2026-01-01T19:04:05Z", tries[0].StartedAt)
	require.Equal(t, 500, *tries[1].HTTPStatus)
	require.LessOrEqual(t, len(tries[1].Answer), 1<<10+3)

	require.Equal(t, `{"success":true,"message":"","result":{"id":"`+failed+`"}}`, string(b.Do("POST", path+"/"+failed+"/redeliver", nil).Body))
	b.Refused(b.Do("POST", path+"/"+pending+"/redeliver", nil), 409, "still being tried")
	b.Refused(b.Do("POST", path+"/nothing/redeliver", nil), 404, "delivery")
	b.Refused(b.Do("POST", path+"/"+pending+"/retry", nil), 409, "first try")
	for _, call := range []string{"/retry", "/cancel"} {
		b.Refused(b.Do("POST", path+"/nothing"+call, nil), 404, "delivery")
	}
	require.Equal(t, `{"success":true,"message":"","result":{"id":"`+pending+`"}}`, string(b.Do("POST", path+"/"+pending+"/cancel", nil).Body))
	b.Refused(b.Do("POST", path+"/"+pending+"/cancel", nil), 409, "over")
	b.Refused(b.Do("GET", path+"?limit=0", nil), 400, "limit")
	b.Refused(b.Do("GET", path+"?cursor=x", nil), 400, "cursor")
	b.Refused(b.Do("GET", strings.Replace(path, made.ID, "nothing", 1), nil), 404, "notification")
}

func TestARepeatedRegistrationGivesTheFirstAnswer(t *testing.T) {
	b := setup(t)
	path := "/api/issue/" + b.open() + "/notification"
	first := b.Do("POST", path, b.sample("notification.json"), "X-Idempotency-Key", "k:1")
	require.Equal(t, "false", first.Header.Get("X-Idempotency-Replayed"))
	var made struct{ ID string }
	b.Result(first, &made)
	b.Result(b.Do("DELETE", path+"/"+made.ID, nil), nil)
	second := b.Do("POST", path, b.sample("notification.json"), "Idempotency-Key", " k:1 ")
	require.Equal(t, "true", second.Header.Get("X-Idempotency-Replayed"))
	require.Equal(t, string(first.Body), string(second.Body))
	require.Empty(t, b.registered(path), "the replay registers nothing")
	b.Refused(b.Do("POST", path, json.RawMessage(`{"url":"http://other"}`), "Idempotency-Key", "k:1"), 422, "key")
}
