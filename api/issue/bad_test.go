package issue_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/api/apitest"
	"signalbox/api/issue"
	"signalbox/ticket"
)

var errUnavailable = ticket.Refuse(ticket.Unavailable, "come back later")

func TestEveryCallIsInTheDocumentAndTheOtherWayRound(t *testing.T) {
	handler := issue.Handler{}
	require.Equal(t, apitest.LoadContract(t, "issue").Routes(), apitest.Mounted(handler.Family()))
}

// TestAMemberAtTheWrongLevelIsNamed: a vote's comment beside the parameter object would be lost. What nobody knows is passed over.
func TestAMemberAtTheWrongLevelIsNamed(t *testing.T) {
	b := setup(t)
	number := b.open()
	accept := func(outer, inner string) apitest.Answer {
		return b.Do("POST", "/api/issue/"+number+"/handle", `{"action":"accept","operator":"li","parameter":{`+inner+`}`+outer+`}`)
	}
	for _, name := range []string{"comment", "reason", "targets", "fields", "on_behalf", "resend", "solution", "virtual_confirm_comment"} {
		b.Refused(accept(`,"`+name+`":"x"`, ""), 400, name+": belongs into parameter")
	}
	for _, name := range []string{"action", "operator", "node", "round"} {
		b.Refused(accept("", `"`+name+`":"x"`), 400, "parameter."+name+": belongs beside parameter")
	}
	require.Equal(t, "triggered", b.read(number)["phase"])
	for what, says := range map[string]string{`"targets":["wang"]`: "targets: are nothing that accept takes", `"resend":true`: "resend: is nothing that accept takes"} {
		b.Refused(accept("", what), 400, says)
	}
	confirm := func(comment string) apitest.Answer {
		return b.handle(number, "confirm", map[string]any{"virtual_confirm_result": true, "virtual_confirm_comment": "good", "comment": comment})
	}
	b.Refused(confirm("bad"), 400, "comment: says something else than virtual_confirm_comment")
	b.Refused(confirm("good"), 409, "confirm")
	b.Result(accept(`,"more":1,"comment":null`, `"more":1,"node":null`), nil)
}

func TestOpeningsThatAreWrong(t *testing.T) {
	b := setup(t)
	list := func(n int, item string) string {
		return "[" + strings.TrimSuffix(strings.Repeat(item+",", n), ",") + "]"
	}
	for name, c := range map[string]struct{ body, says string }{
		"no body":             {"", "body"},
		"blanks":              {" \n", "body"},
		"no JSON":             {"origin=a&title=b", "body"},
		"cut off":             {`{"origin":"a","title":"b"`, "body"},
		"text after it":       {`{"origin":"a","title":"b"} x`, "body"},
		"two values":          {`{"origin":"a","title":"b"}{}`, "body"},
		"an array":            {`[]`, "body: must be an object"},
		"a string":            {`"a"`, "body: must be an object"},
		"bad UTF-8":           {"{\"origin\":\"a\",\"title\":\"\xff\"}", "body: must be valid UTF-8"},
		"half a surrogate":    {`{"origin":"a","title":"\ud800"}`, "body"},
		"NUL":                 {`{"origin":"a","title":"\u0000"}`, "title"},
		"control character":   {`{"origin":"a","title":"b\u0007"}`, "title: must not contain control characters"},
		"nothing":             {`{}`, "origin: is required"},
		"null":                {`null`, "origin: is required"},
		"no title":            {`{"origin":"a"}`, "title: is required"},
		"title null":          {`{"origin":"a","title":null}`, "title: is required"},
		"empty title":         {`{"origin":"a","title":""}`, "title: is required"},
		"blank title":         {`{"origin":"a","title":" \t "}`, "title"},
		"other case":          {`{"origin":"a","Title":"b"}`, "title: is required"},
		"both are missing":    {`{"title":"","origin":""}`, "title: is required"},
		"origin a number":     {`{"origin":1,"title":"b"}`, "origin: must be a string"},
		"tag a string":        {`{"origin":"a","title":"b","tag":"c"}`, "tag: must be an array"},
		"a tag a number":      {`{"origin":"a","title":"b","tag":["c",1]}`, "tag[1]: must be a string"},
		"an empty tag":        {`{"origin":"a","title":"b","tag":["c",""]}`, "tag[1]"},
		"long origin":         {`{"title":"b","origin":"` + strings.Repeat("源", 256) + `"}`, "origin: must have at most 255 characters"},
		"long title":          {`{"origin":"a","title":"` + strings.Repeat("题", 256) + `"}`, "title: must have at most 255 characters"},
		"long description":    {`{"origin":"a","title":"b","description":"` + strings.Repeat("述", 65_537) + `"}`, "description"},
		"long tag":            {`{"origin":"a","title":"b","tag":["` + strings.Repeat("签", 65) + `"]}`, "tag[0]"},
		"many tags":           {`{"origin":"a","title":"b","tag":` + list(51, `"t"`) + `}`, "tag: must have at most 50 items"},
		"relations an object": {`{"origin":"a","title":"b","relations":{}}`, "relations: must be an array"},
		"relation null":       {`{"origin":"a","title":"b","relations":[null]}`, "relations[0]"},
		"relation no type":    {`{"origin":"a","title":"b","relations":[{"content":[]}]}`, "relations[0].type"},
		"relation no content": {`{"origin":"a","title":"b","relations":[{"type":"t"}]}`, "relations[0].content: is required"},
		"relation bad type":   {`{"origin":"a","title":"b","relations":[{"type":"报关单","content":[]}]}`, "relations[0].type"},
		"relation twice":      {`{"origin":"a","title":"b","relations":[{"type":"t","content":[]},{"type":"t","content":[]}]}`, "relations[1].type"},
		"content a string":    {`{"origin":"a","title":"b","relations":[{"type":"t","content":"x"}]}`, "relations[0].content: must be an array"},
		"a content a number":  {`{"origin":"a","title":"b","relations":[{"type":"t","content":["x",2]}]}`, "relations[0].content[1]: must be a string"},
		"many items":          {`{"origin":"a","title":"b","relations":[{"type":"t","content":` + list(10_001, `"x"`) + `}]}`, "relations[0].content: must have at most 10000"},
		"unknown service":     {`{"origin":"a","title":"b","service":"nonsense"}`, "service"},
		"service a number":    {`{"origin":"a","title":"b","service":1}`, "service: must be a string"},
		"long assignee":       {`{"origin":"a","title":"b","assignee":"` + strings.Repeat("人", 256) + `"}`, "assignee"},
		"deep":                {`{"origin":"a","title":"b","x":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`, "body"},
	} {
		t.Run(name, func(t *testing.T) {
			b := bench{t, b.On(t), b.back}
			b.Refused(b.Do("POST", "/api/issue", c.body), 400, c.says)
		})
	}
	var page struct{ Items []any }
	b.Result(b.Do("GET", "/api/issue", nil), &page)
	require.Empty(t, page.Items, "a refused call touches nothing")

	t.Run("gives characters their full allowance", func(t *testing.T) {
		b := bench{t, b.On(t), b.back}
		b.Result(b.Do("POST", "/api/issue", fmt.Sprintf(`{"origin":%q,"title":%q,"description":%q}`,
			strings.Repeat("源", 255), strings.Repeat("题", 255), strings.Repeat("述", 65_536))), nil)
	})
	b.Refused(b.Do("POST", "/api/issue", `{"origin":"a","title":"b","description":"`+strings.Repeat("x", 1<<20)+`"}`), 413, "too large")
	b.Refused(b.Do("POST", "/api/issue", `{"origin":"a","title":"b"}`, "Content-Encoding", "gzip"), 400, "Content-Encoding")
	b.Refused(b.Do("POST", "/api/issue", `{"origin":"a","title":"b"}`, "X-Idempotency-Key", "blank in it"), 400, "X-Idempotency-Key")
}

func TestQueriesThatAreWrong(t *testing.T) {
	b := setup(t)
	for query, says := range map[string]string{
		"status=open": "status", "status=OPEN&status=CLOSED": "status", "phase=triggered&phase=flying": "phase", "limit=0": "limit",
		"limit=201": "limit", "limit=x": "limit", "limit=1e2": "limit", "limit=99999999999999999999": "limit", "cursor=x": "cursor",
		"relation=manifest": "relation", "relation=:x": "relation", "created_after=yesterday": "created_after",
		"updated_before=2026-01-01": "updated_before", "q=%ff": "q", "origin=%00": "origin", "tag=" + strings.Repeat("a", 65): "tag",
		"sort=title": "sort", "overdue=perhaps": "overdue", "relation=a:b&related=b": "related", "unassigned=2": "unassigned", "total=x": "total", "stuck=yes": "stuck",
		"origin=%zz": "query", "status=OPEN;phase=triggered": "query", "q=" + strings.Repeat("a", 256): "q",
	} {
		b.Refused(b.Do("GET", "/api/issue?"+query, nil), 400, says)
	}
	for query, says := range map[string]string{"after=-1": "after", "after=x": "after", "limit=1000": "limit"} {
		b.Refused(b.Do("GET", "/api/issue/"+b.open()+"/timeline?"+query, nil), 400, says)
	}
}

func TestListFiltersAndPages(t *testing.T) {
	b := setup(t)
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	b.back.Now = func() time.Time { return at }
	var numbers []string
	for i := range 5 {
		at = at.Add(time.Hour)
		var number string
		b.Result(b.Do("POST", "/api/issue", map[string]any{
			"origin": fmt.Sprintf("系统%d", i%2), "title": fmt.Sprintf("题 %d", i), "tag": []string{fmt.Sprintf("t%d", i)}, "assignee": "a" + fmt.Sprint(i),
			"relations": []any{map[string]any{"type": "manifest", "content": []string{fmt.Sprintf("a:%d", i)}}},
		}), &number)
		numbers = append(numbers, number)
	}
	b.Result(b.handle(numbers[1], "accept", nil), nil)
	b.Result(b.Do("PUT", "/api/issue/"+numbers[2]+"/status", `{"status":"CLOSED","operator":"x"}`), nil)

	for query, want := range map[string][]int{
		"":                                   {4, 3, 2, 1, 0},
		"status=OPEN":                        {4, 3, 1, 0},
		"status=CLOSED":                      {2},
		"phase=acknowledged":                 {1},
		"phase=completed&phase=acknowledged": {2, 1},
		"origin=" + url.QueryEscape("系统1"):   {3, 1},
		"tag=t3":                             {3},
		"service=incident&limit=200":         {4, 3, 2, 1, 0},
		"service=other":                      {},
		"assignee=zhang.san":                 {1},
		"waiting_for=a4":                     {4},
		"relation=manifest:a:3":              {3},
		"related=a:3":                        {3},
		"opener=nobody":                      {},
		"follower=nobody":                    {},
		"overdue=true":                       {},
		"unassigned=true":                    {},
		"sort=updated":                       {0, 3, 1, 2, 4},
		"sort=-updated":                      {4, 2, 1, 3, 0},
		"stuck=any":                          {},
		"stuck=failed&stuck=nobody":          {},
		"sort=stuck":                         {},
		"sort=due":                           {4, 3, 2, 1, 0},
		"ended_after=2026-03-01T00:00:00Z":   {2},
		"ended_before=2026-03-01T00:00:00Z":  {},
		"created_after=2026-03-01T03:00:00Z": {4, 3},
		"created_before=2026-03-01T10:00:00%2B08:00":                                   {0},
		"created_after=2026-03-01T01:00:00Z&created_before=2026-03-01T03:00:00.5Z&q=题": {2, 1},
	} {
		var page struct{ Items []struct{ ID string } }
		b.Result(b.Do("GET", "/api/issue?"+query, nil), &page)
		got := []string{}
		for _, item := range page.Items {
			got = append(got, item.ID)
		}
		wanted := []string{}
		for _, i := range want {
			wanted = append(wanted, numbers[i])
		}
		require.Equal(t, wanted, got, query)
	}

	var counted struct {
		Items []any
		Total struct {
			Count int
			More  bool
		}
	}
	b.Result(b.Do("GET", "/api/issue?limit=1&total=true&status=OPEN", nil), &counted)
	require.Len(t, counted.Items, 1)
	require.Equal(t, 4, counted.Total.Count)
	require.False(t, counted.Total.More)

	var seen []string
	for cursor, more := "", true; more; more = cursor != "" {
		var page struct {
			Items []struct{ ID string }
			Next  string `json:"next_cursor"`
		}
		b.Result(b.Do("GET", "/api/issue?limit=2&cursor="+cursor, nil), &page)
		for _, item := range page.Items {
			seen = append([]string{item.ID}, seen...)
		}
		cursor = page.Next
	}
	require.Equal(t, numbers, seen)

	var events struct {
		Items []struct{ Seq int }
		Next  string `json:"next_cursor"`
	}
	b.Result(b.Do("GET", "/api/issue/"+numbers[1]+"/timeline?limit=1", nil), &events)
	require.Equal(t, "1", events.Next)
	var last struct {
		Items []struct{ Seq int }
		Next  string `json:"next_cursor"`
	}
	b.Result(b.Do("GET", "/api/issue/"+numbers[1]+"/timeline?limit=1&after="+events.Next, nil), &last)
	require.Equal(t, 2, last.Items[0].Seq)
	require.Empty(t, last.Next)
}

// calls is every call of the family, against an issue.
func calls(number string) map[string][]string {
	one := "/api/issue/" + number
	return map[string][]string{
		"list": {"GET", "/api/issue"}, "read": {"GET", one}, "timeline": {"GET", one + "/timeline"}, "relation": {"GET", one + "/relations/manifest"},
		"messages": {"GET", one + "/conversation"}, "message": {"GET", one + "/conversation/x"}, "addresses": {"GET", one + "/notification"},
		"deliveries": {"GET", one + "/notification/x/deliveries"},
		"open":       {"POST", "/api/issue", `{"origin":"a","title":"b"}`}, "status": {"PUT", one + "/status", `{"status":"CLOSED","operator":"a"}`},
		"handle": {"POST", one + "/handle", `{"action":"accept","operator":"a"}`}, "relate": {"PUT", one + "/relations/manifest", `{"content":[]}`},
		"say": {"POST", one + "/conversation", `{"author":"a","content":"b"}`}, "revise": {"PUT", one + "/conversation/x", `{"author":"a","content":"b"}`},
		"register": {"POST", one + "/notification", `{"url":"http://a"}`}, "unregister": {"DELETE", one + "/notification/x"},
		"redeliver": {"POST", one + "/notification/x/deliveries/y/redeliver"}, "delivery": {"GET", one + "/notification/x/deliveries/y"},
		"redeliver many": {"POST", one + "/notification/x/redeliver", `{"state":"failed"}`}, "redelivery": {"GET", one + "/notification/x/redeliver/y"},
	}
}

func (b bench) call(c []string, headers ...string) apitest.Answer {
	b.T.Helper()
	if len(c) == 2 {
		return b.Do(c[0], c[1], nil, headers...)
	}
	return b.Do(c[0], c[1], c[2], headers...)
}

func TestWhoMayCall(t *testing.T) {
	b := setup(t)
	number := b.open()
	before := b.read(number)
	for name, c := range calls(number) {
		t.Run(name, func(t *testing.T) {
			b := bench{t, b.On(t), b.back}
			for _, secret := range []string{"", "nonsense", apitest.Gone} {
				answer := bench{t, b.As(secret), b.back}.call(c)
				b.Refused(answer, 401, "credential")
				require.NotEmpty(t, answer.Header.Get("WWW-Authenticate"))
			}
			b.Refused(b.call(c, "Authorization", "Basic "+apitest.Writer), 401, "credential")
			if c[0] != http.MethodGet {
				b.Refused(bench{t, b.As(apitest.Reader), b.back}.call(c), 403, "scope write")
			}
			if c[1] != "/api/issue" {
				b.Refused(bench{t, b.As(apitest.Stranger), b.back}.call(c), 404, "no such")
			}
		})
	}
	require.Equal(t, before, b.read(number), "a refused call touches nothing")
	for _, header := range [][]string{
		{"Authorization", "Bearer " + apitest.Reader}, {"Authorization", "access_key  " + apitest.Reader + " "}, {"Authorization", "", "X-Auth-Token", apitest.Reader},
	} {
		require.Equal(t, 200, b.Do("GET", "/api/issue/"+number, nil, header...).Status, header)
	}
	var page struct{ Items []any }
	stranger := bench{t, b.As(apitest.Stranger), b.back}
	stranger.Result(stranger.Do("GET", "/api/issue", nil), &page)
	require.Empty(t, page.Items)
}

func TestNothingBehindAnswers(t *testing.T) {
	b := setup(t)
	number := b.open()
	for name, c := range calls(number) {
		t.Run(name, func(t *testing.T) {
			b := bench{t, b.On(t), b.back}
			b.back.Err = fmt.Errorf("read: %w", errUnavailable)
			answer := b.call(c)
			b.Refused(answer, 503, "later")
			require.NotEmpty(t, answer.Header.Get("Retry-After"))
			require.NotContains(t, string(answer.Body), "read:")
			b.back.Err = errors.New("password=hunter2")
			answer = b.call(c)
			b.Refused(answer, 500, "internal error")
			require.NotContains(t, string(answer.Body), "hunter2")
		})
	}
	b.back.Err = nil
	require.Equal(t, "triggered", b.read(number)["phase"])
}

func TestWrongPathsAndMethods(t *testing.T) {
	b := setup(t)
	number := b.open()
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"DELETE", "/api/issue", 405}, {"POST", "/api/issue/" + number, 405}, {"PATCH", "/api/issue/" + number, 405}, {"GET", "/api/issue/" + number + "/handle", 405},
		{"BREW", "/api/issue", 405}, {"GET", "/api/issue/" + number + "/nothing", 404}, {"GET", "/api/nothing", 404}, {"GET", "/", 404},
		{"GET", "/api/issue/nothing", 404}, {"GET", "/api/issue/%2e%2e", 404}, {"GET", "/api/issue/a%2Fb", 404}, {"GET", "/api/issue/%ff", 404},
		{"GET", "/api/issue/" + strings.Repeat("a", 300), 404}, {"GET", "/API/issue", 404},
	} {
		answer := b.Do(c.method, c.path, nil)
		b.Refused(answer, c.status, "")
		require.True(t, json.Valid(answer.Body), string(answer.Body))
	}
	require.Equal(t, 200, b.Do("GET", "/api/issue/"+number+"/", nil).Status, "a last slash does not matter")
	head := b.Do("HEAD", "/api/issue/"+number, nil)
	require.Equal(t, 200, head.Status)
	require.Empty(t, head.Body)
	options := b.Do("OPTIONS", "/api/issue/"+number, nil)
	require.Equal(t, 204, options.Status)
	require.Equal(t, "GET, HEAD", options.Header.Get("Allow"))
	require.Empty(t, b.Do("GET", "/api/issue", nil).Header.Get("Server"))
}
