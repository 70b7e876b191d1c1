package itsm_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/api/apitest"
	"signalbox/desk"
	"signalbox/flow"
	"signalbox/notice"
	"signalbox/ticket"
)

// review has two approvals, one after the other: alice and bob both, then sun, who may hand it over or end the ticket.
var review = flow.Definition{
	Key: "review", ServiceType: "change",
	Fields: []flow.Field{{Key: "level", Type: flow.Select, Required: true, Choice: []flow.Choice{{Key: "h", Name: "高"}, {Key: "l", Name: "低"}}}, {Key: "count", Type: flow.Int}},
	Nodes: []flow.Node{
		{ID: "first", Name: "一审，拒绝则记录", Type: flow.Approval, Rule: flow.AllOf, Processors: &flow.Processors{Persons: []string{"alice", "bob"}}, Next: "second"},
		{ID: "second", Name: "二审", Type: flow.Approval, Processors: &flow.Processors{Persons: []string{"sun"}}, Deliver: &flow.Processors{Anyone: true}, Terminable: true, Next: "done"},
		{ID: "done", Name: "结束", Type: flow.End},
	},
}

// work is assigned, claimed, done with a form, and handed over.
var work = flow.Definition{
	Key: "work", ServiceType: "question",
	Nodes: []flow.Node{
		{ID: "do", Name: "处理", Type: flow.Task, Distribute: flow.AssignThenClaim, Assigners: &flow.Processors{Persons: []string{"boss"}},
			Processors: &flow.Processors{Persons: []string{"zhao", "qian", "sun"}}, Fields: []flow.Field{{Key: "answer", Name: "结论", Type: flow.Text, Required: true}}, Next: "done"},
		{ID: "done", Name: "结束", Type: flow.End},
	},
}

func (b *bench) act(sn, who string, state int64, action string, more members) apitest.Answer {
	b.T.Helper()
	body := members{"sn": sn, "operator": who, "state_id": state, "action_type": action}
	for name, value := range more {
		body[name] = value
	}
	return b.call("operate_node", body)
}

func TestApprovalsThatFollowEachOther(t *testing.T) {
	b := setup(t)
	sn := b.open(review, form("title", "x", "level", "h"))
	require.True(t, strings.HasPrefix(sn, "CRQ20260102"), sn)
	first := b.status(sn).Steps[0].StateID
	result := func(state int64) apitest.Answer {
		return b.Do("GET", fmt.Sprintf("%sget_approve_node_result/?sn=%s&state_id=%d", gateway, sn, state), nil)
	}
	b.refused(result(first), 200, "3900005", "非结束状态")
	b.refused(b.vote(sn, "sun", "true", ""), 200, "3900004", "alice, bob")
	b.done(b.vote(sn, "bob", "false", "通过不了"), nil)
	b.refused(b.vote(sn, "bob", "true", ""), 200, "3900004", "has voted already")
	var approver struct{ Approver string }
	b.done(b.Do("GET", fmt.Sprintf("%sget_approver/?sn=%s&state_id=%d", gateway, sn, first), nil), &approver)
	require.Equal(t, "bob", approver.Approver)
	require.Equal(t, "alice,bob", b.status(sn).Steps[0].Processors, "also those who have voted")
	b.refused(b.call("approve", members{"sn": sn, "state_id": first, "approver": "alice", "action": "true", "round": "2"}), 200, "3900004", "has not come to round 2")
	b.refused(b.act(sn, "alice", first, "TRANSITION", members{"round": 0}), 200, "3900005", "round: must be a whole number from 1")
	for _, nothing := range []any{"", nil} {
		b.refused(b.call("approve", members{"sn": sn, "state_id": first, "approver": "alice", "action": nothing}), 200, "3900005", "action")
	}
	round := b.status(sn).Steps[0].Round
	require.Equal(t, 1, round)
	b.done(b.call("approve", members{"sn": sn, "state_id": fmt.Sprint(first), "approver": "alice", "action": "true", "remark": "好", "round": round}), nil)

	// The first is finished and read while the ticket runs.
	var node struct {
		Name     string
		By       string `json:"processed_user"`
		Approved bool   `json:"approve_result"`
		Remark   string `json:"approve_remark"`
	}
	b.done(result(first), &node)
	require.Equal(t, []any{"bob,alice", false, "好"}, []any{node.By, node.Approved, node.Remark})
	second := b.status(sn).Steps[0]
	keys := []string{}
	for _, o := range second.Operations {
		keys = append(keys, o.Key)
	}
	require.Equal(t, []string{"TRANSITION", "SUSPEND", "DELIVER", "TERMINATE"}, keys)

	b.refused(b.act(sn, "sun", second.StateID, "DELIVER", members{"processors": "li"}), 200, "3900005", "action_message: is required")
	b.refused(b.act(sn, "sun", second.StateID, "DELIVER", members{"action_message": "x"}), 200, "3900005", "processors: is required")
	b.refused(b.act(sn, "sun", second.StateID, "DELIVER", members{"processors": "3", "processors_type": "GENERAL", "action_message": "x"}), 200, "3900005", "processors_type: must be PERSON")
	b.refused(b.act(sn, "li", second.StateID, "DELIVER", members{"processors": "li", "action_message": "x"}), 200, "3900004", "asks sun")
	b.refused(b.act(sn, "sun", second.StateID, "DELIVER", members{"processors": "sun", "action_message": "x"}), 200, "3900046", "sun is asked already")
	b.done(b.act(sn, "sun", second.StateID, "DELIVER", members{"processors": "li(李)", "processors_type": "PERSON", "action_message": "请"}), nil)
	b.refused(b.vote(sn, "sun", "true", ""), 200, "3900004", "asks li")
	b.refused(b.act(sn, "li", first, "TRANSITION", members{"fields": form(fmt.Sprintf("approve_result_%d", first), "true")}), 200, "3900004", "rejected by bob")
	b.refused(b.vote(sn, "li", "false", ""), 200, "3900005", "reject_remark_")
	b.refused(b.vote(sn, "li", "yes", ""), 200, "3900005", `must be "true" or "false"`)
	b.done(b.vote(sn, "li", "true", "行"), nil)

	var results []struct {
		Status   string `json:"current_status"`
		By       string `json:"updated_by"`
		Approved bool   `json:"approve_result"`
	}
	b.done(b.call("ticket_approval_result", members{"sn": []string{sn}}), &results)
	require.Equal(t, "FINISHED wang,bob,alice,sun,li", results[0].Status+" "+results[0].By)
	require.False(t, results[0].Approved, "the first approval was rejected (seed 002)")

	var logs struct {
		Logs []struct{ Operator, Message string }
	}
	b.done(b.Do("GET", gateway+"get_ticket_logs/?sn="+sn, nil), &logs)
	votes := []string{}
	for _, l := range logs.Logs {
		passed, rejected := strings.Contains(l.Message, "通过"), strings.Contains(l.Message, "拒绝")
		require.False(t, passed && rejected, l.Message)
		if passed || rejected {
			votes = append(votes, fmt.Sprint(l.Operator, passed))
		}
	}
	require.Equal(t, []string{"bobfalse", "alicetrue", "litrue"}, votes, "only votes, whatever nodes are called and people write")
	require.Equal(t, "流程开始", logs.Logs[0].Message)
	require.Equal(t, "流程结束", logs.Logs[len(logs.Logs)-1].Message)

	var info struct {
		Fields []struct {
			Key     string
			Value   any
			Display any `json:"display_value"`
		}
	}
	b.done(b.Do("GET", gateway+"get_ticket_info/?sn="+sn, nil), &info)
	shown := map[string]string{}
	for _, f := range info.Fields {
		shown[f.Key] = fmt.Sprint(f.Value, "/", f.Display)
	}
	require.Equal(t, "h/高", shown["level"])
	require.Equal(t, "false/拒绝", shown[fmt.Sprintf("approve_result_%d", first)])
	require.Equal(t, "true/通过", shown[fmt.Sprintf("approve_result_%d", second.StateID)])
	require.Equal(t, "行/行", shown[fmt.Sprintf("approve_remark_%d", second.StateID)])
}

func TestEndingFromANode(t *testing.T) {
	b := setup(t)
	sn := b.open(review, form("title", "x", "level", "h"))
	b.done(b.vote(sn, "alice", "true", ""), nil)
	b.done(b.vote(sn, "bob", "true", ""), nil)
	second := b.status(sn).Steps[0].StateID
	b.refused(b.act(sn, "sun", second, "TERMINATE", nil), 200, "3900005", "action_message: is required")
	b.refused(b.act(sn, "wang", second, "TERMINATE", members{"action_message": "x"}), 200, "3900004", "asks sun")
	b.done(b.act(sn, "sun", second, "TERMINATE", members{"action_message": "不做了"}), nil)
	require.Equal(t, "TERMINATED", b.status(sn).Status)
	b.refused(b.act(sn, "sun", second, "TERMINATE", members{"action_message": "x"}), 200, "3900004", "terminated")
	b.refused(b.act(sn, "sun", 999_999, "CLAIM", nil), 200, "3900004", "state_id: the ticket's process has no such node")
}

func TestATaskIsAssignedClaimedAndDone(t *testing.T) {
	b := setup(t)
	sn := b.open(work, form("title", "x"))
	require.True(t, strings.HasPrefix(sn, "PBI"), sn)
	at := func(status, action string) int64 {
		t.Helper()
		s := b.status(sn).Steps[0]
		require.Equal(t, status+" "+action, s.Status+" "+s.ActionType)
		require.Equal(t, action, s.Operations[0].Key)
		return s.StateID
	}
	state := at("DISTRIBUTING", "DISTRIBUTE")
	b.refused(b.act(sn, "zhao", state, "DISTRIBUTE", members{"processors": "zhao,qian"}), 200, "3900004", "asks boss")
	b.refused(b.act(sn, "boss", state, "DISTRIBUTE", members{"processors": "stranger"}), 200, "3900004", "cannot be given to stranger")
	b.refused(b.act(sn, "boss", state, "CLAIM", nil), 200, "3900004", "claim is not possible")
	b.done(b.act(sn, "boss", state, "DISTRIBUTE", members{"processors_type": "PERSON", "processors": "zhao,qian"}), nil)
	at("RECEIVING", "CLAIM")
	b.refused(b.act(sn, "sun", state, "CLAIM", nil), 200, "3900004", "asks zhao, qian")
	b.done(b.act(sn, "qian", state, "CLAIM", nil), nil)
	at("RUNNING", "TRANSITION")
	b.refused(b.act(sn, "zhao", state, "TRANSITION", members{"fields": form("answer", "x")}), 200, "3900004", "asks qian")
	b.refused(b.act(sn, "qian", state, "TRANSITION", nil), 200, "3900005", "answer: is required")
	b.refused(b.act(sn, "qian", state, "TRANSITION", members{"fields": form("other", "x", "answer", "y")}), 200, "3900005", "other: the form has no such field")
	b.done(b.act(sn, "qian", state, "TRANSITION", members{"fields": form("answer", "好了")}), nil)
	s := b.status(sn)
	require.Equal(t, "FINISHED", s.Status)
	require.True(t, b.ticket(sn).Approved(), "no approval was entered")
	var logs struct {
		Logs []struct {
			State string `json:"from_state_type"`
			Form  []struct{ Key, Value string }
		}
	}
	b.done(b.call("get_ticket_logs", members{"sn": sn, "show_type": "complex"}), &logs)
	require.Equal(t, "NORMAL", logs.Logs[3].State)
}

// TestNothingSaidBesideAnActIsLost: an approval's two remarks and the message of the action, whatever the verdict, and the message beside a form.
func TestNothingSaidBesideAnActIsLost(t *testing.T) {
	b := setup(t)
	for result, want := range map[string]string{"true": "passing\nrejecting\nmessage", "false": "rejecting\npassing\nmessage"} {
		sn := b.fast(nil)
		state := b.status(sn).Steps[0].StateID
		fill := func(passing, rejecting string) []members {
			return form(fmt.Sprintf("approve_result_%d", state), result, fmt.Sprintf("approve_remark_%d", state), passing, fmt.Sprintf("reject_remark_%d", state), rejecting)
		}
		b.refused(b.act(sn, "alice", state, "TRANSITION", members{"fields": fill(strings.Repeat("p", 500), strings.Repeat("r", 600))}), 200, "3900005", "remark")
		b.done(b.act(sn, "alice", state, "TRANSITION", members{"fields": fill("passing", "rejecting"), "action_message": "message"}), nil)
		var node struct {
			Remark string `json:"approve_remark"`
		}
		result := func() {
			b.done(b.Do("GET", fmt.Sprintf("%sget_approve_node_result/?sn=%s&state_id=%d", gateway, sn, state), nil), &node)
		}
		result()
		require.Equal(t, want, node.Remark)
		sn = b.fast(nil)
		b.done(b.act(sn, "alice", state, "TRANSITION", members{"fields": fill("same", "same"), "action_message": " "}), nil)
		result()
		require.Equal(t, "same", node.Remark)
	}

	var opened struct{ Result string }
	b.Do("POST", "/api/issue", members{"origin": "a", "title": "b"}).Into(200, &opened)
	for i, fields := range [][]members{
		nil, form("mtm_type", "inc_type_p_change_issues", "is_service_interrupt", "false", "cause", "c", "solution", "s"),
		form("virtual_confirm_result", "true", "virtual_confirm_comment", "good"),
	} {
		said := fmt.Sprint("message ", i)
		b.done(b.act(opened.Result, "zhang", b.status(opened.Result).Steps[0].StateID, "TRANSITION", members{"fields": fields, "action_message": said}), nil)
		events, err := b.back.Store.Timeline(t.Context(), b.ticket(opened.Result).ID, 0, 100)
		require.NoError(t, err)
		require.Contains(t, events[len(events)-1].Note, said)
	}
}

// automatic calls a system, which ops look after.
var automatic = flow.Definition{
	Key: "automatic",
	Nodes: []flow.Node{
		{ID: "pay", Name: "付款", Type: flow.Call, Call: &flow.Request{URL: "https://pay.example.com"}, Processors: &flow.Processors{Persons: []string{"ops", "boss"}}, Next: "done"},
		{ID: "done", Name: "结束", Type: flow.End},
	},
}

func TestACallIsHandledByTheSystemUntilItFails(t *testing.T) {
	b := setup(t)
	sn := b.open(automatic, form("title", "x"))
	s := b.status(sn).Steps[0]
	require.Equal(t, []string{"RUNNING", "AUTOMATIC", "EMPTY", "系统自动处理"}, []string{s.Status, s.ActionType, s.ProcessorsType, s.Processors})
	require.Empty(t, s.Operations)
	b.refused(b.act(sn, "ops", s.StateID, "TRANSITION", nil), 200, "3900004", "nobody acts at this node")
	var roles []struct {
		ID         int64
		Type       string `json:"processors_type"`
		Processors string
	}
	b.done(b.call("get_service_roles", members{"service_id": b.ticket(sn).Definition.Number}), &roles)
	require.Len(t, roles, 1, "a call is a TASK, and those are listed (itsm.md 1.9)")
	require.Equal(t, []any{s.StateID, "PERSON", "ops,boss"}, []any{roles[0].ID, roles[0].Type, roles[0].Processors})

	_, err := b.back.Handle(t.Context(), desk.Request{App: desk.App{Tenant: "north", Code: "writer"}}, desk.Handling{Ticket: sn,
		Command: ticket.Command{Action: ticket.Answer, Called: &flow.Called{Node: "pay", Round: 1, Try: 1, Error: "connection refused"}}})
	require.NoError(t, err)
	s = b.status(sn).Steps[0]
	require.Equal(t, []string{"FAILED", "AUTOMATIC", "PERSON", "ops,boss"}, []string{s.Status, s.ActionType, s.ProcessorsType, s.Processors}, "who can do something about it")
}

func TestAnIncidentIsHandledHereToo(t *testing.T) {
	b := setup(t)
	var opened struct{ Result string }
	b.Do("POST", "/api/issue", members{"origin": "a", "title": "b"}).Into(200, &opened)
	sn := opened.Result
	step := func() (state int64, keys []string) {
		s := b.status(sn).Steps[0]
		for _, f := range s.Fields {
			keys = append(keys, f.Key)
		}
		return s.StateID, keys
	}
	require.Equal(t, "OPEN", b.status(sn).Steps[0].ProcessorsType)
	state, keys := step()
	require.Empty(t, keys)
	b.done(b.act(sn, "zhang", state, "TRANSITION", nil), nil)
	require.Equal(t, "zhang", b.ticket(sn).Assignee)
	state, keys = step()
	require.Equal(t, []string{"mtm_type", "is_service_interrupt", "cause", "solution"}, keys)
	b.refused(b.act(sn, "zhang", state, "TRANSITION", members{"fields": form("cause", "x")}), 200, "3900005", "mtm_type")
	b.done(b.act(sn, "zhang", state, "TRANSITION", members{"fields": form("mtm_type", "inc_type_p_change_issues", "is_service_interrupt", "false", "cause", "原因", "solution", "方案")}), nil)
	require.Equal(t, "方案", b.ticket(sn).Solution.Text)
	state, _ = step()
	b.done(b.act(sn, "wang", state, "TRANSITION", members{"fields": form("virtual_confirm_result", "false", "virtual_confirm_comment", "不行")}), nil)
	require.Equal(t, ticket.Acknowledged, b.ticket(sn).Status)
}

func TestWhoMayDoWhatToAWholeTicket(t *testing.T) {
	b := setup(t)
	operate := func(sn, who, action string, headers ...string) apitest.Answer {
		return b.call("operate_ticket", members{"sn": sn, "operator": who, "action_type": action}, headers...)
	}
	boss := []string{"Authorization", "Bearer boss-secret"}
	sn := b.fast(nil)
	for _, action := range []string{"SUSPEND", "TERMINATE"} {
		b.refused(operate(sn, "mallory", action), 200, "3900004", "only those whom the ticket asks")
		b.refused(operate(sn, "admin", action), 200, "3900004", "only those whom the ticket asks")
		b.refused(operate(sn, "mallory", action, boss...), 200, "3900004", "only those whom the ticket asks")
	}
	b.refused(operate(sn, "alice", "UNSUSPEND"), 200, "3900004", "not suspended")
	b.done(operate(sn, "alice", "SUSPEND"), nil)
	b.refused(operate(sn, "alice", "SUSPEND"), 200, "3900004", "suspended already")
	s := b.status(sn)
	require.Equal(t, []string{"SUSPENDED", "SUSPEND", "UNSUSPEND"}, []string{s.Status, s.Steps[0].Status, s.Operations[1].Key})
	require.False(t, s.Steps[0].Operations[0].Can)
	b.refused(b.vote(sn, "bob", "true", ""), 200, "3900004", "suspended")
	b.refused(b.call("approve", members{"sn": sn, "state_id": 21, "approver": "bob", "action": "true"}), 200, "3900004", "suspended")
	b.refused(operate(sn, "mallory", "UNSUSPEND"), 200, "3900004", "only those whom the ticket asks")
	b.done(operate(sn, "bob", "UNSUSPEND"), nil)
	require.Equal(t, "RUNNING", b.status(sn).Status)
	b.done(operate(sn, "alice", "SUSPEND"), nil)
	b.refused(operate(sn, "alice", "WITHDRAW"), 200, "3900004", "only the opener")
	b.done(operate(sn, "wang", "WITHDRAW"), nil)
	require.Equal(t, "REVOKED", b.status(sn).Status)
	b.refused(operate(sn, "wang", "WITHDRAW"), 200, "3900004", "revoked")

	suspended := b.fast(nil)
	b.done(operate(suspended, "alice", "SUSPEND"), nil)
	b.done(operate(suspended, "alice", "TERMINATE"), nil)
	require.Equal(t, "TERMINATED", b.status(suspended).Status)
	for _, who := range []string{"admin", "boss"} { // an admin app as itself
		one := b.fast(nil)
		b.done(operate(one, who, "SUSPEND", boss...), nil)
		b.done(operate(one, who, "WITHDRAW", boss...), nil)
	}
	// Who acts may be said by the credentials alone.
	own := b.fast(nil)
	b.done(b.call("operate_ticket", members{"sn": own, "action_type": "WITHDRAW"}, "Authorization", "", "X-Bkapi-Authorization",
		`{"bk_app_code":"writer","bk_app_secret":"writer-secret","bk_username":"wang"}`), nil)
}

func TestATicketIsRatedOnce(t *testing.T) {
	b := setup(t)
	sn := b.fast(nil)
	rate := func(change members) apitest.Answer {
		body := members{"sn": sn, "stars": 5, "operator": "wang", "comments": "好"}
		for name, value := range change {
			body[name] = value
		}
		return b.Do("POST", native+"ticket/comment/", body)
	}
	b.refused(rate(nil), 200, "3900005", "单据未结束")
	b.done(b.vote(sn, "alice", "true", ""), nil)
	for _, stars := range []any{0, 7, "x", nil, 2.5, []int{1}} {
		b.refused(rate(members{"stars": stars}), 200, "3900005", "stars")
	}
	b.refused(rate(members{"operator": "一二三四五六七八九十一二三四五六七"}), 200, "3900005", "operator")
	b.refused(rate(members{"sn": "REQ20260102999999"}), 200, "3900005", "对应的单据不存在")
	require.False(t, b.status(sn).Commented)
	b.done(rate(members{"stars": "6"}), nil)
	b.refused(rate(nil), 200, "3900005", "请勿重复评论")
	require.True(t, b.status(sn).Commented)
}

func TestFailedCallbacksAreListedUntilSomebodyAsks(t *testing.T) {
	b := setup(t)
	over, open := b.fast(withCallback()), b.fast(withCallback())
	var numbers []string
	list := func(c *bench) []string {
		numbers = nil
		c.done(c.Do("GET", gateway+"callback_failed_ticket/", nil), &numbers)
		require.NotNil(t, numbers)
		return numbers
	}
	require.Empty(t, list(b))
	for _, sn := range []string{over, open} {
		*b.clock = b.clock.Add(time.Minute)
		b.back.Tried(b.called(sn), notice.Failed)
	}
	_, err := b.back.Handle(t.Context(), desk.Request{App: apitest.NewApps()[apitest.Writer], Channel: ticket.ChannelIssue},
		desk.Handling{Ticket: open, Command: ticket.Command{Action: ticket.Reopen, Operator: "wang"}})
	require.NoError(t, err)
	require.Equal(t, []string{over, open}, list(b))
	stranger := *b
	stranger.Client = b.As(apitest.Stranger)
	require.Empty(t, list(&stranger))
	var results []struct{ SN string }
	stranger.done(stranger.call("ticket_approval_result", members{"sn": []string{over}}), &results)
	b.done(b.call("ticket_approval_result", members{"sn": []string{over, open, "REQ1", over}}), &results)
	require.Equal(t, []string{open, over}, []string{results[0].SN, results[1].SN}, "the newest first")
	require.Equal(t, []string{open}, list(b), "it is not over yet")
}

func TestLists(t *testing.T) {
	b := setup(t)
	numbers := []string{}
	for i := range 12 {
		*b.clock = b.clock.Add(time.Hour)
		numbers = append(numbers, b.fast(members{"tag": fmt.Sprint("tag", i%2), "creator": []string{"wang", "li"}[i%2], "attention": i == 3}))
	}
	b.done(b.vote(numbers[0], "alice", "true", ""), nil)
	b.done(b.call("operate_ticket", members{"sn": numbers[1], "operator": "alice", "action_type": "SUSPEND"}), nil)
	reversed := func(list ...string) (out []string) {
		for i := len(list) - 1; i >= 0; i-- {
			out = append(out, list[i])
		}
		return out
	}
	require.Equal(t, reversed(numbers[2:]...), b.listed(members{}))
	for name, c := range map[string]struct {
		body members
		want []string
	}{
		"second page":      {members{"page": 2}, reversed(numbers[:2]...)},
		"page in the text": {members{"page": "2", "page_size": "11"}, numbers[:1]},
		"past the end":     {members{"page": 9}, nil},
		"numbers":          {members{"sns": []string{numbers[3], numbers[1], "REQ1"}}, []string{numbers[3], numbers[1]}},
		"creator and tag":  {members{"creator": "li", "tag": "tag1", "page_size": 2}, []string{numbers[11], numbers[9]}},
		"neither":          {members{"creator": "li", "tag": "tag0"}, nil},
		"status":           {members{"current_status__in": []string{"FINISHED", "SUSPENDED"}}, reversed(numbers[:2]...)},
		"to do":            {members{"username": "alice", "creator": "wang", "page_size": 3}, []string{numbers[10], numbers[8], numbers[6]}},
		"nothing to do":    {members{"username": "wang"}, nil},
		"created":          {members{"create_at__gte": "2026-01-02 06:04:06", "create_at__lte": "2026-01-02 08:04:05"}, []string{numbers[4]}},
		"ended":            {members{"end_at__gte": "2026-01-01"}, numbers[:1]},
		"service":          {members{"service_id__in": []any{2, "99"}, "page_size": 1}, numbers[11:]},
		"other service":    {members{"service_id__in": []int{1}}, nil},
		"business":         {members{"bk_biz_id__in": []int{-1}, "page_size": 1}, numbers[11:]},
		"other business":   {members{"bk_biz_id__in": []int{2}}, nil},
		"project":          {members{"project_key": "0", "page_size": 1}, numbers[11:]},
		"other project":    {members{"project_key": "x"}, nil},
	} {
		require.Equal(t, c.want, b.listed(c.body), name)
	}
	var page struct {
		Page, Count  int
		Total        int `json:"total_page"`
		Next, Former *string
		Previous     *string
	}
	b.done(b.Do("POST", gateway+"get_tickets/?page=2&page_size=5", members{"page": 1}), &page)
	require.Equal(t, []int{2, 12, 3}, []int{page.Page, page.Count, page.Total}, "what the query says counts")
	require.Equal(t, "/prod/v2/itsm/get_tickets/?page=3&page_size=5", *page.Next)
	require.Equal(t, "/prod/v2/itsm/get_tickets/?page=1&page_size=5", *page.Previous)

	views := func(user, view string) (out []string) {
		var page struct {
			Items []struct {
				SN      string
				Waiting bool `json:"waiting_approve"`
			}
		}
		b.done(b.Do("GET", gateway+"get_tickets_by_user/?page_size=100&user="+user+"&view_type="+view, nil), &page)
		for _, item := range page.Items {
			out = append(out, item.SN)
		}
		return out
	}
	require.Equal(t, reversed(numbers[2:]...), views("alice", "my_todo"))
	require.Equal(t, reversed(numbers[2:]...), views("alice", "my_approval"))
	require.Len(t, views("wang", "my_created"), 6)
	require.Equal(t, reversed(numbers[:2]...), views("alice", "my_history"))
	require.Empty(t, views("wang", "my_history"), "their own are not among them")
	require.Len(t, views("wang", "my_dealt"), 6)
	require.Equal(t, numbers[3:4], views("li", "my_attention"))
}

// What was done before a ticket was moved to another version of its service is told in the words of the version in which it was.
func TestLogsSpeakOfTheVersionInForce(t *testing.T) {
	b := setup(t)
	def := review
	sn := b.open(def, form("title", "x", "level", "h"))
	b.done(b.vote(sn, "alice", "true", ""), nil)
	def.Name, def.Nodes = def.Key, slices.Clone(def.Nodes)
	def.Nodes[0].ID, def.Nodes[0].Name = "early", "初审"
	def.Nodes[1].Name = "复审"
	_, err := b.back.PublishService(t.Context(), "north", "writer", def)
	require.NoError(t, err)
	admin := b.As(apitest.Boss)
	require.Equal(t, 200, admin.Do("POST", "/api/issue/"+sn+"/migrate", members{"operator": "boss", "version": 2, "nodes": members{"first": "early"}}).Status)
	b.done(b.vote(sn, "bob", "true", ""), nil)
	var logs struct{ Logs []struct{ Message string } }
	b.done(b.Do("GET", gateway+"get_ticket_logs/?sn="+sn, nil), &logs)
	var told []string
	for _, l := range logs.Logs {
		told = append(told, l.Message)
	}
	require.Equal(t, []string{"流程开始", "alice 处理节点【一审，拒\u200b绝则记录】：通过", "boss 迁移了单据的流程版本", "bob 处理节点【初审】：通过"}, told)
}

// Whoever repeats a call whose answer was lost hears it, though the service or the ticket's version has changed meanwhile.
func TestARepeatedCallHasItsAnswerThoughTheProcessHasChanged(t *testing.T) {
	b := setup(t)
	def := review
	def.Name = def.Key
	published, err := b.back.PublishService(t.Context(), "north", "writer", def)
	require.NoError(t, err)
	number := published.Nodes[0].Number
	calls := map[string]members{"create_ticket": {"service_id": published.Number, "creator": "wang", "fields": form("title", "x", "level", "h"),
		"meta": members{"state_processors": members{fmt.Sprint(number): "alice,bob"}}}}
	firsts := map[string]apitest.Answer{}
	done := func(operation string, data any) {
		firsts[operation] = b.call(operation, calls[operation], "X-Idempotency-Key", "k")
		b.done(firsts[operation], data)
	}
	var created struct{ SN string }
	done("create_ticket", &created)
	calls["approve"] = members{"sn": created.SN, "state_id": number, "approver": "alice", "action": "true", "remark": "fine"}
	calls["operate_node"] = members{"sn": created.SN, "operator": "bob", "state_id": number, "action_type": "TRANSITION", "fields": b.ballot(b.status(created.SN), "true", "")}
	done("approve", nil)
	done("operate_node", nil)

	def.Nodes = slices.Clone(def.Nodes)
	def.Nodes[0].ID, def.Nodes[0].Name = "early", "初审"
	_, err = b.back.PublishService(t.Context(), "north", "writer", def)
	require.NoError(t, err)
	moved := b.As(apitest.Boss).Do("POST", "/api/issue/"+created.SN+"/migrate", members{"operator": "boss", "version": 2, "nodes": members{"first": "early"}})
	require.Equal(t, 200, moved.Status, string(moved.Body))
	happened := b.ticket(created.SN).Seq
	for operation, code := range map[string]string{"create_ticket": "3900003", "approve": "3900004", "operate_node": "3900004"} {
		t.Run(operation, func(t *testing.T) {
			b := b.on(t)
			body := calls[operation]
			again := b.call(operation, body, "X-Idempotency-Key", "k")
			require.Equal(t, "true", again.Header.Get("X-Idempotency-Replayed"), string(again.Body))
			require.Equal(t, string(firsts[operation].Body), string(again.Body))
			b.refused(b.call(operation, body, "X-Idempotency-Key", "other"), 200, code, "no such node")
			b.refused(b.call(operation, body), 200, code, "no such node")
			other := maps.Clone(body)
			other["creator"], other["remark"] = "li", "other"
			b.refused(b.call(operation, other, "X-Idempotency-Key", "k"), 422, "1306422", "key")
		})
	}
	require.Equal(t, happened, b.ticket(created.SN).Seq)
	require.Len(t, b.back.Engine.Numbers(), 1)
}
