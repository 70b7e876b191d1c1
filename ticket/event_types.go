package ticket

import "signalbox/flow"

// Type names what happened. It is stored and sent as it stands here: the issue family's timeline and the incident family's sub_action say it as it is.
type Type string

// The types of events. Each has its line in the table below.
const (
	Opened      Type = "opened"
	Accepted    Type = "accepted"
	Solved      Type = "solved"    // a solution was committed
	Confirmed   Type = "confirmed" // what was done was found good
	Returned    Type = "returned"  // it was found wanting; back to work
	Closed      Type = "closed"
	Reopened    Type = "reopened"
	Suspended   Type = "suspended"
	Resumed     Type = "resumed"
	Withdrawn   Type = "withdrawn"
	Stopped     Type = "terminated"
	Submitted   Type = "submitted"
	Approved    Type = "approved"  // one vote; whether the node is passed is among the happenings
	Rejected    Type = "rejected"  // likewise
	Added       Type = "added"     // more approvers
	Removed     Type = "removed"   // approvers who had been added
	Retracted   Type = "retracted" // a vote was taken back
	Claimed     Type = "claimed"
	Assigned    Type = "assigned"
	Delivered   Type = "delivered" // a node was handed over
	Reassigned  Type = "reassigned"
	Retried     Type = "retried"
	Skipped     Type = "skipped"
	Elapsed     Type = "elapsed"      // a deadline or a wait came due
	Attended    Type = "attended"     // the directory said who is absent, or not active any more, and who stands in or takes over
	SLAWarned   Type = "sla_warned"   // so much of an SLA's target is used as it warns at
	SLABreached Type = "sla_breached" // all of it is, and what it promised is not done
	Called      Type = "called"       // an HTTP request of the process was answered, or given up
	Finished    Type = "finished"     // the process was over as soon as it began
	Migrated    Type = "migrated"     // the ticket was moved to another version of its service
	Related     Type = "related"      // the content of one relation was replaced
	Said        Type = "said"         // a message was added to the conversation
	Revised     Type = "revised"      // a message was edited
	Reported    Type = "reported"     // an external system said something that left the status alone
	Stale       Type = "stale"        // likewise, but later things were known already: changes nothing
	RefusedCmd  Type = "refused"      // a signal asked for what the rules do not allow; nobody waited for the answer
	Recovered   Type = "recovered"    // its workflow had lost what the database has, or was lost itself: another one goes on from here
)

// Subject is what an event is about.
type Subject string

const (
	AboutProcess      Subject = "process" // the ticket was moved, and the person who did it has acted on it
	AboutRelations    Subject = "relations"
	AboutConversation Subject = "conversation"
	AboutCase         Subject = "case"    // in an external system
	AboutNothing      Subject = "nothing" // nothing was changed
)

// Labels are what the channels call an event that have words of their own for it. A new channel of that kind gets its members here.
type Labels struct {
	Title    string `channel:"pages"`    // heads the entry of a timeline
	Action   string `channel:"incident"` // histories: what a caller asks for with handle where there is such a word, otherwise ours
	ActionZh string `channel:"incident"` // histories: action_name_zh
	ActionEn string `channel:"incident"` // histories: action_name_en
	// Log is the sentence of get_ticket_logs, with {who}, {node} and {remark} to be filled in, or Unsaid. Clients find votes by 通过 and 拒绝,
	// so each vote has one of them and no other sentence either.
	Log string `channel:"itsm"`
}

// Unsaid stands for a sentence where another entry says all there is to say.
const Unsaid = "-"

// eventType declares one type of event.
type eventType struct {
	Type  Type
	About Subject
	Labels
}

// eventTypes declares every type this build knows: what it is about, and its Labels in their order.
var eventTypes = []eventType{
	{Opened, AboutProcess, Labels{"Opened", "create", "创建", "Create", "流程开始"}},
	{Accepted, AboutProcess, Labels{"Accepted", "acceptedIncident1", "受理", "Accept", "{who} 受理{node}{remark}"}},
	{Solved, AboutProcess, Labels{"Solution committed", "commitSolution1", "提交解决方案", "Commit solution", "{who} 提交解决方案{node}{remark}"}},
	{Confirmed, AboutProcess, Labels{"Confirmed", "confirm", "验证通过", "Verification passed", "{who} 确认解决方案{node}{remark}"}},
	{Returned, AboutProcess, Labels{"Sent back", "confirm", "验证不通过", "Verification failed", "{who} 退回解决方案{node}{remark}"}},
	{Closed, AboutProcess, Labels{"Closed", "close", "关闭", "Close", "{who} 关闭了单据{remark}"}},
	{Reopened, AboutProcess, Labels{"Reopened", "reopen", "重新打开", "Reopen", "{who} 重新打开了单据{remark}"}},
	{Suspended, AboutProcess, Labels{"Suspended", "suspend", "挂起", "Suspend", "{who} 挂起了单据{remark}"}},
	{Resumed, AboutProcess, Labels{"Resumed", "unsuspend", "恢复", "Resume", "{who} 恢复了单据{remark}"}},
	{Withdrawn, AboutProcess, Labels{"Withdrawn", "withdraw", "撤销", "Withdraw", "{who} 撤销了单据{remark}"}},
	{Stopped, AboutProcess, Labels{"Terminated", "terminate", "终止", "Terminate", "{who} 终止了单据{remark}"}},
	{Submitted, AboutProcess, Labels{"Form submitted", "submit", "提交", "Submit", "{who} 提交{node}{remark}"}},
	{Approved, AboutProcess, Labels{"Approved", "approve", "审批通过", "Approve", "{who} 处理{node}：通过{remark}"}},
	{Rejected, AboutProcess, Labels{"Rejected", "reject", "审批拒绝", "Reject", "{who} 处理{node}：拒绝{remark}"}},
	{Added, AboutProcess, Labels{"Approvers added", "add", "加签", "Add approvers", "{who} 加签{node}{remark}"}},
	{Removed, AboutProcess, Labels{"Approvers removed", "remove", "减签", "Remove approvers", "{who} 减签{node}{remark}"}},
	{Retracted, AboutProcess, Labels{"Vote taken back", "retract", "撤回审批", "Take a vote back", "{who} 撤回审批{node}{remark}"}},
	{Claimed, AboutProcess, Labels{"Claimed", "claim", "认领", "Claim", "{who} 认领{node}{remark}"}},
	{Assigned, AboutProcess, Labels{"Assigned", "assign", "分派", "Assign", "{who} 分派{node}{remark}"}},
	{Delivered, AboutProcess, Labels{"Handed over", "deliver", "转单", "Hand over", "{who} 转单{node}{remark}"}},
	{Reassigned, AboutProcess, Labels{"Reassigned", "reassign", "改派", "Reassign", "{who} 改派{node}{remark}"}},
	{Retried, AboutProcess, Labels{"Tried again", "retry", "重试", "Retry", "{who} 重试{node}{remark}"}},
	{Skipped, AboutProcess, Labels{"Skipped", "skip", "忽略", "Skip", "{who} 忽略{node}{remark}"}},
	{Elapsed, AboutProcess, Labels{"Time came", "elapse", "到期", "Time came", "系统处理{node}：到期"}},
	{Attended, AboutProcess, Labels{"Deputies", "attend", "代理人变更", "Deputies", "系统处理{node}：代理人变更"}},
	{SLAWarned, AboutProcess, Labels{"SLA at risk", "slaWarn", "SLA 预警", "SLA at risk", "系统提示：SLA 即将超时{remark}"}},
	{SLABreached, AboutProcess, Labels{"SLA breached", "slaBreach", "SLA 超时", "SLA breached", "系统提示：SLA 已超时{remark}"}},
	{Called, AboutProcess, Labels{"Call answered", "call", "接口调用完成", "Call answered", "系统处理{node}：调用接口"}},
	{Finished, AboutProcess, Labels{"Finished", "finish", "流程结束", "Finish", Unsaid}},
	{Migrated, AboutProcess, Labels{"Moved to another version", "migrate", "迁移流程版本", "Move to another version", "{who} 迁移了单据的流程版本{remark}"}},
	{Related, AboutRelations, Labels{"Relation changed", "relate", "关联", "Relate", "{who} 修改了关联{remark}"}},
	{Said, AboutConversation, Labels{"Message", "say", "留言", "Comment", "{who} 添加了留言{remark}"}},
	{Revised, AboutConversation, Labels{"Message edited", "revise", "修改留言", "Edit comment", "{who} 修改了留言{remark}"}},
	{Reported, AboutCase, Labels{"Report from outside", "report", "外部系统回调", "External callback", "{who} 回传了外部系统的状态{remark}"}},
	{Stale, AboutCase, Labels{"Outdated report, ignored", "stale", "过期的外部系统回调", "Outdated external callback", "{who} 回传了过期的外部系统状态{remark}"}},
	{RefusedCmd, AboutNothing, Labels{"Refused", "refused", "操作被拒绝", "Refused", "{who} 的操作无效"}},
	{Recovered, AboutNothing, Labels{"Recovered", "recover", "恢复数据", "Recover", "系统恢复了单据{remark}"}},
}

// unknown is what a type of a newer build is taken for. It is called by its own name where there is no telling what it is.
func unknown(t Type) eventType {
	word := string(t)
	return eventType{t, AboutProcess, Labels{word, word, word, word, "{who} 处理了单据"}}
}

// outcomes name events of one type more closely, by the first thing that went on in the process: an event tells of one cause, and what
// follows from it comes after.
var outcomes = map[outcome]outcomeLabels{
	{Elapsed, flow.Reminded}:   {"Reminded", "到期提醒", "Remind"},
	{Elapsed, flow.Escalated}:  {"Escalated", "到期升级", "Escalate"},
	{Elapsed, flow.Reassigned}: {"Deadline passed, reassigned", "到期改派", "Reassign on time-out"},
	{Elapsed, flow.Expired}:    {"Deadline passed", "超时处理", "Deadline passed"},
	{Called, flow.CallFailed}:  {"Call given up", "接口调用失败", "Call given up"},
	{Approved, flow.Agreed}:    {"Agreed", "同意", "Agree"},
}

type outcome struct {
	of    Type
	first string // kind of flow.LogEntry
}

type outcomeLabels struct{ Title, ActionZh, ActionEn string }

// Types lists every type this build knows, in the order of the table. An event of any other type comes from a newer build.
var Types = func() []Type {
	list := make([]Type, len(eventTypes))
	for i, d := range eventTypes {
		list[i] = d.Type
	}
	return list
}()

var typeIndex = func() map[Type]eventType {
	index := make(map[Type]eventType, len(eventTypes))
	for _, d := range eventTypes {
		index[d.Type] = d
	}
	return index
}()

// Known reports whether this build knows the type.
func (t Type) Known() bool {
	_, ok := typeIndex[t]
	return ok
}

// About is what events of the type are about; one that this build does not know is taken to be about the process.
func (t Type) About() Subject { return declared(t).About }

// labels are those of the type, or of the outcome that began with this kind of happening.
func (t Type) labels(first string) Labels {
	labels := declared(t).Labels
	if o, ok := outcomes[outcome{t, first}]; ok {
		labels.Title, labels.ActionZh, labels.ActionEn = o.Title, o.ActionZh, o.ActionEn
	}
	return labels
}

func declared(t Type) eventType {
	if d, ok := typeIndex[t]; ok {
		return d
	}
	return unknown(t)
}
