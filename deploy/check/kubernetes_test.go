package check

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// builtIn is the version of Kubernetes that manifests are held against.
const builtIn = "1.30"

// custom are the files in which others describe their resources: a module and a path in it, or a file of ours.
var custom = []struct{ module, path string }{
	{"github.com/kedacore/keda/v2", "config/crd/bases/keda.sh_scaledobjects.yaml"},
	{"github.com/kedacore/keda/v2", "config/crd/bases/keda.sh_triggerauthentications.yaml"},
	{"github.com/external-secrets/external-secrets", "config/crds/bases/external-secrets.io_externalsecrets.yaml"},
	{"sigs.k8s.io/gateway-api", "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml"},
	{"github.com/prometheus-operator/prometheus-operator", "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml"},
	{"github.com/prometheus-operator/prometheus-operator", "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml"},
	{"", "testdata/schemas/temporal.io.yaml"},
}

// folder is where a module lies that go.mod names.
func folder(module string) (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err == nil && len(bytes.TrimSpace(out)) == 0 {
		out, err = exec.Command("go", "mod", "download", "-json", module).Output()
		var downloaded struct{ Dir string }
		if err == nil {
			err = json.Unmarshal(out, &downloaded)
		}
		return downloaded.Dir, err
	}
	return strings.TrimSpace(string(out)), err
}

// kinds compiles the schemas once: of what Kubernetes has itself, as its servers describe it, and of what others add, as their definitions do. Members that nobody describes are refused.
var kinds = sync.OnceValues(func() (map[string]*jsonschema.Schema, error) {
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft4) // whose words OpenAPI 3.0 has
	at := map[string]string{}
	validate, err := folder("sigs.k8s.io/kubectl-validate")
	if err != nil {
		return nil, err
	}
	for _, group := range []string{"api/v1", "apis/apps/v1", "apis/autoscaling/v2", "apis/batch/v1", "apis/networking.k8s.io/v1", "apis/policy/v1"} {
		text, err := os.ReadFile(filepath.Join(validate, "pkg", "openapiclient", "builtins", builtIn, group+".json"))
		if err != nil {
			return nil, err
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			return nil, err
		}
		address := "https://kubernetes.example.com/" + group
		schemas := doc.(map[string]any)["components"].(map[string]any)["schemas"].(map[string]any)
		for name, s := range schemas {
			strict(s)
			for _, kind := range list(s.(map[string]any)["x-kubernetes-group-version-kind"]) {
				k := kind.(map[string]any)
				at[key(k["group"], k["version"], k["kind"])] = address + "#/components/schemas/" + name
			}
		}
		// Numbers or texts, such as a port: the document says it by a format alone.
		if s, ok := schemas["io.k8s.apimachinery.pkg.util.intstr.IntOrString"]; ok {
			s.(map[string]any)["type"] = []any{"integer", "string"}
		}
		if s, ok := schemas["io.k8s.apimachinery.pkg.api.resource.Quantity"]; ok {
			s.(map[string]any)["type"] = []any{"number", "string"}
		}
		if err := compiler.AddResource(address, doc); err != nil {
			return nil, err
		}
	}
	for _, c := range custom {
		path := c.path
		if c.module != "" {
			dir, err := folder(c.module)
			if err != nil {
				return nil, err
			}
			path = filepath.Join(dir, c.path)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		for _, part := range strings.Split("\n"+string(text), "\n---\n") {
			if strings.TrimSpace(part) == "" || !strings.Contains(part, "CustomResourceDefinition") {
				continue
			}
			asJSON, err := yaml.YAMLToJSON([]byte(part))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.path, err)
			}
			doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
			if err != nil {
				return nil, err
			}
			spec := doc.(map[string]any)["spec"].(map[string]any)
			for _, v := range spec["versions"].([]any) {
				version := v.(map[string]any)
				schema := version["schema"].(map[string]any)["openAPIV3Schema"].(map[string]any)
				strict(schema)
				k := key(spec["group"], version["name"], spec["names"].(map[string]any)["kind"])
				at[k] = "https://custom.example.com/" + k
				if err := compiler.AddResource(at[k], schema); err != nil {
					return nil, err
				}
			}
		}
	}
	out := map[string]*jsonschema.Schema{}
	for k, address := range at {
		if out[k], err = compiler.Compile(address); err != nil {
			return nil, fmt.Errorf("%s: %w", k, err)
		}
	}
	return out, nil
})

func key(group, version, kind any) string {
	if group == "" {
		return fmt.Sprintf("%v/%v", version, kind)
	}
	return fmt.Sprintf("%v/%v/%v", group, version, kind)
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

// strict makes of a schema as Kubernetes writes it one that refuses what it does not name, and takes nulls where that says so.
func strict(v any) {
	switch v := v.(type) {
	case []any:
		for _, one := range v {
			strict(one)
		}
	case map[string]any:
		for _, one := range v {
			strict(one)
		}
		// Patterns are those of Go there, and compiled as such; defaults are no concern of ours.
		delete(v, "default")
		if v["x-kubernetes-int-or-string"] == true {
			delete(v, "anyOf")
			v["type"] = []any{"integer", "string"}
		}
		if props, ok := v["properties"].(map[string]any); ok && v["additionalProperties"] == nil && v["x-kubernetes-preserve-unknown-fields"] != true && v["type"] == "object" {
			if meta, ok := props["metadata"].(map[string]any); ok && meta["properties"] == nil {
				delete(meta, "additionalProperties")
			}
			v["additionalProperties"] = false
		}
		if typ, ok := v["type"].(string); ok && v["nullable"] == true {
			v["type"] = []any{typ, "null"}
		}
	}
}

// validate tells what is wrong with a manifest, by the schema of its kind.
func validate(text string) error {
	known, err := kinds()
	if err != nil {
		return err
	}
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	if err := yaml.Unmarshal([]byte(text), &head); err != nil {
		return err
	}
	schema, ok := known[head.APIVersion+"/"+head.Kind]
	if !ok {
		return fmt.Errorf("no schema of %s %s", head.APIVersion, head.Kind)
	}
	var strictly any
	if err := yaml.UnmarshalStrict([]byte(text), &strictly); err != nil { // a member twice
		return err
	}
	asJSON, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		return err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		return err
	}
	return schema.Validate(doc)
}

// TestSchemasRefuseWhatIsWrong gives the schemas manifests with one thing wrong.
func TestSchemasRefuseWhatIsWrong(t *testing.T) {
	const service = "apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec:\n  ports: [{port: 80, targetPort: http}]\n"
	require.NoError(t, validate(service))
	for name, c := range map[string]struct{ text, want string }{
		"a member that is none":      {strings.Replace(service, "spec:", "spec:\n  selectors: {}", 1), "selectors"},
		"a member of the wrong type": {strings.Replace(service, "port: 80,", "port: eighty,", 1), "/spec/ports/0/port"},
		"a member twice":             {strings.Replace(service, "spec:", "kind: Service\nspec:", 1), "already set"},
		"a kind that is none":        {strings.Replace(service, "kind: Service", "kind: Servant", 1), "no schema of v1 Servant"},
		"a Job without containers":   {"apiVersion: batch/v1\nkind: Job\nmetadata: {name: x}\nspec: {template: {spec: {restartPolicy: Never}}}", "containers"},
		"a trigger without a type":   {"apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: x}\nspec: {scaleTargetRef: {name: x}, triggers: [{metadata: {}}]}", "type"},
		"a store without a name": {"apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: x}\nspec: {secretStore: {}}",
			"secretStore"},
		"a rollout that is none": {"apiVersion: temporal.io/v1alpha1\nkind: WorkerDeployment\nmetadata: {name: x}\nspec: {rollout: {strategy: Slowly}}", "strategy"},
	} {
		require.ErrorContains(t, validate(c.text), c.want, name)
	}
}
