package setup

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/kelseyhightower/envconfig"
	"github.com/stretchr/testify/require"
)

const (
	settingsPage = "../../../docs/settings.md"
	begin        = "<!-- settings -->\n"
	end          = "<!-- /settings -->"
)

// TestThePageListsEverySetting holds the table of docs/settings.md against the programs. With SIGNALBOX_WRITE set it writes the table instead.
func TestThePageListsEverySetting(t *testing.T) {
	text, err := os.ReadFile(settingsPage)
	require.NoError(t, err)
	before, rest, ok := strings.Cut(string(text), begin)
	require.True(t, ok)
	_, after, ok := strings.Cut(rest, end)
	require.True(t, ok)
	want := before + begin + settingsTable(t) + end + after
	if os.Getenv("SIGNALBOX_WRITE") != "" {
		require.NoError(t, os.WriteFile(settingsPage, []byte(want), 0o644))
		return
	}
	require.Equal(t, want, string(text), "make golden writes it anew")
}

// settingsTable is one row a setting, with the programs that take it.
func settingsTable(t *testing.T) string {
	const format = "{{range .}}{{usage_key .}}\t{{usage_default .}}\t{{if usage_required .}}required; {{end}}{{usage_description .}}\n{{end}}"
	type row struct{ name, fallback, meaning string }
	var rows []row
	takers := map[string][]string{}
	for _, program := range []struct {
		name     string
		settings any
	}{{"api", &API{}}, {"worker", &Worker{}}, {"migrate", &Migrate{}}} {
		var out bytes.Buffer
		require.NoError(t, envconfig.Usagef(Prefix, program.settings, &out, format))
		for line := range strings.Lines(out.String()) {
			cells := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
			require.Len(t, cells, 3)
			require.NotEmpty(t, strings.TrimPrefix(cells[2], "required; "), "%s says nothing of what it means", cells[0])
			if len(takers[cells[0]]) == 0 {
				rows = append(rows, row{cells[0], cells[1], cells[2]})
			}
			takers[cells[0]] = append(takers[cells[0]], program.name)
		}
	}
	var table strings.Builder
	table.WriteString("\n| setting | default | meaning | programs |\n|---|---|---|---|\n")
	for _, r := range rows {
		fallback := strings.ReplaceAll(r.fallback, ",", ", ")
		if fallback != "" {
			fallback = "`" + fallback + "`"
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", r.name, fallback, r.meaning, strings.Join(takers[r.name], ", "))
	}
	table.WriteString("\n")
	return table.String()
}

func TestSettingsThatAreWrongAreNamed(t *testing.T) {
	good := map[string]string{"SIGNALBOX_DATABASE_URL": "sqlite:x", "SIGNALBOX_MASTER_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}
	for name, c := range map[string]struct{ setting, value, want string }{
		"a key that is too short": {"SIGNALBOX_MASTER_KEY", "c2hvcnQ=", "SIGNALBOX_MASTER_KEY: must be 32 bytes in base64"},
		"an app without a secret": {"SIGNALBOX_BOOTSTRAP_APP", "admin", "SIGNALBOX_BOOTSTRAP_APP: must be code:secret"},
		"a network that is none":  {"SIGNALBOX_CALLBACK_ALLOW", "10.0.0.0/8,nonsense", "SIGNALBOX_CALLBACK_ALLOW"},
		"a level that is none":    {"SIGNALBOX_LOG_LEVEL", "loud", "SIGNALBOX_LOG_LEVEL"},
		"a number that is none":   {"SIGNALBOX_PARTITIONS", "many", "SIGNALBOX_PARTITIONS"},
		"a duration that is none": {"SIGNALBOX_REQUEST_TIMEOUT", "soon", "SIGNALBOX_REQUEST_TIMEOUT"},
		"anybody, but nowhere":    {"SIGNALBOX_PUBLISH_ANONYMOUS", "true", "SIGNALBOX_PUBLISH_TENANT: is required"},
		"half of a certificate":   {"SIGNALBOX_TLS_CERT", "chain.pem", "SIGNALBOX_TLS_KEY: goes together"},
		"profiles for everybody":  {"SIGNALBOX_PROFILE_ADDRESS", ":6060", "SIGNALBOX_PROFILE_ADDRESS: must be host:port of this machine alone"},
		"mails of nobody":         {"SIGNALBOX_SMTP_HOST", "smtp.example.com", "SIGNALBOX_MAIL_FROM: must be an address"},
		"no request at all":       {"SIGNALBOX_CONCURRENT_REQUESTS", "0", "SIGNALBOX_CONCURRENT_REQUESTS: must be at least 1"},
	} {
		t.Run(name, func(t *testing.T) {
			for key, value := range good {
				t.Setenv(key, value)
			}
			t.Setenv(c.setting, c.value)
			var s API
			_, err := Load("api", nil, &s, &bytes.Buffer{})
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestHelpPrintsTheTable(t *testing.T) {
	var out bytes.Buffer
	done, err := Load("worker", []string{"-help"}, &Worker{}, &out)
	require.NoError(t, err)
	require.True(t, done)
	require.Contains(t, out.String(), "SIGNALBOX_WORKER_QUEUES")
	require.Contains(t, out.String(), "SIGNALBOX_TEMPORAL_ADDRESS")
}

func TestALongDefaultIsToldWithTheMeaning(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, Table(&API{}, &out))
	header, _, _ := strings.Cut(out.String(), "\n")
	require.Less(t, strings.Index(header, "MEANING"), 70)
	require.Contains(t, out.String(), "; inc_type_p_config_issues,")
}

func TestAProxyThatIsNoneIsNamed(t *testing.T) {
	for value, ok := range map[string]bool{"": true, "http://proxy": true, "https://me:secret@proxy:3128/": true, "proxy:3128": false, "socks5://proxy": false, "http://": false,
		"http://proxy/path": false, "http://me:secret@[": false} {
		var p Proxy
		err := p.Decode(value)
		require.Equal(t, ok, err == nil, value)
		require.NotContains(t, fmt.Sprint(err), "secret")
	}
}
