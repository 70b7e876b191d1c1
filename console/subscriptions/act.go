package subscriptions

import (
	"context"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"signalbox/api/houseapi"
	"signalbox/console/page"
	"signalbox/notice"
)

// told is a subscription whose secret is told this once.
type told struct {
	ID, URL, Secret string
	Alike           []string // others by which the address is told of the same
	Rotated         bool
}

// Path is its page.
func (t told) Path() string { return pathOf(t.ID) }

// subscribe adds one, and tells its secret.
func (r *Room) subscribe(v *page.Visit) error {
	in, err := read(v.Form, false)
	var sub notice.Subscription
	if err == nil {
		sub, err = in.Subscription(r.Allow)
	}
	if err != nil {
		return newForm().refused(v, err)
	}
	sub.Tenant = v.Who.App.Tenant
	made, err := page.Transact(v, r.Desk, true, func(ctx context.Context) (told, error) {
		made, err := r.Subscriptions.Subscribe(ctx, sub)
		if err != nil {
			return told{}, err
		}
		alike, err := r.Subscriptions.Alike(ctx, made)
		return told{ID: made.ID, URL: made.URL, Secret: made.Secret, Alike: alike}, err
	})
	if err != nil {
		return newForm().refused(v, err)
	}
	return v.Render(http.StatusOK, "subscriptions/secret", v.T("subscription.made"), made)
}

// change changes one.
func (r *Room) change(v *page.Visit, was notice.Registration) error {
	lasting, err := read(v.Form, true)
	in := houseapi.LastingChange{Lasting: lasting}
	if err == nil {
		err = in.Check(r.Allow)
	}
	if err != nil {
		return formOf(was.Subscription).refused(v, err)
	}
	alike, err := page.Transact(v, r.Desk, false, func(ctx context.Context) ([]string, error) {
		changed, err := r.Subscriptions.Amend(ctx, was.Tenant, was.ID, in.Apply)
		if err != nil {
			return nil, err
		}
		return r.Subscriptions.Alike(ctx, changed)
	})
	if err != nil {
		return formOf(was.Subscription).refused(v, err)
	}
	text := v.T("subscription.changed")
	if len(alike) > 0 {
		text += " " + v.T("subscription.told_twice", "IDs", strings.Join(alike, ", "))
	}
	return v.Done(pathOf(was.ID), text)
}

// turn pauses or resumes one.
func (r *Room) turn(state notice.SubscriptionState) func(v *page.Visit, sub notice.Registration) error {
	return func(v *page.Visit, sub notice.Registration) error {
		_, err := page.Transact(v, r.Desk, false, func(ctx context.Context) (string, error) {
			_, err := r.Subscriptions.Amend(ctx, sub.Tenant, sub.ID, func(s notice.Subscription) (notice.Subscription, error) {
				s.State = state
				return s, nil
			})
			return sub.ID, err
		})
		switch {
		case err != nil:
			return v.Failed(pathOf(sub.ID), err)
		case state == notice.Paused:
			return v.Done(pathOf(sub.ID), v.T("subscription.paused"))
		}
		return v.Done(pathOf(sub.ID), v.T("subscription.resumed"))
	}
}

// try sends it a test.
func (r *Room) try(v *page.Visit, sub notice.Registration) error {
	delivery, err := page.Transact(v, r.Desk, false, func(ctx context.Context) (string, error) {
		return r.Subscriptions.Try(ctx, sub.Tenant, v.Who.App.Code, sub.ID, notice.OfTest(sub.ID, uuid.NewString()))
	})
	if err != nil {
		return v.Failed(pathOf(sub.ID), err)
	}
	return v.Done(pathOf(sub.ID), v.T("subscription.tested", "ID", delivery))
}

// rotate gives it a new secret, and tells it.
func (r *Room) rotate(v *page.Visit, sub notice.Registration) error {
	secret, err := page.Transact(v, r.Desk, true, func(ctx context.Context) (string, error) {
		return r.Subscriptions.Rotate(ctx, owner(v), sub.ID)
	})
	if err != nil {
		return v.Failed(pathOf(sub.ID), err)
	}
	return v.Render(http.StatusOK, "subscriptions/secret", v.T("subscription.rotated"), told{ID: sub.ID, URL: sub.URL, Secret: secret, Rotated: true})
}

// unsubscribe deletes it.
func (r *Room) unsubscribe(v *page.Visit, id string) error {
	_, err := page.Transact(v, r.Desk, false, func(ctx context.Context) (string, error) {
		return id, r.Subscriptions.Unsubscribe(ctx, owner(v), id)
	})
	if err != nil {
		return err
	}
	return v.Done(all, v.T("subscription.deleted"))
}
