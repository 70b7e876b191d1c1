package api_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"

	"signalbox/api"
	"signalbox/desk"
)

func TestLargerTextsAreSentCompressed(t *testing.T) {
	large := strings.Repeat("the same again, ", 1000)
	send := func(path, contentType, text string) api.Route {
		return api.Route{Method: "GET", Path: path, Scope: desk.Read, Handler: func(c *fiber.Ctx) error {
			c.Set(fiber.HeaderContentType, contentType)
			return c.SendString(text)
		}}
	}
	s := setup(t, api.Config{}, send("/issue/a/large", "application/json; charset=utf-8", large), send("/issue/a/small", "application/json", large[:1000]),
		send("/issue/a/picture", "image/png", large), send("/issue/a/svg", "image/svg+xml; charset=utf-8", large))
	for _, c := range []struct {
		path, accept string
		packed, vary bool
	}{
		{"large", "gzip", true, true}, {"large", "deflate, GZIP;q=0.5", true, true}, {"large", "*", true, true}, {"large", "br;q=1.0, *;q=0.1", true, true}, {"svg", "x-gzip", true, true},
		{"large", "", false, true}, {"large", "identity", false, true}, {"large", "gzip;q=0", false, true}, {"large", "gzip;q=0, *", false, true}, {"large", "*;q=0", false, true},
		{"large", "gzipped", false, true}, {"large", "gzip;q=x", false, true}, {"small", "gzip", false, false}, {"picture", "gzip", false, false},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			answer := s.Do(method, "/issue/a/"+c.path, nil, "Accept-Encoding", c.accept)
			require.Equal(t, 200, answer.Status)
			require.Equal(t, c.packed, answer.Header.Get("Content-Encoding") == "gzip", "%s %q", c.path, c.accept)
			require.Equal(t, c.vary, answer.Header.Get("Vary") == "Accept-Encoding", "%s %q", c.path, c.accept)
			if !c.packed || method == "HEAD" {
				continue
			}
			r, err := gzip.NewReader(bytes.NewReader(answer.Body))
			require.NoError(t, err)
			text, err := io.ReadAll(r)
			require.NoError(t, err)
			require.Equal(t, large, string(text))
			require.Less(t, len(answer.Body), len(large)/10)
		}
	}
	answer := s.Do("GET", "/issue/a/large", nil, "Accept-Encoding", "gzip", "Cookie", "session=x")
	require.Empty(t, answer.Header.Get("Content-Encoding"), "what a cookie lets in tells nothing by its length")
}
