// Package client calls Signalbox from Go.
//
// [New] gives a [Client]. Its members have every call of the house API and of the families publish and exception, in packages generated from the OpenAPI
// documents; its methods are for what most callers do: opening, reading and acting on tickets, lists as iterators, following the change feed.
//
// Whatever a call is made by, it carries the credential and, where it changes something, an idempotency key that is made once and kept: a connection
// that breaks, in the middle of the answer too, and an answer that says "not now" have the request sent again, and it is done once. A call ends with its
// context. One that is refused fails with an [*Error], one that nobody answered with an [*Unanswered].
//
// Receivers of webhooks verify them by package signalbox/client/webhook.
package client

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"signalbox/client/audit"
	"signalbox/client/calendar"
	"signalbox/client/directory"
	"signalbox/client/exception"
	"signalbox/client/issue"
	"signalbox/client/publish"
	"signalbox/client/service"
	"signalbox/client/subscription"
)

// Client calls one Signalbox as one app. It may be used by many at once.
type Client struct {
	Issue        *issue.ClientWithResponses
	Service      *service.ClientWithResponses
	Subscription *subscription.ClientWithResponses
	Calendar     *calendar.ClientWithResponses
	Directory    *directory.ClientWithResponses
	Audit        *audit.ClientWithResponses
	Publish      *publish.ClientWithResponses
	Exception    *exception.ClientWithResponses
}

// Options say how calls are made. The zero value is for an address that asks for no credential.
type Options struct {
	Secret string // of the app; sent as "Authorization: Access_Key <secret>", and to no other address

	// HTTP makes the connections; nil: as http.DefaultTransport does, proxies of the environment included. Redirects are not followed, whatever it says.
	HTTP *http.Client

	Tries     int           // how often a request is sent at most; 0: 6. 1: it is never repeated
	Timeout   time.Duration // how long one try may take, answer included; 0: 30 s
	Patience  time.Duration // the longest wait before another try; who is told to wait longer fails with that answer. 0: 30 s
	UserAgent string        // empty: signalbox-client
}

// Defaults of Options.
const (
	DefaultTries    = 6
	DefaultTimeout  = 30 * time.Second
	DefaultPatience = 30 * time.Second
)

// New makes a client for an address such as https://tickets.example.com; it may have a path that all calls are under. It calls nobody yet.
func New(address string, o Options) (*Client, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return nil, errors.New("client: the address is no URL") // its text may hold a password
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, fmt.Errorf("client: the address must begin with http:// or https:// and name a host: %s", u.Redacted())
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("client: the address has a user, a query or a fragment; the secret is an option of its own")
	case strings.ContainsFunc(o.Secret, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return nil, errors.New("client: the secret has characters that no secret has, such as a line break")
	}
	t := newTransport(o)
	c := &Client{}
	var errs [8]error
	c.Issue, errs[0] = issue.NewClientWithResponses(address, issue.WithHTTPClient(t))
	c.Service, errs[1] = service.NewClientWithResponses(address, service.WithHTTPClient(t))
	c.Subscription, errs[2] = subscription.NewClientWithResponses(address, subscription.WithHTTPClient(t))
	c.Calendar, errs[3] = calendar.NewClientWithResponses(address, calendar.WithHTTPClient(t))
	c.Directory, errs[4] = directory.NewClientWithResponses(address, directory.WithHTTPClient(t))
	c.Audit, errs[5] = audit.NewClientWithResponses(address, audit.WithHTTPClient(t))
	c.Publish, errs[6] = publish.NewClientWithResponses(address, publish.WithHTTPClient(t))
	c.Exception, errs[7] = exception.NewClientWithResponses(address, exception.WithHTTPClient(t))
	if err := errors.Join(errs[:]...); err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	return c, nil
}
