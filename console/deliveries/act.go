package deliveries

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"signalbox/api/houseapi"
	"signalbox/console/page"
	"signalbox/notice"
	"signalbox/ticket"
)

// redeliverOne has one delivery sent again.
func (r *Room) redeliverOne(v *page.Visit, d notice.TenantDelivery) error {
	_, err := page.Transact(v, r.Desk, false, func(ctx context.Context) (string, error) {
		return d.ID, r.Deliveries.Redeliver(ctx, ownerOf(d), d.Subscription.ID, d.ID)
	})
	if err != nil {
		return v.Failed(pathOf(d.ID), err)
	}
	return v.Done(pathOf(d.ID), v.T("delivery.again_now"))
}

// moved is a lane, and whether its workflow is to hear of it.
type moved struct {
	Lane   notice.Lane `json:"lane"`
	Hasten bool        `json:"hasten"`
}

// try has one delivery that waits for its next try tried at once.
func (r *Room) try(v *page.Visit, d notice.TenantDelivery) error {
	return r.move(v, d, v.T("delivery.tried_now"), func(ctx context.Context) (moved, error) {
		lane, err := r.Deliveries.TryNow(ctx, ownerOf(d), d.Subscription.ID, d.ID)
		return moved{lane, true}, err
	})
}

// cancel has one delivery not tried any more.
func (r *Room) cancel(v *page.Visit, d notice.TenantDelivery) error {
	return r.move(v, d, v.T("delivery.cancelled_now"), func(ctx context.Context) (moved, error) {
		lane, waits, err := r.Deliveries.Cancel(ctx, ownerOf(d), d.Subscription.ID, d.ID, v.Who.Person)
		return moved{lane, waits}, err
	})
}

func (r *Room) move(v *page.Visit, d notice.TenantDelivery, done string, do func(ctx context.Context) (moved, error)) error {
	m, err := page.Transact(v, r.Desk, false, do)
	if err != nil {
		return v.Failed(pathOf(d.ID), err)
	}
	if m.Hasten && r.Hasten != nil {
		r.Hasten(v.Until, m.Lane)
	}
	return v.Done(pathOf(d.ID), done)
}

// selected has those that were ticked sent again, each by itself: what one is refused keeps no other back.
func (r *Room) selected(v *page.Visit) error {
	back := page.LocalPath(v.Form.Get("back"))
	ids := v.Form.Values["delivery"]
	switch {
	case len(ids) == 0:
		return v.Failed(back, ticket.Refuse(ticket.Invalid, v.T("delivery.none_selected")))
	case len(ids) > listPage:
		return ticket.Refuse(ticket.Invalid, ticket.Over(listPage, "deliveries", len(ids)))
	}
	sent, refused := 0, []string{}
	for _, id := range ids {
		err := r.again(v, id)
		refusal := ticket.AsError(err)
		switch {
		case err == nil:
			sent++
		case refusal == nil || refusal.Code == ticket.Unavailable:
			return err
		default:
			if why := v.Refusal(refusal); !slices.Contains(refused, why) {
				refused = append(refused, why)
			}
		}
	}
	if sent == len(ids) {
		return v.Done(back, v.T("delivery.selected_now", "Count", sent))
	}
	return v.Failed(back, ticket.Refuse(ticket.Conflict, v.T("delivery.selected_partly", "Sent", sent, "Count", len(ids), "Why", strings.Join(refused, "; "))))
}

// again has one of several sent again.
func (r *Room) again(v *page.Visit, id string) error {
	d, err := r.Deliveries.TenantDelivery(v.Until, v.Who.App.Tenant, id)
	if err != nil {
		return err
	}
	_, err = page.TransactOne(v, r.Desk, d.ID, false, func(ctx context.Context) (string, error) {
		return d.ID, r.Deliveries.Redeliver(ctx, ownerOf(d), d.Subscription.ID, d.ID)
	})
	return err
}

// countView is what having all of a filter delivered again would come to.
type countView struct {
	asked
	notice.FilterRedelivery
	Subscriptions int
	Back          string
	States        []notice.DeliveryState
	Passed        []skippedView // subscriptions of which nothing is delivered again
}

type skippedView struct {
	notice.SkippedRedelivery
	Path string // of the page of the subscription; empty: there is none
}

// choose reads a filter of which all are to be delivered again.
func choose(v *page.Visit, from map[string][]string) (a asked, err error) {
	if a, err = read(v, from); err != nil {
		return a, err
	}
	a.filter.Cursor, a.filter.Limit, a.filter.States = "", 0, a.repeatable()
	if len(a.filter.States) == 0 {
		return a, ticket.RefuseField(ticket.Invalid, "state", "must be failed, held or sent")
	}
	return a, nil
}

// count shows how many they are, before anything happens.
func (r *Room) count(v *page.Visit) error {
	query, err := v.Asked()
	if err != nil {
		return err
	}
	a, err := choose(v, query)
	if err != nil {
		return err
	}
	found, err := r.Deliveries.RedeliverFilter(v.Until, v.Who.App.Tenant, a.filter, true)
	if err != nil {
		return err
	}
	w := countView{asked: a, FilterRedelivery: found, Back: page.Address(all, a.query), States: a.filter.States}
	var subs []string
	for _, b := range found.Begun {
		if !slices.Contains(subs, b.Subscription) {
			subs = append(subs, b.Subscription)
		}
	}
	w.Subscriptions = len(subs)
	for _, skipped := range found.Skipped {
		w.Passed = append(w.Passed, skippedView{skipped, ownerPath(skipped.Subscription, skipped.Lasting, skipped.Number)})
	}
	return v.Render(http.StatusOK, "deliveries/count", v.T("delivery.again_all"), w)
}

// begun is what a form has begun.
type begun struct {
	Name         string   `json:"name"`
	Redeliveries []string `json:"redeliveries"`
}

// beginAtOnce is how many redeliveries are begun at once; the sweep begins the others.
const beginAtOnce = 20

var errNothing = errors.New("nothing to deliver again")

// redeliver has all of a filter delivered again, and leads to how far that is.
func (r *Room) redeliver(v *page.Visit) error {
	a, err := choose(v, v.Form.Values)
	if err != nil {
		return err
	}
	b, err := page.Transact(v, r.Desk, false, func(ctx context.Context) (begun, error) {
		found, err := r.Deliveries.RedeliverFilter(ctx, v.Who.App.Tenant, a.filter, false)
		if err != nil {
			return begun{}, err
		}
		out := begun{Name: uuid.NewString()}
		for _, one := range found.Begun {
			out.Redeliveries = append(out.Redeliveries, one.ID)
		}
		if len(out.Redeliveries) == 0 {
			return out, errNothing
		}
		return out, r.Deliveries.WatchTogether(ctx, out.Name, out.Redeliveries)
	})
	switch {
	case errors.Is(err, errNothing):
		return v.Failed(page.Address(all, a.query), ticket.Refuse(ticket.Conflict, v.T("delivery.nothing_again")))
	case err != nil:
		return v.Failed(page.Address(all, a.query), err)
	}
	if r.Begin != nil {
		for _, id := range b.Redeliveries[:min(len(b.Redeliveries), beginAtOnce)] {
			r.Begin(v.Until, id)
		}
	}
	return v.To(again + "/" + b.Name)
}

// progressView is how far it is.
type progressView struct {
	notice.Together
	Path string
}

// progress shows how far it is with what was begun together; the page asks again while it goes on.
func (r *Room) progress(v *page.Visit) error {
	name, err := houseapi.Word(v.Ctx, "name", page.ErrNoPage)
	if err != nil {
		return err
	}
	t, err := r.Deliveries.Together(v.Until, v.Who.App.Tenant, name)
	if err != nil {
		return err
	}
	return v.Render(http.StatusOK, "deliveries/progress", v.T("delivery.progress"), progressView{t, again + "/" + name})
}
