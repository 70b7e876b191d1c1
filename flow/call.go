package flow

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/types"
)

// PendingCall is an HTTP request that the process waits for: make it as it stands, retry it as it says, and tell what came of it with Called.
// Problem is set instead when the request cannot be made from the ticket's fields; then tell that.
type PendingCall struct {
	Node        string            `json:"node"`
	Name        string            `json:"name"`
	Round       int               `json:"round"`
	Try         int               `json:"try"`
	Key         string            `json:"key,omitempty"` // what it is known by, from RulesWeighed on; see Known
	Method      string            `json:"method"`
	URL         string            `json:"url"`
	Headers     map[string]string `json:"headers,omitempty"`
	Body        string            `json:"body,omitempty"` // JSON; then Content-Type is application/json unless Headers say otherwise
	Timeout     time.Duration     `json:"timeout"`        // of one attempt
	Attempts    int               `json:"attempts"`       // in all
	Interval    time.Duration     `json:"interval"`       // before the second attempt
	Coefficient float64           `json:"coefficient"`    // each further interval is so much longer
	Problem     string            `json:"problem,omitempty"`
}

// Pause is how long to wait before the next attempt, after so many have been made.
func (c PendingCall) Pause(made int) time.Duration {
	pause := float64(c.Interval)
	for i := 1; i < made && pause < float64(maxPause); i++ {
		pause *= c.Coefficient
	}
	return min(time.Duration(min(pause, float64(maxPause))).Truncate(time.Millisecond), maxPause)
}

// maxPause bounds the time between two attempts.
const maxPause = 24 * time.Hour

// Called tells what came of a request that was pending. An answer to an earlier try, or a second one, does nothing.
type Called struct {
	Key     string            `json:"key,omitempty"` // of the pending request; node, round and try tell which it was where this is empty
	Node    string            `json:"node"`
	Round   int               `json:"round"`
	Try     int               `json:"try"`
	Error   string            `json:"error,omitempty"` // no answer at all: why
	Status  int               `json:"status,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    string            `json:"body,omitempty"` // what is not JSON is seen as text
}

// MaxReason bounds the reason of a failure, in characters.
const MaxReason = 1_000

type request struct {
	method      string
	url         template
	headers     map[string]template
	body        any // as in the definition, with a template in the place of every text
	timeout     time.Duration
	attempts    int
	interval    time.Duration
	coefficient float64
	success     *formula
	answer      map[string]*formula
}

var headerName = regexp.MustCompile(`^[A-Za-z0-9!#$%&'*+.^_|~-]+$`)

// request checks what of a request needs no expression.
func (b *builder) request(c *Request, at string) *request {
	b.enum(at+".method", c.Method, "call.method")
	b.address(at+".url", c.URL)
	for _, name := range sortedKeys(c.Headers) {
		if !headerName.MatchString(name) || len(name) > MaxName {
			b.add(at+".headers."+name, "is no name for a header")
		}
	}
	if (c.Method == "GET" || c.Method == "DELETE") && c.Body != nil {
		b.add(at+".body", "%s sends no body", c.Method)
	}
	r := &request{method: c.Method, timeout: 10 * time.Second, attempts: 3, interval: 10 * time.Second, coefficient: 2}
	if r.method == "" {
		r.method = "POST"
	}
	length := func(path, text string, to *time.Duration, most time.Duration) {
		if text == "" {
			return
		}
		d, err := ParseDuration(text)
		if err == nil && d > most {
			err = fmt.Errorf("must be at most %s", most)
		}
		if err != nil {
			b.add(path, "%s", err)
			return
		}
		*to = d
	}
	length(at+".timeout", c.Timeout, &r.timeout, 5*time.Minute)
	if t := c.Retry; t != nil {
		length(at+".retry.interval", t.Interval, &r.interval, 24*time.Hour)
		if t.Attempts != 0 {
			r.attempts = t.Attempts
		}
		if t.Coefficient != 0 {
			r.coefficient = t.Coefficient
		}
		if r.attempts < 1 || r.attempts > 100 {
			b.add(at+".retry.attempts", "must be from 1 to 100")
		}
		if r.coefficient < 1 || r.coefficient > 10 {
			b.add(at+".retry.coefficient", "must be from 1 to 10")
		}
	}
	return r
}

// maxAddress bounds the URL of a request as it is in the definition, in bytes.
const maxAddress = 2_048

// address checks a URL with holes. The part that says which machine is called has none: no field of a ticket may choose it.
func (b *builder) address(path, text string) {
	_, rest, web := strings.Cut(text, "://")
	hole := strings.Index(rest, "${")
	parsed, err := url.Parse(strings.NewReplacer("${", "", "}", "", " ", "").Replace(text))
	switch {
	case text == "":
		b.add(path, "is required")
	case len(text) > maxAddress:
		b.add(path, "%s", Over(maxAddress, "bytes", len(text)))
	case !web || !strings.HasPrefix(text, "http://") && !strings.HasPrefix(text, "https://"):
		b.add(path, "must begin with http:// or https://")
	case hole >= 0 && !strings.ContainsAny(rest[:hole], "/?"):
		b.add(path, "the host cannot come from a field")
	case err == nil && (parsed.Host == "" || parsed.User != nil || parsed.Fragment != ""):
		b.add(path, "must name a host, and neither a user nor a fragment")
	case err != nil && hole < 0:
		b.add(path, "is no URL")
	}
}

// template compiles the expressions of a node's request: that of a call, or the one by which people are asked for.
func (b *builder) template(n *node) {
	c, r, at := n.Call, n.request, n.path+".call"
	var answer map[string]string
	if n.outside() {
		c, at = n.Processors.HTTP, n.path+".processors.http"
		answer = map[string]string{answerPersons: cmp.Or(c.Answer[answerPersons], "body")}
	} else {
		answer = c.Answer
	}
	read := func(path, text string) template {
		t, err := parseTemplate(text, func(code string) types.Map { return b.sees(n, code) })
		if err != nil {
			b.add(path, "%s", err)
		}
		for _, p := range t {
			b.affordable(path, p.hole, b.largest(n))
		}
		return t
	}
	r.url = read(at+".url", c.URL)
	r.headers = map[string]template{}
	for _, name := range sortedKeys(c.Headers) {
		r.headers[name] = read(at+".headers."+name, c.Headers[name])
	}
	var body func(path string, value any) any
	body = func(path string, value any) any {
		switch v := value.(type) {
		case string:
			return read(path, v)
		case []any:
			out := make([]any, len(v))
			for i, item := range v {
				out[i] = body(fmt.Sprintf("%s[%d]", path, i), item)
			}
			return out
		case map[string]any:
			out := map[string]any{}
			for _, key := range sortedKeys(v) {
				out[key] = body(path+"."+key, v[key])
			}
			return out
		}
		return value
	}
	r.body = body(at+".body", c.Body)
	var err error
	if c.Success != "" {
		if r.success, err = compile(c.Success, answers, expr.AsBool()); err != nil {
			b.add(at+".success", "%s", err)
		}
		b.affordable(at+".success", r.success, largestAnswer)
	}
	r.answer = map[string]*formula{}
	for _, key := range sortedKeys(answer) {
		declared := func(f Field) bool { return f.Key == key }
		if !n.outside() && !slices.ContainsFunc(n.Fields, declared) && !slices.ContainsFunc(b.p.def.Fields, declared) {
			b.add(at+".answer."+key, "neither this node nor the opening form has a field %q", key)
		}
		if r.answer[key], err = compile(answer[key], answers); err != nil {
			b.add(at+".answer."+key, "%s", err)
		}
		b.affordable(at+".answer."+key, r.answer[key], largestAnswer)
	}
}

// render makes the request from what the ticket has now.
func (r *request) render(env exprEnv) (method, address string, headers map[string]string, body string, err error) {
	if address, err = r.address(env); err != nil {
		return "", "", nil, "", fmt.Errorf("url: %w", err)
	}
	if climbs(address) {
		return "", "", nil, "", errors.New("url: a part of its path is . or ..")
	}
	headers = map[string]string{}
	for _, name := range sortedKeys(r.headers) {
		if headers[name], err = r.headers[name].fill(env, oneLine); err != nil {
			return "", "", nil, "", fmt.Errorf("header %s: %w", name, err)
		}
	}
	if r.body == nil {
		return r.method, address, headers, "", nil
	}
	value, err := filled(r.body, env)
	if err == nil {
		var raw []byte
		raw, err = json.Marshal(value)
		body = string(raw)
	}
	if err != nil {
		err = fmt.Errorf("body: %w", err)
	}
	return r.method, address, headers, body, err
}

// escape makes a value safe anywhere in a path or a query.
func escape(value string) string { return strings.ReplaceAll(url.QueryEscape(value), "+", "%20") }

// address makes the URL. A hole of its path that is left empty is refused: what is called then is something else, such as all hosts instead of one.
func (r *request) address(env exprEnv) (string, error) {
	var b strings.Builder
	path := true
	for _, p := range r.url {
		if p.hole == nil {
			b.WriteString(p.text)
			path = path && !strings.Contains(p.text, "?")
			continue
		}
		value, err := env.fill(p)
		if err != nil {
			return "", err
		}
		text := show(value)
		if path && text == "" && env.names != nil {
			return "", fmt.Errorf("${%s} is empty, and no part of the path can be", p.code)
		}
		b.WriteString(escape(text))
	}
	return b.String(), nil
}

// climbs reports whether a URL has a part that leads out of its path: made of a field's dots, it would call something else.
func climbs(address string) bool {
	path, _, _ := strings.Cut(address, "?")
	parts := strings.Split(path, "/")
	return slices.Contains(parts, ".") || slices.Contains(parts, "..")
}

func oneLine(value string) (string, error) {
	if strings.ContainsAny(value, "\r\n\x00") {
		return "", errors.New("a line break cannot be part of a header")
	}
	return value, nil
}

// filled puts values into the texts of a body.
func filled(body any, env exprEnv) (any, error) {
	var err error
	switch v := body.(type) {
	case template:
		return v.value(env)
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			if out[i], err = filled(item, env); err != nil {
				return nil, err
			}
		}
		return out, nil
	case map[string]any:
		out := map[string]any{}
		for _, key := range sortedKeys(v) {
			if out[key], err = filled(v[key], env); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return body, nil
}
