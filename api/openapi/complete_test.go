package openapi_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"signalbox/api/openapi"
)

// TestDocumentsSayWhatGeneratorsAskFor: every operation, those of callbacks too, has an id of its own and says what a refusal looks like; examples are what
// their schemas say; nothing is said by an alias; and no schema has several types at once but null, nor is one true or false.
func TestDocumentsSayWhatGeneratorsAskFor(t *testing.T) {
	for _, d := range openapi.Documents() {
		t.Run(d.Name, func(t *testing.T) {
			document, err := openapi3.NewLoader().LoadFromData(d.YAML)
			require.NoError(t, err)
			require.NoError(t, document.Validate(t.Context(), openapi3.EnableExamplesValidation()))
			seen := map[string]bool{}
			operation := func(at string, o *openapi3.Operation) {
				require.Regexp(t, `^[a-z][A-Za-z0-9]+$`, o.OperationID, at)
				require.False(t, seen[o.OperationID], "%s: %s is another's id", at, o.OperationID)
				seen[o.OperationID] = true
				refusals := slices.DeleteFunc(slices.Collect(maps.Keys(o.Responses.Map())), func(status string) bool { return status[0] != '4' })
				require.NotEmpty(t, refusals, at)
			}
			for path, item := range document.Paths.Map() {
				for method, o := range item.Operations() {
					operation(method+" "+path, o)
					for name, callback := range o.Callbacks {
						for _, item := range callback.Value.Map() {
							for method, o := range item.Operations() {
								operation(method+" "+name, o)
							}
						}
					}
				}
			}
			require.NotEmpty(t, seen)
			var root yaml.Node
			require.NoError(t, yaml.Unmarshal(d.YAML, &root))
			var walk func(n *yaml.Node)
			walk = func(n *yaml.Node) {
				require.NotEqual(t, yaml.AliasNode, n.Kind, "line %d", n.Line)
				for i, under := range n.Content {
					walk(under)
					if n.Kind != yaml.MappingNode || i%2 == 0 {
						continue
					}
					switch name := n.Content[i-1].Value; {
					case name == "type" && under.Kind == yaml.SequenceNode:
						require.Len(t, under.Content, 2, "line %d", under.Line)
						require.Equal(t, "null", under.Content[1].Value, "line %d", under.Line)
					case name == "properties" && under.Kind == yaml.MappingNode:
						for j := 1; j < len(under.Content); j += 2 {
							require.NotEqual(t, yaml.ScalarNode, under.Content[j].Kind, "line %d", under.Content[j].Line)
						}
					}
				}
			}
			walk(&root)
		})
	}
}
