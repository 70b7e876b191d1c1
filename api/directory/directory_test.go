package directory_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/api"
	"signalbox/api/apitest"
	"signalbox/api/directory"
	"signalbox/people"
)

type bench struct {
	apitest.Client
	back    *apitest.Backend
	handler *directory.Handler
}

func setup(t testing.TB) bench {
	t.Helper()
	back := apitest.NewBackend(t, nil)
	handler := &directory.Handler{Desk: back, People: back, Now: time.Now}
	server := api.New(api.Config{}, apitest.NewApps(), nil, slog.New(slog.DiscardHandler), handler.Family())
	return bench{apitest.Client{T: t, App: server.App(), Contract: apitest.LoadContract(t, "directory"), Secret: apitest.Boss}, back, handler}
}

func TestEveryCallIsMountedAndDescribed(t *testing.T) {
	b := setup(t)
	require.Equal(t, apitest.Mounted(b.handler.Family()), b.Contract.Routes())
}

type person struct {
	ID, Name, Email, Language, Manager string
	TimeZone                           string `json:"time_zone"`
	Active                             bool
	Version                            int64
	Chats                              []people.Chat
}

func (b bench) put(id, body string) (p person) {
	b.T.Helper()
	b.Result(b.Do("PUT", "/api/person/"+id, body), &p)
	return p
}

// refused asks for a status and the beginning of the message.
func (b bench) refused(method, path, body string, status int, message string, headers ...string) {
	b.T.Helper()
	var v struct{ Message string }
	var in any
	if body != "" {
		in = body
	}
	b.Do(method, path, in, headers...).Into(status, &v)
	require.True(b.T, strings.HasPrefix(v.Message, message), "%s", v.Message)
}

func TestAPersonIsKeptReadAndRemoved(t *testing.T) {
	b := setup(t)
	ada := b.put("Ada%2FL", `{"name":"Ada","email":"ada@example.com","language":"en","time_zone":"Europe/London","chats":[{"network":"slack","address":"U1"}]}`)
	require.Equal(t, person{ID: "Ada/L", Name: "Ada", Email: "ada@example.com", Language: "en", TimeZone: "Europe/London", Active: true, Version: ada.Version, Chats: []people.Chat{{Network: "slack", Address: "U1"}}}, ada)
	require.Equal(t, ada, b.put("Ada%2FL", `{"name":"Ada","email":"ada@example.com","language":"en","time_zone":"Europe/London","active":true,"chats":[{"network":"slack","address":"U1"}]}`))
	var read person
	b.Result(b.Do("GET", "/api/person/Ada%2FL", nil), &read)
	require.Equal(t, ada, read)
	b.Result(b.Do("PATCH", "/api/person/Ada%2FL", `{"active":false}`), &read)
	require.False(t, read.Active)
	require.Equal(t, "Ada", read.Name)
	bare := b.put("Ada%2FL", `{}`)
	require.Equal(t, person{ID: "Ada/L", Active: true, Version: bare.Version, Chats: []people.Chat{}}, bare, "what PUT leaves out is empty")

	b.refused("PATCH", "/api/person/bob", `{}`, 404, "there is no such person")
	b.refused("PUT", "/api/person/ADA%2Fl", `{}`, 409, "id: differs from that of the person Ada/L in case alone")
	b.refused("PUT", "/api/person/bob", `{"time_zone":"x","email":"y","manager":"bob"}`, 400, "email: is not an e-mail address")
	b.refused("PUT", "/api/person/bob", `{"manager":"nobody"}`, 400, "manager: there is no such person")
	b.refused("PUT", "/api/person/a%2Cb", `{}`, 400, "id: must not contain a comma")
	b.Secret = apitest.Writer
	b.refused("PUT", "/api/person/bob", `{}`, 403, "the app lacks the scope directory")
	b.Secret = apitest.Boss
	b.Result(b.Do("DELETE", "/api/person/Ada%2FL", nil), nil)
	b.refused("GET", "/api/person/Ada%2FL", "", 404, "there is no such person")
}

// TestHowAPersonIsTold: webhooks may lead nowhere that they may not be called, are shown without what is secret of them, and stay what they are where they come back as they were shown.
func TestHowAPersonIsTold(t *testing.T) {
	b := setup(t)
	const path = "/api/person/ada"
	for body, message := range map[string]string{
		`{"chats":[{"network":"slack","webhook":"http://127.0.0.1/hook"}]}`:                        "chats[0].webhook: cannot be called: the address is not allowed: it is a loopback address",
		`{"chats":[{"network":"slack","webhook":"https://hooks.example.com/[redacted]"}]}`:         "chats[0].webhook: is what callers are shown",
		`{"chats":[{"network":"slack"}]}`:                                                          "chats[0].address: is required",
		`{"chats":[{"network":"wecom","address":"@all","webhook":"https://hooks.example.com/x"}]}`: "chats[0].address: must name one user",
		`{"letters":{"when":"digest"}}`:                                                            "letters.minutes: must be from 1 to 1440",
		`{"letters":{"when":"hourly"}}`:                                                            "letters.when: must be each, digest or none",
	} {
		b.refused("PUT", path, body, 400, message)
	}
	b.refused("POST", "/api/person", `{"persons":[{"id":"ada","chats":[{"network":"slack","webhook":"http://10.0.0.1/hook"}]}]}`, 400, "persons[0].chats[0].webhook: cannot be called")
	read := func() (p struct {
		Chats   []people.Chat
		Letters people.Letters
		Version int64
	}) {
		b.Result(b.Do("GET", path, nil), &p)
		return p
	}
	b.put("ada", `{"chats":[{"network":"dingtalk","address":"u","webhook":"https://oapi.dingtalk.com/robot/send?access_token=t0ken","secret":"SECret"}],"letters":{"when":"digest","minutes":30,"by":["dingtalk"]}}`)
	first := read()
	require.Equal(t, []people.Chat{{Network: "dingtalk", Address: "u", Webhook: "https://oapi.dingtalk.com/[redacted]", Secret: "[redacted]"}}, first.Chats)
	require.Equal(t, people.Letters{When: "digest", Minutes: 30, By: []string{"dingtalk"}}, first.Letters)
	same := b.put("ada", `{"chats":[{"network":"dingtalk","address":"u","webhook":"https://oapi.dingtalk.com/[redacted]","secret":"[redacted]"}],"letters":{"when":"digest","minutes":30,"by":["dingtalk"]}}`)
	require.Equal(t, first.Version, same.Version, "what was read and is kept again changes nothing")
	require.NotEqual(t, first.Version, b.put("ada", `{"chats":[{"network":"dingtalk","address":"u","webhook":"https://oapi.dingtalk.com/robot/send?access_token=0ther","secret":"[redacted]"}]}`).Version)
	require.Equal(t, people.Letters{When: "each"}, read().Letters, "what PUT leaves out is as at the beginning")
}

func TestNobodyOverwritesWhatTheyHaveNotSeen(t *testing.T) {
	b := setup(t)
	first := b.put("ada", `{}`)
	tag := fmt.Sprintf(`"%d"`, first.Version)
	require.Equal(t, tag, b.Do("GET", "/api/person/ada", nil).Header.Get("ETag"))
	b.Result(b.Do("PUT", "/api/person/ada", `{"name":"Ada"}`, "If-Match", tag), nil)
	const changed = "If-Match: was changed by somebody else meanwhile"
	b.refused("PUT", "/api/person/ada", `{"name":"A"}`, 412, changed, "If-Match", tag)
	b.refused("PATCH", "/api/person/ada", `{"name":"A"}`, 412, changed, "If-Match", tag)
	b.refused("DELETE", "/api/person/ada", "", 412, changed, "If-Match", tag)
	b.refused("PUT", "/api/person/bob", `{}`, 412, changed, "If-Match", "*")
	b.Result(b.Do("DELETE", "/api/person/ada", nil, "If-Match", "*"), nil)
	b.Result(b.Do("PUT", "/api/group/g", `{}`), nil)
	b.refused("DELETE", "/api/group/g", "", 412, changed, "If-Match", `"99"`)
	b.refused("PUT", "/api/group/g", `{"name":"x"}`, 412, changed, "If-Match", `"99"`)
}

func TestManyPersonsAtOnce(t *testing.T) {
	b := setup(t)
	var out struct {
		Kept, Refused int
		Items         []struct {
			ID, Field, Message string
			Kept               bool
		}
	}
	b.Result(b.Do("POST", "/api/person", `{"persons":[{"id":"a","manager":"b"},{"id":"c","language":"??"},{"id":"b","name":"B"}]}`), &out)
	require.Equal(t, 2, out.Kept)
	require.Equal(t, 1, out.Refused)
	require.Equal(t, "language", out.Items[1].Field)
	var list struct{ Items []person }
	b.Result(b.Do("GET", "/api/person?search=B", nil), &list)
	require.Len(t, list.Items, 1)
	b.refused("POST", "/api/person", `{"persons":[]}`, 400, "persons: is required")
	b.refused("POST", "/api/person", `{"persons":[`+strings.Repeat(`{"id":"x"},`, directory.MaxImport)+`{"id":"y"}]}`, 400, "persons: must have at most 500 items, not 501")
}

func TestGroupsAreKept(t *testing.T) {
	b := setup(t)
	b.put("ada", `{}`)
	b.put("bob", `{}`)
	b.Result(b.Do("PUT", "/api/group/few", `{"members":[{"person":"ada"}]}`), nil)
	b.Result(b.Do("PUT", "/api/group/all", `{"name":"All","members":[{"person":"bob"},{"group":"few"}]}`), nil)
	type group struct {
		ID, Name string
		Members  []people.Member
	}
	var g group
	b.Result(b.Do("GET", "/api/group/all", nil), &g)
	require.Equal(t, group{"all", "All", []people.Member{{Group: "few"}, {Person: "bob"}}}, g)
	b.refused("PUT", "/api/group/few", `{"members":[{"group":"all"}]}`, 400, "members: would make the groups a cycle: few > all > few")
	b.refused("PUT", "/api/group/few", `{"members":[{"group":"x"},{"person":"y"}]}`, 400, "members: there is no group x; members: there is no person y")
	b.refused("PUT", "/api/group/few", `{"members":[{}]}`, 400, "members[0]: must have either person or group")
	b.Result(b.Do("POST", "/api/group/all/members", `{"add":[{"person":"ada"}],"remove":[{"group":"few"}]}`), nil)
	g = group{}
	b.Result(b.Do("GET", "/api/group/all", nil), &g)
	require.Equal(t, []people.Member{{Person: "ada"}, {Person: "bob"}}, g.Members)
	b.refused("POST", "/api/group/all/members", `{}`, 400, "add: is required")
	b.refused("POST", "/api/group/all/members", `{"remove":[{}]}`, 400, "remove[0]: must have either")
	b.refused("POST", "/api/group/none/members", `{"add":[{"person":"ada"}]}`, 404, "there is no such group")
	var list struct{ Items []group }
	b.Result(b.Do("GET", "/api/group?person=ada", nil), &list)
	require.Len(t, list.Items, 2)
	b.refused("GET", "/api/group?person=ada&group=x", "", 400, "group: is asked for beside person")
	b.Result(b.Do("DELETE", "/api/group/all", nil), nil)
	b.refused("GET", "/api/group/all", "", 404, "there is no such group")
}

func TestWhoIsAbsentSaysSoOrIsSaidSo(t *testing.T) {
	b := setup(t)
	b.put("ada", `{"time_zone":"Europe/Zurich"}`)
	b.put("bob", `{}`)
	type absence struct {
		ID, Person, Deputy string
		From, To           time.Time
	}
	var a absence
	b.Secret = apitest.Writer
	b.Result(b.Do("POST", "/api/absence", `{"person":"ada","from":"2027-03-27","to":"2027-03-28","deputy":"bob","operator":"ada"}`), &a)
	require.Equal(t, "2027-03-26T23:00:00Z", a.From.Format(time.RFC3339))
	require.Equal(t, "2027-03-28T22:00:00Z", a.To.Format(time.RFC3339), "the last day is whole, and an hour shorter: summer begins")
	b.refused("POST", "/api/absence", `{"person":"ada","from":"2027-03-27","operator":"bob"}`, 403, "operator: must be the person who is absent")
	b.refused("POST", "/api/absence", `{"person":"ada","from":"tomorrow","to":"2027","operator":"ada"}`, 400, "from: must be a date such as")
	b.refused("POST", "/api/absence", `{"person":"ada","from":"2027-03-27","to":"2027-03-26","operator":"ada"}`, 400, "to: must be after from")
	b.refused("POST", "/api/absence/"+a.ID+"/end", `{"operator":"bob"}`, 403, "operator: must be")
	b.Secret = apitest.Boss
	b.refused("POST", "/api/absence", `{"person":"cy","from":"2027-03-27","deputy":"dee"}`, 400, "person: there is no such person; deputy: there is no such person")
	var open absence
	b.Result(b.Do("POST", "/api/absence", `{"person":"bob","from":"2026-01-01T08:00:00+01:00"}`), &open)
	var list struct{ Items []absence }
	b.Result(b.Do("GET", "/api/absence?person=ada", nil), &list)
	require.Equal(t, []absence{a}, list.Items)
	b.Result(b.Do("POST", "/api/absence/"+open.ID+"/end", `{}`), &open)
	require.False(t, open.To.IsZero())
	b.Result(b.Do("POST", "/api/absence/"+a.ID+"/end", `{}`), &a)
	b.Result(b.Do("GET", "/api/absence?person=ada", nil), &list)
	require.Empty(t, list.Items)
}
