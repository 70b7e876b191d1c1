package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/activities/mailtest"
	"signalbox/cmd/dev/e2e/harness"
)

// provider keeps the directory as an identity provider does.
type provider struct {
	*caller
	t   *testing.T
	ids map[string]string // what SCIM names them by
}

func (p provider) ask(method, path string, status int, body map[string]any) {
	p.t.Helper()
	a, err := p.send(p.t.Context(), method, "/scim/v2"+path, "", body)
	require.NoError(p.t, err)
	require.Equal(p.t, status, a.status, a)
	var made struct{ ID, UserName string }
	require.NoError(p.t, json.Unmarshal([]byte(a.body), &made))
	if made.UserName != "" {
		p.ids[made.UserName] = made.ID
	}
}

func (p provider) user(name, manager string) {
	p.t.Helper()
	const core, enterprise = "urn:ietf:params:scim:schemas:core:2.0:User", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	body := map[string]any{"schemas": []string{core, enterprise}, "userName": name, "emails": []any{map[string]any{"value": name + "@example.com", "primary": true}}}
	if manager != "" {
		body[enterprise] = map[string]any{"manager": map[string]any{"value": p.ids[manager]}}
	}
	p.ask("POST", "/Users", http.StatusCreated, body)
}

// TestAGroupApprovalAcrossAWeekend: a group that an identity provider keeps is asked, of which one is absent, one opened the ticket and one leaves, with a deadline that counts the hours of an office
// which has a weekend and a holiday before it. Whoever is asked is told by mail, and one of them by a network too.
func TestAGroupApprovalAcrossAWeekend(t *testing.T) {
	t.Parallel()
	server, err := mailtest.Start(mailtest.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	robots := harness.NewReceiver(t)
	robots.Answer("/feishu", harness.Response{Body: `{"code":0,"msg":"success"}`})
	d := startDev(t, "SIGNALBOX_ATTEND_EVERY=1s", "SIGNALBOX_SMTP_HOST=127.0.0.1", fmt.Sprintf("SIGNALBOX_SMTP_PORT=%d", server.Port()), "SIGNALBOX_SMTP_TLS=none",
		"SIGNALBOX_MAIL_FROM=box@example.com", "SIGNALBOX_PUBLIC_URL=https://box.example.com")
	admin := d.caller()
	idp := provider{admin, t, map[string]string{}}
	idp.user("boss", "")
	var members []any
	for _, name := range []string{"anna", "olga", "bert"} {
		idp.user(name, "boss")
		members = append(members, map[string]any{"value": idp.ids[name]})
	}
	idp.user("deb", "")
	admin.must(t, "PUT", "/api/person/boss", map[string]any{"email": "boss@example.com", "language": "zh-Hans",
		"chats": []any{map[string]any{"network": "feishu", "address": "ou_1", "webhook": robots.URL("/feishu")}}})
	idp.ask("POST", "/Groups", http.StatusCreated, map[string]any{"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:Group"}, "displayName": "finance", "members": members})
	admin.must(t, "POST", "/api/absence", map[string]any{"person": "anna", "from": "2020-01-01", "deputy": "deb", "operator": "anna"})

	// It is about noon where the office is, on a day on which it does not open any more.
	zone, ahead := atNoon(time.Now())
	local := time.Now().UTC().Add(time.Duration(ahead) * time.Hour)
	date := func(days int) string { return local.AddDate(0, 0, days).Format(time.DateOnly) }
	week := map[string][]string{}
	for _, days := range []int{3, 4, 5} { // today and two days after it are the weekend
		week[strings.ToLower(local.AddDate(0, 0, days).Weekday().String())] = []string{"09:00-17:00"}
	}
	admin.must(t, "POST", "/api/calendar", map[string]any{"key": "office", "name": "Office", "zone": zone, "week": week, "holidays": []any{map[string]any{"date": date(3), "name": "A holiday"}}})
	admin.must(t, "POST", "/api/service", map[string]any{"key": "paid", "name": "Paid", "calendar": "office", "nodes": []any{
		map[string]any{"id": "v", "name": "Vote", "type": "approval", "rule": "all", "four_eyes": true, "processors": map[string]any{"groups": []string{"finance"}}, "next": "over",
			"deadline": []any{map[string]any{"after": "90 working minutes", "do": "remind"}}},
		map[string]any{"id": "over", "name": "Over", "type": "end"}}})
	number := result[string](t, admin.must(t, "POST", "/api/issue", map[string]any{"origin": "e2e", "title": "to be paid", "service": "paid", "opener": "olga"}))

	type issue struct {
		Phase        string
		CurrentNodes []struct {
			Pending  []string
			Due      time.Time
			Standing []struct{ For, Deputy string }
			Votes    []struct{ Who, By string }
		} `json:"current_nodes"`
	}
	read := func() (v issue) {
		t.Helper()
		require.NoError(t, json.Unmarshal([]byte(admin.must(t, "GET", "/api/issue/"+number, nil).body), &v))
		return v
	}
	v := read().CurrentNodes[0]
	require.Equal(t, []string{"anna", "bert", "deb"}, v.Pending, "olga opened it, and deb is asked beside anna at once")
	require.Equal(t, "anna", v.Standing[0].For)
	opens := time.Date(local.Year(), local.Month(), local.Day()+4, 9, 0, 0, 0, time.UTC).Add(-time.Duration(ahead) * time.Hour)
	require.Equal(t, opens.Add(90*time.Minute), v.Due.UTC(), "after two free days and a holiday")

	clerk := d.clerk(t)
	act := func(who string) answer {
		t.Helper()
		a, err := clerk.send(t.Context(), "POST", "/api/issue/"+number+"/handle", "", map[string]any{"action": "approve", "operator": who})
		require.NoError(t, err)
		return a
	}
	require.Contains(t, act("olga").body, "olga opened the ticket")
	require.Equal(t, 200, act("deb").status)
	require.Contains(t, act("anna").body, "anna has voted already")
	require.Contains(t, act("deb").body, "deb has acted for anna already")
	v = read().CurrentNodes[0]
	require.Equal(t, "anna", v.Votes[0].Who)
	require.Equal(t, "deb", v.Votes[0].By)

	idp.ask("PATCH", "/Users/"+idp.ids["bert"], http.StatusOK, map[string]any{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"},
		"Operations": []any{map[string]any{"op": "replace", "value": map[string]any{"active": false}}}})
	harness.Until(t, "bert's manager has taken over", time.Minute, func() error {
		if pending := read().CurrentNodes[0].Pending; len(pending) != 1 || pending[0] != "boss" {
			return fmt.Errorf("it asks %v", pending)
		}
		return nil
	})
	require.Equal(t, 200, act("boss").status)
	require.Equal(t, "completed", read().Phase)

	told := items[struct{ App, Outcome, Number string }](t, admin.must(t, "GET", "/api/audit?app=system&number="+number, nil))
	require.Len(t, told, 1)
	require.Equal(t, "done", told[0].Outcome)
	exposes(t, d.api, `signalbox_standing_total{what="taken_over"} 1`)
	harness.Until(t, "the timeline says who acted for whom", time.Minute, func() error {
		a := admin.must(t, "GET", "/api/issue/"+number+"/timeline?limit=200", nil)
		for _, words := range []string{`"kind":"voted"`, `"who":"deb"`, `"for":"anna"`, `"kind":"succeeded"`, `"kind":"barred"`} {
			if !strings.Contains(strings.ReplaceAll(a.body, " ", ""), words) {
				return errors.New(words + " is not in it: " + a.body)
			}
		}
		return nil
	})

	mails := map[string][]string{}
	harness.Until(t, "everybody who was asked has a mail", time.Minute, func() error {
		clear(mails)
		for _, m := range server.Mails() {
			mails[m.To] = append(mails[m.To], m.Subject)
			require.Contains(t, m.Text, "https://box.example.com/ticket/"+number)
		}
		if len(mails) < 4 {
			return fmt.Errorf("%v", mails)
		}
		return nil
	})
	asks := []string{"You are asked to approve or reject: Vote – to be paid [" + number + "]"}
	require.Equal(t, map[string][]string{
		"anna@example.com": asks,
		"bert@example.com": asks,
		"deb@example.com":  asks,
		"boss@example.com": {"请您审批：Vote – to be paid [" + number + "]"},
	}, mails, "and not olga, who may not vote")
	require.Contains(t, string(robots.Await(t, "/feishu", 1, time.Minute)[0].Body), "请您审批：Vote")
}
