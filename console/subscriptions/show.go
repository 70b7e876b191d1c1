package subscriptions

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	"signalbox/console/page"
	"signalbox/notice"
)

// How much of what was sent the page of a subscription looks at.
const (
	looked     = 20 // deliveries, the newest
	shownTries = 15
)

// showView is the page of one subscription.
type showView struct {
	notice.Registration
	Path    string
	Seconds int // of a try; 0: as everybody's
	Counts  []countView
	Rate    rate
	Tries   []tryView // newest first
}

// countView is how many of its deliveries are in a state, and where they are listed.
type countView struct {
	State notice.DeliveryState
	N     int
}

// rate tells how its newest deliveries went.
type rate struct {
	Deliveries, Arrived int // that are over, and of these arrived
	Tries, Succeeded    int
}

// Percent is the share of tries that succeeded, rounded down so that 100 means all of them.
func (r rate) Percent() int {
	if r.Tries == 0 {
		return 0
	}
	return 100 * r.Succeeded / r.Tries
}

// tryView is one try at one of its deliveries.
type tryView struct {
	notice.Attempt
	Type string
	Took time.Duration
}

// undelivered are the states that counts are shown of.
var undelivered = []notice.DeliveryState{notice.Pending, notice.Retrying, notice.Held, notice.Failed}

func (r *Room) show(v *page.Visit, sub notice.Registration) error {
	records, _, err := r.Subscriptions.Deliveries(v.Until, owner(v), sub.ID, "", looked)
	if err != nil {
		return err
	}
	w := showView{Registration: sub, Path: pathOf(sub.ID), Seconds: int(sub.Timeout / time.Second)}
	for _, state := range undelivered {
		if n := sub.Counts[state]; n > 0 {
			w.Counts = append(w.Counts, countView{state, n})
		}
	}
	for _, d := range records {
		if d.State == notice.Sent || d.State == notice.Failed {
			w.Rate.Deliveries++
		}
		if d.State == notice.Sent {
			w.Rate.Arrived++
		}
		for _, a := range d.Attempts {
			w.Rate.Tries++
			if a.Succeeded {
				w.Rate.Succeeded++
			}
			w.Tries = append(w.Tries, tryView{a, d.Type, a.FinishedAt.Sub(a.StartedAt)})
		}
	}
	slices.SortStableFunc(w.Tries, func(a, b tryView) int { return b.StartedAt.Compare(a.StartedAt) })
	w.Tries = w.Tries[:min(len(w.Tries), shownTries)]
	return v.Render(http.StatusOK, "subscriptions/show", sub.URL, w)
}

// Undelivered is where its deliveries are listed.
func (w showView) Undelivered(state string) string {
	query := url.Values{"subscription": {w.ID}}
	if state != "" {
		query.Set("state", state)
	}
	return page.Address("/deliveries", query)
}
