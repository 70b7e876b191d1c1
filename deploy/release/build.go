package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// servers are what production runs: they are in the image. The archive of a platform has the command line too.
var (
	servers = []string{"api", "worker", "migrate"}
	all     = append(slices.Clone(servers), "signalbox")
)

// billOfMaterials reads what was linked into a program out of the program itself.
const billOfMaterials = "github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0"

// A kind is what goes into an archive of its own on each platform: packages of a module, built.
type kind struct {
	name     string
	module   string // its folder
	packages []string
}

// programs are what runs in production, with the command line.
func (r *release) programs() kind {
	k := kind{name: "signalbox", module: r.root}
	for _, name := range all {
		k.packages = append(k.packages, "./cmd/"+name)
	}
	return k
}

// development is the whole system in one program, with a Temporal server.
func (r *release) development() kind {
	return kind{"signalbox-dev", filepath.Join(r.root, "cmd", "dev"), []string{"."}}
}

// archives makes the archives of each kind for each platform. What takes no time and may fail comes first: a licence that is missing, and a tool that cannot be had.
func (r *release) archives(ctx context.Context, platforms []string, kinds ...kind) error {
	licences := map[string][]byte{}
	for _, k := range kinds {
		for _, p := range platforms {
			text, err := r.licences(ctx, k.module, p, k.packages)
			if err != nil {
				return fmt.Errorf("%s: %w", r.archive(k.name, p), err)
			}
			licences[r.archive(k.name, p)] = text
		}
	}
	tools := filepath.Join(r.out, ".built", "tools")
	if _, err := r.goTool(ctx, r.root, []string{"GOBIN=" + tools}, "install", billOfMaterials); err != nil {
		return err
	}
	for _, p := range platforms {
		for _, k := range kinds {
			if err := r.pack(ctx, p, k, licences[r.archive(k.name, p)], filepath.Join(tools, "cyclonedx-gomod")); err != nil {
				return fmt.Errorf("%s: %w", r.archive(k.name, p), err)
			}
		}
	}
	return nil
}

// built is the folder of the programs of an archive, before they are packed.
func (r *release) built(name, platform string) string {
	return filepath.Join(r.out, ".built", r.archive(name, platform))
}

// number is the version as files and images are called by it.
func (r *release) number() string { return strings.TrimPrefix(r.version, "v") }

// archive names the archive of a platform, without its ending.
func (r *release) archive(name, platform string) string {
	return name + "_" + r.number() + "_" + strings.ReplaceAll(platform, "/", "_")
}

// pack builds a kind for a platform and makes an archive of the programs, with what has to go along, and a bill of materials of each by the tool that makes them.
func (r *release) pack(ctx context.Context, platform string, k kind, licences []byte, tool string) error {
	folder := r.built(k.name, platform)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	r.say("building %s", r.archive(k.name, platform))
	target := folder + "/"
	if len(k.packages) == 1 {
		target += k.name
	}
	args := append([]string{"build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -X signalbox/internal/version.number=" + r.version, "-o", target}, k.packages...)
	if _, err := r.goTool(ctx, k.module, on(platform), args...); err != nil {
		return err
	}
	programs, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	var files []file
	for _, p := range programs {
		path := filepath.Join(folder, p.Name())
		files = append(files, file{p.Name(), path, nil, 0o755})
		bom, err := r.run(ctx, r.root, nil, tool, "bin", "-json", "-licenses=false", "-std=true", "-noserial", "-version", r.version, path)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(r.out, r.archive(p.Name(), platform)+".cdx.json"), r.stamped(bom), 0o644); err != nil {
			return err
		}
	}
	files = append(files, file{name: "THIRD_PARTY_LICENSES.txt", content: licences, mode: 0o644})
	for _, along := range []string{"LICENSE", "NOTICE", "CHANGELOG.md", "README.md"} {
		files = append(files, file{along, filepath.Join(r.root, along), nil, 0o644})
	}
	return r.tar(r.archive(k.name, platform)+".tar.gz", r.archive(k.name, platform), files)
}

// stamped gives a bill of materials the commit's time for the time at which it was made: the same commit gives the same bytes.
func (r *release) stamped(bom []byte) []byte {
	return timestamp.ReplaceAll(bom, []byte(`"timestamp": "`+r.at.Format("2006-01-02T15:04:05Z")+`"`))
}

// on is the environment that has the go command build for a platform; none for an empty one, which is this machine.
func on(platform string) []string {
	system, processor, ok := strings.Cut(platform, "/")
	if !ok {
		return nil
	}
	return []string{"GOOS=" + system, "GOARCH=" + processor}
}

// goTool runs the go command in a module. It returns what was printed.
func (r *release) goTool(ctx context.Context, module string, env []string, args ...string) ([]byte, error) {
	return r.run(ctx, module, append([]string{"CGO_ENABLED=0"}, env...), "go", args...)
}

// run runs a program in a folder, with variables beside those of this process. It returns what was printed.
func (r *release) run(ctx context.Context, folder string, env []string, program string, args ...string) ([]byte, error) {
	c := exec.CommandContext(ctx, program, args...)
	c.Dir, c.Env = folder, append(os.Environ(), env...)
	var out, complaints bytes.Buffer
	c.Stdout, c.Stderr = &out, &complaints
	if err := c.Run(); err != nil {
		return nil, fmt.Errorf("%s %s: %w\n%s", filepath.Base(program), strings.Join(args[:min(2, len(args))], " "), err, complaints.Bytes())
	}
	return out.Bytes(), nil
}

// file is one of an archive: what is at path, or content.
type file struct {
	name, path string
	content    []byte
	mode       int64
}

// tar writes an archive with the files in a folder.
func (r *release) tar(name, folder string, files []file) error {
	to, err := os.Create(filepath.Join(r.out, name))
	if err != nil {
		return err
	}
	defer to.Close()
	compressed, err := gzip.NewWriterLevel(to, gzip.BestCompression)
	if err != nil {
		return err
	}
	archive := tar.NewWriter(compressed)
	for _, f := range files {
		if err := add(archive, f, folder+"/"+f.name, r.at); err != nil {
			return err
		}
	}
	if err := archive.Close(); err != nil {
		return err
	}
	if err := compressed.Close(); err != nil {
		return err
	}
	return to.Close()
}

// add writes a file into an archive, as made at a time by nobody in particular.
func add(archive *tar.Writer, f file, name string, at time.Time) (err error) {
	if f.content == nil {
		if f.content, err = os.ReadFile(f.path); err != nil {
			return err
		}
	}
	if err := archive.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(f.content)), Mode: f.mode, ModTime: at}); err != nil {
		return err
	}
	_, err = archive.Write(f.content)
	return err
}

// checksums writes SHA256SUMS of all that was made, as "sha256sum -c" reads it, and removes what was only on the way.
func (r *release) checksums() error {
	if err := os.RemoveAll(filepath.Join(r.out, ".built")); err != nil {
		return err
	}
	entries, err := os.ReadDir(r.out)
	if err != nil {
		return err
	}
	var lines []string
	for _, e := range entries {
		f, err := os.Open(filepath.Join(r.out, e.Name()))
		if err != nil {
			return err
		}
		sum := sha256.New()
		_, err = io.Copy(sum, f)
		f.Close()
		if err != nil {
			return err
		}
		lines = append(lines, fmt.Sprintf("%x  %s\n", sum.Sum(nil), e.Name()))
	}
	slices.Sort(lines)
	r.say("%d files in %s", len(lines), r.out)
	return os.WriteFile(filepath.Join(r.out, "SHA256SUMS"), []byte(strings.Join(lines, "")), 0o644)
}
