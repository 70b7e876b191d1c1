package services

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"signalbox/api/houseapi"
	"signalbox/console/page"
	"signalbox/console/versions"
	"signalbox/flow"
	"signalbox/ticket"
)

// showView is a service in one of its versions.
type showView struct {
	History versions.History
	ticket.ServiceRecord
	Picture   string
	Nodes     []nodeView
	Asks      bool       // it makes requests, which are signed
	Elsewhere []standing // open tickets of other versions, at nodes that this one does not have
}

// nodeView is a node in the list of a process.
type nodeView struct {
	flow.Node
	Persons []string // who is asked by the id
	Asked   []string // who else is asked, or what is done, in words
	Ways    []way
	standing
}

// standing is how many open tickets stand at a node.
type standing struct {
	At, Path string
	Open     int
}

func standingAt(key, node string, n int) standing {
	return standing{node, page.Address("/tickets", url.Values{"service": {key}, "node": {node}}), n}
}

// way leads from one node to another.
type way struct{ Label, To string }

// show shows a version of a service, and how it differs from another one.
func (r *Room) show(v *page.Visit, f versions.Found[ticket.ServiceRecord]) error {
	history, err := r.kind().History(v, f)
	if err != nil {
		return err
	}
	f.Shown = spoken(v, f.Shown)
	w := showView{History: history, ServiceRecord: f.Shown, Picture: versionPath(f.Shown.Key, f.Shown.Version) + "/diagram.svg"}
	w.ServiceType = cmp.Or(w.ServiceType, "request")
	open, err := r.Records.OpenAtNodes(v.Until, v.Who.App.Tenant, f.Shown.Key)
	if err != nil {
		return err
	}
	for _, n := range f.Shown.Nodes {
		w.Nodes = append(w.Nodes, nodeView{n, personsOf(n), askedOf(v, n), waysOf(v, n), standingAt(f.Shown.Key, n.ID, open[n.ID])})
		w.Asks = w.Asks || n.Call != nil || n.Processors != nil && n.Processors.HTTP != nil
		delete(open, n.ID)
	}
	for _, node := range slices.Sorted(maps.Keys(open)) {
		if n := open[node]; n > 0 {
			w.Elsewhere = append(w.Elsewhere, standingAt(f.Shown.Key, node, n))
		}
	}
	return v.Render(http.StatusOK, "services/service", f.Shown.Name, w)
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

// askedOf says in words who is asked at a node but for persons by their ids, or what it does.
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

func personsOf(n flow.Node) []string {
	if n.Processors == nil {
		return nil
	}
	return n.Processors.Persons
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
