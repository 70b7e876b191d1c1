package outbox

import (
	"context"
)

// Notifications gives a channel that receives whenever deliveries became pending in the partition, in this process or another, until ctx is over. A
// signal is dropped when one is waiting already; when the connection to the database was lost in between there is one to be sure.
func (o *Outbox) Notifications(ctx context.Context, partition int) <-chan struct{} {
	return o.db.Notifications(ctx, partition)
}
