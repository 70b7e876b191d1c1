package setup

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"
	"golang.org/x/sync/errgroup"

	"signalbox/activities"
	"signalbox/api"
	"signalbox/desk"
	"signalbox/notice"
)

// installation is a product that listens, and delivers what is pending.
type installation struct {
	product
	url    string
	secret string
}

// partitions is how many there are where no setting says so.
const partitions = 16

func newInstallation(t *testing.T) installation {
	t.Helper()
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	p := newProduct(t, api.Config{Callbacks: api.Callbacks{CallbackAllow: loopback}}, func(s *APISettings) {
		s.PublishAnonymous, s.PublishTenant = true, "north"
	})
	secret, err := p.container.Store.CreateApp(t.Context(), desk.App{Code: "shop", Tenant: "north", Scopes: []desk.Scope{desk.Write}})
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var running errgroup.Group
	running.Go(func() error { return p.server.Serve(l) })

	deliveries, err := p.container.deliveries(WorkerSettings{Callbacks: api.Callbacks{CallbackAllow: loopback}}, partitions, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	deliveries.Lanes = onward{deliveries: deliveries, running: &running}
	stop := make(chan struct{})
	for part := range partitions {
		var suite testsuite.WorkflowTestSuite
		suite.SetLogger(slog.New(slog.DiscardHandler))
		env := suite.NewTestActivityEnvironment()
		env.RegisterActivity(deliveries)
		env.SetTestTimeout(10 * time.Minute)
		env.SetWorkerStopChannel(stop)
		running.Go(func() error {
			_, err := env.ExecuteActivity(deliveries.Drain, activities.DrainInput{Partition: part})
			return err
		})
	}
	t.Cleanup(func() {
		close(stop)
		require.NoError(t, p.server.Shutdown(context.WithoutCancel(t.Context())))
		require.NoError(t, running.Wait())
	})
	return installation{p, "http://" + l.Addr().String(), secret}
}

// onward goes on with a lane that is retrying as its workflow does, but without waiting: where the machine is busy a try may take longer than it has.
type onward struct {
	activities.Lanes
	deliveries *activities.Deliveries
	running    *errgroup.Group
}

func (o onward) Start(ctx context.Context, lane notice.Lane, _ time.Duration) error {
	ctx = context.WithoutCancel(ctx)
	o.running.Go(func() error {
		for {
			next, err := o.deliveries.Next(ctx, lane)
			if err != nil || !next.Found {
				return err
			}
			// What a try failed of is written down, and the next one follows.
			_, _ = o.deliveries.Deliver(ctx, activities.DeliverInput{Lane: lane, Delivery: next.Delivery})
		}
	})
	return nil
}

// follow has what others publish here sent to an address.
func (i installation) follow(to, format string) (subscription string) {
	i.Helper()
	var made struct{ Result struct{ ID string } }
	a := i.must(i.call("POST", "/api/subscription", i.secret, object{"url": to, "format": format, "source": "shop"}))
	require.NoError(i, json.Unmarshal([]byte(a.body), &made))
	return made.Result.ID
}

func (i installation) publish() {
	i.Helper()
	i.must(i.call("POST", "/api/publish", i.secret, object{"event_source": "shop", "event_topic": "stock", "event_type": "low", "event_status": "1", "changes": []string{"x"}}))
}

// hops are those of all that was published here, in order.
func (i installation) hops() (list []int) {
	i.Helper()
	rows, err := i.raw.Query(`SELECT hops FROM stream WHERE source = 'shop' ORDER BY at, id`)
	require.NoError(i, err)
	defer rows.Close()
	for rows.Next() {
		var n int
		require.NoError(i, rows.Scan(&n))
		list = append(list, n)
	}
	require.NoError(i, rows.Err())
	return list
}

// settled waits until nothing is on its way.
func settled(t *testing.T, all ...installation) {
	t.Helper()
	require.Eventually(t, func() bool {
		for _, i := range all {
			pending, retrying, err := i.container.Store.Outbox.Backlog(t.Context())
			if err != nil || pending+retrying > 0 {
				return false
			}
		}
		return true
	}, time.Minute, 10*time.Millisecond)
}

type logged struct {
	ID       string
	State    notice.DeliveryState
	Hops     int
	Attempts []struct {
		HTTPStatus int `json:"http_status"`
		Headers    map[string]string
		Answer     string
	}
}

// log is what a subscription was sent, newest first.
func (i installation) log(subscription string) []logged {
	i.Helper()
	var list struct{ Result struct{ Items []logged } }
	a := i.must(i.call("GET", "/api/subscription/"+subscription+"/deliveries", i.secret, nil))
	require.NoError(i, json.Unmarshal([]byte(a.body), &list))
	return list.Result.Items
}

// A subscription that leads back to where its events come from ends with the ninth hop, once and for all.
func TestAnEventThatLeadsBackToItselfEnds(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"publish", "event"} { // whose body /api/publish takes as well
		t.Run(format, func(t *testing.T) {
			i := newInstallation(t)
			sub := i.follow(i.url+"/api/publish", format)
			i.publish()
			settled(t, i)
			require.Equal(t, []int{0, 1, 2, 3, 4, 5, 6, 7, 8}, i.hops())
			log := i.log(sub)
			require.Len(t, log, 9)
			for n, d := range log[1:] {
				require.Equal(t, notice.Sent, d.State)
				require.Equal(t, 7-n, d.Hops)
			}
			last := log[0]
			require.Equal(t, notice.Failed, last.State)
			require.Equal(t, 8, last.Hops)
			require.Len(t, last.Attempts, 1, "what is in a loop is not tried again")
			require.Equal(t, http.StatusLoopDetected, last.Attempts[0].HTTPStatus)
			require.Contains(t, last.Attempts[0].Answer, `"code":"508"`)
			require.Equal(t, "signalbox-"+i.container.Installation+"; hops=9", last.Attempts[0].Headers["Cdn-Loop"])
		})
	}
}

func TestAnEventThatLeadsBackByAnotherInstallationEnds(t *testing.T) {
	t.Parallel()
	a, b := newInstallation(t), newInstallation(t)
	require.NotEqual(t, a.container.Installation, b.container.Installation)
	there, back := a.follow(b.url+"/api/publish", "publish"), b.follow(a.url+"/api/publish", "event")
	for n := range 3 {
		a.publish()
		settled(t, a, b)
		require.Len(t, a.hops(), 5*(n+1))
		require.Len(t, b.hops(), 4*(n+1))
	}
	require.Equal(t, []int{0, 2, 4, 6, 8}, a.hops()[:5])
	require.Equal(t, []int{1, 3, 5, 7}, b.hops()[:4])
	last := a.log(there)[0]
	require.Equal(t, notice.Failed, last.State)
	require.Equal(t, "signalbox-"+a.container.Installation+"; hops=9", last.Attempts[0].Headers["Cdn-Loop"])
	require.Equal(t, "signalbox-"+b.container.Installation+"; hops=8", b.log(back)[0].Attempts[0].Headers["Cdn-Loop"])
}

// What a request that came by hops does to a ticket carries them on, at every door, and one that came too far does nothing there.
func TestHopsAreCarriedOnAndBoundedAtEveryDoor(t *testing.T) {
	p := newProduct(t, api.Config{})
	secret, err := p.container.Store.CreateApp(t.Context(), desk.App{Code: "boss", Tenant: "north", Scopes: []desk.Scope{desk.Admin}})
	require.NoError(t, err)
	loop := func(hops int) []string {
		return []string{"CDN-Loop", fmt.Sprintf("cloudflare; loops=2, signalbox-x; hops=%d", hops)}
	}
	// hops are those of what happened last, which is the n-th of all.
	hops := func() (hops, n int) {
		t.Helper()
		var content string
		require.NoError(t, p.raw.QueryRow(`SELECT content, (SELECT COUNT(*) FROM events) + (SELECT COUNT(*) FROM stream) FROM (
			SELECT content, at FROM events UNION ALL SELECT '{"hops": ' || hops || '}', at FROM stream) x ORDER BY at DESC LIMIT 1`).Scan(&content, &n))
		require.NoError(t, json.Unmarshal([]byte(content), &struct{ Hops *int }{&hops}))
		return hops, n
	}
	sent := func() (hops int) {
		t.Helper()
		require.NoError(t, p.raw.QueryRow(`SELECT hops FROM deliveries ORDER BY created_at DESC, id DESC LIMIT 1`).Scan(&hops))
		return hops
	}
	p.must(p.call("POST", "/api/subscription", secret, object{"url": "https://example.com/all"}))
	number := p.must(p.call("POST", "/api/issue", secret, object{"origin": "a", "title": "b"}, loop(3)...)).word("result")
	require.Equal(t, 3, sent())
	for n, c := range []struct {
		path string
		body any
		code string
	}{
		{"/api/issue/" + number + "/handle", object{"action": "accept", "operator": "li"}, ""},
		{"/v1/exceptions/" + number + "/callback", object{"callbackType": "STATUS_UPDATE", "externalSystem": "jira", "externalIssueId": "J-1", "status": "ASSIGNED", "assignee": "wu",
			"updatedAt": time.Now().UTC().Format(time.RFC3339)}, `"MTCH-0006"`},
		{"/v1/external/incident/handle", object{"incident_num": number, "operator": "zhao", "operate_key": "commitSolution1",
			"parameter": object{"mtm_type": "inc_type_p_config_issues", "is_service_interrupt": false, "cause": "c", "solution": "s"}}, `"GOM.00007508"`},
		{"/openapi/ticket/operate_ticket/", object{"sn": number, "operator": "li", "action_type": "SUSPEND", "action_message": "x"}, "1650801"},
		{"/api/publish", object{"event_source": "shop", "event_topic": "stock", "event_type": "low", "event_status": "1", "changes": []string{"x"}}, `"508"`},
	} {
		_, before := hops()
		a := p.call("POST", c.path, secret, c.body, loop(9)...)
		require.Equal(t, http.StatusLoopDetected, a.status, "%s: %s", c.path, a.body)
		require.Contains(t, a.body, c.code)
		_, after := hops()
		require.Equal(t, before, after, "it did nothing")
		p.must(p.call("POST", c.path, secret, c.body, loop(8-n)...))
		last, _ := hops()
		require.Equal(t, 8-n, last, c.path)
	}
	require.Equal(t, 4, sent())
	a := p.call("GET", "/api/issue/"+number, secret, nil, loop(9)...)
	require.Equal(t, http.StatusOK, a.status, "reading leads nowhere")
	p.must(p.call("POST", "/api/issue/"+number+"/conversation", secret, object{"author": "li", "content": "by hand"}))
	require.Zero(t, sent())
}
