package apitest

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/valyala/fasthttp"

	"signalbox/api"
)

// Stand is a server to send anything to.
type Stand struct {
	Server *api.Server
	Known  map[string]string // what the parameters of its paths, and "{name}" in bodies, may stand for so that something is found
}

// anew is after how many requests a stand is made anew: what earlier ones left behind makes later ones slow.
const anew = 200

// patience is how long an answer may take; all of it happens in memory.
const patience = 10 * time.Second

var escapes = regexp.MustCompile(`%[0-9A-Fa-f]{2}|[A-Za-z0-9._~-]`)

// Fuzz sends whatever comes to mind to every route of the server's families: as parameters of the path, as query, as body, and as headers.
// None may make it panic, keep it waiting, or have it answer anything but an answer or a refusal; what it answers is JSON that can be read.
// seeds are bodies, or files or folders of them.
func Fuzz(f *testing.F, fresh func(t testing.TB) Stand, seeds ...string) {
	f.Helper()
	first := &stay{TB: f}
	f.Cleanup(first.end)
	var routes []api.Route
	for _, family := range fresh(first).Server.Families() {
		routes = append(routes, family.Routes...)
	}
	for i, route := range routes {
		for _, seed := range bodiesOf(f, seeds) {
			if route.Method == http.MethodGet {
				f.Add(uint8(i), "", asQuery(seed), "", []byte{})
				continue
			}
			f.Add(uint8(i), "", "", "k", seed)
		}
		f.Add(uint8(i), "", "limit=2&cursor=x", "", []byte{})
		f.Add(uint8(i), "%", "a=%zz&a&=&limit=-1", "", []byte(`{`))
		f.Add(uint8(i), "\x00'\"<é/..", "cursor=%00&q=%ff", "é", []byte(`[null,{"a":1e999}]`))
	}
	var stand Stand
	var here *stay
	f.Cleanup(func() { here.end() })
	sent := 0
	f.Fuzz(func(t *testing.T, n uint8, parameter, query, key string, body []byte) {
		if sent++; sent%anew == 1 {
			here.end()
			here = &stay{TB: t}
			stand = fresh(here)
		}
		route := routes[int(n)%len(routes)]
		path := route.Path
		for _, name := range parameters.FindAllString(path, -1) {
			value := stand.Known[name[1:]]
			if parameter != "" {
				value = parameter
			}
			if value == "" {
				value = "x"
			}
			path = strings.Replace(path, name, escape(value), 1)
		}
		for name, value := range stand.Known {
			body = bytes.ReplaceAll(body, []byte("{"+name+"}"), []byte(value))
			query = strings.ReplaceAll(query, "%7B"+name+"%7D", url.QueryEscape(value))
		}
		var c fasthttp.RequestCtx
		c.Request.Header.SetMethod(route.Method)
		c.Request.SetRequestURI(path + "?" + strings.Map(printable, query))
		c.Request.Header.Set("Authorization", "Bearer "+Boss)
		if key != "" {
			c.Request.Header.Set(api.HeaderKey, strings.Map(printable, key))
		}
		c.Request.SetBody(body)
		began := time.Now()
		stand.Server.App().Handler()(&c)
		took, status, answer := time.Since(began), c.Response.StatusCode(), c.Response.Body()
		require.Less(t, status, 500, "%s %s\n%q\n%s", route.Method, path, body, answer)
		require.Less(t, took, patience, "%s %s", route.Method, path)
		require.NotEmpty(t, c.Response.Header.Peek("X-Request-Id"))
		if strings.HasPrefix(string(c.Response.Header.ContentType()), "application/json") {
			require.True(t, json.Valid(answer), "%s %s answered %q", route.Method, path, answer)
		}
	})
}

// stay is for how long a stand is used, by one test after the other: what is made for it outlives the test that it was made in.
type stay struct {
	testing.TB
	ends []func()
}

// Cleanup implements testing.TB.
func (s *stay) Cleanup(f func()) { s.ends = append(s.ends, f) }

// Context implements testing.TB.
func (s *stay) Context() context.Context { return context.Background() }

// TempDir implements testing.TB.
func (s *stay) TempDir() string {
	dir, err := os.MkdirTemp("", "signalbox-fuzz-")
	require.NoError(s.TB, err)
	s.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func (s *stay) end() {
	if s == nil {
		return
	}
	for _, f := range slices.Backward(s.ends) {
		f()
	}
}

// asQuery writes the members of a JSON object as a query; what is none is a query as it is.
func asQuery(body []byte) string {
	var members map[string]any
	if json.Unmarshal(body, &members) != nil {
		return string(body)
	}
	query := url.Values{}
	for name, value := range members {
		text, isText := value.(string)
		if !isText {
			raw, _ := json.Marshal(value) // it was JSON a moment ago
			text = string(raw)
		}
		query.Set(name, text)
	}
	return query.Encode()
}

var parameters = regexp.MustCompile(`:[A-Za-z_]+`)

// escape writes a value so that it stays one segment of a path, but leaves what looks escaped already.
func escape(value string) string {
	const digits = "0123456789ABCDEF"
	var out strings.Builder
	for i := 0; i < len(value); i++ {
		if found := escapes.FindString(value[i:min(len(value), i+3)]); found != "" && strings.HasPrefix(value[i:], found) {
			out.WriteString(found)
			i += len(found) - 1
			continue
		}
		out.WriteString("%" + string(digits[value[i]>>4]) + string(digits[value[i]&15]))
	}
	return out.String()
}

// printable leaves out what no request line or header can hold.
func printable(r rune) rune {
	if r <= ' ' || r == 0x7f {
		return -1
	}
	return r
}

// bodiesOf gives seeds, and the contents of those that are files.
func bodiesOf(t testing.TB, seeds []string) (all [][]byte) {
	t.Helper()
	for _, seed := range seeds {
		info, err := os.Stat(seed)
		switch {
		case err != nil:
			all = append(all, []byte(seed))
		case info.IsDir():
			require.NoError(t, filepath.WalkDir(seed, func(path string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() && d.Name() == "fuzz" {
					return cmpOr(err, fs.SkipDir)
				}
				if d.IsDir() {
					return nil
				}
				raw, err := os.ReadFile(path)
				all = append(all, raw)
				return err
			}))
		default:
			raw, err := os.ReadFile(seed)
			require.NoError(t, err)
			all = append(all, raw)
		}
	}
	return all
}

func cmpOr(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}
