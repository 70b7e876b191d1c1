package openapi_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/api"
	"signalbox/api/apitest"
	"signalbox/api/openapi"
)

func TestDocumentsAndTheirPage(t *testing.T) {
	apitest.LoadContract(t) // every document is sound
	server := api.New(api.Config{}, apitest.NewApps(), nil, nil)
	openapi.Mount(server)
	client := apitest.Client{T: t, App: server.App()}

	documents := openapi.Documents()
	require.Equal(t, "issue", documents[0].Name)
	for _, d := range documents {
		answer := client.Do("GET", "/openapi/"+d.Name+".yaml", nil)
		require.Equal(t, 200, answer.Status)
		require.Equal(t, d.YAML, answer.Body)
		page := client.Do("GET", "/docs/"+d.Name, nil)
		require.Equal(t, 200, page.Status)
		require.Contains(t, string(page.Body), `spec-url="/openapi/`+d.Name+`.yaml"`)
	}

	page := client.Do("GET", "/docs", nil)
	require.Equal(t, client.Do("GET", "/docs/issue", nil).Body, page.Body)
	require.Contains(t, page.Header.Get("Content-Security-Policy"), "default-src 'none'; script-src 'self';")
	require.NotContains(t, page.Header.Get("Content-Security-Policy"), "http")
	require.Contains(t, page.Header.Get("Content-Type"), "text/html")
	for _, link := range regexp.MustCompile(`(?:src|href|spec-url)="([^"]*)"`).FindAllStringSubmatch(string(page.Body), -1) {
		if link[1] == "data:," {
			continue
		}
		require.True(t, strings.HasPrefix(link[1], "/") && !strings.HasPrefix(link[1], "//"), "%s is not from here", link[1])
		require.Equal(t, 200, client.Do("GET", link[1], nil).Status, link[1])
	}
	script := client.Do("GET", "/docs/assets/rapidoc.js", nil)
	require.Contains(t, script.Header.Get("Content-Type"), "text/javascript")
	require.Greater(t, len(script.Body), 500_000)
	require.Equal(t, 404, client.Do("GET", "/docs/nothing", nil).Status)
}
