package activities

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"go.temporal.io/sdk/temporal"

	"signalbox/flow"
	"signalbox/ticket"
)

// CallInput is a request that a ticket's process waits for.
type CallInput struct {
	Ticket ticket.Identity `json:"ticket"`
	Owed   flow.Owed       `json:"owed"`
}

// typeFault is the type of the error after which a request is made again.
const typeFault = "fault"

// maxCallAnswer bounds how much of an answer a process gets to see, in bytes. It becomes part of the ticket's history.
const maxCallAnswer = 64 << 10

// CallService makes one attempt at a request of a process, through the same guard as deliveries. An answer that is worth another attempt
// (none at all, HTTP 408, 425, 429 or 5xx) is an error, so that Temporal makes one by the node's policy; of the last attempt the error tells
// what there was. What any other answer means is for the process to say.
//
// Every attempt carries the same Idempotency-Key, so that a receiver can tell a repetition from a second request.
func (d *Deliveries) CallService(ctx context.Context, in CallInput) (flow.Called, error) {
	answer := flow.Called{Node: in.Owed.Node, Round: in.Owed.Round, Try: in.Owed.Try}
	began := d.Now()
	status, header, body, err := d.Sender.call(ctx, in)
	fault := ""
	switch {
	case err != nil && ctx.Err() != nil:
		return answer, ctx.Err()
	case err != nil:
		fault = line(err)
	case status >= 500, status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests:
		fault = fmt.Sprintf("HTTP %d", status)
	}
	d.log().InfoContext(ctx, "service.called", "ticket", in.Ticket.Number, "node", in.Owed.Node, "round", in.Owed.Round, "status", status,
		"error", fault, "took", d.Now().Sub(began))
	if fault != "" {
		return answer, temporal.NewApplicationError(fault, typeFault, fault)
	}
	answer.Status, answer.Body, answer.Headers = status, strings.ToValidUTF8(string(body), "\uFFFD"), map[string]string{}
	for name := range header {
		answer.Headers[strings.ToLower(name)] = header.Get(name)
	}
	return answer, nil
}

// call sends a request of a process as its node describes it.
func (s *Sender) call(ctx context.Context, in CallInput) (int, http.Header, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, in.Owed.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, in.Owed.Method, in.Owed.URL, strings.NewReader(in.Owed.Body))
	if err != nil {
		return 0, nil, nil, err
	}
	if in.Owed.Body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	request.Header.Set("Idempotency-Key", fmt.Sprintf("%s:%s:%d:%d", in.Ticket.Number, in.Owed.Node, in.Owed.Round, in.Owed.Try))
	for name, value := range in.Owed.Headers {
		request.Header.Set(name, value)
	}
	return s.exchange(request, maxCallAnswer)
}

// CallError tells a person what was wrong with the last attempt at a request.
func CallError(err error) string {
	var app *temporal.ApplicationError
	var text string
	if errors.As(err, &app) && app.HasDetails() && app.Details(&text) == nil {
		return text
	}
	var timeout *temporal.TimeoutError
	if errors.As(err, &timeout) {
		return "the attempt was lost with the process that made it, or took too long"
	}
	return "the request could not be made"
}
