package api_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"

	"signalbox/api"
	"signalbox/api/apitest"
	"signalbox/desk"
)

// echo answers with the length of the body.
var echo = api.Route{Method: "PUT", Path: "/issue", Scope: desk.Write, Handler: func(c *fiber.Ctx) error {
	return c.SendString(fmt.Sprint(len(c.BodyRaw()), " ", bytes.Count(c.BodyRaw(), []byte("x"))))
}}

func put(length int) string {
	return fmt.Sprintf("PUT /issue HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n", apitest.Writer, length)
}

// TestWhatIsOnlyAnnouncedTakesNoMemory: hundreds of connections that announce a large body and send next to nothing of it.
func TestWhatIsOnlyAnnouncedTakesNoMemory(t *testing.T) {
	address := setup(t, api.Config{}, echo).serve(t)
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	const many = 400
	for range many {
		conn, err := net.Dial("tcp", address)
		require.NoError(t, err)
		defer conn.Close()
		_, err = io.WriteString(conn, put(1<<20)+strings.Repeat("x", 16<<10))
		require.NoError(t, err)
	}
	most := int64(0)
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); {
		most = max(most, heap()-before)
	}
	t.Logf("%d connections that announced %d MiB hold %d MiB", many, many, most>>20)
	require.Less(t, most, int64(many*100<<10), "less than a tenth of what they announced")
}

// TestBodiesComeInAsTheyWereSent, of every size and in every way, one after the other on one connection.
func TestBodiesComeInAsTheyWereSent(t *testing.T) {
	address := setup(t, api.Config{}, echo).serve(t)
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	answers := bufio.NewReader(conn)
	hear := func(want string) {
		t.Helper()
		response, err := http.ReadResponse(answers, nil)
		require.NoError(t, err)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.Equal(t, want, string(body))
	}
	for _, size := range []int{0, 1, 8<<10 - 1, 8 << 10, 8<<10 + 1, 64<<10 - 1, 64 << 10, 64<<10 + 1, 1 << 20} {
		_, err = io.WriteString(conn, put(size)+strings.Repeat("x", size))
		require.NoError(t, err)
		hear(fmt.Sprint(size, " ", size))

		chunked := strings.Replace(put(0), "Content-Length: 0", "Transfer-Encoding: chunked", 1)
		for rest := size; rest > 0; rest -= min(rest, 50_000) {
			chunked += fmt.Sprintf("%x\r\n%s\r\n", min(rest, 50_000), strings.Repeat("x", min(rest, 50_000)))
		}
		_, err = io.WriteString(conn, chunked+"0\r\n\r\n")
		require.NoError(t, err)
		hear(fmt.Sprint(size, " ", size))
	}
	// Two at once, and one whose sender waits until it is asked for the body.
	_, err = io.WriteString(conn, put(3)+"xyx"+put(0)+strings.Replace(put(2), "\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n", 1))
	require.NoError(t, err)
	hear("3 2")
	hear("0 0")
	asked, err := http.ReadResponse(answers, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusContinue, asked.StatusCode)
	_, err = io.WriteString(conn, "xx")
	require.NoError(t, err)
	hear("2 2")
	_, err = io.WriteString(conn, strings.Replace(put(2<<20), "\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n", 1))
	require.NoError(t, err)
	response, err := http.ReadResponse(answers, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusRequestEntityTooLarge, response.StatusCode, "it is not asked for")
	require.True(t, response.Close)
}

// TestABodyThatIsNotWhole ends its connection: what follows is no request.
func TestABodyThatIsNotWhole(t *testing.T) {
	t.Parallel() // it waits
	impatient, patient := setup(t, api.Config{ReadTimeout: 500 * time.Millisecond}, echo).serve(t), setup(t, api.Config{}, echo).serve(t)
	chunked := strings.Replace(put(0), "Content-Length: 0", "Transfer-Encoding: chunked", 1)
	large := strings.Repeat("x", 100<<10)
	for name, c := range map[string]struct {
		sent   string
		status int
	}{
		"slow":                   {put(100) + "x", 408},
		"slow, large":            {put(200<<10) + large, 408},
		"slow, in chunks":        {chunked + "5\r\nx", 408},
		"no chunk":               {chunked + "zz\r\nGET /issue/1 HTTP/1.1\r\n\r\n", 400},
		"a chunk without an end": {chunked + "1\r\nxxGET /issue/1 HTTP/1.1\r\n\r\n", 400},
		"two lengths":            {strings.Replace(put(2), "\r\n\r\n", "\r\ncontent-length: 3\r\n\r\n", 1) + "xx", 400},
		"a length and chunks":    {strings.Replace(put(5), "\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n", 1) + "0\r\n\r\n" + put(0), 400},
		"chunks and a length":    {strings.Replace(chunked, "\r\n\r\n", "\r\nContent-Length : 5\r\n\r\n", 1) + "0\r\n\r\n" + put(0), 400},
		"too large in chunks":    {chunked + strings.Repeat("19000\r\n"+large+"\r\n", 11) + "0\r\n\r\n" + put(0), 413},
	} {
		t.Run(name, func(t *testing.T) {
			address := patient // on a busy machine what is whole takes its time too
			if c.status == http.StatusRequestTimeout {
				address = impatient
			}
			conn, err := net.Dial("tcp", address)
			require.NoError(t, err)
			defer conn.Close()
			require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
			_, err = io.WriteString(conn, c.sent)
			require.NoError(t, err)
			answers := bufio.NewReader(conn)
			response, err := http.ReadResponse(answers, nil)
			require.NoError(t, err)
			body, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			require.Equal(t, c.status, response.StatusCode, string(body))
			require.Contains(t, string(body), `"door":"issue"`)
			_, err = answers.ReadByte()
			require.Error(t, err, "nothing more is answered")
		})
	}
}

// TestSoManyLargeBodiesOfOneAddress: who holds many large bodies back is refused more of them; small ones are taken all the same.
func TestSoManyLargeBodiesOfOneAddress(t *testing.T) {
	address := setup(t, api.Config{}, echo).serve(t)
	ask := func(size int) int {
		r, err := http.NewRequest("PUT", "http://"+address+"/issue", strings.NewReader(strings.Repeat("x", size)))
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+apitest.Writer)
		response, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		response.Body.Close()
		if response.StatusCode == http.StatusServiceUnavailable {
			require.Equal(t, "1", response.Header.Get("Retry-After"))
		}
		return response.StatusCode
	}
	var held []net.Conn
	for range 64 {
		conn, err := net.Dial("tcp", address)
		require.NoError(t, err)
		defer conn.Close()
		_, err = io.WriteString(conn, put(1<<20)+strings.Repeat("x", 100<<10))
		require.NoError(t, err)
		held = append(held, conn)
	}
	require.Eventually(t, func() bool { return ask(100<<10) == http.StatusServiceUnavailable }, time.Minute, 10*time.Millisecond)
	require.Equal(t, http.StatusOK, ask(64<<10-1))
	one, err := net.Dial("tcp", address)
	require.NoError(t, err)
	defer one.Close()
	require.NoError(t, one.SetDeadline(time.Now().Add(time.Minute)))
	_, err = io.WriteString(one, put(1<<20)+strings.Repeat("x", 100<<10))
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(one), nil)
	require.NoError(t, err, "nobody waits for the rest of what is refused")
	response.Body.Close()
	require.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
	require.NoError(t, held[0].Close())
	require.Eventually(t, func() bool { return ask(100<<10) == http.StatusOK }, time.Minute, 10*time.Millisecond)
}
