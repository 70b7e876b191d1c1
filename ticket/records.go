package ticket

import (
	"time"

	"signalbox/flow"
)

// MessageRecord is a message as the read model keeps it.
type MessageRecord struct {
	Message
	CreatedAt time.Time
	UpdatedAt time.Time
}

// ServiceRecord is a version of a service as the read model keeps it.
type ServiceRecord struct {
	flow.Definition
	BuiltIn     bool      // part of the program: nobody published it, and it cannot be changed
	Enabled     bool      // the service opens new tickets; the same for all its versions
	PublishedBy string    // the app; empty where it is built in
	PublishedAt time.Time // likewise
}

// MaxServices is how many services a tenant can have, beside the built-in ones.
const MaxServices = 1_000
