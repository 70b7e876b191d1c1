package scim

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"

	"github.com/elimity-com/scim"
	"github.com/elimity-com/scim/schema"
)

const patchOp = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

// fault names what the library refuses a body for, as a caller would spell it: an attribute, one of an extension with its schema before it, or an operation with its
// place. The library says only that something is wrong, so each part is held against its rules alone. Empty: it is nothing in the body.
func fault(method, path string, raw []byte) string {
	var body map[string]any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber() // as the library reads it
	if d.Decode(&body) != nil || body == nil {
		return ""
	}
	for _, kind := range arguments.ResourceTypes {
		switch {
		case !strings.HasPrefix(path, "/v2"+kind.Endpoint):
		case method == http.MethodPatch:
			return faultOfPatch(kind, body)
		default:
			return faultOfResource(kind, body)
		}
	}
	return ""
}

func faultOfResource(kind scim.ResourceType, body map[string]any) string {
	if _, err := (schema.Schema{ID: kind.Schema.ID}).Validate(body); err != nil {
		return "schemas"
	}
	common := schema.SimpleCoreAttribute(schema.SimpleStringParams(schema.StringParams{Name: schema.CommonAttributeExternalID}))
	if name := faultyAttribute(append(slices.Clone(kind.Schema.Attributes), common), body); name != "" {
		return name
	}
	for _, extension := range kind.SchemaExtensions {
		if inner := body[extension.Schema.ID]; inner == nil {
			continue
		} else if _, is := inner.(map[string]any); !is {
			return extension.Schema.ID
		} else if name := faultyAttribute(extension.Schema.Attributes, inner); name != "" {
			return extension.Schema.ID + ":" + name
		}
	}
	return ""
}

func faultyAttribute(attributes schema.Attributes, in any) string {
	for _, attribute := range attributes {
		if _, err := (schema.Schema{Attributes: schema.Attributes{attribute}}).ValidateExtension(in); err != nil {
			return attribute.Name()
		}
	}
	return ""
}

func faultOfPatch(kind scim.ResourceType, body map[string]any) string {
	if named, _ := body[spelling(body, "schemas")].([]any); len(named) != 1 || named[0] != patchOp {
		return "schemas"
	}
	operations, _ := body[spelling(body, "Operations")].([]any)
	if len(operations) == 0 {
		return "Operations"
	}
	passed := false
	kind.Handler = trial{passed: &passed}
	server, err := scim.NewServer(&scim.ServerArgs{ServiceProviderConfig: arguments.ServiceProviderConfig, ResourceTypes: []scim.ResourceType{kind}})
	if err != nil {
		return ""
	}
	for i, op := range operations {
		raw, err := json.Marshal(map[string]any{"schemas": []string{patchOp}, "Operations": []any{op}})
		if err != nil {
			return ""
		}
		passed = false
		server.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPatch, "/v2"+kind.Endpoint+"/any", bytes.NewReader(raw)))
		if !passed {
			return "Operations[" + strconv.Itoa(i) + "]"
		}
	}
	return ""
}

// trial notes that a PATCH has passed the library's checks, and does nothing.
type trial struct {
	scim.ResourceHandler
	passed *bool
}

func (t trial) Patch(*http.Request, string, []scim.PatchOperation) (scim.Resource, error) {
	*t.passed = true
	return scim.Resource{}, nil
}
