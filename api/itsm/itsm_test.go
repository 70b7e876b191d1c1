package itsm_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/api"
	"signalbox/api/apitest"
	"signalbox/api/issue"
	"signalbox/api/itsm"
	"signalbox/flow"
	"signalbox/notice"
	"signalbox/ticket"
)

var epoch = time.Date(2026, 1, 1, 18, 4, 5, 678_901_000, time.UTC) // the day after in Shanghai

var shanghai = time.FixedZone("Asia/Shanghai", 8*3600)

const (
	esb     = "/api/c/compapi/v2/itsm/"
	older   = "/api/c/compapi/itsm/"
	native  = "/openapi/"
	gateway = "/prod/v2/itsm/"
)

// bench is a server with the itsm family, and the issue family to act through, over the true desk and store.
type bench struct {
	*testing.T
	apitest.Client
	back  *apitest.Backend
	clock *time.Time
}

func setup(t *testing.T) *bench {
	t.Helper()
	at := epoch
	b := &bench{T: t, back: apitest.NewBackend(t, shanghai), clock: &at}
	b.back.Now = func() time.Time { return at.In(shanghai) }
	handler := itsm.Handler{Desk: b.back, Tickets: b.back, Services: b.back, People: b.back, Apps: apitest.NewApps(), Types: api.DefaultIncidentTypes, Zone: shanghai,
		Allow: notice.Reach{Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}}
	issues := issue.Handler{Desk: b.back, Tickets: b.back, Services: b.back, Addresses: b.back}
	families := append(handler.Families(), issues.Family())
	server := api.New(api.Config{}, apitest.NewApps(), nil, slog.New(slog.DiscardHandler), families...)
	b.Client = apitest.Client{T: t, App: server.App(), Contract: apitest.LoadContract(t, "itsm"), Secret: apitest.Writer}
	return b
}

func (b *bench) on(t *testing.T) *bench {
	other := *b
	other.T, other.Client = t, b.Client.On(t)
	return &other
}

func (b *bench) sample(name string) string {
	b.T.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(b.T, err)
	return string(raw)
}

type members map[string]any

// envelope is an answer, with its members in order.
type envelope struct {
	Result    bool
	Code      json.Number
	Message   string
	Data      json.RawMessage
	RequestID string `json:"request_id"`
	CodeName  string `json:"code_name"`
}

func (b *bench) read(a apitest.Answer) (e envelope) {
	b.T.Helper()
	d := json.NewDecoder(bytes.NewReader(a.Body))
	d.UseNumber()
	require.NoError(b.T, d.Decode(&e), string(a.Body))
	return e
}

// done reads the data of an operation that was done.
func (b *bench) done(a apitest.Answer, data any) {
	b.T.Helper()
	require.Equal(b.T, http.StatusOK, a.Status, string(a.Body))
	e := b.read(a)
	require.Equal(b.T, []any{true, json.Number("0"), "success"}, []any{e.Result, e.Code, e.Message}, string(a.Body))
	if data != nil {
		require.NoError(b.T, json.Unmarshal(e.Data, data), string(a.Body))
	} else {
		require.Equal(b.T, "[]", string(e.Data))
	}
}

func (b *bench) refused(a apitest.Answer, status int, code, says string) {
	b.T.Helper()
	e := b.read(a)
	require.Equal(b.T, status, a.Status, string(a.Body))
	require.Equal(b.T, []any{false, json.Number(code), "null"}, []any{e.Result, e.Code, string(e.Data)}, string(a.Body))
	require.Contains(b.T, e.Message, says)
}

// call sends an operation to the ESB.
func (b *bench) call(operation string, body any, headers ...string) apitest.Answer {
	b.T.Helper()
	return b.Do("POST", esb+operation+"/", body, headers...)
}

func form(values ...string) []members {
	var out []members
	for i := 0; i < len(values); i += 2 {
		out = append(out, members{"key": values[i], "value": values[i+1]})
	}
	return out
}

// fast opens a ticket that alice, bob and carol are asked to approve.
func (b *bench) fast(change members) string {
	b.T.Helper()
	body := members{"creator": "wang", "fast_approval": true, "fields": form("title", "标题", "APPROVER", "alice,bob,carol", "APPROVAL_CONTENT", "内容")}
	for name, value := range change {
		body[name] = value
	}
	var created struct{ SN string }
	b.done(b.call("create_ticket", body), &created)
	return created.SN
}

// called is a callback that waits to be made, once the ticket is approved.
func (b *bench) called(sn string) notice.Work {
	b.T.Helper()
	b.done(b.vote(sn, "alice", "true", ""), nil)
	registered, _, err := b.back.Registered(b.T.Context(), b.ticket(sn).ID, "", 0)
	require.NoError(b.T, err)
	require.Len(b.T, registered, 1)
	works := b.back.Waiting(registered[0].ID)
	require.Len(b.T, works, 1)
	return works[0]
}

// withCallback are the members of a ticket that is called back for.
func withCallback() members {
	return members{"meta": members{"callback_url": "https://example.com/callback"}}
}

// token opens a ticket, and gives its number and the token that its callback told.
func (b *bench) token() (sn, token string) {
	b.T.Helper()
	sn = b.fast(withCallback())
	var body struct{ Token string }
	require.NoError(b.T, json.Unmarshal(b.called(sn).Delivery.Body, &body))
	return sn, body.Token
}

// callback is what a ticket was opened with, and the headers that its receiver gets.
func (b *bench) callback(sn string) *ticket.Callback {
	b.T.Helper()
	events, err := b.back.Timeline(b.T.Context(), b.ticket(sn).ID, 0, 1)
	require.NoError(b.T, err)
	c := events[0].After.Opening.Callback
	if c != nil && c.Encrypted != "" {
		require.Empty(b.T, c.Headers)
		c.Encrypted, c.Headers = "", b.called(sn).Subscription.Headers
	}
	return c
}

// open opens a ticket of a service that is published for it.
func (b *bench) open(def flow.Definition, fields []members) string {
	b.T.Helper()
	def.Name = def.Key
	require.Empty(b.T, flow.Check(def))
	published, err := b.back.PublishService(b.T.Context(), "north", "writer", def)
	require.NoError(b.T, err)
	var created struct{ SN string }
	b.done(b.call("create_ticket", members{"service_id": published.Number, "creator": "wang", "fields": fields}), &created)
	return created.SN
}

type status struct {
	Status     string `json:"current_status"`
	URL        string `json:"ticket_url"`
	Operations []struct {
		Key string
		Can bool `json:"can_operate"`
	}
	Commented bool `json:"is_commented"`
	Steps     []struct {
		Name           string
		StateID        int64 `json:"state_id"`
		Round          int
		Status         string
		ActionType     string `json:"action_type"`
		ProcessorsType string `json:"processors_type"`
		Processors     string
		Operations     []struct {
			Key string
			Can bool `json:"can_operate"`
		}
		Fields []struct {
			Key, Type    string
			ValidateType string `json:"validate_type"`
			Meta         struct{ Code string }
		}
	} `json:"current_steps"`
}

func (b *bench) status(sn string) (s status) {
	b.T.Helper()
	b.done(b.Do("GET", esb+"get_ticket_status/?sn="+sn, nil), &s)
	return s
}

func (b *bench) ticket(sn string) ticket.Ticket {
	b.T.Helper()
	t, err := b.back.Ticket(b.T.Context(), "north", sn)
	require.NoError(b.T, err)
	return t
}

// vote votes at the only step, in the way in which clients discover the keys.
func (b *bench) vote(sn, who, result, remark string) apitest.Answer {
	b.T.Helper()
	s := b.status(sn)
	require.Len(b.T, s.Steps, 1)
	return b.call("operate_node", members{"sn": sn, "operator": who, "state_id": s.Steps[0].StateID, "action_type": "TRANSITION", "fields": b.ballot(s, result, remark)})
}

func (b *bench) ballot(s status, result, remark string) []members {
	var fields []members
	for _, f := range s.Steps[0].Fields {
		value := ""
		switch {
		case f.Meta.Code == "APPROVE_RESULT":
			value = result
		case (f.ValidateType == "REQUIRE") == (result == "false"):
			value = remark
		}
		fields = append(fields, members{"key": f.Key, "value": value})
	}
	return fields
}

func TestFastApprovalFromCreationToResult(t *testing.T) {
	b := setup(t)
	created := b.call("create_ticket", b.sample("create_ticket.json"), "X-Request-Id", "trace-1")
	require.Equal(t, `{"result":true,"code":0,"message":"success","data":{"sn":"REQ20260102000001","id":1,`+
		`"ticket_url":"https://box.example/ticket/REQ20260102000001"},"request_id":"trace-1"}`, string(created.Body))
	const sn = "REQ20260102000001"

	s := b.status(sn)
	require.Equal(t, "RUNNING", s.Status)
	require.Len(t, s.Steps, 1)
	step := s.Steps[0]
	require.Equal(t, []string{"RUNNING", "TRANSITION", "PERSON", "xx,xxx,xxxx"}, []string{step.Status, step.ActionType, step.ProcessorsType, step.Processors})
	require.Equal(t, []string{"WITHDRAW", "SUSPEND"}, []string{s.Operations[0].Key, s.Operations[1].Key})
	require.Equal(t, []string{"TRANSITION", "SUSPEND"}, []string{step.Operations[0].Key, step.Operations[1].Key})
	require.Len(t, step.Fields, 3)
	require.Equal(t, []string{"RADIO", "REQUIRE", "APPROVE_RESULT"}, []string{step.Fields[0].Type, step.Fields[0].ValidateType, step.Fields[0].Meta.Code})
	require.Equal(t, []string{"OPTION", "REQUIRE"}, []string{step.Fields[1].ValidateType, step.Fields[2].ValidateType})

	*b.clock = b.clock.Add(time.Hour)
	b.done(b.vote(sn, "xxx", "true", "好"), nil)
	require.Equal(t, `{"result":true,"code":0,"message":"success","data":[{"sn":"REQ20260102000001","title":"test approval",`+
		`"ticket_url":"https://box.example/ticket/REQ20260102000001","current_status":"FINISHED","updated_by":"creator,xxx","update_at":"2026-01-02 03:04:05",`+
		`"approve_result":true}]}`, string(b.Do("POST", gateway+"ticket_approval_result/", members{"sn": []string{sn, "REQ20260102999999"}}).Body))
	require.Empty(t, b.status(sn).Steps)
	require.Empty(t, b.status(sn).Operations)
	b.refused(b.call("operate_ticket", members{"sn": sn, "operator": "xxx", "action_type": "SUSPEND", "action_message": "x"}), 200, "3900004", "completed")
}

func TestTheThreeAddressesDoTheSame(t *testing.T) {
	b := setup(t)
	sn := b.fast(nil)
	for _, c := range []struct{ method, path string }{
		{"GET", esb + "get_ticket_status/?sn=" + sn}, {"GET", esb + "get_ticket_status?sn=" + sn}, {"POST", esb + "get_ticket_status/"},
		{"GET", older + "get_ticket_status/?sn=" + sn}, {"POST", older + "get_ticket_status"}, {"POST", esb + "get_ticket_status/?sn=" + sn},
		{"GET", native + "ticket/get_ticket_status/?sn=" + sn}, {"POST", native + "ticket/get_ticket_status"}, {"GET", gateway + "get_ticket_status/?sn=" + sn},
		{"GET", gateway + "get_ticket_status?sn=" + sn},
	} {
		var body any
		if c.method == "POST" && !strings.Contains(c.path, "?") {
			body = members{"sn": sn, "unknown": []int{1}}
		}
		a := b.Do(c.method, c.path, body)
		var s status
		b.done(a, &s)
		require.Equal(t, "RUNNING", s.Status)
		require.Equal(t, strings.HasPrefix(c.path, "/api/"), b.read(a).RequestID != "", "the ESB alone gives a request_id")
	}
	for path, method := range map[string]string{"ticket/token/verify": "token/verify", "ticket/comment": "comment"} {
		require.Equal(t, 200, b.Do("POST", native+path+"/", members{"sn": sn}).Status)
		require.Equal(t, 200, b.Do("POST", gateway+method+"/", members{"sn": sn}).Status)
	}
	b.refused(b.Do("POST", gateway+"get_ticket_status/", members{"sn": sn}), 405, "1640501", "method")
	b.refused(b.Do("GET", gateway+"create_ticket/", nil), 405, "1640501", "method")
	b.refused(b.Do("DELETE", esb+"get_ticket_status/", nil), 405, "1306405", "method")
	b.refused(b.Do("PUT", native+"ticket/create_ticket/", members{}), 405, "1640501", "method")
	require.Equal(t, 405, b.Do("HEAD", esb+"create_ticket/", nil).Status)
	require.Equal(t, 1, len(b.listed(members{})), "nobody has created another")
	b.refused(b.Do("GET", esb+"insert_service/", nil), 200, "1306404", "path")
	b.refused(b.Do("GET", native+"ticket/nothing/", nil), 404, "1640401", "path")
	b.refused(b.Do("POST", gateway+"comment_ticket/", members{}), 404, "1640401", "path")

	// By GET alone, as old clients of the ESB do.
	var created struct{ SN string }
	b.done(b.Do("GET", esb+`create_ticket/?creator=wang&fast_approval=true&fields=[{"key":"title","value":"x"},{"key":"APPROVER","value":"bob"}]`, nil), &created)
	b.done(b.Do("GET", esb+"approve/?sn="+created.SN+"&state_id=21&approver=bob&action=true", nil), nil)
	var results []struct {
		Status   string `json:"current_status"`
		Approved bool   `json:"approve_result"`
	}
	b.done(b.Do("GET", esb+"ticket_approval_result/?sn="+created.SN+"&sn="+sn, nil), &results)
	require.Equal(t, []string{"FINISHED", "RUNNING"}, []string{results[0].Status, results[1].Status})
	require.True(t, results[0].Approved && !results[1].Approved)
}

func (b *bench) listed(body members) (numbers []string) {
	b.T.Helper()
	var page struct{ Items []struct{ SN string } }
	b.done(b.call("get_tickets", body), &page)
	for _, item := range page.Items {
		numbers = append(numbers, item.SN)
	}
	return numbers
}

func TestWhoIsAskedFor(t *testing.T) {
	b := setup(t)
	sn := b.fast(nil)
	anonymous := *b
	anonymous.Client = b.As("")
	path := esb + "get_ticket_status/?sn=" + sn
	header := func(text string) []string { return []string{"X-Bkapi-Authorization", text} }
	for name, c := range map[string]struct {
		path    string
		body    any
		headers []string
	}{
		"query":                   {path + "&bk_app_code=writer&bk_app_secret=writer-secret", nil, nil},
		"body":                    {esb + "get_ticket_status/", members{"sn": sn, "bk_app_code": "writer", "bk_app_secret": "writer-secret", "bk_token": "x"}, nil},
		"older names":             {esb + "get_ticket_status/", members{"sn": sn, "app_code": "writer", "app_secret": "writer-secret"}, nil},
		"header":                  {path, nil, header(`{"bk_app_code":"writer","bk_app_secret":"writer-secret","bk_username":"admin"}`)},
		"header before body":      {esb + "get_ticket_status/", members{"sn": sn, "bk_app_code": "x", "bk_app_secret": "y"}, header(`{"bk_app_code":"writer","bk_app_secret":"writer-secret"}`)},
		"access key":              {path, nil, []string{"Authorization", "Access_Key writer-secret"}},
		"bearer":                  {path, nil, []string{"Authorization", "Bearer writer-secret"}},
		"header with a name only": {path, nil, append(header(`{"bk_username":"admin"}`), "Authorization", "Bearer writer-secret")},
		"gateway with a body":     {gateway + "get_ticket_status/?bk_app_code=writer&bk_app_secret=writer-secret&sn=" + sn, nil, nil},
	} {
		method := "GET"
		if c.body != nil {
			method = "POST"
		}
		var s status
		anonymous.done(anonymous.Do(method, c.path, c.body, c.headers...), &s)
		require.Equal(t, "RUNNING", s.Status, name)
	}
	for name, c := range map[string]struct {
		body             any
		headers          []string
		status           int
		esb, gatewayCode string
	}{
		"none":                 {members{"sn": sn}, nil, 401, "1306000", "1640101"},
		"wrong secret":         {members{"sn": sn, "bk_app_code": "writer", "bk_app_secret": "boss-secret"}, nil, 401, "1306000", "1640101"},
		"secret alone":         {members{"sn": sn, "bk_app_secret": "writer-secret"}, nil, 401, "1306000", "1640101"},
		"disabled":             {members{"sn": sn, "bk_app_code": "gone", "bk_app_secret": "gone-secret"}, nil, 401, "1306000", "1640101"},
		"wrong in the header":  {members{"sn": sn, "bk_app_code": "writer", "bk_app_secret": "writer-secret"}, header(`{"bk_app_code":"writer","bk_app_secret":"x"}`), 401, "1306000", "1640101"},
		"nothing in it":        {members{"sn": sn, "bk_app_code": "writer", "bk_app_secret": "writer-secret"}, header(`{}`), 401, "1306000", "1640101"},
		"not JSON":             {members{"sn": sn, "bk_app_code": "writer", "bk_app_secret": "writer-secret"}, header(`writer`), 400, "1306406", "1640001"},
		"a list":               {members{"sn": sn}, header(`[]`), 400, "1306406", "1640001"},
		"null":                 {members{"sn": sn}, header(`null`), 400, "1306406", "1640001"},
		"body cut off":         {`{"sn":`, nil, 400, "1306406", "1640001"},
		"only reads":           {members{"sn": []string{sn}}, []string{"Authorization", "Bearer reader-secret"}, 403, "1306403", "1640301"},
		"numbers as the names": {members{"bk_app_code": 1, "bk_app_secret": 2}, nil, 401, "1306000", "1640101"},
	} {
		a := anonymous.Do("POST", esb+"ticket_approval_result/", c.body, c.headers...)
		b.refused(a, 200, c.esb, "")
		require.NotEmpty(t, b.read(a).RequestID, name)
		require.Empty(t, a.Header.Get("WWW-Authenticate"))
		for _, path := range []string{native + "ticket/ticket_approval_result/", gateway + "ticket_approval_result/"} {
			a := anonymous.Do("POST", path, c.body, c.headers...)
			b.refused(a, c.status, c.gatewayCode, "")
			require.NotEmpty(t, b.read(a).CodeName, name)
			require.Empty(t, b.read(a).RequestID)
		}
	}

	stranger := *b
	stranger.Client = b.As(apitest.Stranger)
	for _, operation := range []string{"get_ticket_status", "get_ticket_info", "get_ticket_logs"} {
		b.refused(stranger.call(operation, members{"sn": sn}), 200, "3900022", "没有找到对应的单据")
	}
	b.refused(stranger.call("operate_ticket", members{"sn": sn, "operator": "wang", "action_type": "WITHDRAW"}), 200, "3900022", "没有找到对应的单据")
	b.refused(stranger.call("approve", members{"sn": sn, "state_id": 21, "approver": "bob", "action": "true"}), 200, "3900022", "没有找到对应的单据")
	var none []any
	b.done(stranger.call("ticket_approval_result", members{"sn": []string{sn}}), &none)
	require.Empty(t, none)
	require.Empty(t, stranger.listed(members{}))
	require.Equal(t, ticket.Triggered, b.ticket(sn).Status)
}

func TestTokensAreTheTenants(t *testing.T) {
	b := setup(t)
	_, token := b.token()
	passed := func(b *bench, body any) bool {
		var data struct {
			Passed *bool `json:"is_passed"`
		}
		b.done(b.call("token/verify", body), &data)
		require.NotNil(t, data.Passed)
		return *data.Passed
	}
	stranger := *b
	stranger.Client = b.As(apitest.Stranger)
	require.True(t, passed(b, members{"token": token}))
	require.False(t, passed(&stranger, members{"token": token}))
	for _, body := range []any{members{}, members{"token": ""}, members{"token": nil}, members{"token": "x"}, nil} {
		require.False(t, passed(b, body))
	}
	b.refused(b.call("token/verify", members{"token": 1}), 200, "3900005", "token: must be a string")
}

func TestARequestThatIsRepeatedIsDoneOnce(t *testing.T) {
	b := setup(t)
	for i, path := range []string{esb + "create_ticket/", native + "ticket/create_ticket/", gateway + "create_ticket/"} {
		body := members{"creator": "wang", "fast_approval": true, "fields": form("title", path, "APPROVER", "bob")}
		k, r := fmt.Sprint("k-", i), fmt.Sprint("r-", i) // a call has one key at all its addresses
		before := len(b.listed(members{"page_size": 100}))
		first := b.Do("POST", path, body, "X-Idempotency-Key", k)
		b.done(first, &struct{}{})
		again := b.Do("POST", path, body, "Idempotency-Key", k)
		require.Equal(t, string(first.Body), string(again.Body))
		require.Equal(t, []string{"false", "true"}, []string{first.Header.Get("X-Idempotency-Replayed"), again.Header.Get("X-Idempotency-Replayed")})
		require.Len(t, b.listed(members{"page_size": 100}), before+1)

		other := b.Do("POST", path, members{"creator": "li", "fast_approval": true, "fields": form("title", "x", "APPROVER", "bob")}, "X-Idempotency-Key", k)
		code, key := "1642201", "1640001"
		if strings.HasPrefix(path, "/api/") {
			code, key = "1306422", "1306406"
		}
		b.refused(other, 422, code, "key")
		b.refused(b.Do("POST", path, body, "X-Idempotency-Key", "ü"), 400, key, "X-Idempotency-Key")

		// A refusal is HTTP 200 and yet not remembered.
		wrong := members{"creator": "wang", "fast_approval": true, "fields": form("title", "x")}
		b.refused(b.Do("POST", path, wrong, "X-Idempotency-Key", r), 200, "3900003", "APPROVER")
		b.done(b.Do("POST", path, body, "X-Idempotency-Key", r), &struct{}{})
	}
	b.back.Err = ticket.Refuse(ticket.Unavailable, "not now")
	for path, code := range map[string]string{esb + "create_ticket/": "1306503", native + "ticket/create_ticket/": "1650301", gateway + "create_ticket/": "1650301"} {
		a := b.Do("POST", path, members{"creator": "wang", "fast_approval": true, "fields": form("title", "x", "APPROVER", "bob")})
		b.refused(a, 503, code, "not now")
		require.NotEmpty(t, a.Header.Get("Retry-After"))
	}
}

func TestTheCallbackThatATicketIsOpenedWith(t *testing.T) {
	b := setup(t)
	meta := func(change members) members {
		m := members{"callback_url": "https://example.com/callback"}
		for name, value := range change {
			m[name] = value
		}
		return members{"meta": m}
	}
	require.Equal(t, &ticket.Callback{URL: "https://example.com/callback", Format: "itsm", Profile: "once"}, b.callback(b.fast(meta(nil))))
	require.Equal(t, &ticket.Callback{URL: "http://127.0.0.1:1/x", Format: "itsm", Profile: "minutely", Headers: map[string]string{"X-Token": "t"}},
		b.callback(b.fast(meta(members{"callback_url": "http://127.0.0.1:1/x", "callback_profile": "minutely", "headers": members{"X-Token": "t"}}))))
	secret := b.fast(meta(members{"headers": members{"X-Token": "very-secret"}}))
	timeline := string(b.Do("GET", "/api/issue/"+secret+"/timeline", nil).Body)
	require.Contains(t, timeline, "https://example.com/callback")
	require.NotContains(t, timeline, "very-secret", "headers are for the address alone")
	for _, none := range []members{nil, {"meta": nil}, {"meta": members{}}, {"meta": members{"callback_url": nil}}, {"meta": members{"callback_url": ""}}} {
		require.Nil(t, b.callback(b.fast(none)))
	}
	for says, m := range map[string]members{
		"meta.callback_url: must begin with":           meta(members{"callback_url": "ftp://x"}),
		"meta.callback_url: cannot be called":          meta(members{"callback_url": "http://10.0.0.1/"}),
		"meta.callback_url: must be a string":          meta(members{"callback_url": 1}),
		"meta.callback_profile: must be one of":        meta(members{"callback_profile": "publish"}),
		"meta.headers.Host: cannot be set":             meta(members{"headers": members{"Host": "x"}}),
		"meta.headers.webhook-id: cannot be set":       meta(members{"headers": members{"webhook-id": "x"}}),
		"meta.headers.A: must be a string":             meta(members{"headers": members{"A": 1}}),
		"meta: must be an object":                      {"meta": "x"},
		"meta.state_processors.21: must name somebody": {"meta": members{"state_processors": members{"21": " , "}}},
		"meta.state_processors.407: the service has":   {"meta": members{"state_processors": members{"407": "bob"}}},
		"meta.state_processors.22: the node asks":      {"meta": members{"state_processors": members{"22": "bob"}}},
		"meta.state_processors[21]: must be a string":  {"meta": members{"state_processors": members{"21": []string{"bob"}}}},
	} {
		body := members{"creator": "wang", "fast_approval": true, "fields": form("title", "x", "APPROVER", "bob")}
		for name, value := range m {
			body[name] = value
		}
		code := "3900005"
		if strings.Contains(says, "state_processors.") {
			code = "3900003"
		}
		b.refused(b.call("create_ticket", body), 200, code, says)
	}
	named := b.fast(members{"meta": members{"state_processors": members{"21": "zhao(赵), qian"}}})
	require.Equal(t, "zhao,qian", b.status(named).Steps[0].Processors)
	// The guide spells it so in its prose, and the other way in its sample; who took the prose at its word is heard as well.
	named = b.fast(members{"meta": members{"state_processers": members{"21": "zhao"}}})
	require.Equal(t, "zhao", b.status(named).Steps[0].Processors)
	named = b.fast(members{"meta": members{"state_processers": members{"21": "zhao"}, "state_processors": members{"21": "qian"}}})
	require.Equal(t, "qian", b.status(named).Steps[0].Processors)
	b.refused(b.call("create_ticket", members{"creator": "wang", "fast_approval": true, "fields": form("title", "x", "APPROVER", "bob"),
		"meta": members{"state_processers": members{"407": "zhao"}}}), 200, "3900003", "meta.state_processers.407: the service has")
}
