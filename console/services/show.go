package services

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"time"

	"signalbox/api/houseapi"
	"signalbox/console/page"
	"signalbox/flow"
	"signalbox/ticket"
)

// showView is a service in one of its versions.
type showView struct {
	ticket.ServiceRecord
	Path, Picture string
	IsLatest      bool
	Latest        int
	Nodes         []nodeView
	Versions      []versionView
	First, Next   string // further versions
	Source        string // the version as YAML
	From          int    // the version that this one is compared with; 0: none
	Change        []page.Hunk
}

// versionView is a version in the list of them.
type versionView struct {
	ticket.ServiceRecord
	Path    string
	Current bool // it is what the page shows
	Before  int  // the version before it; 0: none
}

// nodeView is a node in the list of a process.
type nodeView struct {
	flow.Node
	Asked []string // who is asked, or what is done, in words
	Ways  []way
}

// way leads from one node to another.
type way struct{ Label, To string }

// versionPage is how many versions are listed at once.
const versionPage = 20

// show shows a version of a service, and how it differs from another one.
func (r *Room) show(v *page.Visit, f found) error {
	source, err := sourceOf(f.Definition)
	if err != nil {
		return err
	}
	w := showView{ServiceRecord: f.Latest, Path: pathOf(f.Key), Picture: versionPath(f.Key, f.Version) + "/diagram.svg", Latest: f.Latest.Version, Source: source}
	w.IsLatest = w.Latest == f.Version
	if w.Definition = f.Definition; !w.IsLatest {
		w.PublishedAt, w.PublishedBy = time.Time{}, "" // unless the list of versions tells
	}
	w.ServiceType = cmp.Or(w.ServiceType, "request")
	for _, n := range f.Nodes {
		w.Nodes = append(w.Nodes, nodeView{n, askedOf(v, n), waysOf(v, n)})
	}
	if err := r.versions(v, f, &w); err != nil {
		return err
	}
	from, err := v.AskNumber("from", 0)
	if err != nil {
		return err
	}
	if from > 0 {
		other, err := r.version(v, f.Latest, from)
		if err != nil {
			return err
		}
		before, err := sourceOf(other)
		if err != nil {
			return err
		}
		w.From, w.Change = other.Version, page.Difference(before, source)
	}
	return v.Render(http.StatusOK, "services/service", f.Name, w)
}

// versions fills in the list of versions.
func (r *Room) versions(v *page.Visit, f found, w *showView) error {
	cursor, err := v.Ask("cursor", maxCursor)
	if err != nil {
		return err
	}
	list, next, err := r.Records.ServiceVersions(v.Until, v.Who.App.Tenant, f.Key, cursor, versionPage)
	if err != nil {
		return err
	}
	for _, record := range list {
		line := versionView{ServiceRecord: record, Path: versionPath(f.Key, record.Version), Current: record.Version == f.Version, Before: record.Version - 1}
		if line.Current {
			w.PublishedAt, w.PublishedBy = record.PublishedAt, record.PublishedBy
		}
		w.Versions = append(w.Versions, line)
	}
	if cursor != "" {
		w.First = v.Path()
	}
	if next != "" {
		w.Next = page.Address(v.Path(), url.Values{"cursor": {next}})
	}
	return nil
}

// sourceOf writes a definition as somebody would: without the numbers that are given when it is published, which stay the same by themselves.
func sourceOf(def flow.Definition) (string, error) {
	def.Number, def.Version, def.Calendars = 0, 0, nil
	def.Nodes = append([]flow.Node{}, def.Nodes...)
	for i := range def.Nodes {
		def.Nodes[i].Number = 0
	}
	text, err := houseapi.WriteYAML(def)
	return string(text), err
}

// askedOf says in words who is asked at a node, or what it does.
func askedOf(v *page.Visit, n flow.Node) (out []string) {
	switch n.Type {
	case flow.Call:
		if n.Call != nil {
			out = append(out, cmp.Or(n.Call.Method, http.MethodPost)+" "+n.Call.URL)
		}
	case flow.Wait:
		if n.For != "" {
			out = append(out, v.T("services.wait.for", "Span", n.For))
		}
		if n.Until != "" {
			out = append(out, v.T("services.wait.until", "Field", n.Until))
		}
	}
	p := n.Processors
	if p == nil {
		return out
	}
	out = append(out, p.Persons...)
	for _, g := range p.Groups {
		out = append(out, v.T("services.asked.group", "Group", g))
	}
	for _, f := range p.Fields {
		out = append(out, v.T("services.asked.field", "Field", f))
	}
	for _, one := range []struct {
		is  bool
		key string
	}{{p.Opener, "opener"}, {p.Assignee, "assignee"}, {p.HTTP != nil, "http"}, {p.Caller, "caller"}, {p.Anyone, "anyone"}} {
		if one.is {
			out = append(out, v.Word("asked", one.key))
		}
	}
	if p.ManagerOf != "" {
		out = append(out, v.T("services.asked.manager", "Of", p.ManagerOf))
	}
	return out
}

// waysOf gives where a process can go from a node.
func waysOf(v *page.Visit, n flow.Node) (out []way) {
	if n.Next != "" {
		out = append(out, way{To: n.Next})
	}
	for _, c := range n.Cases {
		out = append(out, way{cmp.Or(c.Name, c.When), c.Next})
	}
	if n.Default != "" {
		out = append(out, way{v.T("services.way.default"), n.Default})
	}
	for _, b := range n.Branches {
		out = append(out, way{b.Name, b.Next})
	}
	if n.Reject != nil && n.Reject.To != "" {
		out = append(out, way{v.T("services.way.rejected"), n.Reject.To})
	}
	return out
}

// enable says whether a service opens new tickets.
func (r *Room) enable(v *page.Visit, f found) error {
	on := v.Form.On("enabled")
	_, err := page.Transact(v, r.Desk, false, func(ctx context.Context) (bool, error) {
		return on, r.Records.EnableService(ctx, v.Who.App.Tenant, f.Key, on)
	})
	if err != nil {
		return v.Failed(pathOf(f.Key), err)
	}
	if on {
		return v.Done(pathOf(f.Key), v.T("services.done.enabled"))
	}
	return v.Done(pathOf(f.Key), v.T("services.done.disabled"))
}
