package itsm

import (
	"fmt"
	"strings"

	"signalbox/api"
	"signalbox/flow"
	"signalbox/ticket"
)

type logged struct {
	Number    string     `json:"sn"`
	Title     string     `json:"title"`
	CreatedAt string     `json:"create_at"`
	Creator   string     `json:"creator"`
	Logs      []logEntry `json:"logs"`
}

// logEntry is one sentence of what happened. Form and State are told on request.
type logEntry struct {
	Operator string         `json:"operator"`
	At       string         `json:"operate_at"`
	Message  string         `json:"message"`
	Source   string         `json:"source"`
	State    *string        `json:"from_state_type,omitempty"`
	Form     *[]filledField `json:"form_data,omitempty"`
}

// logPage is how many events are read at a time.
const logPage = 1_000

func (w *Handler) ticketLogs(c *call) error {
	complex := c.choice("show_type", "simple", "complex") == "complex"
	t, _, err := w.one(c)
	if err != nil {
		return err
	}
	def := definitionOf(t)
	out := logged{t.Number, t.Title, w.format(t.CreatedAt), t.Opener, []logEntry{}}
	for after := int64(0); ; {
		events, err := w.Tickets.Timeline(api.Context(c.Ctx), t.ID, after, logPage)
		if err != nil {
			return err
		}
		for _, e := range events {
			after = e.Seq
			out.Logs = append(out.Logs, w.sentences(e, def, complex)...)
		}
		if len(events) < logPage {
			return c.answer(out)
		}
	}
}

// sentences tell an event. Clients find votes by the words 通过 and 拒绝, so no other sentence has them, whatever people wrote.
func (w *Handler) sentences(e ticket.Event, def flow.Definition, complex bool) []logEntry {
	var out []logEntry
	say := func(operator, message, source string, node *flow.Node) {
		entry := logEntry{Operator: operator, At: w.format(e.At), Message: message, Source: source}
		if complex {
			kind, form := "", []filledField{}
			if node != nil {
				kind = stateType(*node)
				for _, f := range formOf(node.Number, 0, node.Fields) {
					if value, ok := e.After.Fields[f.Key]; ok {
						form = append(form, f.filled(value))
					}
				}
			}
			entry.State, entry.Form = &kind, &form
		}
		out = append(out, entry)
	}
	source := "API"
	if e.Channel == ticket.ChannelSystem {
		source = "SYS"
	}
	node := actedAt(e, def)
	if text := sentence(e, node); text != "" {
		say(e.Actor, text, source, node)
	}
	if e.After.Status == ticket.Completed && e.Type != ticket.Closed {
		say("system", "流程结束", "SYS", nil)
	}
	return out
}

// actedAt is the node that an event is about; nil when it is about the ticket as a whole.
func actedAt(e ticket.Event, def flow.Definition) *flow.Node {
	for _, h := range e.Happenings {
		if h.Kind == flow.Entered || h.Kind == flow.Left || h.Kind == flow.Finished || h.Kind == flow.Dropped {
			continue
		}
		if n := nodeOf(def, h.Node); n.ID != "" {
			return &n
		}
	}
	return nil
}

// doing says what an event did to a node, in the middle of a sentence.
var doing = map[ticket.Type]string{
	ticket.Accepted: "受理", ticket.Solved: "提交解决方案", ticket.Confirmed: "确认解决方案", ticket.Returned: "退回解决方案", ticket.Submitted: "提交",
	ticket.Added: "加签", ticket.Claimed: "认领", ticket.Assigned: "分派", ticket.Delivered: "转单", ticket.Reassigned: "改派",
	ticket.Retried: "重试", ticket.Skipped: "忽略",
}

// whole says what an event did to a ticket as a whole.
var whole = map[ticket.Type]string{
	ticket.Closed: "关闭了单据", ticket.Reopened: "重新打开了单据", ticket.Suspended: "挂起了单据", ticket.Resumed: "恢复了单据",
	ticket.Withdrawn: "撤销了单据", ticket.Stopped: "终止了单据", ticket.Related: "修改了关联", ticket.Said: "添加了留言", ticket.Revised: "修改了留言",
	ticket.Reported: "回传了外部系统的状态", ticket.Stale: "回传了过期的外部系统状态",
}

func sentence(e ticket.Event, node *flow.Node) string {
	who, name := quiet(e.Actor), "节点"
	if node != nil {
		name = "节点【" + quiet(node.Name) + "】"
	}
	remark := ""
	if e.Note != "" {
		remark = "，备注【" + quiet(e.Note) + "】"
	}
	switch e.Type {
	case ticket.Opened:
		return "流程开始"
	case ticket.Approved:
		return fmt.Sprintf("%s 处理%s：通过%s", who, name, remark)
	case ticket.Rejected:
		return fmt.Sprintf("%s 处理%s：拒绝%s", who, name, remark)
	case ticket.Elapsed:
		return "系统处理" + name + "：到期"
	case ticket.Called:
		return "系统处理" + name + "：调用接口"
	case ticket.RefusedCmd:
		return who + " 的操作无效"
	case ticket.Finished:
		return ""
	}
	if text, ok := doing[e.Type]; ok {
		return fmt.Sprintf("%s %s%s%s", who, text, name, remark)
	}
	if text, ok := whole[e.Type]; ok {
		return who + " " + text + remark
	}
	return who + " 处理了单据"
}

// quiet keeps words that mean a vote from being found in what people wrote: a character without width goes between the two of each.
func quiet(text string) string {
	return strings.NewReplacer("通过", "通\u200b过", "拒绝", "拒\u200b绝").Replace(text)
}
