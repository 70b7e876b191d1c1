package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"signalbox/internal/framing"
	"signalbox/ratelimit"
)

// transport puts the limit of connections, TLS where it is wanted, and strict framing around a listener. stop ends what it keeps running.
func (s *Server) transport(l net.Listener) (around *framing.Listener, stop func(), err error) {
	stop = func() {}
	l = &limitedListener{Listener: l, most: s.config.ConnectionsPerAddress, exempt: s.trustedPeer, log: s.log}
	if s.config.TLSCert == "" && s.config.TLSKey == "" {
		return framing.Listen(l), stop, nil
	}
	pair := &keyPair{cert: s.config.TLSCert, key: s.config.TLSKey, log: s.log}
	if err := pair.load(); err != nil {
		return nil, stop, err
	}
	ctx, stop := context.WithCancel(context.Background())
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP) // now: until then it would end the process
	go pair.watch(ctx, hangup)
	l = tls.NewListener(l, &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, GetCertificate: pair.get})
	return framing.Listen(l), stop, nil
}

// keyPair is a certificate and its key in files that others replace while we run.
type keyPair struct {
	cert, key string
	log       *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	stamps  [2]string // of the files that current was read from
}

// load reads the files anew. On failure what was read before stays in use.
func (p *keyPair) load() error {
	if p.cert == "" || p.key == "" {
		return errors.New("TLS needs both a certificate and its key")
	}
	stamps := p.look()
	pair, err := tls.LoadX509KeyPair(p.cert, p.key)
	if err != nil {
		return fmt.Errorf("read the TLS certificate: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.current, p.stamps = &pair, stamps
	return nil
}

// look tells the files from what they were before.
func (p *keyPair) look() (stamps [2]string) {
	for i, name := range []string{p.cert, p.key} {
		if info, err := os.Stat(name); err == nil {
			stamps[i] = fmt.Sprint(info.ModTime().UnixNano(), info.Size())
		}
	}
	return stamps
}

func (p *keyPair) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current, nil
}

// lookEvery is how often the files are looked at.
const lookEvery = 5 * time.Second

// watch loads the files anew when they have changed, and on every hangup.
func (p *keyPair) watch(ctx context.Context, hangup chan os.Signal) {
	defer signal.Stop(hangup)
	ticks := time.NewTicker(lookEvery)
	defer ticks.Stop()
	for {
		asked := false
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			asked = true
		case <-ticks.C:
		}
		p.mu.Lock()
		changed := p.stamps != p.look()
		p.mu.Unlock()
		if !asked && !changed {
			continue
		}
		// Two files cannot be replaced at once: while they do not fit together, the next look finds the rest.
		if err := p.load(); err != nil {
			p.log.WarnContext(ctx, "tls.reload", "error", err)
			continue
		}
		p.log.InfoContext(ctx, "tls.reloaded", "certificate", p.cert)
	}
}

// limitedListener lets so many connections in from one address, and closes what is more.
type limitedListener struct {
	net.Listener
	most   int // below 0: any number
	exempt func(net.Addr) bool
	log    *slog.Logger

	open ratelimit.Counter // by address

	warning sync.Mutex
	warned  time.Time
}

// Accept implements net.Listener.
func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.most < 0 || l.exempt(c.RemoteAddr()) {
			return &conn{Conn: c, release: func() {}}, nil
		}
		from := ratelimit.Network(c.RemoteAddr().String())
		if l.open.Enter(from, l.most) {
			return &conn{Conn: c, release: sync.OnceFunc(func() { l.open.Leave(from) })}, nil
		}
		l.warn(from)
		_ = c.Close()
	}
}

// warn says now and then whose connections are closed.
func (l *limitedListener) warn(from string) {
	l.warning.Lock()
	defer l.warning.Unlock()
	if now := time.Now(); now.Sub(l.warned) > time.Minute {
		l.warned = now
		l.log.Warn("http.crowded", "remote", from, "connections", l.most)
	}
}

// conn is a connection to somebody who calls.
type conn struct {
	net.Conn
	release  func()
	draining atomic.Bool // it was answered before all it sends was read
}

// How long, and for how many bytes, somebody who was refused while sending is listened to.
const (
	drainFor  = 5 * time.Second
	drainMost = 4 << 20
)

// Close implements net.Conn. Closing a connection while there is something to read resets it, and whoever sends may never see the answer (RFC
// 9112, section 9.6). So the rest is read and thrown away, within bounds: it takes no memory.
func (c *conn) Close() error {
	defer c.release()
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok && c.draining.Load() && half.CloseWrite() == nil {
		_ = c.SetReadDeadline(time.Now().Add(drainFor))
		_, _ = io.CopyN(io.Discard, c.Conn, drainMost)
	}
	return c.Conn.Close()
}

// drain has a connection closed in such a way that its other end can see the answer although it is still sending.
func drain(c net.Conn) {
	for {
		switch at := c.(type) {
		case *conn:
			at.draining.Store(true)
			return
		case interface{ NetConn() net.Conn }:
			c = at.NetConn()
		default:
			return
		}
	}
}

// framed is a connection on which framing is checked.
type framed interface {
	Fault() *framing.Fault
	Begun() (method, target string)
}

// faultOf is why nothing more is read from a connection; nil: there is no fault.
func faultOf(c net.Conn) error {
	if c, ok := c.(framed); ok && c.Fault() != nil {
		return c.Fault()
	}
	return nil
}
