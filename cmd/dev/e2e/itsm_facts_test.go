package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/cmd/dev/e2e/harness"
)

// address is one of the ways to the same operations (itsm.md 1.1).
type address struct {
	name, prefix string
	native       bool   // operations lie in areas
	posts        bool   // reads are asked for by POST as well, as clients of the ESB do
	refused      int    // HTTP status of wrong credentials
	code         string // and the code
}

var addresses = []address{
	{"ESB", "/api/c/compapi/v2/itsm/", false, false, 200, "1306000"},
	{"ESB by POST", "/api/c/compapi/v2/itsm/", false, true, 200, "1306000"},
	{"ESB without its version", "/api/c/compapi/itsm/", false, false, 200, "1306000"},
	{"native", "/openapi/", true, false, 401, "1640101"},
	{"gateway", "/prod/v2/itsm/", false, false, 401, "1640101"},
}

// writes are the operations that the original takes by POST.
var writes = []string{"create_ticket", "ticket_approval_result", "token/verify", "get_tickets", "operate_ticket", "operate_node", "approve", "comment_ticket"}

// visitor speaks the itsm family at one address.
type visitor struct {
	*caller
	address
	t testing.TB
}

// path is where an operation is, with its last slash.
func (c visitor) path(operation string) string {
	if operation == "comment_ticket" && !strings.HasPrefix(c.prefix, "/api/") {
		operation = "comment"
	}
	if c.native {
		area := "ticket/"
		if operation == "get_workflow_detail" {
			area = "workflow/"
		} else if strings.HasPrefix(operation, "get_service") {
			area = "service/"
		}
		operation = area + operation
	}
	return c.prefix + operation + "/"
}

func (c visitor) sent(operation string, parameters map[string]any) answer {
	c.t.Helper()
	method, path, body := "POST", c.path(operation), any(parameters)
	if !slices.Contains(writes, operation) && !c.posts {
		query := url.Values{}
		for name, value := range parameters {
			query.Set(name, fmt.Sprint(value))
		}
		method, path, body = "GET", path+"?"+query.Encode(), nil
	}
	a, err := c.send(c.t.Context(), method, path, "", body)
	require.NoError(c.t, err)
	return a
}

// done asks for an operation and reads its data. The code is an integer whatever comes: clients decode nothing else.
func (c visitor) done(operation string, parameters map[string]any, data any) {
	c.t.Helper()
	a := c.sent(operation, parameters)
	var e itsmAnswer
	require.NoError(c.t, json.Unmarshal([]byte(a.body), &e), a)
	require.True(c.t, a.status == 200 && e.Result && e.Code == 0 && e.Message == "success", "%s: %s", operation, a)
	require.Equal(c.t, strings.HasPrefix(c.prefix, "/api/"), strings.Contains(a.body, `"request_id":`), "the ESB alone tells it: %s", a)
	if data == nil {
		require.Equal(c.t, "[]", string(e.Data))
		return
	}
	require.NoError(c.t, json.Unmarshal(e.Data, data), a)
}

// refuses asks for what is not possible: HTTP 200 all the same, and no data.
func (c visitor) refuses(operation string, parameters map[string]any, code int) {
	c.t.Helper()
	a := c.sent(operation, parameters)
	var e itsmAnswer
	require.NoError(c.t, json.Unmarshal([]byte(a.body), &e), a)
	require.Equal(c.t, []any{200, false, code, "null"}, []any{a.status, e.Result, e.Code, string(e.Data)}, a)
	require.NotEmpty(c.t, e.Message)
}

const facts = `
key: facts
name: 变更
service_type: change
fields: [{key: level, type: SELECT, required: true, choice: [{key: h, name: 高}, {key: l}]}]
nodes:
  - {id: law, name: 法务, type: approval, rule: all, processors: {persons: [alice]}, deliver: {anyone: true}, next: pay}
  - {id: pay, name: 付款, type: call, call: {url: 'PAY'}, next: act}
  - {id: act, name: 实施, type: task, distribute: claim, processors: {persons: [zhao, qian]}, terminable: true, fields: [{key: report, type: TEXT, required: true}], next: over}
  - {id: over, name: 结束, type: end}
`

// A whole generation at each address: what seed 002 and the original's clients (itsm.md) rely on, against the running system.
func TestTheItsmFamilyAtEveryAddress(t *testing.T) {
	t.Parallel()
	d := startDev(t, "SIGNALBOX_TIME_ZONE=UTC")
	r := harness.NewReceiver(t)
	r.Answer("/pay", harness.Response{Status: 200})
	d.caller().publish(t, strings.Replace(facts, "PAY", r.URL("/pay"), 1))
	numbers := []string{}
	for i, at := range addresses {
		t.Run(at.name, func(t *testing.T) {
			c := visitor{d.caller(), at, t}
			sn := c.generation(r, fmt.Sprintf("/cb%d", i))
			numbers = append(numbers, sn)
		})
	}
	require.Len(t, numbers, len(addresses))
	require.True(t, slices.IsSorted(numbers) && len(slices.Compact(numbers)) == len(addresses), "each its own, in order: %v", numbers)
}

func (c visitor) generation(r *harness.Receiver, callback string) string {
	t := c.t
	// Wrong credentials: said in the address's own way (itsm.md 2.2).
	stranger := visitor{newCaller(c.base, "wrong"), c.address, t}
	a := stranger.sent("get_services", nil)
	require.Equal(t, c.refused, a.status, a)
	require.Contains(t, a.body, `"code":`+c.code)

	// Services are found by their names, and so are nodes (1.9, 1.10).
	var services []struct {
		ID   int64
		Name string
		Type string `json:"service_type"`
	}
	c.done("get_services", map[string]any{"service_type": "change"}, &services)
	require.Equal(t, "变更", services[0].Name)
	service := services[0].ID
	var catalogs []struct{ Children []struct{ Key string } }
	c.done("get_service_catalogs", map[string]any{"has_service": "true"}, &catalogs)
	require.Contains(t, catalogs[0].Children, struct{ Key string }{"change"})
	var detail struct {
		Workflow int64 `json:"workflow_id"`
		Fields   []struct {
			Key      string
			Validate string `json:"validate_type"`
		}
	}
	c.done("get_service_detail", map[string]any{"service_id": service}, &detail)
	require.Equal(t, "title", detail.Fields[0].Key)
	require.Equal(t, "REQUIRE", detail.Fields[1].Validate)
	var workflow struct{ States, Transitions []json.RawMessage }
	c.done("get_workflow_detail", map[string]any{"workflow_id": detail.Workflow}, &workflow)
	require.Len(t, workflow.States, 5)
	var roles []struct {
		ID         int64
		Name       string
		Sign       string `json:"sign_type"`
		Processors string
	}
	c.done("get_service_roles", map[string]any{"service_id": service}, &roles)
	require.Len(t, roles, 3)
	law, act := roles[0].ID, roles[2].ID
	require.Equal(t, []string{"法务", "and", "alice", "付款", "实施", "or"}, []string{roles[0].Name, roles[0].Sign, roles[0].Processors, roles[1].Name, roles[2].Name, roles[2].Sign})

	// Opened, with other people than the node's own (1.3, 1.4; seed 002).
	opening := map[string]any{"service_id": fmt.Sprint(service), "creator": "wang", "fields": []map[string]any{{"key": "title", "value": "上线"}, {"key": "level", "value": "h"}},
		"meta": map[string]any{"callback_url": r.URL(callback), "headers": map[string]string{"X-Mine": "1"}, "state_processors": map[string]string{fmt.Sprint(law): "alice,bob"}}}
	wrong := maps.Clone(opening)
	wrong["fields"] = []map[string]any{{"key": "title", "value": "x"}}
	c.refuses("create_ticket", wrong, 3900003)
	var created struct {
		SN  string
		ID  int64
		URL string `json:"ticket_url"`
	}
	c.done("create_ticket", opening, &created)
	sn := created.SN
	require.Regexp(t, regexp.MustCompile(`^CRQ`+time.Now().UTC().Format("20060102")+`\d{6}$`), sn)
	require.Positive(t, created.ID)
	require.Contains(t, created.URL, sn)

	// Where it stands, and how to answer: keys are discovered (1.5, 5.8).
	type step struct {
		ID         int64 `json:"state_id"`
		Status     string
		Action     string `json:"action_type"`
		Processors string
		Operations []struct{ Key string }
		Fields     []struct {
			Key      string
			Validate string `json:"validate_type"`
			Meta     struct{ Code string }
		}
	}
	type status struct {
		Status string `json:"current_status"`
		Steps  []step `json:"current_steps"`
		Iframe string `json:"iframe_ticket_url"`
	}
	stands := func() (s status) {
		t.Helper()
		c.done("get_ticket_status", map[string]any{"sn": sn}, &s)
		return s
	}
	s := stands()
	require.Equal(t, []any{"RUNNING", law, "RUNNING", "TRANSITION", "alice,bob"}, []any{s.Status, s.Steps[0].ID, s.Steps[0].Status, s.Steps[0].Action, s.Steps[0].Processors})
	require.NotEmpty(t, s.Iframe)
	require.Equal(t, []struct{ Key string }{{"TRANSITION"}, {"SUSPEND"}, {"DELIVER"}}, s.Steps[0].Operations)
	ballot := func(pass, remark string) []map[string]any {
		var fields []map[string]any
		for _, f := range s.Steps[0].Fields {
			value := remark
			if f.Meta.Code == "APPROVE_RESULT" {
				value = pass
			}
			fields = append(fields, map[string]any{"key": f.Key, "value": value})
		}
		return fields
	}
	node := func(who string, state int64, action string, more map[string]any) map[string]any {
		body := map[string]any{"sn": sn, "operator": who, "state_id": state, "action_type": action}
		maps.Copy(body, more)
		return body
	}
	c.refuses("get_approve_node_result", map[string]any{"sn": sn, "state_id": law}, 3900005)
	c.refuses("get_ticket_status", map[string]any{"sn": "CRQ20200101000001"}, 3900022)

	// Suspended tickets stand still, and are suspended once.
	whole := func(who, action string) map[string]any {
		return map[string]any{"sn": sn, "operator": who, "action_type": action, "action_message": "x"}
	}
	c.refuses("operate_ticket", whole("mallory", "SUSPEND"), 3900004)
	c.done("operate_ticket", whole("alice", "SUSPEND"), nil)
	require.Equal(t, "SUSPENDED", stands().Status)
	c.refuses("operate_ticket", whole("alice", "SUSPEND"), 3900004)
	c.refuses("approve", map[string]any{"sn": sn, "state_id": law, "approver": "bob", "action": "true"}, 3900004)
	c.done("operate_ticket", whole("bob", "UNSUSPEND"), nil)

	// Votes: one no, one handed over, nobody twice (1.11).
	c.done("operate_node", node("alice", law, "TRANSITION", map[string]any{"fields": ballot("false", "不同意")}), nil)
	c.refuses("operate_node", node("alice", law, "TRANSITION", map[string]any{"fields": ballot("true", "")}), 3900004)
	var approver struct{ Approver string }
	c.done("get_approver", map[string]any{"sn": sn, "state_id": law}, &approver)
	require.Equal(t, "alice", approver.Approver)
	c.refuses("operate_node", node("bob", law, "DELIVER", map[string]any{"processors_type": "PERSON", "processors": "alice", "action_message": "请"}), 3900046)
	c.done("operate_node", node("bob", law, "DELIVER", map[string]any{"processors_type": "PERSON", "processors": "eve", "action_message": "请"}), nil)
	c.done("approve", map[string]any{"sn": sn, "state_id": law, "approver": "eve", "action": "true", "remark": "好"}, nil)
	var result struct {
		By       string `json:"processed_user"`
		Approved bool   `json:"approve_result"`
	}
	c.done("get_approve_node_result", map[string]any{"sn": sn, "state_id": law}, &result)
	require.Equal(t, "alice,eve", result.By)
	require.False(t, result.Approved, "also while the ticket runs on")

	// A system is called, then somebody claims the rest and does it (5.5).
	harness.Until(t, "the call is answered", time.Minute, func() error {
		if s := stands(); len(s.Steps) != 1 || s.Steps[0].ID != act {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	require.Equal(t, "RECEIVING", stands().Steps[0].Status)
	require.Equal(t, "CLAIM", stands().Steps[0].Action)
	var page struct {
		Count int
		Items []struct{ SN string }
	}
	c.done("get_tickets_by_user", map[string]any{"user": "zhao", "view_type": "my_todo"}, &page)
	require.Equal(t, sn, page.Items[0].SN)
	c.done("operate_node", node("zhao", act, "CLAIM", nil), nil)
	c.refuses("operate_node", node("qian", act, "TRANSITION", map[string]any{"fields": []map[string]any{{"key": "report", "value": "x"}}}), 3900004)
	c.refuses("operate_node", node("zhao", act, "TRANSITION", map[string]any{"fields": []map[string]any{}}), 3900005)
	r.Answer(callback, harness.Response{Body: `{"code":7,"result":true}`})
	c.refuses("comment_ticket", map[string]any{"sn": sn, "stars": 5, "operator": "wang"}, 3900005)
	c.done("operate_node", node("zhao", act, "TRANSITION", map[string]any{"fields": []map[string]any{{"key": "report", "value": "完成"}}}), nil)
	require.Equal(t, "FINISHED", stands().Status)
	require.Empty(t, stands().Steps)

	// The end is told once, with nine members, and listed because the receiver said no (3; seed 002).
	request := r.Await(t, callback, 1, time.Minute)[0]
	require.Equal(t, []string{http.MethodPost, "1"}, []string{request.Method, request.Header.Get("X-Mine")})
	var body map[string]any
	require.NoError(t, json.Unmarshal(request.Body, &body))
	require.ElementsMatch(t, []string{"title", "current_status", "sn", "ticket_url", "update_at", "updated_by", "approve_result", "token", "last_approver"}, slices.Collect(maps.Keys(body)))
	require.Equal(t, []any{"上线", "FINISHED", sn, false, "alice,eve", "wang,alice,bob,eve,zhao"},
		[]any{body["title"], body["current_status"], body["sn"], body["approve_result"], body["last_approver"], body["updated_by"]})
	require.Regexp(t, `^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}$`, body["update_at"])
	var verified struct {
		Passed bool `json:"is_passed"`
	}
	c.done("token/verify", map[string]any{"token": body["token"]}, &verified)
	require.True(t, verified.Passed)
	c.done("token/verify", map[string]any{"token": "x"}, &verified)
	require.False(t, verified.Passed)
	var failed []string
	harness.Until(t, "the callback is listed as failed", time.Minute, func() error {
		if c.done("callback_failed_ticket", nil, &failed); !slices.Equal(failed, []string{sn}) {
			return fmt.Errorf("%v", failed)
		}
		return nil
	})
	var told []struct {
		SN, Title string
		Status    string `json:"current_status"`
		By        string `json:"updated_by"`
		At        string `json:"update_at"`
		Approved  bool   `json:"approve_result"`
	}
	c.done("ticket_approval_result", map[string]any{"sn": []string{sn, "CRQ20200101000001"}}, &told)
	require.Len(t, told, 1)
	require.Equal(t, []any{sn, "FINISHED", "wang,alice,bob,eve,zhao", false}, []any{told[0].SN, told[0].Status, told[0].By, told[0].Approved})
	require.Regexp(t, `^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$`, told[0].At)
	c.done("callback_failed_ticket", nil, &failed)
	require.Empty(t, failed)
	require.Len(t, r.Requests(callback), 1)

	// Lists, fields and sentences (1.11).
	c.done("get_tickets", map[string]any{"sns": []string{sn}, "page": 1, "page_size": 5}, &page)
	require.Equal(t, 1, page.Count)
	var info struct {
		Fields []struct {
			Key   string
			Value any
		}
	}
	c.done("get_ticket_info", map[string]any{"sn": sn}, &info)
	shown := map[string]any{}
	for _, f := range info.Fields {
		shown[f.Key] = f.Value
	}
	require.Equal(t, []any{"上线", "h", "完成", "false"}, []any{shown["title"], shown["level"], shown["report"], shown[fmt.Sprintf("approve_result_%d", law)]})
	var logs struct {
		Logs []struct{ Message, Source string }
	}
	c.done("get_ticket_logs", map[string]any{"sn": sn}, &logs)
	require.Equal(t, []string{"流程开始", "流程结束"}, []string{logs.Logs[0].Message, logs.Logs[len(logs.Logs)-1].Message})
	votes := 0
	for _, l := range logs.Logs {
		if strings.Contains(l.Message, "通过") || strings.Contains(l.Message, "拒绝") {
			votes++
		}
	}
	require.Equal(t, 2, votes)
	c.done("comment_ticket", map[string]any{"sn": sn, "stars": 5, "operator": "wang", "comments": "好"}, nil)
	c.refuses("comment_ticket", map[string]any{"sn": sn, "stars": 5, "operator": "wang"}, 3900005)
	c.refuses("operate_ticket", whole("wang", "WITHDRAW"), 3900004)
	return sn
}
