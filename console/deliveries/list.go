package deliveries

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"signalbox/console/page"
	"signalbox/notice"
	"signalbox/ticket"
)

const (
	listPage  = 50
	maxCursor = 512 // characters
	countedTo = notice.CountedTo
	anyState  = "all"
)

// asked is which deliveries are asked for.
type asked struct {
	State, Host, Address, Subscription string // as chosen; without a state those in trouble
	From, To                           string // likewise, in the visitor's time zone
	filter                             notice.DeliveryFilter
	query                              url.Values // that asks for them again, without the place in the list
}

// Fields are those that ask for the same again.
func (a asked) Fields() map[string]string {
	out := map[string]string{}
	for name := range a.query {
		out[name] = a.query.Get(name)
	}
	return out
}

// read reads what is asked for from an address or a form.
func read(v *page.Visit, from url.Values) (a asked, err error) {
	var f ticket.Faults
	get := func(name string, max int) string {
		value := strings.TrimSpace(from.Get(name))
		f.Name(name, value, 0, max)
		return value
	}
	a.State, a.Host, a.Address, a.Subscription = get("state", 20), strings.ToLower(get("host", ticket.MaxName)), get("address", ticket.MaxURL), get("subscription", ticket.MaxName)
	moment := func(name string) time.Time {
		at, err := v.Moment(name, get(name, 40))
		if refusal := ticket.AsError(err); refusal != nil {
			f = append(f, refusal)
		}
		return at
	}
	a.filter = notice.DeliveryFilter{Subscription: a.Subscription, Host: a.Host, URL: a.Address, From: moment("from"), To: moment("to"), Limit: listPage, Cursor: get("cursor", maxCursor)}
	switch {
	case a.State == "":
		a.filter.States = notice.InTrouble
	case a.State != anyState:
		a.filter.States = []notice.DeliveryState{notice.DeliveryState(a.State)}
	}
	if err := f.Err(); err != nil {
		return a, err
	}
	a.From, a.To = v.ChosenMoment(a.filter.From), v.ChosenMoment(a.filter.To)
	a.query = url.Values{}
	for name, value := range map[string]string{"state": a.State, "host": a.Host, "address": a.Address, "subscription": a.Subscription, "from": exactly(a.filter.From), "to": exactly(a.filter.To)} {
		if value != "" {
			a.query.Set(name, value)
		}
	}
	return a, a.filter.Check()
}

func exactly(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.Format(time.RFC3339)
}

// repeatable are the states of those that can be delivered again as a whole, of those that are asked for.
func (a asked) repeatable() (states []notice.DeliveryState) {
	for _, s := range a.filter.States {
		if (notice.Selection{State: s}).Check() == nil {
			states = append(states, s)
		}
	}
	return states
}

// listView is a page of the list.
type listView struct {
	asked
	States      []notice.DeliveryState
	Rows        []rowView
	Total       ticket.Total
	Again       string // address; empty: none of them can be delivered again as a whole
	Here        string // the address of this page
	Further     bool   // this is not the first page
	First, Next string // addresses; Next is empty on the last page
	Chosen      bool   // there is a filter
	Over        bool   // there are some that can be delivered again
	Told        string // address of the page of the subscription that is asked for; empty: there is none, or none is asked for
}

type rowView struct {
	notice.TenantDelivery
	Over bool // it can be delivered again
	Last *notice.Attempt
}

func (r *Room) list(v *page.Visit) error {
	query, err := v.Asked()
	if err != nil {
		return err
	}
	a, err := read(v, query)
	if err != nil {
		return err
	}
	found, err := r.Deliveries.TenantDeliveries(v.Until, v.Who.App.Tenant, a.filter)
	if err != nil {
		return err
	}
	l := listView{asked: a, States: notice.DeliveryStates, Chosen: len(a.query) > 0, Further: a.filter.Cursor != "", First: page.Address(all, a.query)}
	if l.Total, err = r.Deliveries.CountDeliveries(v.Until, v.Who.App.Tenant, a.filter, countedTo); err != nil {
		return err
	}
	for _, d := range found.Items {
		row := rowView{TenantDelivery: d, Over: repeats(d.State)}
		if n := len(d.Attempts); n > 0 {
			row.Last = &d.Attempts[n-1]
		}
		l.Over = l.Over || row.Over
		l.Rows = append(l.Rows, row)
	}
	if l.Told, err = r.told(v, a.Subscription, found.Items); err != nil {
		return err
	}
	if len(a.repeatable()) > 0 && len(l.Rows) > 0 {
		l.Again = page.Address(again, a.query)
	}
	if found.Next != "" {
		next := cloned(a.query)
		next.Set("cursor", found.Next)
		l.Next = page.Address(all, next)
	}
	here := cloned(a.query)
	if a.filter.Cursor != "" {
		here.Set("cursor", a.filter.Cursor)
	}
	l.Here = page.Address(all, here)
	return v.Render(http.StatusOK, "deliveries/list", v.T("delivery.title"), l)
}

// told finds the page of a subscription, by any delivery to it: of those that are listed, or else of all. Empty: there is none.
func (r *Room) told(v *page.Visit, subscription string, listed []notice.TenantDelivery) (string, error) {
	if subscription == "" {
		return "", nil
	}
	if len(listed) == 0 {
		found, err := r.Deliveries.TenantDeliveries(v.Until, v.Who.App.Tenant, notice.DeliveryFilter{Subscription: subscription, Limit: 1})
		if err != nil {
			return "", err
		}
		listed = found.Items
	}
	if len(listed) == 0 {
		return "", nil
	}
	return subscriptionPath(listed[0]), nil
}

// subscriptionPath is the page of the subscription that a delivery went to: a lasting one has one of its own, an address of a ticket, and a way of telling a person, are on the
// ticket's. Empty: there is none.
func subscriptionPath(d notice.TenantDelivery) string {
	return ownerPath(d.Subscription.ID, d.Subscription.TicketID == 0 && d.Subscription.Person == "", d.Number)
}

func ownerPath(subscription string, lasting bool, number string) string {
	id := url.PathEscape(subscription)
	switch {
	case lasting:
		return "/subscriptions/" + id
	case number != "":
		return "/ticket/" + url.PathEscape(number) + "/deliveries/" + id
	}
	return ""
}

func cloned(query url.Values) url.Values {
	out := url.Values{}
	for name, values := range query {
		out[name] = slices.Clone(values)
	}
	return out
}

// repeats reports whether a delivery in a state can be delivered again.
func repeats(s notice.DeliveryState) bool {
	return s == notice.Failed || s == notice.Held || s == notice.Sent || s == notice.Cancelled
}
