// Package deployment_test holds docker-compose.yml and what belongs to it to their promises, without a container engine.
package deployment_test

import (
	"database/sql"
	"fmt"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/require"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"

	"signalbox/cmd/internal/setup"
	"signalbox/store/postgrestest"
)

// root is the top of the repository, as seen from here.
const root = "../../../.."

// secrets are what docker-compose.yml has no default for.
var secrets = types.Mapping{
	"POSTGRES_PASSWORD": "one", "DATABASE_PASSWORD": "two", "TEMPORAL_DATABASE_PASSWORD": "three", "SIGNALBOX_MASTER_KEY": "four",
}

// settings gives the names of those that a program has.
func settings(t *testing.T, program string) []string {
	var table strings.Builder
	require.NoError(t, setup.Table(map[string]any{"api": &setup.API{}, "worker": &setup.Worker{}, "migrate": &setup.Migrate{}}[program], &table))
	return regexp.MustCompile(`(?m)^SIGNALBOX_\w+`).FindAllString(table.String(), -1)
}

// ours are the services that run our image, and the program in each.
var ours = map[string]string{"migrate": "migrate", "api": "api", "worker-tickets": "worker", "worker-deliveries": "worker"}

func TestServices(t *testing.T) {
	project := load(t, secrets)
	require.ElementsMatch(t, []string{"postgresql", "temporal-schema", "temporal", "temporal-ui", "migrate", "api", "worker-tickets", "worker-deliveries"}, project.ServiceNames())
	for name, program := range ours {
		require.Equal(t, types.ShellCommand{program}, project.Services[name].Command, name)
	}
	require.Equal(t, "17", tag(t, project.Services["postgresql"].Image), "15 or later")
}

func TestEachWaitsForWhatItNeeds(t *testing.T) {
	project := load(t, secrets)
	const healthy, done = types.ServiceConditionHealthy, types.ServiceConditionCompletedSuccessfully
	for name, want := range map[string]map[string]string{
		"postgresql":        {},
		"temporal-schema":   {"postgresql": healthy},
		"temporal":          {"postgresql": healthy, "temporal-schema": done},
		"temporal-ui":       {"temporal": healthy},
		"migrate":           {"postgresql": healthy, "temporal": healthy},
		"api":               {"migrate": done},
		"worker-tickets":    {"migrate": done, "temporal": healthy},
		"worker-deliveries": {"migrate": done, "temporal": healthy},
	} {
		got := map[string]string{}
		for on, dependency := range project.Services[name].DependsOn {
			got[on] = dependency.Condition
			if dependency.Condition == healthy {
				require.NotNil(t, project.Services[on].HealthCheck, "%s waits for the health of %s, which tells none", name, on)
			}
			if dependency.Condition == done {
				require.Contains(t, project.Services[on].Restart, "on-failure", "%s waits for %s to end", name, on)
			}
		}
		require.Equal(t, want, got, name)
	}
}

func TestOnlyKnownSettings(t *testing.T) {
	project := load(t, secrets)
	used := map[string]bool{}
	for name, service := range project.Services {
		for variable := range service.Environment {
			if strings.HasPrefix(variable, "SIGNALBOX_") {
				require.Contains(t, ours, name)
				require.Contains(t, settings(t, ours[name]), variable, name)
				used[variable] = true
			}
		}
	}
	require.True(t, used["SIGNALBOX_DATABASE_URL"] && used["SIGNALBOX_MASTER_KEY"], "a test that looks at nothing proves nothing")

	// An empty value would not be the same as none: it hides the default.
	for name := range ours {
		for variable, value := range project.Services[name].Environment {
			require.True(t, value == nil || *value != "", "%s: %s is empty", name, variable)
		}
	}
	with := maps.Clone(secrets)
	with["SIGNALBOX_BOOTSTRAP_APP"] = "admin:secret"
	require.Equal(t, "admin:secret", *load(t, with).Services["api"].Environment["SIGNALBOX_BOOTSTRAP_APP"])
}

// TestTheDatabaseHasRoomForEverybody adds up what all may have, with as many workers as README and docker-compose.yml themselves scale up to.
func TestTheDatabaseHasRoomForEverybody(t *testing.T) {
	project := load(t, secrets)
	most := 0
	for _, word := range project.Services["postgresql"].Command {
		if value, ok := strings.CutPrefix(word, "max_connections="); ok {
			n, err := strconv.Atoi(value)
			require.NoError(t, err)
			most = n
		}
	}
	require.Positive(t, most, "it says how many there are")
	const (
		watching, listening = 1, 1
		reserved            = 3              // superuser_reserved_connections
		temporal            = 4 * (20 + 10)  // its services, each with a pool for its store and one for visibility
		migrate             = 20 + 1 + 1 + 3 // the store's own default, watched, and two pools of its own for migrations
		people              = 10             // who look at it, and back it up
	)
	sum := reserved + temporal + migrate + people
	times := map[string]int{"api": 1, "worker-tickets": 1, "worker-deliveries": 1}
	for _, name := range []string{"README.md", "docker-compose.yml"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		require.NoError(t, err)
		found := regexp.MustCompile(`--scale ([a-z-]+)=(\d+)`).FindAllStringSubmatch(string(text), -1)
		require.NotEmpty(t, found, name)
		for _, one := range found {
			n, _ := strconv.Atoi(one[2])
			times[one[1]] = max(times[one[1]], n)
		}
	}
	for name, n := range times {
		each, err := strconv.Atoi(*project.Services[name].Environment["SIGNALBOX_DATABASE_CONNECTIONS"])
		require.NoError(t, err)
		sum += n * (each + watching)
		if name == "worker-deliveries" {
			sum += n * listening
		}
	}
	require.LessOrEqual(t, sum, most)
	text, err := os.ReadFile(filepath.Join(root, "docs/operations.md"))
	require.NoError(t, err)
	require.Contains(t, string(text), fmt.Sprintf("of %d |", most), "docs/operations.md adds it up")
}

func TestTwoKindsOfWorkerThatScale(t *testing.T) {
	project := load(t, secrets)
	for name, queues := range map[string]string{"worker-tickets": "tickets", "worker-deliveries": "deliveries"} {
		service := project.Services[name]
		require.Equal(t, queues, *service.Environment["SIGNALBOX_WORKER_QUEUES"])
		require.Empty(t, service.ContainerName, "%s: a name is there once only", name)
		require.Empty(t, service.Ports, "%s: a port of the host is there once only", name)
		require.Contains(t, strings.Join(service.HealthCheck.Test, " "), *service.Environment["SIGNALBOX_WORKER_HTTP_ADDRESS"]+"/healthz")
		require.NotNil(t, service.StopGracePeriod)
	}
	require.Equal(t, project.Services["worker-tickets"].Environment["SIGNALBOX_DATABASE_URL"], project.Services["api"].Environment["SIGNALBOX_DATABASE_URL"])
}

func TestImagesArePinned(t *testing.T) {
	project := load(t, secrets)
	for name, service := range project.Services {
		require.Regexp(t, `^[\w./-]+:[\w.-]+$`, service.Image, name)
		require.NotEqual(t, "latest", tag(t, service.Image), name)
		if _, mine := ours[name]; mine {
			require.FileExists(t, filepath.Join(service.Build.Context, service.Build.Dockerfile), name)
		} else {
			require.Nil(t, service.Build, name)
		}
	}
	// What is tested is what runs.
	require.Equal(t, version(t, "go.temporal.io/server"), tag(t, project.Services["temporal"].Image))
	require.Equal(t, version(t, "go.temporal.io/server"), tag(t, project.Services["temporal-schema"].Image))
	require.Equal(t, version(t, "github.com/temporalio/ui-server/v2"), tag(t, project.Services["temporal-ui"].Image))
}

func TestDockerfile(t *testing.T) {
	text := read(t, "deploy/Dockerfile")
	for name, program := range ours {
		require.Contains(t, text, "./cmd/"+program, name)
	}
	require.NotContains(t, text, "ENTRYPOINT", "compose's commands name the program")
	require.Regexp(t, `(?m)^USER [1-9]\d*`, text)
	require.Contains(t, text, "CGO_ENABLED=0")
	require.NotRegexp(t, `(?m)^FROM \S+:latest|^FROM [^:\s]+(\s|$)`, text)
}

func TestNothingStartsWithoutItsSecrets(t *testing.T) {
	for name := range secrets {
		fewer := maps.Clone(secrets)
		delete(fewer, name)
		_, err := parse(t, fewer)
		require.ErrorContains(t, err, name, name)
		fewer[name] = ""
		_, err = parse(t, fewer)
		require.ErrorContains(t, err, name, name)
	}
	example := read(t, ".env.example")
	for name := range secrets {
		require.Regexp(t, `(?m)^`+name+`=$`, example, "to be filled in")
	}
	handed := map[string]bool{"SIGNALBOX_IMAGE": true}
	for name := range ours {
		for variable := range load(t, secrets).Services[name].Environment {
			handed[variable] = true
		}
	}
	for _, match := range regexp.MustCompile(`(?m)^#?(SIGNALBOX_\w+)=`).FindAllStringSubmatch(example, -1) {
		require.True(t, handed[match[1]], "%s reaches no program", match[1])
	}
	require.Contains(t, read(t, ".gitignore"), "/.env\n")
}

func TestOnlyAPIIsOpenToOthers(t *testing.T) {
	for name, service := range load(t, secrets).Services {
		for _, port := range service.Ports {
			if name != "api" {
				require.Equal(t, "127.0.0.1", port.HostIP, name)
			}
		}
	}
}

// Temporal's server reads its settings from the environment that compose gives it, and from the file that is mounted.
func TestTemporalUnderstandsItsEnvironment(t *testing.T) {
	service := load(t, secrets).Services["temporal"]
	for name, value := range service.Environment {
		t.Setenv(name, *value)
	}
	c, err := config.Load(config.WithEmbedded())
	require.NoError(t, err)
	require.EqualValues(t, 512, c.Persistence.NumHistoryShards)
	for store, database := range map[string]string{c.Persistence.DefaultStore: "temporal", c.Persistence.VisibilityStore: "temporal_visibility"} {
		db := c.Persistence.DataStores[store].SQL
		require.Equal(t, "postgres12", db.PluginName)
		require.Equal(t, "postgresql:5432", db.ConnectAddr)
		require.Equal(t, database, db.DatabaseName)
		require.Equal(t, "temporal", db.User)
		require.Equal(t, secrets["TEMPORAL_DATABASE_PASSWORD"], db.Password)
	}

	mounted := service.Volumes[slices.IndexFunc(service.Volumes, func(v types.ServiceVolumeConfig) bool {
		return strings.HasPrefix(c.DynamicConfigClient.Filepath, v.Target)
	})]
	raw, err := os.ReadFile(filepath.Join(mounted.Source, strings.TrimPrefix(c.DynamicConfigClient.Filepath, mounted.Target)))
	require.NoError(t, err)
	dynamic := dynamicconfig.LoadYamlFile(raw)
	require.NoError(t, dynamic.Err())
	require.Empty(t, dynamic.Warnings, "unknown keys")
}

// The script that the PostgreSQL image runs on an empty volume makes two roles that may do no more than they need.
func TestDatabaseIsSetUpWithOrdinaryRoles(t *testing.T) {
	for _, program := range []string{"psql", "createdb"} {
		if _, err := exec.LookPath(program); err != nil && os.Getenv("CI") == "" {
			t.Skipf("*** NOT TESTED: no %s on PATH ***", program)
		}
	}
	cluster, err := postgrestest.NewCluster()
	postgrestest.Require(t, err)
	t.Cleanup(func() { require.NoError(t, cluster.Close()) })
	dsn, err := cluster.CreateDatabase(t.Context())
	require.NoError(t, err)
	address, err := url.Parse(dsn)
	require.NoError(t, err)
	superPassword, _ := address.User.Password()

	service := load(t, secrets).Services["postgresql"]
	script := service.Volumes[slices.IndexFunc(service.Volumes, func(v types.ServiceVolumeConfig) bool { return v.Target == "/docker-entrypoint-initdb.d/signalbox.sh" })].Source
	info, err := os.Stat(script)
	require.NoError(t, err)
	require.NotZero(t, info.Mode().Perm()&0o001, "the image runs only what is executable, and sources the rest")
	command := exec.Command(script)
	command.Env = append(os.Environ(), "PGHOST="+address.Hostname(), "PGPORT="+address.Port(), "PGPASSWORD="+superPassword,
		"POSTGRES_USER="+address.User.Username(), "DATABASE_PASSWORD=it's \"one\"", "TEMPORAL_DATABASE_PASSWORD=other")
	require.Contains(t, service.Environment, "DATABASE_PASSWORD")
	require.Contains(t, service.Environment, "TEMPORAL_DATABASE_PASSWORD")
	out, err := command.CombinedOutput()
	require.NoError(t, err, string(out))

	for _, c := range []struct{ role, password, database string }{
		{"signalbox", `it's "one"`, "signalbox"}, {"temporal", "other", "temporal"}, {"temporal", "other", "temporal_visibility"},
	} {
		address.User, address.Path = url.UserPassword(c.role, c.password), "/"+c.database
		db, err := sql.Open("pgx", address.String())
		require.NoError(t, err)
		defer db.Close()
		var super string
		require.NoError(t, db.QueryRow("SHOW is_superuser").Scan(&super), c.database)
		require.Equal(t, "off", super)
		_, err = db.Exec("CREATE TABLE thing (id integer)")
		require.NoError(t, err, c.database)
	}
}

func load(t *testing.T, environment types.Mapping) *types.Project {
	t.Helper()
	project, err := parse(t, environment)
	require.NoError(t, err)
	return project
}

func parse(t *testing.T, environment types.Mapping) (*types.Project, error) {
	t.Helper()
	top, err := filepath.Abs(root)
	require.NoError(t, err)
	return loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir:  top,
		ConfigFiles: []types.ConfigFile{{Filename: filepath.Join(top, "docker-compose.yml")}},
		Environment: maps.Clone(environment), // the loader adds to it
	})
}

func read(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, path))
	require.NoError(t, err)
	return string(raw)
}

func tag(t *testing.T, image string) string {
	t.Helper()
	_, tag, ok := strings.Cut(image, ":")
	require.True(t, ok, image)
	return tag
}

// version is the one of a module that cmd/dev is built with.
func version(t *testing.T, module string) string {
	t.Helper()
	match := regexp.MustCompile(`(?m)^\s*` + regexp.QuoteMeta(module) + ` v(\S+)`).FindStringSubmatch(read(t, "cmd/dev/go.mod"))
	require.NotNil(t, match, module)
	return match[1]
}
