package openapi_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/api"
	"signalbox/api/apitest"
	"signalbox/api/openapi"
)

func TestDocumentsAreServed(t *testing.T) {
	apitest.LoadContract(t) // every document is sound
	server := api.New(api.Config{}, apitest.NewApps(), nil, nil)
	openapi.Mount(server)
	client := apitest.Client{T: t, App: server.App()}
	var names []string
	for _, d := range openapi.Documents() {
		answer := client.Do("GET", "/openapi/"+d.Name+".yaml", nil)
		require.Equal(t, 200, answer.Status)
		require.Equal(t, d.YAML, answer.Body)
		names = append(names, d.Name)
	}
	require.Equal(t, []string{"issue", "incident", "itsm", "publish", "exception"}, names[:5], "families first")
	require.Equal(t, []string{"audit", "codec"}, names[len(names)-2:])
}
