package api

import (
	"net/netip"
	"time"

	"signalbox/ticket"
)

// Config tunes the front desk. The zero value of a member means its default. The tags are for envconfig.
type Config struct {
	BodyLimit      int           `split_words:"true" default:"1048576" desc:"largest request body, in bytes"`
	HeaderLimit    int           `split_words:"true" default:"16384" desc:"largest request line and headers together, in bytes"`
	RequestTimeout time.Duration `split_words:"true" default:"10s" desc:"how long a request may take before it is answered with 503"`
	ReadTimeout    time.Duration `split_words:"true" default:"30s" desc:"how long a caller may take to send a request"`
	WriteTimeout   time.Duration `split_words:"true" default:"30s" desc:"how long a caller may take to receive an answer"`
	IdleTimeout    time.Duration `split_words:"true" default:"90s" desc:"how long an idle connection is kept"`

	IncidentTypes       []string       `split_words:"true" default:"inc_type_p_config_issues,inc_type_p_security_issues,inc_type_p_function_issues,inc_type_p_reliability_issues,inc_type_p_middleware_issues,inc_type_p_change_issues" desc:"words taken for mtm_type and incident_type"`
	ExceptionsPerMinute int            `split_words:"true" default:"60" desc:"callbacks a minute that are taken from one external system, by tenant (exception family)"`
	CallbackAllow       []netip.Prefix `split_words:"true" desc:"networks that notification addresses may name although they are not public, as CIDR"`
}

// DefaultIncidentTypes are the values of incident_type and mtm_type that real systems were seen to use.
var DefaultIncidentTypes = []string{
	"inc_type_p_config_issues", "inc_type_p_security_issues", "inc_type_p_function_issues", "inc_type_p_reliability_issues",
	"inc_type_p_middleware_issues", "inc_type_p_change_issues",
}

// retryAfter is what a caller is told to wait, in whole seconds, by kind of refusal.
var retryAfter = map[ticket.Code]int{ticket.Busy: 1, ticket.TooMany: 60, ticket.Unavailable: 2}

// Defaults gives the config with every unset member filled in.
func (c Config) Defaults() Config {
	or(&c.BodyLimit, 1<<20)
	or(&c.HeaderLimit, 16<<10)
	or(&c.RequestTimeout, 10*time.Second)
	or(&c.ReadTimeout, 30*time.Second)
	or(&c.WriteTimeout, 30*time.Second)
	or(&c.IdleTimeout, 90*time.Second)
	or(&c.ExceptionsPerMinute, 60)
	if len(c.IncidentTypes) == 0 {
		c.IncidentTypes = DefaultIncidentTypes
	}
	return c
}

func or[T comparable](value *T, otherwise T) {
	var zero T
	if *value == zero {
		*value = otherwise
	}
}
