package tickets

import (
	"context"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"signalbox/store/chain"
	"signalbox/store/db"
	"signalbox/store/outbox"
	"signalbox/store/tallies"
	"signalbox/store/vault"
	"signalbox/ticket"
)

// Projections is the read model of tickets.
type Projections struct {
	db      *db.DB
	vault   *vault.Vault
	chain   *chain.Chain
	outbox  *outbox.Outbox
	slas    *prometheus.CounterVec
	moves   *prometheus.CounterVec
	tallies *tallies.Tallies
	looked  sync.Map // by tenant, until when it is looked before what is found is written: see Outright

	background context.Context // of what goes on beside the calls
	stop       context.CancelFunc
	ended      sync.WaitGroup
	mu         sync.Mutex
	posting    bool
}

// lapses are what can become of an SLA whose time runs, as it is counted, by the type of the event that tells of it.
var lapses = map[ticket.Type]string{ticket.SLAWarned: ticket.SLAStateWarned, ticket.SLABreached: ticket.SLAStateBreached}

// Measure puts what is counted of tickets into a registry.
func (p *Projections) Measure(registry prometheus.Registerer) { registry.MustRegister(p.slas, p.moves) }

// New gives the tickets of a database.
func New(d *db.DB, v *vault.Vault, c *chain.Chain, o *outbox.Outbox, counts *tallies.Tallies) *Projections {
	p := &Projections{db: d, vault: v, chain: c, outbox: o, tallies: counts, slas: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signalbox_slas_total",
		Help: "SLAs of tickets that warned, or were breached, as this process wrote that down: each by one process, once."}, []string{"what"})}
	for _, what := range lapses {
		p.slas.WithLabelValues(what)
	}
	p.moves = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signalbox_tickets_total",
		Help: "Tickets that came into a phase, as this process wrote that down: each time by one process, once."}, []string{"phase"})
	for _, phase := range ticket.Phases {
		p.moves.WithLabelValues(phase)
	}
	p.background, p.stop = context.WithCancel(context.Background())
	return p
}

// End ends what goes on beside the calls, before the database is closed.
func (p *Projections) End() {
	p.mu.Lock()
	p.stop()
	p.mu.Unlock()
	p.ended.Wait()
}
