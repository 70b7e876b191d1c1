package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/activities/mailtest"
	"signalbox/cmd/dev/e2e/harness"
)

const toldService = `
key: told
name: Told
sla:
- {name: resolve, until: end, target: 6s, warn: 50 %}
nodes:
- {id: boss, name: 主管审批, type: approval, processors: {persons: [ada, bob]}, rule: all, next: done}
- {id: done, name: Done, type: end}
`

// TestPeopleAreToldOfWhatConcernsThem on the whole system: an approval, a mention and an SLA's warning, by mail and to robots of two networks, in the language of each. Nobody
// takes anything at first, and the ticket ends while that is so; then all of it arrives, in order.
func TestPeopleAreToldOfWhatConcernsThem(t *testing.T) {
	t.Parallel()
	server, err := mailtest.Start(mailtest.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	server.Refuse(func(string, string) error { return mailtest.Reply(451, "later") })
	robots := harness.NewReceiver(t)
	robots.Answer("/wecom", harness.Response{Status: http.StatusBadGateway})
	robots.Answer("/feishu", harness.Response{Body: `{"code":0,"msg":"success"}`})
	d := startDev(t, "SIGNALBOX_SMTP_HOST=127.0.0.1", fmt.Sprintf("SIGNALBOX_SMTP_PORT=%d", server.Port()), "SIGNALBOX_SMTP_TLS=none", "SIGNALBOX_MAIL_FROM=Signalbox <box@example.com>",
		"SIGNALBOX_PROFILE_INTERVALS=letters:1s", "SIGNALBOX_SWEEP_EVERY=1s", "SIGNALBOX_PUBLIC_URL=https://box.example.com")
	admin := d.caller()
	admin.must(t, "PUT", "/api/person/ada", map[string]any{"name": "艾达", "email": "ada@example.com", "language": "zh-Hans", "time_zone": "Asia/Shanghai",
		"chats": []any{map[string]any{"network": "wecom", "address": "ada.l", "webhook": robots.URL("/wecom?key=secret")}}})
	admin.must(t, "PUT", "/api/person/bob", map[string]any{"email": "bob@example.com", "language": "en", "letters": map[string]any{"when": "digest", "minutes": 1, "by": []string{"mail"}}})
	admin.must(t, "PUT", "/api/person/cleo", map[string]any{"chats": []any{map[string]any{"network": "feishu", "address": "ou_1", "webhook": robots.URL("/feishu"), "secret": "s"}}})
	require.NotContains(t, admin.must(t, "GET", "/api/person/ada", nil).body, "secret")
	admin.publish(t, toldService)
	number := admin.openService(t, "told", nil)
	admin.must(t, "POST", "/api/issue/"+number+"/conversation", map[string]any{"author": "opa", "content": "@cleo and @bob: is that right?"})
	harness.Until(t, "the SLA warned", time.Minute, func() error {
		for _, e := range admin.timeline(t, number) {
			if e.Type == "sla_warned" {
				return nil
			}
		}
		return fmt.Errorf("not yet")
	})
	// Nothing has arrived, and the ticket does not wait for it.
	admin.act(t, number, "ada", "approve", "boss", nil)
	admin.act(t, number, "bob", "approve", "boss", nil)
	require.Equal(t, "CLOSED", admin.issue(t, number).Status)
	require.Empty(t, server.Mails())

	robots.Answer("/wecom", harness.Response{Body: `{"errcode":0,"errmsg":"ok"}`})
	server.Refuse(nil)
	mails := func(to string) (list []mailtest.Mail) {
		for _, m := range server.Mails() {
			if m.To == to {
				list = append(list, m)
			}
		}
		return list
	}
	harness.Until(t, "the mails", 3*time.Minute, func() error {
		if a, b := len(mails("ada@example.com")), len(mails("bob@example.com")); a < 2 || b < 1 {
			return fmt.Errorf("%d and %d have come", a, b)
		}
		return nil
	})
	link := "https://box.example.com/ticket/" + number
	ada := mails("ada@example.com")
	require.True(t, strings.HasPrefix(ada[0].Subject, "请您审批：主管审批"), ada[0].Subject)
	require.True(t, strings.HasPrefix(ada[1].Subject, "SLA 即将超时：resolve"), ada[1].Subject)
	for _, m := range ada {
		require.Contains(t, m.Text, link)
		require.Contains(t, m.Text, "截止时间：")
		require.Contains(t, m.Text, "(UTC+08:00)")
	}
	digest := mails("bob@example.com")[0]
	require.Contains(t, digest.Subject, "News of your tickets")
	for _, part := range []string{"You are asked to approve or reject: 主管审批", "opa mentioned you", "SLA at risk: resolve", link} {
		require.Contains(t, digest.Text, part)
	}
	said := func(path string) (texts []string) {
		for _, r := range robots.Requests(path) {
			if r.Answered == http.StatusOK {
				texts = append(texts, string(r.Body))
			}
		}
		return texts
	}
	harness.Until(t, "the robots", time.Minute, func() error {
		if len(said("/wecom")) < 2 || len(said("/feishu")) < 1 {
			return fmt.Errorf("%d and %d", len(said("/wecom")), len(said("/feishu")))
		}
		return nil
	})
	var wecom struct {
		Text struct {
			Content   string
			Mentioned []string `json:"mentioned_list"`
		}
	}
	require.NoError(t, json.Unmarshal([]byte(said("/wecom")[0]), &wecom))
	require.Equal(t, []string{"ada.l"}, wecom.Text.Mentioned)
	require.True(t, strings.HasPrefix(wecom.Text.Content, "请您审批"))
	require.Contains(t, said("/wecom")[1], "SLA 即将超时")
	require.Contains(t, said("/feishu")[0], `"sign":"`)
	require.Contains(t, said("/feishu")[0], "opa mentioned you")

	// All of it is seen on the ticket, try by try, and can be delivered again.
	type way struct{ ID, Person, Way string }
	listed := items[way](t, admin.must(t, "GET", "/api/issue/"+number+"/notification", nil))
	var ways []string
	for _, w := range listed {
		ways = append(ways, w.Person+" "+w.Way)
	}
	slices.Sort(ways)
	require.Equal(t, []string{"ada mail", "ada wecom", "bob mail", "cleo feishu"}, ways)
	first := listed[slices.IndexFunc(listed, func(w way) bool { return w.Person == "ada" && w.Way == "mail" })]
	sent := admin.deliveries(t, number, first.ID)
	require.Len(t, sent, 2)
	require.Greater(t, len(sent[0].Attempts), 1, "the first was refused for a while")
	admin.must(t, "POST", "/api/issue/"+number+"/notification/"+first.ID+"/deliveries/"+sent[0].ID+"/redeliver", nil)
	harness.Until(t, "the mail once more", time.Minute, func() error {
		if n := len(mails("ada@example.com")); n < 3 {
			return fmt.Errorf("%d have come", n)
		}
		return nil
	})
	require.Equal(t, ada[0].ID, mails("ada@example.com")[2].ID, "the same mail")
}

// TestDevelopmentHasAMailbox in which the mails are that nobody was sent.
func TestDevelopmentHasAMailbox(t *testing.T) {
	t.Parallel()
	d := sharedDev(t)
	admin := d.caller()
	admin.must(t, "PUT", "/api/person/mia", map[string]any{"email": "mia@example.com"})
	number := admin.open(t)
	admin.must(t, "POST", "/api/issue/"+number+"/conversation", map[string]any{"author": "opa", "content": "@mia please"})
	browser := signedIn(t, d.api)
	harness.Until(t, "the mail is in the mailbox", time.Minute, func() error {
		response, err := browser.Get(d.api + "/mailbox")
		if err != nil {
			return err
		}
		defer response.Body.Close()
		page, err := io.ReadAll(response.Body)
		if err == nil && (response.StatusCode != http.StatusOK || !strings.Contains(string(page), number) || !strings.Contains(string(page), "mia@example.com")) {
			err = fmt.Errorf("%d, without it", response.StatusCode)
		}
		return err
	})
}

var formToken = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// signedIn is a browser of somebody who has signed in to the pages.
func signedIn(t testing.TB, base string) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	browser := &http.Client{Jar: jar}
	response, err := browser.Get(base + "/login")
	require.NoError(t, err)
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	token := formToken.FindSubmatch(page)
	require.NotNil(t, token)
	response, err = browser.PostForm(base+"/login", url.Values{"csrf": {string(token[1])}, "return": {"/mailbox"}, "code": {"demo"}, "secret": {"demo-secret"}, "operator": {"mia"}})
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode)
	return browser
}
