package console_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"signalbox/console"
	"signalbox/desk"
	"signalbox/notice"
	"signalbox/ticket"
)

// troubled is a tenant's ticket whose address was told in vain, and a lasting subscription that some reached; it gives their deliveries, the newest first.
func troubled(t testing.TB, h *site) (k *kept, own string, sub notice.Subscription) {
	t.Helper()
	r := h.records
	k = r.open(t, "north", ticket.Draft{Channel: ticket.ChannelIssue, App: "shop", Origin: "x", Title: "Slow"})
	own = r.register(t, k, "https://partner.example.com/hook?a='1'")
	sub = r.follow(t, "north", "https://stream.example.com/box", notice.Filter{})
	r.do(t, k, ticket.Command{Action: ticket.Relate, Operator: "bot", Relation: &ticket.Relation{Type: "host", Content: []string{"db-1"}}})
	failed := try(1, 503, notice.ErrorStatus, "the receiver answered 503 <b>Service</b> Unavailable", "<script>alert(1)</script>", 1240*time.Millisecond)
	failed.Sent = map[string]string{"Content-Type": "application/json", "Webhook-Signature": "v1,abc", "Authorization": notice.Redacted, "Content-Length": "9"}
	failed.Header = map[string]string{"Server": "nginx"}
	r.Tried(r.Waiting(own)[0], notice.Failed, try(0, 0, notice.ErrorTimeout, "no answer within 10 s", "", 10*time.Second), failed)
	for i, w := range r.Waiting(sub.ID) {
		then := notice.Sent
		if i == 0 {
			then = notice.Failed
		}
		r.Tried(w, then, try(2, 200, "", "", "ok", time.Millisecond))
	}
	r.now = r.now.Add(time.Hour)
	return k, own, sub
}

func (r *records) stateOf(t testing.TB, id string) notice.DeliveryState {
	t.Helper()
	d, err := r.TenantDelivery(t.Context(), "north", id)
	require.NoError(t, err)
	return d.State
}

// rowsOf gives the ids of the deliveries that a list shows.
func rowsOf(p answer) (ids []string) {
	for _, n := range p.all(func(n *html.Node) bool {
		return n.Data == "a" && strings.HasPrefix(attr(n, "href"), "/deliveries/msg_")
	}) {
		ids = append(ids, strings.TrimPrefix(attr(n, "href"), "/deliveries/"))
	}
	return ids
}

// What is in trouble is listed first, and anything by state, host, address, subscription and time.
func TestDeliveriesOfATenantAreListed(t *testing.T) {
	h := newSite(t)
	b := h.visitor(t, "shop")
	require.Contains(t, words(b.get("/deliveries").root), "Everything has arrived.")
	k, own, sub := troubled(t, h)
	p := b.get("/deliveries")
	sound(t, "/deliveries", p)
	require.Len(t, rowsOf(p), 2, "one of the ticket's address, one of the subscription's")
	results := words(p.one("results"))
	require.Contains(t, results, "2 deliveries")
	require.Contains(t, results, "wrong status 503 try 2")
	require.Contains(t, p.Body, `href="/ticket/`+k.ticket.Number+`"`)
	every := len(rowsOf(b.get("/deliveries?state=all")))
	require.Greater(t, every, 2)
	at := func(at time.Time) string { return url.QueryEscape(at.Format(time.RFC3339)) }
	for query, n := range map[string]int{
		"state=failed": 2, "state=sent": every - 2, "state=held": 0, "host=PARTNER.example.com": 1, "host=nobody.example.com": 0, "state=all&subscription=" + sub.ID: every - 1,
		"state=all&subscription=" + own: 1, "address=" + url.QueryEscape("https://stream.example.com/box"): 1, "state=all&from=" + at(h.records.now.Add(time.Hour)): 0,
		"state=all&to=" + at(began.Add(-time.Hour)): 0, "state=all&from=" + at(began.Add(-time.Hour)): every,
	} {
		require.Len(t, rowsOf(b.get("/deliveries?"+query)), n, query)
	}
	for _, query := range []string{"state=x", "from=soon", "host=%00", "cursor=x", "from=" + at(h.records.now) + "&to=" + at(began)} {
		require.Equal(t, http.StatusBadRequest, b.get("/deliveries?"+query).Status, query)
	}
	stranger := h.visitor(t, "other")
	require.Empty(t, rowsOf(stranger.get("/deliveries?state=all")))
	for i := range 60 {
		h.records.do(t, k, ticket.Command{Action: ticket.Say, Operator: "bot", Message: &ticket.Message{ID: fmt.Sprint(i), Author: "bot", Content: "slow"}})
	}
	p = b.get("/deliveries?state=all&subscription=" + sub.ID)
	require.Len(t, rowsOf(p), 50)
	next := attr(p.all(func(n *html.Node) bool { return attr(n, "rel") == "next" })[0], "href")
	require.Len(t, rowsOf(b.get(next)), every-1+60-50)
	require.Less(t, len(p.Body), 100_000)
	b.headers["Accept-Language"] = "zh"
	require.Contains(t, words(b.get("/deliveries").root), "状态码不符 503 第 2 次")
}

// The list of a subscription's deliveries, and each of them, lead to its page, whosever it is, also where none of those is listed that are asked for.
func TestDeliveriesLeadToTheirSubscription(t *testing.T) {
	h := newSite(t)
	b := h.visitor(t, "shop")
	k, own, sub := troubled(t, h)
	for id, path := range map[string]string{own: "/ticket/" + k.ticket.Number + "/deliveries/" + own, sub.ID: "/subscriptions/" + sub.ID} {
		require.Equal(t, http.StatusOK, b.get(path).Status)
		pages := []string{"/deliveries?subscription=" + id, "/deliveries?state=all&subscription=" + id, "/deliveries?state=held&subscription=" + id}
		for _, delivery := range rowsOf(b.get(pages[1])) {
			pages = append(pages, "/deliveries/"+delivery)
		}
		for _, from := range pages {
			require.Contains(t, b.get(from).Body, `href="`+path+`"><code>`+id, from)
		}
	}
	require.NotContains(t, b.get("/deliveries?subscription=sub_none").Body, `sub_none"><code>`)
	stranger := h.visitor(t, "other")
	require.NotContains(t, stranger.get("/deliveries?subscription="+own).Body, k.ticket.Number, "of others nothing is told")
}

// One delivery shows what was sent beside what was answered, and a command that sends it without what is secret.
func TestADeliveryIsShownWithRequestAndAnswer(t *testing.T) {
	h := newSite(t)
	b := h.visitor(t, "shop")
	k, own, sub := troubled(t, h)
	id := rowsOf(b.get("/deliveries?subscription=" + own))[0]
	path := "/deliveries/" + id
	p := b.get(path)
	sound(t, path, p)
	last := words(p.one("last").Parent)
	for _, part := range []string{"try 2 wrong status 503", "the receiver answered 503 <b>Service</b> Unavailable", "Request", "Webhook-Signature v1,abc", "Authorization [redacted]", `"type":"relations"`, "Answer 503 Server nginx", "<script>alert(1)</script>"} {
		require.Contains(t, last, part)
	}
	require.Contains(t, words(p.one("tries").Parent), "try 1 too slow")
	require.Contains(t, p.Body, `href="/ticket/`+k.ticket.Number+`"`)
	require.Contains(t, p.Body, `href="/ticket/`+k.ticket.Number+`/deliveries/`+own+`"`)
	command := raw(p.one("the-curl"))
	require.True(t, strings.HasPrefix(command, `curl -i 'https://partner.example.com/hook?a='\''1'\''' \`), command)
	require.Contains(t, command, `-H 'Authorization: [redacted]'`)
	require.NotContains(t, command, "Content-Length")
	body := b.get(path + "/body")
	require.Equal(t, "text/plain; charset=utf-8", body.Header.Get("Content-Type"))
	require.Contains(t, body.Body, `"type":"relations"`)

	lasting := rowsOf(b.get("/deliveries?state=sent&subscription=" + sub.ID))[0]
	require.Contains(t, b.get("/deliveries/"+lasting).Body, `href="/subscriptions/`+sub.ID+`"`)
	stranger := h.visitor(t, "other")
	for _, odd := range []string{path, path + "/body"} {
		require.Equal(t, http.StatusNotFound, stranger.get(odd).Status, odd)
	}
	for _, odd := range []string{"/deliveries/nothing", "/deliveries/%00", path + "/nothing", "/deliveries/again/nothing"} {
		require.Equal(t, http.StatusNotFound, b.get(odd).Status, odd)
	}
}

// One, some, or all of a filter are delivered again; a form that is sent twice does it once.
func TestDeliveriesAreDeliveredAgain(t *testing.T) {
	var begun []string
	var hastened []notice.Lane
	h := newSite(t, func(c *console.Config) {
		c.Begin = func(_ context.Context, id string) { begun = append(begun, id) }
		c.Hasten = func(_ context.Context, l notice.Lane) { hastened = append(hastened, l) }
	})
	b := h.visitor(t, "shop")
	_, own, sub := troubled(t, h)
	id := rowsOf(b.get("/deliveries?subscription=" + own))[0]
	path := "/deliveries/" + id

	// One.
	form := b.get(path).filled(path + "/again")
	for range 2 {
		require.Contains(t, words(b.led(b.post(path+"/again", form)).one("notice")), "It is on its way again")
	}
	require.Equal(t, notice.Pending, h.records.stateOf(t, id))
	require.NotContains(t, b.get(path).forms(), path+"/again")
	require.Contains(t, words(b.led(b.post(path+"/again", b.get("/settings").filled("/settings"))).one("notice")), "still being tried")

	// Retrying: now, or no more.
	next := began.Add(90 * time.Minute)
	h.records.TriedAs(notice.Result{Work: h.records.Waiting(own)[0], Then: notice.Retrying, NextTry: &next}, try(4, 500, notice.ErrorStatus, "no", "", time.Second))
	b.led(b.does(path, path+"/try", nil))
	require.Len(t, hastened, 1)
	b.led(b.does(path, path+"/cancel", nil))
	require.Equal(t, notice.Cancelled, h.records.stateOf(t, id))
	require.Len(t, hastened, 2)
	_, more, err := h.records.Outbox.Next(t.Context(), hastened[1]) // as its workflow does
	require.NoError(t, err)
	require.False(t, more)

	// Those that were chosen, each by itself.
	lasting := rowsOf(b.get("/deliveries?state=all&subscription=" + sub.ID))
	list := b.get("/deliveries?state=all")
	form = list.filled("/deliveries/selected")
	require.Contains(t, words(b.led(b.post("/deliveries/selected", form)).one("notice")), "Choose the deliveries first")
	form = list.filled("/deliveries/selected")
	form["delivery"] = []string{id, lasting[len(lasting)-1], "msg_nothing"}
	for range 2 {
		p := b.post("/deliveries/selected", form)
		require.Equal(t, "/deliveries?state=all", p.Header.Get("Location"))
		require.Contains(t, words(b.led(p).one("notice")), "2 of 3 deliveries are on their way again. The others: there is no such delivery")
	}
	require.Equal(t, []notice.DeliveryState{notice.Pending, notice.Pending}, []notice.DeliveryState{h.records.stateOf(t, id), h.records.stateOf(t, lasting[len(lasting)-1])})

	// All of a filter: counted first, and watched.
	h.records.Tried(h.records.Waiting(own)[0], notice.Failed)
	for _, w := range h.records.Waiting(sub.ID) {
		h.records.Tried(w, notice.Failed)
	}
	h.records.now = h.records.now.Add(time.Minute)
	all := len(rowsOf(b.get("/deliveries?state=failed")))
	require.Greater(t, all, 1)
	count := b.get("/deliveries/again?state=failed")
	sound(t, "/deliveries/again", count)
	require.Contains(t, words(count.root), fmt.Sprintf("%d deliveries to 2 addresses", all))
	require.Len(t, rowsOf(b.get("/deliveries?state=failed")), all, "nothing has happened yet")
	form = count.filled("/deliveries/again")
	p := b.post("/deliveries/again", form)
	watch := p.Header.Get("Location")
	require.True(t, strings.HasPrefix(watch, "/deliveries/again/"), watch)
	require.Equal(t, watch, b.post("/deliveries/again", form).Header.Get("Location"), "the same form again is the same redelivery")
	p = b.led(p)
	sound(t, watch, p)
	require.Contains(t, words(p.one("progress")), fmt.Sprintf("0 of %d are on their way again", all))
	require.Equal(t, watch, attr(p.one("progress"), "hx-get"))
	begun = begun[:2]
	for _, id := range begun {
		h.records.GoOn(id)
	}
	p = b.get(watch)
	require.Contains(t, words(p.one("progress")), fmt.Sprintf("%d of %d are on their way again", all, all))
	require.False(t, hasAttr(p.one("progress"), "hx-get"), "it is over")
	require.Empty(t, rowsOf(b.get("/deliveries?state=failed")))
	require.Contains(t, words(b.get("/deliveries/again?state=failed").root), "There is nothing that can be delivered again now.")
	require.Contains(t, words(b.led(b.post("/deliveries/again", freshly(b, form))).one("notice")), "There is nothing")
	for _, bad := range []string{"state=parked", "state=all", "state=x", "from=x"} {
		require.Equal(t, http.StatusBadRequest, b.get("/deliveries/again?"+bad).Status, bad)
	}
	require.Equal(t, http.StatusNotFound, h.visitor(t, "other").get(watch).Status)
}

// freshly gives a form with the guard and key of another page.
func freshly(b *browser, form url.Values) url.Values {
	out := b.get("/settings").filled("/settings")
	for name, values := range form {
		if out[name] == nil {
			out[name] = values
		}
	}
	return out
}

// What cannot be told again as a whole is named, with the reason.
func TestWhatCannotBeDeliveredAgainIsNamed(t *testing.T) {
	h := newSite(t)
	b := h.visitor(t, "shop")
	_, _, sub := troubled(t, h)
	b.led(b.does("/subscriptions/"+sub.ID, "/subscriptions/"+sub.ID+"/pause", nil))
	p := b.get("/deliveries/again?state=failed")
	sound(t, "/deliveries/again", p)
	require.Contains(t, words(p.root), "1 delivery to 1 address")
	require.Contains(t, words(p.root), "These cannot be told again now "+sub.ID+" the subscription is paused")
	require.Contains(t, p.Body, `<a href="/subscriptions/`+sub.ID+`"><code>`)
	k, _ := told(t, h.records)
	registered, _, err := h.records.Registered(t.Context(), k.ticket.ID, "", ticket.MaxPage)
	require.NoError(t, err)
	i := slices.IndexFunc(registered, func(r notice.Registration) bool { return r.State == notice.Dropped })
	path := at(k) + "/deliveries/" + registered[i].ID
	require.Contains(t, b.get("/deliveries/again?state=failed").Body, `<a href="`+path+`"><code>`, "an address of a ticket is on the ticket's page")
	require.Equal(t, http.StatusOK, b.get(path).Status)
	require.Contains(t, words(b.get("/deliveries?state=failed&subscription="+sub.ID).one("results")), "paused")
}

// Whoever may only read sees deliveries and sends none; those of another tenant are not there.
func TestWhoMayDeliverAgain(t *testing.T) {
	h := newSite(t)
	h.apps.set(desk.App{Code: "reader", Tenant: "north", Scopes: []desk.Scope{desk.Read}})
	_, own, _ := troubled(t, h)
	reader := h.visitor(t, "reader")
	id := rowsOf(reader.get("/deliveries?subscription=" + own))[0]
	path := "/deliveries/" + id
	require.Equal(t, []string{"/logout"}, reader.get(path).forms())
	require.Empty(t, reader.get("/deliveries").all(func(n *html.Node) bool { return attr(n, "type") == "checkbox" }))
	guard := reader.get("/settings").filled("/settings")
	guard["delivery"], guard["state"] = []string{id}, []string{"failed"}
	require.Equal(t, http.StatusForbidden, reader.get("/deliveries/again?state=failed").Status)
	for _, action := range []string{"/deliveries/selected", "/deliveries/again", path + "/again", path + "/try", path + "/cancel"} {
		require.Equal(t, http.StatusForbidden, reader.post(action, guard).Status, action)
	}
	stranger := h.visitor(t, "other")
	h.apps.set(desk.App{Code: "other", Tenant: "south", Scopes: []desk.Scope{desk.Write}})
	guard = stranger.get("/settings").filled("/settings")
	guard["delivery"] = []string{id}
	for _, action := range []string{path + "/again", path + "/try", path + "/cancel"} {
		require.Equal(t, http.StatusNotFound, stranger.post(action, guard).Status, action)
	}
	require.Contains(t, words(stranger.led(stranger.post("/deliveries/selected", guard)).one("notice")), "0 of 1")
	require.Equal(t, notice.Failed, h.records.stateOf(t, id))
}
