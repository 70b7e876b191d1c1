package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"signalbox/desk"
	"signalbox/ticket"
)

// Family is the calls of one channel, or of a part of it, as the server sees them.
type Family struct {
	Channel ticket.Channel
	// Prefixes are the paths whose requests are answered in this family's words, whatever goes wrong with them: "/api/issue" stands for
	// itself and all that lies under it.
	Prefixes []string
	Routes   []Route
	// Refuse writes a refusal in the family's envelope. Status and headers are set already, from r; it may set another status.
	Refuse func(c *fiber.Ctx, r Refusal) error
	// Authenticate are ways of this family to tell who calls, asked in turn before the credentials that every family takes.
	Authenticate []Authenticator
	// Subject reads whom a request names as acting and which ticket it is about, in this family's own words. It is asked where a request is refused
	// before its call has noted both; nil: nothing can be told then.
	Subject func(c *fiber.Ctx) Subject
	// Credentials are the parameters, of query or body, by which callers log in at this family. What they say is no part of what a request asks.
	Credentials []string
	// Headers are those that pages send to this family beside the ones that every family takes.
	Headers []string
	// Exact: a GET takes no parameter in its query that it does not know. What reads none then takes none; what does is marked as Query.
	Exact bool
	// Pages may call this family from a browser, with the cookies that the browser has for us. Those that Config allows may not.
	Pages Origins
}

// Route is one call. Callers need its scope; there is no call without one.
type Route struct {
	Method string
	Path   string // in Fiber's spelling: "/api/issue/:id"
	// Operation is the call, spelled like a path, where several paths are one: a request is the same on each of them. Empty: Path.
	Operation string
	Scope     desk.Scope
	Reads     bool          // it changes nothing, although its scope is not Read: what it tells is not for everybody who may read
	Query     bool          // it reads its query with ReadQuery; see Family.Exact
	Handler   fiber.Handler // runs for an authenticated caller, under a deadline; an error that it returns is answered by the family
}

// Authenticator tells who calls by one kind of credential. known is false when the request carries no credential of that kind; then
// the next one is asked. A credential that is wrong is an Unauthorized refusal; any other error means that it cannot be told now.
type Authenticator func(c *fiber.Ctx) (app desk.App, known bool, err error)

// check refuses what no family may be: it is a mistake in the program, found at the start.
func (f Family) check() {
	if f.Refuse == nil || f.Channel == "" {
		panic("api: a family needs a channel and words to refuse with")
	}
	for _, route := range f.Routes {
		switch {
		case !slices.Contains([]desk.Scope{desk.Read, desk.Write, desk.Admin, desk.Directory}, route.Scope):
			panic(fmt.Sprintf("api: %s %s has no scope", route.Method, route.Path))
		case route.Handler == nil:
			panic(fmt.Sprintf("api: %s %s has no handler", route.Method, route.Path))
		case writes(route.Method) && route.Scope == desk.Read && route.Method != http.MethodPost:
			panic(fmt.Sprintf("api: %s %s changes something and asks only for the scope read", route.Method, route.Path))
		}
	}
}

// prefix is the length of the family's longest prefix that a path lies under; 0: of none.
func (f Family) prefix(path string) int {
	longest := 0
	for _, prefix := range f.Prefixes {
		rest, under := strings.CutPrefix(path, prefix)
		if under && (rest == "" || rest[0] == '/' || strings.HasSuffix(prefix, "/")) {
			longest = max(longest, len(prefix))
		}
	}
	return longest
}

// writes reports whether requests with this method are meant to change something.
func writes(method string) bool {
	return method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch || method == http.MethodDelete
}

// changes reports whether the call may change something.
func (r Route) changes() bool { return r.Scope != desk.Read && !r.Reads }

// keyed reports whether the call takes an idempotency key: by its method, or because it changes something although it is a GET, as contracts
// of old have it.
func (r Route) keyed() bool { return writes(r.Method) || r.changes() }
