package console_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/flow"
	"signalbox/notice"
	"signalbox/ticket"
)

const chinese = "华东二区支付网关在晚高峰期间出现大面积超时，约百分之十二的订单在提交后三十秒内没有收到支付结果，用户反复点击导致重复下单。" +
	"初步判断是数据库连接池被耗尽，值班同事已经扩容两台只读副本，错误率正在下降，但仍高于告警阈值。"

func texts(n int, format string) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf(format, i+1)
	}
	return out
}

// incident is a ticket to which everything has happened that can happen to an incident, and then some.
func incident(t testing.TB, r *records) *kept {
	soon := began.Add(48 * time.Hour)
	k := r.open(t, "north", ticket.Draft{
		Channel: ticket.ChannelIncident, App: "shop", Origin: "monitoring.east-2", Title: "支付网关超时：订单提交后三十秒没有结果 (payment gateway timeouts)",
		Description: strings.Repeat(chinese+"\n", 12), Tags: []string{"payments", "区域-华东", "p1", "customer-visible"}, Opener: "wang.xiaoming", Assignee: "on-call", Followers: []string{"zhou.yu", "lu.su"},
		Fields: map[string]any{"region": "cn-east-2", "is_service_interrupt": true, "affected_orders": 18342.0, "影响范围": "华东二区全部商户",
			"contact": map[string]any{"name": "李雷", "phone": "+86 21 0000 0000"}, "empty": ""},
		Relations: []ticket.Relation{{Type: "order", Content: texts(240, "SO-2026-%06d")}, {Type: "runbook", Content: []string{"https://runbooks.example.com/payments/gateway?section=connection-pool-exhaustion-and-recovery"}}, {Type: "host", Content: []string{}}},
		Callback:  &ticket.Callback{URL: "https://shop.example.com/hooks/signalbox", Format: "issue", Profile: notice.Minutely},
	})
	report := func(c ticket.Statement) ticket.Command {
		return ticket.Command{Action: ticket.Report, Channel: ticket.ChannelException, Statement: &c}
	}
	from, to := began.UnixMilli(), began.Add(90*time.Minute).UnixMilli()
	solution := &ticket.Solution{Type: "inc_type_p_middleware_issues", Interrupted: true, StartedAt: &from, RecoveredAt: &to, Cause: "连接池上限 200，晚高峰需要 640。", Text: "扩容连接池并增加两台只读副本。"}
	steps := []ticket.Command{
		{Action: ticket.Accept, Operator: "li.lei"},
		{Action: ticket.Say, Operator: "li.lei", Message: &ticket.Message{ID: "m1", Author: "李雷", Content: chinese}},
		{Action: ticket.Say, Operator: "han.meimei", Message: &ticket.Message{ID: "m2", Author: "Han Meimei", Content: "The pool was saturated at 18:04.\nSee the graph."}},
		{Action: ticket.Revise, Operator: "han.meimei", Message: &ticket.Message{ID: "m2", Author: "Han Meimei", Content: "The pool was saturated at 18:02, two minutes before the first alarm.\nSee the graph."}},
		{Action: ticket.Relate, Operator: "li.lei", Relation: &ticket.Relation{Type: "host", Content: []string{"db-07", "db-08", "db-09"}}},
		{Action: ticket.Relate, Operator: "li.lei", Relation: &ticket.Relation{Type: "host", Content: []string{"db-09", "db-10"}}},
		{Action: ticket.Relate, Operator: "li.lei", Relation: &ticket.Relation{Type: "host", Content: []string{"db-10", "db-09"}}},
		{Action: ticket.CommitSolution, Operator: "li.lei", Channel: ticket.ChannelIncident, Solution: solution},
		{Action: ticket.Confirm, Operator: "wang.xiaoming", Channel: ticket.ChannelIncident, Verdict: &ticket.Verdict{Comment: "错误率仍有百分之三，请再看一下。"}},
		{Action: ticket.Suspend, Operator: "li.lei", Note: "Waiting for the vendor"},
		{Action: ticket.Unsuspend, Operator: "li.lei", Note: "The vendor has answered"},
		report(ticket.Statement{System: "JIRA", Issue: "PAY-4711", Status: ticket.Acknowledged, Kind: "STATUS_CHANGE", Assignee: "zhang.san", DueAt: &soon, UpdatedAt: &soon}),
	}
	for _, c := range steps {
		r.do(t, k, c)
	}
	early := began
	r.do(t, k, report(ticket.Statement{System: "JIRA", Issue: "PAY-4711", Status: ticket.Triggered, UpdatedAt: &early}))
	r.now = r.now.Add(time.Minute)
	r.project(t, k, ticket.Refused(k.ticket, ticket.Command{Action: ticket.Confirm, Operator: "wang.xiaoming", Channel: ticket.ChannelSignal},
		ticket.Refuse(ticket.Conflict, "confirm is not possible here"), r.now))
	better := *solution
	better.Text = "连接池提升到 800，并在网关侧加入熔断。"
	r.do(t, k, ticket.Command{Action: ticket.CommitSolution, Operator: "li.lei", Channel: ticket.ChannelIncident, Solution: &better})
	r.do(t, k, ticket.Command{Action: ticket.Confirm, Operator: "wang.xiaoming", Channel: ticket.ChannelIncident, Verdict: &ticket.Verdict{Passed: true, Comment: "恢复正常，确认关闭。"}})
	r.do(t, k, ticket.Command{Action: ticket.Reopen, Operator: "wang.xiaoming", Note: "It is back"})
	r.do(t, k, ticket.Command{Action: ticket.Close, Operator: "wang.xiaoming", Note: "False alarm"})
	r.do(t, k, ticket.Command{Action: ticket.Reopen, Operator: "wang.xiaoming", Note: "No, it was not"})
	for i := range 14 {
		r.do(t, k, ticket.Command{Action: ticket.Say, Operator: "bot", Message: &ticket.Message{ID: fmt.Sprintf("b%d", i), Author: "bot", Content: fmt.Sprintf("Error rate is %d.%d %%", 14-i, i)}})
	}
	r.do(t, k, ticket.Command{Action: ticket.Accept, Operator: "li.lei"})
	return k
}

// told is a ticket whose addresses are told of it with every kind of luck, and the one with which everything is well.
func told(t testing.TB, r *records) (k *kept, good string) {
	r.now = began
	k = r.open(t, "north", ticket.Draft{Channel: ticket.ChannelIssue, App: "shop", Origin: "monitoring", Title: "Told of",
		Callback: &ticket.Callback{URL: "https://shop.example.com/hooks/signalbox", Format: string(notice.FormatIssue), Profile: notice.Minutely}})
	registered, _, err := r.Registered(t.Context(), k.ticket.ID, "", ticket.MaxPage)
	require.NoError(t, err)
	good = registered[0].ID
	for i := range 9 {
		r.do(t, k, ticket.Command{Action: ticket.Say, Operator: "bot", Message: &ticket.Message{ID: fmt.Sprintf("m%d", i), Author: "bot", Content: "Still slow"}})
	}
	bad := r.register(t, k, "https://a-very-long-host-name.internal.partner.example.com/v2/integrations/tickets/notifications/receive?tenant=north&channel=primary")
	dropped := r.register(t, k, "http://10.0.0.9/hook")
	for i := range 3 {
		r.do(t, k, ticket.Command{Action: ticket.Relate, Operator: "bot", Relation: &ticket.Relation{Type: "host", Content: texts(i+1, "db-%d")}})
	}
	for _, w := range r.Waiting(good) {
		r.Tried(w, notice.Sent, try(1, 200, "", "", `{"ok":true}`, 83*time.Millisecond))
	}
	works := r.Waiting(bad)
	r.Tried(works[0], notice.Failed,
		try(1, 503, notice.ErrorStatus, "the receiver answered 503 Service Unavailable", "<html><body><h1>503</h1><script>alert(1)</script></body></html>", 1240*time.Millisecond),
		try(2, 0, notice.ErrorTimeout, "no answer within 10 s", "", 10*time.Second),
		try(3, 0, notice.ErrorTLS, "the certificate has expired", "", 310*time.Millisecond))
	next := began.Add(90 * time.Minute)
	r.TriedAs(notice.Result{Work: works[1], Then: notice.Retrying, NextTry: &next},
		try(4, 302, notice.ErrorStatus, "the receiver answered 302 Found", strings.Repeat("x", 4000), 220*time.Millisecond))
	r.now = began.Add(95 * time.Minute)
	r.TriedAs(notice.Result{Work: r.Waiting(dropped)[0], Then: notice.Failed, Drop: "still failing ten minutes after the first try"},
		try(95, 0, notice.ErrorBlocked, "10.0.0.9 is a private address", "", time.Millisecond))
	r.register(t, k, "https://quiet.example.com/")
	return k, good
}

// approval is a definition with votes, a call and nodes that are skipped over.
const approval = `
key: purchase
version: 3
name: 采购审批
nodes:
  - {id: ask, name: 提出申请, type: task, action: submit, processors: {opener: true, anyone: true}, next: vote}
  - {id: vote, name: 部门会签, type: approval, rule: all, finish: everyone, processors: {persons: [zhao.yun, guan.yu, zhang.fei, 刘备]}, reject: {then: back, to: ask}, next: enough}
  - id: enough
    name: 金额是否超限
    type: branch
    cases: [{when: "true", next: board}]
    default: done
  - {id: board, name: 总经理审批, type: approval, rule: any, processors: {persons: [zhuge.liang]}, next: done}
  - {id: done, name: 结束, type: end}
`

// purchase is a ticket in the middle of a second round of votes.
func purchase(t testing.TB, r *records) *kept {
	def, faults := flow.Parse([]byte(approval))
	require.Empty(t, faults)
	k := r.open(t, "north", ticket.Draft{Channel: ticket.ChannelITSM, App: "shop", Service: "purchase", Definition: &def, Origin: "itsm", Title: "采购三台数据库服务器",
		Opener: "sun.quan", Named: map[string][]string{"board": {"zhuge.liang"}}, Fields: map[string]any{"amount": 184000.0}})
	vote := func(a ticket.Action, who, note string) ticket.Command {
		return ticket.Command{Action: a, Channel: ticket.ChannelITSM, Operator: who, Node: "vote", Note: note}
	}
	for _, c := range []ticket.Command{
		{Action: ticket.Submit, Operator: "sun.quan", Channel: ticket.ChannelITSM},
		vote(ticket.Approve, "zhao.yun", ""), vote(ticket.Reject, "guan.yu", "预算不足，请附上对比报价。"),
		vote(ticket.Approve, "zhang.fei", "同意"), vote(ticket.Approve, "刘备", "同意"),
		{Action: ticket.Submit, Operator: "sun.quan", Channel: ticket.ChannelITSM, Note: "已附上三家报价"},
		vote(ticket.Approve, "guan.yu", "报价合理，同意。"),
		{Action: ticket.Approve, Channel: ticket.ChannelITSM, Operator: "cao.cao", Admin: true, OnBehalf: "zhang.fei", Node: "vote", Note: "代张飞表决"},
	} {
		r.do(t, k, c)
	}
	def.Version, def.Name = 4, "采购审批（新）"
	r.do(t, k, ticket.Command{Action: ticket.Migrate, Operator: "admin", Admin: true, Migration: &ticket.Migration{Definition: &def}})
	return k
}

// hostile is a ticket whose every text is out to get us.
func hostile(t testing.TB, r *records) *kept {
	const script = `"><script>alert('x')</script><img src=x onerror=alert(1)>`
	const override = "invoice\u202egpj.exe"
	k := r.open(t, "north", ticket.Draft{
		Channel: ticket.ChannelIssue, App: "shop", Origin: script, Title: script + override, Description: script + "\x1b[31m" + override, Tags: []string{script}, Opener: script,
		Assignee: script, Fields: map[string]any{script: script, "nested": map[string]any{script: []any{script}}, "javascript:alert(1)": "\u2067right\u2069"},
		Relations: []ticket.Relation{{Type: "..", Content: []string{script, override}}},
	})
	r.do(t, k, ticket.Command{Action: ticket.Say, Operator: script, Message: &ticket.Message{ID: "m", Author: script, Content: script}})
	r.do(t, k, ticket.Command{Action: ticket.Suspend, Operator: script, Note: script})
	address := r.register(t, k, "javascript:alert(1)//"+script)
	r.do(t, k, ticket.Command{Action: ticket.Say, Operator: script, Message: &ticket.Message{ID: "n", Author: script, Content: script}})
	r.Tried(r.Waiting(address)[0], notice.Failed, try(1, 500, notice.ErrorClass(script), script, script+"\xff\xfe", time.Second))
	return k
}
