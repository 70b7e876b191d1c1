package incident_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"

	"signalbox/api"
	"signalbox/api/apitest"
	"signalbox/api/incident"
	"signalbox/desk"
	"signalbox/ticket"
)

const (
	handlePath = "/v1/external/incident/handle"
	createPath = "/v1/external/incident/create"
	sampleNum  = "IM202403221515060171753781" // in the seed's examples
	operator   = "7da46971b7e24eed90cf777cc2ff8b91"
)

// bench is a server with the incident family alone, over the true desk and store.
type bench struct {
	*testing.T
	apitest.Client
	back *apitest.Backend
}

func setup(t *testing.T) bench {
	t.Helper()
	return setupWith(t, apitest.NewApps(), time.Now)
}

func setupWith(t *testing.T, apps api.Apps, now func() time.Time) bench {
	t.Helper()
	back := apitest.NewBackend(t, nil)
	handler := incident.Handler{Desk: back, Reader: back, Apps: apps, Now: now, Types: api.DefaultIncidentTypes}
	contract := apitest.LoadContract(t, "incident")
	require.Equal(t, contract.Routes(), apitest.Mounted(handler.Family()), "what is served and what the document says")
	server := api.New(api.Config{}, apps, nil, slog.New(slog.NewTextHandler(io.Discard, nil)), handler.Family())
	server.Share(api.NewMemory(now))
	return bench{t, apitest.Client{T: t, App: server.App(), Contract: contract, Secret: apitest.Writer}, back}
}

// on gives the bench to a subtest.
func (b bench) on(t *testing.T) bench { return bench{t, b.Client.On(t), b.back} }

func (b bench) sample(name string) []byte {
	b.T.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(b.T, err)
	return raw
}

// compact is an answer of the seed without its blanks.
func (b bench) compact(name string) string {
	b.T.Helper()
	var out bytes.Buffer
	require.NoError(b.T, json.Compact(&out, b.sample(name)))
	return out.String()
}

// call sends one of the seed's requests for an incident of ours.
func (b bench) call(sample, number string, headers ...string) apitest.Answer {
	b.T.Helper()
	body := strings.ReplaceAll(string(b.sample(sample)), sampleNum, number)
	return b.Do("POST", handlePath, body, headers...)
}

// did sends it and holds the answer against the seed's, byte for byte.
func (b bench) did(sample, number string) {
	b.T.Helper()
	answer := b.call(sample, number)
	require.Equal(b.T, b.compact("done.json"), string(answer.Body))
	require.Equal(b.T, http.StatusOK, answer.Status)
	require.Equal(b.T, "false", answer.Header.Get("X-Idempotency-Replayed"))
}

type envelope struct {
	Code     string          `json:"error_code"`
	Message  *string         `json:"error_msg"`
	Provider string          `json:"provider_code"`
	Data     json.RawMessage `json:"data"`
}

func (b bench) refused(a apitest.Answer, status int, code, says string) {
	b.T.Helper()
	var e envelope
	a.Into(status, &e)
	require.Equal(b.T, code, e.Code, string(a.Body))
	require.NotNil(b.T, e.Message)
	require.Contains(b.T, *e.Message, says)
	require.True(b.T, bytes.HasPrefix(a.Body, []byte(`{"error_code":"`+code+`","error_msg":"`)), string(a.Body))
	require.True(b.T, bytes.HasSuffix(a.Body, []byte(`","provider_code":"049","data":null}`)), string(a.Body))
}

func (b bench) data(a apitest.Answer, v any) {
	b.T.Helper()
	var e envelope
	a.Into(http.StatusOK, &e)
	require.NoError(b.T, json.Unmarshal(e.Data, v))
}

// creation is a whole create call; a test changes what it is about.
func creation(change map[string]any) map[string]any {
	body := map[string]any{
		"region": []string{"cn-north-4"}, "enterprise_project": []string{"0"}, "current_cloud_service": []string{"order"},
		"incident_level": "level_30", "is_service_interrupt": "false", "incident_type": "inc_type_p_change_issues",
		"incident_title": "订单服务磁盘告警", "incident_description": "使用率 > 90% & rising", "incident_source": "incident_source_alarm",
		"incident_assignee": []string{"li.si"}, "creator": "zhang.san", "incident_ownership": "sre", "start_time": 1711091706017,
	}
	for name, value := range change {
		if value == nil {
			delete(body, name)
			continue
		}
		body[name] = value
	}
	return body
}

func (b bench) create() string {
	b.T.Helper()
	var made struct {
		Number string `json:"incident_num"`
	}
	b.data(b.Do("POST", createPath, creation(nil)), &made)
	return made.Number
}

func (b bench) read(number string) map[string]any {
	b.T.Helper()
	var v map[string]any
	b.data(b.Do("GET", "/v1/external/incident/"+number, nil), &v)
	return v
}

func (b bench) status(number string) any {
	b.T.Helper()
	return b.read(number)["status"]
}

func TestTheSeedsExamples(t *testing.T) {
	b := setup(t)
	number := b.create()
	b.did("accept.json", number)
	require.Equal(t, "INCIDENT_STATUS_ACKNOWLEDGED", b.status(number))
	b.did("commit.json", number)
	require.Equal(t, "INCIDENT_STATUS_RESOLVED", b.status(number))
	b.did("confirm.json", number)
	require.Equal(t, "INCIDENT_STATUS_ACKNOWLEDGED", b.status(number), "the example's verdict is false: it has to be solved again")
	b.did("commit.json", number)
	require.Equal(t, "INCIDENT_STATUS_RESOLVED", b.status(number))
	answer := b.Do("POST", handlePath, `{"incident_num":"`+number+`","operator":"a","operate_key":"confirm","parameter":{"virtual_confirm_result":"true","virtual_confirm_comment":"好"}}`)
	require.Equal(t, b.compact("done.json"), string(answer.Body))
	require.Equal(t, "INCIDENT_STATUS_COMPLETED", b.status(number))

	answer = b.Do("POST", handlePath, nil)
	require.Equal(t, http.StatusBadRequest, answer.Status)
	require.Equal(t, b.compact("refused.json"), string(answer.Body), "where nothing was sent there is nothing to name")
}

func TestAcceptTakesNoParameter(t *testing.T) {
	b := setup(t)
	for _, rest := range []string{``, `,"parameter":null`, `,"parameter":{}`, `,"parameter":{"unknown":1},"more":[]`} {
		for _, kind := range []string{"application/json;charset=UTF-8", "text/plain", ""} {
			b := b
			if kind == "text/plain" {
				b.Contract = nil // the document promises JSON only
			}
			number := b.create()
			answer := b.Do("POST", handlePath, `{"incident_num":"`+number+`","operator":"`+operator+`","operate_key":"acceptedIncident1"`+rest+"}\n", "Content-Type", kind)
			require.Equal(t, b.compact("done.json"), string(answer.Body))
			require.Equal(t, "INCIDENT_STATUS_ACKNOWLEDGED", b.status(number))
			require.Equal(t, []any{operator}, b.read(number)["incident_assignee"])
		}
	}
}

func TestOutOfTurnChangesNothing(t *testing.T) {
	b := setup(t)
	number := b.create()
	unchanged := func(samples ...string) {
		t.Helper()
		before := b.read(number)
		for _, sample := range samples {
			b.refused(b.call(sample, number), 400, "GOM.00007409", "is")
		}
		require.Equal(t, before, b.read(number))
	}
	unchanged("commit.json", "confirm.json")
	b.did("accept.json", number)
	unchanged("accept.json", "accept.json", "confirm.json")
	b.did("commit.json", number)
	unchanged("accept.json", "commit.json")
	_, err := b.back.Handle(context.Background(), desk.Request{App: desk.App{Tenant: "north"}}, desk.Handling{Ticket: number, Command: ticket.Command{Action: ticket.Suspend}})
	require.NoError(t, err)
	require.Equal(t, "INCIDENT_STATUS_RESOLVED", b.status(number), "a suspended incident shows the status under it")
	unchanged("accept.json", "commit.json", "confirm.json")
	var h history
	b.data(b.search(number, nil), &h)
	require.EqualValues(t, 4, h.Total, "refusals leave no trace")
}

func TestUUIDsNameIncidentsToo(t *testing.T) {
	b := setup(t)
	number := b.create()
	tk, err := b.back.Ticket(context.Background(), "north", number)
	require.NoError(t, err)
	b.did("accept.json", strings.ToUpper(tk.UUID))
	require.Equal(t, b.read(number), b.read(tk.UUID))
}

func TestEightAcceptsAtOnce(t *testing.T) {
	b := setup(t)
	number := b.create()
	var wg sync.WaitGroup
	answers := make([]apitest.Answer, 8)
	for i := range answers {
		wg.Go(func() { answers[i] = b.call("accept.json", number) })
	}
	wg.Wait()
	done := 0
	for _, answer := range answers {
		if answer.Status == http.StatusOK {
			done++
			continue
		}
		b.refused(answer, 400, "GOM.00007409", "already done by")
	}
	require.Equal(t, 1, done)
}

func TestSameKeySameAnswer(t *testing.T) {
	b := setup(t)
	first := b.Do("POST", createPath, creation(nil), "X-Idempotency-Key", "create:1")
	again := b.Do("POST", createPath, creation(nil), "Idempotency-Key", "create:1")
	require.Equal(t, "false", first.Header.Get("X-Idempotency-Replayed"))
	require.Equal(t, "true", again.Header.Get("X-Idempotency-Replayed"))
	require.Equal(t, string(first.Body), string(again.Body))
	b.refused(b.Do("POST", createPath, creation(map[string]any{"creator": "other"}), "X-Idempotency-Key", "create:1"), 422, "GOM.00007422", "key")

	number := b.create()
	require.Equal(t, b.compact("done.json"), string(b.call("accept.json", number, "X-Idempotency-Key", "accept").Body))
	repeated := b.call("accept.json", number, "X-Idempotency-Key", "accept")
	require.Equal(t, b.compact("done.json"), string(repeated.Body))
	require.Equal(t, "true", repeated.Header.Get("X-Idempotency-Replayed"))
	b.refused(b.call("commit.json", number, "X-Idempotency-Key", "no blanks"), 400, "GOM.00007256", "X-Idempotency-Key")
}

func TestOtherTenantsIncidentsDoNotExist(t *testing.T) {
	b := setup(t)
	number := b.create()
	stranger := b
	stranger.Client = b.As(apitest.Stranger)
	b.refused(stranger.call("accept.json", number), 400, "GOM.00007404", "there is no such ticket")
	b.refused(stranger.Do("GET", "/v1/external/incident/"+number, nil), 400, "COC.00067003", "there is no such ticket")
	b.refused(stranger.search(number, nil), 400, "COC.00067003", "there is no such ticket")
	require.Equal(t, "INCIDENT_STATUS_TRIGGERED", b.status(number))
	b.refused(b.call("accept.json", sampleNum), 400, "GOM.00007404", "there is no such ticket")
	b.refused(b.Do("GET", "/v1/external/incident/"+sampleNum, nil), 400, "COC.00067003", "there is no such ticket")
}

func TestCredentials(t *testing.T) {
	b := setup(t)
	number := b.create()
	read := "/v1/external/incident/" + number
	for _, header := range [][]string{
		{"Authorization", "Access_Key " + apitest.Reader}, {"Authorization", "Bearer " + apitest.Reader},
		{"X-Auth-Token", apitest.Reader, "Authorization", ""},
	} {
		require.Equal(t, 200, b.Do("GET", read, nil, header...).Status, header)
	}
	for _, header := range [][]string{
		{"Authorization", ""}, {"Authorization", "Bearer wrong"}, {"Authorization", "Access_Key " + apitest.Gone},
		{"X-Auth-Token", "wrong", "Authorization", ""},
	} {
		b.refused(b.Do("GET", read, nil, header...), 401, "common.01010001", "credential")
		b.refused(b.call("accept.json", number, header...), 401, "common.01010001", "credential")
	}
	reader := b
	reader.Client = b.As(apitest.Reader)
	b.refused(reader.call("accept.json", number), 403, "GOM.00007403", "write")
	b.refused(reader.Do("POST", createPath, creation(nil)), 403, "GOM.00007403", "write")
	require.Equal(t, "INCIDENT_STATUS_TRIGGERED", b.status(number))
}

// signedRequest is one that the real SDK sent, the secret and time that it was signed with; api/sdkhmac has many more.
func signedRequest(t *testing.T, name string) (body []byte, headers []string, apps oneApp, at time.Time) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	secretLine, raw, _ := bytes.Cut(content, []byte("\n"))
	signed, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
	require.NoError(t, err)
	body, err = io.ReadAll(signed.Body)
	require.NoError(t, err)
	at, err = time.Parse("20060102T150405Z", signed.Header.Get("X-Sdk-Date"))
	require.NoError(t, err)
	for name, values := range signed.Header {
		headers = append(headers, name, values[0])
	}
	return body, headers, oneApp{secret: strings.TrimPrefix(string(secretLine), "secret: ")}, at
}

// Two calls that the SDK makes within a second are one and the same request on the wire, and the vendor's gateway takes both.
func TestTheSDKRepeatsItselfAtOnce(t *testing.T) {
	body, headers, apps, at := signedRequest(t, "signed-create.http")
	now := at
	b := setupWith(t, apps, func() time.Time { return now })
	numbers := map[string]bool{}
	for range 3 {
		var made struct {
			Number string `json:"incident_num"`
		}
		b.data(b.Do("POST", createPath, body, headers...), &made)
		numbers[made.Number] = true
		now = now.Add(900 * time.Millisecond)
	}
	require.Len(t, numbers, 3)
	b.refused(b.Do("POST", createPath, body, headers...), 401, "APIGW.0301", "received before")

	body, headers, apps, at = signedRequest(t, "signed-accept.http")
	b = setupWith(t, apps, func() time.Time { return now })
	for now = at; now.Before(at.Add(time.Minute)); now = now.Add(20 * time.Second) {
		b.refused(b.Do("POST", handlePath, body, headers...), 400, "GOM.00007404", "there is no such ticket") // and never "received before"
	}
}

func TestSignedRequests(t *testing.T) {
	body, headers, apps, at := signedRequest(t, "signed-accept.http")
	b := setupWith(t, apps, func() time.Time { return at })
	b.refused(b.Do("POST", handlePath, body, headers...), 400, "GOM.00007404", "there is no such ticket")
	b.refused(b.Do("POST", handlePath, bytes.Replace(body, []byte("accepted"), []byte("rejected"), 1), headers...), 401, "APIGW.0301", "signature")
	b.refused(b.Do("POST", createPath, body, headers...), 401, "APIGW.0301", "signature")
	b.refused(b.Do("POST", handlePath, body, append(headers, "Authorization", "SDK-HMAC-SHA256 nonsense")...), 401, "APIGW.0301", "Authorization: Access")

	b = setupWith(t, oneApp{secret: "other"}, func() time.Time { return at })
	b.refused(b.Do("POST", handlePath, body, headers...), 401, "APIGW.0301", "signature")
	b = setupWith(t, apps, func() time.Time { return at.Add(16 * time.Minute) })
	b.refused(b.Do("POST", handlePath, body, headers...), 401, "APIGW.0301", "X-Sdk-Date")
}

// oneApp is the app that the SDK's requests were recorded with.
type oneApp struct{ secret string }

func (o oneApp) Secrets(_ context.Context, code string) (desk.App, []string, error) {
	if code != "test-ak" {
		return desk.App{}, nil, ticket.Refuse(ticket.Unauthorized, "the credential is not valid")
	}
	return desk.App{Code: code, Tenant: "north", Scopes: []desk.Scope{desk.Write}}, []string{o.secret}, nil
}

func (o oneApp) BySecret(context.Context, string) (desk.App, error) { panic("not asked") }

func (o oneApp) ByCode(context.Context, string, string) (desk.App, error) { panic("not asked") }

func TestUnknownPathsAndMethods(t *testing.T) {
	b := setup(t)
	for _, c := range [][2]string{
		{"GET", handlePath}, {"GET", createPath}, {"GET", handlePath + "/"}, {"DELETE", handlePath}, {"PUT", "/v1/external/incident/IM1"},
		{"POST", "/v1/external/incident/IM1"}, {"GET", "/v1/external/incident/list-histories/x"}, {"GET", "/v1/incident/list-histories"},
		{"POST", "/v1/nothing"}, {"GET", "/v1"}, {"POST", "/v2/incidents/IM1/actions"}, {"BREW", handlePath},
	} {
		b.refused(b.Do(c[0], c[1], nil), 404, "APIGW.0101", "path")
	}
	// A trailing slash means the same call.
	b.refused(b.Do("POST", handlePath+"/", b.sample("accept.json")), 400, "GOM.00007404", "no such")
}

func TestWhenWhatStandsBehindIsDown(t *testing.T) {
	b := setup(t)
	number := b.create()
	calls := func() []apitest.Answer {
		return []apitest.Answer{
			b.call("accept.json", number), b.Do("POST", createPath, creation(nil)), b.Do("GET", "/v1/external/incident/"+number, nil), b.search(number, nil),
		}
	}
	b.back.Err = ticket.Refuse(ticket.Unavailable, "it cannot be told what became of it")
	for _, answer := range calls() {
		b.refused(answer, 503, "GOM.00007503", "it cannot be told")
		require.NotEmpty(t, answer.Header.Get(fiber.HeaderRetryAfter))
	}
	b.back.Err = context.DeadlineExceeded
	for _, answer := range calls() {
		b.refused(answer, 503, "GOM.00007503", "in time")
	}
	b.back.Err = ticket.Refuse(ticket.Busy, "the first request with this key is still running")
	b.refused(b.call("accept.json", number), 409, "GOM.00007423", "still running")
	b.back.Err = io.ErrUnexpectedEOF
	for _, answer := range calls() {
		b.refused(answer, 500, "GOM.00007500", "internal error")
	}
	b.back.Err = ticket.Refuse(ticket.TooMany, "too many requests")
	b.refused(b.call("accept.json", number), 429, "APIGW.0308", "too many")
	b.back.Err = nil
	b.did("accept.json", number)
}
