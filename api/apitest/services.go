package apitest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"

	"signalbox/flow"
	"signalbox/notice"
	"signalbox/ticket"
)

// shelf is one service of one tenant.
type shelf struct {
	tenant, key string
	disabled    bool
	secrets     int                    // that it has had
	versions    []ticket.ServiceRecord // oldest first
}

func (s *shelf) record(i int) ticket.ServiceRecord {
	r := s.versions[i]
	r.Enabled = !s.disabled
	return r
}

var (
	errNoService = ticket.Refuse(ticket.NotFound, "there is no such service")
	errNoVersion = ticket.Refuse(ticket.NotFound, "the service has no such version")
)

// shelf finds a service, a built-in one for every tenant. The caller holds mu.
func (h *House) shelf(tenant, key string) *shelf {
	if process, ok := flow.Builtin()[key]; ok {
		return &shelf{tenant: tenant, key: key, versions: []ticket.ServiceRecord{{Definition: process.Definition(), BuiltIn: true}}}
	}
	for _, s := range h.services {
		if s.tenant == tenant && s.key == key {
			return s
		}
	}
	return nil
}

// ServiceRecords lists the latest versions of all services.
func (h *House) ServiceRecords(_ context.Context, tenant string) ([]ticket.ServiceRecord, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []ticket.ServiceRecord
	for _, key := range []string{flow.ServiceIncident, flow.ServiceFastApproval} {
		list = append(list, h.shelf(tenant, key).record(0))
	}
	for _, s := range h.services {
		if s.tenant == tenant {
			list = append(list, s.record(len(s.versions)-1))
		}
	}
	return list, h.Err
}

// Services lists the latest definitions of all services.
func (h *House) Services(ctx context.Context, tenant string) ([]flow.Definition, error) {
	records, err := h.ServiceRecords(ctx, tenant)
	var list []flow.Definition
	for _, r := range records {
		list = append(list, r.Definition)
	}
	return list, err
}

// ServiceVersions lists the versions of a service, the latest first.
func (h *House) ServiceVersions(_ context.Context, tenant, key string) ([]ticket.ServiceRecord, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.shelf(tenant, key)
	if s == nil {
		return nil, errNoService
	}
	var list []ticket.ServiceRecord
	for i := range s.versions {
		list = append(list, s.record(i))
	}
	slices.Reverse(list)
	return list, h.Err
}

// ServiceRecord gives the latest version of a service.
func (h *House) ServiceRecord(ctx context.Context, tenant, key string) (ticket.ServiceRecord, error) {
	list, err := h.ServiceVersions(ctx, tenant, key)
	if err != nil {
		return ticket.ServiceRecord{}, err
	}
	return list[0], nil
}

// Service gives the latest definition of a service.
func (h *House) Service(ctx context.Context, tenant, key string) (flow.Definition, error) {
	r, err := h.ServiceRecord(ctx, tenant, key)
	return r.Definition, err
}

// ServiceByNumber finds a service by its integer id.
func (h *House) ServiceByNumber(ctx context.Context, tenant string, number int64) (flow.Definition, error) {
	list, err := h.Services(ctx, tenant)
	if err != nil {
		return flow.Definition{}, err
	}
	for _, def := range list {
		if def.Number == number {
			return def, nil
		}
	}
	return flow.Definition{}, errNoService
}

// ServiceVersion gives one version of a service.
func (h *House) ServiceVersion(ctx context.Context, tenant, key string, version int) (flow.Definition, error) {
	list, err := h.ServiceVersions(ctx, tenant, key)
	if err != nil {
		return flow.Definition{}, err
	}
	for _, r := range list {
		if r.Version == version {
			return r.Definition, nil
		}
	}
	return flow.Definition{}, errNoVersion
}

// PublishService makes a definition the next version of its service.
func (h *House) PublishService(_ context.Context, tenant, app string, def flow.Definition) (flow.Definition, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.Err != nil {
		return def, h.Err
	}
	s := h.shelf(tenant, def.Key)
	switch {
	case s == nil:
		s = &shelf{tenant: tenant, key: def.Key}
		h.services = append(h.services, s)
	case s.versions[0].BuiltIn:
		return def, ticket.RefuseField(ticket.Conflict, "key", "is that of a built-in service")
	}
	var earlier []flow.Definition
	for _, r := range s.versions {
		earlier = append(earlier, r.Definition)
	}
	def = flow.AssignNumbers(def, earlier, func() int64 { h.numbers++; return flow.FirstNumber + h.numbers })
	def.Version = len(earlier)
	if def.Version > 0 && asJSON(earlier[def.Version-1]) == asJSON(def) {
		return earlier[def.Version-1], nil
	}
	def.Version++
	s.versions = append(s.versions, ticket.ServiceRecord{Definition: def, PublishedBy: app, PublishedAt: h.Now().UTC()})
	return def, nil
}

func asJSON(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// EnableService says whether a service opens new tickets.
func (h *House) EnableService(_ context.Context, tenant, key string, enabled bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.shelf(tenant, key)
	switch {
	case s == nil:
		return errNoService
	case s.versions[0].BuiltIn:
		return ticket.Refuse(ticket.Conflict, "a built-in service is always enabled")
	}
	s.disabled = !enabled
	return h.Err
}

// RotateService gives a service a new secret.
func (h *House) RotateService(_ context.Context, tenant, key string) (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.shelf(tenant, key)
	switch {
	case s == nil:
		return "", errNoService
	case s.versions[0].BuiltIn:
		return "", ticket.Refuse(ticket.Conflict, "a built-in service makes no requests, so it has no secret")
	}
	s.secrets++
	return secretOf(s.secrets), h.Err
}

// secretOf gives the n-th secret that something has.
func secretOf(n int) string {
	return notice.SecretPrefix + base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%032d", n))
}
