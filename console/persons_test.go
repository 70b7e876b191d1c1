package console_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/api"
	"signalbox/console"
	"signalbox/console/oidc"
	"signalbox/console/page"
	"signalbox/desk"
	"signalbox/people"
	"signalbox/ticket"
)

// crowd is persons with passwords, by tenant and id. A password's hash is the password here.
type crowd struct {
	mu    sync.Mutex
	all   map[[2]string]*someone
	asked int // how often somebody was looked for
	err   error
	now   func() time.Time
}

type someone struct {
	people.Account
	password string
}

func newCrowd(now func() time.Time) *crowd {
	c := &crowd{all: map[[2]string]*someone{}, now: now}
	c.add("north", "Ann", "Ann Lee", "correct horse battery", "team")
	c.add("north", "admin", "", "correct horse battery", "signalbox-admins")
	return c
}

func (c *crowd) add(tenant, id, name, password string, groups ...string) *someone {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &someone{people.Account{Person: people.Person{ID: id, Name: name, Active: true}, Known: true, Groups: groups}, password}
	if password != "" {
		s.PasswordAt = c.now()
	}
	c.all[[2]string{tenant, people.Folded(id)}] = s
	return s
}

func (c *crowd) change(f func(ann *someone)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(c.all[[2]string{"north", "ann"}])
}

func (c *crowd) CheckPassword(_ context.Context, tenant, id, password string) (people.Account, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return people.Account{}, c.err
	}
	s, ok := c.all[[2]string{tenant, people.Folded(id)}]
	if !ok || !s.Active || s.password == "" || s.password != password {
		return people.Account{}, errUnknown
	}
	return s.Account, nil
}

func (c *crowd) Account(_ context.Context, tenant, id string) (people.Account, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	if s, ok := c.all[[2]string{tenant, people.Folded(id)}]; ok && c.err == nil {
		return s.Account, nil
	}
	return people.Account{Person: people.Person{ID: id}}, c.err
}

func (c *crowd) PasswordTenants(context.Context) (one string, several bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, s := range c.all {
		if s.password != "" {
			one, several = key[0], several || one != "" && one != key[0]
		}
	}
	return one, several, c.err
}

func (c *crowd) HashPassword(_ context.Context, person, password string) (people.PasswordHash, error) {
	if faults := people.CheckPassword("password", person, password); len(faults) > 0 {
		return "", ticket.RefuseField(ticket.Invalid, "password", faults[0].Message)
	}
	return people.PasswordHash(password), nil
}

func (c *crowd) SetPassword(ctx context.Context, tenant, app string, k people.Key, hash people.PasswordHash, mustChange bool) error {
	if app == "" || ctx.Value(inDesk{}) == nil {
		return errors.New("a password was changed beside the desk")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.all[[2]string{tenant, people.Folded(k.ID)}]
	s.password, s.MustChange, s.PasswordAt = string(hash), mustChange, c.now()
	return nil
}

// counter is a desk that writes nothing down but what it was asked.
type counter struct {
	api.Desk
	asked []desk.Request
}

type inDesk struct{}

func (c *counter) Transact(ctx context.Context, r desk.Request, effect func(ctx context.Context) (desk.Answer, error)) (desk.Reply, error) {
	c.asked = append(c.asked, r)
	answer, err := effect(context.WithValue(ctx, inDesk{}, true))
	return desk.Reply{Answer: answer}, err
}

// gatehouse is an identity provider that says what it is told to.
type gatehouse struct {
	who  oidc.Identity
	err  error
	kept oidc.Pending
	out  string
	back string
}

func (g *gatehouse) Begin(context.Context) (string, oidc.Pending, error) {
	return "https://idp.example.com/authorize?x=1", oidc.Pending{State: "s", Nonce: "n", Verifier: "v"}, g.err
}

func (g *gatehouse) Finish(_ context.Context, kept oidc.Pending, query url.Values) (oidc.Identity, error) {
	if g.kept = kept; kept.State == "" || query.Get("state") != kept.State {
		return oidc.Identity{}, ticket.Refuse(ticket.Forbidden, "another state")
	}
	return g.who, g.err
}

func (g *gatehouse) SignOut(_ context.Context, token, back string) string {
	g.back = back
	if g.out == "" {
		return ""
	}
	return g.out + "?hint=" + token
}

// populated is a site on which persons sign in.
func populated(t testing.TB, change ...func(*console.Config)) (*site, *crowd, *counter) {
	t.Helper()
	c, d := &crowd{}, &counter{}
	h := newSite(t, append([]func(*console.Config){func(config *console.Config) {
		c = newCrowd(config.Now)
		config.People, config.Desk, config.AdminGroup, config.PublicURL = c, d, "signalbox-admins", "https://box.example.com"
	}}, change...)...)
	return h, c, d
}

// person opens the form and sends it as a person does.
func (b *browser) person(id, password, back string) answer {
	b.t.Helper()
	form := b.get("/login?return=" + url.QueryEscape(back)).form("/login")
	form.Set("person", id)
	form.Set("password", password)
	return b.post("/login", form)
}

func TestAPersonSignsIn(t *testing.T) {
	h, crowd, _ := populated(t)
	b := h.browser(t)
	asked := b.get("/login")
	require.NotContains(t, asked.Body, `name="tenant"`, "there is one tenant alone")
	require.Contains(t, words(asked.one("main")), "Sign in as an app")

	in := b.person("ann", "correct horse battery", "/tickets?q=a")
	require.Equal(t, http.StatusSeeOther, in.Status, in.Body)
	require.Equal(t, "/tickets?q=a", in.Header.Get("Location"))
	require.Contains(t, h.log.String(), "tenant=north app=pages operator=Ann", "by the id of the directory")
	require.NotContains(t, h.log.String(), "correct horse battery")
	page := b.get("/tickets")
	require.Equal(t, http.StatusOK, page.Status)
	require.Equal(t, "Ann Lee", words(page.class("me")[0]), "of no app")
	require.Contains(t, b.get("/settings").Body, `href="/settings/password"`)
	require.NotContains(t, h.visitor(t, "shop").get("/settings").Body, `href="/settings/password"`)

	for _, wrong := range [][2]string{{"ann", "wrong"}, {"nobody", "correct horse battery"}, {"ann", strings.Repeat("x", 200)}} {
		p := h.browser(t).person(wrong[0], wrong[1], "/tickets")
		require.Equal(t, http.StatusUnauthorized, p.Status)
		require.Contains(t, words(p.one("main")), "The user name or the password is not right.")
		require.Equal(t, wrong[0], p.form("/login").Get("person"), "what was typed is still there")
		require.NotContains(t, p.Body, wrong[1])
	}
	for _, bad := range [][2]string{{"", "x"}, {"ann", ""}, {strings.Repeat("a", 300), "x"}, {"ann", strings.Repeat("x", 2000)}} {
		require.Equal(t, http.StatusBadRequest, h.browser(t).person(bad[0], bad[1], "/").Status, bad)
	}
	crowd.err = ticket.Refuse(ticket.Unavailable, "the database is down")
	require.Equal(t, http.StatusServiceUnavailable, h.browser(t).person("ann", "correct horse battery", "/").Status)
}

func TestTheTenantIsAskedForWhereThereAreSeveral(t *testing.T) {
	h, crowd, _ := populated(t)
	crowd.add("south", "ann", "Another Ann", "correct horse battery")
	b := h.browser(t)
	require.Contains(t, b.get("/login").Body, `name="tenant"`)
	require.Equal(t, http.StatusUnauthorized, b.person("ann", "correct horse battery", "/").Status, "it is not guessed")
	form := b.get("/login").form("/login")
	for name, value := range map[string]string{"tenant": "south", "person": "ann", "password": "correct horse battery"} {
		form.Set(name, value)
	}
	require.Equal(t, http.StatusSeeOther, b.post("/login", form).Status)
	require.Equal(t, "Another Ann", words(b.get("/tickets").class("me")[0]))
}

// Whoever may not any more is out within seconds, and comes back to where they were with their name filled in.
func TestASessionEndsWithWhatItStoodOn(t *testing.T) {
	for name, end := range map[string]func(*someone){
		"deactivated":      func(ann *someone) { ann.Active = false },
		"unknown":          func(ann *someone) { ann.Account = people.Account{Person: people.Person{ID: "Ann"}} },
		"another password": func(ann *someone) { ann.PasswordAt = ann.PasswordAt.Add(time.Microsecond) },
		"no password":      func(ann *someone) { ann.PasswordAt = time.Time{} },
	} {
		t.Run(name, func(t *testing.T) {
			h, crowd, _ := populated(t)
			b := h.browser(t)
			require.Equal(t, http.StatusSeeOther, b.person("ann", "correct horse battery", "/").Status)
			for range 5 {
				require.Equal(t, http.StatusOK, b.get("/tickets").Status)
			}
			require.Equal(t, 1, crowd.asked, "it is remembered for a moment")
			crowd.change(end)
			h.now = h.now.Add(2 * time.Second)
			out := b.get("/tickets?q=x")
			require.Equal(t, http.StatusSeeOther, out.Status)
			require.Equal(t, "/login?over=1&return=%2Ftickets%3Fq%3Dx", out.Header.Get("Location"))
			again := b.get(out.Header.Get("Location"))
			require.Contains(t, words(again.one("main")), "Your session is over.")
			form := again.form("/login")
			require.Equal(t, "ann", form.Get("person"))
			require.Equal(t, "/tickets?q=x", form.Get("return"))
		})
	}
	h, crowd, _ := populated(t)
	b := h.browser(t)
	b.person("ann", "correct horse battery", "/")
	crowd.err = ticket.Refuse(ticket.Unavailable, "the database is down")
	require.Equal(t, http.StatusServiceUnavailable, b.get("/tickets").Status)
	crowd.err = nil
	page := b.get("/tickets")
	require.Equal(t, http.StatusOK, page.Status, "a fault that passes signs nobody out")
	b.post("/logout", page.form("/logout"))
	require.Empty(t, b.cookies, "who signs out leaves no name behind")
}

func TestGuessingPasswordsIsSlow(t *testing.T) {
	h, _, _ := populated(t)
	try := func(address, id, password string) int {
		b := h.browser(t)
		b.headers["X-Test-Address"] = address
		return b.person(id, password, "/").Status
	}
	for i := range 10 {
		require.Equal(t, http.StatusUnauthorized, try("192.0.2.1", []string{"ann", "ANN"}[i%2], "wrong"))
	}
	require.Equal(t, http.StatusTooManyRequests, try("192.0.2.1", "Ann", "correct horse battery"), "even the right one does not help now")
	require.Equal(t, http.StatusSeeOther, try("192.0.2.1", "admin", "correct horse battery"), "another person is not kept out")
	require.Equal(t, http.StatusSeeOther, try("192.0.2.2", "ann", "correct horse battery"), "another address is not kept out")
}

func TestSomebodyChangesTheirPassword(t *testing.T) {
	h, crowd, desk := populated(t)
	crowd.change(func(ann *someone) { ann.MustChange = true })
	b, elsewhere := h.browser(t), h.browser(t)
	b.person("ann", "correct horse battery", "/")
	elsewhere.person("ann", "correct horse battery", "/")
	p := b.get("/tickets")
	require.Equal(t, "/settings/password", p.Header.Get("Location"), "nothing else before")
	p = b.get("/settings/password")
	require.Contains(t, words(p.one("main")), "Please choose a password of your own")
	form := p.form("/settings/password")
	change := func(old, new, again string) answer {
		form.Set("old", old)
		form.Set("new", new)
		form.Set("again", again)
		return b.post("/settings/password", form)
	}
	for _, c := range [][4]string{
		{"wrong", "a new and longer one", "a new and longer one", "That is not your password."},
		{"correct horse battery", "a new and longer one", "another", "two different"},
		{"correct horse battery", "correct horse battery", "correct horse battery", "must be another one"},
		{"correct horse battery", "short", "short", "must have at least 12 characters"},
	} {
		p := change(c[0], c[1], c[2])
		require.Equal(t, http.StatusBadRequest, p.Status)
		require.Contains(t, words(p.one("problem-of")), c[3])
		require.NotContains(t, p.Body, c[1])
	}
	require.Empty(t, desk.asked)
	h.now = h.now.Add(time.Second)
	done := change("correct horse battery", "a new and longer one", "a new and longer one")
	require.Equal(t, http.StatusSeeOther, done.Status, done.Body)
	require.Contains(t, words(b.get("/tickets").one("notice")), "Your password is changed.")
	require.Len(t, desk.asked, 1)
	r := desk.asked[0]
	require.Equal(t, []string{"pages", "north", "pages", "Ann", "", "", ""}, []string{r.App.Code, r.App.Tenant, string(r.Channel), r.Operator, r.Key, r.Fingerprint, r.BodyDigest},
		"it is written down, and no digest of a password is")
	h.now = h.now.Add(2 * time.Second)
	require.Equal(t, http.StatusSeeOther, elsewhere.get("/tickets").Status, "other sessions are over")
	require.Equal(t, http.StatusOK, b.get("/tickets").Status)
	require.Equal(t, http.StatusNotFound, h.visitor(t, "shop").get("/settings/password").Status)
	require.Equal(t, http.StatusSeeOther, h.browser(t).get("/settings/password").Status)
}

func TestAPersonOfTheProviderSignsIn(t *testing.T) {
	idp := &gatehouse{who: oidc.Identity{ID: "zoe", Name: "Zoe", Token: "a.b.c"}}
	h, crowd, _ := populated(t, func(c *console.Config) {
		c.Provider, c.ProviderTenant, c.ProviderLabel = idp, "north", "Sign in with Acme"
	})
	b := h.browser(t)
	p := b.get("/login?return=/tickets?q=x")
	require.Contains(t, words(p.one("main")), "Sign in with Acme")
	var to string
	for _, a := range p.class("button") {
		to = attr(a, "href")
	}
	require.Equal(t, "/login/oidc?return=%2ftickets%3fq%3dx", to)
	away := b.get(to)
	require.Equal(t, http.StatusSeeOther, away.Status)
	require.Equal(t, "https://idp.example.com/authorize?x=1", away.Header.Get("Location"))
	kept := b.cookies["signalbox-oidc"]
	require.NotEmpty(t, kept)
	require.Equal(t, 600, away.Cookies[len(away.Cookies)-1].MaxAge)

	stranger := h.browser(t).get("/login/oidc/back?code=c&state=s")
	require.Equal(t, http.StatusForbidden, stranger.Status, "who did not set out from here")
	require.Contains(t, words(stranger.one("main")), "begun elsewhere")
	require.Equal(t, http.StatusForbidden, h.browser(t).get("/login/oidc/back?code=c&state=").Status)

	in := b.get("/login/oidc/back?code=c&state=s")
	require.Equal(t, http.StatusSeeOther, in.Status, in.Body)
	require.Equal(t, "/tickets?q=x", in.Header.Get("Location"))
	require.Equal(t, oidc.Pending{State: "s", Nonce: "n", Verifier: "v"}, idp.kept)
	require.NotContains(t, b.cookies, "signalbox-oidc", "it is used once")
	require.Equal(t, "Zoe", words(b.get("/tickets").class("me")[0]))
	require.Equal(t, http.StatusNotFound, b.get("/settings/password").Status)
	again := b.get("/login/oidc/back?code=c&state=s")
	require.Equal(t, http.StatusForbidden, again.Status)

	late := h.browser(t)
	late.get("/login/oidc")
	h.now = h.now.Add(10 * time.Minute)
	require.Equal(t, http.StatusForbidden, late.get("/login/oidc/back?code=c&state=s").Status)

	crowd.add("north", "zoe", "Zoe of the directory", "").Active = false
	h.now = h.now.Add(2 * time.Second)
	require.Equal(t, http.StatusSeeOther, b.get("/tickets").Status, "who is deactivated in the directory is out")
	b.get("/login/oidc")
	require.Equal(t, http.StatusUnauthorized, b.get("/login/oidc/back?code=c&state=s").Status, "and does not come in")
	crowd.add("north", "zoe", "Zoe of the directory", "")
	b.get("/login/oidc?return=//evil.example.com")
	require.Equal(t, "/", b.get("/login/oidc/back?code=c&state=s").Header.Get("Location"))
	require.Equal(t, "Zoe of the directory", words(b.get("/tickets").class("me")[0]))

	idp.out = "https://idp.example.com/bye"
	out := b.post("/logout", b.get("/tickets").form("/logout"))
	require.Equal(t, http.StatusOK, out.Status, "no redirect of a form to another host")
	require.Equal(t, "0; url=https://idp.example.com/bye?hint=a.b.c", out.Header.Get("Refresh"))
	require.Equal(t, "https://box.example.com/login", idp.back)
	require.Empty(t, b.cookies)

	for err, status := range map[error]int{ticket.Refuse(ticket.Unavailable, "away"): http.StatusServiceUnavailable, ticket.Refuse(ticket.Unauthorized, "no"): http.StatusUnauthorized} {
		b := h.browser(t)
		b.get("/login/oidc")
		idp.err = err
		p := b.get("/login/oidc/back?code=c&state=s")
		require.Equal(t, status, p.Status)
		require.NotEmpty(t, p.form("/login"), "there are other ways in")
		idp.err = nil
	}
	idp.err = ticket.Refuse(ticket.Unavailable, "away")
	require.Equal(t, http.StatusServiceUnavailable, h.browser(t).get("/login/oidc").Status)

	none, _, _ := populated(t)
	require.Equal(t, http.StatusNotFound, none.browser(t).get("/login/oidc").Status)
	require.Equal(t, http.StatusNotFound, none.browser(t).get("/login/oidc/back").Status)
	b = h.browser(t)
	idp.err = nil
	b.get("/login/oidc")
	b.get("/login/oidc/back?code=c&state=s")
	none.now = h.now
	require.Equal(t, http.StatusSeeOther, func() int { b.app = none.app; return b.get("/tickets").Status }(), "a provider that is not there any more vouches for nobody")
}

// An admin gives somebody a password: whoever had signed in as them is out at once, nothing of the password is written down, and what is wrong with one is said.
func TestAnAdminGivesSomebodyAPassword(t *testing.T) {
	h, crowd, d := populated(t)
	require.NoError(t, h.known("Ann"))
	ann, admin := h.browser(t), h.browser(t)
	require.Equal(t, http.StatusSeeOther, ann.person("Ann", "correct horse battery", "/tickets").Status)
	require.Equal(t, http.StatusSeeOther, admin.person("admin", "correct horse battery", "/tickets").Status)
	const path = "/people/Ann/password"
	require.Contains(t, admin.get("/people/Ann").Body, `href="`+path+`"`)
	p := admin.get(path)
	sound(t, path, p)
	for _, c := range []struct{ new, again, says string }{
		{"short", "short", "must have at least"}, {"another horse battery", "a mistyped battery", "two different passwords"}, {strings.Repeat("x", 5000), strings.Repeat("x", 5000), "must have at most"},
	} {
		form := p.whole(path)
		require.Equal(t, "1", form.Get("must_change"))
		form.Set("new", c.new)
		form.Set("again", c.again)
		refused := admin.post(path, form)
		require.Equal(t, http.StatusBadRequest, refused.Status)
		require.Contains(t, words(refused.one("main")), c.says)
		require.NotContains(t, refused.Body, c.new+`"`, "a password is not shown again")
	}
	form := p.whole(path)
	form.Set("new", "another horse battery")
	form.Set("again", "another horse battery")
	require.Equal(t, http.StatusOK, ann.get("/tickets").Status, "who she is is known for a moment")
	h.now = h.now.Add(time.Millisecond)
	before := len(d.asked)
	done := admin.post(path, form)
	require.Equal(t, http.StatusSeeOther, done.Status, done.Body)
	require.Contains(t, words(admin.get(done.Header.Get("Location")).one("notice")), "has another password")
	require.Len(t, d.asked, before+1)
	asked := d.asked[before]
	require.Equal(t, "admin", asked.Operator)
	require.Equal(t, "POST "+path, asked.Route)
	require.Empty(t, asked.Fingerprint+asked.BodyDigest+asked.Key)
	require.Equal(t, http.StatusSeeOther, ann.get("/tickets").Status, "the session of the password before is over")
	require.Equal(t, http.StatusUnauthorized, h.browser(t).person("Ann", "correct horse battery", "/tickets").Status)
	again := h.browser(t)
	require.Equal(t, http.StatusSeeOther, again.person("Ann", "another horse battery", "/tickets").Status)
	require.Equal(t, page.PasswordPath, again.get("/tickets").Header.Get("Location"), "another one has to be chosen")
	require.True(t, crowd.all[[2]string{"north", "ann"}].MustChange)

	// Who is no admin may not, and one's own is changed where one shows that one knows it.
	crowd.add("north", "Ann", "Ann Lee", "correct horse battery")
	require.Equal(t, http.StatusSeeOther, ann.person("Ann", "correct horse battery", "/tickets").Status)
	require.Equal(t, http.StatusForbidden, ann.get(path).Status)
	require.NotContains(t, ann.get("/people/Ann").Body, path)
	require.NoError(t, h.known("admin"))
	require.Equal(t, page.PasswordPath, admin.get("/people/admin/password").Header.Get("Location"))
	require.Equal(t, http.StatusNotFound, newSite(t).admin(t).get(path).Status, "where nobody signs in with one")
}

// known adds a person to the directory.
func (h *site) known(id string) error {
	_, err := h.records.ChangePerson(context.Background(), "north", "test", people.Key{ID: id}, func(had people.PersonRecord, _ bool) (people.PersonRecord, error) {
		had.Person = people.Person{ID: id, Active: true}
		return had, nil
	})
	return err
}
