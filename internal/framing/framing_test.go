package framing

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/valyala/fasthttp"
)

// FuzzReader: what is let through ends where net/http and fasthttp find its end, and however it comes in pieces.
func FuzzReader(f *testing.F) {
	const host = "Host: a\r\n"
	for _, seed := range []string{
		"GET / HTTP/1.1\r\n" + host + "\r\nGET /x HTTP/1.1\r\n" + host + "\r\n",
		"PUT / HTTP/1.1\r\n" + host + "Content-Length: 3\r\n\r\nabcGET / HTTP/1.0\r\n\r\n",
		"POST http://a/b?c HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nX: y\r\n\r\nGET / HTTP/1.1\r\n" + host + "\r\n",
		"\r\nOPTIONS * HTTP/1.1\r\n" + host + "X:\r\nY: \t z \r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		handed, fault, end := follow(stream, len(stream))
		again, same, _ := follow(stream, 1)
		require.Equal(t, fault == nil, same == nil)
		if fault == nil {
			require.Equal(t, handed, again)
		}
		// between reports whether a part of what was handed on ends between two requests. Without trailers it is what a reader hands on again.
		between := func(end int) bool {
			again, fault, r := follow(handed[:end], end)
			return fault == nil && len(again) == end && r.between()
		}
		whole := fault == nil && end.between()
		ends := map[string][]int{"net/http": readAll(t, handed, whole)}
		if whole { // what is cut off never comes to fasthttp's end
			ends["fasthttp"] = readFast(handed)
		}
		for name, ends := range ends {
			for _, end := range ends {
				require.True(t, between(end), "%s finds the end of a request at %d of %q", name, end, handed)
			}
		}
	})
}

// follow gives what is handed on of a stream that comes in pieces of a size.
func follow(stream []byte, size int) (handed []byte, fault *Fault, r *Reader) {
	r = &Reader{}
	for rest := stream; len(rest) > 0 && fault == nil; rest = rest[min(size, len(rest)):] {
		piece := bytes.Clone(rest[:min(size, len(rest))])
		var n int
		n, fault = r.Take(piece)
		handed = append(handed, piece[:n]...)
	}
	return handed, fault, r
}

// readAll gives the ends of the requests that net/http reads. Bodies of what is whole have to be read without an error.
func readAll(t *testing.T, stream []byte, whole bool) (ends []int) {
	source := bytes.NewReader(stream)
	in := bufio.NewReaderSize(source, 64<<10)
	for {
		// An empty line before a request is nothing to net/http's server; its parser takes none.
		for {
			peek, _ := in.Peek(2)
			if string(peek) != "\r\n" {
				break
			}
			_, _ = in.Discard(2)
		}
		r, err := http.ReadRequest(in)
		if err != nil {
			return ends // it is over, or not what net/http takes for a target
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			require.False(t, whole, "%v of %q", err, stream)
			return ends
		}
		ends = append(ends, len(stream)-source.Len()-in.Buffered())
	}
}

// readFast gives the ends of the requests that fasthttp reads, until it refuses one.
func readFast(stream []byte) (ends []int) {
	source := bytes.NewReader(stream)
	in := bufio.NewReaderSize(source, 16<<10)
	for {
		var r fasthttp.Request
		if err := r.ReadLimitBody(in, 1<<20); err != nil {
			return ends
		}
		if r.MayContinue() {
			return ends // the body is read apart
		}
		ends = append(ends, len(stream)-source.Len()-in.Buffered())
	}
}

// BenchmarkReader says what following a usual request costs, beside what reading it does.
func BenchmarkReader(b *testing.B) {
	request := []byte("POST /api/issue HTTP/1.1\r\nHost: tickets.example.com\r\nUser-Agent: a client/1.0\r\nAccept: */*\r\n" +
		"Authorization: Access_Key 0123456789abcdef0123456789abcdef\r\nContent-Type: application/json\r\n" +
		"X-Idempotency-Key: 7b0bd7d8-5f6e-4b0f-9a3a-3c9ad5c6a6b1\r\nContent-Length: 60\r\n\r\n" +
		`{"origin":"monitoring","title":"the disk is full","tag":[1]}`)
	b.Run("followed", func(b *testing.B) {
		b.ReportAllocs()
		var r Reader
		for b.Loop() {
			if _, fault := r.Take(request); fault != nil {
				b.Fatal(fault)
			}
		}
	})
	b.Run("read by fasthttp", func(b *testing.B) {
		b.ReportAllocs()
		var r fasthttp.Request
		source := bytes.NewReader(request)
		in := bufio.NewReader(source)
		for b.Loop() {
			source.Reset(request)
			if err := r.Read(in); err != nil {
				b.Fatal(err)
			}
		}
	})
}
