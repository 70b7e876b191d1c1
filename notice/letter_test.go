package notice_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/flow"
	"signalbox/notice"
	"signalbox/ticket"
)

var (
	dueAt    = time.Date(2026, 12, 1, 9, 30, 0, 0, time.UTC)
	page     = "https://box.example.com/ticket/IM1"
	question = notice.Item{Why: notice.Asked, Number: "IM1", Title: "Leave <b>from</b> [Monday](x) & on", URL: page, At: epoch, Node: "Manager", Vote: true, Due: &dueAt}
	// all is an item of each kind.
	all = []notice.Item{question,
		{Why: notice.Asked, Number: "IM2", Title: "印章", URL: page, At: epoch, Node: "盖章"},
		{Why: notice.Reminded, Number: "IM1", Title: "Leave", URL: page, At: epoch, Node: "Manager", Due: &dueAt},
		{Why: notice.Escalated, Number: "IM1", Title: "Leave", URL: page, At: epoch, Node: "Manager"},
		{Why: notice.Mentioned, Number: "IM1", Title: "Leave", URL: page, At: epoch, By: "ada", Text: "what do you say, @bob?"},
		{Why: notice.SLAWarned, Number: "IM1", Title: "Leave", URL: page, At: epoch, SLA: "resolve: 80 % of 8h", Due: &dueAt},
		{Why: notice.SLABreached, Number: "IM1", Title: "Leave", URL: page, At: epoch, SLA: "resolve: 8h", Due: &dueAt},
		{Why: notice.Followed, Number: "IM1", Title: "Leave", URL: page, At: epoch, By: "ada", Event: ticket.Approved},
		{Why: notice.Followed, Number: "IM1", Title: "Leave", URL: page, At: epoch, By: "ada", Event: ticket.Said, Text: "done"},
	}
	networks = []notice.Format{notice.FormatWeCom, notice.FormatDingTalk, notice.FormatFeishu, notice.FormatSlack, notice.FormatTeams}
)

func contact(f notice.Format) notice.Contact {
	return notice.Contact{Name: "Ada Lovelace", Address: "u-1", Webhook: "https://hook.example.com/" + string(f) + "?key=k", Secret: "this is secret"}
}

// TestLettersToTheByte: what every network is sent, in both languages, is as the files in testdata/letters have it.
func TestLettersToTheByte(t *testing.T) {
	for name, l := range map[string]notice.Letter{
		"en": {Language: "en", Zone: "Europe/Zurich", Items: all[:1]}, "zh": {Language: "zh", Zone: "Asia/Shanghai", Items: all[:1]},
		"digest-en": {Language: "en", Zone: "Europe/Zurich", Items: all}, "digest-zh": {Language: "zh", Zone: "Asia/Shanghai", Items: all},
	} {
		write := os.Getenv("SIGNALBOX_WRITE") != ""
		subject, text := l.Mail()
		golden(t, write, "mail-"+name+".txt", subject+"\n\n"+text)
		for _, f := range networks {
			address, body, err := l.Post(f, contact(f), epoch)
			require.NoError(t, err)
			var out strings.Builder
			enc := json.NewEncoder(&out)
			enc.SetEscapeHTML(false)
			enc.SetIndent("", "  ")
			require.NoError(t, enc.Encode(json.RawMessage(body)))
			golden(t, write, fmt.Sprintf("%s-%s.txt", f, name), "POST "+address+"\n\n"+out.String())
		}
	}
}

func golden(t *testing.T, write bool, name, is string) {
	t.Helper()
	file := filepath.Join("testdata", "letters", name)
	if write {
		require.NoError(t, os.WriteFile(file, []byte(is), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), is, "%s: make golden writes it anew", name)
}

// TestMessagesAreOfTheVendorsOwnShape: whatever we send has no member that the published example of its vendor lacks, and each is of its type and, where it names a kind,
// of its value. The examples are in testdata/vendors; of several in a list each of ours is like one.
func TestMessagesAreOfTheVendorsOwnShape(t *testing.T) {
	for _, f := range networks {
		raw, err := os.ReadFile(filepath.Join("testdata", "vendors", string(f)+".json"))
		require.NoError(t, err)
		var example any
		require.NoError(t, json.Unmarshal(raw, &example))
		for _, lang := range notice.Languages {
			for _, items := range [][]notice.Item{all[:1], all} {
				_, body, err := notice.Letter{Language: lang, Items: items}.Post(f, contact(f), epoch)
				require.NoError(t, err)
				var ours any
				require.NoError(t, json.Unmarshal(body, &ours))
				require.Empty(t, unlike(ours, example, string(f)))
			}
		}
	}
}

// kinds are the members that name a kind: their values are the vendor's.
var kinds = map[string]bool{"msgtype": true, "msg_type": true, "tag": true, "type": true, "contentType": true, "$schema": true, "version": true}

func unlike(ours, theirs any, at string) string {
	switch ours := ours.(type) {
	case map[string]any:
		m, ok := theirs.(map[string]any)
		if !ok {
			return at + " is no object there"
		}
		for name, value := range ours {
			want, has := m[name]
			if !has {
				return at + "." + name + " is not there"
			}
			if kinds[name] && value != want {
				return fmt.Sprintf("%s.%s is %v, there it is %v", at, name, value, want)
			}
			if why := unlike(value, want, at+"."+name); why != "" {
				return why
			}
		}
	case []any:
		list, ok := theirs.([]any)
		if !ok {
			return at + " is no list there"
		}
		for _, item := range ours {
			why := at + " has nothing there"
			for _, candidate := range list {
				if why = unlike(item, candidate, at+"[]"); why == "" {
					break
				}
			}
			if why != "" {
				return why
			}
		}
	default:
		if fmt.Sprintf("%T", ours) != fmt.Sprintf("%T", theirs) {
			return fmt.Sprintf("%s is %T, there it is %T", at, ours, theirs)
		}
	}
	return ""
}

// TestSignatures are those that the vendors' own examples of code give for the secret "this is secret" at that time.
func TestSignatures(t *testing.T) {
	l := notice.Letter{Language: "en", Items: all[:1]}
	at := time.UnixMilli(1577262236757)
	address, _, err := l.Post(notice.FormatDingTalk, notice.Contact{Webhook: "https://oapi.dingtalk.com/robot/send?access_token=XXXXXX", Secret: "this is secret"}, at)
	require.NoError(t, err)
	require.Equal(t, "https://oapi.dingtalk.com/robot/send?access_token=XXXXXX&sign=hmPWwU%2B7lVdm3ZZz0r9tSfx0L4Q26jWOZr9%2BGs6EZQM%3D&timestamp=1577262236757", address)
	_, body, err := l.Post(notice.FormatFeishu, notice.Contact{Webhook: "https://open.feishu.cn/open-apis/bot/v2/hook/x", Secret: "this is secret"}, at)
	require.NoError(t, err)
	require.Contains(t, string(body), `{"timestamp":"1577262236","sign":"RAfCltg8rVdmpPK5kCz1M40hrj/YzGYnkc/3vXwYNts=",`)
	for _, f := range networks {
		address, body, err := l.Post(f, notice.Contact{Webhook: "https://hook.example.com/x?key=k"}, at)
		require.NoError(t, err)
		require.Equal(t, "https://hook.example.com/x?key=k", address, "nothing is signed without a secret")
		require.NotContains(t, string(body), "sign\"")
		require.NotContains(t, string(body), `"at"`, "nobody is named without an address")
		require.NotContains(t, string(body), "mention")
	}
}

// TestALetterFits whatever it tells: the networks take no more, and what is asked and the link are never cut off.
func TestALetterFits(t *testing.T) {
	long := question
	long.Why, long.By = notice.Mentioned, strings.Repeat("名", 60)
	long.Title, long.Text = strings.Repeat("题", 150), strings.Repeat("字", 300)
	for n, items := range map[string][]notice.Item{"one": {long}, "many": {long, long, long}, "very many": make([]notice.Item, 200)} {
		for i := range items {
			if items[i].Why == "" {
				items[i] = long
			}
		}
		for f, most := range map[notice.Format]int{notice.FormatWeCom: 2048 + 200, notice.FormatDingTalk: 20_000, notice.FormatFeishu: 20_000, notice.FormatSlack: 40_000, notice.FormatTeams: 28_000} {
			_, body, err := notice.Letter{Language: "zh", Items: items}.Post(f, contact(f), epoch)
			require.NoError(t, err)
			require.LessOrEqual(t, len(body), most, "%s of %s", f, n)
			require.Contains(t, string(body), page)
			require.True(t, json.Valid(body))
			if len(items) > 3 {
				require.Contains(t, string(body), "另有", "%s says that there is more", f)
			}
		}
	}
}

func TestTheLanguageIsTheNearestOfOurs(t *testing.T) {
	for tag, want := range map[string]string{"": "en", "en-GB": "en", "zh": "zh", "zh-Hans-CN": "zh", "zh-Hant-TW": "zh", "de": "en", "fr-CH": "en", "ja": "en", "nonsense!": "en"} {
		require.Equal(t, want, notice.LanguageOf(tag), tag)
	}
}

func TestALetterIsReadAsItWasWritten(t *testing.T) {
	l := notice.Letter{Language: "zh", Zone: "Asia/Shanghai", Items: all}
	read, err := notice.ReadLetter(l.Body())
	require.NoError(t, err)
	require.Equal(t, l, read)
	_, err = notice.ReadLetter([]byte(`{"id":"IM1"}`))
	require.Error(t, err)
	require.Equal(t, append(append([]notice.Item{}, all...), all[:2]...), notice.Digest([]notice.Letter{l, {Items: all[:2]}}).Items)
}

func TestWhoIsMentioned(t *testing.T) {
	for text, want := range map[string][]string{
		"nobody":                         nil,
		"@":                              nil,
		"@ bob":                          nil,
		"@bob":                           {"bob"},
		"@bob, and @ada!":                {"bob", "ada!"},
		"mail me at bob@example.com":     nil,
		"(@bob)":                         {"bob)"},
		"@bob@example.com.":              {"bob@example.com."},
		"请@张三看一下":                        {"张三看一下"},
		"@@bob":                          {"@bob"},
		"@ada.smith's":                   {"ada.smith's"},
		"line\n@bob\n@ada":               {"bob", "ada"},
		strings.Repeat("@x ", 60):        slicesOf("x", notice.MaxMentions),
		"@" + strings.Repeat("长", 1_000): {strings.Repeat("长", 41)},
	} {
		var got []string
		for _, ids := range notice.Mentions(text) {
			got = append(got, ids[0])
		}
		require.Equal(t, want, got, text)
	}
	ids := func(text string) []string { return notice.Mentions(text)[0] }
	require.Equal(t, []string{"ada.smith's", "ada.smith'", "ada.smith", "ada.", "ada"}, ids("@ada.smith's"))
	require.Equal(t, []string{"张三请看", "张三请", "张三", "张"}, ids("@张三请看 now"))
	require.Contains(t, ids("@bob@example.com."), "bob@example.com")
	require.NotContains(t, ids("@adam"), "ada", "an id does not end within a word")
}

func slicesOf(text string, n int) (out []string) {
	for range n {
		out = append(out, text)
	}
	return out
}

const approving = `
key: leave
version: 1
name: Leave
service_type: request
sla:
- {name: resolve, until: end, target: 8h, warn: 80 %}
nodes:
- {id: form, name: Form, type: task, action: submit, processors: {opener: true}, next: boss}
- {id: boss, name: Manager, type: approval, processors: {persons: [ada, bob]}, rule: any, deadline: [{after: 1h, do: remind}, {after: 2h, do: escalate, to: {persons: [carl]}}], next: done}
- {id: done, name: Done, type: end}
`

// tale is a ticket of that service, and who follows it.
type tale struct {
	t         *testing.T
	on        ticket.Ticket
	followers []string
}

func (s *tale) open() []notice.Telling {
	def, faults := flow.Read([]byte(approving)).Check(nil)
	require.Empty(s.t, faults)
	events, err := ticket.Open(ticket.Draft{Channel: ticket.ChannelIssue, App: "demo", Service: "leave", Origin: "o", Title: "Leave", Opener: "opa", Definition: &def,
		Followers: []string{"opa"}}, ticket.Identity{ID: 1, Number: "IM1", UUID: "u", Tenant: "a"}, "op", epoch)
	require.NoError(s.t, err)
	return s.tell(events)
}

func (s *tale) tell(events []ticket.Event) (out []notice.Telling) {
	c := notice.Context{TicketURL: func(number string) string { return "https://box/ticket/" + number }}
	for _, e := range events {
		after := ticket.Evolve(s.on, e)
		out = append(out, notice.Tell(c, s.on, e, after, s.followers)...)
		s.on = after
	}
	return out
}

func (s *tale) do(at time.Duration, c ticket.Command) []notice.Telling {
	c.App, c.Channel, c.Operation = "demo", ticket.ChannelIssue, "op"
	events, err := ticket.Decide(s.on, c, epoch.Add(at))
	require.NoError(s.t, err)
	require.NotEmpty(s.t, events)
	return s.tell(events)
}

// fire lets the first timer come.
func (s *tale) fire() []notice.Telling {
	timer := s.on.Timers()[0]
	return s.do(timer.At.Sub(epoch), ticket.Command{Action: ticket.Fire, Fired: &flow.Fired{Node: timer.Node, Round: timer.Round, Stage: timer.Stage, SLA: timer.SLA}})
}

// who lists who is told, of those whom the directory knows.
func who(list []notice.Telling) (out []string) {
	for _, t := range notice.Tellings(list, func(id string) bool { return slices.Contains([]string{"opa", "ada", "bob", "carl", "flo", "zoe"}, id) }) {
		out = append(out, t.Person+" "+string(t.Item.Why))
	}
	return out
}

func TestWhoIsTold(t *testing.T) {
	s := &tale{t: t, followers: []string{"flo", "ada"}} // whom the opening named follows it no more
	opened := s.open()
	require.Equal(t, []string{"opa asked"}, who(opened))
	due := epoch.Add(8 * time.Hour)
	require.Equal(t, notice.Item{Why: notice.Asked, Number: "IM1", Title: "Leave", URL: "https://box/ticket/IM1", At: epoch, Node: "Form", Due: &due}, opened[0].Item,
		"by when is what the SLA says, where the node says nothing")
	submitted := s.do(time.Minute, ticket.Command{Action: ticket.Submit, Operator: "opa", Node: "form"})
	require.Equal(t, []string{"ada asked", "bob asked", "flo followed"}, who(submitted))
	first := epoch.Add(time.Minute + time.Hour)
	require.Equal(t, &first, submitted[0].Item.Due)
	require.True(t, submitted[0].Item.Vote)

	gone := ticket.Event{Seq: s.on.Seq + 1, Type: ticket.Approved, At: epoch.Add(time.Minute), ProcessLog: []flow.LogEntry{
		{Kind: flow.Entered, Node: "boss", To: []string{"zoe"}}, {Kind: flow.Entered, Node: "form", To: []string{"opa"}}, {Kind: flow.Added, Node: "boss", To: []string{"bob", "bob"}}}}
	require.Equal(t, []string{"bob asked"}, who(s.tell([]ticket.Event{gone})), "nobody who is not asked any more once the event is over")

	said := s.do(2*time.Minute, ticket.Command{Action: ticket.Say, Operator: "ada", Message: &ticket.Message{ID: "m1", Author: "ada", Content: "@bob and @ada: look"}})
	require.Equal(t, []string{"bob mentioned", "flo followed"}, who(said), "nobody is told that they mentioned themselves")
	require.Equal(t, "@bob and @ada: look", said[0].Item.Text)
	edited := ticket.Event{Seq: s.on.Seq + 1, Type: ticket.Revised, Actor: "ada", At: epoch.Add(3 * time.Minute)}
	edited.Before.Message, edited.After.Message = &ticket.Message{ID: "m1", Content: "@bob and @ada: look"}, &ticket.Message{ID: "m1", Content: "@bob and @zoe: look"}
	require.Equal(t, []string{"zoe mentioned", "flo followed"}, who(s.tell([]ticket.Event{edited})), "only whom it did not mention before")

	require.Equal(t, []string{"ada reminded", "bob reminded"}, who(s.fire()))
	require.Equal(t, []string{"carl escalated", "flo followed", "ada followed"}, who(s.fire()))
	require.Equal(t, []string{"ada sla_warned", "bob sla_warned", "carl sla_warned"}, who(s.fire()))
	breached := s.fire()
	require.Equal(t, []string{"ada sla_breached", "bob sla_breached", "carl sla_breached", "flo followed"}, who(breached))
	require.Equal(t, "resolve: 8h", breached[0].Item.SLA)
	approved := s.do(9*time.Hour, ticket.Command{Action: ticket.Approve, Operator: "ada", Node: "boss"})
	require.Equal(t, []string{"flo followed"}, who(approved), "not the one who did it")
}

// TestWhatCountsAsTaken: the networks say in the body whether a message was taken, a mail server by its reply.
func TestWhatCountsAsTaken(t *testing.T) {
	graded := func(f notice.Format, status int, answer string) notice.Attempt {
		return notice.BuiltIn().For(notice.Subscription{Format: f, Profile: notice.Letters}).Grade(notice.Attempt{Status: status, Answer: []byte(answer)})
	}
	for f, answers := range map[notice.Format][]string{
		notice.FormatWeCom:    {`{"errcode":0,"errmsg":"ok"}`, `{"errcode":93000,"errmsg":"invalid webhook url"}`, `{"code":0}`, `ok`},
		notice.FormatDingTalk: {`{"errcode":0,"errmsg":"ok"}`, `{"errcode":310000,"errmsg":"sign not match"}`, `{"errcode":"0"}`},
		notice.FormatFeishu:   {`{"code":0,"msg":"success","data":{},"StatusCode":0}`, `{"code":19021,"msg":"sign match fail or timestamp is not within one hour from current time"}`, `{}`},
	} {
		for i, answer := range answers {
			a := graded(f, 200, answer)
			require.Equal(t, i == 0, a.Succeeded, "%s %s", f, answer)
			if i > 0 {
				require.Equal(t, notice.ErrorBadBody, a.Class)
			}
		}
		require.False(t, graded(f, 500, answers[0]).Succeeded)
	}
	require.True(t, graded(notice.FormatSlack, 200, "ok").Succeeded)
	require.True(t, graded(notice.FormatTeams, 202, "").Succeeded)
	require.False(t, graded(notice.FormatSlack, 404, "no_service").Succeeded)
	require.True(t, graded(notice.FormatMail, 250, "").Succeeded)
	require.False(t, graded(notice.FormatMail, 200, "").Succeeded)
}

// TestLettersAreTriedAsLongAsItMakesSense: a mail that is refused for good is given up at once, and no outage takes an address with it.
func TestLettersAreTriedAsLongAsItMakesSense(t *testing.T) {
	p := notice.BuiltIn().For(notice.Subscription{Format: notice.FormatMail, Profile: notice.Letters})
	then := func(status int, class notice.ErrorClass) notice.DeliveryState {
		return p.DecideRetry(notice.Try{Attempt: notice.Attempt{Status: status, Class: class, FinishedAt: epoch}}).Then
	}
	require.Equal(t, notice.Failed, then(550, notice.ErrorStatus))
	require.Equal(t, notice.Retrying, then(450, notice.ErrorStatus))
	require.Equal(t, notice.Retrying, then(535, notice.ErrorConnect), "our own password is wrong")
	long := epoch.Add(-30 * 24 * time.Hour)
	last := p.DecideRetry(notice.Try{Made: p.Tries() - 1, FailingSince: &long, Attempt: notice.Attempt{Class: notice.ErrorConnect, FinishedAt: epoch}})
	require.Equal(t, notice.RetryDecision{Then: notice.Failed}, last)
}
