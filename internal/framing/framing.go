// Package framing decides where one HTTP/1 request ends and the next begins, before anybody else reads it. A proxy in front of us that finds another
// end takes a stranger's body for somebody's request. So what parsers are known to read differently is a fault here, even where the RFC lets a
// recipient be lenient; what is let through, all of them read alike. Sources: RFC 9112, sections 2 to 7, and RFC 9110, sections 4.2, 5 and 7.2.
package framing

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Fault is a request whose end is not clear, or that is not HTTP/1. Nothing that follows it on its connection is a request.
type Fault struct {
	Status int    // 400, or 501 for a transfer coding that we do not know
	Reason string // what is wrong, for the caller
	Method string // as far as the request line was read; may be empty
	Target string // likewise
}

// Error implements error.
func (f *Fault) Error() string { return f.Reason }

const (
	mostChunkLine = 256     // octets of the line before a chunk
	mostBeside    = 8 << 10 // octets of a body's extensions and trailers together
	mostDigits    = 15      // of a size, which is then within 60 bits
)

// state is what the next octets belong to.
type state int

const (
	requestLine state = iota // or an empty line before it
	fields
	body // octets that are counted: of a body with a length, or of a chunk
	chunkSize
	chunkEnd
	trailers
)

// Reader follows the requests of one connection. The zero value stands before the first.
type Reader struct {
	state state
	line  []byte // the part of a line that has come so far; empty where a line came whole
	left  int64  // octets of the body or of the chunk that are still to come

	method, target string
	http10         bool
	length         int64 // Content-Length; -1: none
	chunked        bool
	codings        bool   // a Transfer-Encoding was there
	beside         int    // octets of extensions and trailers
	host           string // of the Host field
	hosts          int
}

// Take reads what comes next on the connection. It moves to the front of p what is to be handed on, and gives how many octets that are: everything but
// trailers, which nobody is to take for headers, and what comes with and after a fault. What is handed on never completes a head that is at fault.
func (r *Reader) Take(p []byte) (handed int, fault *Fault) {
	for rest := p; len(rest) > 0; {
		var part []byte
		if r.state == body {
			part = rest[:min(r.left, int64(len(rest)))]
			if r.left -= int64(len(part)); r.left == 0 {
				r.bodyEnded()
			}
		} else {
			part = rest[:bytes.IndexByte(rest, '\n')+1]
			if len(part) == 0 {
				part = rest
			}
			kept, fault := r.takePart(part)
			if fault != nil {
				return handed, fault
			}
			if !kept {
				rest = rest[len(part):]
				continue
			}
		}
		copy(p[handed:], part) // nothing is moved where nothing was left out
		handed += len(part)
		rest = rest[len(part):]
	}
	return handed, nil
}

// takePart reads a line or a part of one; kept: it is to be handed on.
func (r *Reader) takePart(part []byte) (kept bool, fault *Fault) {
	if reason := r.crowded(len(part)); reason != "" {
		return false, r.fault(reason)
	}
	if strange(part) {
		return false, r.fault("a control character where none may be")
	}
	line, whole := part, part[len(part)-1] == '\n'
	if len(r.line) > 0 || !whole {
		r.line = append(r.line, part...)
		line = r.line
	}
	kept = r.state != trailers || line[0] == '\r' // the empty line that ends them
	if whole {
		fault = r.take(line)
		r.line = r.line[:0]
	}
	return kept, fault
}

// Begun is the request that is being read, as far as its first line has been.
func (r *Reader) Begun() (method, target string) {
	if r.method != "" || r.state != requestLine {
		return r.method, r.target
	}
	method, rest, _ := strings.Cut(string(r.line), " ")
	target, _, _ = strings.Cut(rest, " ")
	return method, target
}

// between reports whether all that came belongs to whole requests.
func (r *Reader) between() bool { return r.state == requestLine && len(r.line) == 0 }

func (r *Reader) fault(reason string) *Fault {
	return &Fault{Status: http.StatusBadRequest, Reason: reason, Method: r.method, Target: r.target}
}

// crowded says what has become too long with more octets of a line. The head is bounded by whoever it is handed on to, who says so in its own words.
func (r *Reader) crowded(more int) string {
	switch {
	case (r.state == chunkSize || r.state == chunkEnd) && len(r.line)+more > mostChunkLine:
		return "the line before a chunk is too long"
	case r.state == trailers && r.beside+len(r.line)+more > mostBeside:
		return "the trailers are too long"
	}
	return ""
}

// strange reports control characters other than a tab and what ends a line (RFC 9110, section 5.5).
func strange(part []byte) bool {
	for _, b := range part {
		if classes[b]&control != 0 {
			return true
		}
	}
	return false
}

// take reads a whole line.
func (r *Reader) take(line []byte) *Fault {
	text, ok := bytes.CutSuffix(line, []byte("\r\n"))
	if !ok || bytes.IndexByte(text, '\r') >= 0 {
		return r.fault("a line that does not end in CR LF, or has a CR elsewhere")
	}
	switch r.state {
	case requestLine:
		if len(text) == 0 {
			return nil // RFC 9112, section 2.2
		}
		return r.begin(string(text))
	case fields:
		if len(text) == 0 {
			return r.headEnded()
		}
		return r.field(text)
	case chunkSize:
		return r.chunk(text)
	case chunkEnd:
		if len(text) > 0 {
			return r.fault("a chunk that is longer than its size")
		}
		r.state = chunkSize
	case trailers:
		if len(text) == 0 {
			r.next()
			return nil
		}
		r.beside += len(line)
		name, _, fault := r.split(text)
		if fault == nil && framing(name) {
			fault = r.fault("a trailer that frames a message")
		}
		return fault
	}
	return nil
}

// framing reports fields that say where a request goes or ends, which come too late in a trailer (RFC 9110, section 6.5.1).
func framing(name []byte) bool {
	for _, field := range []string{"Content-Length", "Transfer-Encoding", "Trailer", "Host"} {
		if strings.EqualFold(string(name), field) {
			return true
		}
	}
	return false
}

// begin reads a request line (RFC 9112, section 3).
func (r *Reader) begin(line string) *Fault {
	r.length, r.chunked, r.codings, r.beside, r.host, r.hosts = -1, false, false, 0, "", 0
	method, rest, _ := strings.Cut(line, " ")
	target, version, ok := strings.Cut(rest, " ")
	r.method, r.target = method, target
	if !ok || !token(method) || target == "" || strings.ContainsAny(line, "\t") || strings.Contains(version, " ") {
		return r.fault("the request line is not method, target and version with one space between")
	}
	switch {
	case version != "HTTP/1.1" && version != "HTTP/1.0":
		return r.fault("the version is neither HTTP/1.1 nor HTTP/1.0")
	case strings.ContainsRune(target, '#'):
		return r.fault("the target of the request has a fragment")
	case strings.HasPrefix(target, "//"):
		// What comes next is a host for some, a path for others.
		return r.fault("the target of the request begins with two slashes")
	case target[0] == '/', target == "*" && method == http.MethodOptions:
	default:
		if _, ok := authority(target); !ok {
			return r.fault("the target of the request is neither a path nor an address")
		}
	}
	r.http10, r.state = version == "HTTP/1.0", fields
	return nil
}

// authority is host and port of a target in absolute form.
func authority(target string) (string, bool) {
	scheme, rest, ok := strings.Cut(target, "://")
	if !ok || !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
		return "", false
	}
	host, _, _ := strings.Cut(rest, "/")
	host, _, _ = strings.Cut(host, "?")
	return host, named(host)
}

// named reports whether a text can be a host with or without a port (RFC 9110, section 4.2.1: it may not be empty). Without user and password.
func named(host string) bool {
	if host == "" || host[0] == ':' {
		return false
	}
	for i := range len(host) {
		if classes[host[i]]&inHost == 0 {
			return false
		}
	}
	return true
}

// split takes a line of a field apart (RFC 9112, section 5). A line that goes on the one before (obs-fold) begins with a space, which is no name.
func (r *Reader) split(line []byte) (name, value []byte, fault *Fault) {
	name, value, ok := bytes.Cut(line, []byte(":"))
	if !ok || !token(name) {
		return nil, nil, r.fault("a header that is not a name, a colon at once, and a value on one line")
	}
	return name, bytes.Trim(value, " \t"), nil
}

// field reads one field of the head.
func (r *Reader) field(line []byte) *Fault {
	name, value, fault := r.split(line)
	if fault != nil {
		return fault
	}
	switch {
	case is(name, "content-length"):
		length, ok := number(value, 10)
		if !ok || r.length >= 0 {
			return r.fault("the length of the body is not one number")
		}
		r.length = length
	case is(name, "transfer-encoding"):
		if r.codings {
			return r.fault("the transfer coding is said more than once")
		}
		r.codings, r.chunked = true, strings.EqualFold(string(value), "chunked")
		if !r.chunked && !r.http10 { // RFC 9112, section 6.1
			fault := r.fault("a transfer coding other than chunked")
			fault.Status = http.StatusNotImplemented
			return fault
		}
	case is(name, "host"):
		r.hosts++
		r.host = string(value)
	}
	return nil
}

// is compares a name with one in small letters, without taking memory.
func is(name []byte, small string) bool {
	if len(name) != len(small) {
		return false
	}
	for i, b := range name {
		if 'A' <= b && b <= 'Z' {
			b += 'a' - 'A'
		}
		if b != small[i] {
			return false
		}
	}
	return true
}

// headEnded looks at the head as a whole: whom it is for (RFC 9112, section 3.2), and how long its body is (section 6.3).
func (r *Reader) headEnded() *Fault {
	switch {
	case r.hosts > 1 || r.hosts == 0 && !r.http10:
		return r.fault("there is not one Host")
	case r.hosts == 1 && !named(r.host):
		return r.fault("Host is not a host")
	case r.codings && r.http10:
		return r.fault("HTTP/1.0 has no transfer codings")
	case r.codings && r.length >= 0:
		return r.fault("the length of the body is said more than once")
	}
	if host, ok := authority(r.target); ok && r.hosts == 1 && !strings.EqualFold(host, r.host) {
		return r.fault("Host is not the host of the target")
	}
	switch {
	case r.chunked:
		r.state = chunkSize
	case r.length > 0:
		r.state, r.left = body, r.length
	default:
		r.next()
	}
	return nil
}

// chunk reads the line before a chunk (RFC 9112, section 7.1): its size, and extensions, which nobody reads.
func (r *Reader) chunk(line []byte) *Fault {
	digits, extension, ok := bytes.Cut(line, []byte(";"))
	if ok {
		digits = bytes.TrimRight(digits, " \t")
	}
	size, ok := number(digits, 16)
	if !ok {
		return r.fault("the size of a chunk is not a number, or something other than an extension follows it")
	}
	if r.beside += len(extension); r.beside > mostBeside {
		return r.fault("the extensions of the chunks are too long")
	}
	if r.state, r.left = body, size; size == 0 {
		r.state = trailers
	}
	return nil
}

// number reads digits and nothing else: no sign, no space, no prefix, no list.
func number(digits []byte, base int) (int64, bool) {
	if len(digits) == 0 || len(digits) > mostDigits {
		return 0, false
	}
	for _, b := range digits {
		if ('0' > b || b > '9') && (base != 16 || ('a' > b|0x20 || b|0x20 > 'f')) {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(string(digits), base, 64)
	return n, err == nil
}

func (r *Reader) bodyEnded() {
	if r.chunked {
		r.state = chunkEnd
		return
	}
	r.next()
}

// next stands before the next request.
func (r *Reader) next() { r.state, r.method, r.target = requestLine, "", "" }

// token reports whether a text can be a method or the name of a field (RFC 9110, section 5.6.2).
func token[T string | []byte](text T) bool {
	for i := range len(text) {
		if classes[text[i]]&inToken == 0 {
			return false
		}
	}
	return len(text) > 0
}

// What an octet may be.
const (
	inToken byte = 1 << iota
	inHost
	control // neither a tab nor what ends a line
)

var classes = func() (classes [256]byte) {
	for b := range len(classes) {
		switch {
		case '0' <= b && b <= '9', 'a' <= b|0x20 && b|0x20 <= 'z':
			classes[b] = inToken | inHost
		case b < ' ' && b != '\t' && b != '\r' && b != '\n', b == 0x7f:
			classes[b] = control
		}
	}
	for _, b := range []byte("!#$%&'*+-.^_`|~") {
		classes[b] |= inToken
	}
	for _, b := range []byte("-._~!$&'()*+;=%:[]") {
		classes[b] |= inHost
	}
	return classes
}()

// Listen makes every connection of a listener one on which nothing can be read behind a fault.
func Listen(l net.Listener) *Listener { return &Listener{Listener: l, silent: map[*Conn]bool{}} }

// Listener gives connections on which framing is checked.
type Listener struct {
	net.Listener

	mu     sync.Mutex
	silent map[*Conn]bool // on which nothing has come yet
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	ours := &Conn{Conn: c, listener: l}
	l.mu.Lock()
	l.silent[ours] = true
	l.mu.Unlock()
	if over, ok := c.(*tls.Conn); ok {
		return &secure{ours, over}, nil
	}
	return ours, nil
}

// CloseSilent closes the connections on which nothing has come yet. Clients open more than they need and keep them for later, and to the HTTP layer such a
// connection is a request under way.
func (l *Listener) CloseSilent() {
	l.mu.Lock()
	silent := slices.Collect(maps.Keys(l.silent))
	l.mu.Unlock()
	for _, c := range silent {
		_ = c.Close()
	}
}

// heard notes that a connection is silent no more.
func (l *Listener) heard(c *Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.silent, c)
}

// Conn is a connection on which requests come in. Only one goroutine reads from it at a time.
type Conn struct {
	net.Conn
	listener *Listener
	spoken   bool // something was read
	reader   Reader
	fault    *Fault
	marked   bool // whoever reads has something of the request that is at fault
}

// Close implements net.Conn.
func (c *Conn) Close() error {
	c.listener.heard(c)
	return c.Conn.Close()
}

// Read implements net.Conn. Behind a fault it reads nothing and gives the fault.
func (c *Conn) Read(p []byte) (int, error) {
	for c.fault == nil {
		n, err := c.Conn.Read(p)
		if n > 0 && !c.spoken {
			c.spoken = true
			c.listener.heard(c)
		}
		handed, fault := c.reader.Take(p[:n])
		if fault == nil && errors.Is(err, io.EOF) && !c.reader.between() {
			fault = c.reader.fault("it ends before it is whole") // RFC 9112, section 8
		}
		if fault == nil {
			if handed > 0 || n == 0 {
				return handed, err
			}
			continue
		}
		c.fault, c.marked = fault, c.reader.state != requestLine && c.reader.state != trailers
		if handed > 0 {
			return handed, nil
		}
	}
	if !c.marked && len(p) > 0 {
		// The HTTP layer says nothing to whoever sent it nothing of another request, and takes a body as whole that has nothing of its trailers.
		c.marked, p[0] = true, '?'
		return 1, nil
	}
	return 0, c.fault
}

// NetConn is the connection below.
func (c *Conn) NetConn() net.Conn { return c.Conn }

// Fault is why nothing more is read; nil where there is no fault. Like Begun it is for whoever reads.
func (c *Conn) Fault() *Fault { return c.fault }

// Begun is the request whose head is being read, as far as it has been.
func (c *Conn) Begun() (method, target string) { return c.reader.Begun() }

// secure is such a connection over TLS, which the HTTP layer tells from others by these methods.
type secure struct {
	*Conn
	over *tls.Conn
}

// Handshake is that of tls.Conn.
func (s *secure) Handshake() error { return s.over.Handshake() }

// ConnectionState is that of tls.Conn.
func (s *secure) ConnectionState() tls.ConnectionState { return s.over.ConnectionState() }
