// Command signalbox works tickets, services, subscriptions and deliveries from a terminal or a script, over the house API and nothing else. docs/client.md
// says how; "signalbox help" lists the commands.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"signalbox/client"
)

// Exit codes. Scripts go by them; docs/client.md and the help of the root command list them.
const (
	exitOK          = 0
	exitFailed      = 1   // anything that is none of these
	exitUsage       = 2   // the command line, the profile, or what was sent is wrong; the same will be wrong again
	exitForbidden   = 3   // the credential is not valid, or may not
	exitNotFound    = 4   // there is no such thing
	exitConflict    = 5   // not possible as things stand
	exitUnavailable = 6   // not now: no answer, or one that says so; it can be repeated
	exitInterrupted = 130 // Ctrl-C
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends it at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run does what the arguments say and gives the exit code.
func run(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	if len(args) == 1 && (args[0] == "-version" || args[0] == "-help") { // as the other programs take them
		args = []string{"-" + args[0]}
	}
	c := &cli{in: in, out: out, err: errs, env: os.Getenv}
	root := c.root()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	if !c.began {
		err = usage{err}
	}
	code := exitOf(err)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		code, err = exitInterrupted, interrupted{err}
	}
	if !errors.As(err, new(silent)) {
		fmt.Fprintln(errs, "signalbox:", clean(err.Error()))
	}
	var unanswered *client.Unanswered
	switch {
	case errors.As(err, &unanswered) && unanswered.Key != "":
		fmt.Fprintf(errs, "Whether it was done is not known. Repeat it with --idempotency-key %s: it is done once.\n", unanswered.Key)
	case !c.began:
		fmt.Fprintln(errs, `"signalbox help" and "signalbox COMMAND --help" have examples.`)
	}
	return code
}

// usage is a mistake in how the program was called.
type usage struct{ error }

// silent is a failure that has been told already.
type silent struct{ error }

// interrupted is what was cut short by Ctrl-C.
type interrupted struct{ error }

func (interrupted) Error() string   { return "interrupted" }
func (u usage) Unwrap() error       { return u.error }
func (s silent) Unwrap() error      { return s.error }
func (i interrupted) Unwrap() error { return i.error }

func usagef(format string, about ...any) error { return usage{fmt.Errorf(format, about...)} }

func exitOf(err error) int {
	var refusal *client.Error
	switch {
	case errors.As(err, new(usage)):
		return exitUsage
	case errors.As(err, new(*client.Unanswered)), errors.Is(err, context.DeadlineExceeded):
		return exitUnavailable
	case !errors.As(err, &refusal):
		return exitFailed
	case refusal.Temporary() || refusal.Code == client.Unavailable || refusal.Code == client.TooMany:
		return exitUnavailable
	}
	switch refusal.Status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
		return exitUsage
	case http.StatusUnauthorized, http.StatusForbidden:
		return exitForbidden
	case http.StatusNotFound, http.StatusGone:
		return exitNotFound
	case http.StatusConflict, http.StatusPreconditionFailed, http.StatusUnprocessableEntity:
		return exitConflict
	}
	return exitFailed
}
