package console_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/flow"
	"signalbox/notice"
	"signalbox/ticket"
)

func TestTimelineTellsEverything(t *testing.T) {
	h, inc, buy, _ := sampled(t)
	b := h.visitor(t, "shop")
	first := b.get(at(inc))
	require.Contains(t, first.section("timeline"), "the newest 30 of 35 Accepted by li.lei issue API, app shop , generation 2 #35 2026-11-24")
	require.Len(t, first.class("event"), 30)
	second := b.get(at(inc) + "/timeline?before=6")
	require.Len(t, second.class("event"), 5)
	require.Contains(t, second.section("timeline"), "Newest entries")
	require.Equal(t, attr(first.class("more")[0].FirstChild, "href"), at(inc)+"/timeline?before=6")

	entries := map[string]string{}
	for _, p := range []answer{first, second} {
		for _, e := range p.class("event") {
			entries[strings.TrimPrefix(attr(e, "id"), "event-")] = words(e)
		}
	}
	require.Len(t, entries, 35, "every entry on one of the pages, once")
	for seq, want := range map[string][]string{
		"1": {"Opened by wang.xiaoming incident API, app shop", "State triggered", "Assignee on-call", "Origin monitoring.east-2",
			"Relations order (240) , runbook (1) , host (0)", "Notifications https://shop.example.com/hooks/signalbox", "Accept entered → on-call"},
		"2":  {"State triggered → acknowledged", "Assignee on-call → li.lei", "Accept done (Accept)", "Solve entered → li.lei"},
		"3":  {"Message by li.lei", "华东二区支付网关"},
		"5":  {"Message edited by han.meimei", "18:02, two minutes before the first alarm", "Earlier text The pool was saturated at 18:04."},
		"6":  {"Relation changed", "host 3 items", "3 added db-07 db-08 db-09"},
		"7":  {"host 2 items", "1 added db-10", "2 removed db-07 db-08"},
		"8":  {"host 2 items, in another order"},
		"9":  {"Solution committed", "acknowledged → resolved", "Type inc_type_p_middleware_issues", "Service interrupted Yes", "Cause 连接池上限 200"},
		"10": {"Sent back by wang.xiaoming", "错误率仍有百分之三", "resolved → acknowledged", "not passed", "Confirm went back → Solve", "Solve entered (round 2)"},
		"11": {"Suspended by li.lei", "Waiting for the vendor"},
		"12": {"Resumed by li.lei", "The vendor has answered"},
		"13": {"Report from outside by shop exception API", "Assignee li.lei → zhang.san", "External case JIRA PAY-4711", "Says acknowledged STATUS_CHANGE", "Due 2026-11-26 09:15:04"},
		"14": {"Outdated report, ignored", "Says triggered"},
		"15": {"Refused by wang.xiaoming Temporal signal", "confirm: confirm is not possible here"},
		"16": {"The solution before", "扩容连接池并增加两台只读副本。"},
		"17": {"Confirmed", "resolved → completed", "passed", "The process is over"},
		"18": {"Reopened by wang.xiaoming", "It is back", "completed → triggered"},
		"19": {"Closed by wang.xiaoming", "False alarm", "Accept left undone", "Approved No: the ticket was closed before its process came to its end"},
	} {
		for _, part := range want {
			require.Contains(t, entries[seq], part, "entry %s", seq)
		}
	}
	require.NotContains(t, entries["15"], "State", "what was refused moved nothing")
	require.NotContains(t, entries["19"], "Reason", "a note is said once")

	votes := b.get(at(buy)).section("timeline")
	for _, part := range []string{
		"Asked at 总经理审批 zhuge.liang", "Form submitted by sun.quan", "Approved by 刘备", "部门会签 left (No)", "部门会签 went back by guan.yu → 提出申请",
		"Rejected by guan.yu ITSM API, app shop", "预算不足", "Moved to another version by admin issue API, app shop", "Version 3 → 4", "部门会签 voted on (Yes) for zhang.fei",
	} {
		require.Contains(t, votes, part)
	}
}

func TestLongListsOfAnEntryAreCut(t *testing.T) {
	h := newSite(t)
	k := h.records.open(t, "north", ticket.Draft{Channel: ticket.ChannelIssue, App: "shop", Origin: "x", Title: "y"})
	h.records.do(t, k, ticket.Command{Action: ticket.Relate, Operator: "me", Relation: &ticket.Relation{Type: "order", Content: texts(10_000, "SO-%05d")}})
	for i := range 60 {
		h.records.do(t, k, ticket.Command{Action: ticket.Say, Operator: "me", Message: &ticket.Message{ID: fmt.Sprintf("m%d", i), Author: "me", Content: strings.Repeat("字", 10_000)}})
	}
	b := h.visitor(t, "shop")
	p := b.get(at(k) + "/timeline?before=3")
	require.Contains(t, p.section("timeline"), "10000 added SO-00001")
	require.Contains(t, p.section("timeline"), "SO-00015 9985 more")
	relations := b.get(at(k)).section("relations")
	require.Contains(t, relations, "order 10000 items")
	require.Contains(t, relations, "SO-00108 All 10000 items")
	many := ticket.Draft{Channel: ticket.ChannelIssue, App: "shop", Origin: "x", Title: "y"}
	for i := range 200 {
		many.Relations = append(many.Relations, ticket.Relation{Type: fmt.Sprintf("type-%d", i), Content: texts(20, "item-%d")})
	}
	wide := b.get(at(h.records.open(t, "north", many)))
	require.Len(t, wide.class("relation"), 200)
	require.Equal(t, 600, strings.Count(wide.section("relations"), "item-"), "no more items in all")
	require.Equal(t, "type-199 20 items All 20 items", words(wide.class("relation")[199]))
	require.Contains(t, wide.section("timeline"), "180 more")

	last := b.get(at(k) + "/relations?type=order&page=20")
	require.Contains(t, last.section("relation"), "SO-10000")
	require.Equal(t, "9501", attr(last.tags("ol")[0], "start"))
	require.Equal(t, http.StatusNotFound, b.get(at(k)+"/relations?type=order&page=21").Status)
	require.Len(t, b.get(at(k)+"/conversation?page=1").class("long"), 50)
	require.Len(t, b.get(at(k)+"/conversation").class("long"), 10, "the last page is shown first")
}

func TestTheTimelineTellsOfDeliveries(t *testing.T) {
	h := newSite(t)
	k := h.records.open(t, "north", ticket.Draft{Channel: ticket.ChannelIssue, App: "shop", Origin: "x", Title: "y"})
	const addresses = 22 // each with three alerts
	for i := range addresses {
		h.records.register(t, k, fmt.Sprintf("https://shop.example.com:8443/%d", i))
	}
	registered, _, err := h.records.Registered(t.Context(), k.ticket.ID, "", ticket.MaxPage)
	require.NoError(t, err)
	h.records.do(t, k, ticket.Command{Action: ticket.Relate, Operator: "li.lei", Relation: &ticket.Relation{Type: "host", Content: []string{"db-1"}}})
	var gaveUp notice.Work
	for i, r := range registered {
		w := h.records.Waiting(r.ID)[0]
		h.records.TriedAs(notice.Result{Work: w, Then: notice.Failed, Drop: "failing for days", BreakerOpened: true}, try(10, 0, notice.ErrorTimeout, "<b>no answer</b>", "", time.Second))
		if i == 0 {
			gaveUp = w
		}
	}
	h.records.do(t, k, ticket.Command{Action: ticket.Accept, Operator: "li.lei"})
	b := h.visitor(t, "shop")
	p := b.get(at(k))
	seen := map[string]string{}
	for pages := 1; ; pages++ {
		for _, e := range p.class("event") {
			seen[attr(e, "id")] = words(e)
		}
		more := p.class("more")
		if len(more) == 0 {
			require.Equal(t, 2, pages)
			break
		}
		require.Len(t, p.class("event"), 30)
		p = b.get(attr(more[0].FirstChild, "href"))
	}
	require.Len(t, seen, 2*addresses+3, "every entry on one of the pages, once, and one for a delivery given up and its address dropped")
	for id, want := range map[string]string{
		"event-2.2": "Address dropped Signalbox itself 2026-11-24 09:25:05 Host shop.example.com:8443 Delivery " + gaveUp.Delivery.ID + " failing for days <b>no answer</b>",
		"event-2.3": "Host left alone", "event-3": "Accepted by li.lei", "event-1": "Opened by shop",
	} {
		require.Contains(t, seen[id], want)
	}
	for query, status := range map[string]int{"1": 404, "2": 200, "2.1": 200, "x": 400, "2.0": 400, "0": 404} {
		require.Equal(t, status, b.get(at(k)+"/timeline?before="+query).Status, query)
	}
}

// A ticket that the stores contradict each other about says why, and what is to be done.
func TestTheTimelineTellsOfDoubts(t *testing.T) {
	h := newSite(t)
	k := h.records.open(t, "north", ticket.Draft{Channel: ticket.ChannelIssue, App: "shop", Origin: "x", Title: "y"})
	require.NoError(t, h.records.Ledger().Doubt(t.Context(), k.ticket.Identity, "its workflow has <b>another</b> event 1 than the database"))
	p := h.visitor(t, "shop").get(at(k))
	require.Contains(t, p.section("timeline"), "Ticket in doubt Signalbox itself")
	require.Contains(t, p.section("timeline"), "its workflow has <b>another</b> event 1 than the database It takes no changes from here on until it is reconciled, with its number, by "+
		"migrate reconcile -ticket")
}

// What became of the promises of a ticket is told in words.
func TestTheTimelineTellsOfSLAs(t *testing.T) {
	h := newSite(t)
	h.records.now = h.now
	k := h.askedFor(t, leave, "One")
	b := h.visitor(t, "shop")
	require.Contains(t, b.get(at(k)).section("timeline"), "SLA answered Due "+h.now.Add(4*time.Hour).Format(time.DateTime))
	for _, who := range []string{"ann", me} {
		h.records.do(t, k, ticket.Command{Action: ticket.Approve, Operator: who})
	}
	require.Contains(t, b.get(at(k)).section("timeline"), "SLA answered kept")

	late := h.askedFor(t, leave, "Two")
	h.records.now = h.now.Add(5 * time.Hour)
	for _, who := range []string{"ann", me} {
		h.records.do(t, late, ticket.Command{Action: ticket.Approve, Operator: who})
	}
	told := b.get(at(late)).section("timeline")
	require.Contains(t, told, "SLA answered missed")
	require.NotContains(t, told, "target", "and not as it is stored")
}

// What a service is called stands where a ticket was opened, and the version of its rules nowhere: it is for those who run programs.
func TestTheTimelineTellsOfTheService(t *testing.T) {
	h := newSite(t)
	h.records.now = h.now
	k := h.askedFor(t, leave, "One")
	require.NotZero(t, h.read(t, k).Rules)
	def := definition(t, leave)
	def.Version = 2
	old := k.ticket
	old.Rules = 0
	h.records.do(t, &kept{old}, ticket.Command{Action: ticket.Migrate, Operator: "boss", Admin: true, Migration: &ticket.Migration{Definition: def, Rules: flow.RulesNow}})
	p := h.visitor(t, "shop").get(at(k))
	var told []string
	for _, e := range p.class("event") {
		told = append(told, words(e))
	}
	require.Len(t, told, 2)
	require.Contains(t, told[0], "Version 0 → 2")
	require.NotContains(t, strings.ToLower(told[0]), "rules")
	require.Contains(t, told[1], "Service Leave version 0")
	zh := h.visitor(t, "shop")
	zh.cookies["signalbox-look"] = "lang:zh"
	incident := h.askedFor(t, leave, "Two", func(d *ticket.Draft) { d.Service, d.Definition = "incident", nil })
	require.Contains(t, zh.get(at(incident)).section("timeline"), "服务 事件", "what is built in by its Chinese name")
}

// What was filled in is told as the form calls it.
func TestTheTimelineTellsOfFieldsByTheirNames(t *testing.T) {
	h := newSite(t)
	h.records.now = h.now
	k := h.askedFor(t, `
key: look
name: Look
nodes:
  - {id: say, name: Say it, type: task, processors: {persons: [ann]}, next: over, fields: [{key: right, name: What is right, type: STRING}, {key: sure, name: Sure, type: BOOL}]}
  - {id: over, name: Over, type: end}
`, "One")
	h.records.do(t, k, ticket.Command{Action: ticket.Submit, Operator: "ann", Fields: map[string]any{"right": "the bank", "sure": true}})
	require.Contains(t, h.visitor(t, "shop").get(at(k)).section("timeline"), "What is right the bank Sure Yes")
}
