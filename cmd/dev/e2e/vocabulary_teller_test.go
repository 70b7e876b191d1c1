package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"signalbox/calendar"
	"signalbox/cmd/dev/e2e/harness"
	"signalbox/desk"
	"signalbox/flow"
	"signalbox/ticket"
	"signalbox/workflows"
)

// teller tells a story line by line, through the API. A line is what is done, then " => ", then what is seen of it; without that, nothing is
// looked at.
//
//	opens [by who] [itsm] [set key=value;…] [named node=a,b]   a ticket, through the issue or the itsm family
//	<action> [@node] [by who] [admin] [for who] [no] [to a,b] [before|beside|after] [back node] [say word] [set key=value;…]
//	signal <name> {payload}                                   the second door; waits for what becomes of it
//	<method> <path> {body}                                    any other call by an admin; NUMBER is the ticket's, ID the last answer's
//	publish                                                   the definition's second version
//	lost                                                      its workflow is ended behind everybody's back, and the ticket reconciled
//
// After all of these, and after `later`, which waits for it, comes where the ticket stands: every open node as node[who can act], with
// :state unless people are simply asked; then how it ended, and whether it counts as approved. A refusal is "refused", its HTTP status, and
// a part of its sentence. Instead of where it stands:
//
//	told    => type: kind(node who >to pass) …    waits for the next event that says just this
//	fields  => {…}      phase => word      number => how it begins
//	got /path [header]  => status method body, …  or the header's values   what the receiver was asked so far, and answered
type teller struct {
	t          *testing.T
	story      story
	key        string  // of the service
	admin      *caller // demo's own
	clerk      *caller // no admin
	temporal   client.Client
	reconciler *desk.Reconciler
	receiver   *harness.Receiver

	service struct{ Number int64 }
	number  string // of the ticket
	id      string // that the last answer gave
	seq     int    // events that were told of
	numbers []string
	used    words
}

const patience = time.Minute

func (tl *teller) tell() {
	for path, answers := range tl.story.Answers {
		tl.receiver.Answer("/"+tl.key+path, answers...)
	}
	for _, calendar := range tl.story.Calendars {
		a, err := tl.admin.send(tl.t.Context(), "POST", "/api/calendar", "", []byte(calendar))
		require.NoError(tl.t, err)
		require.Equal(tl.t, 200, a.status, a)
	}
	for _, line := range tl.story.Directory {
		a := tl.do(strings.Fields(line))
		require.Equal(tl.t, 200, a.status, "%s: %s", line, a)
	}
	tl.publish(tl.story.Service)
	for line := range strings.Lines(tl.story.Script) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		did, want, looks := strings.Cut(line, "=>")
		tl.line(line, strings.Fields(did), strings.TrimSpace(want), looks)
	}
	tl.testify()
}

// source completes a definition.
func (tl *teller) source(text string) string {
	return fmt.Sprintf("key: %s\nname: %q\n%s", tl.key, tl.story.Story, strings.ReplaceAll(text, "HOST", tl.receiver.URL("/"+tl.key)))
}

func (tl *teller) publish(text string) {
	tl.t.Helper()
	a, err := tl.admin.send(tl.t.Context(), "POST", "/api/service", "", []byte(tl.source(text)))
	require.NoError(tl.t, err)
	require.Equal(tl.t, 200, a.status, a)
	require.NoError(tl.t, a.result(&tl.service))
}

func (tl *teller) line(line string, did []string, want string, looks bool) {
	tl.t.Helper()
	switch did[0] {
	case "told":
		tl.told(want)
		return
	case "later":
		tl.until(line, want, tl.stands)
		return
	case "got":
		tl.until(line, want, func() string { return tl.got(did[1:]) })
		return
	case "fields":
		require.Equal(tl.t, exact(tl.t, want), tl.fields(), line)
		return
	case "phase":
		require.Equal(tl.t, want, tl.view().Phase, line)
		return
	case "number":
		require.Regexp(tl.t, "^"+want+"[0-9]+$", tl.number, line)
		return
	}
	a := tl.do(did)
	if status, sentence, refused := strings.Cut(strings.TrimPrefix(want, "refused "), " "); refused && strings.HasPrefix(want, "refused ") {
		require.Equal(tl.t, status, strconv.Itoa(a.status), "%s: %s", line, a)
		require.Contains(tl.t, a.body, sentence, line)
		return
	}
	require.Equal(tl.t, http.StatusOK, a.status, "%s: %s", line, a)
	if looks {
		require.Equal(tl.t, want, tl.stands(), line)
	}
}

// until waits until what is seen is what is wanted.
func (tl *teller) until(line, want string, seen func() string) {
	tl.t.Helper()
	harness.Until(tl.t, line, patience, func() error {
		if got := seen(); got != want {
			return fmt.Errorf("it is %q; %v", got, tl.lines())
		}
		return nil
	})
}

// do does what a line says, and gives the answer.
func (tl *teller) do(did []string) answer {
	tl.t.Helper()
	switch did[0] {
	case "publish":
		tl.publish(tl.story.Second)
		return answer{status: http.StatusOK}
	case "lost":
		require.NoError(tl.t, tl.temporal.TerminateWorkflow(tl.t.Context(), workflows.TicketID(tl.number, 0), "", "lost"))
		sum, err := tl.reconciler.Reconcile(tl.t.Context(), desk.ReconcileOptions{Ticket: tl.number}, func(desk.Finding) {})
		require.NoError(tl.t, err)
		require.Equal(tl.t, 1, sum.Verdicts[desk.BegunAgain], sum)
		return answer{status: http.StatusOK}
	case "opens":
		return tl.opens(did[1:])
	case "signal":
		tl.signal(did[1], strings.Join(did[2:], " "))
		return answer{status: http.StatusOK}
	case "GET", "POST", "PUT":
		with := strings.NewReplacer("NUMBER", tl.number, "ID", tl.id)
		a, err := tl.admin.send(tl.t.Context(), did[0], with.Replace(did[1]), "", []byte(with.Replace(strings.Join(did[2:], " "))))
		require.NoError(tl.t, err)
		var given struct{ ID string }
		if a.result(&given) == nil {
			tl.id = given.ID
		}
		return a
	}
	act := tl.act(did)
	c := tl.clerk
	if act.Admin {
		c = tl.admin
	}
	p := parameter(act)
	p["on_behalf"], p["place"], p["to"] = act.OnBehalf, act.Place, act.To
	a, err := c.send(tl.t.Context(), "POST", "/api/issue/"+tl.number+"/handle", "", handled(act.Actor, string(act.Action), act.Node, p))
	require.NoError(tl.t, err)
	if a.status == http.StatusOK {
		tl.used.add("action of handle", string(act.Action))
	}
	return a
}

func (tl *teller) act(words []string) flow.Act {
	a := flow.Act{Action: flow.Action(words[0]), Pass: true}
	for i := 1; i < len(words); i++ {
		switch w := words[i]; {
		case strings.HasPrefix(w, "@"):
			a.Node = w[1:]
		case w == "admin":
			a.Admin = true
		case w == "no":
			a.Pass = false
		case w == "before" || w == "beside" || w == "after":
			a.Place = flow.Place(w)
		default:
			i++
			require.Less(tl.t, i, len(words), "%s what?", w)
			switch w {
			case "by":
				a.Actor = words[i]
			case "for":
				a.OnBehalf = words[i]
			case "back":
				a.To = words[i]
			case "to":
				a.Targets = strings.Split(words[i], ",")
			case "say":
				a.Comment = words[i]
			case "set":
				a.Fields = form(words[i])
			default:
				require.Fail(tl.t, "nothing is called "+w)
			}
		}
	}
	if a.Action == flow.Confirm && a.Comment == "" {
		a.Comment = "seen" // it must say something
	}
	return a
}

var soon = regexp.MustCompile(`^NOW\+(\d+s)$`)

// form reads key=value;…: JSON where it is some, otherwise text. NOW+3s is the time in three seconds.
func form(text string) map[string]any {
	out := map[string]any{}
	for _, pair := range strings.Split(text, ";") {
		key, value, _ := strings.Cut(pair, "=")
		if in := soon.FindStringSubmatch(value); in != nil {
			after, _ := time.ParseDuration(in[1])
			value = time.Now().Add(after).UTC().Format(time.RFC3339Nano)
		}
		out[key] = value
		if json.Valid([]byte(value)) {
			out[key] = json.RawMessage(value)
		}
	}
	return out
}

func (tl *teller) opens(words []string) answer {
	tl.t.Helper()
	by, fields, named, itsm := "olga", map[string]any{}, map[string][]string{}, false
	for i := 0; i < len(words); i++ {
		if words[i] == "itsm" {
			itsm = true
			continue
		}
		require.Less(tl.t, i+1, len(words), "%s what?", words[i])
		value := words[i+1]
		switch words[i] {
		case "by":
			by = value
		case "set":
			fields = form(value)
		case "named":
			node, who, _ := strings.Cut(value, "=")
			named[node] = strings.Split(who, ",")
		default:
			require.Fail(tl.t, "nothing is called "+words[i])
		}
		i++
	}
	path, body := "/api/issue", map[string]any{"origin": "e2e", "title": tl.story.Story, "service": tl.key, "opener": by, "fields": fields, "state_processors": named}
	if itsm {
		list := []map[string]any{{"key": "title", "value": tl.story.Story}}
		for key, value := range fields {
			list = append(list, map[string]any{"key": key, "value": value})
		}
		path, body = "/api/c/compapi/v2/itsm/create_ticket/", map[string]any{"creator": by, "service_id": tl.service.Number, "fields": list}
	}
	a, err := tl.clerk.send(tl.t.Context(), "POST", path, "", body)
	require.NoError(tl.t, err)
	var given struct {
		Result any
		Data   struct{ SN string }
	}
	require.NoError(tl.t, json.Unmarshal([]byte(a.body), &given), a)
	tl.number, _ = given.Result.(string)
	if itsm {
		tl.number = given.Data.SN
	}
	if tl.number != "" {
		tl.numbers, tl.seq = append(tl.numbers, tl.number), 0
	}
	return a
}

func (tl *teller) signal(name, payload string) {
	tl.t.Helper()
	before := len(tl.entries(tl.number))
	require.NoError(tl.t, tl.temporal.SignalWorkflow(tl.t.Context(), workflows.TicketID(tl.number, 0), "", name, json.RawMessage(payload)))
	harness.Until(tl.t, "signal "+name, patience, func() error {
		for _, e := range tl.entries(tl.number)[before:] {
			if e.Channel != ticket.ChannelSignal {
				continue
			}
			if e.Type != ticket.RefusedCmd {
				tl.used.add("signal", name)
			}
			return nil
		}
		return fmt.Errorf("nothing has become of it: %v", tl.lines())
	})
}

// testify has it seen which words had their part in the story's tickets.
func (tl *teller) testify() {
	var calendars []calendar.Calendar
	for _, text := range tl.story.Calendars {
		cal, faults := flow.ParseCalendar([]byte(text), time.LoadLocation)
		require.Empty(tl.t, faults)
		calendars = append(calendars, cal)
	}
	def, faults := flow.Read([]byte(tl.source(tl.story.Service))).Check(calendars)
	require.Empty(tl.t, faults)
	process, err := flow.Compile(def)
	require.NoError(tl.t, err)
	require.NotEmpty(tl.t, tl.numbers, "a story without a ticket")
	for _, number := range tl.numbers {
		w := witness{process: process, kinds: map[string]map[string]bool{}, used: tl.used}
		for _, e := range tl.entries(number) {
			w.see(e)
		}
	}
}
