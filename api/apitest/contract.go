package apitest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/stretchr/testify/require"

	"signalbox/api"
	"signalbox/api/openapi"
)

// Contract is the OpenAPI documents, to hold requests and answers against. Tests that run at once may share one.
type Contract struct{ documents []document }

type document struct {
	*openapi3.T
	router routers.Router
}

// LoadContract gives the documents of these names, or all; each is read and checked once in the process.
func LoadContract(t testing.TB, names ...string) *Contract {
	t.Helper()
	c := &Contract{}
	for _, d := range openapi.Documents() {
		if len(names) > 0 && !slices.Contains(names, d.Name) {
			continue
		}
		once, _ := documents.LoadOrStore(d.Name, sync.OnceValues(func() (document, error) { return loaded(d.YAML) }))
		doc, err := once.(func() (document, error))()
		require.NoError(t, err, d.Name)
		c.documents = append(c.documents, doc)
	}
	return c
}

// documents are those that were asked for: a function for each name, because to check one takes tens of milliseconds.
var documents sync.Map

func loaded(text []byte) (d document, err error) {
	if d.T, err = openapi3.NewLoader().LoadFromData(text); err != nil {
		return d, err
	}
	if !d.IsOpenAPI31OrLater() {
		return d, fmt.Errorf("it is of version %s", d.OpenAPI)
	}
	d.router, err = legacy.NewRouter(d.T) // which has the document validated
	return d, err
}

// Routes lists the calls that the documents describe: "GET /api/issue/{id}".
func (c *Contract) Routes() []string {
	var all []string
	for _, doc := range c.documents {
		for path, item := range doc.Paths.Map() {
			for method := range item.Operations() {
				all = append(all, method+" "+path)
			}
		}
	}
	slices.Sort(all)
	return all
}

var parameter = regexp.MustCompile(`:([A-Za-z_]+)`)

// Mounted lists the calls of families in the same spelling.
func Mounted(families ...api.Family) []string {
	var all []string
	for _, f := range families {
		for _, r := range f.Routes {
			all = append(all, r.Method+" "+parameter.ReplaceAllString(r.Path, "{$1}"))
		}
	}
	slices.Sort(all)
	return all
}

// done tells answers of what was done from refusals. Those of the itsm family may have the HTTP status 200.
func (a Answer) done() bool {
	var inside struct {
		Result *bool `json:"result"`
	}
	return a.Status < 400 && (json.Unmarshal(a.Body, &inside) != nil || inside.Result == nil || *inside.Result)
}

// Check holds one exchange against the document that has its path: the answer always, the request if it was not refused. It reports
// whether there was one.
func (c *Contract) Check(t testing.TB, r *http.Request, body []byte, a Answer) bool {
	t.Helper()
	for _, d := range c.documents {
		lookup := r.Clone(context.Background())
		// Routers look for their server's address in front of the path.
		lookup.URL = &url.URL{Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}
		if r.Method == http.MethodHead {
			return false
		}
		route, params, err := d.router.FindRoute(lookup)
		if err != nil {
			continue
		}
		for name, value := range params {
			// The router gives them as they were sent.
			if params[name], err = url.PathUnescape(value); err != nil {
				params[name] = value
			}
		}
		lookup.Body = io.NopCloser(strings.NewReader(string(body)))
		in := &openapi3filter.RequestValidationInput{
			Request: lookup, PathParams: params, Route: route, QueryParams: r.URL.Query(),
			Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true, MultiError: true},
		}
		if a.done() {
			// Clients send JSON under any content type or none; the documents describe JSON.
			if len(body) > 0 && lookup.Header.Get("Content-Type") == "" {
				lookup.Header.Set("Content-Type", "application/json")
			}
			require.NoError(t, openapi3filter.ValidateRequest(context.Background(), in), "%s %s was done although its document says that it is wrong\n%s", r.Method, r.URL, body)
		}
		out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: a.Status, Header: a.Header, Options: in.Options}
		out.SetBodyBytes(a.Body)
		require.NoError(t, openapi3filter.ValidateResponse(context.Background(), out), "%s %s answered what its document does not say\n%s", r.Method, r.URL, a.Body)
		return true
	}
	return false
}
