package main

import (
	"context"
	"os"

	"github.com/ogen-go/ogen/ogenerrors"

	"generated/ogen/audit"
	"generated/ogen/codec"
	"generated/ogen/exception"
	"generated/ogen/incident"
	"generated/ogen/issue"
	"generated/ogen/itsm"
	"generated/ogen/publish"
	"generated/ogen/service"
	"generated/ogen/subscription"
)

// Each client asks for every credential that its document knows. These give the key and none of the others.

func key() string { return "Access_Key " + os.Getenv("SIGNALBOX_KEY") }

var none = ogenerrors.ErrSkipClientSecurity

type (
	issueKey        struct{}
	incidentKey     struct{}
	publishKey      struct{}
	exceptionKey    struct{}
	serviceKey      struct{}
	subscriptionKey struct{}
	auditKey        struct{}
	codecKey        struct{}
	itsmKey         struct{}
)

func (issueKey) AccessKey(context.Context, issue.OperationName) (issue.AccessKey, error) {
	return issue.AccessKey{APIKey: key()}, nil
}
func (issueKey) Bearer(context.Context, issue.OperationName) (k issue.Bearer, err error) {
	return k, none
}
func (issueKey) Token(context.Context, issue.OperationName) (k issue.Token, err error) {
	return k, none
}

func (incidentKey) AccessKey(context.Context, incident.OperationName) (incident.AccessKey, error) {
	return incident.AccessKey{APIKey: key()}, nil
}
func (incidentKey) Bearer(context.Context, incident.OperationName) (k incident.Bearer, err error) {
	return k, none
}
func (incidentKey) Signature(context.Context, incident.OperationName) (k incident.Signature, err error) {
	return k, none
}
func (incidentKey) Token(context.Context, incident.OperationName) (k incident.Token, err error) {
	return k, none
}

func (publishKey) AccessKey(context.Context, publish.OperationName) (publish.AccessKey, error) {
	return publish.AccessKey{APIKey: key()}, nil
}
func (publishKey) Application(context.Context, publish.OperationName) (k publish.Application, err error) {
	return k, none
}
func (publishKey) Bearer(context.Context, publish.OperationName) (k publish.Bearer, err error) {
	return k, none
}
func (publishKey) Token(context.Context, publish.OperationName) (k publish.Token, err error) {
	return k, none
}

func (exceptionKey) AccessKey(context.Context, exception.OperationName) (exception.AccessKey, error) {
	return exception.AccessKey{APIKey: key()}, nil
}
func (exceptionKey) Bearer(context.Context, exception.OperationName) (k exception.Bearer, err error) {
	return k, none
}

func (serviceKey) AccessKey(context.Context, service.OperationName) (service.AccessKey, error) {
	return service.AccessKey{APIKey: key()}, nil
}
func (serviceKey) Bearer(context.Context, service.OperationName) (k service.Bearer, err error) {
	return k, none
}
func (serviceKey) Token(context.Context, service.OperationName) (k service.Token, err error) {
	return k, none
}

func (subscriptionKey) AccessKey(context.Context, subscription.OperationName) (subscription.AccessKey, error) {
	return subscription.AccessKey{APIKey: key()}, nil
}
func (subscriptionKey) Bearer(context.Context, subscription.OperationName) (k subscription.Bearer, err error) {
	return k, none
}
func (subscriptionKey) Token(context.Context, subscription.OperationName) (k subscription.Token, err error) {
	return k, none
}

func (auditKey) AccessKey(context.Context, audit.OperationName) (audit.AccessKey, error) {
	return audit.AccessKey{APIKey: key()}, nil
}
func (auditKey) Bearer(context.Context, audit.OperationName) (k audit.Bearer, err error) {
	return k, none
}
func (auditKey) Token(context.Context, audit.OperationName) (k audit.Token, err error) {
	return k, none
}

func (codecKey) AccessKey(context.Context, codec.OperationName) (codec.AccessKey, error) {
	return codec.AccessKey{APIKey: key()}, nil
}
func (codecKey) Bearer(context.Context, codec.OperationName) (k codec.Bearer, err error) {
	return k, none
}
func (codecKey) Session(context.Context, codec.OperationName) (k codec.Session, err error) {
	return k, none
}
func (codecKey) Token(context.Context, codec.OperationName) (k codec.Token, err error) {
	return k, none
}

func (itsmKey) AccessKey(context.Context, itsm.OperationName) (itsm.AccessKey, error) {
	return itsm.AccessKey{APIKey: key()}, nil
}
func (itsmKey) Bearer(context.Context, itsm.OperationName) (k itsm.Bearer, err error) { return k, none }
func (itsmKey) Header(context.Context, itsm.OperationName) (k itsm.Header, err error) { return k, none }
