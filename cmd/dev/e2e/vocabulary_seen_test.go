package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/cmd/dev/e2e/harness"
	"signalbox/flow"
)

// What a story's lines look at.

func (tl *teller) view() issueView { return tl.admin.issue(tl.t, tl.number) }

// fields gives the ticket's fields, with each number as it was written.
func (tl *teller) fields() any {
	var v struct{ Fields json.RawMessage }
	require.NoError(tl.t, json.Unmarshal([]byte(tl.admin.must(tl.t, "GET", "/api/issue/"+tl.number, nil).body), &v))
	return exact(tl.t, string(v.Fields))
}

// exact decodes JSON and keeps the digits of numbers.
func exact(t testing.TB, text string) (v any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	require.NoError(t, d.Decode(&v), text)
	return v
}

func (tl *teller) stands() string {
	v := tl.view()
	var parts []string
	for _, n := range v.CurrentNodes {
		part := n.ID
		if n.State != string(flow.Active) {
			part += ":" + n.State
		}
		switch {
		case n.Anyone:
			part += "[" + strings.Join(append([]string{"anyone"}, n.Pending...), " ") + "]"
		case len(n.Actions) > 0:
			part += "[" + strings.Join(n.Pending, " ") + "]"
		}
		parts = append(parts, part)
	}
	if v.Status == "CLOSED" {
		results := itsm{tl.admin, tl.t}.results(tl.number)
		require.Len(tl.t, results, 1)
		approved := "refused"
		if results[0]["approve_result"] == true {
			approved = "approved"
		}
		parts = append(parts, v.Phase, approved)
	}
	return strings.Join(parts, " ")
}

// got tells what the receiver was asked on a path: everything, or a header.
func (tl *teller) got(words []string) string {
	var parts []string
	for _, r := range tl.receiver.Requests("/" + tl.key + words[0]) {
		part := strings.TrimSpace(fmt.Sprintf("%d %s %s", r.Answered, r.Method, r.Body))
		if len(words) > 1 {
			part = r.Header.Get(words[1])
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

// entries are the events of a ticket; what only alerts is no word of the process.
func (tl *teller) entries(number string) []wholeEntry {
	all := items[wholeEntry](tl.t, tl.admin.must(tl.t, "GET", "/api/issue/"+number+"/timeline?limit=200", nil))
	return slices.DeleteFunc(all, func(e wholeEntry) bool { return e.Seq == 0 })
}

// lines are the events of the ticket, as told spells them.
func (tl *teller) lines() (all []string) {
	for _, e := range tl.entries(tl.number) {
		line := string(e.Type)
		var parts []string
		for _, h := range e.ProcessLog {
			parts = append(parts, happening(h))
		}
		if len(parts) > 0 {
			line += ": " + strings.Join(parts, " ")
		}
		all = append(all, line)
	}
	return all
}

func happening(h flow.LogEntry) string {
	parts := []string{h.Node}
	if h.Who != "" {
		parts = append(parts, h.Who)
	}
	if len(h.To) > 0 {
		parts = append(parts, ">"+strings.Join(h.To, ","))
	}
	if h.Pass != nil {
		parts = append(parts, fmt.Sprint(*h.Pass))
	}
	return h.Kind + "(" + strings.Join(parts, " ") + ")"
}

// told waits for an event after those that were told of.
func (tl *teller) told(want string) {
	tl.t.Helper()
	harness.Until(tl.t, "told "+want, patience, func() error {
		all := tl.lines()
		i := slices.Index(all[tl.seq:], want)
		if i < 0 {
			return fmt.Errorf("there is\n%s", strings.Join(all[tl.seq:], "\n"))
		}
		tl.seq += i + 1
		return nil
	})
}
