package api

import (
	"errors"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"

	"signalbox/notice"
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

	ConcurrentRequests    int            `split_words:"true" default:"1000" desc:"requests that a process works on at once; one more is answered with 503"`
	ConnectionsPerAddress int            `split_words:"true" default:"1000" desc:"connections that a process keeps with one address (IPv6: /64) other than a trusted proxy; -1: any number"`
	AppRate               int            `split_words:"true" default:"0" desc:"requests a minute that are taken from an app that has no limit of its own; 0: any number"`
	FailedLogins          int            `split_words:"true" default:"60" desc:"log-ins a minute that may fail from one address, and ten times as many with one app code, by process; -1: any number"`
	SignatureReplays      Replays        `split_words:"true" default:"brief" desc:"copies of a signed request that are taken: brief (within two seconds of its date, or where it was refused), strict (none), off (all)"`
	TrustedProxies        []netip.Prefix `split_words:"true" desc:"networks of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed, as CIDR"`
	CORSOrigins           Origins        `split_words:"true" desc:"web pages that may call from a browser, such as https://tickets.example.com; none unless set"`
	TLSCert               string         `split_words:"true" desc:"file with the certificate chain (PEM) to serve TLS with; read anew when it changes and on SIGHUP; plain HTTP unless set"`
	TLSKey                string         `split_words:"true" desc:"file with the private key of it (PEM)"`

	IncidentTypes       []string      `split_words:"true" default:"inc_type_p_config_issues,inc_type_p_security_issues,inc_type_p_function_issues,inc_type_p_reliability_issues,inc_type_p_middleware_issues,inc_type_p_change_issues" desc:"words taken for mtm_type and incident_type"`
	ExceptionsPerMinute int           `split_words:"true" default:"60" desc:"callbacks a minute that are taken from one external system, by tenant (exception family)"`
	ExceptionClockAhead time.Duration `split_words:"true" default:"5m" desc:"how far updatedAt of a callback may lie ahead of our clock (exception family)"`
	Callbacks
}

// Callbacks are the settings about addresses that callers name, which whoever takes them and whoever sends to them have in common.
type Callbacks struct {
	CallbackAllow []netip.Prefix `split_words:"true" desc:"networks that are not public and may be sent notifications and requests all the same, as CIDR"`
	CallbackPorts []uint16       `split_words:"true" desc:"ports that may be sent notifications and requests, such as 80,443; any unless set"`
}

// Reach is where such addresses may lead.
func (c Callbacks) Reach() notice.Reach {
	return notice.Reach{Networks: c.CallbackAllow, Ports: c.CallbackPorts}
}

// DefaultIncidentTypes are the values of incident_type and mtm_type that real systems were seen to use.
var DefaultIncidentTypes = Config{}.Defaults().IncidentTypes

// retryAfter is what a caller is told to wait, in whole seconds, by kind of refusal.
var retryAfter = map[ticket.Code]int{ticket.Busy: 1, ticket.TooMany: 60, ticket.Unavailable: 2}

// spread is up to how many seconds more somebody is told to wait who met what is away: all who did so would come back at once.
const spread = 5

// Defaults gives the config with every member that is zero set to the default that its tag says.
func (c Config) Defaults() Config {
	members := reflect.ValueOf(&c).Elem()
	for i := range members.NumField() {
		member, text := members.Field(i), members.Type().Field(i).Tag.Get("default")
		if text == "" || !member.IsZero() && (member.Kind() != reflect.Slice || member.Len() > 0) {
			continue
		}
		var err error
		switch value := member.Addr().Interface().(type) {
		case *int:
			*value, err = strconv.Atoi(text)
		case *time.Duration:
			*value, err = time.ParseDuration(text)
		case *Replays:
			err = value.Decode(text)
		case *[]string:
			*value = strings.Split(text, ",")
		default:
			err = errors.ErrUnsupported
		}
		if err != nil {
			panic("api: the default of " + members.Type().Field(i).Name + ": " + err.Error()) // the tags are part of the program
		}
	}
	return c
}
