package e2e

import (
	"bufio"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/activities/trusttest"
	"signalbox/cmd/dev/e2e/harness"
	"signalbox/store/postgrestest"
)

// arrival is what a receiver of https saw of a request.
type arrival struct{ path, client, authorization string }

// serveArrivals runs a receiver of https that wants to see a certificate of the authority. Requests for /slow take longer than everybody's time-out.
func serveArrivals(authority *trusttest.Authority) (address string, arrived func() []arrival) {
	var mu sync.Mutex
	var all []arrival
	address = authority.Serve(tls.RequireAndVerifyClientCert, func(_ http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/slow") {
			select {
			case <-time.After(11 * time.Second):
			case <-r.Context().Done():
				return
			}
		}
		mu.Lock()
		defer mu.Unlock()
		all = append(all, arrival{r.URL.Path, trusttest.Caller(r), r.Header.Get("Authorization")})
	})
	return address, func() []arrival {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(all)
	}
}

// connecting is a proxy that connects where it is asked to.
type connecting struct {
	mu    sync.Mutex
	asked []string
}

func (p *connecting) start(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				r, err := http.ReadRequest(bufio.NewReader(c))
				if err != nil || r.Method != http.MethodConnect {
					return
				}
				p.mu.Lock()
				p.asked = append(p.asked, r.RequestURI)
				p.mu.Unlock()
				to, err := net.Dial("tcp", r.RequestURI)
				if err != nil {
					_, _ = io.WriteString(c, "HTTP/1.1 502 Bad Gateway\r\n\r\n")
					return
				}
				defer to.Close()
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
				go func() { _, _ = io.Copy(to, c); to.Close() }()
				_, _ = io.Copy(c, to)
			}()
		}
	}()
	return "http://" + listener.Addr().String()
}

// An address is reached as its owner says: with a time-out, headers, authorities and a certificate of its own, whether it is a ticket's or follows the stream, and by
// the proxy that the operator names. None of what is secret is told again.
func TestAddressesAreReachedAsTheirOwnersSay(t *testing.T) {
	var proxy connecting
	p := startProduction(t, postgrestest.Start(t), "SIGNALBOX_CALLBACK_PROXY="+proxy.start(t))
	p.startWorker(t, "tickets")
	p.startWorker(t, "deliveries")
	c := p.caller()
	authority := trusttest.New(t)
	address, arrived := serveArrivals(authority)
	cert, key := authority.Issue("ours", x509.ExtKeyUsageClientAuth)
	type object = map[string]any
	reach := func(url string, more object) object {
		body := object{"url": url, "timeout": 60, "headers": object{"Authorization": "Bearer t0ken"}, "tls": object{"ca": authority.PEM, "certificate": cert, "key": key}}
		for name, value := range more {
			body[name] = value
		}
		return body
	}
	number := c.open(t)
	nid := result[struct{ ID string }](t, c.must(t, "POST", "/api/issue/"+number+"/notification", reach(address+"/ticket/slow", nil))).ID
	bare := c.register(t, number, address+"/bare")
	made := result[object](t, c.must(t, "POST", "/api/subscription", reach(address+"/stream", object{"source": "signalbox", "type": "status", "status": "CLOSED"})))
	sub := made["id"].(string)
	c.must(t, "PUT", "/api/issue/"+number+"/status", object{"status": "CLOSED", "operator": "li"})
	harness.Until(t, "both are told, one after more than everybody's time", time.Minute, func() error {
		if n := len(arrived()); n < 2 {
			return fmt.Errorf("%d", n)
		}
		return nil
	})
	require.ElementsMatch(t, []arrival{{"/ticket/slow", "ours", "Bearer t0ken"}, {"/stream", "ours", "Bearer t0ken"}}, arrived())
	harness.Until(t, "the one without has failed", time.Minute, func() error {
		list := c.must(t, "GET", "/api/issue/"+number+"/notification/"+bare+"/deliveries", nil)
		if !strings.Contains(list.body, `"error_class":"tls"`) {
			return fmt.Errorf("%s", list.body)
		}
		return nil
	})
	proxy.mu.Lock()
	for _, target := range proxy.asked {
		require.Equal(t, strings.TrimPrefix(address, "https://"), target)
	}
	require.NotEmpty(t, proxy.asked)
	proxy.mu.Unlock()

	block, _ := pem.Decode([]byte(cert))
	sum := sha256.Sum256(block.Bytes)
	for _, path := range []string{"/api/issue/" + number + "/notification", "/api/issue/" + number + "/notification/" + nid + "/deliveries", "/api/subscription/" + sub, "/api/subscription",
		"/api/subscription/" + sub + "/deliveries", "/api/issue/" + number + "/timeline", "/api/audit"} {
		shown := c.must(t, "GET", path, nil).body
		for _, secret := range []string{"BEGIN", "t0ken"} {
			require.NotContains(t, shown, secret, path)
		}
		if strings.HasSuffix(path, "notification") || strings.HasSuffix(path, sub) {
			require.Contains(t, shown, hex.EncodeToString(sum[:]), path)
			require.Contains(t, shown, `"timeout":60`, path)
		}
	}
	refused := func(method, path string, body any, field string) {
		t.Helper()
		a, err := c.send(t.Context(), method, path, "", body)
		require.NoError(t, err)
		require.Equal(t, 400, a.status, a.body)
		require.Contains(t, a.body, field)
		require.NotContains(t, a.body, "t0ken")
	}
	refused("POST", "/api/issue/"+number+"/notification", object{"url": address, "tls": object{"certificate": cert}}, "tls.key")
	refused("POST", "/api/issue/"+number+"/notification", object{"url": address, "timeout": 61}, "timeout")
	refused("POST", "/api/subscription", object{"url": "http://example.com", "tls": object{"ca": authority.PEM}}, "tls")
	refused("PUT", "/api/subscription/"+sub, object{"url": "https://elsewhere.example/"}, "headers")
	c.must(t, "PUT", "/api/subscription/"+sub, object{"url": "https://elsewhere.example/", "headers": object{}, "tls": object{}})
}

// Where no order is asked for, a receiver that refuses one keeps it for itself; and what waits follows the filter.
func TestWhatWaitsFollowsItsSubscription(t *testing.T) {
	p := startProduction(t, postgrestest.Start(t), "SIGNALBOX_PROFILE_INTERVALS=standard:300ms")
	worker := p.startWorker(t, "deliveries")
	c := p.caller()
	var mu sync.Mutex
	told, tries, healed := map[string][]string{}, map[string]int{}, false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var event struct {
			Status string `json:"event_status"`
		}
		_ = json.NewDecoder(r.Body).Decode(&event)
		mu.Lock()
		defer mu.Unlock()
		tries[r.URL.Path]++
		if event.Status == "bad" && !healed {
			w.WriteHeader(http.StatusConflict)
			return
		}
		told[r.URL.Path] = append(told[r.URL.Path], event.Status)
	}))
	t.Cleanup(server.Close)
	type object = map[string]any
	follow := func(path string, more object) string {
		body := object{"url": server.URL + path, "source": "shop"}
		for name, value := range more {
			body[name] = value
		}
		return result[struct{ ID string }](t, c.must(t, "POST", "/api/subscription", body)).ID
	}
	unordered, ordered := follow("/unordered", object{"ordered": false}), follow("/ordered", nil)
	require.Contains(t, c.must(t, "GET", "/api/subscription/"+unordered, nil).body, `"ordered":false`)
	require.Contains(t, c.must(t, "GET", "/api/subscription/"+ordered, nil).body, `"ordered":true`)
	for _, status := range []string{"bad", "1", "2", "3"} {
		c.must(t, "POST", "/api/publish", object{"event_source": "shop", "event_topic": "stock", "event_type": "low", "event_status": status, "event_key": "k", "changes": []string{"x"}})
	}
	heard := func(path string) []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Sorted(slices.Values(told[path]))
	}
	tried := func(path string, n int) func() error {
		return func() error {
			mu.Lock()
			defer mu.Unlock()
			if tries[path] < n {
				return fmt.Errorf("%d", tries[path])
			}
			return nil
		}
	}
	harness.Until(t, "the others arrive while one is tried again", time.Minute, func() error {
		if list := heard("/unordered"); !slices.Equal(list, []string{"1", "2", "3"}) {
			return fmt.Errorf("%v", list)
		}
		return nil
	})
	harness.Until(t, "it is tried again", time.Minute, tried("/unordered", 3+3))
	harness.Until(t, "the other is tried again", time.Minute, tried("/ordered", 3))
	require.Empty(t, heard("/ordered"), "in order nothing is told before the first")

	// The first is not asked for any more, and what was behind it goes on.
	c.must(t, "PUT", "/api/subscription/"+ordered, object{"status": "3"})
	harness.Until(t, "what is asked for arrives", time.Minute, func() error {
		if list := heard("/ordered"); !slices.Equal(list, []string{"3"}) {
			return fmt.Errorf("%v", list)
		}
		return nil
	})
	list := c.must(t, "GET", "/api/subscription/"+ordered+"/deliveries", nil).body
	require.Equal(t, 3, strings.Count(list, `"reason":"the subscription asks for it no longer"`), list)
	require.Equal(t, 3, strings.Count(list, `"state":"cancelled"`), list)

	// The one that is alone survives its worker, and arrives once its receiver takes it.
	worker.Kill()
	mu.Lock()
	healed = true
	mu.Unlock()
	p.startWorker(t, "deliveries")
	harness.Until(t, "it arrives too", 2*time.Minute, func() error {
		if list := heard("/unordered"); !slices.Equal(list, []string{"1", "2", "3", "bad"}) {
			return fmt.Errorf("%v", list)
		}
		return nil
	})
}
