package e2e

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/cmd/dev/e2e/harness"
	"signalbox/store/postgrestest"
)

// TestAWrongSettingStopsTheStart starts every program with every kind of wrong setting: one line that names it, and exit code 1.
func TestAWrongSettingStopsTheStart(t *testing.T) {
	t.Parallel()
	taken := harness.NewReceiver(t).URL("")[len("http://"):]
	dsn := postgrestest.Start(t)
	const key = "c2l4dGVlbiBieXRlcyBhbmQgc2l4dGVlbiBtb3JlISE="
	good := map[string]string{
		"SIGNALBOX_DATABASE_URL": "postgres://nobody:hush-hush@127.0.0.1:1/none?sslmode=disable", "SIGNALBOX_MASTER_KEY": key,
		"SIGNALBOX_DATA_DIR": t.TempDir(), "SIGNALBOX_TEMPORAL_PORT": "0", "SIGNALBOX_UI_PORT": "0",
	}
	all := []string{"api", "worker", "migrate", "dev"}
	production := all[:3]
	programs := map[string]string{}
	for _, program := range all {
		programs[program] = binary(t, program)
	}
	for _, c := range []struct {
		programs []string
		setting  string
		value    string // "-" means that it is not there
		says     string
	}{
		{production, "SIGNALBOX_DATABASE_URL", "-", "SIGNALBOX_DATABASE_URL"},
		{production, "SIGNALBOX_DATABASE_URL", "mysql://x", "must begin with postgres://"},
		{[]string{"migrate"}, "SIGNALBOX_DATABASE_URL", good["SIGNALBOX_DATABASE_URL"], "database"}, // what serves waits for it
		{production, "SIGNALBOX_DATABASE_URL", regexp.MustCompile(`:[^:@/]+@`).ReplaceAllString(dsn, ":hush-hush@"), "authentication failed"},
		{production, "SIGNALBOX_DATABASE_URL", regexp.MustCompile(`/test_\d+`).ReplaceAllString(dsn, "/there_is_none"), "there_is_none"},
		{production, "SIGNALBOX_MASTER_KEY", "-", "SIGNALBOX_MASTER_KEY"},
		{production, "SIGNALBOX_MASTER_KEY", "c2hvcnQ=", "SIGNALBOX_MASTER_KEY"},
		{all, "SIGNALBOX_LOG_LEVEL", "loud", "SIGNALBOX_LOG_LEVEL"},
		{all, "SIGNALBOX_PARTITIONS", "many", "SIGNALBOX_PARTITIONS"},
		{all, "SIGNALBOX_PARTITIONS", "0", "SIGNALBOX_PARTITIONS"},
		{[]string{"worker", "dev"}, "SIGNALBOX_BUILD_ID", "7", "SIGNALBOX_DEPLOYMENT_NAME"},
		{[]string{"worker", "dev"}, "SIGNALBOX_PROFILE_INTERVALS", "hourly:1h", "SIGNALBOX_PROFILE_INTERVALS"},
		{[]string{"migrate"}, "SIGNALBOX_TEMPORAL_RETENTION", "1m", "SIGNALBOX_TEMPORAL_RETENTION"},
		{[]string{"api", "worker"}, "SIGNALBOX_TEMPORAL_TLS_CA", "/nowhere/ca.pem", "/nowhere/ca.pem"},
		{[]string{"api", "migrate", "dev"}, "SIGNALBOX_BOOTSTRAP_APP", "no-colon", "SIGNALBOX_BOOTSTRAP_APP"},
		{[]string{"api", "dev"}, "SIGNALBOX_REQUEST_TIMEOUT", "soon", "SIGNALBOX_REQUEST_TIMEOUT"},
		{[]string{"api", "dev"}, "SIGNALBOX_REQUEST_TIMEOUT", "-1s", "SIGNALBOX_REQUEST_TIMEOUT"},
		{[]string{"api", "worker", "dev"}, "SIGNALBOX_CALLBACK_ALLOW", "127.0.0.1", "SIGNALBOX_CALLBACK_ALLOW"},
		{[]string{"worker", "dev"}, "SIGNALBOX_WORKER_QUEUES", "tickets,parcels", "parcels"},
		{[]string{"worker", "dev"}, "SIGNALBOX_SWEEP_EVERY", "0s", "SIGNALBOX_SWEEP_EVERY"},
		{[]string{"dev"}, "SIGNALBOX_TEMPORAL_PORT", strings.Split(taken, ":")[1], "port"},
		{[]string{"dev"}, "SIGNALBOX_HTTP_ADDRESS", taken, taken},
	} {
		for _, program := range c.programs {
			t.Run(program+"/"+c.setting+"="+c.value, func(t *testing.T) {
				settings := maps.Clone(good)
				settings[c.setting] = c.value
				var env []string
				for _, name := range slices.Sorted(maps.Keys(settings)) {
					if settings[name] != "-" {
						env = append(env, name+"="+settings[name])
					}
				}
				p := harness.Start(t, harness.Command{Path: programs[program], Env: env, Dir: t.TempDir()})
				require.Equal(t, 1, p.Wait(20*time.Second), p.Logs())
				lines := strings.Split(strings.TrimSuffix(p.Logs(), "\n"), "\n")
				require.Len(t, lines, 1)
				require.True(t, strings.HasPrefix(lines[0], program+": "), lines[0])
				require.Contains(t, lines[0], c.says)
				require.NotContains(t, lines[0], "hush-hush")
				require.NotContains(t, lines[0], key)
				t.Log(lines[0])
			})
		}
	}
}

func TestHelpPrintsTheSettings(t *testing.T) {
	t.Parallel()
	for program, setting := range map[string]string{"api": "SIGNALBOX_HTTP_ADDRESS", "worker": "SIGNALBOX_WORKER_QUEUES",
		"migrate": "SIGNALBOX_TEMPORAL_RETENTION", "dev": "SIGNALBOX_DATA_DIR"} {
		for _, flag := range []string{"-help", "--help", "-h"} {
			p := harness.Start(t, harness.Command{Path: binary(t, program), Args: []string{flag}})
			require.Zero(t, p.Wait(10*time.Second))
			require.True(t, strings.HasPrefix(p.Logs(), "SETTING"), p.Logs())
			require.Contains(t, p.Logs(), setting)
			seen := map[string]bool{}
			for line := range strings.Lines(p.Logs()) {
				name, _, _ := strings.Cut(line, " ")
				if !strings.HasPrefix(name, "SIGNALBOX_") {
					continue
				}
				require.False(t, seen[name], "%s lists %s twice", program, name)
				seen[name] = true
			}
		}
		p := harness.Start(t, harness.Command{Path: binary(t, program), Args: []string{"-verbose"}})
		require.Equal(t, 1, p.Wait(10*time.Second))
		require.Contains(t, p.Logs(), "-verbose")
	}
}
