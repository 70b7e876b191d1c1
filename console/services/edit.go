package services

import (
	"context"
	"net/http"

	"signalbox/api/houseapi"
	"signalbox/console/page"
	"signalbox/console/versions"
	"signalbox/flow"
	"signalbox/ticket"
)

// skeleton is what a new service begins with.
const skeleton = `key: my_service
name: My service
fields:
  - {key: reason, name: Reason, type: TEXT, required: true}
nodes:
  - id: approve
    name: Approval
    type: approval
    processors: {opener: true}
    reject: {then: end}
    next: done
  - {id: done, name: Done, type: end}
`

// kind is services as documents with versions.
func (r *Room) kind() versions.Kind[ticket.ServiceRecord] {
	return versions.Kind[ticket.ServiceRecord]{Desk: r.Desk, Path: "/services", New: draftPath, Skeleton: skeleton, Max: ticket.MaxDefinition, Latest: r.Records.ServiceRecord,
		List: r.Records.ServiceVersions, Enable: r.Records.EnableService, Read: r.read, Besides: r.besides,
		Words: func(v *page.Visit) versions.Words {
			return versions.Words{List: v.T("services.title"), New: v.T("services.new"), Definition: v.T("services.definition"), Enabled: v.T("services.done.enabled"),
				Disabled: v.T("services.done.disabled"), Tries: v.T("play.link")}
		},
		Version: func(ctx context.Context, tenant string, latest ticket.ServiceRecord, version int) (ticket.ServiceRecord, error) {
			def, err := r.Records.ServiceVersion(ctx, tenant, latest.Key, version)
			return ticket.ServiceRecord{Definition: def, Enabled: latest.Enabled, BuiltIn: latest.BuiltIn}, err
		},
		Facts: func(s ticket.ServiceRecord) versions.Facts {
			return versions.Facts{Key: s.Key, Name: s.Name, Version: s.Version, PublishedAt: s.PublishedAt, PublishedBy: s.PublishedBy}
		},
		Source: func(s ticket.ServiceRecord) (string, error) { return sourceOf(s.Definition) },
		Text: func(ctx context.Context, tenant string, s ticket.ServiceRecord) (string, error) {
			return r.Records.ServiceText(ctx, tenant, s.Key, s.Version)
		},
		Publish: func(ctx context.Context, tenant, by string, s ticket.ServiceRecord, text string) (string, int, error) {
			out, err := r.Records.PublishWritten(ctx, tenant, by, s.Definition, text)
			return out.Key, out.Version, err
		}}
}

// read reads a text of the editor, and draws it.
func (r *Room) read(v *page.Visit, source string) (s ticket.ServiceRecord, faults flow.Faults, shows versions.Preview, err error) {
	shows.Draws = true
	s.Definition, faults, err = houseapi.ReadDefinition(v.Until, r.Records, v.Who.App.Tenant, houseapi.Plainer([]byte(source)))
	if err == nil && len(s.Nodes) > 0 && len(s.Nodes) <= flow.MaxNodes && (len(faults) == 0 || drawable(s.Definition)) {
		shows.Name, shows.Picture = s.Name, page.Inline(v.Draw(s.Definition, nil).Bytes)
	}
	return s, faults, shows, err
}

// drawable reports whether a process with faults has what a picture needs: nodes with ids of their own.
func drawable(def flow.Definition) bool {
	seen := map[string]bool{}
	for _, n := range def.Nodes {
		if n.ID == "" || seen[n.ID] {
			return false
		}
		seen[n.ID] = true
	}
	return true
}

// besides has what is written played through, where there is nothing wrong with it.
func (r *Room) besides(v *page.Visit, what string, e versions.Edit) (bool, error) {
	if what != "simulate" {
		return false, nil
	}
	v.Tries()
	w, sound, err := r.scene(v, e)
	switch {
	case err != nil:
		return true, err
	case !sound:
		return true, r.kind().Editor(v, http.StatusBadRequest, e, v.T("play.faulty"))
	}
	return true, r.setting(v, w)
}
