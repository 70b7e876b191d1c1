package e2e

import (
	"bytes"
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"signalbox/cmd/dev/e2e/harness"
	"signalbox/store/postgrestest"
)

// A pod is what the chart has somebody make, as far as starting its program goes.
type pod struct {
	Spec struct {
		TerminationGracePeriodSeconds int `yaml:"terminationGracePeriodSeconds"`
		Containers                    []struct {
			Command, Args []string
			Env           []struct {
				Name, Value string
				ValueFrom   *struct {
					SecretKeyRef *struct{ Key string } `yaml:"secretKeyRef"`
				} `yaml:"valueFrom"`
			}
			Ports []struct {
				Name          string
				ContainerPort int `yaml:"containerPort"`
			}
			LivenessProbe, ReadinessProbe *probe
			VolumeMounts                  []struct {
				MountPath string `yaml:"mountPath"`
			} `yaml:"volumeMounts"`
		}
	}
}

type probe struct {
	HTTPGet struct{ Path, Port, Scheme string } `yaml:"httpGet"`
}

// UnmarshalYAML reads the names of probes, which are not those that the package makes of members.
func (p *pod) UnmarshalYAML(node *yaml.Node) error {
	type plain pod
	if err := node.Decode((*plain)(p)); err != nil {
		return err
	}
	var probes struct {
		Spec struct {
			Containers []struct {
				Liveness  *probe `yaml:"livenessProbe"`
				Readiness *probe `yaml:"readinessProbe"`
			}
		}
	}
	err := node.Decode(&probes)
	for i, c := range probes.Spec.Containers {
		p.Spec.Containers[i].LivenessProbe, p.Spec.Containers[i].ReadinessProbe = c.Liveness, c.Readiness
	}
	return err
}

// manifest is one of the chart, as far as it makes pods or has somebody read their metrics.
type manifest struct {
	Kind     string
	Metadata struct{ Name string }
	Spec     struct {
		Template   pod
		PodMetrics []struct{ Port, Path string } `yaml:"podMetricsEndpoints"`
	}
}

// rendered reads what a set of values comes to.
func rendered(t testing.TB, path string) (all []manifest) {
	t.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	for decoder := yaml.NewDecoder(bytes.NewReader(raw)); ; {
		var node yaml.Node
		if err := decoder.Decode(&node); errors.Is(err, io.EOF) {
			return all
		} else {
			require.NoError(t, err)
		}
		var head struct{ Kind string }
		require.NoError(t, node.Decode(&head))
		switch head.Kind {
		case "Deployment", "Job", "WorkerDeployment", "PodMonitor":
			var m manifest
			require.NoError(t, node.Decode(&m))
			all = append(all, m)
		}
	}
}

// TestTheChartsProgramsStart starts the programs of each set of values exactly as the chart has them started, with what a cluster gives them beside: secrets, files, and where the
// stores are. migrate ends well, and each other program answers at its probes, on its port, and ends in its time.
func TestTheChartsProgramsStart(t *testing.T) {
	t.Parallel()
	sets, err := filepath.Glob(filepath.Join(root, "deploy", "check", "testdata", "rendered", "*.yaml"))
	require.NoError(t, err)
	require.Len(t, sets, 4)
	for _, set := range sets {
		t.Run(strings.TrimSuffix(filepath.Base(set), ".yaml"), func(t *testing.T) {
			manifests := rendered(t, set)
			c := newOrchestrator(t)
			monitored := map[string]string{}
			for _, m := range manifests {
				if m.Kind == "Job" {
					p := c.start(m.Spec.Template)
					require.Zero(t, p.Wait(time.Minute), p.Logs())
				}
				for _, e := range m.Spec.PodMetrics {
					monitored[e.Port] = e.Path
				}
			}
			started := 0
			for _, m := range manifests {
				if m.Kind != "Deployment" && m.Kind != "WorkerDeployment" {
					continue
				}
				started++
				container := m.Spec.Template.Spec.Containers[0]
				p := c.start(m.Spec.Template)
				require.NotNil(t, container.LivenessProbe, m.Metadata.Name)
				require.NotNil(t, container.ReadinessProbe, m.Metadata.Name)
				for _, probe := range []*probe{container.LivenessProbe, container.ReadinessProbe} {
					get := probe.HTTPGet
					require.Equal(t, container.Ports[0].Name, get.Port)
					harness.Until(t, m.Metadata.Name+" answers at "+get.Path, time.Minute, func() error { return c.get(get.Scheme, get.Path) })
				}
				if path := monitored[container.ReadinessProbe.HTTPGet.Port]; path != "" {
					require.NoError(t, c.get(container.ReadinessProbe.HTTPGet.Scheme, path))
				}
				require.Zero(t, p.Terminate(time.Duration(m.Spec.Template.Spec.TerminationGracePeriodSeconds)*time.Second), m.Metadata.Name)
			}
			require.GreaterOrEqual(t, started, 3)
		})
	}
}

// orchestrator is what Kubernetes has for programs.
type orchestrator struct {
	testing.TB
	env     map[string]string // that stands for what the chart says of the world outside, and for secrets
	files   string            // folder of what is mounted, wherever
	plain   string            // Temporal
	secure  string            // likewise, behind TLS
	mutual  string            // likewise, and it asks for a certificate
	address string            // of the program that was started last
	browser *http.Client
}

func newOrchestrator(t testing.TB) *orchestrator {
	t.Helper()
	temporal, n := sharedTemporal(t)
	key := func() string {
		raw := make([]byte, 32)
		_, err := rand.Read(raw)
		require.NoError(t, err)
		return base64.StdEncoding.EncodeToString(raw)
	}
	c := &orchestrator{TB: t, files: t.TempDir(), plain: temporal.address, env: map[string]string{
		"SIGNALBOX_DATABASE_URL": postgrestest.Start(t), "SIGNALBOX_MASTER_KEY": key(), "SIGNALBOX_OLD_MASTER_KEYS": key(), "SIGNALBOX_TEMPORAL_API_KEY": "secret", "SIGNALBOX_SMTP_PASSWORD": "secret",
		"SIGNALBOX_OIDC_CLIENT_SECRET": "secret", "SIGNALBOX_TEMPORAL_NAMESPACE": fmt.Sprint("chart-", n), "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
	}}
	pool := c.certificates()
	c.secure, c.mutual = c.terminate(pool, tls.NoClientCert), c.terminate(pool, tls.RequireAndVerifyClientCert)
	c.browser = &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "tickets.example.com"}}}
	return c
}

// certificates writes what a Secret with a certificate has: one for everything, by an authority of its own.
func (c *orchestrator) certificates() *x509.CertPool {
	c.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(c, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "chart"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames: []string{"temporal.example.com", "tickets.example.com"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(c, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(c, err)
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for name, text := range map[string][]byte{"tls.crt": certificate, "ca.crt": certificate, "tls.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})} {
		require.NoError(c, os.WriteFile(filepath.Join(c.files, name), text, 0o600))
	}
	pool := x509.NewCertPool()
	require.True(c, pool.AppendCertsFromPEM(certificate))
	return pool
}

// terminate has Temporal behind TLS, and gives the address.
func (c *orchestrator) terminate(pool *x509.CertPool, auth tls.ClientAuthType) string {
	c.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(c.files, "tls.crt"), filepath.Join(c.files, "tls.key"))
	require.NoError(c, err)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2"}, ClientCAs: pool, ClientAuth: auth})
	require.NoError(c, err)
	c.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("tcp", c.plain)
			if err != nil {
				_ = from.Close()
				continue
			}
			go func() { _, _ = io.Copy(to, from); _ = to.Close() }()
			go func() { _, _ = io.Copy(from, to); _ = from.Close() }()
		}
	}()
	return listener.Addr().String()
}

// start starts a pod's program: its own words and variables, and nothing of this process beside the way to its authorities.
func (c *orchestrator) start(p pod) *harness.Process {
	c.Helper()
	container := p.Spec.Containers[0]
	require.Len(c, p.Spec.Containers, 1)
	env, temporal := []string{"SSL_CERT_FILE=" + filepath.Join(c.files, "ca.crt")}, c.plain
	for _, v := range container.Env {
		switch v.Name {
		case "SIGNALBOX_TEMPORAL_TLS_CERT":
			temporal = c.mutual
		case "SIGNALBOX_TEMPORAL_API_KEY":
			temporal = c.secure
		}
	}
	c.address = ""
	for _, v := range container.Env {
		value, given := c.env[v.Name]
		switch {
		case v.ValueFrom != nil:
			require.NotNil(c, v.ValueFrom.SecretKeyRef, v.Name)
			value, given = c.env[v.ValueFrom.SecretKeyRef.Key]
			require.True(c, given, "a secret that this test has none for: %s", v.Name)
		case strings.HasSuffix(v.Name, "HTTP_ADDRESS"):
			_, port, err := net.SplitHostPort(v.Value)
			require.NoError(c, err)
			require.Len(c, container.Ports, 1)
			require.Equal(c, fmt.Sprint(container.Ports[0].ContainerPort), port, "the port that probes and services mean")
			c.address = fmt.Sprintf("127.0.0.1:%d", harness.FreePort(c))
			value = c.address
		case v.Name == "SIGNALBOX_TEMPORAL_ADDRESS":
			value = temporal
		case !given:
			value = v.Value
			for _, m := range container.VolumeMounts {
				if rest, mounted := strings.CutPrefix(value, m.MountPath+"/"); mounted {
					value = filepath.Join(c.files, rest)
					require.FileExists(c, value)
				}
			}
		}
		env = append(env, v.Name+"="+value)
	}
	require.NotEmpty(c, container.Command)
	return harness.Start(c, harness.Command{Path: binary(c, container.Command[0]), Args: append(container.Command[1:], container.Args...), Env: env})
}

// get asks the program that was started last, as Kubernetes does: which does not care by whom a certificate is, only that the program speaks TLS.
func (c *orchestrator) get(scheme, path string) error {
	response, err := c.browser.Get(strings.ToLower(cmp.Or(scheme, "http")) + "://" + c.address + path)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(response.Body)
		return fmt.Errorf("%s: %s", response.Status, text)
	}
	return nil
}
