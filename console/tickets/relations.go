package tickets

import (
	"net/http"
	"net/url"
	"signalbox/console/page"
	"slices"
	"strconv"

	"signalbox/ticket"
)

// How much of its relations a ticket's page shows. A ticket may have ten thousand items, or a thousand types.
const (
	shownItems    = 8   // of each type at once
	foldedItems   = 100 // of each type on demand
	shownInAll    = 600 // items of all types together; then types are only named
	pageRelations = 500 // items on a page of a type's own
)

// relationView is one relation, as far as the ticket's page shows it.
type relationView struct {
	Type        string
	Total       int
	Items, Fold []string // at once, and on demand
	Path        string   // of the page with all items; empty when all are here
}

func relationsOf(path string, relations []ticket.Relation) []relationView {
	left := shownInAll
	out := make([]relationView, len(relations))
	for i, r := range relations {
		n := len(r.Content)
		shown := min(n, shownItems, left)
		more := min(n-shown, foldedItems, left-shown)
		left -= shown + more
		out[i] = relationView{Type: r.Type, Total: n, Items: r.Content[:shown], Fold: r.Content[shown : shown+more]}
		if shown+more < n {
			out[i].Path = relationPath(path, r.Type, 1)
		}
	}
	return out
}

// relationPath names the type in the query: a type may be called "..", which browsers take out of paths.
func relationPath(path, kind string, n int64) string {
	query := url.Values{"type": {kind}}
	if n > 1 {
		query.Set("page", strconv.FormatInt(n, 10))
	}
	return page.Address(path+"/relations", query)
}

type relationPage struct {
	header
	Type         string
	Total, Start int // Start is the number of the first item, from 1
	Items        []string
	Before, Next string // addresses
}

// relation shows the items of one relation, page by page.
func (s *Room) relation(v *page.Visit, h header) error {
	kind, err := v.Ask("type", ticket.MaxRelationType)
	if err != nil {
		return err
	}
	n, err := v.AskNumber("page", 1)
	if err != nil {
		return err
	}
	relations, err := s.Reader.Relations(v.Until, h.Ticket)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(relations, func(r ticket.Relation) bool { return r.Type == kind })
	if i < 0 {
		return page.ErrNoPage
	}
	items := relations[i].Content
	if n > 1 && n > int64((len(items)+pageRelations-1)/pageRelations) {
		return page.ErrNoPage
	}
	from := (int(n) - 1) * pageRelations
	to := min(len(items), from+pageRelations)
	p := relationPage{header: h, Type: kind, Total: len(items), Start: from + 1, Items: items[from:to]}
	if n > 1 {
		p.Before = relationPath(h.Path, kind, n-1)
	}
	if to < len(items) {
		p.Next = relationPath(h.Path, kind, n+1)
	}
	return v.Render(http.StatusOK, "tickets/relation", v.T("ticket.relation_of", "Type", kind, "Number", h.Number), p)
}
