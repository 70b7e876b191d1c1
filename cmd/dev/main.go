// Command dev is the whole system in one process: an embedded Temporal server with its web UI, SQLite files that survive a restart, the API and
// the workers. It needs nothing but itself, and is for trying things out and for tests: everything listens on loopback, its keys are known to all.
package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	_ "modernc.org/sqlite"

	"signalbox/activities"
	"signalbox/activities/mailtest"
	"signalbox/cmd/dev/demo"
	"signalbox/cmd/dev/embedded"
	"signalbox/cmd/dev/internal/ports"
	"signalbox/cmd/dev/receiver"
	"signalbox/cmd/internal/setup"
	"signalbox/console/mailbox"
	"signalbox/desk"
	"signalbox/store"
	"signalbox/workflows"
)

type settings struct {
	HTTPAddress     string     `envconfig:"HTTP_ADDRESS" default:"127.0.0.1:8080" desc:"host:port to serve the API on"`
	DataDir         string     `split_words:"true" default:".data" desc:"folder for the data files; removing it starts afresh"`
	TemporalPort    int        `split_words:"true" default:"7233" desc:"port of the embedded Temporal server on loopback; 0 takes a free one"`
	UIPort          int        `envconfig:"UI_PORT" default:"8233" desc:"port of the Temporal web UI on loopback; -1 takes a free one, 0 leaves it out"`
	ReceiverPort    int        `split_words:"true" default:"8234" desc:"port on loopback of a receiver to try deliveries with; -1 takes a free one, 0 leaves it out"`
	Demo            bool       `desc:"make persons, services and tickets to look at, once for a folder of data; needs the receiver"`
	LogLevel        slog.Level `split_words:"true" default:"warn" desc:"debug, info, warn or error"`
	Partitions      int        `default:"4" desc:"how many partitions deliveries are spread over"`
	EncryptPayloads bool       `split_words:"true" desc:"give Temporal ciphertext of tickets and deliveries, which its web UI decrypts for who is signed in"`
	setup.Outside
	setup.APISettings
	setup.WorkerSettings
}

// Check names every setting at fault.
func (s *settings) Check() error {
	var needs error
	if s.Demo && s.ReceiverPort == 0 {
		needs = errors.New("setting SIGNALBOX_DEMO: needs the receiver, which SIGNALBOX_RECEIVER_PORT leaves out")
	}
	return errors.Join(setup.AtLeastOne("PARTITIONS", s.Partitions), needs, s.Mail.Check(), s.APISettings.Check(), s.WorkerSettings.Check())
}

// apps are what dev mode seeds: an app, and one of another tenant to see that tenants are apart.
var apps = []struct{ code, secret, tenant string }{
	{"demo", "demo-secret", "demo"},
	{"other", "other-secret", "other"},
}

// persons are who can sign in to the pages of the first app's tenant, whoever a manager is first.
var persons = []setup.Person{
	{ID: "chen", Name: "Chen Wei", Groups: []string{"support"}},
	{ID: "ann", Name: "Ann Lee", Manager: "chen", Groups: []string{"support"}},
	{ID: "bob", Name: "Bob Stone", Manager: "chen", Groups: []string{"support"}},
	{ID: "admin", Name: "Admin", Admin: true},
}

// password is everybody's.
const password = "signalbox-demo"

// everybody is who can sign in: whom the demo names as well, where there is one.
func (s settings) everybody() []setup.Person {
	list := slices.Clone(persons)
	if s.Demo {
		for _, p := range demo.Persons {
			list = append(list, setup.Person{ID: p.ID, Name: p.Name, Manager: persons[0].ID, Groups: []string{p.Group}})
		}
	}
	return list
}

// seedPersons makes those who are not there: what has been changed since the first start stays.
func seedPersons(ctx context.Context, s *store.Store, adminGroup string, list []setup.Person) error {
	for _, p := range list {
		p.Tenant, p.Password = apps[0].tenant, password
		switch there, err := s.Account(ctx, p.Tenant, p.ID); {
		case err != nil:
			return err
		case !there.Known:
			if err := setup.EnsurePerson(ctx, s, apps[0].code, adminGroup, p); err != nil {
				return fmt.Errorf("person %s: %w", p.ID, err)
			}
		}
	}
	return nil
}

// loopback may be called in dev mode; a receiver to try things with runs on the same machine.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

func main() {
	setup.Main("dev", setup.UntilEnded(func(ctx context.Context) error {
		var s settings
		if done, err := setup.Load("dev", os.Args[1:], &s, os.Stdout); done || err != nil {
			return err
		}
		if os.Getenv("SIGNALBOX_PUBLIC_URL") == "" {
			s.PublicURL = setup.PublicURL("http://" + s.HTTPAddress)
		}
		return run(ctx, s, os.Stdout)
	}))
}

func run(ctx context.Context, s settings, out io.Writer) (err error) {
	began := time.Now()
	if err := os.MkdirAll(s.DataDir, 0o700); err != nil {
		return err
	}
	key, err := masterKey(filepath.Join(s.DataDir, "master.key"))
	if err != nil {
		return err
	}
	log, traces := setup.StartTraces("dev", setup.Log(s.LogLevel, "dev"))
	defer traces.Stop()
	// Before anything is started: where the address is taken, that is then all there is to say.
	listener, err := net.Listen("tcp", s.HTTPAddress)
	if err != nil {
		return err
	}
	defer listener.Close()

	if s.SMTPHost == "" {
		sink, err := mailtest.Start(mailtest.Options{})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, sink.Close()) }()
		s.mailInto(sink)
	}
	var told *receiver.Receiver
	if s.ReceiverPort != 0 {
		if told, err = receiver.Start(ports.Address(max(s.ReceiverPort, 0)), out); err != nil {
			return fmt.Errorf("receiver (SIGNALBOX_RECEIVER_PORT): %w", err)
		}
		defer func() { err = errors.Join(err, told.Close()) }()
	}
	temporal, err := startTemporal(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, temporal.Close()) }()

	base := setup.Base{
		DatabaseURL: "sqlite:" + filepath.Join(s.DataDir, "signalbox.db"), MasterKey: key, LogLevel: s.LogLevel, Partitions: s.Partitions, Outside: s.Outside,
		EncryptPayloads: s.EncryptPayloads, Tracer: traces.Tracer(),
		Temporal: workflows.Connection{Address: temporal.HostPort(), Namespace: "default"},
	}
	if err := base.Migrate(ctx, log); err != nil && !errors.As(err, new(store.Left)) {
		return err
	}
	house, err := base.Open(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, house.Close()) }()
	for _, app := range apps {
		if err := house.Store.EnsureApp(ctx, app.code, app.secret, app.tenant, []desk.Scope{desk.Admin}); err != nil {
			return err
		}
	}
	if err := house.EnsureBootstrap(ctx, s.BootstrapApp); err != nil {
		return err
	}
	if err := seedPersons(ctx, house.Store, s.AdminGroup, s.everybody()); err != nil {
		return err
	}

	s.APISettings.CallbackAllow = append(s.APISettings.CallbackAllow, loopback...)
	s.WorkerSettings.CallbackAllow = append(s.WorkerSettings.CallbackAllow, loopback...)
	metrics := setup.Metrics("dev")
	house.Measure(metrics)
	workers, err := house.Workers(s.WorkerSettings, s.Partitions, metrics, log)
	if err != nil {
		return err
	}
	if err := workers.Start(); err != nil {
		return err
	}
	defer workers.Stop()
	if err := house.EnsureSchedules(ctx, s.WorkerSettings, log); err != nil {
		return err
	}
	s.showTemporal(temporal.UIAddress())
	server, err := house.API(s.APISettings, metrics, log)
	if err != nil {
		return err
	}
	var filling sync.WaitGroup
	var unfilled error
	serving, stop := context.WithCancel(ctx)
	defer stop()
	err = setup.Serve(serving, server, listener, 0, func(address string) {
		at := addresses{api: "http://" + address, ui: temporal.UIAddress(), temporal: temporal.HostPort()}
		if told != nil {
			at.receiver = told.URL()
		}
		if !s.Demo {
			welcome(out, at, s.DataDir, time.Since(began))
			return
		}
		filling.Go(func() {
			if unfilled = s.fill(serving, at, out); unfilled != nil {
				stop()
				return
			}
			welcome(out, at, s.DataDir, time.Since(began))
		})
	})
	stop()
	filling.Wait()
	if ctx.Err() != nil {
		unfilled = nil // whoever ended it broke it off; the next start goes on
	}
	return errors.Join(unfilled, err)
}

// fill makes what the demo shows, and says where to look.
func (s settings) fill(ctx context.Context, at addresses, out io.Writer) error {
	fmt.Fprintln(out, "making the demo's tickets; some seconds")
	made, err := demo.Fill(ctx, demo.Options{API: at.api, Secret: apps[0].secret, Receiver: at.receiver, Mark: filepath.Join(s.DataDir, "demo.json"), Now: time.Now()})
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	verb := "made"
	if made.Before {
		verb = "there already, and left as they are:"
	}
	fmt.Fprintf(out, `The demo: %s %d tickets of the services leave, incident, reconciliation and fast_approval, with persons, groups, absences and subscriptions.

  as chen      %s/              approvals wait
  as li        %s/              tickets of finance to claim, and two that cannot be booked
  as admin     %s/tickets       all of them; %s/tickets?stuck=any those that are stuck
  as admin     %s/deliveries    one receiver is out of order
  anybody      %s/               what receivers were told

`, verb, made.Tickets, at.api, at.api, at.api, at.api, at.api, at.receiver)
	return nil
}

func startTemporal(ctx context.Context, s settings) (*embedded.Server, error) {
	options := embedded.Options{DataFile: filepath.Join(s.DataDir, "temporal.db"), Port: s.TemporalPort, UIPort: s.UIPort,
		SearchAttributes: map[string]enumspb.IndexedValueType{}}
	for _, key := range workflows.Attributes() {
		options.SearchAttributes[key.GetName()] = enumspb.INDEXED_VALUE_TYPE_KEYWORD
	}
	if s.EncryptPayloads {
		options.CodecEndpoint, options.SignIn = "http://"+s.HTTPAddress+"/codec", "http://"+s.HTTPAddress+"/login"
	}
	return embedded.Start(ctx, options)
}

// showTemporal links the pages with the web UI at that address, and lets it decrypt; empty: there is none.
func (s *settings) showTemporal(ui string) {
	if s.TemporalUI == "" {
		s.TemporalUI = ui
	}
	if s.CodecApps == nil {
		s.CodecApps = []string{apps[0].code}
	}
	if ui != "" {
		s.CodecOrigins = append(s.CodecOrigins, ui)
	}
}

// mailInto has all mail go to a server that sends none, and the pages show it.
func (s *settings) mailInto(sink *mailtest.Server) {
	s.SMTPHost, s.SMTPPort, s.SMTPTLS = "127.0.0.1", sink.Port(), activities.NoTLS
	if s.MailFrom == "" {
		s.MailFrom = "Signalbox <signalbox@localhost>"
	}
	s.Mailbox = func() (list []mailbox.Mail) {
		for _, m := range sink.Mails() {
			list = append(list, mailbox.Mail{At: m.At, To: m.To, Subject: m.Subject, Text: m.Text})
		}
		return list
	}
}

// masterKey reads the key that secrets are sealed with, and makes it the first time.
func masterKey(file string) (setup.Key, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		raw := make([]byte, 32)
		if _, err := rand.Read(raw); err != nil {
			return nil, err
		}
		text = []byte(base64.StdEncoding.EncodeToString(raw))
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		return nil, err
	}
	var key setup.Key
	if err := key.Decode(string(text)); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return key, nil
}

// addresses are where everything is; empty: there is none.
type addresses struct{ api, ui, temporal, receiver string }

func welcome(out io.Writer, at addresses, data string, took time.Duration) {
	fmt.Fprintf(out, `Signalbox is ready after %.1f s.

  API          %s      try it at %s/docs
  Pages        %s/tickets      sign in as ann, bob, chen (their manager) or admin, password %s
  Mailbox      %s/mailbox      what people would have been mailed
`, took.Seconds(), at.api, at.api, at.api, password, at.api)
	if at.ui != "" {
		fmt.Fprintf(out, "  Temporal UI  %s\n", at.ui)
	}
	if at.receiver != "" {
		fmt.Fprintf(out, "  Receiver     %s      takes any POST, and shows what came\n", at.receiver)
	}
	fmt.Fprintf(out, `  Temporal     %s
  Data         %s

  Dev key      Authorization: Access_Key demo-secret      (app demo; app other of another tenant: other-secret)

Open a first ticket:

  curl -s %s/api/issue -H 'Authorization: Access_Key demo-secret' \
    -d '{"origin":"me","title":"A first ticket"}'

Ctrl-C ends it.
`, at.temporal, data, at.api)
}
