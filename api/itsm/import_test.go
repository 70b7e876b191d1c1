package itsm_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/api/apitest"
	"signalbox/flow"
	"signalbox/people"
	"signalbox/ticket"
)

// exported is a flow as BlueKing ITSM exports it, with changes: of each pair, the text that is there and the one instead.
func exported(t *testing.T, replace ...string) json.RawMessage {
	t.Helper()
	raw, err := os.ReadFile("testdata/exported_flow.json")
	require.NoError(t, err)
	var compact bytes.Buffer
	require.NoError(t, json.Compact(&compact, raw))
	text := compact.String()
	for i := 0; i < len(replace); i += 2 {
		require.Contains(t, text, replace[i])
		text = strings.Replace(text, replace[i], replace[i+1], 1)
	}
	return json.RawMessage(text)
}

// admin sends an operation to the ESB, by an app that may publish services.
func (b *bench) admin(operation string, body any) apitest.Answer {
	b.T.Helper()
	boss := *b
	boss.Client = b.As(apitest.Boss)
	return boss.call(operation, body)
}

// service is the latest version of a service.
func (b *bench) service(id int64) flow.Definition {
	b.T.Helper()
	record, err := b.back.Store.ServiceByNumber(b.T.Context(), "north", id)
	require.NoError(b.T, err)
	return record.Definition
}

type importAnswer struct {
	ID   int64
	Name string
	Left []ticket.NotCarried `json:"not_carried_over"`
}

func importing(workflow json.RawMessage, more ...any) members {
	m := members{"key": "request", "name": "上线审批", "desc": "服务配置上线操作", "catalog_id": 1, "owner": "admin", "can_ticket_agency": false, "is_valid": true,
		"display_type": "OPEN", "display_role": "", "source": "custom", "project_key": "0", "workflow": workflow}
	for i := 0; i < len(more); i += 2 {
		m[more[i].(string)] = more[i+1]
	}
	return m
}

// TestAnExportedFlowBecomesAService: what it decides is carried over, what it cannot be is named, there and in the service's detail.
func TestAnExportedFlowBecomesAService(t *testing.T) {
	b := setup(t)
	var made importAnswer
	b.done(b.admin("import_service", importing(exported(t))), &made)
	require.Equal(t, "上线审批", made.Name)
	var at []string
	for _, l := range made.Left {
		at = append(at, l.At)
	}
	require.Equal(t, []string{
		"owner", "workflow.fields.3.show_conditions", "workflow.fields.6.type", "workflow.is_supervise_needed", "workflow.triggers",
		"workflow.transitions.952.condition",
		"workflow.states.903.is_allow_skip", "workflow.transitions.954.condition",
		"workflow.transitions.956.condition",
		"workflow.states.905.extras.webhook_info.body", "workflow.states.906.extras.webhook_info.body",
	}, at)
	var detail struct {
		WorkflowID int64 `json:"workflow_id"`
		Fields     []struct{ Key, Type string }
		Left       []ticket.NotCarried `json:"not_carried_over"`
	}
	b.done(b.Do("GET", gateway+fmt.Sprintf("get_service_detail/?service_id=%d", made.ID), nil), &detail)
	require.Equal(t, made.Left, detail.Left)
	require.Len(t, detail.Fields, 6)

	record, err := b.back.Store.ServiceByNumber(t.Context(), "north", made.ID)
	require.NoError(t, err)
	nodes := map[string]flow.Node{}
	for _, n := range record.Nodes {
		nodes[n.ID] = n
	}
	require.Equal(t, "s901_way", record.Nodes[0].ID, "the way on from the form is chosen first")
	require.Equal(t, []flow.Case{{Name: "会签", When: `(fields.APPROVE_TYPE == "会签")`, Next: "s903"}}, nodes["s901_way"].Cases)
	require.Equal(t, "s904", nodes["s901_way"].Default)
	require.Equal(t, []any{flow.AllOf, "(REJECT_COUNT >= 1)", []string{"admin"}}, []any{nodes["s903"].Rule, nodes["s903"].Finish, nodes["s903"].Processors.Persons})
	require.Equal(t, "(nodes.s903.passed)", nodes["s903_way"].Cases[0].When)
	require.Equal(t, []any{flow.Rule(""), []string{"boss"}}, []any{nodes["s904"].Rule, nodes["s904"].Deliver.Persons})
	require.Empty(t, nodes["s904"].Fields, "the result and the remarks are an approval's own")
	hook := nodes["s905"].Call
	require.Equal(t, []any{"https://config.example.com/biz/${fields.BIZ_ID}/release/${fields.RELEASE}/approve", "10s", "body.code == 0", 1},
		[]any{hook.URL, hook.Timeout, hook.Success, hook.Retry.Attempts})
	require.Equal(t, map[string]any{"title": "${fields.title}", "sn": "", "approved": true}, hook.Body)

	// Again it is the same version; another flow is the next one, and keeps the integer ids of its nodes.
	var again importAnswer
	b.done(b.admin("import_service", importing(exported(t))), &again)
	require.Equal(t, made.ID, again.ID)
	require.Equal(t, record.Version, b.service(made.ID).Version)
	changed := exported(t, `"name":"或签审批"`, `"name":"主管审批"`)
	b.done(b.admin("update_service", importing(changed, "id", fmt.Sprint(made.ID), "name", "上线审批二")), &again)
	next := b.service(made.ID)
	require.Equal(t, []any{record.Version + 1, "上线审批二"}, []any{next.Version, next.Name})
	for _, n := range next.Nodes {
		require.Equal(t, nodes[n.ID].Number, n.Number)
	}
	// The name that it had is free now: another service is made by it, and neither can take the other's.
	var other importAnswer
	b.done(b.admin("import_service", importing(exported(t))), &other)
	require.NotEqual(t, made.ID, other.ID)
	b.refused(b.admin("update_service", importing(changed, "id", other.ID, "name", "上线审批二")), 200, "3900036", "name")
	require.Equal(t, "上线审批", b.service(other.ID).Name)

	b.done(b.admin("update_service", importing(changed, "id", made.ID, "is_valid", false, "name", "上线审批二")), &again)
	b.refused(b.call("create_ticket", members{"service_id": made.ID, "creator": "wang", "fields": form("title", "x", "APPROVE_TYPE", "或签", "RELEASE", "7")}), 200, "3900003", "服务未启用")
	b.refused(b.admin("update_service", importing(changed, "id", 1)), 200, "3900036", "was not imported")
	b.refused(b.admin("update_service", importing(changed, "id", 4711)), 200, "3900404", "不存在")
	b.refused(b.admin("import_service", importing(changed, "catalog_id", 4711)), 200, "3900036", "catalog_id")
	b.refused(b.call("import_service", importing(changed)), 200, "1306403", "admin")
}

// TestWhatDecidesIsCarriedOverOrRefused: a flow whose conditions cannot be said here is no service; people that are not known here are left to be named.
func TestWhatDecidesIsCarriedOverOrRefused(t *testing.T) {
	b := setup(t)
	for _, c := range []struct {
		replace []string
		said    string
	}{
		{[]string{`"condition":"==","value":"会签"`, `"condition":">","value":"会签"`}, "workflow.transitions.951.condition.expressions[0].expressions[0]"},
		{[]string{`"key":"Knodeapproveresult","condition":"=="`, `"key":"Knodeapproveresult","condition":"in"`}, "NODE_APPROVE_RESULT"},
		{[]string{`"key":"Krejectcount","condition":">=","value":"1"`, `"key":"Kelsewhere","condition":">=","value":"1"`}, "workflow.states.903.finish_condition"},
		{[]string{`"type":"START"`, `"type":"NORMAL"`}, "START"},
		{[]string{`"to_state":902`, `"to_state":4711`}, "workflow.states.4711"},
	} {
		b.refused(b.admin("import_service", importing(exported(t, c.replace...))), 200, "3900005", c.said)
	}
	states := members{}
	for id := range 203 {
		states[fmt.Sprint(id)] = members{"id": id, "type": "ROUTER-P"}
	}
	many, err := json.Marshal(members{"states": states})
	require.NoError(t, err)
	b.refused(b.admin("import_service", importing(many)), 200, "3900005", "workflow.states: must have at most 202 items, not 203")
	var list []struct{ ID int64 }
	b.done(b.Do("GET", gateway+"get_services/", nil), &list)
	require.Len(t, list, 2, "nothing was made")

	var made importAnswer
	b.done(b.admin("import_service", importing(exported(t, `"processors_type":"PERSON","processors":"admin"`, `"processors_type":"GENERAL","processors":"7"`))), &made)
	record := b.service(made.ID)
	for _, n := range record.Nodes {
		if n.ID == "s903" {
			require.Equal(t, &flow.Processors{Caller: true}, n.Processors)
		}
	}
	require.Contains(t, fmt.Sprint(made.Left), `workflow.states.903.processors GENERAL "7" names nobody here`)
}

// Roles and departments are groups of the directory with their ids, where there are such, and leaders are managers.
func TestRolesAreGroupsAndLeadersManagers(t *testing.T) {
	b := setup(t)
	group := func(id string) {
		_, err := b.back.ChangeGroup(t.Context(), "north", "boss", people.Key{ID: id}, people.Membership{All: true}, func(g people.GroupRecord, _ bool) (people.GroupRecord, error) {
			g.ID = id
			return g, nil
		})
		require.NoError(t, err)
	}
	for _, id := range []string{"lead", "zhang"} {
		_, err := b.back.ChangePerson(t.Context(), "north", "boss", people.Key{ID: id}, func(p people.PersonRecord, _ bool) (people.PersonRecord, error) {
			p.Person = people.Person{ID: id, Active: true}
			if id == "zhang" {
				p.Manager = "lead"
			}
			return p, nil
		})
		require.NoError(t, err)
	}
	group("7")
	group("12")
	was := `"processors_type":"PERSON","processors":"admin"`
	asked := func(kind, who string) (*flow.Processors, importAnswer) {
		var made importAnswer
		b.done(b.admin("import_service", importing(exported(t, was, fmt.Sprintf(`"processors_type":%q,"processors":%q`, kind, who)))), &made)
		for _, n := range b.service(made.ID).Nodes {
			if n.ID == "s903" {
				return n.Processors, made
			}
		}
		require.Fail(t, "there is no node s903")
		return nil, made
	}
	for _, kind := range []string{"GENERAL", "CMDB", "IAM", "ORGANIZATION"} {
		p, made := asked(kind, "7,12")
		require.Equal(t, &flow.Processors{Groups: []string{"7", "12"}}, p, kind)
		require.NotContains(t, fmt.Sprint(made.Left), "workflow.states.903.processors", kind)
		p, made = asked(kind, "7,13")
		require.Equal(t, &flow.Processors{Caller: true}, p, kind)
		require.Contains(t, fmt.Sprint(made.Left), "workflow.states.903.processors "+kind, kind)
	}
	p, made := asked("STARTER_LEADER", "")
	require.Equal(t, &flow.Processors{ManagerOf: "opener"}, p)
	var roles []struct {
		Name, Processors string
		Kind             string `json:"processors_type"`
	}
	leaders := func(creator string) (all []string) {
		b.done(b.Do("GET", fmt.Sprintf(gateway+"get_service_roles/?service_id=%d&ticket_creator=%s", made.ID, creator), nil), &roles)
		for _, r := range roles {
			if r.Kind == "STARTER_LEADER" {
				all = append(all, r.Processors)
			}
		}
		return all
	}
	require.Equal(t, []string{"lead"}, leaders("zhang"))
	require.Equal(t, []string{""}, leaders("lead"), "who has none")
	require.Equal(t, []string{""}, leaders(""))
}

// TestEachKindOfNode: a parallel with a condition, claims, a system's node that people do instead, a rejection that ends the ticket, and lists in conditions.
func TestEachKindOfNode(t *testing.T) {
	b := setup(t)
	var made importAnswer
	b.done(b.admin("import_service", importing(json.RawMessage(`{
		"is_revocable": true, "revoke_config": {"type": 2},
		"states": [
			{"id": 1, "type": "START"}, {"id": "2", "type": "NORMAL", "name": "提单", "fields": [1, "2", 3, 4]},
			{"id": 3, "type": "ROUTER-P", "name": "并行"}, {"id": 4, "type": "NORMAL", "name": "a", "processors_type": "PERSON", "processors": "ann,bob", "distribute_type": "CLAIM_THEN_PROCESS", "is_terminable": true},
			{"id": 5, "type": "SIGN", "name": "b", "processors_type": "VARIABLE", "processors": "1who", "extras": {"enable_terminate_ticket_when_rejected": true}},
			{"id": 6, "type": "COVERAGE", "name": "汇聚"}, {"id": 7, "type": "TASK-SOPS", "name": "标准运维", "processors_type": "EMPTY"},
			{"id": 8, "type": "NORMAL", "name": "分派", "processors_type": "BY_ASSIGNOR", "distribute_type": "DISTRIBUTE_THEN_PROCESS", "assignors_type": "STARTER"},
			{"id": 9, "type": "END", "name": "end"}, {"id": 10, "type": "NORMAL", "name": "nowhere"}],
		"transitions": [
			{"id": 1, "from_state": 1, "to_state": 2}, {"id": 2, "from_state": 2, "to_state": 3},
			{"id": 3, "from_state": 3, "to_state": 4, "condition_type": "by_field", "condition": {"type": "or", "expressions": [
				{"type": "and", "expressions": [{"key": "areas", "condition": "issuperset", "value": "x,y", "type": "MULTISELECT"}, {"key": "n", "condition": ">", "value": "3", "type": "INT"}]},
				{"type": "and", "expressions": [{"key": "title", "condition": "notin", "value": "p,q", "type": "STRING"}]}]}},
			{"id": 4, "from_state": 3, "to_state": 5, "name": "b"}, {"id": 5, "from_state": 4, "to_state": 6}, {"id": 6, "from_state": 5, "to_state": 6},
			{"id": 7, "from_state": 6, "to_state": 7}, {"id": 8, "from_state": 7, "to_state": 8}, {"id": 9, "from_state": 8, "to_state": 9}],
		"fields": [
			{"id": 1, "key": "areas", "type": "MULTISELECT", "name": "areas", "choice": [{"key": "x", "name": "X"}, {"key": "y", "name": "Y"}]},
			{"id": 2, "key": "1who", "type": "MEMBERS", "name": "who"}, {"id": 3, "key": "n", "type": "INT", "name": "n"}, {"id": 4, "key": "title", "type": "STRING", "name": "t"}]
	}`))), &made)
	var got []string
	for _, n := range b.service(made.ID).Nodes {
		got = append(got, fmt.Sprint(n.ID, " ", n.Type, " ", n.Rule, n.Distribute, " ", n.Next, n.Join))
	}
	require.Equal(t, []string{"s3 parallel  s6", "s3_way1 branch  ", "s4 task claim s6", "s5 approval all s6", "s6 join  s7", "s7 task  s8", "s8 task assign s9", "s9 end  "}, got)
	n := b.service(made.ID).Nodes
	require.Equal(t, `(("x" in fields.areas && "y" in fields.areas) && fields.n > 3) || (!(fields.title == "p" || fields.title == "q"))`, n[1].Cases[0].When)
	require.Equal(t, []any{"s6", []string{"f_1who"}, flow.GoEnd, true, true}, []any{n[1].Default, n[3].Processors.Fields, n[3].Reject.Then, n[2].Terminable, n[6].Assigners.Opener})
	require.Contains(t, fmt.Sprint(made.Left), "TASK-SOPS")
	require.Contains(t, fmt.Sprint(made.Left), "workflow.states.10")
	require.Contains(t, fmt.Sprint(made.Left), "workflow.revoke_config")
}

// TestCatalogsAreMade: in each other, once by each name, and services are found in them and in those above.
func TestCatalogsAreMade(t *testing.T) {
	b := setup(t)
	var upper, lower, again struct {
		ID    int64
		Level int
	}
	b.done(b.admin("create_service_catalog", members{"project_key": "0", "parent__id": 1, "name": "服务配置中心", "desc": "相关流程"}), &upper)
	b.done(b.admin("create_service_catalog", members{"project_key": "0", "parent__id": upper.ID, "name": "上线审批", "desc": ""}), &lower)
	b.done(b.admin("create_service_catalog", members{"project_key": "0", "parent__id": fmt.Sprint(upper.ID), "name": "上线审批", "desc": "x"}), &again)
	require.Equal(t, lower, again)
	require.Equal(t, 2, lower.Level)
	b.done(b.admin("create_service_catalog", members{"parent__id": 1, "name": "请求管理"}), &again)
	require.EqualValues(t, 2, again.ID, "it is there already")
	var made importAnswer
	b.done(b.admin("import_service", importing(exported(t), "catalog_id", lower.ID)), &made)
	for _, c := range []struct {
		id int64
		in bool
	}{{lower.ID, true}, {upper.ID, true}, {1, true}, {2, false}} {
		var list []struct{ ID int64 }
		b.done(b.Do("GET", fmt.Sprintf("%sget_services/?catalog_id=%d", gateway, c.id), nil), &list)
		found := false
		for _, s := range list {
			found = found || s.ID == made.ID
		}
		require.Equal(t, c.in, found, c.id)
	}
	type shelf struct {
		ID       int64
		Name     string
		Children []shelf
	}
	tree := func(query string) string {
		var roots []shelf
		b.done(b.Do("GET", gateway+"get_service_catalogs/"+query, nil), &roots)
		var say func(s shelf) string
		say = func(s shelf) string {
			out := s.Name
			for _, c := range s.Children {
				out += " (" + say(c) + ")"
			}
			return out
		}
		return say(roots[0])
	}
	require.Equal(t, "根目录 (请求管理) (变更管理) (事件管理) (问题管理) (服务配置中心 (上线审批))", tree("?project_key=0"))
	require.Equal(t, "根目录 (服务配置中心 (上线审批))", tree("?name=上线"))
	require.Contains(t, tree("?has_service=true"), "(服务配置中心 (上线审批))")
	require.NotContains(t, tree("?service_key=change&has_service=true"), "服务配置中心")
	var created struct{ SN string }
	b.done(b.call("create_ticket", members{"service_id": made.ID, "creator": "wang", "fields": form("title", "x", "APPROVE_TYPE", "或签", "RELEASE", "7")}), &created)
	var info struct {
		CatalogID int64 `json:"catalog_id"`
	}
	b.done(b.Do("GET", gateway+"get_ticket_info/?sn="+created.SN, nil), &info)
	require.Equal(t, lower.ID, info.CatalogID)
	b.refused(b.admin("create_service_catalog", members{"parent__id": 4711, "name": "x"}), 200, "3900036", "parent__id")
	b.refused(b.admin("create_service_catalog", members{"parent__id": 1, "name": "x", "project_key": "7"}), 200, "3900005", "project_key")
	stranger := b.As("stranger-secret")
	require.NotContains(t, string(stranger.Do("GET", gateway+"get_service_catalogs/", nil).Body), "服务配置中心")
}
