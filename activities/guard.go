package activities

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"

	"signalbox/notice"
)

// dialling connects to receivers: to the public Internet and where the operator lets addresses lead besides, straight or by a proxy.
type dialling struct {
	limit    time.Duration // for connecting, name look-up and proxy included
	straight *net.Dialer
	reach    notice.Reach
	proxy    *url.URL // nil: straight
	lookUp   func(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// newDialling looks at the address that is about to be connected to, after the name was resolved: a check any earlier could be got round by a name that changes its
// address in between.
func newDialling(reach notice.Reach, limit time.Duration, proxy *url.URL) dialling {
	return dialling{
		limit: limit, straight: &net.Dialer{Timeout: limit, KeepAlive: 15 * time.Second, ControlContext: guard(reach)}, reach: reach, proxy: proxy,
		lookUp: net.DefaultResolver.LookupNetIP,
	}
}

// dial connects to host and port.
func (d dialling) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if d.proxy == nil {
		return d.straight.DialContext(ctx, network, address)
	}
	ctx, cancel := context.WithTimeout(ctx, d.limit)
	defer cancel()
	targets, err := d.targets(ctx, address)
	if err != nil {
		return nil, err
	}
	for _, target := range targets {
		var conn net.Conn
		if conn, err = d.tunnel(ctx, target); err == nil || ctx.Err() != nil || errors.As(err, new(*proxyError)) {
			return conn, err
		}
	}
	return nil, err
}

// targets are the addresses of a host that may be connected to, with its port. The proxy is told these and no name: it has no name to look up, so it connects to
// what was checked or to nothing, and need not be trusted with more than handing on.
func (d dialling) targets(ctx context.Context, address string) (list []netip.AddrPort, err error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := net.DefaultResolver.LookupPort(ctx, "tcp", service)
	if err != nil {
		return nil, err
	}
	if err := d.reach.CheckPort(uint16(port)); err != nil {
		return nil, err
	}
	ips, err := d.lookUp(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	for _, ip := range ips {
		if blocked := notice.CheckAddress(ip, d.reach.Networks); blocked != nil {
			err = blocked
			continue
		}
		list = append(list, netip.AddrPortFrom(ip.Unmap(), uint16(port)))
	}
	if len(list) == 0 {
		return nil, cmp.Or(err, error(&notice.BlockedError{Why: "it is no IP address"}))
	}
	return list, nil
}

// proxyError tells that our proxy does not do what it is for.
type proxyError struct{ why string }

// Error does not say where the proxy is: who reads it has no business to know.
func (e *proxyError) Error() string { return "our proxy " + e.why }

// tunnel has the proxy connect to an address (RFC 9110, section 9.3.6).
func (d dialling) tunnel(ctx context.Context, target netip.AddrPort) (net.Conn, error) {
	port := cmp.Or(d.proxy.Port(), map[string]string{"http": "80", "https": "443"}[d.proxy.Scheme])
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(d.proxy.Hostname(), port))
	if err != nil {
		return nil, &proxyError{"cannot be reached"}
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	through, err := d.connect(ctx, conn, target)
	if !stop() || err != nil {
		conn.Close()
		return nil, cmp.Or(ctx.Err(), err)
	}
	return through, nil
}

// connect asks the proxy at the other end of a connection.
func (d dialling) connect(ctx context.Context, conn net.Conn, target netip.AddrPort) (net.Conn, error) {
	if d.proxy.Scheme == "https" {
		secure := tls.Client(conn, &tls.Config{MinVersion: tls.VersionTLS12, ServerName: d.proxy.Hostname()})
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, &proxyError{"cannot be reached over TLS"}
		}
		conn = secure
	}
	request := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: target.String()}, Host: target.String(), Header: http.Header{"User-Agent": {userAgent}}}
	if user := d.proxy.User; user != nil {
		password, _ := user.Password()
		request.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password)))
	}
	if err := request.Write(conn); err != nil {
		return nil, &proxyError{"broke off"}
	}
	answer := bufio.NewReaderSize(conn, 4<<10)
	response, err := http.ReadResponse(answer, request)
	switch {
	case err != nil:
		return nil, &proxyError{"broke off"}
	case response.StatusCode == http.StatusBadGateway, response.StatusCode == http.StatusServiceUnavailable, response.StatusCode == http.StatusGatewayTimeout:
		return nil, fmt.Errorf("no connection, the proxy says (%d)", response.StatusCode) // of the receiver, not of itself
	case response.StatusCode != http.StatusOK:
		return nil, &proxyError{fmt.Sprintf("answered %d", response.StatusCode)}
	case answer.Buffered() > 0:
		return nil, errors.New("the other end spoke before it was asked")
	}
	return conn, nil
}

// guard fails closed: what cannot be read as IP address and port over TCP is not connected to.
func guard(reach notice.Reach) func(ctx context.Context, network, address string, c syscall.RawConn) error {
	return func(_ context.Context, network, address string, _ syscall.RawConn) error {
		if network != "tcp4" && network != "tcp6" {
			return &notice.BlockedError{Why: fmt.Sprintf("%s is not TCP", network)}
		}
		target, err := netip.ParseAddrPort(address)
		if err != nil {
			return &notice.BlockedError{Why: "it is no IP address"}
		}
		if err := reach.CheckPort(target.Port()); err != nil {
			return err
		}
		return notice.CheckAddress(target.Addr(), reach.Networks)
	}
}
