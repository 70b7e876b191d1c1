package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// unreleased is what the chart says of the image in the repository, where there is none yet.
const unreleased = "appVersion: dev\n"

// chart packs the Helm chart as "helm package" does, so that "helm install" takes the file. It runs the image of this version unless it is told of another.
func (r *release) chart() error {
	folder := filepath.Join(r.root, "deploy", "helm", "signalbox")
	var files []file
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path) // of what a link leads to
		if err != nil {
			return err
		}
		if name == "Chart.yaml" {
			if !bytes.Contains(content, []byte(unreleased)) {
				return fmt.Errorf("%s has no line %q", path, unreleased[:len(unreleased)-1])
			}
			content = bytes.Replace(content, []byte(unreleased), fmt.Appendf(nil, "appVersion: %q\n", r.number()), 1)
		}
		files = append(files, file{name: filepath.ToSlash(name), content: content, mode: 0o644})
		return nil
	})
	if err != nil {
		return err
	}
	return r.tar("signalbox-chart_"+r.number()+".tgz", "signalbox", files)
}
