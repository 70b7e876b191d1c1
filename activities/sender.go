package activities

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"

	"signalbox/internal/tracing"
	"signalbox/notice"
)

// SenderOptions are the settings of a Sender. Zero values mean the contracts' own: 10 s in all, 3 s to connect.
type SenderOptions struct {
	Reach   notice.Reach  // where requests may lead besides the public Internet, and at which ports
	Timeout time.Duration // of a whole try where its address has none of its own, from the name look-up to the last byte read
	Connect time.Duration // of it, for the name look-up and the connection
	RootCAs *x509.CertPool
	Proxy   *url.URL         // http or https, by which all requests go; nil: straight
	Now     func() time.Time // required

	Installation string // what this installation calls itself to others; see notice.LoopHeader
	Mail         MailServer
	Tracer       *tracing.Tracer // nil: receivers are told of no trace
}

// Sender makes one try at a delivery: one POST, never redirected, TLS verified; or one mail handed in.
type Sender struct {
	clients clients // for addresses without TLS of their own
	own     ownClients
	timeout time.Duration
	now     func() time.Time

	installation string
	mail         mailer
	tracer       *tracing.Tracer
}

// SendTimeout bounds a whole try at a delivery whose address has no time-out of its own, from the name look-up to the last byte read (contracts, section 5). See docs/deadlines.md for what
// depends on it.
const SendTimeout = 10 * time.Second

const (
	userAgent = "Signalbox"
	// idle is how long a connection is kept for the next delivery. It is shorter than what common servers wait: where the server is just closing it, the
	// request has to be made again.
	idle = 3 * time.Second
	// maxError bounds the text kept of an error, in bytes.
	maxError = 300
)

// NewSender makes a Sender. It may be used by many at once.
func NewSender(o SenderOptions) *Sender {
	d := newDialling(o.Reach, cmp.Or(o.Connect, 3*time.Second), o.Proxy)
	return &Sender{
		clients: newClients(d, &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.RootCAs}),
		own:     ownClients{dialling: d, roots: o.RootCAs},
		timeout: cmp.Or(o.Timeout, SendTimeout),
		now:     o.Now,

		installation: o.Installation,
		tracer:       o.Tracer,
		mail:         mailer{MailServer: o.Mail, roots: o.RootCAs, connect: new(net.Dialer).DialContext},
	}
}

// Answer is what came back from one try. The attempt is not graded yet: whether a status counts is the profile's to say.
type Answer struct {
	Attempt    notice.Attempt
	RetryAfter time.Duration // what the receiver asked for; zero when it did not
	Stalled    bool          // the request went on beyond its end, and was given up
}

// Send makes one try. Every way in which a receiver can fail is part of the answer; an error means that ctx ended before the try did, and
// nothing can be said about it.
func (s *Sender) Send(ctx context.Context, w notice.Work) (Answer, error) {
	return s.send(ctx, w, s.now())
}

// send makes a try that begins now.
func (s *Sender) send(ctx context.Context, w notice.Work, now time.Time) (Answer, error) {
	out := Answer{Attempt: notice.Attempt{DeliveryID: w.Delivery.ID, StartedAt: now}}
	a := &out.Attempt
	limited, cancel := context.WithTimeout(ctx, cmp.Or(w.Subscription.Timeout, s.timeout))
	defer cancel()
	header, err := s.post(limited, w, a)
	a.FinishedAt = s.now()
	if err != nil && ctx.Err() != nil {
		return out, fmt.Errorf("send: %w", ctx.Err())
	}
	if err != nil {
		a.Class, a.Error, out.Stalled = classify(err), errorLine(err), errors.Is(err, errStalled)
	}
	out.RetryAfter = retryAfter(header.Get("Retry-After"), a.FinishedAt)
	return out, nil
}

// unsendable tells that nothing was sent, and will not be.
type unsendable string

func (u unsendable) Error() string { return string(u) }

// post notes in the attempt what was sent and what came back, and gives the answer's headers. With an error the status may be set: then the
// answer broke off.
func (s *Sender) post(ctx context.Context, w notice.Work, a *notice.Attempt) (http.Header, error) {
	if w.Unsendable != "" {
		return nil, unsendable(w.Unsendable)
	}
	if w.Subscription.Format.Letter() {
		return s.letter(ctx, w, a)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.Subscription.URL, bytes.NewReader(w.Delivery.Body))
	if err != nil {
		return nil, err
	}
	signed, err := notice.Sign(w.Subscription.Secret, w.Delivery.ID, a.StartedAt, w.Delivery.Body, w.Subscription.Older...)
	if err != nil {
		return nil, unsendable(err.Error())
	}
	request.Header.Set("Content-Type", "application/json")
	for name, value := range w.Subscription.Headers {
		request.Header.Set(name, value)
	}
	for _, ours := range []map[string]string{signed, w.TryHeaders(a.StartedAt)} {
		for name, value := range ours {
			request.Header.Set(name, value)
		}
	}
	request.Header.Set(notice.LoopHeader, notice.LoopInfo(s.installation, w.Delivery.Hops))
	through := s.clients
	if w.Subscription.TLS != nil {
		if through, err = s.own.of(*w.Subscription.TLS); err != nil {
			return nil, unsendable(err.Error())
		}
	}
	request, span := traced(request)
	if w.Delivery.Tries > 0 {
		span.Number(tracing.Resend, int64(w.Delivery.Tries))
	}
	s.tracer.Send(request.Context(), request.Header.Set)
	header, err := s.exchange(through, request, w.Subscription.Headers, a)
	endTraced(span, a.Status, err)
	return header, err
}

// traced begins the span of a request, and gives the request as it is within that. What is asked for is left out of it: addresses may be secret but for their host.
func traced(request *http.Request) (*http.Request, tracing.Span) {
	ctx, span := tracing.StartCall(request.Context(), request.Method)
	if !span.Recording() {
		return request, span
	}
	port, _ := strconv.Atoi(cmp.Or(request.URL.Port(), map[string]string{"http": "80", "https": "443"}[request.URL.Scheme]))
	span.Text(tracing.Method, request.Method)
	span.Text(tracing.Scheme, request.URL.Scheme)
	span.Text(tracing.Server, request.URL.Hostname())
	span.Number(tracing.ServerPort, int64(port))
	return request.WithContext(ctx), span
}

// endTraced ends it with what came of the request.
func endTraced(span tracing.Span, status int, err error) {
	if !span.Recording() {
		return
	}
	if status > 0 {
		span.Number(tracing.Status, int64(status))
	}
	switch {
	case err != nil:
		span.Fail(string(classify(err)))
	case status >= http.StatusBadRequest:
		span.Fail(strconv.Itoa(status))
	}
	span.End()
}

// letter sends what a person is told, by mail or to the webhook of a network, rendered for it and signed at this moment.
func (s *Sender) letter(ctx context.Context, w notice.Work, a *notice.Attempt) (http.Header, error) {
	l, err := notice.ReadLetter(w.Delivery.Body)
	if err != nil {
		return nil, unsendable("the letter cannot be read")
	}
	if w.Subscription.Format == notice.FormatMail {
		ctx, span := tracing.StartCall(ctx, "send mail")
		span.Text(tracing.Server, s.mail.Host)
		span.Number(tracing.ServerPort, int64(s.mail.Port))
		err := s.mail.send(ctx, w, l, a)
		if class := a.Class; err != nil || class != notice.ErrorNone {
			span.Fail(string(cmp.Or(class, classify(err))))
		}
		span.End()
		return nil, err
	}
	address, body, err := l.Post(w.Subscription.Format, w.Contact, a.StartedAt)
	if err != nil {
		return nil, unsendable(err.Error())
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, unsendable("the webhook is not a URL")
	}
	request.Header.Set("Content-Type", "application/json; charset=utf-8")
	request.Header.Set(notice.LoopHeader, notice.LoopInfo(s.installation, w.Delivery.Hops))
	request, span := traced(request)
	header, err := s.exchange(s.clients, request, nil, a)
	endTraced(span, a.Status, err)
	return header, err
}

// exchange makes a request and notes in the attempt what was sent and what came back; owners are the headers that the owner of the address had us add.
func (s *Sender) exchange(through clients, request *http.Request, owners map[string]string, a *notice.Attempt) (http.Header, error) {
	r, err := through.exchange(request, notice.MaxAnswer)
	a.Status, a.Answer = r.Status, r.Body
	a.Sent, a.Header = notice.SentHeaders(request.Header, owners), notice.AnswerHeaders(r.Header)
	return r.Header, err
}

// classify sorts an error by its types. Its texts are for people and change with versions.
func classify(err error) notice.ErrorClass {
	var blocked *notice.BlockedError
	var dns *net.DNSError
	var ours unsendable
	switch {
	case errors.As(err, &ours):
		return notice.ErrorUnsendable
	case errors.As(err, &blocked):
		return notice.ErrorBlocked
	case errors.As(err, new(*proxyError)):
		return notice.ErrorProxy
	case errors.As(err, &dns):
		return notice.ErrorDNS
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded): // the whole time, or that for connecting
		return notice.ErrorTimeout
	case tlsFault(err):
		return notice.ErrorTLS
	case foldFault(err):
		return notice.ErrorBadBody
	}
	return notice.ErrorConnect
}

func tlsFault(err error) bool {
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var operation *net.OpError
	return errors.As(err, &certificate) || errors.As(err, &record) || errors.Is(err, http.ErrSchemeMismatch) ||
		// crypto/tls reports alerts under these two words; the alerts' own type is not exported.
		errors.As(err, &operation) && (operation.Op == "remote error" || operation.Op == "local error")
}

// errorLine makes an error one line for a person. It leaves out what a subscriber has no business to know: addresses of our machines, of our
// name servers and of what a name leads to inside our network.
func errorLine(err error) string {
	var outer *url.Error
	var blocked *notice.BlockedError
	var proxy *proxyError
	var dns *net.DNSError
	var operation *net.OpError
	over := errors.Is(err, context.DeadlineExceeded) // which may be said around the other
	if errors.As(err, &outer) {
		err = outer.Err
	}
	switch {
	case errors.As(err, &blocked):
		err = blocked
	case errors.As(err, &proxy):
		err = proxy
	case errors.As(err, &dns):
		err = fmt.Errorf("look up %s: %s", dns.Name, dns.Err)
	case over && errors.As(err, &operation) && operation.Op == "dial":
		err = errors.New("no connection in time")
	case over:
		err = errors.New("the time was over")
	case errors.As(err, &operation):
		err = fmt.Errorf("%s: %w", operation.Op, operation.Err)
	}
	text := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(err.Error(), "?"))
	if len(text) > maxError {
		text = strings.ToValidUTF8(text[:maxError], "") + "…"
	}
	return text
}

// retryAfter reads the header of RFC 9110, section 10.2.3: seconds, however many, or a date.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(value); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(max(seconds, 0), 1<<31)) * time.Second
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(date.Sub(now), 0)
	}
	return 0
}
