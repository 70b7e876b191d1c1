package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"signalbox/cmd/dev/e2e/harness"
	"signalbox/store/postgrestest"
)

// release is a version of the product's programs.
type release struct {
	build   string // its name, as a build of Temporal's worker versioning too
	program func(t testing.TB, name string) string
}

// versionBefore is the one that testdata/previous names, made of its source.
func versionBefore(t testing.TB) release {
	t.Helper()
	text, err := os.ReadFile("testdata/previous")
	require.NoError(t, err)
	fields := strings.Fields(string(text)) // a commit or tag, and the number of its last migration, by which the tests of migrations go
	require.Len(t, fields, 2)
	source := harness.Source(t, root, fields[0])
	migrations, err := filepath.Glob(filepath.Join(source, "migrations", "*.sql"))
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("%05s", fields[1]), filepath.Base(migrations[len(migrations)-1])[:5], "testdata/previous")
	return release{"before", func(t testing.TB, name string) string {
		t.Helper()
		return harness.Build(t, source, "./cmd/"+name)
	}}
}

func thisVersion() release { return release{"now", binary} }

// deploymentName is what the workers of these tests are versioned under.
const deploymentName = "signalbox"

// upgrade is a production whose programs are replaced by those of another version while callers are at work: two APIs behind a balancer, and a worker for each queue.
type upgrade struct {
	*production
	t         *testing.T
	versioned bool
	engine    client.Client
	addresses [2]string
	apis      [2]*harness.Process
	workers   []*harness.Process

	c       *caller // by the balancer
	r       *harness.Receiver
	careful *load
	once    *impatient
	stream  *publisher
}

func startUpgrade(t *testing.T, before release, versioned bool) *upgrade {
	t.Helper()
	temporal, n := sharedTemporal(t)
	// What failed is tried again after a while in which processes are replaced, and given up long after that.
	p := startProductionOf(t, before.program, temporal, fmt.Sprint("upgrade-", n), postgrestest.Start(t),
		"SIGNALBOX_STOP_DELAY="+stopDelay.String(), "SIGNALBOX_PROFILE_INTERVALS=minutely:15s", "SIGNALBOX_SWEEP_EVERY=2s")
	u := &upgrade{production: p, t: t, versioned: versioned, r: harness.NewReceiver(t), engine: dialTemporal(t, temporal.address, p.namespace)}
	u.addresses = [2]string{p.api[len("http://"):], fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t))}
	u.apis = [2]*harness.Process{p.apis, p.startOneAPI(t, u.addresses[1])}
	u.startWorkers(before)
	u.current(before)
	u.c = newCaller(startBalancer(t, "http://"+u.addresses[0], "http://"+u.addresses[1]), bootstrapSecret)
	u.careful = startLoad(t, u.r, 2, u.c)
	u.once = startImpatient(t, 1, u.c)
	u.stream = startPublisher(u)
	return u
}

// work waits until callers have done some more of everything.
func (u *upgrade) work() {
	u.t.Helper()
	u.careful.awaitMore(30, 2*time.Minute)
	u.once.await(u.t, 10)
	u.stream.awaitMore(u.t, 5)
}

func (u *upgrade) startWorkers(of release) {
	u.t.Helper()
	env := u.env
	defer func() { u.env = env }()
	if u.versioned {
		u.env = append(slices.Clone(env), "SIGNALBOX_DEPLOYMENT_NAME="+deploymentName, "SIGNALBOX_BUILD_ID="+of.build)
	}
	u.program = of.program
	u.workers = []*harness.Process{u.startWorker(u.t, "tickets"), u.startWorker(u.t, "deliveries")}
}

// ramp has Temporal give a share of the tickets to a build, and current all of them. Either is refused until Temporal knows the build's workers for both queues.
func (u *upgrade) ramp(to release, percentage float32) {
	u.t.Helper()
	harness.Until(u.t, "a share goes to "+to.build, time.Minute, func() error {
		_, err := u.engine.WorkerDeploymentClient().GetHandle(deploymentName).SetRampingVersion(u.t.Context(),
			client.WorkerDeploymentSetRampingVersionOptions{BuildID: to.build, Percentage: percentage})
		return err
	})
}

func (u *upgrade) current(to release) {
	u.t.Helper()
	if !u.versioned {
		return
	}
	harness.Until(u.t, to.build+" is current", time.Minute, func() error {
		_, err := u.engine.WorkerDeploymentClient().GetHandle(deploymentName).SetCurrentVersion(u.t.Context(), client.WorkerDeploymentSetCurrentVersionOptions{BuildID: to.build})
		return err
	})
}

// replaceWorkers does as docs/operations.md says: those of the other version are there before those that there are end. With versioning, lanes that wait stay with the build on which they began, which
// goes when they are through; drained waits for that.
func (u *upgrade) replaceWorkers(to release, drained func()) {
	u.t.Helper()
	old := u.workers
	u.startWorkers(to)
	u.work()
	if u.versioned {
		u.ramp(to, 25)
		u.work()
		u.current(to)
		u.work()
		drained()
	}
	for _, w := range old {
		require.Zero(u.t, w.Terminate(time.Minute), w.Logs())
		u.work()
	}
	u.careful.sofar("workers are those of " + to.build)
}

func (u *upgrade) replaceAPIs(to release) {
	u.t.Helper()
	u.program = to.program
	for i := range u.apis {
		require.Zero(u.t, u.apis[i].Terminate(time.Minute), u.apis[i].Logs())
		u.apis[i] = u.startOneAPI(u.t, u.addresses[i])
		time.Sleep(2 * askReady) // the balancer hears of it
		u.work()
	}
	u.careful.sofar("APIs are those of " + to.build)
}

// migrated runs migrate of a version, and the command of it that is given.
func (u *upgrade) migrated(of release, args ...string) {
	u.t.Helper()
	u.program = of.program
	code, said := u.migrate(u.t, args...)
	require.Zero(u.t, code, said)
}

// publisher publishes numbers under one key, one after the other, for one lasting subscription, and reads in between what others read. What may be repeated under its key it repeats.
type publisher struct {
	u *upgrade

	mu     sync.Mutex
	said   int
	failed []string

	stop context.CancelFunc
	all  sync.WaitGroup
}

const streamed = "/stream" // at the receiver

func startPublisher(u *upgrade) *publisher {
	u.t.Helper()
	ctx, stop := context.WithCancel(u.t.Context())
	p := &publisher{u: u, stop: stop}
	u.c.must(u.t, "POST", "/api/subscription", map[string]any{"url": u.r.URL(streamed), "topic": "upgrade"})
	p.all.Go(func() {
		for n := 1; ctx.Err() == nil; n++ {
			p.round(n)
		}
	})
	u.t.Cleanup(func() { stop(); p.all.Wait() })
	return p
}

func (p *publisher) round(n int) {
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	for _, request := range []struct {
		method, path string
		body         any
	}{
		{"POST", "/api/publish", map[string]any{"event_source": "e2e", "event_topic": "upgrade", "event_type": "a", "event_status": "b", "event_key": "one", "changes": []string{fmt.Sprint(n)}}},
		{"GET", "/api/issue?limit=20", nil}, {"GET", "/api/issue/changes?limit=20", nil}, {"GET", "/api/subscription", nil},
	} {
		a, tries, err := p.u.c.persist(ctx, request.method, request.path, uuid.NewString(), request.body)
		if err != nil || a.status != 200 {
			p.mu.Lock()
			p.failed = append(p.failed, fmt.Sprintf("%d: %s %s after %d tries: %v %s", n, request.method, request.path, tries, err, a))
			p.mu.Unlock()
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.said = n
}

func (p *publisher) awaitMore(t testing.TB, n int) {
	t.Helper()
	count := func() int {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.said
	}
	want := count() + n
	harness.Until(t, "more is published", 2*time.Minute, func() error {
		if got := count(); got < want {
			return fmt.Errorf("%d of %d", got, want)
		}
		return nil
	})
}

// end lets it finish, and requires that nothing failed and that each number arrived once, in order.
func (p *publisher) end(t testing.TB) {
	t.Helper()
	p.stop()
	p.all.Wait()
	require.Empty(t, p.failed)
	var want []string
	for n := range p.said {
		want = append(want, fmt.Sprint(n+1))
	}
	number := regexp.MustCompile(`"changes":\["(\d+)"\]`)
	var arrived []string
	harness.Until(t, "all that was published has arrived", time.Minute, func() error {
		arrived = nil
		for _, request := range p.u.r.Requests(streamed) {
			found := number.FindSubmatch(request.Body)
			require.NotNil(t, found, "%s", request.Body)
			arrived = append(arrived, string(found[1]))
		}
		if len(arrived) < len(want) {
			return fmt.Errorf("%d of %d", len(arrived), len(want))
		}
		return nil
	})
	require.Equal(t, want, arrived, "each number once, in order")
}

// kept are tickets of every family that one version opens and another brings to their end, with receivers who are out of order until then.
type kept struct {
	u                                         *upgrade
	opened                                    release
	issue, incident, exception, process, itsm string
	nids                                      map[string]string // notification of each ticket, by its number
}

// process is a service whose tickets wait for people, for time, and for another system.
const upgradable = `
key: %s
name: Upgraded
nodes:
  - {id: ask, name: Ask, type: approval, rule: all, processors: {persons: [lisa, leo]}, deadline: [{after: 1h, do: remind}], next: pause}
  - {id: pause, name: Pause, type: wait, for: 1s, next: order}
  - {id: order, name: Order, type: call, call: {url: '%s', body: {by: '${opener}'}, answer: {receipt: body.receipt}}, fields: [{key: receipt, type: STRING}], processors: {persons: [ops]}, next: last}
  - {id: last, name: Last, type: task, processors: {persons: [mia]}, next: over}
  - {id: over, name: Over, type: end}
`

func (u *upgrade) open(by release, place int) *kept {
	t, c := u.t, u.c
	t.Helper()
	service := fmt.Sprintf("upgraded_%d", place)
	u.r.Answer("/order", harness.Response{Body: `{"receipt":"R-1"}`})
	u.r.Answer("/itsm", harness.Response{Body: `{"message":"success","code":0,"data":null,"result":true}`})
	c.publish(t, fmt.Sprintf(upgradable, service, u.r.URL("/order")))
	k := &kept{u: u, opened: by, nids: map[string]string{}}
	k.issue, k.exception, k.process = c.open(t), c.open(t), c.openService(t, service, nil)
	var made struct {
		Data struct {
			Number string `json:"incident_num"`
		}
	}
	require.NoError(t, json.Unmarshal([]byte(c.must(t, "POST", "/v1/external/incident/create", map[string]any{"incident_title": t.Name(), "incident_type": "inc_type_p_change_issues", "incident_level": "level_30",
		"is_service_interrupt": false, "incident_source": "incident_source_manual", "creator": "li", "incident_assignee": []string{"wang"}}).body), &made))
	k.incident = made.Data.Number
	k.itsm = itsm{c, t}.create(u.r.URL("/itsm"))
	for _, number := range []string{k.issue, k.incident, k.exception, k.process} {
		u.r.Answer("/"+number, harness.Response{Status: 500})
		k.nids[number] = c.register(t, number, u.r.URL("/"+number))
		c.must(t, "POST", "/api/issue/"+number+"/conversation", map[string]any{"author": "li", "content": "before"})
	}
	c.must(t, "POST", handlePath, incidentCall(t, "accept.json", k.incident))
	c.act(t, k.issue, "li", "accept", "", nil)
	k.called("ASSIGNED", 5)
	c.act(t, k.process, "lisa", "approve", "ask", nil)
	for number := range k.nids { // each is told in vain, and what came after waits behind it
		u.r.Await(t, "/"+number, 1, time.Minute)
	}
	return k
}

// called tells the ticket what an exception has come to elsewhere.
func (k *kept) called(status string, minute int) {
	k.u.t.Helper()
	k.u.c.must(k.u.t, "POST", "/v1/exceptions/"+k.exception+"/callback", map[string]any{"externalIssueId": "J-" + k.exception, "externalSystem": "JIRA", "status": status, "assignee": "zhang",
		"resolutionNotes": "done", "updatedAt": fmt.Sprintf("2026-01-02T03:%02d:05Z", minute)})
}

// answer has receivers be in order again, and waits until all that is owed so far has arrived.
func (k *kept) answer() {
	k.u.t.Helper()
	for number := range k.nids {
		k.u.r.Answer("/"+number, harness.Response{})
	}
	k.told()
}

// told requires that everything owed has arrived, in order and once.
func (k *kept) told() {
	k.u.t.Helper()
	for number, nid := range k.nids {
		bodies, doubles := checkArrivals(k.u.t, k.u.c, k.u.r, number, nid)
		require.Zero(k.u.t, doubles, number)
		require.NotZero(k.u.t, bodies)
	}
}

// finish brings every one of them to its end.
func (k *kept) finish(by release) {
	t, c := k.u.t, k.u.c
	t.Helper()
	c.act(t, k.issue, "li", "commit-solution", "", map[string]any{"mtm_type": "inc_type_p_config_issues", "is_service_interrupt": true, "cause": "c", "solution": "s"})
	c.act(t, k.issue, "li", "confirm", "", map[string]any{"virtual_confirm_result": true, "virtual_confirm_comment": "good"})
	c.must(t, "POST", handlePath, incidentCall(t, "commit.json", k.incident))
	c.must(t, "POST", handlePath, incidentCall(t, "confirm.json", k.incident, "false", "true"))
	k.called("RESOLVED", 6)
	var voted itsmAnswer
	require.NoError(t, json.Unmarshal([]byte(c.must(t, "POST", "/openapi/ticket/approve/", map[string]any{"sn": k.itsm, "state_id": 21, "approver": "alice", "action": "true"}).body), &voted))
	require.True(t, voted.Result, voted.Message)
	c.act(t, k.process, "leo", "approve", "ask", nil)
	harness.Until(t, "the other system has answered", time.Minute, func() error {
		if nodes := c.issue(t, k.process).CurrentNodes; len(nodes) != 1 || nodes[0].ID != "last" {
			return fmt.Errorf("it stands at %v", nodes)
		}
		return nil
	})
	c.act(t, k.process, "mia", "submit", "last", nil)
	for number, want := range map[string][]string{
		k.issue:     {"opened", "said", "accepted", "solved", "confirmed"},
		k.incident:  {"opened", "said", "accepted", "solved", "confirmed"},
		k.exception: {"opened", "said", "accepted", "closed"},
		k.process:   {"opened", "said", "approved", "approved", "elapsed", "called", "submitted"},
	} {
		var got []string
		for _, e := range c.timeline(t, number) {
			got = append(got, e.Type)
		}
		require.Equal(t, want, got, "%s, opened by the version %s and ended by %s", number, k.opened.build, by.build)
	}
	require.Equal(t, "completed", c.issue(t, k.process).Phase)
	require.Equal(t, "FINISHED", itsm{c, t}.results(k.itsm)[0]["current_status"])
}

// rolled takes a production from one version to the next and back, under load.
func rolled(t *testing.T, versioned bool) {
	before, now := versionBefore(t), thisVersion()
	for _, r := range []release{before, now} { // building is no part of it
		for _, name := range []string{"migrate", "api", "worker"} {
			r.program(t, name)
		}
	}
	u := startUpgrade(t, before, versioned)
	first := u.open(before, 1)
	u.work()
	u.careful.sofar("all are of the version before")

	u.migrated(now)
	u.work()
	u.careful.sofar("migrated")
	u.replaceWorkers(now, first.answer)
	first.answer()
	u.replaceAPIs(now)
	first.finish(now)
	second := u.open(now, 2)
	u.work()

	// Back: the APIs first, so that none gives tickets rules that workers do not know. The schema stays.
	u.replaceAPIs(before)
	u.replaceWorkers(before, second.answer)
	second.answer()
	second.finish(before)
	u.work()

	u.once.end(t)
	u.careful.stop()
	u.careful.check()
	u.stream.end(t)
	first.told()
	second.told()
	u.migrated(now, "rebuild") // what the version before did not write, since it does not know of it
	for _, r := range []release{now, before} {
		u.migrated(r, "verify")
	}
	t.Logf("%d requests that nobody repeats, none failed; %d numbers published", u.once.done, u.stream.said)
}

// TestSlowUpgradeAndBack replaces every program of the version before by this one's, and those by the version before again, while callers are at work.
func TestSlowUpgradeAndBack(t *testing.T) {
	if !slowTests() {
		t.Skip("takes some minutes; make slow-test runs it")
	}
	t.Parallel()
	rolled(t, false)
}

// TestSlowUpgradeAndBackWithVersionedWorkers likewise, with Temporal told which build is the current one.
func TestSlowUpgradeAndBackWithVersionedWorkers(t *testing.T) {
	if !slowTests() {
		t.Skip("takes some minutes; make slow-test runs it")
	}
	t.Parallel()
	rolled(t, true)
}
