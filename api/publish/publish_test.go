package publish_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"signalbox/api"
	"signalbox/api/apitest"
	"signalbox/api/publish"
	"signalbox/notice"
	"signalbox/ticket"
)

type bench struct {
	apitest.Client
	back    *apitest.Backend
	handler *publish.Handler
	all     string // a subscription of north that follows everything
}

func setup(t testing.TB, open string) bench {
	t.Helper()
	back := apitest.NewBackend(t, nil)
	all, err := back.Subscribe(t.Context(), notice.Subscription{Tenant: "north", URL: "https://example.com/all", Format: notice.FormatEvent, Profile: notice.Standard})
	require.NoError(t, err)
	apps := apitest.NewApps()
	handler := &publish.Handler{Desk: back, Stream: back, Apps: apps, Now: time.Now, Open: open}
	server := api.New(api.Config{}, apps, nil, slog.New(slog.NewTextHandler(io.Discard, nil)), handler.Family())
	return bench{apitest.Client{T: t, App: server.App(), Contract: apitest.LoadContract(t, "publish"), Secret: apitest.Writer}, back, handler, all.ID}
}

// published lists what was published in north, in order.
func (b bench) published() (list []notice.Published) {
	b.T.Helper()
	for _, w := range b.back.Waiting(b.all) {
		var p notice.Published
		require.NoError(b.T, json.Unmarshal(w.Delivery.Body, &struct {
			RequestID *string   `json:"request_id"`
			Source    *string   `json:"event_source"`
			Topic     *string   `json:"event_topic"`
			Type      *string   `json:"event_type"`
			Status    *string   `json:"event_status"`
			Key       *string   `json:"event_key"`
			Changes   *[]string `json:"changes"`
		}{&p.RequestID, &p.Source, &p.Topic, &p.Type, &p.Status, &p.Key, &p.Changes}))
		list = append(list, p)
	}
	return list
}

func sample(t testing.TB, name string) string {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)
	return string(raw)
}

type answer struct {
	RequestID *string `json:"request_id"`
	Code, Msg string
}

// shape is the exact bytes of every answer: the seed's members in the seed's order.
var shape = regexp.MustCompile(`^\{"request_id":"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}","code":"[0-9]{3}","msg":"[^"]+"\}$`)

func (b bench) refused(a apitest.Answer, status int, code, says string) {
	b.T.Helper()
	require.Equal(b.T, status, a.Status, string(a.Body))
	require.Regexp(b.T, shape, string(a.Body))
	var got answer
	require.NoError(b.T, json.Unmarshal(a.Body, &got))
	require.Equal(b.T, code, got.Code)
	require.Contains(b.T, got.Msg, says)
}

func TestTheCallIsMountedAndDescribed(t *testing.T) {
	b := setup(t, "")
	require.Equal(t, apitest.Mounted(b.handler.Family()), b.Contract.Routes())
}

func TestTheSeedsSampleIsAnsweredAsTheSeedShows(t *testing.T) {
	b := setup(t, "")
	a := b.Do("POST", "/api/publish", sample(t, "event.json"), "X-Request-Id", "b372be68-6fa6-4590-b927-a4096e6a05e6")
	require.Equal(t, http.StatusOK, a.Status)
	require.Equal(t, `{"request_id":"b372be68-6fa6-4590-b927-a4096e6a05e6","code":"000","msg":"成功"}`, string(a.Body))
	require.JSONEq(t, sample(t, "done.json"), string(a.Body))
	require.Equal(t, "application/json", strings.Split(a.Header.Get("Content-Type"), ";")[0])
	require.Equal(t, []notice.Published{{RequestID: "b372be68-6fa6-4590-b927-a4096e6a05e6", Source: "a", Topic: "gs", Type: "cert", Status: "1", Key: "a.gs.cert.1",
		Changes: []string{"id1", "id2"}}}, b.published())

	// Everything else about a request that a plain client may leave out.
	a = b.Do("POST", "/api/publish", strings.Replace(sample(t, "event.json"), `"event_key":"a.gs.cert.1",`, "", 1), "Content-Type", "", "X-Request-Id", "not a uuid")
	require.Equal(t, http.StatusOK, a.Status)
	require.Regexp(t, shape, string(a.Body))
	require.Empty(t, b.published()[1].Key)
	require.NoError(t, uuid.Validate(b.published()[1].RequestID))
	require.Contains(t, string(a.Body), b.published()[1].RequestID)
}

func TestNotAvailableIsWhatTheSeedSays(t *testing.T) {
	for name, fault := range map[string]error{"down": ticket.Refuse(ticket.Unavailable, "down"), "a fault of ours": errors.New("secret details")} {
		t.Run(name, func(t *testing.T) {
			b := setup(t, "")
			b.back.Err = fault
			a := b.Do("POST", "/api/publish", sample(t, "event.json"), "X-Idempotency-Key", "k")
			require.Equal(t, http.StatusInternalServerError, a.Status)
			var want, got answer
			require.NoError(t, json.Unmarshal([]byte(sample(t, "unavailable.json")), &want))
			require.NoError(t, json.Unmarshal(a.Body, &got))
			require.Equal(t, want.Code, got.Code)
			require.Equal(t, want.Msg, got.Msg)
			require.NotNil(t, got.RequestID)
			require.Equal(t, name == "down", a.Header.Get("Retry-After") != "")
			b.back.Err = nil
			require.Equal(t, http.StatusOK, b.Do("POST", "/api/publish", sample(t, "event.json"), "X-Idempotency-Key", "k").Status, "the key is free")
			require.Len(t, b.published(), 1)
		})
	}
}

// full is a stream that takes nothing more.
type full struct{ err error }

func (f full) Publish(context.Context, string, string, notice.Published) error { return f.err }

func TestWhatIsNotKeptIsNotAccepted(t *testing.T) {
	b := setup(t, "")
	for _, err := range []error{errors.New("disk full"), ticket.Refuse(ticket.Unavailable, "down")} {
		b.handler.Stream = full{err}
		b.refused(b.Do("POST", "/api/publish", event()), 500, "500", "服务调用异常")
	}
}

// event is the seed's sample with members replaced; nil leaves one out.
func event(change ...any) string {
	all := map[string]any{"event_source": "a", "event_topic": "gs", "event_type": "cert", "event_status": "1", "event_key": "k", "changes": []any{"id1"}}
	for i := 0; i < len(change); i += 2 {
		if all[change[i].(string)] = change[i+1]; change[i+1] == nil {
			delete(all, change[i].(string))
		}
	}
	raw, _ := json.Marshal(all)
	return string(raw)
}

func TestWhatIsMissingIsToldInTheOrderOfTheTable(t *testing.T) {
	b := setup(t, "")
	names := []string{"event_source", "event_topic", "event_type", "event_status", "changes"}
	for _, empty := range []any{nil, "", " \t", json.RawMessage("null")} {
		var faults []any
		for i := range names { // all from the i-th on
			faults = faults[:0]
			for _, name := range names[i:] {
				value := empty
				if name == "changes" && empty != nil {
					value = []any{}
				}
				faults = append(faults, name, value)
			}
			b.refused(b.Do("POST", "/api/publish", event(faults...)), 400, "400", "参数"+names[i]+"不能为空")
		}
	}
	for _, body := range []string{"", "{}", "null", `{"EVENT_SOURCE":"a"}`} {
		b.refused(b.Do("POST", "/api/publish", body), 400, "400", "参数event_source不能为空")
	}
	// A wrong value before a missing one, and the other way round.
	b.refused(b.Do("POST", "/api/publish", event("event_topic", 7, "event_type", nil)), 400, "400", "参数event_topic必须是字符串")
	b.refused(b.Do("POST", "/api/publish", event("event_topic", nil, "event_type", 7)), 400, "400", "参数event_topic不能为空")
	require.Empty(t, b.published())
}

// Only we tell of our tickets: nobody else publishes under our name, nor under one that reads like it.
func TestOurOwnNameIsOurs(t *testing.T) {
	b := setup(t, "")
	for _, name := range []string{"signalbox", "Signalbox", "SIGNALBOX", " signalbox\u00a0", "ｓｉｇｎａｌｂｏｘ", "signal\u200bbox", "\ufeffsignalbox", "ſignalbox", "signalbox\ufe0f", "ⓢignalbox"} {
		b.refused(b.Do("POST", "/api/publish", event("event_source", name)), 400, "400", "参数event_source不能是signalbox")
	}
	require.Empty(t, b.published())
	for _, name := range []string{"signalbox2", "my signalbox", "signal box", "a"} {
		require.Equal(t, http.StatusOK, b.Do("POST", "/api/publish", event("event_source", name, "event_topic", "signalbox")).Status, name)
	}
	require.Len(t, b.published(), 4)
}

func TestWhatElseIsWrong(t *testing.T) {
	b := setup(t, "")
	long := strings.Repeat("事", 256)
	for _, c := range []struct{ body, says string }{
		{event("event_source", long), "参数event_source长度不能超过255个字符"},
		{event("event_status", 1), "参数event_status必须是字符串"},
		{event("event_status", true), "参数event_status必须是字符串"},
		{event("event_type", []any{"a"}), "参数event_type必须是字符串"},
		{event("event_type", "a\u0000b"), "参数event_type不能包含控制字符"},
		{event("event_key", long), "参数event_key长度不能超过255个字符"},
		{event("event_key", 1), "参数event_key必须是字符串"},
		{event("event_key", "a\nb"), "参数event_key不能包含控制字符"},
		{event("changes", "id1"), "参数changes必须是字符串数组"},
		{event("changes", map[string]any{}), "参数changes必须是字符串数组"},
		{event("changes", []any{"id1", ""}), "参数changes[1]不能为空"},
		{event("changes", []any{"id1", nil}), "参数changes[1]不能为空"},
		{event("changes", []any{1}), "参数changes[0]必须是字符串"},
		{event("changes", []any{long}), "参数changes[0]长度不能超过255个字符"},
		{event("changes", make1001()), "参数changes不能超过1000项"},
		{`[]`, "参数body"}, {`"x"`, "参数body"}, {`{"event_source":`, "参数body"}, {"{\"event_source\":\"\xff\"}", "参数body"}, {event() + "x", "参数body"},
	} {
		b.refused(b.Do("POST", "/api/publish", c.body), 400, "400", c.says)
	}
	b.refused(b.Do("POST", "/api/publish", event(), "X-Idempotency-Key", "a b"), 400, "400", "参数X-Idempotency-Key")
	b.refused(b.Do("POST", "/api/publish", event(), "Content-Encoding", "gzip"), 400, "400", "Content-Encoding")
	require.Empty(t, b.published())

	edge := strings.Repeat("事", 255)
	full := make1001()[:1000]
	full[0] = edge
	require.Equal(t, 200, b.Do("POST", "/api/publish", event("event_source", edge, "event_key", edge, "changes", full)).Status)
	require.Equal(t, 200, b.Do("POST", "/api/publish", event("event_key", "")).Status)
	require.Equal(t, 200, b.Do("POST", "/api/publish", event("event_key", json.RawMessage("null"), "more", map[string]any{"a": 1})).Status)
	require.Len(t, b.published(), 3)
}

func make1001() []any {
	items := make([]any, 1001)
	for i := range items {
		items[i] = fmt.Sprint("id", i)
	}
	return items
}

func TestRefusalsBeforeTheEvent(t *testing.T) {
	b := setup(t, "")
	b.refused(b.As("").Do("POST", "/api/publish", event()), 401, "401", "认证失败")
	b.refused(b.As("wrong").Do("POST", "/api/publish", "{"), 401, "401", "认证失败")
	b.refused(b.As(apitest.Gone).Do("POST", "/api/publish", event()), 401, "401", "认证失败")
	b.refused(b.As(apitest.Reader).Do("POST", "/api/publish", event()), 403, "403", "权限")
	b.refused(b.Do("GET", "/api/publish", nil), 405, "405", "请求类型不支持")
	b.refused(b.Do("PUT", "/api/publish", event()), 405, "405", "请求类型不支持")
	b.refused(b.Do("POST", "/api/publish/x", event()), 404, "404", "请求地址不存在")
	b.refused(b.Do("POST", "/api/publish", `{"x":"`+strings.Repeat("x", 1<<20)+`"}`), 413, "413", "请求内容过大")
	require.Empty(t, b.published())
}

func TestEveryCredentialOfTheHouseIsTaken(t *testing.T) {
	b := setup(t, "")
	b.Secret = ""
	for name, headers := range map[string][]string{
		"access key": {"Authorization", "Access_Key " + apitest.Writer}, "bearer": {"Authorization", "Bearer " + apitest.Writer}, "token": {"X-Auth-Token", apitest.Writer},
		"application": {"X-Bkapi-Authorization", `{"bk_app_code":"writer","bk_app_secret":"writer-secret"}`},
	} {
		require.Equal(t, 200, b.Do("POST", "/api/publish", event(), headers...).Status, name)
	}
	require.Equal(t, 200, b.Do("POST", "/api/publish", event("bk_app_code", "writer", "bk_app_secret", apitest.Writer)).Status)
	require.Equal(t, 200, b.Do("POST", "/api/publish?app_code=writer&app_secret="+apitest.Writer, event()).Status)
	b.refused(b.Do("POST", "/api/publish", event("bk_app_code", "reader", "bk_app_secret", apitest.Writer)), 401, "401", "认证失败")
	b.refused(b.Do("POST", "/api/publish", event(), "X-Bkapi-Authorization", `nonsense`), 401, "401", "认证失败")
	b.refused(b.Do("POST", "/api/publish", event(), "Authorization", "SDK-HMAC-SHA256 Access=writer, SignedHeaders=host, Signature=00"), 401, "401", "认证失败")
}

func TestOnlyAnOperatorLetsAnonymousCallersIn(t *testing.T) {
	b := setup(t, "north")
	sub, err := b.back.Subscribe(t.Context(), notice.Subscription{Tenant: "north", Format: notice.FormatEvent})
	require.NoError(t, err)
	require.Equal(t, 200, b.As("").Do("POST", "/api/publish", event()).Status)
	owed, _, err := b.back.Deliveries(t.Context(), notice.Owner{}, sub.ID, "", 10)
	require.NoError(t, err)
	require.Len(t, owed, 1, "into the tenant that the setting names")
	b.refused(b.As("wrong").Do("POST", "/api/publish", event()), 401, "401", "认证失败")
	b.refused(b.As("").Do("POST", "/api/publish", event("bk_app_code", "writer", "bk_app_secret", "wrong")), 401, "401", "认证失败")
	b.refused(b.As("").Do("POST", "/api/publish", event("event_topic", nil)), 400, "400", "参数event_topic不能为空")
}

func TestARepeatedKeyPublishesOnce(t *testing.T) {
	b := setup(t, "")
	first := b.Do("POST", "/api/publish", event(), "X-Idempotency-Key", "k")
	again := b.Do("POST", "/api/publish", event(), "Idempotency-Key", "k")
	require.Equal(t, "false", first.Header.Get("X-Idempotency-Replayed"))
	require.Equal(t, "true", again.Header.Get("X-Idempotency-Replayed"))
	require.Equal(t, string(first.Body), string(again.Body))
	require.Len(t, b.published(), 1)
	b.refused(b.Do("POST", "/api/publish", event("event_topic", "other"), "X-Idempotency-Key", "k"), 422, "422", "幂等键")
	b.back.Err = ticket.Refuse(ticket.Busy, "still running")
	busy := b.Do("POST", "/api/publish", event())
	b.refused(busy, 409, "409", "正在处理中")
	require.NotEmpty(t, busy.Header.Get("Retry-After"))
}
