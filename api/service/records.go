// Package service is the part of the house API that publishes, shows and tries out the processes that tickets run through.
package service

import (
	"context"

	"signalbox/api/houseapi"
	"signalbox/flow"
	"signalbox/ticket"
)

// Services is the read model as this family sees it, and what it publishes into. Built-in services are there for every tenant.
type Services interface {
	// ServicePage lists the latest versions, those of disabled services included, in the order in which they were first published.
	ServicePage(ctx context.Context, tenant, cursor string, limit int) (list []ticket.ServiceRecord, next string, err error)
	// ServiceRecord gives the latest version of a service; NotFound when there is none of this key.
	ServiceRecord(ctx context.Context, tenant, key string) (ticket.ServiceRecord, error)
	// ServiceVersions lists the versions of a service, the latest first; NotFound likewise.
	ServiceVersions(ctx context.Context, tenant, key, cursor string, limit int) (list []ticket.ServiceRecord, next string, err error)
	// ServiceVersion gives one version, which never changes; NotFound when there is none.
	ServiceVersion(ctx context.Context, tenant, key string, version int) (flow.Definition, error)
	// PublishWritten makes a definition without faults the next version of its service, and gives it with its version and integer ids. One that
	// says what the latest version says is that version. Conflict: the key is that of a built-in service, or there are too many. Joins the
	// transaction of ctx.
	//
	// The text that it was read from is kept beside the version, which ServiceText gives; empty: there is none.
	PublishWritten(ctx context.Context, tenant, app string, def flow.Definition, text string) (flow.Definition, error)
	ServiceText(ctx context.Context, tenant, key string, version int) (string, error)
	// EnableService says whether a service opens new tickets; NotFound, and Conflict where it is built in. Joins the transaction of ctx.
	EnableService(ctx context.Context, tenant, key string, enabled bool) error
	houseapi.Surroundings
	// RotateService gives a service a new secret, which the requests of its processes are signed with; the one before it signs on for 24 hours.
	// NotFound; Conflict: it is built in; TooMany: too often within these. Joins the transaction of ctx.
	RotateService(ctx context.Context, tenant, key string) (secret string, err error)
}
