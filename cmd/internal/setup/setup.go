// Package setup is what the mains have in common: settings from the environment, the log, and the halves of the desk put together.
package setup

import (
	"context"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/kelseyhightower/envconfig"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.temporal.io/sdk/client"

	"signalbox/desk"
	"signalbox/internal/aead"
	"signalbox/store"
	"signalbox/store/vault"
	"signalbox/workflows"
)

// Prefix is in front of every setting's name.
const Prefix = "signalbox"

// Base is what every process needs to know.
type Base struct {
	DatabaseURL     string     `split_words:"true" required:"true" desc:"postgres://… (production) or sqlite:<file> (development)"`
	MasterKey       Key        `split_words:"true" required:"true" desc:"32 random bytes in base64; encrypts secrets at rest"`
	OldMasterKeys   []Key      `split_words:"true" desc:"other master keys, earlier ones or the next, with commas between; they only open what was encrypted with them"`
	LogLevel        slog.Level `split_words:"true" default:"info" desc:"debug, info, warn or error"`
	Temporal        workflows.Connection
	EncryptPayloads bool `split_words:"true" desc:"give Temporal ciphertext of tickets and deliveries; what is encrypted already is read either way"`
	Partitions      int  `default:"16" desc:"how many partitions deliveries are spread over; the same in every process"`
	Outside
}

// Key is a 32-byte key, written in base64.
type Key []byte

// Decode reads the key; envconfig calls it.
func (k *Key) Decode(text string) error {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) != 32 {
		return errors.New("must be 32 bytes in base64, as made by: openssl rand -base64 32")
	}
	*k = raw
	return nil
}

// Load fills the settings from the environment. With -help among the arguments it prints the table of settings and reports done.
func Load(name string, args []string, settings any, out io.Writer) (done bool, err error) {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return true, Table(settings, out)
	} else if err != nil {
		return false, err
	}
	if flags.NArg() > 0 {
		return false, fmt.Errorf("unexpected argument %q; settings come from the environment, see %s -help", flags.Arg(0), name)
	}
	if err := envconfig.Process(Prefix, settings); err != nil {
		var parse *envconfig.ParseError
		if errors.As(err, &parse) {
			return false, fmt.Errorf("setting %s: %w", parse.KeyName, parse.Err)
		}
		return false, fmt.Errorf("setting: %w", err)
	}
	if c, ok := settings.(Checked); ok {
		return false, c.Check()
	}
	return false, nil
}

// widest is how long a default may be that has a column of its own; a longer one is told with the meaning.
const widest = 24

// Table prints every setting with its default and meaning. One that several parts of a process take is printed once.
func Table(settings any, out io.Writer) error {
	const format = `{{range .}}{{usage_key .}}{{"\t"}}{{usage_default .}}{{"\t"}}{{if usage_required .}}required; {{end}}{{usage_description .}}
{{end}}`
	var rows strings.Builder
	if err := envconfig.Usagef(Prefix, settings, &rows, format); err != nil {
		return err
	}
	tabs := tabwriter.NewWriter(out, 2, 4, 2, ' ', 0)
	fmt.Fprintln(tabs, "SETTING\tDEFAULT\tMEANING")
	printed := map[string]bool{}
	for row := range strings.Lines(rows.String()) {
		name, rest, _ := strings.Cut(row, "\t")
		if fallback, meaning, _ := strings.Cut(rest, "\t"); len(fallback) > widest {
			row = name + "\t\t" + strings.TrimSuffix(meaning, "\n") + "; " + fallback + " unless set\n"
		}
		if !printed[name] {
			fmt.Fprint(tabs, row)
		}
		printed[name] = true
	}
	return tabs.Flush()
}

// Log makes the process's log: JSON lines on standard error.
func Log(level slog.Level, process string) *slog.Logger {
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level})).With("process", process)
	slog.SetDefault(log)
	return log
}

// House is the halves of the desk, put together.
type House struct {
	Store  *store.Store
	Client client.Client
	Engine *workflows.Engine
	Desk   *desk.Desk
	key    Key
	zone   *time.Location
}

// OpenStore opens the database alone.
func (b Base) OpenStore(ctx context.Context, log *slog.Logger) (*store.Store, error) {
	old := make([][]byte, len(b.OldMasterKeys))
	for i, key := range b.OldMasterKeys {
		old[i] = key
	}
	return store.Open(ctx, b.DatabaseURL, store.Options{MasterKey: b.MasterKey, OldKeys: old, Partitions: b.Partitions, PublicURL: string(b.PublicURL),
		Zone: b.TimeZone.Location, Now: time.Now, Log: log})
}

// Open opens the store, makes the Temporal client and puts the desk on top of both.
func (b Base) Open(ctx context.Context, log *slog.Logger) (*House, error) {
	var s *store.Store
	codec := &workflows.Codec{Encrypt: b.EncryptPayloads, Keys: func(ctx context.Context) ([]aead.Key, error) { return payloadKeys(ctx, s) }}
	// This connects to nothing yet, so a wrong setting is found out even while the database is away.
	c, err := b.Temporal.Dial(log, codec)
	if err != nil {
		return nil, fmt.Errorf("temporal: %w", err)
	}
	if s, err = b.OpenStore(ctx, log); err != nil {
		c.Close()
		return nil, err
	}
	// Nothing is taken up before the keys are here: what is encrypted is read with the setting or without.
	if err := codec.Load(ctx); err != nil {
		c.Close()
		return nil, errors.Join(err, s.Close())
	}
	engine := &workflows.Engine{Client: c, Namespace: b.Temporal.Namespace, Codec: codec}
	return &House{Store: s, Client: c, Engine: engine, Desk: desk.New(s.Ledger(), engine, desk.Options{Log: log}), key: b.MasterKey,
		zone: b.TimeZone.Location}, nil
}

// payloadKeys reads the keys for what Temporal stores.
func payloadKeys(ctx context.Context, s *store.Store) ([]aead.Key, error) {
	keys, err := s.DataKeys(ctx, vault.KeyPayload)
	out := make([]aead.Key, len(keys))
	for i, key := range keys {
		out[i] = aead.Key(key)
	}
	return out, err
}

// Migrate brings the database's schema to what this build needs.
func (b Base) Migrate(ctx context.Context, log *slog.Logger) error {
	s, err := b.OpenStore(ctx, log)
	if err != nil {
		return err
	}
	applied, err := s.Migrate(ctx)
	if err == nil && applied > 0 {
		log.Info("database.migrated", "applied", applied)
	}
	return errors.Join(err, s.Close())
}

// Ready reports whether both database and Temporal answer.
func (h *House) Ready(ctx context.Context) error {
	if err := h.Store.Ping(ctx); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	if _, err := h.Client.CheckHealth(ctx, &client.CheckHealthRequest{}); err != nil {
		return fmt.Errorf("temporal: %w", err)
	}
	return nil
}

// Close closes both halves.
func (h *House) Close() error {
	h.Client.Close()
	return h.Store.Close()
}

// ServeHealth serves /healthz and /readyz for a process that has no API of its own, until stop is called.
func ServeHealth(address string, ready func(context.Context) error, more map[string]http.Handler) (stop func(context.Context) error, err error) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		if err := ready(ctx); err != nil {
			http.Error(w, "not ready", http.StatusServiceUnavailable)
			slog.Warn("not ready", "error", err)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	for path, handler := range more {
		mux.Handle(path, handler)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			slog.Error("health server", "error", err)
		}
	}()
	return server.Shutdown, nil
}

// Main runs a process: it loads nothing itself, ends run's context on Ctrl-C or SIGTERM, and makes any error one clear line and exit code 1.
func Main(name string, run func(ctx context.Context) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %s\n", name, strings.ReplaceAll(err.Error(), "\n", "; "))
		os.Exit(1)
	}
}

// Server is what Serve serves.
type Server interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error
}

// shutdownWithin bounds how long requests under way may take when a process is asked to end.
const shutdownWithin = 15 * time.Second

// Serve serves on the address until ctx is over, then lets requests under way finish. ready, if given, is told the address once it listens.
func Serve(ctx context.Context, server Server, address string, ready ...func(address string)) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	for _, tell := range ready {
		tell(listener.Addr().String())
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	shutdown, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownWithin)
	defer cancel()
	return server.Shutdown(shutdown)
}

// Metrics makes a registry with what Go and the operating system tell of this process.
func Metrics() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return registry
}
