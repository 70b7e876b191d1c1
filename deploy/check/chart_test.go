package check

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	sigsyaml "sigs.k8s.io/yaml"
)

var chartFolder = filepath.Join(root, "deploy", "helm", "signalbox")

// load reads the chart as Helm does, once. That it follows links, which Helm tells each time, is meant.
var load = sync.OnceValues(func() (*chart.Chart, error) {
	log.SetOutput(io.Discard)
	defer log.SetOutput(os.Stderr)
	return loader.LoadDir(chartFolder)
})

// render gives what the chart makes of values, as Helm would send it: manifests in the order of their files, the notes left out.
func render(t testing.TB, values string) ([]string, error) {
	t.Helper()
	given, err := chartutil.ReadValues([]byte(values))
	require.NoError(t, err)
	c, err := load()
	require.NoError(t, err)
	release := chartutil.ReleaseOptions{Name: "signalbox", Namespace: "tickets", Revision: 1, IsInstall: true}
	capabilities := chartutil.DefaultCapabilities.Copy()
	capabilities.KubeVersion = chartutil.KubeVersion{Version: "v" + builtIn + ".0", Major: "1", Minor: "30"}
	all, err := chartutil.ToRenderValues(c, given, release, capabilities)
	if err != nil {
		return nil, err
	}
	files, err := engine.Engine{Strict: true}.Render(c, all)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if strings.HasSuffix(name, ".txt") {
			continue
		}
		for _, part := range strings.Split("\n"+files[name], "\n---\n") {
			if strings.TrimSpace(part) != "" {
				out = append(out, strings.TrimSpace(part)+"\n")
			}
		}
	}
	return out, nil
}

// thing is a manifest that was read.
type thing map[string]any

// at follows members and places of lists; nil where there is nothing.
func (m thing) at(path ...any) any {
	var v any = map[string]any(m)
	for _, p := range path {
		switch p := p.(type) {
		case string:
			o, _ := v.(map[string]any)
			v = o[p]
		case int:
			l, _ := v.([]any)
			if p >= len(l) {
				return nil
			}
			v = l[p]
		}
	}
	return v
}

func (m thing) kind() string { return fmt.Sprint(m["kind"]) }
func (m thing) name() string { return fmt.Sprint(m.at("metadata", "name")) }

func parsed(t testing.TB, manifests []string) (out []thing) {
	t.Helper()
	for _, text := range manifests {
		var m thing
		require.NoError(t, sigsyaml.Unmarshal([]byte(text), &m), text)
		out = append(out, m)
	}
	return out
}

// pods gives the templates of all pods, by the name of what makes them.
func pods(things []thing) map[string]thing {
	out := map[string]thing{}
	for _, m := range things {
		if template, ok := m.at("spec", "template").(map[string]any); ok && m.kind() != "WorkerResourceTemplate" {
			out[m.kind()+"/"+m.name()] = template
		}
	}
	return out
}

func examples(t testing.TB) map[string]string {
	t.Helper()
	out := map[string]string{}
	files, err := filepath.Glob(filepath.Join(root, "deploy", "helm", "examples", "*.yaml"))
	require.NoError(t, err)
	require.Len(t, files, 4)
	for _, file := range files {
		out[strings.TrimSuffix(filepath.Base(file), ".yaml")] = read(t, "deploy", "helm", "examples", filepath.Base(file))
	}
	return out
}

// dashboards are long, and have a test of their own.
func withoutDashboards(text string) string {
	if strings.HasPrefix(text, "apiVersion: v1\nkind: ConfigMap\n") {
		head, _, _ := strings.Cut(text, "\ndata:\n")
		return head + "\ndata: … # a dashboard\n"
	}
	return text
}

// set by the chart itself, and so by nobody else.
var setByTheChart = []string{
	"SIGNALBOX_BUILD_ID", "SIGNALBOX_DATABASE_CONNECTIONS", "SIGNALBOX_DEPLOYMENT_NAME", "SIGNALBOX_HTTP_ADDRESS", "SIGNALBOX_STOP_DELAY", "SIGNALBOX_TEMPORAL_ADDRESS", "SIGNALBOX_TEMPORAL_NAMESPACE",
	"SIGNALBOX_TEMPORAL_TLS", "SIGNALBOX_TEMPORAL_TLS_CA", "SIGNALBOX_TEMPORAL_TLS_CERT", "SIGNALBOX_TEMPORAL_TLS_KEY", "SIGNALBOX_TEMPORAL_TLS_SERVER_NAME", "SIGNALBOX_TLS_CERT",
	"SIGNALBOX_TLS_KEY", "SIGNALBOX_WORKER_HTTP_ADDRESS", "SIGNALBOX_WORKER_QUEUES",
}

// secret is what stands in a Secret alone.
var secret = []string{
	"SIGNALBOX_BOOTSTRAP_APP", "SIGNALBOX_DATABASE_URL", "SIGNALBOX_MASTER_KEY", "SIGNALBOX_OIDC_CLIENT_SECRET", "SIGNALBOX_OLD_MASTER_KEYS", "SIGNALBOX_SMTP_PASSWORD", "SIGNALBOX_TEMPORAL_API_KEY",
}

// TestTheChartKnowsEverySetting holds what the chart says of settings against the table of the programs: which takes which, and which may be given where. With SIGNALBOX_WRITE set it
// writes the chart's half anew.
func TestTheChartKnowsEverySetting(t *testing.T) {
	takers := settings(t)
	text := "# Which program takes which setting; made of the table of settings by a test (make golden).\n"
	var plain, kept []any
	for _, name := range slices.Sorted(maps.Keys(takers)) {
		text += fmt.Sprintf("%s: [%s]\n", name, strings.Join(takers[name], ", "))
		if !slices.Contains(setByTheChart, name) {
			kept = append(kept, name)
			if !slices.Contains(secret, name) {
				plain = append(plain, name)
			}
		}
	}
	for _, name := range slices.Concat(setByTheChart, secret) {
		require.Contains(t, takers, name)
	}
	var schema map[string]any
	require.NoError(t, json.Unmarshal([]byte(read(t, "deploy", "helm", "signalbox", "values.schema.json")), &schema))
	defs := thing(schema["$defs"].(map[string]any))
	defs.at("settings", "propertyNames").(map[string]any)["enum"] = plain
	defs.at("secretKeys").(map[string]any)["enum"] = kept
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	require.NoError(t, encoder.Encode(schema))
	golden(t, os.Getenv("SIGNALBOX_WRITE") != "", filepath.Join(chartFolder, "values.schema.json"), out.String())
	golden(t, os.Getenv("SIGNALBOX_WRITE") != "", filepath.Join(chartFolder, "files", "settings.yaml"), text)
	templates := ""
	files, err := filepath.Glob(filepath.Join(chartFolder, "templates", "*"))
	require.NoError(t, err)
	for _, file := range files {
		one, err := os.ReadFile(file)
		require.NoError(t, err)
		templates += string(one)
	}
	for _, name := range setByTheChart {
		require.Contains(t, templates, `"`+name+`"`, "somebody has to set it")
	}
	for _, m := range regexp.MustCompile(`SIGNALBOX_[A-Z_]+`).FindAllString(templates, -1) {
		require.Contains(t, takers, m)
	}
}

// TestExamplesRender renders the chart with each set of values, compares that with what was looked at, and holds it against the schemas of Kubernetes and of what else is used. With
// SIGNALBOX_WRITE set it writes what is to be looked at.
func TestExamplesRender(t *testing.T) {
	for name, values := range examples(t) {
		t.Run(name, func(t *testing.T) {
			manifests, err := render(t, values)
			require.NoError(t, err)
			shown := make([]string, len(manifests))
			for i, text := range manifests {
				require.NoError(t, validate(text), text)
				shown[i] = withoutDashboards(text)
			}
			golden(t, os.Getenv("SIGNALBOX_WRITE") != "", filepath.Join("testdata", "rendered", name+".yaml"), strings.Join(shown, "---\n"))
			hangsTogether(t, parsed(t, manifests))
		})
	}
}

// hangsTogether looks at what no schema says: that things find each other, that programs get settings which they take, and that pods are locked down.
func hangsTogether(t *testing.T, things []thing) {
	takers := settings(t)
	pods := pods(things)
	deployments := map[string]bool{}
	seen := map[string]bool{}
	for _, m := range things {
		id := m.kind() + "/" + m.name()
		require.False(t, seen[id], "%s is there twice", id)
		seen[id] = true
		require.LessOrEqual(t, len(m.name()), 63, id)
		require.Equal(t, "signalbox", m.at("metadata", "labels", "app.kubernetes.io/instance"), id)
		if m.kind() == "Deployment" {
			deployments[m.name()] = true
		}
	}
	labels := func(p thing) map[string]any { return p.at("metadata", "labels").(map[string]any) }
	selects := func(selector any, p thing) bool {
		for k, v := range selector.(map[string]any) {
			if labels(p)[k] != v {
				return false
			}
		}
		return true
	}
	for _, m := range things {
		id := m.kind() + "/" + m.name()
		var selector any
		switch m.kind() {
		case "Service":
			selector = m.at("spec", "selector")
		case "NetworkPolicy":
			selector = m.at("spec", "podSelector", "matchLabels")
		case "PodDisruptionBudget", "Deployment":
			selector = m.at("spec", "selector", "matchLabels")
		case "HorizontalPodAutoscaler", "ScaledObject":
			require.True(t, deployments[fmt.Sprint(m.at("spec", "scaleTargetRef", "name"))], id)
			require.Equal(t, "apps/v1", m.at("spec", "scaleTargetRef", "apiVersion"), id)
		}
		if selector == nil {
			continue
		}
		var found []string
		for name, p := range pods {
			if selects(selector, p) {
				found = append(found, name)
			}
		}
		require.NotEmpty(t, found, "%s selects nobody", id)
		if m.kind() == "Deployment" {
			require.Equal(t, []string{id}, found, "a Deployment selects its own pods alone")
		}
	}
	// What scales has no number of its own, which every upgrade would put back.
	for _, m := range things {
		if m.kind() == "Deployment" {
			scaled := seen["HorizontalPodAutoscaler/"+m.name()] || seen["ScaledObject/"+m.name()]
			require.Equal(t, scaled, m.at("spec", "replicas") == nil, m.name())
		}
	}
	for id, p := range pods {
		program := strings.Trim(fmt.Sprint(p.at("spec", "containers", 0, "command")), "[]")
		require.Contains(t, []string{"api", "worker", "migrate"}, program, id)
		env := map[string]bool{}
		for _, v := range list(p.at("spec", "containers", 0, "env")) {
			name := fmt.Sprint(v.(map[string]any)["name"])
			require.False(t, env[name], "%s has %s twice", id, name)
			env[name] = true
			if strings.HasPrefix(name, "SIGNALBOX_") {
				require.Contains(t, takers[name], program, "%s is given %s", id, name)
			}
		}
		require.True(t, env["SIGNALBOX_DATABASE_URL"] && env["SIGNALBOX_MASTER_KEY"], id)
		require.Equal(t, false, p.at("spec", "automountServiceAccountToken"), id)
		require.True(t, seen["ServiceAccount/"+fmt.Sprint(p.at("spec", "serviceAccountName"))], id)
		require.Equal(t, true, p.at("spec", "securityContext", "runAsNonRoot"), id)
		require.Equal(t, "RuntimeDefault", p.at("spec", "securityContext", "seccompProfile", "type"), id)
		require.Equal(t, map[string]any{"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": map[string]any{"drop": []any{"ALL"}}},
			p.at("spec", "containers", 0, "securityContext"), id)
		ports := map[string]bool{}
		for _, port := range list(p.at("spec", "containers", 0, "ports")) {
			ports[fmt.Sprint(port.(map[string]any)["name"])] = true
		}
		if program == "migrate" {
			continue
		}
		for _, probe := range []string{"livenessProbe", "readinessProbe"} {
			require.True(t, ports[fmt.Sprint(p.at("spec", "containers", 0, probe, "httpGet", "port"))], "%s: %s", id, probe)
		}
		mounted := map[string]bool{}
		for _, v := range list(p.at("spec", "volumes")) {
			mounted[fmt.Sprint(v.(map[string]any)["name"])] = true
		}
		for _, v := range list(p.at("spec", "containers", 0, "volumeMounts")) {
			require.True(t, mounted[fmt.Sprint(v.(map[string]any)["name"])], id)
		}
	}
	// Everything that migrate needs is there before it: only hooks are.
	for _, m := range things {
		if m.at("metadata", "labels", "app.kubernetes.io/component") == "migrate" || m.kind() == "ExternalSecret" {
			require.Equal(t, "pre-install,pre-upgrade", m.at("metadata", "annotations", "helm.sh/hook"), m.kind())
			if m.kind() != "Job" {
				require.Equal(t, "-20", m.at("metadata", "annotations", "helm.sh/hook-weight"), "before the Job")
			}
		}
	}
}

// TestPodsUnderTheWorkerController holds the templates of pods that the controller makes, and of what it makes beside them, against Kubernetes' own schemas.
func TestPodsUnderTheWorkerController(t *testing.T) {
	manifests, err := render(t, examples(t)["versioned"])
	require.NoError(t, err)
	found := 0
	for _, m := range parsed(t, manifests) {
		var inner map[string]any
		switch m.kind() {
		case "WorkerDeployment":
			p := thing(m.at("spec", "template").(map[string]any))
			inner = map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": "x"},
				"spec": map[string]any{"template": p, "selector": map[string]any{"matchLabels": p.at("metadata", "labels")}}}
			// The controller names the worker deployment like this, and the program has to say the same.
			env := map[string]any{}
			for _, v := range list(p.at("spec", "containers", 0, "env")) {
				env[fmt.Sprint(v.(map[string]any)["name"])] = v.(map[string]any)["value"]
			}
			require.Equal(t, "tickets/"+m.name(), env["SIGNALBOX_DEPLOYMENT_NAME"])
			require.Equal(t, m.at("spec", "workerOptions", "unsafeCustomBuildID"), env["SIGNALBOX_BUILD_ID"])
			require.Equal(t, "v1.4.0", env["SIGNALBOX_BUILD_ID"])
		case "WorkerResourceTemplate":
			inner = m.at("spec", "template").(map[string]any)
			require.Equal(t, map[string]any{}, thing(inner).at("spec", "scaleTargetRef"), "the controller fills it in, if it is there and empty")
			thing(inner).at("spec").(map[string]any)["scaleTargetRef"] = map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"}
			inner["metadata"] = map[string]any{"name": "x"}
		default:
			continue
		}
		found++
		text, err := sigsyaml.Marshal(inner)
		require.NoError(t, err)
		require.NoError(t, validate(string(text)), string(text))
	}
	require.Equal(t, 4, found)
}

// TestPlainValuesOfSettingsAreWrittenPlain: Helm reads numbers as floating ones.
func TestPlainValuesOfSettingsAreWrittenPlain(t *testing.T) {
	values := strings.Replace(examples(t)["small"], "settings:\n", "settings:\n  SIGNALBOX_BODY_LIMIT: 20971520\n  SIGNALBOX_ENCRYPT_PAYLOADS: true\n  SIGNALBOX_APP_RATE: 0\n", 1) +
		"migrate: {settings: {SIGNALBOX_TIME_ZONE: UTC}}\n"
	manifests, err := render(t, values)
	require.NoError(t, err)
	env := map[string]map[string]any{}
	for id, p := range pods(parsed(t, manifests)) {
		env[id] = map[string]any{}
		for _, v := range list(p.at("spec", "containers", 0, "env")) {
			env[id][fmt.Sprint(v.(map[string]any)["name"])] = v.(map[string]any)["value"]
		}
	}
	api, migrate, worker := env["Deployment/signalbox-api"], env["Job/signalbox-migrate"], env["Deployment/signalbox-worker-tickets"]
	require.Equal(t, "20971520", api["SIGNALBOX_BODY_LIMIT"])
	require.Equal(t, "0", api["SIGNALBOX_APP_RATE"])
	require.Equal(t, "true", worker["SIGNALBOX_ENCRYPT_PAYLOADS"])
	require.NotContains(t, worker, "SIGNALBOX_BODY_LIMIT", "which it does not take")
	require.Equal(t, "UTC", migrate["SIGNALBOX_TIME_ZONE"], "its own counts more")
	require.Equal(t, "Europe/Vienna", api["SIGNALBOX_TIME_ZONE"])
}

// TestWrongValuesAreRefused sets one value wrong at a time; what Helm then says names it.
func TestWrongValuesAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ values, want string }{
		"no secret at all":             {"", "secret: set existingSecret"},
		"two secrets":                  {"secret: {existingSecret: x, externalSecret: {enabled: true, storeName: s, remoteKey: k}}", "exclude each other"},
		"a store without a name":       {"secret: {externalSecret: {enabled: true}}", "storeName and remoteKey are needed"},
		"no key for the database":      {"secret: {existingSecret: x, keys: [SIGNALBOX_MASTER_KEY]}", "SIGNALBOX_DATABASE_URL is always needed"},
		"a value that is none":         {"secret: {existingSecret: x}\nreplicas: 3", "replicas"},
		"a setting that is none":       {"secret: {existingSecret: x}\nsettings: {SIGNALBOX_PUBLIC_ULR: https://x}", "SIGNALBOX_PUBLIC_ULR"},
		"a secret as a plain value":    {"secret: {existingSecret: x}\nsettings: {SIGNALBOX_MASTER_KEY: x}", "SIGNALBOX_MASTER_KEY"},
		"a setting of the chart's own": {"secret: {existingSecret: x}\nsettings: {SIGNALBOX_HTTP_ADDRESS: ':80'}", "SIGNALBOX_HTTP_ADDRESS"},
		"a setting from two places":    {"secret: {existingSecret: x, keys: [SIGNALBOX_DATABASE_URL, SIGNALBOX_MASTER_KEY, SIGNALBOX_CALLBACK_PROXY]}\nsettings: {SIGNALBOX_CALLBACK_PROXY: http://x}", "it comes from there"},
		"another program's setting":    {"secret: {existingSecret: x}\nmigrate: {settings: {SIGNALBOX_BODY_LIMIT: 1}}", "migrate.settings: SIGNALBOX_BODY_LIMIT is no setting of migrate"},
		"a setting that is a list":     {"secret: {existingSecret: x}\nsettings: {SIGNALBOX_CORS_ORIGINS: [a, b]}", "SIGNALBOX_CORS_ORIGINS"},
		"a setting among variables":    {"secret: {existingSecret: x}\nextraEnv: [{name: SIGNALBOX_LOG_LEVEL, value: debug}]", "extraEnv"},
		"no replicas":                  {"secret: {existingSecret: x}\napi: {replicas: 0}", "replicas"},
		"too little time to end":       {"secret: {existingSecret: x}\napi: {stopDelaySeconds: 15}", "api.terminationGracePeriodSeconds: must be at least 35"},
		"most below fewest":            {"secret: {existingSecret: x}\napi: {autoscaling: {minReplicas: 9}}", "maxReplicas is below minReplicas"},
		"most below fewest, of KEDA":   {"secret: {existingSecret: x}\nworkers: {deliveries: {keda: {maxReplicas: 1}}}", "workers.deliveries.keda"},
		"workers down to none":         {"secret: {existingSecret: x}\nworkers: {deliveries: {keda: {minReplicas: 0}}}", "minReplicas"},
		"KEDA beside the controller":   {"secret: {existingSecret: x}\nversioning: {mode: controller, buildID: a}\nworkers: {tickets: {keda: {enabled: true}}}", "scales by versioning.controller.hpa"},
		"old builds without builds":    {"secret: {existingSecret: x}\nversioning: {keep: [{buildID: a}]}", "versioning.mode builds"},
		"this build as an old one":     {"secret: {existingSecret: x}\nversioning: {mode: builds, buildID: a, keep: [{buildID: a}]}", "build a is this version's own"},
		"steps that are none":          {"secret: {existingSecret: x}\nversioning: {mode: controller, buildID: a, controller: {strategy: Progressive}}", "Progressive needs some"},
		"a build without an ID":        {"secret: {existingSecret: x}\nversioning: {mode: builds}", "versioning.buildID: is needed"},
		"a mode that is none":          {"secret: {existingSecret: x}\nversioning: {mode: canary}", "mode"},
		"an authority of nobody":       {"secret: {existingSecret: x}\ntemporal: {tlsCA: true}", "temporal.tlsCA"},
		"an Ingress without a name":    {"secret: {existingSecret: x}\napi: {ingress: {enabled: true}}", "api.ingress.hosts"},
		"a route that hangs nowhere":   {"secret: {existingSecret: x}\napi: {httpRoute: {enabled: true, hostnames: [a.example.com]}}", "parentRefs and hostnames"},
		"an address without a port":    {"secret: {existingSecret: x}\ntemporal: {address: temporal}", "address"},
		"readiness at a strange path":  {"secret: {existingSecret: x}\napi: {readinessPath: /healthz}", "readinessPath"},
	} {
		t.Run(name, func(t *testing.T) {
			manifests, err := render(t, c.values)
			require.ErrorContains(t, err, c.want)
			require.Empty(t, manifests)
		})
	}
}

// value is one of values.yaml.
type value struct{ name, fallback, meaning string }

// documented reads values.yaml with its comments. A value that holds others that are values has none of its own.
func documented(t testing.TB) (out []value) {
	t.Helper()
	var doc yaml.Node
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "deploy", "helm", "signalbox", "values.yaml")), &doc))
	var walk func(prefix string, node *yaml.Node)
	walk = func(prefix string, node *yaml.Node) {
		for i := 0; i < len(node.Content); i += 2 {
			key, v := node.Content[i], node.Content[i+1]
			name := prefix + key.Value
			if v.Kind == yaml.MappingNode && len(v.Content) > 0 && v.Style&yaml.FlowStyle == 0 && !strings.HasSuffix(name, ".resources") {
				walk(name+".", v)
				continue
			}
			comments := strings.Split(key.HeadComment, "\n\n")
			meaning := strings.TrimPrefix(strings.ReplaceAll(comments[len(comments)-1], "\n# ", " "), "# ")
			var plain any
			require.NoError(t, v.Decode(&plain))
			fallback, err := json.Marshal(plain)
			require.NoError(t, err)
			out = append(out, value{name, string(fallback), meaning})
		}
	}
	walk("", doc.Content[0])
	return out
}

// TestEveryValueIsDocumented holds values.yaml, its comments and the table in the chart's README against each other. With SIGNALBOX_WRITE set it writes the table.
func TestEveryValueIsDocumented(t *testing.T) {
	table := "\n| value | default | meaning |\n|---|---|---|\n"
	for _, v := range documented(t) {
		require.NotEmpty(t, v.meaning, "%s has no comment", v.name)
		require.Regexp(t, `[.:)…]$`, v.meaning, "%s: a sentence", v.name)
		table += fmt.Sprintf("| `%s` | `%s` | %s |\n", v.name, v.fallback, strings.ReplaceAll(v.meaning, "|", `\|`))
	}
	page := read(t, "deploy", "helm", "signalbox", "README.md")
	before, rest, ok := strings.Cut(page, "<!-- values -->\n")
	require.True(t, ok)
	_, after, ok := strings.Cut(rest, "<!-- /values -->")
	require.True(t, ok)
	golden(t, os.Getenv("SIGNALBOX_WRITE") != "", filepath.Join(chartFolder, "README.md"), before+"<!-- values -->\n"+table+"\n<!-- /values -->"+after)
}

// TestTheSchemaKnowsEveryValue holds values.yaml against values.schema.json, both ways, and no object of the schema takes members that it does not name unless they are somebody else's.
func TestTheSchemaKnowsEveryValue(t *testing.T) {
	var schema map[string]any
	require.NoError(t, json.Unmarshal([]byte(read(t, "deploy", "helm", "signalbox", "values.schema.json")), &schema))
	in := map[string]bool{}
	for _, v := range documented(t) {
		in[v.name] = true
	}
	described := map[string]bool{}
	var walk func(prefix string, s map[string]any)
	walk = func(prefix string, s map[string]any) {
		require.Equal(t, false, s["additionalProperties"], "%q takes anything", prefix)
		for name, v := range s["properties"].(map[string]any) {
			one := v.(map[string]any)
			// A map of somebody else's, such as labels; resources are Kubernetes'; and whatever Helm has for charts together.
			if _, nested := one["properties"]; !nested || name == "resources" {
				if prefix+name != "global" {
					described[prefix+name] = true
				}
				continue
			}
			walk(prefix+name+".", one)
		}
	}
	walk("", schema)
	require.Equal(t, in, described)
}
