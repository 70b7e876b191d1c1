package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

var timestamp = regexp.MustCompile(`"timestamp": "[^"]*"`)

// licence are the names of files whose text has to go along with a program that has the code.
var licence = regexp.MustCompile(`(?i)^(un)?(licen[cs]e|copying|notice|copyright|patents)([.-].*)?$`)

// assets is where those are of what is embedded into the programs and is no Go module: scripts and styles of the pages.
const assets = "console/assets"

// embedded are the names of such licences.
var embedded = regexp.MustCompile(`(?i)\.licen[cs]e(\.txt)?$`)

// without are modules that have no licence in what the Go module proxy has of them, and what is said of each instead. Whoever adds one has looked for it.
var without = map[string]string{
	// The text is of the folder above in its repository, which the module github.com/cactus/go-statsd-client has, before that commit and after it.
	"github.com/cactus/go-statsd-client/statsd": `Copyright (c) 2012-2016 Eli Janssen

Permission is hereby granted, free of charge, to any person obtaining a copy of
this software and associated documentation files (the "Software"), to deal in
the Software without restriction, including without limitation the rights to
use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies
of the Software, and to permit persons to whom the Software is furnished to do
so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.`,
	"github.com/nexus-rpc/nexus-proto-annotations": "Published without a licence file, by the makers of github.com/nexus-rpc/sdk-go (MIT), Temporal Technologies Inc. go.temporal.io/api (MIT) needs it.",
}

// licences gathers the licence texts of each module that the packages link for a platform, and of Go itself. A module that has none is an error: what nobody allows must not be
// handed out.
func (r *release) licences(ctx context.Context, module, platform string, packages []string) ([]byte, error) {
	listed, err := r.goTool(ctx, module, on(platform), append([]string{"list", "-deps", "-f", "{{with .Module}}{{.Path}}\t{{.Version}}\t{{with .Replace}}{{.Dir}}{{else}}{{.Dir}}{{end}}{{end}}"}, packages...)...)
	if err != nil {
		return nil, err
	}
	home, err := r.goTool(ctx, module, nil, "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	modules := slices.Sorted(slices.Values(strings.Split(strings.TrimSpace(string(listed)), "\n")))
	modules = append(slices.Compact(modules), "Go\t\t"+strings.TrimSpace(string(home)))
	var text bytes.Buffer
	var missing []error
	for _, m := range modules {
		fields := strings.Split(m, "\t")
		if len(fields) != 3 || strings.HasPrefix(fields[0]+"/", "signalbox/") {
			continue
		}
		files, err := matching(fields[2], licence)
		if err != nil {
			return nil, err
		}
		if note := without[fields[0]]; note != "" && len(files) == 0 {
			heading(&text, fields[0]+" "+fields[1])
			fmt.Fprintf(&text, "\n%s\n\n", note)
			continue
		}
		if len(files) == 0 {
			missing = append(missing, fmt.Errorf("%s %s has no licence in %s", fields[0], fields[1], fields[2]))
			continue
		}
		if err := appendTexts(&text, strings.TrimSpace(fields[0]+" "+fields[1]), files); err != nil {
			return nil, err
		}
	}
	if len(missing) > 0 {
		return nil, errors.Join(missing...)
	}
	files, err := matching(filepath.Join(r.root, assets), embedded)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if err := appendTexts(&text, assets+"/"+filepath.Base(f), []string{f}); err != nil {
			return nil, err
		}
	}
	return text.Bytes(), nil
}

// matching are the files of a folder whose names match, in order.
func matching(folder string, name *regexp.Regexp) (paths []string, err error) {
	entries, err := os.ReadDir(folder)
	for _, e := range entries {
		if e.Type().IsRegular() && name.MatchString(e.Name()) {
			paths = append(paths, filepath.Join(folder, e.Name()))
		}
	}
	return paths, err
}

func heading(to *bytes.Buffer, title string) {
	fmt.Fprintf(to, "%s\n%s\n%s\n", strings.Repeat("=", 78), title, strings.Repeat("=", 78))
}

func appendTexts(to *bytes.Buffer, title string, files []string) error {
	heading(to, title)
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return err
		}
		to.WriteString("\n")
		to.Write(bytes.TrimSpace(text))
		to.WriteString("\n\n")
	}
	return nil
}
