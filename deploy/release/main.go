// Command release makes what is handed out of a version of Signalbox, in one folder: archives of static programs for each platform, archives of the whole system in one
// program for development, a bill of materials (CycloneDX) of each archive, an OCI image for each Linux platform, the Helm chart, the licences of everything that is linked, and
// checksums. It needs Go and this repository, no container engine. The same commit gives the same bytes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "release: %s\n", err)
		os.Exit(1)
	}
}

// versions are what they look like: https://semver.org with the v that Go's have.
var versions = regexp.MustCompile(`^v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?$`)

// known are the platforms that a release is built for.
var known = []string{"linux/amd64", "linux/arm64", "darwin/arm64"}

// A release is one version and what is made of it.
type release struct {
	root    string // of the repository
	out     string // folder of what is made
	version string
	at      time.Time // of the commit: what every file in an archive or image says it was made at
	say     func(format string, args ...any)
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	version := flags.String("version", "", "version, such as v1.2.3; CHANGELOG.md has a section of its name")
	root := flags.String("root", "../..", "the repository")
	out := flags.String("out", "", "folder to write to; it must be empty or not there")
	platforms := flags.String("platforms", strings.Join(known, ","), "platforms to build for, separated by commas")
	dev := flags.Bool("dev", true, "build the development system too, which compiles a Temporal server for each platform")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	r, wanted, err := prepare(ctx, *version, *root, *out, *platforms)
	if err != nil {
		return err
	}
	kinds := []kind{r.programs()}
	if *dev {
		kinds = append(kinds, r.development())
	}
	if err := r.archives(ctx, wanted, kinds...); err != nil {
		return err
	}
	if err := r.images(wanted); err != nil {
		return fmt.Errorf("image: %w", err)
	}
	if err := r.chart(); err != nil {
		return fmt.Errorf("chart: %w", err)
	}
	return r.checksums()
}

// prepare refuses what would become no release: a version that is none or that CHANGELOG.md does not know, a platform that nobody builds for, a folder with something in it.
func prepare(ctx context.Context, version, root, out, platforms string) (*release, []string, error) {
	if !versions.MatchString(version) {
		return nil, nil, fmt.Errorf("-version %q: must be like v1.2.3", version)
	}
	if out == "" {
		return nil, nil, errors.New("-out: name a folder to write to")
	}
	wanted := strings.Split(platforms, ",")
	for _, p := range wanted {
		if !slices.Contains(known, p) {
			return nil, nil, fmt.Errorf("-platforms: %q is none of %s", p, strings.Join(known, ", "))
		}
	}
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, nil, err
	}
	changes, err := os.ReadFile(filepath.Join(root, "CHANGELOG.md"))
	if err != nil {
		return nil, nil, err
	}
	if section := regexp.MustCompile(`(?m)^## ` + regexp.QuoteMeta(strings.TrimPrefix(version, "v")) + `( |$)`); !section.Match(changes) {
		return nil, nil, fmt.Errorf("CHANGELOG.md has no section %q", "## "+strings.TrimPrefix(version, "v"))
	}
	if out, err = filepath.Abs(out); err != nil {
		return nil, nil, err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return nil, nil, err
	}
	if entries, err := os.ReadDir(out); err != nil {
		return nil, nil, err
	} else if len(entries) > 0 {
		return nil, nil, fmt.Errorf("-out: %s is not empty", out)
	}
	r := &release{root: root, out: out, version: version, say: func(format string, args ...any) { fmt.Printf(format+"\n", args...) }}
	if r.at, err = made(ctx, root); err != nil {
		return nil, nil, err
	}
	return r, wanted, nil
}

// made is when the commit was made that is built from; SOURCE_DATE_EPOCH (https://reproducible-builds.org/specs/source-date-epoch/) says otherwise.
func made(ctx context.Context, root string) (time.Time, error) {
	text := os.Getenv("SOURCE_DATE_EPOCH")
	if text == "" {
		git := exec.CommandContext(ctx, "git", "-C", root, "log", "-1", "--format=%ct")
		said, err := git.Output()
		if err != nil {
			return time.Time{}, fmt.Errorf("when the commit was made: %w (SOURCE_DATE_EPOCH may say it)", err)
		}
		text = strings.TrimSpace(string(said))
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	return time.Unix(seconds, 0).UTC(), nil
}
