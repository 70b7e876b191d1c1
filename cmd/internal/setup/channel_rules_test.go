package setup

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"signalbox/api"
	"signalbox/api/sdkhmac"
	"signalbox/desk"
)

// twin is another process over the same database.
func (p product) twin(config api.Config) product {
	p.Helper()
	server, err := p.container.API(APISettings{Config: config}, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	require.NoError(p, err)
	p.server = server
	return p
}

// signature gives the headers of a signed request for an app, as SDKs send it.
func signature(method, path, body, code, secret string, at time.Time) []string {
	digest := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		return hex.EncodeToString(sum[:])
	}
	date := at.UTC().Format("20060102T150405Z")
	var segments []string
	for segment := range strings.SplitSeq(strings.TrimSuffix(path, "/"), "/") {
		segments = append(segments, url.PathEscape(segment))
	}
	canonical := strings.Join([]string{method, strings.Join(segments, "/") + "/", "", "x-sdk-date:" + date, "", "x-sdk-date", digest(body)}, "\n")
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(sdkhmac.Algorithm + "\n" + date + "\n" + digest(canonical)))
	return []string{sdkhmac.HeaderDate, date, "Authorization",
		fmt.Sprintf("%s Access=%s, SignedHeaders=x-sdk-date, Signature=%x", sdkhmac.Algorithm, code, mac.Sum(nil))}
}

// TestASignedRequestIsTakenOnceByAllProcesses sends each call of the whole product that asks for more than reading, signed, to one process and
// then, as it is, to another. Where signatures are taken at all the other refuses it and nothing changes; it does so before it looks at what
// is asked for, so that it does not matter here what that is.
func TestASignedRequestIsTakenOnceByAllProcesses(t *testing.T) {
	config := api.Config{SignatureReplays: api.ReplaysStrict} // because most of these calls are refused, and what was refused may be repeated
	one := newProduct(t, config)
	other := one.twin(config)
	secret, err := one.container.Store.CreateApp(t.Context(), desk.App{Code: "shop", Tenant: "north", Scopes: []desk.Scope{desk.Admin}})
	require.NoError(t, err)
	taken := map[string]bool{}
	for _, f := range one.server.Families() {
		for i, r := range f.Routes {
			if r.Scope == desk.Read {
				continue
			}
			body := ""
			if r.Method != http.MethodGet {
				body = fmt.Sprintf(`{"event_source":"a","event_topic":"b","event_type":"c","event_status":"d","changes":["%s %d"]}`, f.Channel, i)
			}
			path := strings.ReplaceAll(r.Path, ":", "x")
			signed := signature(r.Method, path, body, "shop", secret, time.Now())
			send := func(p product, headers ...string) answer {
				return p.call(r.Method, path, "", body, append(headers, signed...)...)
			}
			first := send(one)
			if first.unauthorized() {
				continue // a channel that takes no signatures
			}
			taken[r.Method+" "+r.Path] = true
			before := one.durable()
			again := send(other)
			require.Equal(t, http.StatusUnauthorized, again.status, "%s %s: %s", r.Method, r.Path, again.body)
			require.Equal(t, http.StatusUnauthorized, send(other, api.HeaderKey, "k").status, "a key that was not on the first is no excuse")
			require.Equal(t, before, one.durable(), "%s %s", r.Method, r.Path)
			signed = signature(r.Method, path, body, "shop", secret, time.Now().Add(time.Minute))
			require.False(t, send(other).unauthorized(), "signed anew it is another request")
		}
	}
	require.Equal(t, map[string]bool{"POST /v1/external/incident/handle": true, "POST /v1/external/incident/create": true, "POST /api/publish": true}, taken)
}

// guarded is a process in which ann alone is asked: first to accept, then to approve.
const guarded = `{"key":"guarded","name":"Guarded","nodes":[
	{"id":"take","name":"Take","type":"task","action":"accept","processors":{"persons":["ann"]},"deliver":{"persons":["ann","bob"]},"terminable":true,"next":"ok"},
	{"id":"ok","name":"OK","type":"approval","processors":{"persons":["ann"]},"add":{"anyone":true},"next":"over"},
	{"id":"over","name":"Over","type":"end"}]}`

// TestRulesOfATicketHoldAtEveryChannel: whichever family somebody comes through, and whether the ticket is named by its number or its UUID, who is
// not asked does nothing at a node, nobody but the opener withdraws, and nobody but an admin reassigns or votes for others. What is refused
// changes neither the ticket nor its timeline.
func TestRulesOfATicketHoldAtEveryChannel(t *testing.T) {
	t.Parallel()
	p := newProduct(t, api.Config{ExceptionsPerMinute: 1_000_000})
	secrets := map[string]string{}
	for code, scope := range map[string]desk.Scope{"app": desk.Write, "boss": desk.Admin} {
		secret, err := p.container.Store.CreateApp(t.Context(), desk.App{Code: code, Tenant: "north", Scopes: []desk.Scope{scope}})
		require.NoError(t, err)
		secrets[code] = secret
	}
	p.must(p.call("POST", "/api/service", secrets["boss"], guarded))
	nodes := map[string]int64{}
	for _, id := range []string{"take", "ok"} {
		var n int64
		require.NoError(t, p.raw.QueryRow(`SELECT number FROM service_nodes WHERE key = 'guarded' AND node = ?`, id).Scan(&n))
		nodes[id] = n
	}
	type call func(secret, key string) answer
	issue := func(action, operator string, parameter object) call {
		return func(secret, key string) answer {
			return p.call("POST", "/api/issue/"+key+"/handle", secret, object{"action": action, "operator": operator, "parameter": parameter})
		}
	}
	itsm := func(operation string, body object) call {
		return func(secret, key string) answer {
			all := object{"sn": key}
			for name, value := range body {
				all[name] = value
			}
			a := p.call("POST", "/api/c/compapi/v2/itsm/"+operation+"/", secret, all)
			b := p.call("POST", "/openapi/ticket/"+operation+"/", secret, all)
			c := p.call("POST", "/prod/v2/itsm/"+operation+"/", secret, all)
			if !a.refused() || b.refused() && c.refused() {
				return a
			}
			return b // what one address refuses the others must
		}
	}
	operate := func(node, action, operator string, more object) call {
		body := object{"state_id": nodes[node], "operator": operator, "action_type": action, "action_message": "x"}
		for name, value := range more {
			body[name] = value
		}
		return itsm("operate_node", body)
	}
	whole := func(action, operator string) call {
		return itsm("operate_ticket", object{"operator": operator, "action_type": action, "action_message": "x"})
	}
	incident := func(key, operator string) call {
		return func(secret, number string) answer {
			return p.call("POST", "/v1/external/incident/handle", secret, object{"incident_num": number, "operator": operator, "operate_key": key})
		}
	}
	callback := func(assignee string) call {
		return func(secret, key string) answer {
			return p.call("POST", "/v1/exceptions/"+key+"/callback", secret, object{"externalSystem": "S", "externalIssueId": "1", "status": "ASSIGNED", "assignee": assignee})
		}
	}
	for _, test := range []struct {
		name, app string
		at        string // the node that the ticket stands at
		do        call
		done      bool
	}{
		{"accept, not asked", "app", "take", issue("accept", "eve", nil), false},
		{"accept, not asked, itsm", "app", "take", operate("take", "TRANSITION", "eve", nil), false},
		{"accept, not asked, incident", "app", "take", incident("acceptedIncident1", "eve"), false},
		{"accept, not asked, callback", "app", "take", callback("eve"), false},
		{"accept for others, though admin", "boss", "take", issue("accept", "eve", nil), false},
		{"accept for others, though admin, itsm", "boss", "take", operate("take", "TRANSITION", "eve", nil), false},
		{"accept for others, though admin, incident", "boss", "take", incident("acceptedIncident1", "eve"), false},
		{"accept for others, though admin, callback", "boss", "take", callback("eve"), false},
		{"accept", "app", "take", issue("accept", "ann", nil), true},
		{"accept, itsm", "app", "take", operate("take", "TRANSITION", "ann", nil), true},
		{"accept, incident", "app", "take", incident("acceptedIncident1", "ann"), true},
		{"accept, callback", "app", "take", callback("ann"), true},

		{"hand over, not asked", "app", "take", issue("deliver", "eve", object{"targets": []string{"bob"}}), false},
		{"hand over, not asked, itsm", "app", "take", operate("take", "DELIVER", "eve", object{"processors": "bob"}), false},
		{"hand over in person, though the app is admin, itsm", "boss", "take", operate("take", "DELIVER", "eve", object{"processors": "bob"}), false},
		{"hand over to whom it may not go", "app", "take", issue("deliver", "ann", object{"targets": []string{"eve"}}), false},
		{"hand over to whom it may not go, itsm", "app", "take", operate("take", "DELIVER", "ann", object{"processors": "eve"}), false},
		{"hand over, itsm", "app", "take", operate("take", "DELIVER", "ann", object{"processors": "bob"}), true},
		{"end from a node, not asked, itsm", "app", "take", operate("take", "TERMINATE", "eve", nil), false},
		{"end from a node, itsm", "app", "take", operate("take", "TERMINATE", "ann", nil), true},

		{"vote, not asked", "app", "ok", issue("approve", "eve", nil), false},
		{"vote against, not asked", "app", "ok", issue("reject", "eve", object{"comment": "no"}), false},
		{"vote, not asked, itsm", "app", "ok", itsm("approve", object{"state_id": nodes["ok"], "approver": "eve", "action": true, "remark": "x"}), false},
		{"vote for others, though admin, itsm", "boss", "ok", itsm("approve", object{"state_id": nodes["ok"], "approver": "admin", "action": true, "remark": "x"}), false},
		{"vote in somebody's name", "app", "ok", issue("approve", "eve", object{"on_behalf": "ann"}), false},
		{"vote in somebody's name, who says to be asked", "app", "ok", issue("approve", "ann", object{"on_behalf": "ann"}), false},
		{"vote in somebody's name, as admin", "boss", "ok", issue("approve", "eve", object{"on_behalf": "ann"}), true},
		{"vote, itsm", "app", "ok", itsm("approve", object{"state_id": nodes["ok"], "approver": "ann", "action": true, "remark": "x"}), true},
		{"add an approver, not asked", "app", "ok", issue("add", "eve", object{"targets": []string{"eve"}}), false},

		{"reassign", "app", "ok", issue("reassign", "ann", object{"targets": []string{"eve"}}), false},
		{"reassign, as admin", "boss", "ok", issue("reassign", "ann", object{"targets": []string{"eve"}}), true},
		{"move to another version", "app", "ok", func(secret, key string) answer {
			return p.call("POST", "/api/issue/"+key+"/migrate", secret, object{"version": 1, "operator": "ann"})
		}, false},

		{"withdraw, not the opener", "app", "ok", issue("withdraw", "ann", nil), false},
		{"withdraw, not the opener, itsm", "app", "ok", whole("WITHDRAW", "ann"), false},
		{"withdraw in person, though the app is admin, itsm", "boss", "ok", whole("WITHDRAW", "ann"), false},
		{"withdraw, the opener", "app", "ok", issue("withdraw", "opener", nil), true},
		{"withdraw, the opener, itsm", "app", "ok", whole("WITHDRAW", "opener"), true},
		{"withdraw, as admin", "boss", "ok", issue("withdraw", "ann", nil), true},
		{"withdraw, admin as itself, itsm", "boss", "ok", whole("WITHDRAW", "admin"), true},

		{"suspend, not asked, itsm", "app", "ok", whole("SUSPEND", "eve"), false},
		{"end, not asked, itsm", "app", "ok", whole("TERMINATE", "eve"), false},
		{"end under the name of admin, itsm", "app", "ok", whole("TERMINATE", "admin"), false},
		{"end, itsm", "app", "ok", whole("TERMINATE", "ann"), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := p
			p.T = t
			for _, by := range []string{"number", "uuid"} {
				number := p.must(p.call("POST", "/api/issue", secrets["app"], object{"origin": "a", "title": "b", "service": "guarded", "opener": "opener"})).word("result")
				if test.at == "ok" {
					p.must(p.call("POST", "/api/issue/"+number+"/handle", secrets["app"], object{"action": "accept", "operator": "ann"}))
				}
				view := p.must(p.call("GET", "/api/issue/"+number, secrets["app"], nil))
				key := map[string]string{"number": number, "uuid": view.word("uuid")}[by]
				history := p.must(p.call("GET", "/api/issue/"+number+"/timeline", secrets["app"], nil)).body
				a := test.do(secrets[test.app], key)
				require.Equal(t, test.done, !a.refused(), "by %s: %d %s", by, a.status, a.body)
				after := p.must(p.call("GET", "/api/issue/"+number, secrets["app"], nil))
				require.Equal(t, test.done, view.body != after.body, "%s\n%s", view.body, after.body)
				if !test.done {
					require.Equal(t, history, p.must(p.call("GET", "/api/issue/"+number+"/timeline", secrets["app"], nil)).body)
				}
			}
		})
	}
}
