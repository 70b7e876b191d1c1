package setup

import (
	"context"
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// countLimit bounds a question to the database that a reader of metrics waits for.
const countLimit = 2 * time.Second

// inDoubt shows how many tickets are in doubt, of the whole system. Where that cannot be told, it is no number.
func inDoubt(count func(context.Context) (int, error)) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "signalbox_tickets_in_doubt",
		Help: "Tickets that take no writes until they are reconciled, because the database and Temporal contradict each other about them."}, func() float64 {
		ctx, cancel := context.WithTimeout(context.Background(), countLimit)
		defer cancel()
		n, err := count(ctx)
		if err != nil {
			return math.NaN()
		}
		return float64(n)
	})
}
