package console_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Language and zone are the browser's until somebody chooses others.
func TestLanguageZoneAndColoursAreChosen(t *testing.T) {
	h := newSite(t)
	b := h.visitor(t, "shop")
	require.Contains(t, b.get("/settings").Body, `<html lang="en">`)
	b.headers["Accept-Language"] = "zh-CN,zh;q=0.9,en;q=0.1"
	p := b.get("/settings")
	require.Contains(t, p.Body, `<html lang="zh">`)
	require.Contains(t, words(p.root), "语言")
	b.cookies["signalbox-look"] = "auto:Asia/Shanghai"
	require.Contains(t, b.get("/settings").Body, "Asia/Shanghai 显示")

	form := p.form("/settings")
	for name, value := range map[string]string{"language": "en", "zone": "America/New_York", "theme": "dark"} {
		form.Set(name, value)
	}
	saved := b.post("/settings", form)
	require.Equal(t, http.StatusSeeOther, saved.Status, saved.Body)
	p = b.get(saved.Header.Get("Location"))
	require.Contains(t, p.Body, `<html lang="en" data-theme="dark">`)
	require.Contains(t, words(p.one("notice")), "Your settings are saved.")
	require.Contains(t, p.Body, "Times are those of America/New_York.")
	require.Empty(t, words(b.get("/settings").one("notice")), "it is told once")

	form.Set("zone", "Nowhere/Land")
	bad := b.post("/settings", form)
	require.Equal(t, http.StatusBadRequest, bad.Status)
	require.Contains(t, words(bad.one("zone-problem")), "There is no such time zone.")
	require.Equal(t, http.StatusForbidden, b.post("/settings", url.Values{"csrf": {"guessed"}}).Status)
}

// Pages are compressed for those who take it.
func TestPagesAreCompressed(t *testing.T) {
	h, _, _, _ := sampled(t)
	b := h.visitor(t, "shop")
	whole := b.get("/tickets")
	require.Empty(t, whole.Header.Get("Content-Encoding"))
	r := httptest.NewRequest(http.MethodGet, "/tickets", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	res, err := h.app.Test(r, -1)
	require.NoError(t, err)
	require.Equal(t, "gzip", res.Header.Get("Content-Encoding"))
	unpacked, err := gzip.NewReader(res.Body)
	require.NoError(t, err)
	body, err := io.ReadAll(unpacked)
	require.NoError(t, err)
	require.True(t, strings.HasSuffix(strings.TrimSpace(string(body)), "</html>"))
}
