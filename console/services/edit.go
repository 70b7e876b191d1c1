package services

import (
	"context"
	"html/template"
	"net/http"
	"net/url"
	"strconv"

	"signalbox/api/houseapi"
	"signalbox/console/page"
	"signalbox/diagram"
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

// editView is the editor: what was written, and what was found in it.
type editView struct {
	Key     string // of the service; empty: it is a new one
	Path    string // where the form goes
	Back    string // the page that one comes from
	Based   int    // the version that the text began as
	Source  string
	Problem string
	Newer   string // where to see what was published meanwhile
	Draft   draftView
}

// draftView is what is found in a draft.
type draftView struct {
	Faults  []page.FaultLine
	Checked bool
	Picture template.URL // empty: it cannot be drawn
	Name    string
}

// begin shows the editor for a new service: an empty one, or one that begins as another service is.
func (r *Room) begin(v *page.Visit) error {
	source := skeleton
	from, err := v.Ask("from", ticket.MaxName)
	if err != nil {
		return err
	}
	if from != "" {
		record, err := r.Records.ServiceRecord(v.Until, v.Who.App.Tenant, from)
		if err != nil {
			return err
		}
		if source, err = sourceOf(record.Definition); err != nil {
			return err
		}
	}
	return r.editor(v, http.StatusOK, editView{Source: source})
}

// edit shows the editor of a service, which begins as its latest version is, or as another one that is asked for.
func (r *Room) edit(v *page.Visit, f found) error {
	version, err := v.AskNumber("version", int64(f.Version))
	if err != nil {
		return err
	}
	def, err := r.version(v, f.Latest, version)
	if err != nil {
		return err
	}
	source, err := sourceOf(def)
	if err != nil {
		return err
	}
	return r.editor(v, http.StatusOK, editView{Key: f.Key, Based: f.Latest.Version, Source: source})
}

// editor shows the editor with what is found in its text.
func (r *Room) editor(v *page.Visit, status int, e editView) error {
	var title string
	if e.Key == "" {
		e.Path, e.Back, title = "/services/new", "/services", v.T("services.new")
	} else {
		e.Path, e.Back, title = pathOf(e.Key)+"/edit", pathOf(e.Key), v.T("services.editing", "Key", e.Key)
	}
	if !e.Draft.Checked {
		var err error
		if _, e.Draft, err = r.read(v, e.Key, e.Source); err != nil {
			return err
		}
	}
	return v.Render(status, "services/edit", title, e)
}

// draft tells what is wrong with a text, and draws it: the part of the editor that follows the text.
func (r *Room) draft(v *page.Visit) error {
	_, found, err := r.read(v, v.Form.Get("of"), v.Form.Source("source"))
	if err != nil {
		return err
	}
	return v.Render(http.StatusOK, "services/draft", v.T("services.found"), found)
}

// read reads a text of the editor of a service, or of a new one.
func (r *Room) read(v *page.Visit, key, source string) (flow.Definition, draftView, error) {
	out := draftView{Checked: true}
	if len(source) > ticket.MaxDefinition {
		out.Faults = []page.FaultLine{{Fault: flow.Fault{Message: ticket.Over(ticket.MaxDefinition, "bytes", len(source))}}}
		return flow.Definition{}, out, nil
	}
	def, faults, err := houseapi.ReadDefinition(v.Until, r.Records, v.Who.App.Tenant, houseapi.Plainer([]byte(source)))
	if err != nil {
		return def, out, err
	}
	if len(faults) == 0 {
		faults = page.Kept(source, key, def.Key, v.T("services.other_key", "Key", key))
	}
	out.Faults = page.FaultLines(source, faults)
	if len(def.Nodes) > 0 && len(def.Nodes) <= flow.MaxNodes && (len(faults) == 0 || drawable(def)) {
		out.Name = def.Name
		out.Picture = page.Inline(diagram.Draw(def, nil).Bytes)
	}
	return def, out, nil
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

// published is what publishing came to.
type published struct {
	Key     string `json:"key"`
	Version int    `json:"version"`
}

// save checks what the editor sends and, where that is asked for, publishes it.
func (r *Room) save(v *page.Visit) error {
	key, err := v.Param("key")
	if err != nil {
		return err
	}
	e := editView{Key: key, Source: v.Form.Source("source")}
	e.Based, _ = strconv.Atoi(v.Form.Get("based"))
	def, found, err := r.read(v, key, e.Source)
	if err != nil {
		return err
	}
	e.Draft = found
	switch {
	case v.Form.Get("do") != "publish":
		return r.editor(v, http.StatusOK, e)
	case len(found.Faults) > 0:
		e.Problem = v.T("services.faulty")
		return r.editor(v, http.StatusBadRequest, e)
	}
	done, err := page.Transact(v, r.Desk, false, func(ctx context.Context) (published, error) {
		out, err := r.Records.PublishService(ctx, v.Who.App.Tenant, v.Who.By(), def)
		if err == nil && out.Version > e.Based+1 {
			err = errMeanwhile // nothing of the transaction is kept
		}
		return published{out.Key, out.Version}, err
	})
	switch refusal := ticket.AsError(err); {
	case err == nil:
		if done.Version == e.Based {
			return v.Done(pathOf(done.Key), v.T("services.done.same", "Version", done.Version))
		}
		return v.Done(pathOf(done.Key), v.T("services.done.published", "Version", done.Version))
	case refusal == nil || refusal.Code != ticket.Conflict && refusal.Code != ticket.Invalid:
		return err
	case refusal == errMeanwhile && e.Key == "":
		e.Problem = v.T("services.taken", "Key", def.Key)
	case refusal == errMeanwhile:
		return r.meanwhile(v, e)
	default:
		e.Problem = v.Refusal(refusal)
	}
	return r.editor(v, http.StatusConflict, e)
}

// meanwhile shows the editor to somebody who lost a race: what was typed is there, with a link to what the other one changed, and what is published next follows the
// version that there is now.
func (r *Room) meanwhile(v *page.Visit, e editView) error {
	latest, err := r.Records.ServiceRecord(v.Until, v.Who.App.Tenant, e.Key)
	if err != nil {
		return err
	}
	e.Problem, e.Newer = v.T("services.meanwhile"), page.Address(pathOf(e.Key), url.Values{"from": {strconv.Itoa(e.Based)}})
	e.Based = latest.Version
	return r.editor(v, http.StatusConflict, e)
}

// errMeanwhile refuses to publish what was made of a version that is not the latest any more.
var errMeanwhile = ticket.Refuse(ticket.Conflict, "another version of the service was published meanwhile")
