package itsm_test

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"signalbox/api/apitest"
	"signalbox/api/openapi"
)

// parameters gives the parameters of every operation, from the document.
func parameters(t *testing.T) map[string][]string {
	t.Helper()
	documents := openapi.Documents()
	i := slices.IndexFunc(documents, func(d openapi.Document) bool { return d.Name == "itsm" })
	doc, err := openapi3.NewLoader().LoadFromData(documents[i].YAML)
	require.NoError(t, err)
	out := map[string][]string{}
	for path, item := range doc.Paths.Map() {
		if operation, ok := strings.CutPrefix(path, esb); ok {
			operation = strings.Trim(operation, "/")
			out[operation] = []string{}
			if item.Post.RequestBody != nil {
				out[operation] = slices.Sorted(maps.Keys(item.Post.RequestBody.Value.Content["application/json"].Schema.Value.Properties))
			}
		}
	}
	require.Len(t, out, 23)
	return out
}

// proper is what every operation is done with, or refused for a reason of its own.
func proper(sn string) map[string]any {
	return map[string]any{
		"sn": sn, "state_id": 21, "operator": "alice", "approver": "alice", "action_type": "TRANSITION", "action": "true", "service_id": 2, "workflow_id": 200_001,
		"creator": "wang", "fields": form("title", "x", "APPROVER", "bob"), "stars": 3, "user": "alice", "view_type": "my_todo", "token": "x",
	}
}

func TestNoInputIsAFaultOfOurs(t *testing.T) {
	b := setup(t)
	sn := b.fast(nil)
	values := map[string]string{
		"null": `null`, "empty": `""`, "blank": `" "`, "text": `"x"`, "number": `1`, "negative": `-1`, "fraction": `1.5`, "huge": `123456789012345678901234567890`,
		"float": `1e400`, "true": `true`, "list": `[]`, "lists": `[[]]`, "numbers": `[1,"2",null]`, "nulls": `[null]`, "object": `{}`, "odd object": `{"key":{"a":[1]},"21":null}`,
		"odd entries": `[{"key":1},{"key":"title","value":{"a":1}},{"value":1},null]`, "long": `"` + strings.Repeat("长", 3_000) + `"`, "control": `"a\u0000b\u0007"`,
		"surrogate": `"\ud800"`, "digits": `"21"`, "brackets": `"[1"`, "percent": `"%zz"`, "time": `"2026-13-45 99:99:99"`,
	}
	asked := 0
	for operation, names := range parameters(t) {
		t.Run(operation, func(t *testing.T) {
			b := b.on(t)
			b.Contract = nil // what is wrong with values is what is tried here; other tests hold answers against the document
			check := func(name string, a apitest.Answer) {
				asked++
				var e struct {
					Result  *bool
					Code    *int64
					Message *string
					Data    json.RawMessage
				}
				require.NoError(t, json.Unmarshal(a.Body, &e), "%s\n%s", name, a.Body)
				require.Less(t, a.Status, 500, "%s\n%s", name, a.Body)
				require.True(t, e.Result != nil && e.Code != nil && e.Message != nil && *e.Message != "", "%s\n%s", name, a.Body)
				require.Equal(t, *e.Result, *e.Code == 0, "%s\n%s", name, a.Body)
				require.Equal(t, !*e.Result, string(e.Data) == "null", "%s\n%s", name, a.Body)
			}
			whole := proper(sn)
			if operation == "ticket_approval_result" {
				whole["sn"] = []string{sn}
			}
			for _, name := range names {
				for kind, value := range values {
					body := maps.Clone(whole)
					body[name] = json.RawMessage(value)
					check(name+" "+kind, b.call(operation, body))
					var text string
					if json.Unmarshal([]byte(value), &text) != nil {
						text = value
					}
					delete(body, name)
					if len(text) < 2000 {
						check(name+" in the query "+kind, b.Do("POST", esb+operation+"/?"+name+"="+url.QueryEscape(text), body))
						check(name+" twice "+kind, b.Do("POST", esb+operation+"/?"+name+"=x&"+name+"="+url.QueryEscape(text), body))
					}
				}
				body := maps.Clone(whole)
				delete(body, name)
				check("without "+name, b.call(operation, body))
			}
			for kind, body := range map[string]string{
				"nothing": "", "null": "null", "list": "[]", "text": `"x"`, "cut off": `{"sn":`, "two": `{}{}`, "UTF-8": "{\"sn\":\"\xff\"}", "deep": `{"meta":` + strings.Repeat("[", 20_000),
				"large": `{"sn":"` + strings.Repeat("x", 1<<20) + `"}`,
			} {
				check("body "+kind, b.Do("POST", esb+operation+"/", body))
			}
			check("query", b.Do("GET", esb+operation+"/?sn=%zz", nil))
			check("query of bytes", b.Do("GET", esb+operation+"/?sn=%ff", nil))
			check("compressed", b.Do("POST", esb+operation+"/", "{}", "Content-Encoding", "gzip"))
		})
	}
	require.Greater(t, asked, 4_000)
}

func TestWhatIsWrongIsNamed(t *testing.T) {
	b := setup(t)
	sn := b.fast(nil)
	create := func(change members) members {
		body := members{"creator": "wang", "fast_approval": true, "fields": form("title", "x", "APPROVER", "bob")}
		for name, value := range change {
			if body[name] = value; value == nil {
				delete(body, name)
			}
		}
		return body
	}
	long := strings.Repeat("长", 129)
	for _, c := range []struct {
		operation  string
		body       members
		code, says string
	}{
		{"create_ticket", create(members{"fast_approval": false}), "3900005", "service_id: is required"},
		{"create_ticket", create(members{"fast_approval": nil, "service_id": "x"}), "3900005", "service_id: must be a whole number"},
		{"create_ticket", create(members{"fast_approval": nil, "service_id": 77}), "3900003", "服务不存在"},
		{"create_ticket", create(members{"fast_approval": "maybe"}), "3900005", "fast_approval: must be true or false"},
		{"create_ticket", create(members{"creator": nil}), "3900005", "creator: is required"},
		{"create_ticket", create(members{"creator": ""}), "3900005", "creator: is required"},
		{"create_ticket", create(members{"fields": nil}), "3900005", "fields: is required"},
		{"create_ticket", create(members{"fields": "x"}), "3900005", "fields: must be an array"},
		{"create_ticket", create(members{"fields": []members{{"value": "x"}}}), "3900005", "fields[0].key: is required"},
		{"create_ticket", create(members{"fields": []members{{"key": 1}}}), "3900005", "fields[0].key: must be a string"},
		{"create_ticket", create(members{"fields": form("title", "x", "title", "y")}), "3900005", `fields[1].key: the field "title" is there twice`},
		{"create_ticket", create(members{"fields": form("APPROVER", "bob")}), "3900003", "title: is required"},
		{"create_ticket", create(members{"fields": []members{{"key": "title", "value": 1}}}), "3900003", "title: must be a string"},
		{"create_ticket", create(members{"fields": form("title", long, "APPROVER", "bob")}), "3900003", "title: must have at most 128 characters"},
		{"create_ticket", create(members{"fields": form("title", "x")}), "3900003", "APPROVER: is required"},
		{"create_ticket", create(members{"fields": form("title", "x", "APPROVER", "bob", "other", "y")}), "3900003", "other: the form has no such field"},
		{"create_ticket", create(members{"tag": long}), "3900005", "tag: must have at most 32 characters"},
		{"create_ticket", create(members{"attention": "x"}), "3900005", "attention: must be true or false"},
		{"create_ticket", create(members{"dynamic_fields": []members{{"name": long, "type": "TABLE"}}}), "3900005", "dynamic_fields[0].name: must have at most 32 characters, not 129; dynamic_fields[0].type: must be one of"},
		{"get_ticket_status", members{}, "3900005", "sn: is required"},
		{"get_ticket_status", members{"sn": 1}, "3900005", "sn: must be a string"},
		{"get_ticket_status", members{"sn": "REQ1"}, "3900022", "没有找到对应的单据"},
		{"get_ticket_info", members{"sn": "REQ1"}, "3900022", "没有找到对应的单据"},
		{"get_ticket_logs", members{"sn": sn, "show_type": "x"}, "3900005", "show_type: must be one of"},
		{"ticket_approval_result", members{}, "3900005", "sn: is required"},
		{"ticket_approval_result", members{"sn": []string{}}, "3900005", "sn: is required"},
		{"ticket_approval_result", members{"sn": sn}, "3900005", "sn: must be an array"},
		{"ticket_approval_result", members{"sn": []any{1}}, "3900005", "sn[0]: must be a string"},
		{"operate_ticket", members{"sn": sn, "action_type": "SUSPEND"}, "3900005", "operator: is required"},
		{"operate_ticket", members{"sn": sn, "operator": "alice"}, "3900005", "action_type: is required"},
		{"operate_ticket", members{"sn": sn, "operator": "alice", "action_type": "DELETE"}, "3900004", "action_type: must be one of"},
		{"operate_ticket", members{"sn": "REQ1", "operator": "alice", "action_type": "SUSPEND"}, "3900022", "没有找到对应的单据"},
		{"operate_node", members{"sn": sn, "operator": "alice", "action_type": "TRANSITION"}, "3900005", "state_id: is required"},
		{"operate_node", members{"sn": sn, "operator": "alice", "state_id": 21, "action_type": "JUMP"}, "3900004", "action_type: must be one of"},
		{"operate_node", members{"sn": sn, "operator": "alice", "state_id": 21, "action_type": "TRANSITION"}, "3900005", "approve_result_21"},
		{"operate_node", members{"sn": sn, "operator": "alice", "state_id": 22, "action_type": "TRANSITION"}, "3900004", "nobody acts at this node"},
		{"operate_node", members{"sn": sn, "operator": "alice", "state_id": 21, "action_type": "TRANSITION", "fields": []members{{"key": "approve_result_21", "value": []int{1}}}}, "3900005", "approve_result_21: must be a string"},
		{"operate_node", members{"sn": sn, "operator": "alice", "state_id": 21, "action_type": "DELIVER", "processors": "bob", "action_message": "x"}, "3900004", "deliver is not possible"},
		{"approve", members{"sn": sn, "state_id": 21, "approver": "alice"}, "3900005", "action: is required"},
		{"approve", members{"sn": sn, "state_id": 22, "approver": "alice", "action": "true"}, "3900004", "the node is no approval"},
		{"get_approver", members{"sn": sn, "state_id": 999}, "3900005", "state_id: the ticket's process has no such node"},
		{"get_approve_node_result", members{"sn": "REQ1", "state_id": 21}, "3900022", "没有找到对应的单据"},
		{"get_tickets", members{"page": 0}, "3900005", "page: must be a whole number"},
		{"get_tickets", members{"page_size": "x"}, "3900005", "page_size: must be a whole number"},
		{"get_tickets", members{"create_at__gte": "yesterday"}, "3900005", "create_at__gte: must be a time like"},
		{"get_tickets", members{"current_status__in": []string{"OPEN"}}, "3900005", "current_status__in[0]: is no status"},
		{"get_tickets", members{"service_id__in": []string{"x"}}, "3900005", "service_id__in[0]: must be a whole number"},
		{"get_tickets_by_user", members{"view_type": "my_todo"}, "3900005", "user: is required"},
		{"get_tickets_by_user", members{"user": "alice"}, "3900005", "view_type: is required"},
		{"get_tickets_by_user", members{"user": "alice", "view_type": "all"}, "3900005", "view_type: must be one of"},
		{"get_tickets_by_user", members{"user": "alice", "view_type": "my_todo", "create_at__gte": "2026-01-01"}, "3900005", "must come together"},
		{"get_services", members{"service_type": "x"}, "3900005", "service_type: must be one of"},
		{"get_service_detail", members{}, "3900005", "service_id: is required"},
		{"get_service_roles", members{"service_id": -1}, "3900005", "service_id: must be a whole number"},
		{"get_service_catalogs", members{"has_service": 7}, "3900005", "has_service: must be true or false"},
		{"get_workflow_detail", members{"workflow_id": "x"}, "3900005", "workflow_id: must be a whole number"},
		{"comment_ticket", members{"sn": sn, "operator": "x"}, "3900005", "stars: is required"},
		{"create_ticket", members{"creator": "wang", "fast_approval": true, "fields": form("title", "x", "APPROVER", "bob"), "callback_url": "https://a.example"}, "3900005",
			"callback_url: belongs into meta"},
	} {
		a := b.call(c.operation, c.body)
		b.refused(a, 200, c.code, c.says)
		if c.code == "3900005" {
			require.True(t, strings.HasPrefix(b.read(a).Message, "参数验证失败: "), string(a.Body))
		}
	}
	require.Equal(t, []string{sn}, b.listed(members{}), "nothing was created")
	require.EqualValues(t, 1, b.ticket(sn).Seq, "and nothing was done")
	b.refused(b.Do("POST", esb+"create_ticket/", `{"creator":"`+strings.Repeat("x", 1<<20)+`"}`), 413, "1306406", "too large")
	b.refused(b.Do("POST", gateway+"create_ticket/", `{"creator":"`+strings.Repeat("x", 1<<20)+`"}`), 413, "1641301", "too large")
	for path, code := range map[string]string{esb + "get_tickets/": "1306406", gateway + "get_tickets/": "1640001", native + "ticket/get_tickets/": "1640001"} {
		status := 400
		if strings.HasPrefix(path, "/api") {
			status = 200
		}
		for _, body := range []string{`{"page":`, `[]`, "{\"a\":\"\xff\"}"} {
			b.refused(b.Do("POST", path, body), status, code, "body")
		}
	}
}
