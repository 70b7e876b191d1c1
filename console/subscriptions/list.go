package subscriptions

import (
	"net/http"
	"net/url"
	"slices"

	"signalbox/console/page"
	"signalbox/notice"
	"signalbox/ticket"
)

const (
	listPage  = 50
	maxCursor = 512 // characters
)

var states = []notice.SubscriptionState{notice.Active, notice.Paused, notice.Dropped}

// listView is a page of the list.
type listView struct {
	State, Address string // as chosen
	States         []notice.SubscriptionState
	Rows           []notice.LastingRecord
	CountedTo      int    // a count that is as high may stand for more
	Further        bool   // this is not the first page
	First, Next    string // addresses; Next is empty on the last page
	Chosen         bool   // there is a filter
}

func (r *Room) list(v *page.Visit) error {
	l := listView{States: states, CountedTo: notice.CountedTo}
	var cursor string
	for _, p := range []struct {
		name string
		max  int
		to   *string
	}{{"state", 20, &l.State}, {"address", ticket.MaxName, &l.Address}, {"cursor", maxCursor, &cursor}} {
		var err error
		if *p.to, err = v.Ask(p.name, p.max); err != nil {
			return err
		}
	}
	if l.State != "" && !slices.Contains(states, notice.SubscriptionState(l.State)) {
		return ticket.RefuseField(ticket.Invalid, "state", "must be active, paused or dropped")
	}
	rows, next, err := r.Subscriptions.Lasting(v.Until, v.Who.App.Tenant, notice.LastingFilter{State: notice.SubscriptionState(l.State), Address: l.Address}, cursor, listPage)
	if err != nil {
		return err
	}
	query := url.Values{}
	for name, value := range map[string]string{"state": l.State, "address": l.Address} {
		if value != "" {
			query.Set(name, value)
		}
	}
	l.Rows, l.Chosen, l.Further, l.First = rows, len(query) > 0, cursor != "", page.Address(all, query)
	if next != "" {
		query.Set("cursor", next)
		l.Next = page.Address(all, query)
	}
	return v.Render(http.StatusOK, "subscriptions/list", v.T("subscription.title"), l)
}
