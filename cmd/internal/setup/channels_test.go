package setup

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"signalbox/api"
	"signalbox/api/apitest"
	"signalbox/api/openapi"
	"signalbox/ticket"
)

// Whoever adds a channel to ticket's list is told here by name what else it needs: docs/recipes.md, "family".

func TestEveryChannelIsServedAndDescribed(t *testing.T) {
	var served, subjects []ticket.Channel
	families := newProduct(t, api.Config{}).server.Families()
	for _, f := range families {
		require.Contains(t, ticket.CalledChannels(), f.Channel, "%v are served under a channel that is not in ticket's list", f.Prefixes)
		served = append(served, f.Channel)
		if f.Subject != nil {
			subjects = append(subjects, f.Channel)
		}
	}
	var described []string
	for _, d := range openapi.Documents() {
		described = append(described, d.Name)
	}
	for _, c := range ticket.CalledChannels() {
		require.Contains(t, served, c, "Container.API mounts no %s family", c)
		require.Contains(t, described, string(c), "api/openapi has no %s.yaml", c)
	}
	for _, c := range ticket.Families() {
		require.Contains(t, subjects, c, "the %s family reads no subject (api.Family.Subject): refusals of it name no operator and no ticket in the audit", c)
	}
	require.Equal(t, apitest.LoadContract(t).Routes(), apitest.Mounted(families...), "what the documents describe, and what is served")
	for _, c := range ticket.Channels() {
		require.NotEmpty(t, c.Title(), c)
	}
}

func TestTheAuditsDocumentNamesEveryChannel(t *testing.T) {
	i := slices.IndexFunc(openapi.Documents(), func(d openapi.Document) bool { return d.Name == "audit" })
	require.GreaterOrEqual(t, i, 0)
	doc, err := openapi3.NewLoader().LoadFromData(openapi.Documents()[i].YAML)
	require.NoError(t, err)
	var want []any
	for _, c := range ticket.AuditedChannels() {
		want = append(want, string(c))
	}
	want = append(want, string(ticket.ChannelSystem)) // what Signalbox does by itself, such as telling tickets who is absent
	require.Equal(t, want, doc.Components.Schemas["Entry"].Value.Properties["door"].Value.Enum, "api/openapi/audit.yaml: door")
}

// TestTheReadmeListsEveryFamily holds the README's table of families against the calls that are served: a row for each family, under whose
// paths all of its calls are.
func TestTheReadmeListsEveryFamily(t *testing.T) {
	text, err := os.ReadFile("../../../README.md")
	require.NoError(t, err)
	_, table, found := strings.Cut(string(text), "| family | paths | credential |\n|---|---|---|\n")
	require.True(t, found, "the README has no table of families")
	table, _, _ = strings.Cut(table, "\n\n")
	var names []ticket.Channel
	var paths []string // as the README has them
	quoted := regexp.MustCompile("`(/[^`]*)`")
	for row := range strings.Lines(table) {
		cells := strings.Split(row, "|")
		name, _, _ := strings.Cut(strings.TrimSpace(cells[1]), " ")
		names = append(names, ticket.Channel(name))
		for _, path := range quoted.FindAllStringSubmatch(cells[2], -1) {
			paths = append(paths, path[1])
		}
	}
	require.Equal(t, ticket.Families(), names, "the families of the README's table")

	parameter := regexp.MustCompile(`:([A-Za-z_]+)`)
	used := map[string]bool{}
	for _, f := range newProduct(t, api.Config{}).server.Families() {
		for _, r := range f.Routes {
			if f.Channel == ticket.ChannelCodec {
				continue
			}
			i := slices.IndexFunc(paths, func(path string) bool {
				prefix, tree := strings.CutSuffix(path, "…")
				return tree && strings.HasPrefix(r.Path, prefix) || regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(path, "*") == parameter.ReplaceAllString(r.Path, "*")
			})
			require.GreaterOrEqual(t, i, 0, "%s %s of the %s family is under no path of the README's table", r.Method, r.Path, f.Channel)
			used[paths[i]] = true
		}
	}
	for _, path := range paths {
		require.True(t, used[path], "the README's table of families names %s, and no call is there", path)
	}
}
