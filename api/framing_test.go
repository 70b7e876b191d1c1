package api_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"

	"signalbox/api"
	"signalbox/api/apitest"
	"signalbox/desk"
)

// taken are the requests that came as far as their call, and what it was given.
type taken struct{ calls atomic.Int64 }

func (k *taken) routes() []api.Route {
	handle := func(c *fiber.Ctx) error {
		k.calls.Add(1)
		return c.SendString(fmt.Sprintf("%s %s %q%s", c.Method(), c.Path(), c.BodyRaw(), c.Get("X-Trailer")))
	}
	return []api.Route{
		{Method: "PUT", Path: "/issue", Scope: desk.Write, Handler: handle},
		{Method: "GET", Path: "/issue/read/:id", Scope: desk.Read, Handler: handle},
	}
}

// head makes a PUT with lines of its own, each as it is to be sent, without its end.
func head(lines ...string) string {
	return request("PUT /issue HTTP/1.1", append([]string{"Host: a"}, lines...)...)
}

func request(first string, lines ...string) string {
	lines = append([]string{first, "Authorization: Bearer " + apitest.Writer}, lines...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// next is what must not be read as a request behind an unclear one.
var next = request("GET /issue/read/1 HTTP/1.1", "Host: a")

// answers reads all answers until the server closes the connection.
func answers(t *testing.T, conn net.Conn) (statuses []int, closed bool, bodies []string) {
	t.Helper()
	r := bufio.NewReader(conn)
	for {
		response, err := http.ReadResponse(r, nil)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return statuses, closed, bodies
		}
		require.NoError(t, err)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		statuses, closed, bodies = append(statuses, response.StatusCode), response.Close, append(bodies, string(body))
	}
}

// unclear are requests whose end, or whose addressee, parsers are known to find in different places. Sources: RFC 9112, sections 2 to 7; and the
// collections of request smuggling: "HTTP Desync Attacks" (CL.TE, TE.CL, TE.TE), T-Reqs, the HTTP Garden, and "Funky chunks" (TERM, EXT, SPILL).
var unclear = map[string]string{
	// Section 2.2: lines.
	"a request line that ends in LF":       "PUT /issue HTTP/1.1\nHost: a\r\nContent-Length: 0\r\n\r\n",
	"a header that ends in LF":             head("X: y\nContent-Length: 0"),
	"a head that ends in LF":               strings.TrimSuffix(head("Content-Length: 0"), "\r\n") + "\n",
	"nothing but LF":                       "PUT /issue HTTP/1.1\nHost: a\nAuthorization: Bearer " + apitest.Writer + "\nContent-Length: 0\n\n",
	"a CR within a value":                  head("X: y\rContent-Length: 5", "Content-Length: 0"),
	"a CR within a name":                   head("X\rContent-Length: 5", "Content-Length: 0"),
	"two CRs":                              head("X: y\r", "Content-Length: 0"),
	"a space before the first header":      "PUT /issue HTTP/1.1\r\n Host: a\r\nContent-Length: 0\r\n\r\n",
	"an LF before the request":             "\n" + head("Content-Length: 0"),
	"a space before the request":           " " + head("Content-Length: 0"),
	"a NUL before the request":             "\x00" + head("Content-Length: 0"),
	"a byte order mark before the request": "\xef\xbb\xbf" + head("Content-Length: 0"),
	// Section 3: the request line.
	"no version":             "GET /issue/read/1\r\n\r\n",
	"two spaces":             request("PUT  /issue HTTP/1.1", "Host: a", "Content-Length: 0"),
	"two spaces later":       request("PUT /issue  HTTP/1.1", "Host: a", "Content-Length: 0"),
	"a tab":                  request("PUT\t/issue\tHTTP/1.1", "Host: a", "Content-Length: 0"),
	"a space at the end":     request("PUT /issue HTTP/1.1 ", "Host: a", "Content-Length: 0"),
	"a space in the target":  request("PUT /issue x HTTP/1.1", "Host: a", "Content-Length: 0"),
	"a method that is none":  request("P(T /issue HTTP/1.1", "Host: a", "Content-Length: 0"),
	"the preface of HTTP/2":  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	"HTTP/2.0":               request("PUT /issue HTTP/2.0", "Host: a", "Content-Length: 0"),
	"HTTP/0.9":               request("PUT /issue HTTP/0.9", "Host: a", "Content-Length: 0"),
	"HTTP/1.2":               request("PUT /issue HTTP/1.2", "Host: a", "Content-Length: 0"),
	"HTTP/1.10":              request("PUT /issue HTTP/1.10", "Host: a", "Content-Length: 0"),
	"http/1.1":               request("PUT /issue http/1.1", "Host: a", "Content-Length: 0"),
	"a fragment":             request("GET /issue/read/1#x HTTP/1.1", "Host: a"),
	"a target without slash": request("GET issue/read/1 HTTP/1.1", "Host: a"),
	"an asterisk":            request("GET * HTTP/1.1", "Host: a"),
	"a tunnel":               request("CONNECT a:443 HTTP/1.1", "Host: a:443"),
	"two slashes, which some take for a host": request("GET //b/issue/read/1 HTTP/1.1", "Host: a"),
	"another scheme":                            request("GET ftp://a/issue/read/1 HTTP/1.1", "Host: a"),
	"an address without host":                   request("GET http:///issue/read/1 HTTP/1.1", "Host: a"),
	"an address with a user":                    request("GET http://u@a/issue/read/1 HTTP/1.1", "Host: a"),
	"an address of another host":                request("GET http://b/issue/read/1 HTTP/1.1", "Host: a"),
	"an address of another host that has ports": request("GET http://a:81/issue/read/1 HTTP/1.1", "Host: a:80"),
	"a control character in the target":         request("GET /issue/read/\x01 HTTP/1.1", "Host: a"),
	// Section 3.2: Host.
	"no Host":                  request("GET /issue/read/1 HTTP/1.1"),
	"two Hosts":                request("GET /issue/read/1 HTTP/1.1", "Host: a", "Host: b"),
	"one Host twice":           request("GET /issue/read/1 HTTP/1.1", "Host: a", "host: a"),
	"an empty Host":            request("GET /issue/read/1 HTTP/1.1", "Host:"),
	"a port alone":             request("GET /issue/read/1 HTTP/1.1", "Host: :80"),
	"a list of Hosts":          request("GET /issue/read/1 HTTP/1.1", "Host: a, b"),
	"a path in Host":           request("GET /issue/read/1 HTTP/1.1", "Host: a/b"),
	"a user in Host":           request("GET /issue/read/1 HTTP/1.1", "Host: u@a"),
	"two Hosts in HTTP/1.0":    request("GET /issue/read/1 HTTP/1.0", "Host: a", "Host: b"),
	"a Host with a space":      request("GET /issue/read/1 HTTP/1.1", "Host: a b"),
	"a Host behind the target": request("GET /issue/read/1 HTTP/1.1", "Host : a"),
	// Section 5: headers.
	"a space before the colon":  head("Content-Length : 5", "Content-Length: 0"),
	"a tab before the colon":    head("Content-Length\t: 0"),
	"a name with a space":       head("X y: z", "Content-Length: 0"),
	"no colon":                  head("X", "Content-Length: 0"),
	"no name":                   head(": x", "Content-Length: 0"),
	"a line that goes on":       head("X: y", " z", "Content-Length: 0"),
	"a length that goes on":     head("Content-Length:", " 0"),
	"a coding that goes on":     head("Transfer-Encoding:", "\tchunked") + "0\r\n\r\n",
	"a NUL in a value":          head("X: a\x00b", "Content-Length: 0"),
	"a control character":       head("X: a\x08b", "Content-Length: 0"),
	"a vertical tab":            head("X: a\x0bb", "Content-Length: 0"),
	"a DEL":                     head("X: a\x7fb", "Content-Length: 0"),
	"a NUL in a name":           head("X\x00: a", "Content-Length: 0"),
	"a name that is not ASCII":  head("X\xe9: a", "Content-Length: 0"),
	"a name in quotation marks": head(`"X": a`, "Content-Length: 0"),
	// Section 6.2: Content-Length.
	"two lengths":                  head("Content-Length: 0", "Content-Length: 5"),
	"one length twice":             head("Content-Length: 0", "content-length: 0"),
	"a list of lengths":            head("Content-Length: 0, 0"),
	"a length with a plus":         head("Content-Length: +0"),
	"a length below 0":             head("Content-Length: -1"),
	"a length with a prefix":       head("Content-Length: 0x0"),
	"a length with a point":        head("Content-Length: 0.0"),
	"a length with an underscore":  head("Content-Length: 1_0"),
	"a length with a space":        head("Content-Length: 0 0"),
	"an empty length":              head("Content-Length:"),
	"a length in quotation marks":  head(`Content-Length: "0"`),
	"a length of too many digits":  head("Content-Length: 18446744073709551616"),
	"a length behind a form feed":  head("Content-Length: \x0c0"),
	"a length in other digits":     head("Content-Length: \u0660"),
	"a length that is no number":   head("Content-Length: x"),
	"two lengths of a GET":         request("GET /issue/read/1 HTTP/1.1", "Host: a", "Content-Length: 0", "Content-Length: 44"),
	"a length of many zeros":       head("Content-Length: " + strings.Repeat("0", 20)),
	"a length with a no-break gap": head("Content-Length: 0\xa0"),
	// Section 6.1: Transfer-Encoding.
	"a length and chunks":              head("Content-Length: 5", "Transfer-Encoding: chunked") + "0\r\n\r\n",
	"chunks and a length":              head("Transfer-Encoding: chunked", "Content-Length: 5") + "0\r\n\r\n",
	"a length and an unknown coding":   head("Content-Length: 0", "Transfer-Encoding: x"),
	"a length and identity":            head("Content-Length: 0", "Transfer-Encoding: identity"),
	"an unknown coding":                head("Transfer-Encoding: xchunked") + "0\r\n\r\n",
	"identity":                         head("Transfer-Encoding: identity"),
	"no coding":                        head("Transfer-Encoding:") + "0\r\n\r\n",
	"gzip in chunks":                   head("Transfer-Encoding: gzip, chunked") + "0\r\n\r\n",
	"chunks in gzip":                   head("Transfer-Encoding: chunked, gzip") + "0\r\n\r\n",
	"chunks in chunks":                 head("Transfer-Encoding: chunked, chunked") + "0\r\n\r\n",
	"chunks and identity":              head("Transfer-Encoding: chunked, identity") + "0\r\n\r\n",
	"chunks twice":                     head("Transfer-Encoding: chunked", "Transfer-Encoding: chunked") + "0\r\n\r\n",
	"chunks, and something else":       head("Transfer-Encoding: chunked", "Transfer-Encoding: x") + "0\r\n\r\n",
	"something else, and chunks":       head("Transfer-Encoding: x", "transfer-encoding: chunked") + "0\r\n\r\n",
	"chunks in quotation marks":        head(`Transfer-Encoding: "chunked"`) + "0\r\n\r\n",
	"chunks with a parameter":          head("Transfer-Encoding: chunked;q=1") + "0\r\n\r\n",
	"chunks behind a vertical tab":     head("Transfer-Encoding: \x0bchunked") + "0\r\n\r\n",
	"chunks before a form feed":        head("Transfer-Encoding: chunked\x0c") + "0\r\n\r\n",
	"chunks with a NUL":                head("Transfer-Encoding: chun\x00ked") + "0\r\n\r\n",
	"chunks with a comma":              head("Transfer-Encoding: ,chunked") + "0\r\n\r\n",
	"a space before the coding's name": head(" Transfer-Encoding: chunked", "Content-Length: 0"),
	"a space before the coding":        head("Transfer-Encoding : chunked") + "0\r\n\r\n",
	"a coding behind a bare LF":        head("X: y\nTransfer-Encoding: chunked") + "0\r\n\r\n",
	"a coding behind a bare CR":        head("X: y\rTransfer-Encoding: chunked", "Content-Length: 0"),
	"chunks in HTTP/1.0":               request("PUT /issue HTTP/1.0", "Host: a", "Transfer-Encoding: chunked") + "0\r\n\r\n",
	"chunks that live on in HTTP/1.0":  request("PUT /issue HTTP/1.0", "Host: a", "Connection: keep-alive", "Transfer-Encoding: chunked") + "0\r\n\r\n",
	"chunks of a GET, and a length":    request("GET /issue/read/1 HTTP/1.1", "Host: a", "Content-Length: 5", "Transfer-Encoding: chunked") + "0\r\n\r\n",
	// Section 7.1: chunks.
	"a size with a prefix":           chunks("0x1\r\nx\r\n0\r\n\r\n"),
	"a size with a sign":             chunks("+1\r\nx\r\n0\r\n\r\n"),
	"a size below 0":                 chunks("-1\r\nx\r\n0\r\n\r\n"),
	"a size with a space before it":  chunks(" 1\r\nx\r\n0\r\n\r\n"),
	"a size with a space behind it":  chunks("1 \r\nx\r\n0\r\n\r\n"),
	"a size with a tab behind it":    chunks("1\t\r\nx\r\n0\r\n\r\n"),
	"a size with an underscore":      chunks("1_0\r\nx\r\n0\r\n\r\n"),
	"a size that is no number":       chunks("g\r\nx\r\n0\r\n\r\n"),
	"a size with something behind":   chunks("1x\r\nx\r\n0\r\n\r\n"),
	"a size with a comma":            chunks("1,1\r\nx\r\n0\r\n\r\n"),
	"no size":                        chunks("\r\nx\r\n0\r\n\r\n"),
	"an extension without a size":    chunks(";x\r\nx\r\n0\r\n\r\n"),
	"a size that overflows":          chunks("10000000000000001\r\nx\r\n0\r\n\r\n"),
	"a size of 64 bits":              chunks("ffffffffffffffff\r\nx\r\n0\r\n\r\n"),
	"a size that ends in LF":         chunks("1\nx\r\n0\r\n\r\n"),
	"a size that ends in CR":         chunks("1\rx\r\n0\r\n\r\n"),
	"a size with a NUL":              chunks("1\x00\r\nx\r\n0\r\n\r\n"),
	"an extension that ends in LF":   chunks("1;x\nx\r\n0\r\n\r\n"),
	"an extension with a CR":         chunks("1;x\ry\r\nx\r\n0\r\n\r\n"),
	"an extension with a NUL":        chunks("1;\x00\r\nx\r\n0\r\n\r\n"),
	"an extension without an end":    chunks("1;" + strings.Repeat("x", 1<<12)),
	"extensions without an end":      chunks(strings.Repeat("1;"+strings.Repeat("x", 200)+"\r\nx\r\n", 1<<7)),
	"a chunk that ends in LF":        chunks("1\r\nx\n0\r\n\r\n"),
	"a chunk that ends in CR":        chunks("1\r\nx\r0\r\n\r\n"),
	"a chunk without an end":         chunks("1\r\nx0\r\n\r\n"),
	"a chunk that is too long":       chunks("1\r\nxxx\r\n0\r\n\r\n"),
	"a chunk that is too short":      chunks("5\r\nx\r\n0\r\n\r\n" + "000"),
	"a last chunk that ends in LF":   chunks("1\r\nx\r\n0\n\r\n"),
	"a body that ends in LF":         chunks("1\r\nx\r\n0\r\n\n"),
	"a body that ends in CR":         chunks("1\r\nx\r\n0\r\n\rX"),
	"a last chunk of two characters": chunks("1\r\nx\r\n0\r\nXX"),
	// Section 7.1.2: trailers.
	"a trailer that ends in LF":            chunks("0\r\nX: y\n\r\n"),
	"a trailer that goes on":               chunks("0\r\nX: y\r\n z\r\n\r\n"),
	"a trailer without a colon":            chunks("0\r\nX\r\n\r\n"),
	"a trailer with a space":               chunks("0\r\nX : y\r\n\r\n"),
	"a trailer with a NUL":                 chunks("0\r\nX: \x00\r\n\r\n"),
	"a trailer that says a length":         chunks("0\r\nContent-Length: 5\r\n\r\n"),
	"a trailer that says a coding":         chunks("0\r\nTransfer-Encoding: chunked\r\n\r\n"),
	"a trailer that says a host":           chunks("0\r\nHost: b\r\n\r\n"),
	"trailers without an end":              chunks("0\r\n" + strings.Repeat("X: y\r\n", 1<<12)),
	"a trailer that is somebody's request": chunks("0\r\nGET /issue/read/1 HTTP/1.1\r\n\r\n"),
}

func chunks(body string) string { return head("Transfer-Encoding: chunked") + body }

// TestWhereARequestEndsIsClear, or it is refused with its connection closed, and nothing behind it is a request: as the first one of a connection
// and behind another, at once and octet by octet.
func TestWhereARequestEndsIsClear(t *testing.T) {
	t.Parallel()
	k := &taken{}
	address := setup(t, api.Config{}, k.routes()...).serve(t)
	try := func(t *testing.T, before, raw string, piece int) {
		conn, err := net.Dial("tcp", address)
		require.NoError(t, err)
		defer conn.Close()
		require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
		taken := k.calls.Load()
		for rest := []byte(before + raw + next + next); len(rest) > 0; rest = rest[min(piece, len(rest)):] {
			if _, err := conn.Write(rest[:min(piece, len(rest))]); err != nil {
				break // it was closed already
			}
		}
		_ = conn.(*net.TCPConn).CloseWrite() // likewise
		statuses, closed, bodies := answers(t, conn)
		want := 1
		if before != "" {
			want++
			require.NotEmpty(t, statuses)
			require.Equal(t, 200, statuses[0])
			taken++
		}
		require.Len(t, statuses, want, "%q", bodies)
		require.Contains(t, []int{400, 501}, statuses[want-1], "%q", bodies)
		require.Contains(t, bodies[want-1], `"door":"issue"`, "in the words of the family")
		require.True(t, closed, "it says that it is closed")
		require.Equal(t, taken, k.calls.Load(), "no call was made")
	}
	for name, raw := range unclear {
		t.Run(name, func(t *testing.T) {
			try(t, "", raw, len(raw)+1000)
			try(t, next, raw, len(raw)+1000)
			if len(raw) < 1000 {
				try(t, next, raw, 1)
			}
		})
	}
}

// TestWhatIsCutOffIsNoRequest: its sender went away before it had sent all that it announced (RFC 9112, section 8).
func TestWhatIsCutOffIsNoRequest(t *testing.T) {
	k := &taken{}
	address := setup(t, api.Config{}, k.routes()...).serve(t)
	for _, raw := range []string{
		"PUT /iss", "PUT /issue HTTP/1.1\r\nHost: a\r\n", head("Content-Length: 2"), head("Content-Length: 2") + "x", head("Content-Length: 100000") + strings.Repeat("x", 99999),
		chunks(""), chunks("1"), chunks("1\r\n"), chunks("1\r\nx"), chunks("1\r\nx\r\n"), chunks("1\r\nx\r\n0"), chunks("1\r\nx\r\n0\r\n"), chunks("1\r\nx\r\n0\r\nX: y\r\n"),
	} {
		conn, err := net.Dial("tcp", address)
		require.NoError(t, err)
		defer conn.Close()
		require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
		_, err = io.WriteString(conn, raw)
		require.NoError(t, err)
		require.NoError(t, conn.(*net.TCPConn).CloseWrite())
		statuses, closed, _ := answers(t, conn)
		require.Equal(t, []int{400}, statuses, "%.200q", raw)
		require.True(t, closed)
		require.Zero(t, k.calls.Load(), "%.200q", raw)
	}
}

// TestUnknownCodingsAreNotImplemented (RFC 9112, section 6.1).
func TestUnknownCodingsAreNotImplemented(t *testing.T) {
	k := &taken{}
	address := setup(t, api.Config{}, k.routes()...).serve(t)
	for raw, want := range map[string]int{
		head("Transfer-Encoding: gzip, chunked"): 501, head("Transfer-Encoding: x"): 501, head("Transfer-Encoding: chunked", "Content-Length: 1"): 400,
		request("PUT /issue HTTP/1.0", "Transfer-Encoding: gzip"): 400,
	} {
		conn, err := net.Dial("tcp", address)
		require.NoError(t, err)
		defer conn.Close()
		require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
		_, err = io.WriteString(conn, raw+"0\r\n\r\n")
		require.NoError(t, err)
		require.NoError(t, conn.(*net.TCPConn).CloseWrite())
		statuses, _, _ := answers(t, conn)
		require.Equal(t, []int{want}, statuses, raw)
	}
}

// clear are requests that are legal, however unusual, with what the call is given.
var clear = map[string]struct{ raw, want string }{
	"a length":                       {head("Content-Length: 2") + "xy", `PUT /issue "xy"`},
	"a length of 0":                  {head("Content-Length: 0"), `PUT /issue ""`},
	"a length with a 0 before it":    {head("Content-Length: 02") + "xy", `PUT /issue "xy"`},
	"a length with spaces":           {head("Content-Length:   2  ") + "xy", `PUT /issue "xy"`},
	"a length without a space":       {head("content-length:2") + "xy", `PUT /issue "xy"`},
	"no length":                      {head(), `PUT /issue ""`},
	"a body that is a request":       {head(fmt.Sprint("Content-Length: ", len(next))) + next, fmt.Sprintf("PUT /issue %q", next)},
	"a body of a GET":                {request("GET /issue/read/2 HTTP/1.1", "Host: a", "Content-Length: 2") + "xy", `GET /issue/read/2 "xy"`},
	"chunks of a GET":                {request("GET /issue/read/2 HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + "1\r\nx\r\n0\r\n\r\n", `GET /issue/read/2 "x"`},
	"chunks":                         {chunks("1\r\nx\r\n2\r\nyz\r\n0\r\n\r\n"), `PUT /issue "xyz"`},
	"chunks in capitals":             {strings.Replace(chunks("A\r\n0123456789\r\n0\r\n\r\n"), "chunked", "CHUNKED", 1), `PUT /issue "0123456789"`},
	"chunks without a space":         {strings.Replace(chunks("0\r\n\r\n"), ": chunked", ":chunked", 1), `PUT /issue ""`},
	"sizes with zeros":               {chunks("001\r\nx\r\n000\r\n\r\n"), `PUT /issue "x"`},
	"an extension":                   {chunks("1;a=b\r\nx\r\n0;c=\"d e\"\r\n\r\n"), `PUT /issue "x"`},
	"an extension behind a space":    {chunks("1 ; a\r\nx\r\n0\r\n\r\n"), `PUT /issue "x"`},
	"trailers, which are no headers": {chunks("1\r\nx\r\n0\r\nX-Trailer: no header\r\n0:\r\n\r\n"), `PUT /issue "x"`},
	"line ends in the data":          {chunks("4\r\n\r\n\r\n\r\n0\r\n\r\n"), `PUT /issue "\r\n\r\n"`},
	"an empty line before it":        {"\r\n" + head("Content-Length: 1") + "x", `PUT /issue "x"`},
	"a value beyond ASCII":           {head("X: \xe9\xff ü\t.", "Content-Length: 1") + "x", `PUT /issue "x"`},
	"an empty value":                 {head("X:", "Content-Length: 1") + "x", `PUT /issue "x"`},
	"an unusual name":                {head("!#$%&'*+-.^_`|~9: y", "Content-Length: 1") + "x", `PUT /issue "x"`},
	"a Host with a port":             {request("GET /issue/read/2 HTTP/1.1", "Host: a.example:8080"), `GET /issue/read/2 ""`},
	"a Host in IPv6":                 {request("GET /issue/read/2 HTTP/1.1", "Host: [::1]:80"), `GET /issue/read/2 ""`},
	"a whole address":                {request("GET http://A:80/issue/read/2?x=http://b HTTP/1.1", "Host: a:80"), `GET /issue/read/2 ""`},
	"an address in the query":        {request("GET /issue/read/2?x=http://b/c//d HTTP/1.1", "Host: a"), `GET /issue/read/2 ""`},
	"letters beyond ASCII in query":  {request("GET /issue/read/2?q=ü HTTP/1.1", "Host: a"), `GET /issue/read/2 ""`},
	"HTTP/1.0 that lives on":         {request("PUT /issue HTTP/1.0", "Connection: keep-alive", "Content-Length: 1") + "x", `PUT /issue "x"`},
}

// TestLegalFramingsAreTaken, at once and octet by octet, and the request behind each is the next.
func TestLegalFramingsAreTaken(t *testing.T) {
	t.Parallel()
	k := &taken{}
	address := setup(t, api.Config{}, k.routes()...).serve(t)
	for name, c := range clear {
		t.Run(name, func(t *testing.T) {
			for _, piece := range []int{1 << 20, 1} {
				conn, err := net.Dial("tcp", address)
				require.NoError(t, err)
				defer conn.Close()
				require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
				for rest := []byte(c.raw + next); len(rest) > 0; rest = rest[min(piece, len(rest)):] {
					_, err = conn.Write(rest[:min(piece, len(rest))])
					require.NoError(t, err)
				}
				require.NoError(t, conn.(*net.TCPConn).CloseWrite())
				statuses, _, bodies := answers(t, conn)
				require.Equal(t, []string{c.want, `GET /issue/read/1 ""`}, bodies)
				require.Equal(t, []int{200, 200}, statuses)
			}
		})
	}
}

// TestFramingIsAsStrictOverTLS.
func TestFramingIsAsStrictOverTLS(t *testing.T) {
	cert, key := filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	roots := x509.NewCertPool()
	roots.AddCert(api.Certify(t, cert, key, "first"))
	k := &taken{}
	address := setup(t, api.Config{TLSCert: cert, TLSKey: key}, k.routes()...).serve(t)
	conn, err := tls.Dial("tcp", address, &tls.Config{RootCAs: roots})
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	_, err = io.WriteString(conn, next+chunks("1\r\nx\r\n0\r\n\n")+next)
	require.NoError(t, err)
	statuses, closed, _ := answers(t, conn)
	require.Equal(t, []int{200, 400}, statuses)
	require.True(t, closed)
	require.EqualValues(t, 1, k.calls.Load())
}

// TestWhatIsMalformedHearsItInItsFamilysWords: the first line says whose path it is, and one line of the log that it came.
func TestWhatIsMalformedHearsItInItsFamilysWords(t *testing.T) {
	s := setup(t, api.Config{})
	address := s.serve(t)
	for name, c := range map[string]struct {
		raw    string
		status int
	}{
		"large headers":      {"GET /incident/1 HTTP/1.1\r\nHost: a\r\nX-Long: " + strings.Repeat("a", 20<<10) + "\r\n\r\n", 431},
		"a large first line": {"GET /incident/1?q=" + strings.Repeat("a", 20<<10) + " HTTP/1.1\r\nHost: a\r\n\r\n", 431},
		"no Host":            {"GET /incident/1 HTTP/1.1\r\n\r\n", 400},
		"an unknown coding":  {"GET /incident/1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x\r\n\r\n", 501},
		"an unknown method":  {"BREW /incident/1 HTTP/1.1\r\nHost: a\r\n\r\n", 405},
	} {
		for _, before := range []string{"", "GET /issue/1 HTTP/1.1\r\nHost: a\r\n\r\n"} {
			seen := len(s.logged(t))
			conn, err := net.Dial("tcp", address)
			require.NoError(t, err)
			defer conn.Close()
			require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
			_, err = io.Copy(conn, bytes.NewReader([]byte(before+c.raw)))
			require.NoError(t, err)
			require.NoError(t, conn.(*net.TCPConn).CloseWrite())
			statuses, _, bodies := answers(t, conn)
			require.NotEmpty(t, statuses, name)
			require.Equal(t, c.status, statuses[len(statuses)-1], name)
			require.Contains(t, bodies[len(bodies)-1], `"door":"incident"`, name)
			logged := s.logged(t)
			require.Len(t, logged, seen+len(statuses), name)
			require.Equal(t, "/incident/1", logged[len(logged)-1]["path"], name)
			require.NotEmpty(t, logged[len(logged)-1]["refused"], name)
		}
	}
}
