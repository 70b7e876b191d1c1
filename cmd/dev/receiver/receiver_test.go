package receiver

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// terminal is written to by many.
type terminal struct {
	sync.Mutex
	bytes.Buffer
}

func (t *terminal) Write(p []byte) (int, error) {
	t.Lock()
	defer t.Unlock()
	return t.Buffer.Write(p)
}

func start(t *testing.T) (*Receiver, *terminal) {
	t.Helper()
	var told terminal
	r, err := Start("127.0.0.1:0", &told)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r, &told
}

func send(t *testing.T, url, body string) (int, string) {
	t.Helper()
	return read(t)(http.Post(url, "application/json", strings.NewReader(body)))
}

func read(t *testing.T) func(*http.Response, error) (int, string) {
	return func(response *http.Response, err error) (int, string) {
		t.Helper()
		require.NoError(t, err)
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return response.StatusCode, string(text)
	}
}

func TestItTakesWhatItIsSentAndShowsIt(t *testing.T) {
	r, told := start(t)
	for path, want := range map[string]struct {
		status int
		says   string
	}{"/one": {200, `"code":0`}, "/to/publish": {200, `"code":"000"`}, "/demo/broken": {500, "out of order"}} {
		status, says := send(t, r.URL()+path, "{\"a\":\n 1}")
		require.Equal(t, want.status, status, path)
		require.Contains(t, says, want.says, path)
	}
	_, body := read(t)(http.Get(r.URL() + "/one"))
	require.Equal(t, "{\"a\": 1}\n", body)
	_, body = read(t)(http.Get(r.URL() + "/"))
	require.Equal(t, 3, strings.Count(body, "\n"))
	_, body = read(t)(http.Get(r.URL() + "/one?full=1"))
	var one Request
	require.NoError(t, json.Unmarshal([]byte(body), &one))
	require.Equal(t, "application/json", one.Headers["content-type"])
	require.Equal(t, "{\"a\":\n 1}", one.Body, "as it came")
	told.Lock()
	defer told.Unlock()
	require.Contains(t, told.String(), `told /one  {"a": 1}`)
	require.NotContains(t, told.String(), "/demo/")
}

func TestWhoAsksMayWait(t *testing.T) {
	r, _ := start(t)
	answered := make(chan string)
	go func() {
		response, err := http.Get(r.URL() + "/two?wait=2")
		if err != nil {
			answered <- err.Error()
			return
		}
		defer response.Body.Close()
		text, _ := io.ReadAll(response.Body)
		answered <- string(text)
	}()
	send(t, r.URL()+"/two", "1")
	send(t, r.URL()+"/other", "x")
	select {
	case early := <-answered:
		t.Fatalf("answered after one: %q", early)
	default:
	}
	send(t, r.URL()+"/two", "2")
	require.Equal(t, "1\n2\n", <-answered)
	status, _ := read(t)(http.Get(r.URL() + "/two?wait=many"))
	require.Equal(t, 400, status)
}
