package setup

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/api"
)

// browserAccepts is what browsers send where somebody follows a link.
const browserAccepts = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"

// Where there is nothing, browsers are shown a page that says so; callers, and all who ask below the paths of a family, hear it in JSON.
func TestBrowsersAreShownThatThereIsNothing(t *testing.T) {
	p := newProduct(t, api.Config{})
	get := func(method, path, accepts string) (status int, kind, body string) {
		t.Helper()
		r := httptest.NewRequest(method, path, nil)
		r.Header.Set("Accept", accepts)
		r.Header.Set("Accept-Language", "zh")
		w, err := p.server.App().Test(r, -1)
		require.NoError(t, err)
		defer func() { require.NoError(t, w.Body.Close()) }()
		text, err := io.ReadAll(w.Body)
		require.NoError(t, err)
		return w.StatusCode, w.Header.Get("Content-Type"), string(text)
	}
	for _, path := range []string{"/nowhere", "/nowhere/at/all", "/Tickets"} {
		status, kind, body := get(http.MethodGet, path, browserAccepts)
		require.Equal(t, http.StatusNotFound, status, path)
		require.Equal(t, "text/html; charset=utf-8", kind, path)
		require.Contains(t, body, `<html lang="zh">`, path)
		for _, accepts := range []string{"", "*/*", "application/json", "application/json, text/html;q=0.5"} {
			status, kind, body = get(http.MethodGet, path, accepts)
			require.Equal(t, http.StatusNotFound, status, path)
			require.Equal(t, "application/json; charset=utf-8", kind, path+" "+accepts)
			require.Contains(t, body, "there is no such path", path)
		}
	}
	_, kind, _ := get(http.MethodPost, "/nowhere", browserAccepts)
	require.Equal(t, "application/json; charset=utf-8", kind, "no browser shows what comes of it")
	_, kind, _ = get(http.MethodGet, "/v1/nowhere", browserAccepts)
	require.NotContains(t, kind, "html", "programs of old accept HTML without wanting it")
	status, kind, _ := get(http.MethodGet, "/inbox/none", browserAccepts)
	require.Equal(t, http.StatusNotFound, status)
	require.Contains(t, kind, "html")
}
