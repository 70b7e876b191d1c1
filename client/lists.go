package client

import (
	"context"
	"iter"

	"signalbox/client/audit"
	"signalbox/client/calendar"
	"signalbox/client/directory"
	"signalbox/client/issue"
	"signalbox/client/service"
	"signalbox/client/subscription"
)

// fullPage is how much is asked for at once where the caller does not say: the most that there is.
const fullPage = 200

// pages goes through a list of which read gives the page at a cursor, empty for the first. It ends with what is wrong with a page. It may be ranged over
// again, from the beginning.
func pages[T any](read func(cursor string) (items []T, next string, err error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for cursor := ""; ; {
			items, next, err := read(cursor)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			if cursor = next; cursor == "" {
				return
			}
		}
	}
}

// at sets where a page begins and how long it is, for the parameters of a list. A cursor that the caller set is where the first one begins.
func at(cursor string, from **string, limit **int) {
	if cursor != "" {
		*from = &cursor
	}
	if *limit == nil {
		*limit = new(fullPage)
	}
}

func orNone(next *string) string {
	if next == nil {
		return ""
	}
	return *next
}

// Issues lists tickets by a filter, newest first or as it says. For following what is new see [Client.Follow].
func (c *Client) Issues(ctx context.Context, filter issue.ListIssuesParams) iter.Seq2[issue.Line, error] {
	return pages(func(cursor string) ([]issue.Line, string, error) {
		page := filter
		at(cursor, &page.Cursor, &page.Limit)
		a, err := c.Issue.ListIssuesWithResponse(ctx, &page)
		if err != nil {
			return nil, "", err
		}
		return a.JSON200.Result.Items, orNone(a.JSON200.Result.NextCursor), nil
	})
}

// Addresses lists the addresses that are told of a ticket, oldest first.
func (c *Client) Addresses(ctx context.Context, id string) iter.Seq2[issue.Address, error] {
	return pages(func(cursor string) ([]issue.Address, string, error) {
		page := issue.ListNotificationsParams{}
		at(cursor, &page.Cursor, &page.Limit)
		a, err := c.Issue.ListNotificationsWithResponse(ctx, id, &page)
		if err != nil {
			return nil, "", err
		}
		return a.JSON200.Result.Items, orNone(a.JSON200.Result.NextCursor), nil
	})
}

// Deliveries lists what an address of a ticket was told, and is to be told, newest first, each with its tries.
func (c *Client) Deliveries(ctx context.Context, id, address string) iter.Seq2[issue.Delivery, error] {
	return pages(func(cursor string) ([]issue.Delivery, string, error) {
		page := issue.ListDeliveriesParams{}
		at(cursor, &page.Cursor, &page.Limit)
		a, err := c.Issue.ListDeliveriesWithResponse(ctx, id, address, &page)
		if err != nil {
			return nil, "", err
		}
		return a.JSON200.Result.Items, orNone(a.JSON200.Result.NextCursor), nil
	})
}

// Services lists services in their latest versions.
func (c *Client) Services(ctx context.Context) iter.Seq2[service.Line, error] {
	return pages(func(cursor string) ([]service.Line, string, error) {
		page := service.ListServicesParams{}
		at(cursor, &page.Cursor, &page.Limit)
		a, err := c.Service.ListServicesWithResponse(ctx, &page)
		if err != nil {
			return nil, "", err
		}
		return a.JSON200.Result.Items, orNone(a.JSON200.Result.NextCursor), nil
	})
}

// ServiceVersions lists the versions of a service, the latest first.
func (c *Client) ServiceVersions(ctx context.Context, key string) iter.Seq2[service.Version, error] {
	return pages(func(cursor string) ([]service.Version, string, error) {
		page := service.ListVersionsParams{}
		at(cursor, &page.Cursor, &page.Limit)
		a, err := c.Service.ListVersionsWithResponse(ctx, key, &page)
		if err != nil {
			return nil, "", err
		}
		return a.JSON200.Result.Items, orNone(a.JSON200.Result.NextCursor), nil
	})
}

// Subscriptions lists lasting subscriptions, newest first.
func (c *Client) Subscriptions(ctx context.Context, filter subscription.ListSubscriptionsParams) iter.Seq2[subscription.Subscription, error] {
	return pages(func(cursor string) ([]subscription.Subscription, string, error) {
		page := filter
		at(cursor, &page.Cursor, &page.Limit)
		a, err := c.Subscription.ListSubscriptionsWithResponse(ctx, &page)
		if err != nil {
			return nil, "", err
		}
		return a.JSON200.Result.Items, orNone(a.JSON200.Result.NextCursor), nil
	})
}

// SubscriptionDeliveries lists what a lasting subscription was told, and is to be told, newest first, each with its tries.
func (c *Client) SubscriptionDeliveries(ctx context.Context, id string) iter.Seq2[subscription.Delivery, error] {
	return pages(func(cursor string) ([]subscription.Delivery, string, error) {
		page := subscription.ListSubscriptionDeliveriesParams{}
		at(cursor, &page.Cursor, &page.Limit)
		a, err := c.Subscription.ListSubscriptionDeliveriesWithResponse(ctx, id, &page)
		if err != nil {
			return nil, "", err
		}
		return a.JSON200.Result.Items, orNone(a.JSON200.Result.NextCursor), nil
	})
}

// AllDeliveries lists deliveries to all addresses of the tenant by a filter, newest first, each with its last try.
func (c *Client) AllDeliveries(ctx context.Context, filter subscription.ListAllDeliveriesParams) iter.Seq2[subscription.DeliveryLine, error] {
	return pages(func(cursor string) ([]subscription.DeliveryLine, string, error) {
		page := filter
		at(cursor, &page.Cursor, &page.Limit)
		a, err := c.Subscription.ListAllDeliveriesWithResponse(ctx, &page)
		if err != nil {
			return nil, "", err
		}
		return a.JSON200.Result.Items, orNone(a.JSON200.Result.NextCursor), nil
	})
}

// Persons lists persons of the directory, by id.
func (c *Client) Persons(ctx context.Context, filter directory.ListPersonsParams) iter.Seq2[directory.Person, error] {
	return pages(func(cursor string) ([]directory.Person, string, error) {
		page := filter
		at(cursor, &page.Cursor, &page.Limit)
		a, err := c.Directory.ListPersonsWithResponse(ctx, &page)
		if err != nil {
			return nil, "", err
		}
		return a.JSON200.Result.Items, orNone(a.JSON200.Result.NextCursor), nil
	})
}

// Groups lists groups of the directory without their members, by id.
func (c *Client) Groups(ctx context.Context, filter directory.ListGroupsParams) iter.Seq2[directory.Group, error] {
	return pages(func(cursor string) ([]directory.Group, string, error) {
		page := filter
		at(cursor, &page.Cursor, &page.Limit)
		a, err := c.Directory.ListGroupsWithResponse(ctx, &page)
		if err != nil {
			return nil, "", err
		}
		return a.JSON200.Result.Items, orNone(a.JSON200.Result.NextCursor), nil
	})
}

// Absences lists who is away, what begins first in front.
func (c *Client) Absences(ctx context.Context, filter directory.ListAbsencesParams) iter.Seq2[directory.Absence, error] {
	return pages(func(cursor string) ([]directory.Absence, string, error) {
		page := filter
		at(cursor, &page.Cursor, &page.Limit)
		a, err := c.Directory.ListAbsencesWithResponse(ctx, &page)
		if err != nil {
			return nil, "", err
		}
		return a.JSON200.Result.Items, orNone(a.JSON200.Result.NextCursor), nil
	})
}

// Calendars lists calendars in their latest versions, by key.
func (c *Client) Calendars(ctx context.Context) iter.Seq2[calendar.Line, error] {
	return pages(func(cursor string) ([]calendar.Line, string, error) {
		page := calendar.ListCalendarsParams{}
		at(cursor, &page.Cursor, &page.Limit)
		a, err := c.Calendar.ListCalendarsWithResponse(ctx, &page)
		if err != nil {
			return nil, "", err
		}
		return a.JSON200.Result.Items, orNone(a.JSON200.Result.NextCursor), nil
	})
}

// AuditEntries lists who asked for what, newest first.
func (c *Client) AuditEntries(ctx context.Context, filter audit.ListAuditParams) iter.Seq2[audit.Entry, error] {
	return pages(func(cursor string) ([]audit.Entry, string, error) {
		page := filter
		at(cursor, &page.Cursor, &page.Limit)
		a, err := c.Audit.ListAuditWithResponse(ctx, &page)
		if err != nil {
			return nil, "", err
		}
		return a.JSON200.Result.Items, orNone(a.JSON200.Result.NextCursor), nil
	})
}
