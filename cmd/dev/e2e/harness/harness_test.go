package harness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

// probe stands in for a test that is expected to fail.
type probe struct {
	testing.TB
	message string
}

func (p *probe) Helper() {}

func (p *probe) Fatalf(format string, args ...any) {
	p.message = fmt.Sprintf(format, args...)
	panic(p)
}

// over is a test that failed and has ended: it takes no more lines.
type over struct{ testing.TB }

func (over) Failed() bool { return true }

func (over) Logf(string, ...any) { panic("Log in goroutine after it has completed") }

// What tests share has its say after the one that was first, and does not take the failure of that one for its own.
func TestWhatIsSharedOutlivesTheFirstTest(t *testing.T) {
	shared := ForPackage(over{})
	require.False(t, shared.Failed())
	shared.Logf("said after the end of %s", "the first test")
}

// failure runs f and returns what it failed the test with; empty when it did not.
func failure(f func(testing.TB)) (message string) {
	p := &probe{}
	defer func() {
		if r := recover(); r != nil && r != any(p) {
			panic(r)
		}
		message = p.message
	}()
	f(p)
	return ""
}

func echo(t *testing.T, args ...string) (*Process, string) {
	t.Helper()
	address := fmt.Sprintf("127.0.0.1:%d", FreePort(t))
	p := Start(t, Command{
		Path: Build(t, ".", "./testdata/echo"), Args: args,
		Env: []string{"ECHO_NAME=first", "ECHO_ADDRESS=" + address, "ECHO_NAME=box"},
	})
	UntilOK(t, "http://"+address+"/", 5*time.Second)
	return p, address
}

func TestProcessRunsUntilAskedToEnd(t *testing.T) {
	p, _ := echo(t)
	require.True(t, p.Running())
	require.Positive(t, p.PID())
	require.Equal(t, 3, p.Terminate(5*time.Second))
	require.False(t, p.Running())
	require.Equal(t, "hello from box\ngoodbye\n", p.Logs())
}

func TestStubbornProcessIsKilled(t *testing.T) {
	p, address := echo(t, "stay")
	real := p.t
	message := failure(func(tb testing.TB) { p.t = tb; p.Terminate(100 * time.Millisecond) })
	p.t = real
	require.Contains(t, message, "still runs after 100ms")
	p.Kill()
	require.Equal(t, -1, p.Wait(time.Second))
	_, err := http.Get("http://" + address)
	require.Error(t, err)
}

func TestBuildIsMadeOnceAndSaysWhatIsWrong(t *testing.T) {
	require.Equal(t, Build(t, ".", "./testdata/echo"), Build(t, ".", "./testdata/echo"))
	require.Contains(t, failure(func(tb testing.TB) { Build(tb, ".", "./testdata/none") }), "testdata/none")
}

func TestUntilFailsWithTheLastReason(t *testing.T) {
	tries := 0
	message := failure(func(tb testing.TB) {
		Until(tb, "the moon", 50*time.Millisecond, func() error {
			tries++
			return errors.New("still cheese")
		})
	})
	require.Contains(t, message, "the moon")
	require.Contains(t, message, "still cheese")
	require.Greater(t, tries, 2)
}

func post(ctx context.Context, url, body string) (int, string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("X-Number", body)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, string(text), err
}

func TestReceiverAnswersByScriptAndRecords(t *testing.T) {
	r := NewReceiver(t)
	r.Answer("/a", Response{Status: 500, Body: "no"}, Response{Delay: 50 * time.Millisecond, Body: "late"})
	for _, want := range []struct {
		status int
		body   string
	}{{500, "no"}, {200, "late"}, {200, "late"}} {
		status, body, err := post(t.Context(), r.URL("/a?x=1"), want.body)
		require.NoError(t, err)
		require.Equal(t, want.status, status)
		require.Equal(t, want.body, body)
	}
	status, _, err := post(t.Context(), r.URL("/b"), "other")
	require.NoError(t, err)
	require.Equal(t, 200, status)

	got := r.Await(t, "/a", 3, time.Second)
	require.Len(t, got, 3)
	require.Equal(t, "no", string(got[0].Body))
	require.Equal(t, "no", got[0].Header.Get("X-Number"))
	require.Equal(t, "x=1", got[0].Query)
	require.Equal(t, []int{500, 200, 200}, []int{got[0].Answered, got[1].Answered, got[2].Answered})
	require.GreaterOrEqual(t, got[2].At.Sub(got[1].At), 50*time.Millisecond)
	require.Len(t, r.Requests(""), 4)
	require.Contains(t, failure(func(tb testing.TB) { r.Await(tb, "/b", 2, 20*time.Millisecond) }), "got 1")
}

func TestReceiverHangsAndDrops(t *testing.T) {
	r := NewReceiver(t)
	r.Answer("/hang", Response{Hang: true})
	r.Answer("/drop", Response{Drop: true}, Response{Status: 204})

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, _, err := post(ctx, r.URL("/hang"), "1")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	_, _, err = post(t.Context(), r.URL("/drop"), "1")
	require.Error(t, err)
	status, _, err := post(t.Context(), r.URL("/drop"), "2")
	require.NoError(t, err)
	require.Equal(t, 204, status)
	require.Zero(t, r.Await(t, "/hang", 1, time.Second)[0].Answered)

	// One left hanging must not hold up the end of the test.
	go func() { _, _, _ = post(context.Background(), r.URL("/hang"), "2") }()
	r.Await(t, "/hang", 2, time.Second)
}
