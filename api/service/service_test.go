package service_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/api"
	"signalbox/api/apitest"
	"signalbox/api/issue"
	"signalbox/api/service"
	"signalbox/flow"
	"signalbox/notice"
	"signalbox/people"
	"signalbox/ticket"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// bench is a server with the services and the issue family over the true desk and store.
type bench struct {
	*testing.T
	apitest.Client
	back *apitest.Backend
}

func setup(t *testing.T) bench {
	t.Helper()
	back := apitest.NewBackend(t, nil)
	services := service.Handler{Desk: back, Services: back, Now: func() time.Time { return start }}
	issues := issue.Handler{Desk: back, Tickets: back, Services: back, Addresses: back}
	server := api.New(api.Config{}, apitest.NewApps(), nil, slog.New(slog.NewTextHandler(io.Discard, nil)), issues.Family(), services.Family())
	return bench{t, apitest.Client{T: t, App: server.App(), Contract: apitest.LoadContract(t, "service", "issue"), Secret: apitest.Boss}, back}
}

func (b bench) as(secret string) bench { return bench{b.T, b.As(secret), b.back} }

// yaml sends a document in YAML.
func (b bench) yaml(method, path, source string, headers ...string) apitest.Answer {
	b.T.Helper()
	return b.Do(method, path, source, append([]string{"Content-Type", "application/yaml"}, headers...)...)
}

type published struct {
	Key     string
	Number  int64
	Version int
	Nodes   []struct {
		ID     string
		Number int64
	}
}

const leave = `
key: leave
name: 请假 😀
fields:
  - {key: days, name: 天数, type: INT, required: true}
nodes:
  - id: lead
    name: 组长
    type: approval
    processors: {persons: [wang], caller: true}
    deadline: [{after: 1h, do: remind}]
    next: book
  - {id: book, name: 登记, type: call, call: {url: 'https://hr.example.com/leave', body: {days: '${fields.days}'}}, next: over}
  - {id: over, name: 结束, type: end}
`

func TestEveryCallIsInTheDocumentAndTheOtherWayRound(t *testing.T) {
	handler := service.Handler{}
	require.Equal(t, apitest.LoadContract(t, "service").Routes(), apitest.Mounted(handler.Family()))
}

func TestPublishedVersionByVersion(t *testing.T) {
	b := setup(t)
	var first, again, second published
	b.Result(b.yaml("POST", "/api/service", leave), &first)
	require.Equal(t, "leave", first.Key)
	require.Equal(t, 1, first.Version)
	require.GreaterOrEqual(t, first.Number, int64(flow.FirstNumber))
	require.Len(t, first.Nodes, 3)
	b.Result(b.yaml("POST", "/api/service", leave), &again)
	require.Equal(t, first, again)
	b.Result(b.yaml("POST", "/api/service", strings.Replace(leave, "after: 1h", "after: 2h", 1)), &second)
	require.Equal(t, 2, second.Version)
	require.Equal(t, first.Nodes, second.Nodes)
	require.Equal(t, first.Number, second.Number)

	var latest, old flow.Definition
	b.Do("GET", "/api/service/leave", nil).Into(200, &latest)
	b.Do("GET", "/api/service/leave/versions/1", nil).Into(200, &old)
	require.Equal(t, "2h", latest.Nodes[0].Deadline[0].After)
	require.Equal(t, "1h", old.Nodes[0].Deadline[0].After)
	require.Equal(t, first.Nodes[0].Number, latest.Nodes[0].Number)

	var versions struct {
		Items []struct {
			Version     int
			PublishedBy string    `json:"published_by"`
			PublishedAt time.Time `json:"published_at"`
		}
	}
	b.Result(b.Do("GET", "/api/service/leave/versions", nil), &versions)
	require.Len(t, versions.Items, 2)
	require.Equal(t, 2, versions.Items[0].Version)
	require.Equal(t, "boss", versions.Items[0].PublishedBy)

	var list struct {
		Items []struct {
			Key, Name   string
			ServiceType string `json:"service_type"`
			Version     int
			BuiltIn     bool `json:"built_in"`
			Enabled     bool
		}
	}
	b.Result(b.As(apitest.Reader).Do("GET", "/api/service", nil), &list)
	require.Len(t, list.Items, 3)
	require.True(t, list.Items[0].BuiltIn && list.Items[0].Key == "incident")
	mine := list.Items[2]
	require.Equal(t, []any{"leave", "请假 😀", "request", 2, false, true}, []any{mine.Key, mine.Name, mine.ServiceType, mine.Version, mine.BuiltIn, mine.Enabled})
	b.Result(b.As(apitest.Stranger).Do("GET", "/api/service", nil), &list)
	require.Len(t, list.Items, 2, "another tenant's services are not there")
	b.Refused(b.As(apitest.Stranger).Do("GET", "/api/service/leave", nil), 404, "no such service")
}

func TestADefinitionThatIsShownCanBePublishedAgain(t *testing.T) {
	b := setup(t)
	names, err := filepath.Glob("../../examples/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, names)
	sources := []string{leave}
	for _, name := range names {
		source, err := os.ReadFile(name)
		require.NoError(t, err)
		sources = append(sources, string(source))
	}
	for _, source := range sources {
		var first, again published
		b.Result(b.yaml("POST", "/api/service", source), &first)
		path := "/api/service/" + first.Key
		shown := b.Do("GET", path, nil, "Accept", "application/yaml")
		require.Equal(t, 200, shown.Status)
		require.Equal(t, "application/yaml; charset=utf-8", shown.Header.Get("Content-Type"))
		require.Equal(t, source, string(shown.Body), "as it was written")
		b.Result(b.yaml("POST", "/api/service", string(shown.Body)), &again)
		require.Equal(t, first, again, "%s", shown.Body)
		b.Result(b.Do("POST", "/api/service", b.Do("GET", path, nil).Body), &again)
		require.Equal(t, first, again)
		require.Equal(t, source, string(b.Do("GET", path+"/versions/1", nil, "Accept", "application/yaml").Body), "JSON takes no text away")

		picture := b.Do("GET", path+"/diagram.svg", nil)
		require.Equal(t, 200, picture.Status)
		require.Equal(t, "image/svg+xml; charset=utf-8", picture.Header.Get("Content-Type"))
		require.Contains(t, picture.Header.Get("Content-Security-Policy"), "default-src 'none'")
		require.Contains(t, string(picture.Body), "<svg")
		require.Equal(t, picture.Body, b.Do("GET", path+"/versions/1/diagram.svg", nil).Body)
		graph := b.Do("GET", path+"/diagram.dot", nil)
		require.Equal(t, 200, graph.Status)
		require.Equal(t, "text/vnd.graphviz; charset=utf-8", graph.Header.Get("Content-Type"))
		require.True(t, strings.HasPrefix(string(graph.Body), `digraph "`+first.Key+`" {`), "%s", graph.Body)
		require.Equal(t, graph.Body, b.Do("GET", path+"/versions/1/diagram.dot", nil).Body)
	}
}

// What was published as JSON is drawn where somebody asks for YAML.
func TestADefinitionInJSONIsDrawn(t *testing.T) {
	b := setup(t)
	b.Result(b.Do("POST", "/api/service", `{"name":"N","nodes":[{"id":"a","name":"A","type":"end"}],"key":"drawn"}`), nil)
	shown := b.Do("GET", "/api/service/drawn", nil, "Accept", "application/yaml")
	require.True(t, strings.HasPrefix(string(shown.Body), "key: drawn\n"), "%s", shown.Body)
	var again published
	b.Result(b.yaml("POST", "/api/service", string(shown.Body)), &again)
	require.Equal(t, 1, again.Version)
	require.Equal(t, string(shown.Body), string(b.Do("GET", "/api/service/drawn", nil, "Accept", "application/yaml").Body))
}

func TestJSONThatYAMLReadsDifferently(t *testing.T) {
	b := setup(t)
	for i, text := range []string{`\ud83d\uDE00`, `\/`, `\\/`, `\\ud83d\\ude00`, `\\\ud83d\ude00`, "\u2028.\u2029.\u0085", `\u2028`, `\b\f\n\r\t\"`} {
		var want string
		require.NoError(t, json.Unmarshal([]byte(`"`+text+`"`), &want))
		path := fmt.Sprintf("/api/service/text%d", i)
		b.Result(b.Do("POST", "/api/service", fmt.Sprintf(`{"key":"text%d","name":"N","description":"a%s.","nodes":[{"id":"a","name":"A","type":"end"}]}`, i, text)), nil)
		var def flow.Definition
		b.Do("GET", path, nil).Into(200, &def)
		require.Equal(t, "a"+want+".", def.Description, text)
		var again published
		b.Result(b.yaml("POST", "/api/service", string(b.Do("GET", path, nil, "Accept", "application/yaml").Body)), &again)
		require.Equal(t, 1, again.Version, text)
	}
}

func TestFaultsAreNamedWithTheirPlaces(t *testing.T) {
	b := setup(t)
	source, err := os.ReadFile("testdata/faulty.yaml")
	require.NoError(t, err)
	answer := b.yaml("POST", "/api/service", string(source))
	require.Equal(t, 400, answer.Status)
	var indented strings.Builder
	encoder := json.NewEncoder(&indented)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	require.NoError(t, encoder.Encode(json.RawMessage(answer.Body)))
	if os.Getenv("SIGNALBOX_WRITE") != "" {
		require.NoError(t, os.WriteFile("testdata/faulty.json", []byte(indented.String()), 0o644))
	}
	want, err := os.ReadFile("testdata/faulty.json")
	require.NoError(t, err)
	require.Equal(t, string(want), indented.String(), "make golden writes it anew")
	b.Refused(b.Do("GET", "/api/service/leave", nil), 404, "no such service")

	var checked struct {
		Valid  bool
		Faults flow.Faults
	}
	b.Result(b.as(apitest.Reader).yaml("POST", "/api/service/check", string(source)), &checked)
	require.False(t, checked.Valid)
	var refused struct{ Result struct{ Faults flow.Faults } }
	require.NoError(t, json.Unmarshal(answer.Body, &refused))
	require.Equal(t, refused.Result.Faults, checked.Faults)
	b.Result(b.yaml("POST", "/api/service/check", leave), &checked)
	require.True(t, checked.Valid)
	b.Refused(b.Do("GET", "/api/service/leave", nil), 404, "no such service")
}

// A definition names groups of its tenant's own directory; a simulation has groups of its own.
func TestGroupsThatAreNotThereAreFaults(t *testing.T) {
	b := setup(t)
	source := `
key: asks
name: Asks
nodes:
- {id: a, name: A, type: approval, processors: {groups: [finance, legal]}, add: {groups: [legal]}, deadline: [{after: 1h, do: escalate, to: {groups: [legal]}}], next: b}
- {id: b, name: B, type: task, distribute: assign, processors: {groups: [finance]}, assigners: {groups: [legal]}, deliver: {groups: [legal]}, next: e}
- {id: e, name: E, type: end}
`
	_, err := b.back.ChangeGroup(t.Context(), "north", "boss", people.Key{ID: "finance"}, people.Membership{All: true}, func(g people.GroupRecord, _ bool) (people.GroupRecord, error) {
		g.ID = "finance"
		return g, nil
	})
	require.NoError(t, err)
	var refused struct{ Result struct{ Faults flow.Faults } }
	b.yaml("POST", "/api/service", source).Into(400, &refused)
	var said []string
	for _, f := range refused.Result.Faults {
		require.Equal(t, `there is no group "legal"`, f.Message)
		require.NotZero(t, f.Line)
		said = append(said, f.Path)
	}
	require.ElementsMatch(t, []string{"nodes[0].processors.groups[1]", "nodes[0].add.groups[0]", "nodes[0].deadline[0].to.groups[0]", "nodes[1].assigners.groups[0]", "nodes[1].deliver.groups[0]"}, said)
	var r report
	b.Result(b.Do("POST", "/api/service/simulate", map[string]any{"definition": source, "script": map[string]any{"groups": map[string]any{"legal": []string{"li"}}}}), &r)
	require.Equal(t, []string{"li"}, r.Rests[0].Pending)
	source = strings.ReplaceAll(strings.Replace(source, ", legal", "", 1), "legal", "finance")
	first := b.yaml("POST", "/api/service", source, "X-Idempotency-Key", "k")
	b.Result(first, nil)

	// What was published while the group was there has its answer, and what is new has the fault.
	require.NoError(t, b.back.RemoveGroup(t.Context(), "north", "boss", people.Key{ID: "finance"}, nil))
	again := b.yaml("POST", "/api/service", source, "X-Idempotency-Key", "k")
	require.Equal(t, []string{"true", string(first.Body)}, []string{again.Header.Get("X-Idempotency-Replayed"), string(again.Body)})
	for _, key := range []string{"other", ""} {
		b.yaml("POST", "/api/service", source, "X-Idempotency-Key", key).Into(400, &refused)
		require.Len(t, refused.Result.Faults, 6)
	}
}

func TestPublishingWhenWrong(t *testing.T) {
	b := setup(t)
	for name, c := range map[string]struct {
		body   string
		status int
		says   string
	}{
		"nothing":        {"", 400, "empty"},
		"no mapping":     {"[1]", 400, "must be a mapping"},
		"bad UTF-8":      {"key: \xff", 400, "UTF-8"},
		"half an escape": {`{"key":"\ud800"}`, 400, "the definition has"},
		"built in":       {strings.Replace(leave, "key: leave", "key: incident", 1), 409, "key: is that of a built-in service"},
		"too large":      {"key: " + strings.Repeat("x", ticket.MaxDefinition), 413, "262144 bytes"},
		"large as JSON":  {large(), 400, "as JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			b := bench{t, b.On(t), b.back}
			b.Refused(b.yaml("POST", "/api/service", c.body), c.status, c.says)
		})
	}
	b.Refused(b.as(apitest.Writer).yaml("POST", "/api/service", leave), 403, "admin")
	b.Refused(b.as("").yaml("POST", "/api/service", leave), 401, "credential")
	b.Refused(b.yaml("POST", "/api/service", leave, "Content-Encoding", "gzip"), 400, "Content-Encoding")
	b.Refused(b.Do("GET", "/api/service/incident/versions/2", nil), 404, "version")
	b.Refused(b.Do("GET", "/api/service/incident/versions/x", nil), 404, "version")
	b.Refused(b.Do("GET", "/api/service/incident/versions/99999999999999999999", nil), 404, "version")
	b.Refused(b.Do("GET", "/api/service/a%20b", nil), 404, "service")
	b.Refused(b.Do("GET", "/api/service/nothing/versions", nil), 404, "service")
	b.Refused(b.Do("GET", "/api/service/nothing/diagram.svg", nil), 404, "service")
	b.Refused(b.Do("GET", "/api/service/nothing/diagram.dot", nil), 404, "service")
	b.Refused(b.Do("DELETE", "/api/service/incident", nil), 405, "method")
	b.back.Err = ticket.Refuse(ticket.Unavailable, "come back later")
	b.Refused(b.yaml("POST", "/api/service", leave), 503, "come back later")
	b.Refused(b.Do("GET", "/api/service", nil), 503, "come back later")
}

// large is a definition that fits as YAML and does not as JSON.
func large() string {
	var b strings.Builder
	b.WriteString("key: large\nname: Large\nnodes:\n  - {id: a, name: A, type: end}\nfields:\n")
	for i := range 4 {
		fmt.Fprintf(&b, "  - {key: f%d, type: TEXT, default: '%s'}\n", i, strings.Repeat("<", 60_000))
	}
	return b.String()
}

func TestTwoPublishAtOnceAndOneRepeats(t *testing.T) {
	b := setup(t)
	var wait sync.WaitGroup
	answers := make([]apitest.Answer, 8)
	for i := range answers {
		source := leave
		if i%2 == 1 {
			source = strings.Replace(leave, "after: 1h", "after: 2h", 1)
		}
		wait.Go(func() { answers[i] = b.yaml("POST", "/api/service", source) })
	}
	wait.Wait()
	for _, a := range answers {
		var p published
		b.Result(a, &p)
		require.Equal(t, int64(flow.FirstNumber), p.Number)
	}

	const key = "X-Idempotency-Key"
	first := b.yaml("POST", "/api/service", strings.Replace(leave, "after: 1h", "after: 3h", 1), key, "k1")
	b.yaml("POST", "/api/service", leave)
	again := b.yaml("POST", "/api/service", strings.Replace(leave, "after: 1h", "after: 3h", 1), key, "k1")
	require.Equal(t, first.Body, again.Body)
	require.Equal(t, "true", again.Header.Get("X-Idempotency-Replayed"))
	b.Refused(b.yaml("POST", "/api/service", leave, key, "k1"), 422, "another request")
}

func TestDisabled(t *testing.T) {
	b := setup(t)
	b.Result(b.yaml("POST", "/api/service", leave), nil)
	open := func(headers ...string) apitest.Answer {
		return b.Do("POST", "/api/issue", `{"origin":"hr","title":"a week","service":"leave","fields":{"days":5}}`, headers...)
	}
	b.Result(open("X-Idempotency-Key", "first"), nil)
	b.Result(b.Do("PUT", "/api/service/leave", `{"enabled":false}`), nil)
	b.Refused(open(), 400, `service: the service "leave" is disabled`)
	replay := open("X-Idempotency-Key", "first")
	b.Result(replay, nil)
	require.Equal(t, "true", replay.Header.Get("X-Idempotency-Replayed"), "what was opened is opened")
	b.Result(b.Do("PUT", "/api/service/leave", `{"enabled":true}`), nil)
	b.Result(open(), nil)

	b.Refused(b.Do("PUT", "/api/service/leave", `{}`), 400, "enabled: is required")
	b.Refused(b.Do("PUT", "/api/service/leave", `{"enabled":1}`), 400, "enabled: must be true or false")
	b.Refused(b.Do("PUT", "/api/service/nothing", `{"enabled":false}`), 404, "no such service")
	b.Refused(b.Do("PUT", "/api/service/incident", `{"enabled":false}`), 409, "built-in")
	b.Refused(b.As(apitest.Writer).Do("PUT", "/api/service/leave", `{"enabled":false}`), 403, "admin")
}

func TestTheSecretOfAServiceIsToldByRotatingIt(t *testing.T) {
	b := setup(t)
	b.Result(b.yaml("POST", "/api/service", leave), nil)
	var first, second struct{ Key, Secret string }
	a := b.Do("POST", "/api/service/leave/rotate", nil)
	b.Result(a, &first)
	require.NoError(t, notice.CheckSecret("secret", first.Secret))
	require.Equal(t, `{"success":true,"message":"","result":{"key":"leave","secret":"`+first.Secret+`"}}`, string(a.Body))
	b.Result(b.Do("POST", "/api/service/leave/rotate", nil), &second)
	require.NotEqual(t, first.Secret, second.Secret)
	for _, path := range []string{"", "/leave", "/leave/versions"} {
		require.NotContains(t, string(b.Do("GET", "/api/service"+path, nil).Body), "whsec_")
	}

	b.Refused(b.Do("POST", "/api/service/nothing/rotate", nil), 404, "no such service")
	b.Refused(b.Do("POST", "/api/service/a%20b/rotate", nil), 404, "service")
	b.Refused(b.Do("POST", "/api/service/incident/rotate", nil), 409, "makes no requests")
	b.Refused(b.As(apitest.Writer).Do("POST", "/api/service/leave/rotate", nil), 403, "admin")
}

// What a node must not set is named when it is published.
func TestReservedHeadersAreFaults(t *testing.T) {
	b := setup(t)
	source := strings.Replace(leave, "call: {url:", "call: {headers: {webhook-signature: x}, url:", 1)
	b.Refused(b.yaml("POST", "/api/service", source), 400, "nodes[1].call.headers.webhook-signature: cannot be set")
}
