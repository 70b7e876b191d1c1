package service

import (
	"time"

	"signalbox/api"
	"signalbox/api/houseapi"
	"signalbox/flow"
	"signalbox/ticket"
)

// published is the result of publishing: the integer ids are what clients of the itsm family name services and nodes by.
type published struct {
	Key     string     `json:"key"`
	Number  int64      `json:"number"`
	Version int        `json:"version"`
	Nodes   []numbered `json:"nodes"`
}

type numbered struct {
	ID     string `json:"id"`
	Number int64  `json:"number"`
}

func publishedOf(def flow.Definition) published {
	return published{Key: def.Key, Number: def.Number, Version: def.Version, Nodes: numbersOf(def)}
}

func numbersOf(def flow.Definition) []numbered {
	return api.Each(def.Nodes, func(n flow.Node) numbered { return numbered{n.ID, n.Number} })
}

// line is a service in the list.
type line struct {
	Key         string `json:"key"`
	Number      int64  `json:"number"`
	Name        string `json:"name"`
	Description string `json:"description"`
	ServiceType string `json:"service_type"`
	Version     int    `json:"version"`
	BuiltIn     bool   `json:"built_in"`
	Enabled     bool   `json:"enabled"`
}

// defaultType is what a definition without a type of service is.
const defaultType = "request"

func lineOf(r ticket.ServiceRecord) line {
	l := line{Key: r.Key, Number: r.Number, Name: r.Name, Description: r.Description, ServiceType: r.ServiceType, Version: r.Version,
		BuiltIn: r.BuiltIn, Enabled: r.Enabled}
	if l.ServiceType == "" {
		l.ServiceType = defaultType
	}
	return l
}

// version is one version of a service in the list of its versions.
type version struct {
	Version     int        `json:"version"`
	Name        string     `json:"name"`
	PublishedBy string     `json:"published_by,omitempty"` // the app
	PublishedAt *time.Time `json:"published_at,omitempty"`
	Nodes       []numbered `json:"nodes"`
}

func versionOf(r ticket.ServiceRecord) version {
	v := version{Version: r.Version, Name: r.Name, PublishedBy: r.PublishedBy, Nodes: numbersOf(r.Definition)}
	if !r.BuiltIn {
		v.PublishedAt = api.UTC(&r.PublishedAt)
	}
	return v
}

// rotated is the new secret of a service, which is told this once.
type rotated struct {
	Key    string `json:"key"`
	Secret string `json:"secret"`
}

// report is what a simulation came to, with durations as definitions spell them.
type report struct {
	ticket.Simulation
	Path          []ticket.TimedEntry `json:"path"`
	Notifications []ticket.TimedEntry `json:"notifications"`
	Timers        []flow.Timer        `json:"timers"`
	Calls         []call              `json:"calls"`
	Deliveries    []houseapi.Delivery `json:"deliveries"`
}

type call struct {
	flow.PendingCall
	Timeout  string `json:"timeout"`
	Interval string `json:"interval"`
}

func reportOf(p houseapi.Played) report {
	r := p.Simulation
	out := report{Deliveries: p.Deliveries, Simulation: r, Path: api.List(r.Path), Notifications: api.List(r.Notifications), Timers: api.List(r.Timers), Calls: []call{}}
	for _, c := range r.Calls {
		out.Calls = append(out.Calls, call{PendingCall: c, Timeout: c.Timeout.String(), Interval: c.Interval.String()})
	}
	return out
}
