package incident_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/api/apitest"
	"signalbox/desk"
	"signalbox/ticket"
)

func TestDetail(t *testing.T) {
	b := setup(t)
	at := time.Date(2026, 11, 24, 15, 0, 0, 123_456_000, time.UTC)
	b.back.Now = func() time.Time { return at }
	number := b.create()
	require.Regexp(t, `^IM\d{24}$`, number)
	require.Equal(t, map[string]any{
		"incident_num": number, "region": []any{"cn-north-4"}, "enterprise_project": []any{"0"}, "current_cloud_service": []any{"order"},
		"incident_level": "level_30", "is_service_interrupt": false, "incident_type": "inc_type_p_change_issues",
		"incident_title": "订单服务磁盘告警", "incident_description": "使用率 > 90% & rising", "incident_source": "incident_source_alarm",
		"incident_assignee": []any{"li.si"}, "creator": "zhang.san", "incident_ownership": "sre", "start_time": 1711091706017.0,
		"status": "INCIDENT_STATUS_TRIGGERED", "create_time": float64(at.UnixMilli()),
		"enum_data_list": []any{
			map[string]any{"filed_key": "incident_level", "enum_key": "level_30", "name_zh": "P3", "name_en": "P3"},
			map[string]any{"filed_key": "incident_type", "enum_key": "inc_type_p_change_issues", "name_zh": "变更问题", "name_en": "Change issues"},
			map[string]any{"filed_key": "incident_source", "enum_key": "incident_source_alarm", "name_zh": "告警", "name_en": "Alarm"},
		},
	}, b.read(number))
	require.Contains(t, string(b.Do("GET", "/v1/external/incident/"+number, nil).Body), "使用率 > 90% & rising")

	b.did("accept.json", number)
	at = at.Add(time.Hour)
	b.did("commit.json", number)
	v := b.read(number)
	require.Equal(t, []any{operator}, v["incident_assignee"])
	require.Equal(t, float64(at.UnixMilli()), v["handle_time"])
	require.Equal(t, true, v["is_service_interrupt"], "who solved it knows better than who opened it")
	require.Equal(t, "inc_type_p_config_issues", v["incident_type"])
}

// TestIncidentsAreListed: in pages, the newest first, tickets of other families too, and those of no other tenant; and a ticket as the vendor tells problems.
func TestIncidentsAreListed(t *testing.T) {
	b := setup(t)
	var numbers []string
	for range 3 {
		numbers = append(numbers, b.create())
	}
	b.did("accept.json", numbers[1])
	b.did("commit.json", numbers[1])
	type page struct {
		Total   int
		Tickets []map[string]any
	}
	list := func(query string) (p page) {
		t.Helper()
		b.data(b.Do("GET", "/v1/incident-tickets"+query, nil), &p)
		return p
	}
	all := list("")
	require.Equal(t, 3, all.Total)
	require.Equal(t, []any{numbers[2], numbers[1], numbers[0]}, []any{all.Tickets[0]["ticket_id"], all.Tickets[1]["ticket_id"], all.Tickets[2]["ticket_id"]})
	require.Equal(t, map[string]any{"ticket_id": numbers[2], "title": "订单服务磁盘告警", "description": "使用率 > 90% & rising", "status": "INCIDENT_STATUS_TRIGGERED", "level": "level_30",
		"enterprise_project": "0", "source": "incident_source_alarm", "creator": "zhang.san", "assignee": []any{"li.si"}}, all.Tickets[0])
	require.Equal(t, all.Tickets[2:], list("?offset=2&limit=2").Tickets)
	require.Equal(t, page{3, []map[string]any{}}, list("?offset=2147483647&limit=100"))
	for query, says := range map[string]string{"?limit=101": "limit", "?limit=0": "limit", "?offset=0": "offset", "?offset=x": "offset"} {
		b.refused(b.Do("GET", "/v1/incident-tickets"+query, nil), 400, "GOM.00007256", says)
	}
	other := b.on(t)
	other.Client = b.As(apitest.Stranger)
	var none page
	other.data(other.Do("GET", "/v1/incident-tickets", nil), &none)
	require.Zero(t, none.Total)

	var problem map[string]any
	b.data(b.Do("GET", "/v1/external/issues/"+numbers[1], nil), &problem)
	require.Equal(t, []any{numbers[1], "订单服务磁盘告警", "100001", "20001", "cn-north-4", "order", "INCIDENT_STATUS_RESOLVED", operator, false},
		[]any{problem["ticket_id"], problem["title"], problem["root_cause_comment"], problem["solution"], problem["regions"], problem["impacted_cloud_services"],
			problem["work_flow_status"], problem["assignee"], problem["is_deleted"]})
	b.refused(b.Do("GET", "/v1/external/issues/IM000000000000000000000000", nil), 400, "COC.00067003", "")
	b.refused(other.Do("GET", "/v1/external/issues/"+numbers[1], nil), 400, "COC.00067003", "")
	b.refused(b.Do("GET", "/v1/external/issues/create", nil), 404, "APIGW.0101", "")
}

// An external system that resolves an incident says nothing of its type.
func TestDetailOfWhatAnExternalSystemResolved(t *testing.T) {
	b := setup(t)
	number := b.create()
	before := b.read(number)
	c := ticket.Command{Action: ticket.Report, Statement: &ticket.Statement{System: "JIRA", Issue: "RECON-1234", Status: ticket.Completed}}
	_, err := b.back.Handle(context.Background(), desk.Request{App: desk.App{Code: "writer", Tenant: "north"}, Channel: ticket.ChannelException}, desk.Handling{Ticket: number, Command: c})
	require.NoError(t, err)
	after := b.read(number)
	require.Equal(t, "INCIDENT_STATUS_COMPLETED", after["status"])
	require.NotNil(t, after["handle_time"])
	for _, field := range []string{"incident_type", "is_service_interrupt", "enum_data_list"} {
		require.Equal(t, before[field], after[field])
	}
}

// A ticket that another family opened has fewer words, and its fields may be of other kinds.
func TestDetailOfOtherFamiliesTickets(t *testing.T) {
	b := setup(t)
	open := func(d ticket.Draft) string {
		var number string
		_, err := b.back.Open(context.Background(), desk.Request{App: desk.App{Code: "writer", Tenant: "north"}}, desk.Opening{Series: ticket.SeriesREQ, Draft: d,
			Answer: func(id ticket.Identity) desk.Answer { number = id.Number; return desk.Answer{} }})
		require.NoError(t, err)
		return number
	}
	number := open(ticket.Draft{Channel: ticket.ChannelIssue, App: "writer", Origin: "customs", Title: "异常"})
	v := b.read(number)
	require.NotZero(t, v["create_time"])
	delete(v, "create_time")
	require.Equal(t, map[string]any{
		"incident_num": number, "incident_title": "异常", "incident_description": "", "incident_source": "customs", "incident_assignee": []any{},
		"creator": "writer", "status": "INCIDENT_STATUS_TRIGGERED", "enum_data_list": []any{},
	}, v)
	number = open(ticket.Draft{Channel: ticket.ChannelITSM, App: "writer", Origin: "customs", Title: "异常", Fields: map[string]any{
		"region": "north", "incident_level": 3, "start_time": "yesterday", "is_service_interrupt": "no", "enterprise_project": []any{"a", 1},
	}})
	v = b.read(number)
	require.Equal(t, []any{"a"}, v["enterprise_project"])
	for _, absent := range []string{"region", "incident_level", "start_time", "is_service_interrupt"} {
		require.NotContains(t, v, absent)
	}
	b.did("accept.json", number)
	number = open(ticket.Draft{Channel: ticket.ChannelIncident, App: "writer", Origin: "customs", Title: "异常", Fields: map[string]any{
		"region": []any{"a"}, "start_time": 1711091706017.0, "is_service_interrupt": true, // as they come back from a store
	}})
	v = b.read(number)
	require.Equal(t, []any{[]any{"a"}, 1711091706017.0, true}, []any{v["region"], v["start_time"], v["is_service_interrupt"]})

	for action, word := range map[ticket.Action]string{ticket.Terminate: "INCIDENT_STATUS_COMPLETED", ticket.Withdraw: "INCIDENT_STATUS_REJECTED", ticket.Close: "INCIDENT_STATUS_COMPLETED"} {
		number := open(ticket.Draft{Channel: ticket.ChannelIssue, App: "writer", Origin: "customs", Title: "异常"})
		_, err := b.back.Handle(context.Background(), desk.Request{App: desk.App{Tenant: "north"}}, desk.Handling{Ticket: number, Command: ticket.Command{Action: action}})
		require.NoError(t, err)
		require.Equal(t, word, b.status(number))
		b.refused(b.call("accept.json", number), 400, "GOM.00007409", "is")
	}
}

type history struct {
	Total int              `json:"total"`
	Info  []map[string]any `json:"info"`
}

// search asks for the timeline of a ticket, as the SDK and the Terraform provider do.
func (b bench) search(number string, change map[string]any) apitest.Answer {
	b.T.Helper()
	body := map[string]any{"string_filters": []any{map[string]any{"operator": "=", "field": "ticket_id", "name": "f1", "values": []string{number}}}}
	for name, value := range change {
		body[name] = value
	}
	return b.Do("POST", "/v1/external/incident/list-histories", body)
}

func TestHistories(t *testing.T) {
	b := setup(t)
	at := time.Date(2026, 11, 24, 15, 0, 0, 0, time.UTC)
	b.back.Now = func() time.Time { at = at.Add(time.Second); return at }
	number := b.create()
	for _, sample := range []string{"accept.json", "commit.json", "confirm.json"} {
		b.did(sample, number)
	}
	_, err := b.back.Handle(context.Background(), desk.Request{App: desk.App{Code: "writer", Tenant: "north"}}, desk.Handling{Ticket: number,
		Command: ticket.Command{Action: ticket.Say, Message: &ticket.Message{ID: "m1", Author: "wang.wu", Content: "请看日志"}}})
	require.NoError(t, err)

	var h history
	b.data(b.search(number, nil), &h)
	require.Equal(t, 5, h.Total)
	type row struct{ action, sub, operator, comment, zh, en, status any }
	var rows []row
	for i, e := range h.Info {
		rows = append(rows, row{e["action"], e["sub_action"], e["operator"], e["comment"], e["action_name_zh"], e["action_name_en"], e["status"]})
		require.Equal(t, number, e["ticket_id"])
		require.NotEmpty(t, e["action_id"])
		require.Equal(t, number+"-"+string(rune('1'+i)), e["id"])
		require.Equal(t, []any{e["start_time"], e["start_time"]}, []any{e["stop_time"], e["update_time"]})
	}
	require.Equal(t, []row{
		{"create", "opened", "zhang.san", "", "创建", "Create", "INCIDENT_STATUS_TRIGGERED"},
		{"acceptedIncident1", "accepted", operator, "", "受理", "Accept", "INCIDENT_STATUS_ACKNOWLEDGED"},
		{"commitSolution1", "solved", operator, "20001", "提交解决方案", "Commit solution", "INCIDENT_STATUS_RESOLVED"},
		{"confirm", "returned", operator, "13", "验证不通过", "Verification failed", "INCIDENT_STATUS_ACKNOWLEDGED"},
		{"say", "said", "writer", "请看日志", "留言", "Comment", nil},
	}, rows)

	// The Terraform provider's spelling, newest first; and the same in pages.
	newest := map[string]any{"operator": "desc", "field": "start_time", "name": "s"}
	var desc history
	body := map[string]any{"string_filters": []any{map[string]any{"operator": "in", "field": "ticket_id", "values": []string{number}}}, "sort_filter": newest}
	b.data(b.Do("POST", "/v1/issues_mgmt/list-histories", body), &desc)
	require.Len(t, desc.Info, 5)
	for i := range desc.Info {
		require.Equal(t, h.Info[4-i], desc.Info[i])
	}
	for _, c := range []struct {
		sort    any
		page    int
		expects []map[string]any
	}{
		{nil, 1, h.Info[:2]}, {nil, 2, h.Info[2:4]}, {nil, 3, h.Info[4:]}, {nil, 4, []map[string]any{}}, {nil, 1_000_000, []map[string]any{}},
		{newest, 1, desc.Info[:2]}, {newest, 2, desc.Info[2:4]}, {newest, 3, desc.Info[4:]}, {newest, 4, []map[string]any{}},
	} {
		var part history
		b.data(b.search(number, map[string]any{"sort_filter": c.sort, "page": c.page, "per_page": 2}), &part)
		require.Equal(t, 5, part.Total)
		require.Equal(t, c.expects, part.Info, "page %d", c.page)
	}
}
