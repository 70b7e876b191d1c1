package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/api/apitest"
	"signalbox/internal/housetest"
)

// asProgram has the test's own program be the command line, for shells to call.
const asProgram = "SIGNALBOX_TEST_IS_THE_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	m.Run()
}

// completer is a shell that completes: a script which reads what "signalbox completion" prints and completes each line that it is given as an argument, without the program's name, as far as
// it is typed. It prints a line for each completion, the word and, after a tab, its meaning, and a form feed behind those of each line.
type completer struct {
	shell  string
	name   string
	script string
	has    string // a file that it needs, of these that are there
}

const inBash = `
source <(signalbox completion bash)
complete -p signalbox | grep -q -- '-F __start_signalbox signalbox' || { echo "nobody completes signalbox"; exit 1; }
for typed; do
	COMP_LINE="signalbox $typed"
	COMP_POINT=${#COMP_LINE} COMP_TYPE=63 COMP_KEY=9 COMP_WORDS=(signalbox) COMPREPLY=()
	read -ra given <<<"$typed"; [ -n "${typed##* }" ] || given+=("")
	for word in "${given[@]}"; do # as readline splits them
		while [[ $word == *[=:]* ]]; do
			first=${word%%[=:]*}; [ -z "$first" ] || COMP_WORDS+=("$first")
			word=${word#"$first"}; COMP_WORDS+=("${word:0:1}"); word=${word:1}
			[ -n "$word" ] || continue 2
		done
		COMP_WORDS+=("$word")
	done
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
	__start_signalbox signalbox "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}" 2>/dev/null
	printf '%s\n' "${COMPREPLY[@]}" | sed -E 's/ +\((.*)\)$/\t\1/; s/ +$//'
	printf '\f\n'
done
`

var completers = []completer{
	{shell: "bash", name: "bash", script: inBash},
	{shell: "bash", name: "bash with bash-completion", script: "source /usr/share/bash-completion/bash_completion\ndeclare -F _get_comp_words_by_ref >/dev/null || exit 1\n" + inBash, has: "/usr/share/bash-completion/bash_completion"},
	{shell: "zsh", name: "zsh", script: `
mkdir -p "$HOME/functions"; signalbox completion zsh > "$HOME/functions/_signalbox"
fpath=("$HOME/functions" $fpath)
autoload -Uz compinit && compinit -u -d "$HOME/.zcompdump"
[[ $_comps[signalbox] == _signalbox ]] || { echo "nobody completes signalbox"; exit 1 }
compadd() { : }
_describe() { # what zsh would show: of the list "completions", each word:meaning, those that begin as what is typed does
	local one tab=$'\t'
	for one in "${completions[@]}"; do [[ $one != "$typed"* ]] || print -r -- "${one/:/$tab}"; done
}
for line; do
	words=(signalbox "${(@s: :)line}") CURRENT=$#words typed=${${words[-1]}##*=}
	_signalbox
	printf '\f\n'
done
`},
	{shell: "fish", name: "fish", script: `
signalbox completion fish | source
for typed in $argv
	complete -C "signalbox $typed"
	printf '\f\n'
end
`},
}

// TestShellsComplete loads what is printed for a shell into that shell, and completes commands, flags, and what Signalbox knows. Titles are what callers write: no shell may run them.
func TestShellsComplete(t *testing.T) {
	house := housetest.New(t)
	s := at(t, house, apitest.Boss)
	dir := t.TempDir()
	ran := filepath.Join(dir, "ran")
	title := "Container: held $(touch " + ran + ") `touch " + ran + "` ; touch " + ran + " 'x"
	number := s.ok("open", "--title", title)
	file := filepath.Join(dir, "leave.yaml")
	require.NoError(t, os.WriteFile(file, []byte(leave), 0o600))
	s.ok("services", "publish", file)

	self, err := os.Executable()
	require.NoError(t, err)
	bin := filepath.Join(dir, "bin")
	require.NoError(t, os.Mkdir(bin, 0o755))
	require.NoError(t, os.Symlink(self, filepath.Join(bin, "signalbox")))
	for _, c := range completers {
		t.Run(c.name, func(t *testing.T) {
			path, err := exec.LookPath(c.shell)
			if err != nil {
				require.False(t, c.shell == "bash" && os.Getenv("CI") != "", "bash is always there")
				t.Skipf("*** NOT TESTED: no %s on PATH ***", c.shell)
			}
			if _, err := os.Stat(c.has); c.has != "" && err != nil {
				t.Skipf("*** NOT TESTED: no %s ***", c.has)
			}
			home := t.TempDir()
			script := filepath.Join(home, "script")
			require.NoError(t, os.WriteFile(script, []byte(c.script), 0o600))
			tried := []string{"", "deli", "deliveries ", "deliveries list --ho", "list --st", "list --status ", "deliveries list --state=he", "completion ", "show ", "act " + number + " ", "services show "}
			command := exec.CommandContext(t.Context(), path, append([]string{script}, tried...)...)
			command.Dir = home
			command.Env = []string{"HOME=" + home, "PATH=" + bin + ":" + os.Getenv("PATH"), "TERM=dumb", "LC_ALL=C.UTF-8", "COLUMNS=400", asProgram + "=1", "SIGNALBOX_URL=" + house.URL, "SIGNALBOX_SECRET=" + apitest.Boss}
			var out, errs bytes.Buffer
			command.Stdout, command.Stderr = &out, &errs
			require.NoError(t, command.Run(), "%s%s", &out, &errs)
			require.Empty(t, errs.String(), "the shell complains")
			answers := strings.Split(out.String(), "\f\n")
			require.Len(t, answers, len(tried)+1, "%s", &out)
			complete := func(typed string) map[string]string {
				t.Helper()
				at := slices.Index(tried, typed)
				require.GreaterOrEqual(t, at, 0, typed)
				found := map[string]string{}
				for line := range strings.Lines(answers[at]) {
					word, meaning, _ := strings.Cut(strings.TrimRight(line, "\n"), "\t")
					found[strings.TrimRight(word, " ")] = meaning
				}
				return found
			}
			some := func(of map[string]string, words ...string) {
				t.Helper()
				for _, word := range words {
					require.Contains(t, of, word)
				}
			}
			all := complete("")
			some(all, "act", "completion", "deliveries", "list", "open", "services", "subscriptions", "watch")
			require.Equal(t, "Look at deliveries, and have them made again", all["deliveries"])
			one := complete("deli")
			require.Len(t, one, 1, "%v", one)
			some(one, "deliveries")
			some(complete("deliveries "), "list", "redeliver", "show")
			require.Len(t, complete("deliveries list --ho"), 1)
			some(complete("list --st"), "--status")
			some(complete("list --status "), "OPEN", "CLOSED")
			held := complete("deliveries list --state=he")
			require.Len(t, held, 1, "%v", held)
			some(complete("completion "), "bash", "fish", "zsh")

			some(complete("show "), number)
			some(complete("act "+number+" "), "accept")
			some(complete("services show "), "leave")
			require.NoFileExists(t, ran, "a title was run")
		})
	}
}
