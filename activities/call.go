package activities

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sethvargo/go-retry"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"signalbox/flow"
	"signalbox/internal/tracing"
	"signalbox/notice"
	"signalbox/ticket"
)

// CallInput is a request that a ticket's process waits for.
type CallInput struct {
	Ticket  ticket.Identity  `json:"ticket"`
	Service string           `json:"service,omitempty"` // that the ticket runs through; empty in inputs of earlier builds
	Hops    int              `json:"hops,omitempty"`    // of what the ticket makes it because of
	Call    flow.PendingCall `json:"owed"`
}

// Secrets is what the requests of processes are signed with.
type Secrets interface {
	// CallSecrets gives the secret of the service that the ticket runs through, made when it is first asked for, and earlier ones that still
	// sign. Where service is empty it is looked up by the ticket. Unavailable: the database does not answer.
	CallSecrets(ctx context.Context, t ticket.Identity, service string) (secret string, older []string, err error)
}

// typeFault is the type of the error after which a request is made again.
const typeFault = "fault"

// CallService makes one attempt at a request of a process, through the same guard as deliveries and signed like them (Standard Webhooks). An
// answer that is worth another attempt (none at all, HTTP 408, 425, 429 or 5xx) is an error, so that Temporal makes one by the node's policy; of
// the last attempt the error tells what there was. So is a request that could not be signed: it is not sent. What any other answer means is for
// the process to say; of one that is larger than flow.MaxAnswer it is told the size alone, because half an answer says something else. One that is no
// UTF-8 is not taken either: what would be kept of it is not what was sent.
//
// Every attempt carries the same Idempotency-Key and webhook-id, so that a receiver can tell a repetition from a second request.
//
// An attempt that is cancelled breaks its request off.
func (d *Deliveries) CallService(ctx context.Context, in CallInput) (flow.Called, error) {
	defer beat(ctx, callBeat)()
	answer := flow.Called{Node: in.Call.Node, Round: in.Call.Round, Try: in.Call.Try}
	began := d.Now()
	signed, err := d.signCall(ctx, in)
	var r reply
	if err == nil {
		r, err = d.Sender.call(ctx, in, signed)
	}
	if errors.Is(err, errStalled) {
		d.stalled(ctx, stalledCall, "ticket", in.Ticket.Number, "node", in.Call.Node)
	}
	fault := ""
	switch {
	case err != nil && ctx.Err() != nil:
		return answer, ctx.Err()
	case err != nil:
		fault = errorLine(err)
	default:
		fault = flow.TryAgain(r.Status)
	}
	d.log().InfoContext(ctx, "service.called", "ticket", in.Ticket.Number, "node", in.Call.Node, "round", in.Call.Round, "status", r.Status,
		"error", fault, "took", d.Now().Sub(began))
	if fault != "" {
		return answer, temporal.NewApplicationError(fault, typeFault, fault)
	}
	if r.Folded { // these two tell of what was sent, not of what was in it
		r.Header.Del("Content-Encoding")
		r.Header.Del("Content-Length")
	}
	if answer.Status = r.Status; len(r.Body) > flow.MaxAnswer {
		size, err := strconv.ParseInt(r.Header.Get("Content-Length"), 10, 64)
		if err != nil {
			size = -1
		}
		answer.Error = flow.TooLarge(r.Status, size)
		return answer, nil
	}
	if !utf8.Valid(r.Body) {
		answer.Error = flow.NotText(r.Status, "body")
		return answer, nil
	}
	headers := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		value := r.Header.Get(name)
		if !utf8.ValidString(value) {
			answer.Error = flow.NotText(r.Status, "header "+name)
			return answer, nil
		}
		headers[strings.ToLower(name)] = value
	}
	answer.Body, answer.Headers = string(r.Body), headers
	return answer, nil
}

// callBeat is how often an attempt gives a sign of life. The first comes late, because most requests are answered before.
const callBeat = 5 * time.Second

// beat gives signs of life until it is told to stop: it is with them that an activity hears of its cancellation.
func beat(ctx context.Context, every time.Duration) (stop func()) {
	if !activity.IsActivity(ctx) {
		return func() {}
	}
	done := make(chan struct{})
	go func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				activity.RecordHeartbeat(ctx)
			case <-done:
				return
			}
		}
	}()
	return func() { close(done) }
}

// callID names a request: the same on every attempt at it, another one when somebody has it made again.
func callID(in CallInput) string {
	if in.Call.Key != "" {
		return in.Ticket.Number + ":" + in.Call.Key
	}
	return fmt.Sprintf("%s:%s:%d:%d", in.Ticket.Number, in.Call.Node, in.Call.Round, in.Call.Try) // of tickets of flow.RulesFirst
}

// ReportTime is what an attempt keeps of its time for telling Temporal how it came out.
const ReportTime = time.Second

// signCall gives the headers that sign an attempt made now. An attempt has more time than its request may take; while the database does not
// answer it is waited for in what is left over, because an attempt that is given up is one less of those that the node has.
func (d *Deliveries) signCall(ctx context.Context, in CallInput) (map[string]string, error) {
	limited := ctx
	if end, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		limited, cancel = context.WithDeadline(ctx, end.Add(-in.Call.Timeout-ReportTime))
		defer cancel()
	}
	var secret string
	var older []string
	err := retry.Do(limited, faultBackoff(), func(limited context.Context) (err error) {
		secret, older, err = d.Secrets.CallSecrets(limited, in.Ticket, in.Service)
		if err == nil {
			return nil
		}
		d.log().ErrorContext(ctx, "service.unsigned", "ticket", in.Ticket.Number, "node", in.Call.Node, "error", err)
		if ticket.Is(err, ticket.Unavailable) {
			return retry.RetryableError(err)
		}
		return unsendable("the signing secret of the service cannot be read")
	})
	var final unsendable
	switch {
	case err == nil:
		return notice.Sign(secret, callID(in), d.Now(), []byte(in.Call.Body), older...)
	case errors.As(err, &final):
		return nil, final
	}
	return nil, unsendable("the signing secret of the service could not be read in time")
}

// call sends a request of a process as its node describes it. What only we can say of it is ours even where a node, published before that was
// refused, says something else.
func (s *Sender) call(ctx context.Context, in CallInput, signed map[string]string) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, in.Call.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, in.Call.Method, notice.AddressOf(in.Call.URL).URL, strings.NewReader(in.Call.Body))
	if err != nil {
		return reply{}, err
	}
	if in.Call.Body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for name, value := range in.Call.Headers {
		if !flow.Reserved(name) {
			request.Header.Set(name, value)
		}
	}
	request.Header.Set("Idempotency-Key", callID(in))
	for name, value := range signed {
		request.Header.Set(name, value)
	}
	request.Header.Set(notice.LoopHeader, notice.LoopInfo(s.installation, in.Hops))
	request, span := traced(request)
	span.Text(tracing.Ticket, in.Ticket.Number)
	span.Text(tracing.Node, in.Call.Node)
	span.Number(tracing.Round, int64(in.Call.Round))
	s.tracer.Send(request.Context(), request.Header.Set)
	r, err := s.clients.exchange(request, flow.MaxAnswer+1)
	endTraced(span, r.Status, err)
	return r, err
}

// LostCall is what was wrong with an attempt of which nothing was heard.
const LostCall = "the attempt was lost with the process that made it, or took too long"

// CallError tells a person what was wrong with the last attempt at a request.
func CallError(err error) string {
	var app *temporal.ApplicationError
	var text string
	if errors.As(err, &app) && app.HasDetails() && app.Details(&text) == nil {
		return text
	}
	var timeout *temporal.TimeoutError
	if errors.As(err, &timeout) {
		return LostCall
	}
	return "the request could not be made"
}
