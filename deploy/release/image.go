package main

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// user is who the programs run as, by number, so that an orchestrator can see that it is not root; deploy/Dockerfile has the same.
const user = "10001"

// authorities are where a Linux system keeps the certificate authorities that it trusts, on Debian, Alpine, Fedora and others.
var authorities = []string{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"}

// images makes an image of the Linux platforms that were built, as files that "docker load" and "skopeo copy docker-archive:" read. An image has the programs and what they
// need of a system: certificate authorities, a name for the user, and /tmp. There is no shell in it.
func (r *release) images(platforms []string) error {
	for _, platform := range platforms {
		processor, ok := strings.CutPrefix(platform, "linux/")
		if !ok {
			continue
		}
		image, err := r.image(platform, processor)
		if err != nil {
			return err
		}
		tag, err := name.NewTag("signalbox:" + r.number())
		if err != nil {
			return err
		}
		if err := tarball.WriteToFile(filepath.Join(r.out, r.archive("signalbox-image", platform)+".tar"), tag, image); err != nil {
			return err
		}
		r.say("image %s", r.archive("signalbox-image", platform))
	}
	return nil
}

func (r *release) image(platform, processor string) (v1.Image, error) {
	system, err := r.system()
	if err != nil {
		return nil, err
	}
	var programs []file
	for _, p := range servers {
		programs = append(programs, file{"usr/local/bin/" + p, filepath.Join(r.built("signalbox", platform), p), nil, 0o755})
	}
	image := mutate.MediaType(empty.Image, types.DockerManifestSchema2)
	for _, files := range [][]file{system, programs} {
		layer, err := r.layer(files)
		if err != nil {
			return nil, err
		}
		if image, err = mutate.Append(image, mutate.Addendum{Layer: layer, History: v1.History{Created: v1.Time{Time: r.at}, CreatedBy: "signalbox release"}}); err != nil {
			return nil, err
		}
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = "linux", processor, v1.Time{Time: r.at}
	config.Config = v1.Config{
		User: user + ":" + user, Cmd: []string{"api"}, Env: []string{"PATH=/usr/local/bin"}, ExposedPorts: map[string]struct{}{"8080/tcp": {}, "9090/tcp": {}},
		// https://github.com/opencontainers/image-spec/blob/main/annotations.md
		Labels: map[string]string{"org.opencontainers.image.title": "signalbox", "org.opencontainers.image.version": r.version, "org.opencontainers.image.licenses": "Apache-2.0"},
	}
	return mutate.ConfigFile(image, config)
}

// system is what the programs need around them.
func (r *release) system() ([]file, error) {
	var certificates []byte
	for _, path := range authorities {
		var err error
		if certificates, err = os.ReadFile(path); err == nil {
			break
		} else if !os.IsNotExist(err) {
			return nil, err
		}
	}
	if certificates == nil {
		return nil, &os.PathError{Op: "read certificate authorities", Path: strings.Join(authorities, ", "), Err: os.ErrNotExist}
	}
	return []file{
		{name: "etc/group", content: []byte("root:x:0:\nsignalbox:x:" + user + ":\n"), mode: 0o644},
		{name: "etc/passwd", content: []byte("root:x:0:0:root:/:/sbin/nologin\nsignalbox:x:" + user + ":" + user + ":signalbox:/:/sbin/nologin\n"), mode: 0o644},
		{name: "etc/ssl/certs/ca-certificates.crt", content: certificates, mode: 0o644},
		{name: "tmp/", mode: 0o1777},
	}, nil
}

// layer is a layer of an image with the files, and the folders on the way to them. A name that ends with a slash is a folder.
func (r *release) layer(files []file) (v1.Layer, error) {
	var out bytes.Buffer
	archive := tar.NewWriter(&out)
	made := map[string]bool{}
	for _, f := range files {
		for i := range f.name {
			folder := f.name[:i+1]
			if f.name[i] != '/' || made[folder] {
				continue
			}
			made[folder] = true
			mode := int64(0o755)
			if folder == f.name {
				mode = f.mode
			}
			if err := archive.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: folder, Mode: mode, ModTime: r.at}); err != nil {
				return nil, err
			}
		}
		if strings.HasSuffix(f.name, "/") {
			continue
		}
		if err := add(archive, f, f.name, r.at); err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(out.Bytes())), nil })
}
