package db

import (
	"context"
)

// TicketCounter is the counter that integer ids are drawn from.
const TicketCounter = "tickets"

// DrawNumber gives a counter's next value. A number is used once even when its transaction is rolled back and the number drawn again, because
// nobody saw it the first time.
func (q *Tx) DrawNumber(ctx context.Context, counter string) (value int64, err error) {
	err = q.Get(ctx, &value, `INSERT INTO counters (name, value) VALUES (?, 1)
		ON CONFLICT (name) DO UPDATE SET value = counters.value + 1 RETURNING value`, counter)
	return value, Wrap("draw a number", err)
}
