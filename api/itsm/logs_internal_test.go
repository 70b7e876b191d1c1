package itsm

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/flow"
	"signalbox/ticket"
)

func TestLogsTellEveryEvent(t *testing.T) {
	generic := sentence(ticket.Event{Type: "new", Actor: "li"}, nil)
	require.Equal(t, "li 处理了单据", generic)
	for _, kind := range ticket.Types {
		// What people wrote counts for no vote, and fills in nothing.
		text := sentence(ticket.Event{Type: kind, Actor: "通过{remark}", Note: "拒绝{who}"}, &flow.Node{Name: "通过{node}"})
		if kind == ticket.Finished { // the end of the process is a sentence of its own
			require.Empty(t, text)
			continue
		}
		if text == "" || text == sentence(ticket.Event{Type: "new", Actor: "通过{remark}"}, nil) {
			t.Errorf("the itsm family has no sentence for the event %q", kind)
		}
		require.Equal(t, kind == ticket.Approved, strings.Contains(text, "通过"), text)
		require.Equal(t, kind == ticket.Rejected, strings.Contains(text, "拒绝"), text)
	}
	node := &flow.Node{Name: "法务"}
	for kind, want := range map[ticket.Type]string{
		ticket.Approved: "li 处理节点【法务】：通过，备注【行】", ticket.Accepted: "li 受理节点【法务】，备注【行】", ticket.Closed: "li 关闭了单据，备注【行】",
		ticket.Elapsed: "系统处理节点【法务】：到期", ticket.RefusedCmd: "li 的操作无效", ticket.Opened: "流程开始",
	} {
		require.Equal(t, want, sentence(ticket.Event{Type: kind, Actor: "li", Note: "行"}, node))
	}
	require.Equal(t, "li 认领节点", sentence(ticket.Event{Type: ticket.Claimed, Actor: "li"}, nil))
}
