package subscription_test

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/api"
	"signalbox/api/apitest"
	"signalbox/api/subscription"
	"signalbox/notice"
	"signalbox/ticket"
)

type bench struct {
	apitest.Client
	back    *apitest.Backend
	handler *subscription.Handler
	begun   *[]string // redeliveries that were begun
}

func setup(t testing.TB) bench {
	t.Helper()
	back := apitest.NewBackend(t, nil)
	begun := new([]string)
	handler := &subscription.Handler{Desk: back, Subscriptions: back, Deliveries: back, Begin: func(_ context.Context, id string) { *begun = append(*begun, id) }}
	server := api.New(api.Config{}, apitest.NewApps(), nil, slog.New(slog.NewTextHandler(io.Discard, nil)), handler.Family())
	return bench{apitest.Client{T: t, App: server.App(), Contract: apitest.LoadContract(t, "subscription"), Secret: apitest.Writer}, back, handler, begun}
}

// made is a subscription as it is answered.
type made struct {
	ID, URL, Format, Source, Topic, Type, Status, Key, Profile, State, Secret, Reason string
	Timeout                                                                           int
	Counts                                                                            map[string]int
}

func (b bench) add(body string) (m made) {
	b.T.Helper()
	b.Result(b.Do("POST", "/api/subscription", body), &m)
	return m
}

func (b bench) read(id string) (m made) {
	b.T.Helper()
	b.Result(b.Do("GET", "/api/subscription/"+id, nil), &m)
	return m
}

const address = "https://example.com/hook"

func TestEveryCallIsMountedAndDescribed(t *testing.T) {
	b := setup(t)
	require.Equal(t, apitest.Mounted(b.handler.Family()), b.Contract.Routes())
}

func TestASubscriptionIsAddedAndItsSecretToldOnce(t *testing.T) {
	b := setup(t)
	plain := b.add(`{"url":"` + address + `"}`)
	require.Equal(t, made{ID: plain.ID, URL: address, Format: "event", Profile: "standard", State: "active", Secret: plain.Secret}, plain)
	require.NoError(t, notice.CheckSecret("secret", plain.Secret))
	require.NotContains(t, string(b.Do("GET", "/api/subscription/"+plain.ID, nil).Body), "secret")
	require.NotContains(t, string(b.Do("GET", "/api/subscription", nil).Body), "secret")
	require.Equal(t, map[string]int{"pending": 0, "parked": 0, "held": 0, "failed": 0}, b.read(plain.ID).Counts)

	own := "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	full := b.add(`{"url":"` + address + `","format":"publish","source":"a","topic":"gs","type":"cert","status":"1","key":"a.gs.*","secret":"` + own + `"}`)
	require.Equal(t, made{ID: full.ID, URL: address, Format: "publish", Source: "a", Topic: "gs", Type: "cert", Status: "1", Key: "a.gs.*", Profile: "publish",
		State: "active", Secret: own}, full)
	require.Equal(t, "minutely", b.add(`{"url":"`+address+`","format":"publish","profile":"minutely"}`).Profile)
	require.Equal(t, "standard", b.add(`{"url":"`+address+`","format":null,"profile":"","source":null,"key":""}`).Profile)

	again := b.Do("POST", "/api/subscription", `{"url":"`+address+`"}`, "X-Idempotency-Key", "k")
	replayed := b.Do("POST", "/api/subscription", `{"url":"`+address+`"}`, "X-Idempotency-Key", "k")
	require.Equal(t, string(again.Body), string(replayed.Body))
	require.Equal(t, "true", replayed.Header.Get("X-Idempotency-Replayed"))
}

func TestWhatCannotBeSubscribed(t *testing.T) {
	b := setup(t)
	for body, says := range map[string]string{
		`{}`: "url", `{"url":""}`: "url", `{"url":"ftp://example.com"}`: "url", `{"url":"http://127.0.0.1"}`: "url", `{"url":1}`: "url: must be a string",
		`{"url":"` + address + `","format":"itsm"}`: "format", `{"url":"` + address + `","format":"issue"}`: "format", `{"url":"` + address + `","profile":"hourly"}`: "profile",
		`{"url":"` + address + `","secret":"x"}`: "secret", `{"url":"` + address + `","secret":""}`: "secret", `{"url":"` + address + `","key":"` + strings.Repeat("键", 256) + `"}`: "key",
		`{"url":"` + address + `","source":"a\u0000"}`: "source", `{"url":"` + address + `","topic":["a"]}`: "topic", `[]`: "body", `{`: "body", ``: "body",
		`{"url":"x","format":"y","profile":"z","secret":"s"}`: "secret: must be whsec_", // all at once
	} {
		b.Refused(b.Do("POST", "/api/subscription", body), 400, says)
	}
	b.back.Err = ticket.Refuse(ticket.TooMany, "no more are taken") // as of a tenant that has as many as it may
	b.Refused(b.Do("POST", "/api/subscription", `{"url":"`+address+`"}`), 429, "no more")
}

func TestASubscriptionIsChanged(t *testing.T) {
	b := setup(t)
	m := b.add(`{"url":"` + address + `","source":"a","topic":"gs","key":"a.*"}`)
	path := "/api/subscription/" + m.ID
	var changed made
	b.Result(b.Do("PUT", path, `{"url":"`+address+`/2","topic":"","status":"1","profile":"minutely"}`), &changed)
	want := made{ID: m.ID, URL: address + "/2", Format: "event", Source: "a", Status: "1", Key: "a.*", Profile: "minutely", State: "active"}
	require.Equal(t, want, changed)
	b.Result(b.Do("PUT", path, `{"source":null}`), &changed)
	require.Equal(t, want, changed, "null is not there")
	b.Result(b.Do("PUT", path, `{"state":"paused"}`), &changed)
	require.Equal(t, "paused", changed.State)
	b.Result(b.Do("PUT", path, `{"state":"active","format":"event"}`), &changed)
	require.Equal(t, "active", changed.State)
	for body, says := range map[string]string{
		`{"url":""}`: "url", `{"url":"ftp://x"}`: "url", `{"profile":"x"}`: "profile", `{"profile":""}`: "profile", `{"state":"dropped"}`: "state", `{"state":""}`: "state",
		`{"format":"publish"}`: "format", `{"secret":"x"}`: "secret", `{"key":"a\nb"}`: "key", `{"status":1}`: "status: must be a string",
	} {
		b.Refused(b.Do("PUT", path, body), 400, says)
	}
	now := b.read(m.ID)
	now.Counts = nil
	require.Equal(t, want, now)
}

func TestPausedResumedTestedAndSentAgain(t *testing.T) {
	b := setup(t)
	m := b.add(`{"url":"` + address + `"}`)
	path := "/api/subscription/" + m.ID
	var changed made
	for range 2 { // it may be said twice
		b.Result(b.Do("POST", path+"/pause", nil), &changed)
		require.Equal(t, "paused", changed.State)
	}
	require.NoError(t, b.back.Publish(t.Context(), "north", "x", notice.Published{Type: "cert", Changes: []string{"1"}}))
	require.Equal(t, 1, b.read(m.ID).Counts["held"])
	b.Refused(b.Do("POST", path+"/test", nil), 409, "paused")
	for range 2 {
		b.Result(b.Do("POST", path+"/resume", nil), &changed)
		require.Equal(t, "active", changed.State)
	}
	require.Equal(t, 1, b.read(m.ID).Counts["pending"])

	var sent struct{ ID string }
	b.Result(b.Do("POST", path+"/test", nil), &sent)
	var page struct {
		Items []struct {
			ID, Type, State, Body string
			Attempts              []struct {
				HTTPStatus int `json:"http_status"`
			}
		}
	}
	b.Result(b.Do("GET", path+"/deliveries", nil), &page)
	require.Len(t, page.Items, 2)
	require.Equal(t, sent.ID, page.Items[0].ID)
	require.Equal(t, "test", page.Items[0].Type)
	require.Contains(t, page.Items[0].Body, `"event_key":"subscription.`+m.ID+`"`)
	b.Refused(b.Do("POST", path+"/deliveries/"+sent.ID+"/redeliver", nil), 409, "still being tried")
	fail := func() {
		for _, w := range b.back.Waiting(m.ID) {
			b.back.Tried(w, notice.Failed, notice.Attempt{Status: 500, Class: notice.ErrorStatus, Error: "no", StartedAt: time.Now(), FinishedAt: time.Now()})
		}
	}
	fail()
	b.Result(b.Do("GET", path+"/deliveries", nil), &page)
	require.Equal(t, "failed", page.Items[0].State)
	require.Equal(t, 500, page.Items[0].Attempts[0].HTTPStatus)
	require.Equal(t, `{"success":true,"message":"","result":{"id":"`+sent.ID+`"}}`, string(b.Do("POST", path+"/deliveries/"+sent.ID+"/redeliver", nil).Body))
	b.Refused(b.Do("POST", path+"/deliveries/nothing/redeliver", nil), 404, "no such delivery")

	var one struct{ ID, State, Body string }
	b.Result(b.Do("GET", path+"/deliveries/"+sent.ID, nil), &one)
	require.Equal(t, "pending", one.State)
	b.Refused(b.Do("GET", path+"/deliveries/nothing", nil), 404, "no such delivery")

	var many struct {
		ID          string
		Total, Done int
	}
	fail()
	b.Result(b.Do("POST", path+"/redeliver", `{"state":"failed","dry_run":true}`), &many)
	require.Equal(t, 2, many.Total)
	require.Empty(t, many.ID)
	require.Empty(t, *b.begun)
	b.Result(b.Do("POST", path+"/redeliver", `{"state":"failed"}`), &many)
	require.Equal(t, []string{many.ID}, *b.begun)
	b.back.GoOn(many.ID)
	require.Equal(t, 2, b.read(m.ID).Counts["pending"])
	b.Result(b.Do("GET", path+"/redeliver/"+many.ID, nil), &many)
	require.Equal(t, 2, many.Done)
	b.Refused(b.Do("GET", path+"/redeliver/nothing", nil), 404, "no such redelivery")
	b.Refused(b.Do("POST", path+"/redeliver", `{}`), 400, "state")
	b.Refused(b.Do("POST", path+"/redeliver", `{"from":"yesterday"}`), 400, "from")

	b.back.GiveUp(m.ID, "the receiver answered 410 Gone")
	a := b.Do("GET", path, nil)
	require.Contains(t, string(a.Body), `"dropped_at"`)
	require.Equal(t, "the receiver answered 410 Gone", b.read(m.ID).Reason)
	b.Refused(b.Do("POST", path+"/redeliver", `{"state":"failed"}`), 409, "dropped")
	b.Result(b.Do("POST", path+"/resume", nil), &changed)
	require.Equal(t, "active", changed.State)
}

func TestASecretIsRotated(t *testing.T) {
	b := setup(t)
	m := b.add(`{"url":"` + address + `"}`)
	var fresh made
	a := b.Do("POST", "/api/subscription/"+m.ID+"/rotate", nil)
	b.Result(a, &fresh)
	require.NotEqual(t, m.Secret, fresh.Secret)
	require.Equal(t, `{"success":true,"message":"","result":{"id":"`+m.ID+`","secret":"`+fresh.Secret+`"}}`, string(a.Body))
}

// Nobody is kept from being told twice, but whoever may not mean it is told so.
func TestASecondSubscriptionOfTheSameIsWarnedOf(t *testing.T) {
	b := setup(t)
	type answer struct {
		ID       string
		Warnings []struct {
			Code, Message string
			Subscriptions []string
		}
	}
	add := func(body string) (a answer) {
		b.Result(b.Do("POST", "/api/subscription", body), &a)
		return a
	}
	first := add(`{"url":"https://example.com/hook","topic":"gs","key":"a.*"}`)
	require.Empty(t, first.Warnings)
	require.Empty(t, add(`{"url":"https://example.com/hook","topic":"gs","key":"b.*"}`).Warnings, "no event is for both")
	require.Empty(t, add(`{"url":"https://example.com/other","topic":"gs","key":"a.1"}`).Warnings, "another address")
	second := add(`{"url":"HTTPS://Example.com:443/hook","key":"a.1","format":"publish"}`)
	require.Len(t, second.Warnings, 1)
	require.Equal(t, []any{"told_twice", []string{first.ID}}, []any{second.Warnings[0].Code, second.Warnings[0].Subscriptions})

	var changed answer
	b.Result(b.Do("PUT", "/api/subscription/"+second.ID, `{"key":"c"}`), &changed)
	require.Empty(t, changed.Warnings)
	b.Result(b.Do("PUT", "/api/subscription/"+second.ID, `{"key":""}`), &changed)
	require.Len(t, changed.Warnings[0].Subscriptions, 2)
	b.Result(b.Do("DELETE", "/api/subscription/"+first.ID, nil), nil)
	changed = answer{}
	b.Result(b.Do("PUT", "/api/subscription/"+second.ID, `{"key":"a.2"}`), &changed)
	require.Empty(t, changed.Warnings, "it is gone")
}

func TestATimeoutAndHeadersOfItsOwn(t *testing.T) {
	b := setup(t)
	m := b.add(`{"url":"` + address + `","timeout":60,"headers":{"Authorization":"Bearer s3cret","X-Team":"a"}}`)
	require.Equal(t, 60, m.Timeout)
	path := "/api/subscription/" + m.ID
	require.Equal(t, 60, b.read(m.ID).Timeout)
	for _, told := range []string{path, "/api/subscription"} {
		require.NotContains(t, string(b.Do("GET", told, nil).Body), "s3cret")
	}
	sent := func() map[string]string {
		b.Result(b.Do("POST", path+"/test", nil), nil)
		works := b.back.Waiting(m.ID)
		return works[len(works)-1].Subscription.Headers
	}
	require.Equal(t, map[string]string{"Authorization": "Bearer s3cret", "X-Team": "a"}, sent())
	var changed made
	b.Result(b.Do("PUT", path, `{"timeout":1}`), &changed)
	require.Equal(t, 1, changed.Timeout)
	require.Len(t, sent(), 2, "what is left out stays")
	b.Result(b.Do("PUT", path, `{"headers":{}}`), &changed)
	require.Empty(t, sent())
	require.Equal(t, 1, b.read(m.ID).Timeout)
	for body, says := range map[string]string{
		`{"timeout":0}`: "timeout", `{"timeout":61}`: "timeout", `{"timeout":-1}`: "timeout", `{"headers":{"webhook-id":"x"}}`: "headers.webhook-id",
		`{"headers":{"Host":"x"}}`: "headers.Host", `{"headers":{"a b":"x"}}`: "headers", `{"headers":{"a":"x\r\ny: z"}}`: "headers.a",
	} {
		b.Refused(b.Do("PUT", path, body), 400, says)
		b.Refused(b.Do("POST", "/api/subscription", `{"url":"`+address+`",`+body[1:]), 400, says)
	}
}

func TestListsInPages(t *testing.T) {
	b := setup(t)
	require.Equal(t, `{"success":true,"message":"","result":{"items":[]}}`, string(b.Do("GET", "/api/subscription", nil).Body))
	first, second := b.add(`{"url":"`+address+`"}`), b.add(`{"url":"`+address+`"}`)
	b.Do("POST", "/api/subscription/"+first.ID+"/pause", nil)
	var page struct {
		Items []made
		Next  string `json:"next_cursor"`
	}
	b.Result(b.Do("GET", "/api/subscription?limit=1", nil), &page)
	require.Equal(t, second.ID, page.Items[0].ID)
	b.Result(b.Do("GET", "/api/subscription?limit=1&cursor="+page.Next, nil), &page)
	require.Equal(t, first.ID, page.Items[0].ID)
	b.Result(b.Do("GET", "/api/subscription?state=active", nil), &page)
	require.Len(t, page.Items, 1)
	for query, says := range map[string]string{"limit=0": "limit", "limit=201": "limit", "state=x": "state", "cursor=x": "cursor", "limit=1&limit=2": "limit"} {
		b.Refused(b.Do("GET", "/api/subscription?"+query, nil), 400, says)
	}
	b.Refused(b.Do("GET", "/api/subscription/"+first.ID+"/deliveries?cursor=x", nil), 400, "cursor")
}

func TestWhoMay(t *testing.T) {
	b := setup(t)
	m := b.add(`{"url":"` + address + `"}`)
	calls := map[string][]string{
		"POST": {"", "/" + m.ID + "/pause", "/" + m.ID + "/resume", "/" + m.ID + "/rotate", "/" + m.ID + "/test", "/" + m.ID + "/deliveries/x/redeliver", "/" + m.ID + "/redeliver"},
		"GET":  {"/" + m.ID, "/" + m.ID + "/deliveries"}, "PUT": {"/" + m.ID}, "DELETE": {"/" + m.ID},
	}
	for method, paths := range calls {
		for _, path := range paths {
			body := any(nil)
			if method == "PUT" || path == "" || strings.HasSuffix(path, m.ID+"/redeliver") {
				body = `{"url":"` + address + `","state":"active"}`
				if method == "POST" && path != "" {
					body = `{"state":"failed"}`
				}
			}
			b.Refused(b.As("").Do(method, "/api/subscription"+path, body), 401, "credential")
			if method != "GET" {
				b.Refused(b.As(apitest.Reader).Do(method, "/api/subscription"+path, body), 403, "scope")
			} else {
				require.Equal(t, 200, b.As(apitest.Reader).Do(method, "/api/subscription"+path, nil).Status)
			}
			if path != "" {
				b.Refused(b.As(apitest.Stranger).Do(method, "/api/subscription"+path, body), 404, "no such")
				b.Refused(b.Do(method, "/api/subscription"+strings.Replace(path, m.ID, "%00", 1), body), 404, "no such")
			}
		}
	}
	require.Equal(t, "active", b.read(m.ID).State)
	b.Refused(b.Do("PATCH", "/api/subscription/"+m.ID, `{}`), 405, "method")
	b.Refused(b.Do("GET", "/api/subscription/"+m.ID+"/nothing", nil), 404, "no such path")
	require.Equal(t, `{"success":true,"message":""}`, string(b.Do("DELETE", "/api/subscription/"+m.ID, nil).Body))
	b.Refused(b.Do("DELETE", "/api/subscription/"+m.ID, nil), 404, "no such subscription")
	b.back.Err = ticket.Refuse(ticket.Unavailable, "down")
	b.Refused(b.Do("POST", "/api/subscription", `{"url":"`+address+`"}`), 503, "down")
}
