package flow

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

const order = `
- {id: buy, name: Buy, type: call, call: {url: 'https://shop', answer: {number: body.id, note: body.note}}, processors: {persons: [ops]},
   fields: [{key: number, type: INT, required: true}, {key: note, type: STRING, default: none}], next: check}
- {id: check, name: Check, type: task, processors: {persons: [ann]}, next: done}` + end

func byRulesNow(t *testing.T, source string) *player {
	pl := play(t, source)
	pl.env.Rules = RulesNow
	return pl
}

// What has been done once is not done again because its answer was not understood.
func TestARetryMapsTheAnswerThatWasKept(t *testing.T) {
	pl := byRulesNow(t, order)
	pl.lines(`
	start                          => buy:calling
	called ok {"id":"x7","note":""} => buy:failed[ops]
	retry by ops                   => buy:failed[ops]
	says                           => retried(buy ops) call_failed(buy >ops)
	calls                          => `)
	failed, _ := pl.pos.Find("buy")
	require.Equal(t, &Kept{Body: `{"id":"x7","note":""}`}, failed.Kept)
	require.Contains(t, failed.Reason, "answer number: must be a whole number")
	require.Contains(t, failed.Reason, "the request has succeeded")
	require.Equal(t, 1, failed.Try)

	// A version that understands it maps it without another request.
	mended := process(t, strings.Replace(order, "body.id", `'int(trim(body.id, "x"))'`, 1))
	moved, reasons := Migrate(pl.p, mended, pl.pos, nil, RulesNow, RulesNow, pl.env.Now)
	require.Empty(t, reasons)
	kept := *pl
	kept.p, kept.pos = mended, moved
	kept.lines(`
	retry by ops => check[ann]
	fields       => {"note":"","number":7}`)

	pl.lines(`retry resend by ops => buy:calling`)
	require.Len(t, pl.p.Calls(pl.pos, pl.env), 1, "sending again is a choice of its own")
	pl.lines(`
	called ok {"id":8,"note":"n"} => check[ann]
	fields                        => {"note":"n","number":8}`)
	sent, _ := pl.pos.Find("buy")
	require.Nil(t, sent.Kept)
	require.Equal(t, 2, sent.Try)
}

// Whether it was a success may be what was not understood. Then it is judged again, and not sent again; where the status says that it was none, it is sent.
func TestARetryJudgesTheAnswerThatWasKept(t *testing.T) {
	source := strings.Replace(order, "answer:", "success: body.ok, answer:", 1)
	pl := byRulesNow(t, source)
	pl.lines(`
	start                             => buy:calling
	called ok {"id":7,"state":"done"} => buy:failed[ops]
	retry by ops                      => buy:failed[ops]
	calls                             => `)
	failed, _ := pl.pos.Find("buy")
	require.Equal(t, &Kept{Body: `{"id":7,"state":"done"}`}, failed.Kept)
	require.Contains(t, failed.Reason, "HTTP 200: success: ")
	require.Contains(t, failed.Reason, "may have succeeded")

	for judges, want := range map[string]string{`body.state == "done"`: "check[ann]", `body.state == "more"`: "buy:failed[ops]"} {
		mended := process(t, strings.Replace(source, "body.ok", "'"+judges+"'", 1))
		moved, reasons := Migrate(pl.p, mended, pl.pos, nil, RulesNow, RulesNow, pl.env.Now)
		require.Empty(t, reasons)
		kept := *pl
		kept.p, kept.pos = mended, moved
		kept.lines(`retry by ops => ` + want)
		if judges == `body.state == "more"` { // and now it is known to be none
			kept.lines(`retry by ops => buy:calling`)
		}
	}
	pl.lines(`retry resend by ops => buy:calling`)

	for _, c := range []struct {
		rules Rules
		came  string
	}{{RulesNow, "404"}, {RulesFirst, `ok {"id":7}`}, {RulesWeighed, `ok {"id":7}`}} {
		pl := play(t, source)
		pl.env.Rules = c.rules
		pl.lines(`start => buy:calling
			called ` + c.came + ` => buy:failed[ops]
			retry by ops => buy:calling`)
	}
}

func TestWhatDidNotSucceedIsSentAgain(t *testing.T) {
	for _, came := range []string{"500", "fail", "404"} {
		pl := byRulesNow(t, order)
		pl.lines(`start => buy:calling
			called ` + came + ` => buy:failed[ops]
			retry by ops => buy:calling`)
		require.Equal(t, 2, pl.p.Calls(pl.pos, pl.env)[0].Try)
	}
	pl := byRulesNow(t, strings.Replace(order, "answer:", "success: body.ok, answer:", 1))
	pl.lines(`start => buy:calling
		called ok {"ok":false,"id":"x"} => buy:failed[ops]
		retry by ops => buy:calling`)
	pl = play(t, order)
	pl.env.Rules = RulesFirst
	pl.lines(`start => buy:calling
		called ok {"id":"x7"} => buy:failed[ops]
		retry by ops => buy:calling`)
	pl = byRulesNow(t, `
- {id: b, name: B, type: branch, cases: [{when: 1 % len(opener) > 0, next: done}], default: done}`+end)
	pl.env.Opener = ""
	pl.lines(`start => b:failed[]
		retry resend by boss admin => refused invalid resend: "B" sends nothing`)
}

// An answer that was too much to be kept was an answer all the same.
func TestAnAnswerThatWasLostIsNotAskedForWithoutSayingSo(t *testing.T) {
	pl := byRulesNow(t, order)
	pl.lines(`start => buy:calling`)
	call := pl.p.Calls(pl.pos, pl.env)[0]
	require.Equal(t, "buy:failed[ops]", pl.step(Called{Key: call.Key, Status: 201, Error: "it has too many bytes"}))
	pl.lines(`
	retry by ops        => refused conflict resend: the request of "Buy" has succeeded
	retry resend by ops => buy:calling`)
}

func TestWhoSkipsACallMayGiveWhatItWouldHaveAnswered(t *testing.T) {
	failed := func(rules Rules) *player {
		pl := play(t, order)
		pl.env.Rules = rules
		pl.lines(`start => buy:calling
			called 500 => buy:failed[ops]`)
		return pl
	}
	pl := failed(RulesNow)
	asked := pl.p.Waiting(pl.pos)[0].Fields
	require.Equal(t, []string{"note", "number"}, []string{asked[0].Key, asked[1].Key})
	require.False(t, asked[1].Required)
	pl.lines(`
	skip by ops set number=x       => refused invalid number: must be a whole number
	skip by ops set other=1        => refused invalid other: the form has no such field
	skip by ops set number=12      => check[ann]
	fields                         => {"number":12}`)
	pl = failed(RulesNow)
	pl.lines(`skip by ops => check[ann]
		fields => {}`)
	pl = failed(RulesFirst)
	pl.lines(`skip by ops set number=x => check[ann]
		fields => {}`)
}

// A request has one key from its first attempt to its last, whatever becomes of its node, and no two requests of a ticket have the same.
func TestARequestKeepsItsKey(t *testing.T) {
	keys := 0
	rapid.Check(t, func(t *rapid.T) {
		def := grow(t) // and a call before it, so that there is a request whatever has grown
		def.Nodes = slices.Insert(def.Nodes, 0, Node{ID: "asks_first", Name: "Ask", Type: Call, Call: &Request{URL: "https://host/first"}, Next: def.Nodes[0].ID})
		w := newWorldOf(t, def)
		require.True(t, w.do(Start{}))
		owners := map[string]string{} // by key: when, and for which try, it was made
		awaited := func() map[string]bool {
			now := map[string]bool{}
			for _, s := range w.pos.Nodes {
				if !s.awaits() {
					continue
				}
				key := s.Known()
				now[key] = true
				owner := s.Entered.String() + "/" + string(rune('0'+s.Try))
				if had, ok := owners[key]; ok {
					require.Equal(t, had, owner, "two requests under one key")
				}
				owners[key] = owner
				keys++
			}
			return now
		}
		pending := awaited()
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			w.env.Now = w.env.Now.Add(time.Microsecond) // what happens in the same moment is one step
			before := w.p
			w.something(t)
			now := awaited()
			if w.p != before { // migrated: nothing that was pending has become another request
				require.Equal(t, pending, now)
			}
			pending = now
		}
	})
	require.Positive(t, keys)
}

// A ticket of the first rules has no key of its own for it yet.
func TestARequestOfTheFirstRulesKeepsItsKeyInAMigration(t *testing.T) {
	pl := play(t, order)
	pl.env.Rules = RulesFirst
	pl.lines(`start => buy:calling`)
	require.Empty(t, pl.p.Calls(pl.pos, pl.env)[0].Key)
	other := process(t, strings.ReplaceAll(order, "id: buy", "id: pay"))
	moved, reasons := Migrate(pl.p, other, pl.pos, map[string]string{"buy": "pay"}, RulesNow, RulesNow, pl.env.Now)
	require.Empty(t, reasons)
	pl.env.Rules = RulesNow
	call := other.Calls(moved, pl.env)[0]
	require.Equal(t, []string{"pay", "buy:1:1"}, []string{call.Node, call.Key})
	out, err := other.Step(moved, pl.env, Called{Key: "buy:1:1", Status: 200, Body: `{"id":1,"note":""}`})
	require.NoError(t, err)
	require.NotEmpty(t, out.States)
}

// The name of a node that was renamed may be given to another one: to the receiver its request is another request.
func TestTwoNodesOfOneNameHaveTwoKeys(t *testing.T) {
	pl := byRulesNow(t, order)
	pl.lines(`start => buy:calling`)
	first := pl.p.Calls(pl.pos, pl.env)[0].Key
	other := process(t, strings.NewReplacer("id: buy", "id: pay", "next: check", "next: buy").Replace(order)+`
- {id: buy, name: Buy more, type: call, call: {url: 'https://shop'}, next: check}`)
	moved, reasons := Migrate(pl.p, other, pl.pos, map[string]string{"buy": "pay"}, RulesNow, RulesNow, pl.env.Now)
	require.Empty(t, reasons)
	pl.p, pl.pos, pl.env.Now = other, moved, pl.env.Now.Add(time.Second)
	require.Equal(t, first, pl.p.Calls(pl.pos, pl.env)[0].Key)
	pl.lines(`called ok {"id":1,"note":""} => buy:calling`)
	require.NotEqual(t, first, pl.p.Calls(pl.pos, pl.env)[0].Key)
}

// What is kept of an answer are its body and its headers, without those that let somebody in.
func TestCookiesAreNotKept(t *testing.T) {
	pl := byRulesNow(t, order)
	pl.lines(`start => buy:calling`)
	call := pl.p.Calls(pl.pos, pl.env)[0]
	require.Equal(t, "buy:failed[ops]", pl.step(Called{Key: call.Key, Status: 200, Body: `{"id":"x7"}`, Headers: map[string]string{"set-cookie": "s=1", "x-run": "7"}}))
	failed, _ := pl.pos.Find("buy")
	require.Equal(t, &Kept{Body: `{"id":"x7"}`, Headers: map[string]string{"x-run": "7"}}, failed.Kept)
}

// The pauses between attempts are exact to the millisecond and never longer than a day.
func TestThePausesBetweenAttempts(t *testing.T) {
	call := PendingCall{Interval: 10 * time.Second, Coefficient: 1.5}
	require.Equal(t, []time.Duration{10 * time.Second, 15 * time.Second, 22500 * time.Millisecond, 33750 * time.Millisecond}, []time.Duration{call.Pause(1), call.Pause(2), call.Pause(3), call.Pause(4)})
	call.Coefficient = 10
	require.Equal(t, 24*time.Hour, call.Pause(99))
	call.Coefficient = 1
	require.Equal(t, 10*time.Second, call.Pause(99))
}
