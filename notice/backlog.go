package notice

import (
	"time"

	"signalbox/ticket"
)

// Waiting are the states of deliveries that are still owed: to be tried, to be tried again, and held until their address is told again.
var Waiting = []DeliveryState{Pending, Retrying, Held}

// BacklogAge is what waits of an age.
type BacklogAge struct {
	Over     time.Duration // no younger than this
	From, To time.Time     // what it tells of happened from then on, and before then; zero: however early, or late
	Waits    map[DeliveryState]ticket.Total
}

// backlogAges are where the ages of what waits begin.
var backlogAges = []time.Duration{0, time.Minute, 10 * time.Minute, time.Hour, 24 * time.Hour, 7 * 24 * time.Hour}

// BacklogOf gives the ages of what waits at a moment, the youngest first, with nothing counted yet. They begin and end with whole seconds, as addresses of lists can say.
func BacklogOf(now time.Time) (list []BacklogAge) {
	now = now.Truncate(time.Second)
	for i, over := range backlogAges {
		b := BacklogAge{Over: over, Waits: map[DeliveryState]ticket.Total{}}
		if i > 0 {
			b.To = now.Add(-over)
		}
		if i+1 < len(backlogAges) {
			b.From = now.Add(-backlogAges[i+1])
		}
		list = append(list, b)
	}
	return list
}
