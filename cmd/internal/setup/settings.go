package setup

import (
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"text/tabwriter"

	"github.com/kelseyhightower/envconfig"

	"signalbox/internal/tracing"
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
	Tracer      *tracing.Tracer `ignored:"true"` // nil: nothing is traced
	Patient     bool            `ignored:"true"` // a process that serves: it waits at the start for a store that is away
	Connections int             `ignored:"true"` // most connections to PostgreSQL at once, as each program has it; 0: the store's own default
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
