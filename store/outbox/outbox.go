package outbox

import (
	"context"
	"strings"
	"time"

	"signalbox/store/chain"
	"signalbox/store/db"
	"signalbox/store/tallies"
	"signalbox/store/vault"
)

// Options of an outbox.
type Options struct {
	Partitions int            // how many partitions new deliveries are spread over; 16. The same in every process
	PublicURL  string         // where people find us; part of what callbacks say
	Zone       *time.Location // of times in callbacks, and in letters to who has none
	Mail       bool           // there is a mail server: people are told by mail
}

// Outbox is the subscriptions and their deliveries in the database. Safe for concurrent use.
type Outbox struct {
	db         *db.DB
	vault      *vault.Vault
	chain      *chain.Chain
	counts     *tallies.Tallies
	partitions int
	publicURL  string // without a slash at the end
	zone       *time.Location
	mail       bool
}

// New gives the outbox of a database.
func New(d *db.DB, v *vault.Vault, c *chain.Chain, counts *tallies.Tallies, o Options) *Outbox {
	if o.Partitions <= 0 {
		o.Partitions = 16
	}
	return &Outbox{db: d, vault: v, chain: c, counts: counts, partitions: o.Partitions, publicURL: strings.TrimSuffix(o.PublicURL, "/"), zone: o.Zone, mail: o.Mail}
}

// Notifications gives a channel that receives whenever deliveries became pending in the partition, in this process or another, until ctx is over. A
// signal is dropped when one is waiting already; when the connection to the database was lost in between there is one to be sure.
func (o *Outbox) Notifications(ctx context.Context, partition int) <-chan struct{} {
	return o.db.Notifications(ctx, partition)
}
