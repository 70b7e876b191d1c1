package check

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/rules"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

var (
	alertsFile = filepath.Join(root, "deploy", "prometheus", "alerts.yaml")
	grammar    = parser.NewParser(parser.Options{})
)

// given are the labels that Prometheus adds to everything, and that of a histogram's buckets.
var given = []string{"instance", "job", "le"}

// expressionFaults tells what in an expression is not on the page of metrics: names, labels, and values of labels where the page has words for them.
func expressionFaults(known map[string]metric, text string) (faults []string, err error) {
	expr, err := grammar.ParseExpr(strings.ReplaceAll(text, "$__rate_interval", "5m"))
	if err != nil {
		return nil, err
	}
	has := map[string]bool{}
	for _, l := range given {
		has[l] = true
	}
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		s, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		name := s.Name
		m, ok := known[name]
		if !ok {
			name = regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, "")
			if m, ok = known[name]; !ok || m.kind != "histogram" {
				faults = append(faults, "no metric "+s.Name)
				return nil
			}
		} else if m.kind == "histogram" {
			faults = append(faults, s.Name+" is a histogram: name its buckets, sum or count")
		}
		for _, l := range m.labels {
			has[l] = true
		}
		for _, match := range s.LabelMatchers {
			if match.Name == labels.MetricName {
				continue
			}
			if !slices.Contains(m.labels, match.Name) && !slices.Contains(given, match.Name) {
				faults = append(faults, fmt.Sprintf("%s has no label %s", name, match.Name))
				continue
			}
			for _, v := range strings.Split(match.Value, "|") {
				if match.Name != "status" && match.Name != "db_name" && !m.values[v] {
					faults = append(faults, fmt.Sprintf("%s: nothing is said of %s=%q", name, match.Name, v))
				}
			}
		}
		return nil
	})
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		var by []string
		switch n := node.(type) {
		case *parser.AggregateExpr:
			by = n.Grouping
		case *parser.BinaryExpr:
			if n.VectorMatching != nil {
				by = n.VectorMatching.MatchingLabels
			}
		}
		for _, l := range by {
			if !has[l] {
				faults = append(faults, "nothing has the label "+l)
			}
		}
		return nil
	})
	return faults, nil
}

func TestFaultsOfExpressionsAreFound(t *testing.T) {
	known := metrics(t)
	for text, want := range map[string]string{
		`sum(rate(signalbox_deliveries_total{outcome="sent"}[5m]))`:         "",
		`sum(rate(signalbox_delivery_total{outcome="sent"}[5m]))`:           "no metric signalbox_delivery_total",
		`sum(rate(signalbox_deliveries_total{result="sent"}[5m]))`:          "has no label result",
		`sum(rate(signalbox_deliveries_total{outcome="arrived"}[5m]))`:      `nothing is said of outcome="arrived"`,
		`sum(rate(signalbox_deliveries_total{outcome=~"sent|lost"}[5m]))`:   `outcome="lost"`,
		`sum by (host) (rate(signalbox_deliveries_total[5m]))`:              "nothing has the label host",
		`rate(signalbox_http_request_seconds[5m])`:                          "is a histogram",
		`rate(signalbox_deliveries_total_bucket[5m])`:                       "no metric",
		`sum(rate(signalbox_deliveries_total{outcome="sent"}[5m])`:          "parse",
		`signalbox_breakers_open and on (instance) signalbox_build_info`:    "",
		`signalbox_breakers_open and on (pod) signalbox_build_info`:         "nothing has the label pod",
		`histogram_quantile(0.9, rate(signalbox_http_request_seconds[5m]))`: "is a histogram",
	} {
		faults, err := expressionFaults(known, text)
		switch {
		case want == "":
			require.NoError(t, err, text)
			require.Empty(t, faults, text)
		case want == "parse":
			require.Error(t, err)
		default:
			require.NoError(t, err, text)
			require.Contains(t, strings.Join(faults, "; "), want, text)
		}
	}
}

// TestDashboardsShowWhatThereIs looks at every expression, and at what Grafana needs to load a dashboard.
func TestDashboardsShowWhatThereIs(t *testing.T) {
	known := metrics(t)
	files, err := filepath.Glob(filepath.Join(root, "deploy", "grafana", "*.json"))
	require.NoError(t, err)
	require.Len(t, files, 3)
	used, uids := map[string]bool{}, map[string]bool{}
	for _, file := range files {
		var d struct {
			UID, Title    string
			Tags          []string
			SchemaVersion int
			Templating    struct {
				List []struct{ Name, Type, Query string }
			}
			Panels []struct {
				ID          int
				Type        string
				Title       string
				GridPos     struct{ H, W, X, Y int }
				Datasource  struct{ Type, UID string }
				FieldConfig struct {
					Defaults struct{ Unit string }
				}
				Targets []struct {
					RefID, Expr, LegendFormat string
					Datasource                struct{ Type, UID string }
				}
			}
		}
		require.NoError(t, json.Unmarshal([]byte(read(t, "deploy", "grafana", filepath.Base(file))), &d), file)
		require.Equal(t, "signalbox-"+strings.TrimSuffix(filepath.Base(file), ".json"), d.UID)
		require.False(t, uids[d.UID])
		uids[d.UID] = true
		require.NotEmpty(t, d.Title)
		require.GreaterOrEqual(t, d.SchemaVersion, 36)
		require.Contains(t, d.Templating.List, struct{ Name, Type, Query string }{"datasource", "datasource", "prometheus"})
		ids := map[int]bool{}
		for i, p := range d.Panels {
			where := d.Title + ": " + p.Title
			require.False(t, ids[p.ID], where)
			ids[p.ID] = true
			require.LessOrEqual(t, p.GridPos.X+p.GridPos.W, 24, where)
			for _, other := range d.Panels[:i] {
				a, b := p.GridPos, other.GridPos
				require.False(t, a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H, "%s lies over %s", where, other.Title)
			}
			if p.Type == "row" {
				continue
			}
			require.NotEmpty(t, p.Title)
			require.NotEmpty(t, p.Targets, where)
			require.NotEmpty(t, p.FieldConfig.Defaults.Unit, where)
			require.Equal(t, "${datasource}", p.Datasource.UID, where)
			for _, target := range p.Targets {
				require.Equal(t, "${datasource}", target.Datasource.UID, where)
				faults, err := expressionFaults(known, target.Expr)
				require.NoError(t, err, "%s: %s", where, target.Expr)
				require.Empty(t, faults, "%s: %s", where, target.Expr)
				legendIsThere(t, known, where, target.Expr, target.LegendFormat)
				for _, m := range regexp.MustCompile(`[a-z_]+`).FindAllString(target.Expr, -1) {
					used[m], used[regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(m, "")] = true, true
				}
			}
		}
	}
	// What is counted and shown nowhere is counted for nobody.
	for name := range known {
		if strings.HasPrefix(name, "signalbox_") {
			require.True(t, used[name], "no dashboard shows %s", name)
		}
	}
}

// legendIsThere holds the labels of a legend against what the expression leaves.
func legendIsThere(t *testing.T, known map[string]metric, where, text, legend string) {
	t.Helper()
	expr, err := grammar.ParseExpr(strings.ReplaceAll(text, "$__rate_interval", "5m"))
	require.NoError(t, err)
	left := map[string]bool{}
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.AggregateExpr:
			for _, l := range n.Grouping {
				left[l] = true
			}
		case *parser.VectorSelector:
			if !strings.Contains(text, " by (") {
				left["instance"] = true
				for _, l := range known[n.Name].labels {
					left[l] = true
				}
			}
		}
		return nil
	})
	for _, m := range regexp.MustCompile(`\{\{([a-z_]+)\}\}`).FindAllStringSubmatch(legend, -1) {
		require.True(t, left[m[1]], "%s: the legend names %s", where, m[1])
	}
}

// alerts reads the file as Prometheus does.
func alerts(t testing.TB) map[string]rulefmt.Rule {
	t.Helper()
	groups, faults := rulefmt.ParseFile(alertsFile, false, model.UTF8Validation, grammar, promslog.NewNopLogger())
	require.Empty(t, faults)
	out := map[string]rulefmt.Rule{}
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			require.NotContains(t, out, r.Alert)
			out[r.Alert] = r
		}
	}
	return out
}

// TestAlertsNameWhatThereIs looks at every expression, and at what whoever is woken is told.
func TestAlertsNameWhatThereIs(t *testing.T) {
	known := metrics(t)
	for name, r := range alerts(t) {
		faults, err := expressionFaults(known, r.Expr)
		require.NoError(t, err, name)
		require.Empty(t, faults, name)
		require.Contains(t, []string{"critical", "warning", "info"}, r.Labels["severity"], name)
		for _, text := range []string{"summary", "description", "runbook_url"} {
			require.NotEmpty(t, r.Annotations[text], "%s: %s", name, text)
		}
	}
}

// TestEveryAlertHasItsSection holds the alerts against the sections of docs/operations.md, both ways: each says what it means, how to look, and what to do.
func TestEveryAlertHasItsSection(t *testing.T) {
	_, page, ok := strings.Cut(read(t, "docs", "operations.md"), "\n## Alerts\n")
	require.True(t, ok)
	page, _, _ = strings.Cut(page, "\n## ")
	sections := map[string]string{}
	for _, part := range strings.Split(page, "\n### ")[1:] {
		name, text, _ := strings.Cut(part, "\n")
		sections[name] = text
	}
	all := alerts(t)
	for name, r := range all {
		require.Contains(t, sections, name, "docs/operations.md, Alerts")
		require.Equal(t, "docs/operations.md#"+strings.ToLower(name), r.Annotations["runbook_url"])
		for _, word := range []string{"**Means.**", "**Look.**", "**Do.**"} {
			require.Contains(t, sections[name], word, name)
		}
	}
	for name := range sections {
		require.Contains(t, all, name, "a section without an alert")
	}
	for _, m := range regexp.MustCompile("`(signalbox_[a-z_]+|temporal_[a-z_]+|go_sql_[a-z_]+)[`{]").FindAllStringSubmatch(page, -1) {
		require.Contains(t, metrics(t), m[1])
	}
}

// alertCase is one of testdata/alerts.yaml.
type alertCase struct {
	Name, Alert, At string
	Series          []struct{ Series, Values string }
	Fires           []map[string]string
}

// TestAlertsFireAndDoNot has Prometheus evaluate the rules over series, minute by minute. Each alert is seen to fire, and not to.
func TestAlertsFireAndDoNot(t *testing.T) {
	var file struct{ Cases []alertCase }
	require.NoError(t, yaml.UnmarshalStrict([]byte(read(t, "deploy", "check", "testdata", "alerts.yaml")), &file))
	fired, quiet := map[string]bool{}, map[string]bool{}
	all := alerts(t)
	for _, c := range file.Cases {
		require.Contains(t, all, c.Alert)
		if len(c.Fires) > 0 {
			fired[c.Alert] = true
		} else {
			quiet[c.Alert] = true
		}
		t.Run(c.Alert+"/"+c.Name, func(t *testing.T) {
			t.Parallel()
			var want []map[string]string
			for _, l := range c.Fires {
				one := map[string]string{"alertname": c.Alert, "severity": all[c.Alert].Labels["severity"]}
				for k, v := range l {
					one[k] = v
				}
				want = append(want, one)
			}
			got := fire(t, c)
			require.ElementsMatch(t, want, got)
		})
	}
	for name := range all {
		require.True(t, fired[name], "%s is never seen to fire", name)
		require.True(t, quiet[name], "%s is never seen not to fire", name)
	}
}

// fire gives the labels of what fires at the moment of the case.
func fire(t *testing.T, c alertCase) (out []map[string]string) {
	at, err := model.ParseDuration(c.At)
	require.NoError(t, err)
	load := "load 1m\n"
	for _, s := range c.Series {
		load += "  " + s.Series + " " + s.Values + "\n"
	}
	suite, err := promqltest.NewLazyLoader(load, promqltest.LazyLoaderOpts{Parser: grammar})
	require.NoError(t, err)
	defer func() { require.NoError(t, suite.Close()) }()
	suite.SubqueryInterval = time.Minute
	manager := rules.NewManager(&rules.ManagerOptions{QueryFunc: rules.EngineQueryFunc(suite.QueryEngine(), suite.Storage()), AppendableV2: suite.Storage(),
		Context: t.Context(), NotifyFunc: func(context.Context, string, ...*rules.Alert) {}, Logger: promslog.NewNopLogger(), Parser: grammar})
	groups, faults := manager.LoadGroups(time.Minute, labels.EmptyLabels(), "", nil, false, alertsFile)
	require.Empty(t, faults)
	for moment := time.Unix(0, 0).UTC(); moment.Sub(time.Unix(0, 0)) <= time.Duration(at); moment = moment.Add(time.Minute) {
		suite.WithSamplesTill(moment, func(err error) {
			require.NoError(t, err)
			for _, g := range groups {
				for _, r := range g.Rules() {
					r.(*rules.AlertingRule).SetRestored(true)
				}
				g.Eval(suite.Context(), moment)
				for _, r := range g.Rules() {
					require.NoError(t, r.LastError(), r.Name())
				}
			}
		})
	}
	for _, g := range groups {
		for _, r := range g.Rules() {
			for _, a := range r.(*rules.AlertingRule).ActiveAlerts() {
				if a.State == rules.StateFiring && r.Name() == c.Alert {
					out = append(out, a.Labels.Map())
					a.Annotations.Range(func(l labels.Label) {
						require.NotContains(t, l.Value, "<error", l.Name)
						require.NotContains(t, l.Value, "<no value>", l.Name)
						require.NotRegexp(t, `\(\)| {2}|^ | $`, l.Value, "something is missing in %s", l.Name)
					})
				}
			}
		}
	}
	return out
}
