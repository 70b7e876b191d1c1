package issue_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/api"
	"signalbox/api/apitest"
	"signalbox/api/issue"
	"signalbox/notice"
)

// bench is a server with the issue family alone, over the true desk and store.
type bench struct {
	*testing.T
	apitest.Client
	back *apitest.Backend
}

func setup(t *testing.T) bench {
	t.Helper()
	back := apitest.NewBackend(t, nil)
	handler := issue.Handler{Desk: back, Tickets: back, Services: back, Addresses: back}
	server := api.New(api.Config{}, apitest.NewApps(), nil, slog.New(slog.NewTextHandler(io.Discard, nil)), handler.Family())
	return bench{t, apitest.Client{T: t, App: server.App(), Contract: apitest.LoadContract(t, "issue"), Secret: apitest.Writer}, back}
}

func (b bench) sample(name string) []byte {
	b.T.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(b.T, err)
	return raw
}

// open opens the issue of seed 000 and gives its number.
func (b bench) open() string {
	b.T.Helper()
	var number string
	b.Result(b.Do("POST", "/api/issue", b.sample("open.json")), &number)
	return number
}

func (b bench) read(number string) map[string]any {
	b.T.Helper()
	var v map[string]any
	b.Do("GET", "/api/issue/"+number, nil).Into(http.StatusOK, &v)
	return v
}

func (b bench) handle(number, action string, parameter any) apitest.Answer {
	b.T.Helper()
	return b.Do("POST", "/api/issue/"+number+"/handle", map[string]any{"action": action, "operator": "zhang.san", "parameter": parameter})
}

var (
	solution = map[string]any{"mtm_type": "inc_type_p_config_issues", "is_service_interrupt": true, "cause": "配置错误", "solution": "已更正"}
	verdict  = map[string]any{"virtual_confirm_result": true, "virtual_confirm_comment": "已验证"}
)

func TestOpenedAsTheSeedShows(t *testing.T) {
	b := setup(t)
	at := time.Now()
	b.back.Now = func() time.Time { return at } // both are opened in one second
	number := b.open()
	require.Regexp(t, `^IM\d{24}$`, number)
	require.Equal(t, `{"success":true,"message":"","result":"`+number[:16]+`0000000002"}`, string(b.Do("POST", "/api/issue", b.sample("open.json")).Body))

	// The issue itself begins with exactly what was asked for, byte for byte.
	var asked bytes.Buffer
	require.NoError(t, json.Compact(&asked, b.sample("open.json")))
	got := b.Do("GET", "/api/issue/"+number, nil).Body
	require.True(t, bytes.HasPrefix(got, bytes.TrimSuffix(asked.Bytes(), []byte("}"))), "%s", got)
	require.Contains(t, string(got), `,"id":"`+number+`","uuid":"`)

	v := b.read(number)
	require.Equal(t, "OPEN", v["status"])
	require.Equal(t, "triggered", v["phase"])
	require.Equal(t, "incident", v["service"])
	require.Equal(t, v, b.read(v["uuid"].(string)))
	require.Equal(t, v, b.read(strings.ToUpper(v["uuid"].(string))))
	for _, at := range []string{"created_at", "updated_at"} {
		parsed, err := time.Parse(time.RFC3339, v[at].(string))
		require.NoError(t, err)
		require.Equal(t, time.UTC, parsed.Location())
	}
}

func TestOpenedWithWhatIsNeededAlone(t *testing.T) {
	b := setup(t)
	var number string
	b.Result(b.Do("POST", "/api/issue", `{"origin":"a","title":"<b> & c","tag":null,"relations":null,"unknown":1}`, "Content-Type", ""), &number)
	require.Contains(t, string(b.Do("GET", "/api/issue/"+number, nil).Body), `{"origin":"a","title":"<b> & c","description":"","tag":[],"relations":[],"id"`)
}

func TestRelations(t *testing.T) {
	b := setup(t)
	path := "/api/issue/" + b.open() + "/relations/"
	compact := func(name string) string {
		var buf bytes.Buffer
		require.NoError(t, json.Compact(&buf, b.sample(name)))
		return buf.String()
	}
	require.Equal(t, compact("relation.json"), string(b.Do("GET", path+"manifest", nil).Body))

	answer := b.Do("PUT", path+"manifest", b.sample("relation-replaced.json"))
	require.Equal(t, `{"success":true,"message":""}`, string(answer.Body))
	require.Equal(t, compact("relation-replaced.json"), string(b.Do("GET", path+"manifest", nil).Body))

	b.Result(b.Do("PUT", path+"new.type", `{"content":["x","y","x"]}`), nil)
	require.Equal(t, `{"type":"new.type","content":["x","y"]}`, string(b.Do("GET", path+"new%2Etype", nil).Body))
	b.Result(b.Do("PUT", path+"manifest", `{"content":[]}`), nil)
	require.Equal(t, `{"type":"manifest","content":[]}`, string(b.Do("GET", path+"manifest", nil).Body))

	b.Refused(b.Do("GET", path+"nothing", nil), 404, "type")
	b.Refused(b.Do("PUT", path+"manifest", `{"type":"other","content":[]}`), 400, "type: must agree with the path")
	b.Refused(b.Do("PUT", path+"manifest", `{"type":"manifest"}`), 400, "content: is required")
	b.Refused(b.Do("PUT", path+"manifest", `{"content":["a",""]}`), 400, "content[1]")
	b.Refused(b.Do("PUT", path+"manifest", `{"content":["a",7]}`), 400, "content[1]: must be a string")
	b.Refused(b.Do("PUT", path+"ma%20nifest", `{"content":[]}`), 400, "type")
	b.Refused(b.Do("GET", path+"%ff", nil), 400, "type")
	b.Refused(b.Do("GET", path+strings.Repeat("a", 65), nil), 400, "type")
}

func TestHandledToItsEnd(t *testing.T) {
	b := setup(t)
	number := b.open()
	b.Refused(b.handle(number, "commit-solution", solution), 409, "commit-solution")
	b.Result(b.handle(number, "accept", nil), nil)
	v := b.read(number)
	require.Equal(t, []any{"acknowledged", "zhang.san", "OPEN"}, []any{v["phase"], v["assignee"], v["status"]})
	b.Refused(b.handle(number, "accept", nil), 409, "already done")

	b.Result(b.handle(number, "commit-solution", solution), nil)
	require.Equal(t, "resolved", b.read(number)["phase"])
	b.Result(b.handle(number, "confirm", map[string]any{"virtual_confirm_result": "false", "virtual_confirm_comment": "不行"}), nil)
	require.Equal(t, "acknowledged", b.read(number)["phase"])
	b.Result(b.handle(number, "suspend", map[string]any{"reason": "等待"}), nil)
	require.Equal(t, "suspended", b.read(number)["phase"])
	b.Refused(b.handle(number, "commit-solution", solution), 409, "suspended")
	b.Result(b.handle(number, "unsuspend", map[string]any{}), nil)
	b.Result(b.handle(number, "commit-solution", solution), nil)
	b.Result(b.handle(number, "confirm", verdict), nil)
	v = b.read(number)
	require.Equal(t, []any{"completed", "CLOSED", []any{}}, []any{v["phase"], v["status"], v["current_nodes"]})

	var page struct {
		Items []struct {
			Seq           int
			Type, Actor   string
			Channel       string `json:"door"`
			Note          string
			Before, After map[string]any
		}
	}
	b.Result(b.Do("GET", "/api/issue/"+number+"/timeline", nil), &page)
	var types []string
	for i, e := range page.Items {
		require.Equal(t, i+1, e.Seq)
		require.Equal(t, "issue", e.Channel)
		types = append(types, e.Type)
	}
	require.Equal(t, []string{"opened", "accepted", "solved", "returned", "suspended", "resumed", "solved", "confirmed"}, types)
	require.Equal(t, "等待", page.Items[4].Note)
	require.Equal(t, "writer", page.Items[0].Actor)
	require.Equal(t, "zhang.san", page.Items[1].Actor)
}

func TestHandleWhenWrong(t *testing.T) {
	b := setup(t)
	path := "/api/issue/" + b.open() + "/handle"
	for name, c := range map[string]struct {
		body   string
		status int
		says   string
	}{
		"nothing":               {`{}`, 400, "action: is required"},
		"no operator":           {`{"action":"accept"}`, 400, "operator"},
		"operator of blanks":    {`{"action":"accept","operator":"  "}`, 400, "operator"},
		"unknown action":        {`{"action":"fly","operator":"a"}`, 400, "action: is none of accept"},
		"action of another":     {`{"action":"close","operator":"a"}`, 400, "action"},
		"action of other type":  {`{"action":1,"operator":"a"}`, 400, "action: must be a string"},
		"control character":     {`{"action":"accept","operator":"a\u0007"}`, 400, "operator"},
		"parameter no object":   {`{"action":"accept","operator":"a","parameter":[]}`, 400, "parameter: must be an object"},
		"solution missing":      {`{"action":"commit-solution","operator":"a"}`, 400, "is_service_interrupt: is required"},
		"solution null":         {`{"action":"commit-solution","operator":"a","parameter":null}`, 400, "cause"},
		"unknown mtm_type":      {`{"action":"commit-solution","operator":"a","parameter":{"mtm_type":"inc_type_nonsense","is_service_interrupt":true,"cause":"c","solution":"s"}}`, 400, "mtm_type"},
		"interrupt no boolean":  {`{"action":"commit-solution","operator":"a","parameter":{"mtm_type":"inc_type_p_config_issues","is_service_interrupt":"yes","cause":"c","solution":"s"}}`, 400, "is_service_interrupt: must be true or false"},
		"cause of other type":   {`{"action":"commit-solution","operator":"a","parameter":{"cause":{}}}`, 400, "cause: must be a string"},
		"verdict missing":       {`{"action":"confirm","operator":"a","parameter":{"virtual_confirm_comment":"c"}}`, 400, "virtual_confirm_result"},
		"verdict without words": {`{"action":"confirm","operator":"a","parameter":{"virtual_confirm_result":true}}`, 400, "virtual_confirm_comment"},
		"long reason":           {`{"action":"suspend","operator":"a","parameter":{"reason":"` + strings.Repeat("长", 1001) + `"}}`, 400, "reason"},
		"elsewhere":             {`{"action":"accept","operator":"a","node":"confirm"}`, 409, "node"},
		"no issue":              {`{"action":"accept","operator":"a"}`, 404, "no such"},
	} {
		t.Run(name, func(t *testing.T) {
			b := bench{t, b.On(t), b.back}
			at := path
			if name == "no issue" {
				at = "/api/issue/IM000000000000000000000000/handle"
			}
			b.Refused(b.Do("POST", at, c.body), c.status, c.says)
		})
	}
}

func TestStatus(t *testing.T) {
	b := setup(t)
	number := b.open()
	path := "/api/issue/" + number + "/status"
	require.Equal(t, `{"success":true,"message":""}`, string(b.Do("PUT", path, `{"status":"CLOSED","operator":"a","reason":"放行"}`).Body))
	require.Equal(t, "CLOSED", b.read(number)["status"])
	b.Result(b.Do("PUT", path, `{"status":"CLOSED","operator":"a"}`), nil)
	b.Result(b.Do("PUT", path, `{"status":"OPEN","operator":"a"}`), nil)
	require.Equal(t, "triggered", b.read(number)["phase"])
	b.Refused(b.Do("PUT", path, `{"status":"closed","operator":"a"}`), 400, "status")
	b.Refused(b.Do("PUT", path, `{"operator":"a"}`), 400, "status: is required")
	b.Refused(b.Do("PUT", path, `{"status":"OPEN"}`), 400, "operator")
	b.Result(b.handle(number, "terminate", nil), nil)
	b.Refused(b.Do("PUT", path, `{"status":"OPEN","operator":"a"}`), 409, "cannot be reopened")
}

func TestConversation(t *testing.T) {
	b := setup(t)
	path := "/api/issue/" + b.open() + "/conversation"
	var none struct{ Items []any }
	b.Result(b.Do("GET", path, nil), &none)
	require.NotNil(t, none.Items)

	var made, edited struct{ ID string }
	b.Result(b.Do("POST", path, `{"author":"li.si","content":"第一"}`), &made)
	b.Result(b.Do("PUT", path+"/"+made.ID, `{"author":"li.si","content":"改了"}`), &edited)
	require.Equal(t, made, edited)
	var m struct {
		ID, Author, Content  string
		CreatedAt, UpdatedAt time.Time
	}
	b.Result(b.Do("GET", path+"/"+made.ID, nil), &m)
	require.Equal(t, []string{made.ID, "li.si", "改了"}, []string{m.ID, m.Author, m.Content})
	var page struct {
		Items []struct {
			Actor         string
			Before, After struct{ Message struct{ Content string } }
		}
	}
	b.Result(b.Do("GET", strings.TrimSuffix(path, "conversation")+"timeline?after=2", nil), &page)
	require.Equal(t, "li.si", page.Items[0].Actor)
	require.Equal(t, "第一", page.Items[0].Before.Message.Content)
	require.Equal(t, "改了", page.Items[0].After.Message.Content)

	for i := range 204 {
		b.Result(b.Do("POST", path, fmt.Sprintf(`{"author":"li.si","content":"%d"}`, i)), &edited)
	}
	var said struct {
		Items []struct{ Content string }
		Next  string `json:"next_cursor"`
	}
	var heard []string
	for after, sizes := "0", []int{200, 5}; after != ""; after, sizes = said.Next, sizes[1:] {
		said.Items, said.Next = nil, ""
		b.Result(b.Do("GET", path+"?after="+after, nil), &said)
		require.Len(t, said.Items, sizes[0])
		for _, m := range said.Items {
			heard = append(heard, m.Content)
		}
	}
	require.Equal(t, []string{"改了", "0", "203"}, []string{heard[0], heard[1], heard[204]}, "each once, oldest first")
	b.Result(b.Do("GET", path+"?limit=2&after=3", nil), &said)
	require.Equal(t, []string{"2", "3", "5"}, []string{said.Items[0].Content, said.Items[1].Content, said.Next})
	for _, wrong := range []string{"limit=0", "limit=201", "limit=x", "after=-1", "after=1001"} {
		b.Refused(b.Do("GET", path+"?"+wrong, nil), 400, wrong[:5])
	}
	b.Refused(b.Do("GET", path+"/nothing", nil), 404, "message")
	b.Refused(b.Do("PUT", path+"/nothing", `{"author":"a","content":"b"}`), 404, "message")
	b.Refused(b.Do("POST", path, `{"content":"b"}`), 400, "author")
	b.Refused(b.Do("POST", path, `{"author":"a","content":""}`), 400, "content")
	answer := b.Do("POST", path, fmt.Sprintf(`{"author":%q,"content":"b"}`, strings.Repeat("名", 256)))
	b.Refused(answer, 400, "author")
	require.NotContains(t, string(answer.Body), "operator", "nobody named an operator")
	b.Result(b.Do("POST", path, fmt.Sprintf(`{"author":"a","content":%q}`, strings.Repeat("字", 10_000))), nil)
	b.Refused(b.Do("POST", path, fmt.Sprintf(`{"author":"a","content":%q}`, strings.Repeat("字", 10_001))), 400, "content")
}

// What went wrong with deliveries is part of the timeline, and pages go on from it exactly.
func TestTheTimelineTellsOfDeliveries(t *testing.T) {
	b := setup(t)
	number := b.open()
	var to struct{ ID string }
	b.Result(b.Do("POST", "/api/issue/"+number+"/notification", `{"url":"https://example.com/hook"}`), &to)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600))
	try := notice.Attempt{StartedAt: at, FinishedAt: at, Class: notice.ErrorTimeout, Error: "no answer"}
	owed := b.owe(number, to.ID)
	b.back.TriedAs(notice.Result{Work: owed, Then: notice.Failed, BreakerOpened: true}, try)
	waits := b.owe(number, to.ID)
	b.Result(b.Do("POST", "/api/issue/"+number+"/notification/"+to.ID+"/deliveries/"+waits.Delivery.ID+"/cancel", nil), nil)
	last := b.owe(number, to.ID)
	b.Result(b.Do("POST", "/api/issue/"+number+"/handle", `{"action":"accept","operator":"li"}`), nil)
	b.back.TriedAs(notice.Result{Work: last, Then: notice.Failed, Drop: "ten minutes of failures"}, try)
	rows, err := b.back.Known(t.Context(), []string{number})
	require.NoError(t, err)
	require.NoError(t, b.back.Doubt(t.Context(), rows[number].Identity, "its workflow is missing"))

	var all struct{ Items []json.RawMessage }
	b.Result(b.Do("GET", "/api/issue/"+number+"/timeline", nil), &all)
	require.Len(t, all.Items, 11, "opened, related, two alerts, related, one that was cancelled, related, accepted, two alerts, one of the ticket")
	var alert struct{ ID string }
	require.NoError(t, json.Unmarshal(all.Items[2], &alert))
	require.JSONEq(t, `{"id":"`+alert.ID+`","at":"2026-01-02T02:04:05Z","type":"delivery_failed","actor":"signalbox","door":"system",
		"before":{},"after":{},"note":"no answer","subscription":"`+to.ID+`","delivery":"`+owed.Delivery.ID+`","host":"example.com"}`, string(all.Items[2]))
	kinds := []string{}
	for _, item := range all.Items {
		var e struct{ Type string }
		require.NoError(t, json.Unmarshal(item, &e))
		kinds = append(kinds, e.Type)
	}
	for _, kind := range notice.AlertKinds {
		require.Contains(t, kinds, string(kind))
	}
	for limit := 1; limit <= 11; limit++ {
		var got []string
		for cursor, more := "0", true; more; more = cursor != "" {
			var page struct {
				Items []json.RawMessage
				Next  string `json:"next_cursor"`
			}
			b.Result(b.Do("GET", fmt.Sprintf("/api/issue/%s/timeline?limit=%d&after=%s", number, limit, cursor), nil), &page)
			for _, item := range page.Items {
				got = append(got, string(item))
			}
			cursor = page.Next
		}
		require.Len(t, got, 11)
		for i, item := range all.Items {
			require.JSONEq(t, string(item), got[i], "%d at a time", limit)
		}
	}
	for _, after := range []string{"1.", ".1", "1.x", "1.2.3", "01", "1.0", "99999999999999999999", "-1.1"} {
		b.Refused(b.Do("GET", "/api/issue/"+number+"/timeline?after="+after, nil), 400, "after")
	}
}
