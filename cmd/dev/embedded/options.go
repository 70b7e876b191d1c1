package embedded

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
)

// AnyPort as Options.UIPort asks for a free port.
const AnyPort = -1

const (
	defaultNamespace = "default"
	defaultRetention = 72 * time.Hour
)

// Options say what to start. The zero value is a server in memory on a free port, without the web UI.
type Options struct {
	// DataFile is the SQLite file that holds everything, made when missing (its directory too). SQLite keeps two more
	// files beside it (-wal, -shm), and a -lock file keeps a second server off. Empty means in memory: nothing survives,
	// and the memory is only given back when the process ends.
	DataFile string

	// Postgres is the address of a PostgreSQL server, postgres://user:password@host:port, that holds everything instead of DataFile, in the databases
	// "temporal" and "temporal_visibility", made when missing. It is how Temporal is run in production, which is what measuring needs.
	Postgres string

	// Port of the gRPC frontend on 127.0.0.1; 0 means a free one.
	Port int

	// UIPort is where the web UI listens on 127.0.0.1; 0 means no web UI, AnyPort a free one.
	UIPort int

	// CodecEndpoint is where the web UI has payloads decoded, with the cookies that the browser has for that address; empty: nowhere. SignIn is the
	// page it shows to who has none.
	CodecEndpoint, SignIn string

	// Namespace is made when missing; empty means "default".
	Namespace string

	// Retention is how long the namespace keeps closed workflows, at least an hour; 0 means 72 hours. It is applied to
	// a namespace that exists already, too.
	Retention time.Duration

	// SearchAttributes are registered in the namespace when missing. One that exists with another type is an error;
	// those that exist and are not named here stay.
	SearchAttributes map[string]enumspb.IndexedValueType

	// Logger receives what the server reports at its own level or above. Nil means errors only, as text on standard error.
	Logger *slog.Logger

	// DynamicConfig overrides settings of the server by their key, such as "frontend.namespaceRPS".
	DynamicConfig map[string]any
}

// withDefaults fills what was left out and refuses what cannot work, all faults at once.
func (o Options) withDefaults() (Options, error) {
	if o.Namespace == "" {
		o.Namespace = defaultNamespace
	}
	if o.Retention == 0 {
		o.Retention = defaultRetention
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	}

	var faults []error
	if o.Retention < time.Hour {
		faults = append(faults, fmt.Errorf("retention %s is under an hour", o.Retention))
	}
	if o.DataFile != "" && o.Postgres != "" {
		faults = append(faults, errors.New("a data file and a PostgreSQL server are named; only one can hold everything"))
	}
	if o.Port < 0 || o.Port > 65535 {
		faults = append(faults, fmt.Errorf("frontend port %d is out of range", o.Port))
	}
	if o.UIPort < AnyPort || o.UIPort > 65535 {
		faults = append(faults, fmt.Errorf("web UI port %d is out of range", o.UIPort))
	}
	if o.Port > 0 && o.Port == o.UIPort {
		faults = append(faults, fmt.Errorf("frontend and web UI cannot both have port %d", o.Port))
	}
	return o, errors.Join(faults...)
}
