package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// An invocation is a call of one of our programs that a document names.
type invocation struct {
	where   string // file:line
	program string
	words   []string // what follows it
}

// programs are those that documents call.
var programs = []string{"api", "worker", "migrate", "signalbox", "dev", "make"}

var (
	inlineCode = regexp.MustCompile("`([^`]+)`")
	assigned   = regexp.MustCompile(`^[A-Z_]+=`)
	elsewhere  = regexp.MustCompile(`^docker compose (?:-\S+ )*(?:run|exec) (?:-\S+ )*\S+ |^kubectl .* -- `) // what runs a program somewhere else
	inQuotes   = regexp.MustCompile(`'[^']*'|"[^"]*"`)
	separators = regexp.MustCompile(`\s(?:&&|\|\||\||;)\s|;\s|\$\(|<\(|[()]`) // commands of a line
)

// invocations finds them in a text: in fenced blocks, and in code within a line that is a call.
func invocations(where, text string) (found []invocation) {
	fenced, before := false, ""
	for i, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced, before = !fenced, ""
			continue
		}
		var pieces []string
		if fenced {
			if line = before + line; strings.HasSuffix(line, `\`) {
				before = strings.TrimSuffix(line, `\`) + " "
				continue
			}
			before, pieces = "", []string{line}
		} else {
			for _, code := range inlineCode.FindAllStringSubmatch(line, -1) {
				pieces = append(pieces, code[1])
			}
		}
		for _, piece := range pieces {
			for _, command := range separators.Split(piece, -1) {
				command = elsewhere.ReplaceAllString(strings.TrimPrefix(strings.TrimSpace(command), "$ "), "")
				words := strings.Fields(inQuotes.ReplaceAllStringFunc(command, func(one string) string { return strings.ReplaceAll(one, " ", "_") }))
				for len(words) > 0 && (assigned.MatchString(words[0]) || words[0] == "exec" || words[0] == "sudo") {
					words = words[1:]
				}
				if comment := slices.Index(words, "#"); comment >= 0 {
					words = words[:comment]
				}
				if len(words) == 0 {
					continue
				}
				program := strings.TrimPrefix(strings.TrimPrefix(words[0], "./"), "bin/")
				called := program != words[0] || slices.Contains([]string{"migrate", "signalbox", "make"}, program) || len(words) > 1 && strings.HasPrefix(words[1], "-")
				if called && slices.Contains(programs, program) {
					found = append(found, invocation{fmt.Sprintf("%s:%d", where, i+1), program, words[1:]})
				}
			}
		}
	}
	return found
}

// usages asks programs how they are called, each question once.
type usages struct {
	testing.TB
	known map[string]string
}

func (u usages) help(program string, words ...string) string {
	u.Helper()
	key := strings.Join(append([]string{program}, words...), " ")
	if _, asked := u.known[key]; !asked {
		flag := "-help"
		if program == "signalbox" {
			flag = "--help"
		}
		said, err := exec.Command(binary(u.TB, program), append(slices.Clone(words), flag)...).CombinedOutput()
		u.known[key] = string(said)
		if err != nil {
			u.known[key] = ""
		}
	}
	return u.known[key]
}

var (
	goFlag    = regexp.MustCompile(`(?m)^  -([a-z-]+)(?: (\w+))?`)                      // as package flag lists them
	posixFlag = regexp.MustCompile(`(?m)^ +(?:-(\w), )?--([a-z-]+)(?: (\w+))?(?:  |$)`) // as the command line does
	usageLine = regexp.MustCompile(`(?m)^  (signalbox(?: [a-z]+)*)`)
)

// fault says what is wrong with an invocation; empty: nothing.
func (u usages) fault(i invocation) string {
	switch i.program {
	case "migrate":
		return u.migrate(i.words)
	case "signalbox":
		return u.signalbox(i.words)
	case "make":
		return u.make(i.words)
	}
	for _, word := range i.words {
		if word != "-help" && word != "-version" {
			return fmt.Sprintf("%s takes no %s", i.program, word)
		}
	}
	return ""
}

func (u usages) make(words []string) string {
	text, err := os.ReadFile(filepath.Join(root, "Makefile"))
	require.NoError(u, err)
	for _, word := range words {
		if !assigned.MatchString(word) && !strings.HasPrefix(word, "-") && !regexp.MustCompile(`(?m)^`+regexp.QuoteMeta(strings.Trim(word, ";,"))+`:`).Match(text) {
			return fmt.Sprintf("there is no target %q", word)
		}
	}
	return ""
}

func (u usages) migrate(words []string) string {
	commands := u.help("migrate")
	var under []string
	for len(words) > 0 && !strings.HasPrefix(strings.Trim(words[0], "[]"), "-") {
		under, words = append(under, words[0]), words[1:]
	}
	for _, one := range strings.Split(strings.Join(under, " "), "|") { // disable|enable
		if one = strings.TrimSpace(one); one != "" && !regexp.MustCompile(`(?m)^migrate (app \S*)?`+regexp.QuoteMeta(one)+`\b`).MatchString(commands) {
			return fmt.Sprintf("migrate has no command %q", one)
		}
	}
	takes := map[string]string{"help": "", "version": ""}
	if len(under) > 0 {
		first, _, _ := strings.Cut(strings.Join(under, " "), "|")
		for _, flag := range goFlag.FindAllStringSubmatch(u.help("migrate", strings.Fields(first)...), -1) {
			takes[flag[1]] = flag[2]
		}
	}
	return flagsFault(words, "-", takes)
}

func (u usages) signalbox(words []string) string {
	var under []string
	for _, word := range words {
		if strings.HasPrefix(word, "-") || !regexp.MustCompile(`^[a-z]+$`).MatchString(word) {
			break
		}
		under = append(under, word)
	}
	help := u.help("signalbox", under...)
	usage := usageLine.FindString(help)
	depth := len(strings.Fields(usage)) - 1
	if _, rest, _ := strings.Cut(help, usage); usage == "" || depth < len(under) && strings.HasPrefix(rest, " [command]") {
		return fmt.Sprintf("signalbox has no command %q", strings.Join(under, " "))
	}
	takes := map[string]string{}
	for _, flag := range posixFlag.FindAllStringSubmatch(help, -1) {
		takes["-"+flag[2]] = flag[3]
		if flag[1] != "" {
			takes[flag[1]] = flag[3]
		}
	}
	return flagsFault(words[min(depth, len(under)):], "", takes)
}

// flagsFault looks at the flags among words. After prefix a flag is called as it is in takes, which says what kind of value each takes; empty: none. Where prefix is not empty, nothing
// but flags and their values is taken.
func flagsFault(words []string, prefix string, takes map[string]string) string {
	for n := 0; n < len(words); n++ {
		word := strings.Trim(words[n], "[],:")
		if !strings.HasPrefix(word, "-") || word == "-" {
			if prefix != "" && word != "" && word != "…" {
				return fmt.Sprintf("%q is no flag", word)
			}
			continue
		}
		name, _, valued := strings.Cut(strings.TrimPrefix(word, "-"), "=")
		if prefix != "" {
			name = strings.TrimPrefix(name, "-") // either is taken
		}
		kind, known := takes[name]
		if !known {
			return "there is no flag " + word
		}
		if kind != "" && !valued {
			if n++; n == len(words) {
				return word + " wants a value"
			}
		}
	}
	return ""
}

// TestDocumentsCallWhatThereIs holds every call of our programs in every document against what the programs themselves say that they take.
func TestDocumentsCallWhatThereIs(t *testing.T) {
	t.Parallel()
	u := usages{t, map[string]string{}}
	var faults []string
	found := map[string]int{}
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != root || slices.Contains([]string{"node_modules", "bin", "dist"}, d.Name())) {
			return fs.SkipDir
		}
		if ext := filepath.Ext(path); ext != ".md" && d.Name() != "NOTES.txt" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, path)
		for _, i := range invocations(relative, string(text)) {
			found[i.program]++
			if fault := u.fault(i); fault != "" {
				faults = append(faults, fmt.Sprintf("%s: %s %s: %s", i.where, i.program, strings.Join(i.words, " "), fault))
			}
		}
		return err
	}))
	require.Empty(t, faults, strings.Join(faults, "\n"))
	t.Log(found)
	require.Greater(t, found["migrate"], 40)
	require.Greater(t, found["signalbox"], 10)
}

// TestCallsThatAreNoneAreNamed gives the test before calls with one thing wrong.
func TestCallsThatAreNoneAreNamed(t *testing.T) {
	t.Parallel()
	u := usages{t, map[string]string{}}
	for text, says := range map[string]string{
		"`migrate`": "", "`migrate verify -ticket N`": "", "`migrate app disable|enable -code C`": "", "`migrate reconcile [-dry-run]`": "",
		"```sh\nFOO=1 bin/migrate rebuild -tenant T # that\ndocker compose run --rm migrate migrate app create -code a \\\n  -tenant b\n```": "",
		"`signalbox deliveries list --state failed -o json`": "", "`signalbox act IM… accept`": "", "`bin/api -help`": "", "api and worker, `api`, `signalbox_x`": "",
		"```\nsignalbox services check a.yaml && signalbox services publish a.yaml\n```": "",
		"`migrate verfy`":                                  `no command "verfy"`,
		"`migrate app make -code x`":                       `no command "app make"`,
		"`migrate verify -tickets N`":                      "no flag -tickets",
		"`migrate rebuild all`":                            `no command "rebuild all"`,
		"`migrate reconcile -dry-run now`":                 `"now" is no flag`,
		"`migrate revive -ticket`":                         "-ticket wants a value",
		"`signalbox deliver list`":                         `no command "deliver list"`,
		"`signalbox deliveries lst`":                       `no command "deliveries lst"`,
		"`signalbox deliveries list --sate failed`":        "no flag --sate",
		"`make check golden` `make bench BENCH=lifecycle`": "",
		"`make chekc`":                                     `no target "chekc"`,
		"```\necho x | signalbox open --titel x\n```":      "no flag --titel",
		"`bin/worker --queue x`":                           "takes no --queue",
	} {
		said := ""
		for _, i := range invocations("x", text) {
			said += u.fault(i)
		}
		if says == "" {
			require.Empty(t, said, text)
		} else {
			require.Contains(t, said, says, text)
		}
	}
}
