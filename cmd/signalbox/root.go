package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signalbox/client"
	"signalbox/internal/version"
)

// cli is one run of the program.
type cli struct {
	in       io.Reader
	out, err io.Writer
	env      func(string) string
	began    bool // the command line was understood

	url, secret, secretFile, profile, profiles, output, operator, key string
	timeout                                                           time.Duration
}

const exits = `Exit codes: 0 done; 1 failed; 2 the command line, the profile or what was sent is wrong; 3 the credential is not valid or may not; 4 no such
thing; 5 not possible as things stand; 6 not now, it can be repeated; 130 interrupted.`

func (c *cli) root() *cobra.Command {
	root := &cobra.Command{
		Use:     "signalbox",
		Short:   "Work tickets, services, subscriptions and deliveries",
		Version: version.Line("client"),
		Long: `Work tickets, services, subscriptions and deliveries of a Signalbox, over its house API.

Where it is and who calls is said by flags, else by SIGNALBOX_URL, SIGNALBOX_SECRET and SIGNALBOX_OPERATOR, else by a profile in a file that only its
owner may read (mode 0600):

  default = "prod"

  [profiles.prod]
  url = "https://tickets.example.com"
  secret = "…"
  operator = "zhang.san"

` + exits,
		Example: `  export SIGNALBOX_URL=http://127.0.0.1:8080 SIGNALBOX_SECRET=demo-secret SIGNALBOX_OPERATOR=ann
  signalbox open --title "Container held" --origin customs
  signalbox list --status OPEN
  signalbox watch`,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(command *cobra.Command, _ []string) error {
			if err := command.ValidateRequiredFlags(); err != nil {
				return err
			}
			switch c.output {
			case "table", "json":
			default:
				return fmt.Errorf("--output: must be table or json, not %q", c.output)
			}
			c.began = true
			return nil
		},
	}
	root.SetVersionTemplate("{{.Version}}\n")
	f := root.PersistentFlags()
	f.StringVar(&c.url, "url", "", "address of the API (SIGNALBOX_URL)")
	f.StringVar(&c.secret, "secret", "", "the app's secret (SIGNALBOX_SECRET); other users of the machine can see flags: a file or a profile is better")
	f.StringVar(&c.secretFile, "secret-file", "", "file with the app's secret; - for standard input")
	f.StringVar(&c.profile, "profile", "", "profile of the profile file (SIGNALBOX_PROFILE); the default one unless said")
	f.StringVar(&c.profiles, "profile-file", "", "profile file (SIGNALBOX_PROFILE_FILE); signalbox/profiles.toml in the user's configuration folder unless said")
	f.StringVar(&c.operator, "as", "", "the person who acts (SIGNALBOX_OPERATOR)")
	f.StringVarP(&c.output, "output", "o", "table", "table or json")
	f.DurationVar(&c.timeout, "timeout", time.Minute, "how long to try at most; what watches goes on until it is interrupted")
	f.StringVar(&c.key, "idempotency-key", "", "key under which the change is made; the same key again gives the first answer again")
	_ = root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json"}, cobra.ShellCompDirectiveNoFileComp))
	root.AddCommand(c.openCommand(), c.listCommand(), c.showCommand(), c.actCommand(), c.watchCommand(), c.servicesCommand(), c.subscriptionsCommand(),
		c.deliveriesCommand(), c.personsCommand(), c.groupsCommand())
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(completionCommand(root))
	return root
}

// plainBash has a bash complete by itself where the package bash-completion is not there: it replaces the one function that needs it. Words that bash splits at = and : are
// put together again.
const plainBash = `
__signalbox_init_completion()
{
    COMPREPLY=()
    if declare -F _get_comp_words_by_ref >/dev/null; then
        _get_comp_words_by_ref "$@" cur prev words cword
        return
    fi
    local i word rest=${COMP_LINE}
    words=()
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if ((i > 0)) && [[ ${rest} != [[:space:]]* && ${COMP_WORDS[i - 1]: -1}${word:0:1} == *[=:]* ]]; then
            words[${#words[@]} - 1]+=${word}
        else
            words+=("${word}")
        fi
        rest=${rest#"${rest%%[![:space:]]*}"}
        rest=${rest#"${word}"}
    done
    cword=$((${#words[@]} - 1))
    cur=${words[cword]}
    prev=
    if ((cword > 0)); then prev=${words[cword - 1]}; fi
}
`

// completionCommand prints what a shell completes commands by.
func completionCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:       "completion bash|zsh|fish",
		Short:     "Print what a shell completes commands by",
		Example:   "  source <(signalbox completion bash)\n  signalbox completion zsh > \"${fpath[1]}/_signalbox\"\n  signalbox completion fish > ~/.config/fish/completions/signalbox.fish",
		ValidArgs: []string{"bash", "zsh", "fish"},
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		RunE: func(command *cobra.Command, args []string) error {
			switch out := command.OutOrStdout(); args[0] {
			case "bash":
				if err := root.GenBashCompletionV2(out, true); err != nil {
					return err
				}
				_, err := io.WriteString(out, plainBash)
				return err
			case "zsh":
				return root.GenZshCompletion(out)
			default:
				return root.GenFishCompletion(out, true)
			}
		},
	}
}

// call gives a client, and a context that ends when --timeout is over and carries --idempotency-key.
func (c *cli) call(command *cobra.Command) (*client.Client, context.Context, context.CancelFunc, error) {
	made, err := c.client()
	if err != nil {
		return nil, nil, nil, err
	}
	ctx, cancel := context.WithTimeout(c.keyed(command.Context()), c.timeout)
	return made, ctx, cancel, nil
}

func (c *cli) keyed(ctx context.Context) context.Context {
	if c.key == "" {
		return ctx
	}
	return client.WithKey(ctx, c.key)
}

func (c *cli) client() (*client.Client, error) {
	who, err := c.caller()
	if err != nil {
		return nil, err
	}
	made, err := client.New(who.URL, client.Options{Secret: who.Secret, UserAgent: "signalbox-cli"})
	if err != nil {
		return nil, usage{err}
	}
	return made, nil
}

// person is who acts.
func (c *cli) person() (string, error) {
	who, err := c.caller()
	switch {
	case err != nil:
		return "", err
	case who.Operator == "":
		return "", usagef("--as: say who acts, or set SIGNALBOX_OPERATOR or operator of the profile")
	}
	return who.Operator, nil
}

// confirmed asks whether to go on; yes, where it was said already. Where nobody can be asked, it has to be said.
func (c *cli) confirmed(question string, yes bool) error {
	if yes {
		return nil
	}
	if file, ok := c.in.(*os.File); !ok || !isTerminal(file) {
		return usagef("--yes: is required where nobody can be asked (%s)", question)
	}
	fmt.Fprintf(c.err, "%s [y/N] ", question)
	answer, err := bufio.NewReader(c.in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errors.New("nothing was done")
}

// readFile reads a file, or standard input where it is called "-".
func (c *cli) readFile(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(c.in)
	}
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, usage{err}
	}
	return raw, nil
}
