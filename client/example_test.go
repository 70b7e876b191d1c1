package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"signalbox/api/apitest"
	"signalbox/client"
	"signalbox/client/issue"
	"signalbox/client/webhook"
	"signalbox/internal/housetest"
)

// always is what the examples' house is made for: they are no tests, and one house is for all of them.
type always struct {
	testing.TB
	ends []func()
}

func (*always) Helper()                   {}
func (*always) Context() context.Context  { return context.Background() }
func (a *always) Cleanup(f func())        { a.ends = append(a.ends, f) }
func (*always) Errorf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }
func (*always) Fatalf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }
func (*always) FailNow()                  { panic("it failed") }
func (*always) Name() string              { return "examples" }
func (*always) Logf(string, ...any)       {}
func (a *always) TempDir() string {
	dir, err := os.MkdirTemp("", "signalbox-examples-")
	if err != nil {
		panic(err)
	}
	a.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// address is where the examples' house is, with the secret "writer-secret".
var address string

func TestMain(m *testing.M) {
	a := &always{}
	address = housetest.New(a).URL
	code := m.Run()
	for i := len(a.ends) - 1; i >= 0; i-- {
		a.ends[i]()
	}
	os.Exit(code)
}

// A ticket is opened, read and acted on. Each call is made once, however often it has to be sent.
func ExampleClient() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	box, err := client.New(address, client.Options{Secret: apitest.Writer})
	if err != nil {
		fmt.Println(err)
		return
	}
	number, err := box.Open(ctx, issue.Opening{Origin: "customs", Title: "Container held"})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := box.Act(ctx, number, issue.Handling{Action: issue.ActionAccept, Operator: "zhang.san"}); err != nil {
		fmt.Println(err)
		return
	}
	ticket, err := box.Read(ctx, number)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(ticket.Title, ticket.Status, ticket.Phase, ticket.Assignee)
	// Output: Container held OPEN acknowledged zhang.san
}

// What is refused says why: by a code, the field at fault and a sentence.
func ExampleError() {
	box, err := client.New(address, client.Options{Secret: apitest.Writer})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = box.Open(context.Background(), issue.Opening{Origin: "customs"})
	var refusal *client.Error
	if errors.As(err, &refusal) {
		fmt.Println(refusal.Code, refusal.Field, refusal.Message)
	}
	fmt.Println(errors.Is(err, client.Invalid))
	// Output:
	// invalid title is required and must not be empty
	// true
}

// A list is read to its end, page by page.
func ExampleClient_Issues() {
	ctx := context.Background()
	box, err := client.New(address, client.Options{Secret: apitest.Writer})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, title := range []string{"one", "two", "three"} {
		if _, err := box.Open(ctx, issue.Opening{Origin: "list", Title: title}); err != nil {
			fmt.Println(err)
			return
		}
	}
	for line, err := range box.Issues(ctx, issue.ListIssuesParams{Origin: new("list")}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(line.Title)
	}
	// Output:
	// three
	// two
	// one
}

// Whoever keeps a copy of what happens deals with some changes and keeps the cursor after them, in one transaction.
func ExampleClient_Follow() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	box, err := client.New(address, client.Options{Secret: apitest.Writer})
	if err != nil {
		fmt.Println(err)
		return
	}
	kept, err := box.Begin(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := box.Open(ctx, issue.Opening{Origin: "customs", Title: "followed"}); err != nil {
		fmt.Println(err)
		return
	}
	for changes, err := range box.Follow(ctx, kept, client.FollowOptions{}) {
		if err != nil {
			fmt.Println(err) // client.Gone: begin again
			return
		}
		for _, change := range changes.Items {
			fmt.Println(change.Event.Type, change.Event.Seq, change.Issue.Title)
		}
		if kept = changes.Cursor; len(changes.Items) > 0 {
			break
		}
	}
	// Output: opened 1 followed
}

// A receiver lets through what Signalbox sent.
func Example_receiver() {
	receiver, err := webhook.New("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		fmt.Println(err)
		return
	}
	http.Handle("/told", receiver.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		delivery, _ := webhook.Of(r.Context())
		fmt.Println("delivery", delivery.ID) // seen before? then it has been dealt with
	})))
	fmt.Println("serving")
	// Output: serving
}
