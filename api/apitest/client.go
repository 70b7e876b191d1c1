package apitest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"strconv"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"
)

// Client calls an application and holds every exchange against the contract.
type Client struct {
	T        testing.TB
	App      *fiber.App
	Contract *Contract // nil: nothing is checked
	Secret   string    // sent as Access_Key; empty: no credential
}

// Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
	t      testing.TB
}

// As gives a client that calls with another secret.
func (c Client) As(secret string) Client {
	c.Secret = secret
	return c
}

// On gives a client that reports to another test.
func (c Client) On(t testing.TB) Client {
	c.T = t
	return c
}

// Do sends a request. The body is sent as it is when it is a string or bytes, left out when it is nil, and else written as JSON. headers
// are names and values in turn; they come last and win.
func (c Client) Do(method, path string, body any, headers ...string) Answer {
	c.T.Helper()
	var raw []byte
	switch b := body.(type) {
	case nil:
	case string:
		raw = []byte(b)
	case []byte:
		raw = b
	default:
		var err error
		raw, err = json.Marshal(b)
		require.NoError(c.T, err)
	}
	r := httptest.NewRequest(method, path, bytes.NewReader(raw))
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.Secret != "" {
		r.Header.Set("Authorization", "Access_Key "+c.Secret)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i+1] == "" {
			r.Header.Del(headers[i])
			continue
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	response, hangUp := c.exchange(r)
	defer hangUp()
	var err error
	answer := Answer{Status: response.StatusCode, Header: response.Header, t: c.T}
	answer.Body, err = io.ReadAll(response.Body)
	require.NoError(c.T, err)
	require.NotEmpty(c.T, answer.Header.Get("X-Request-Id"))
	if c.Contract != nil {
		c.Contract.Check(c.T, r, raw, answer)
	}
	return answer
}

// exchange sends a request over a connection in memory. Unlike the application's own Test it gives the answer also where the request was refused
// before all of it was read.
func (c Client) exchange(r *http.Request) (response *http.Response, hangUp func()) {
	c.T.Helper()
	r.Header.Set("Content-Length", strconv.FormatInt(r.ContentLength, 10))
	raw, err := httputil.DumpRequest(r, true)
	require.NoError(c.T, err)
	c.App.Handler() // makes it ready to serve
	near, far := net.Pipe()
	go func() {
		_ = c.App.Server().ServeConn(far) // what goes wrong is answered as well
		_ = far.Close()
	}()
	go func() { _, _ = near.Write(raw) }() // likewise
	response, err = http.ReadResponse(bufio.NewReader(near), r)
	require.NoError(c.T, err)
	return response, func() { _ = near.Close() }
}

// Into decodes the body, and fails the test unless the status is the one expected.
func (a Answer) Into(status int, v any) {
	a.t.Helper()
	require.Equal(a.t, status, a.Status, string(a.Body))
	require.NoError(a.t, json.Unmarshal(a.Body, v), string(a.Body))
}
