package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"
)

// asleep opens many tickets that nobody does anything with, and looks at what they cost: memory, processor time while nothing happens, and how fast others
// are opened and brought to their end beside them.
func (b *bench) asleep() {
	many := 50_000
	if b.smoke {
		many = 20
	}
	lives := func() measured {
		return b.load(side{name: "ticket", do: b.ourLifecycle}, 16, 0)
	}
	without, memory := lives(), b.held()
	began := time.Now()
	var made stock
	for done := 0; done < many; done += 1_000 {
		made.fill(b, min(1_000, many-done), b.open)
		if !b.smoke {
			progress("%d of %d tickets asleep, %s", min(done+1_000, many), many, time.Since(began).Round(time.Second))
		}
	}
	made.list = nil
	b.drain()
	r := row{what: fmt.Sprintf("ticket lifecycle, 16 callers, beside %d tickets asleep, against the same without", many), goal: "1.0"}
	spin, sync, err := noise(b.dir)
	require.NoError(b, err)
	idle := b.idle()
	for range b.rounds {
		with := lives()
		r.rounds = append(r.rounds, rounds{with, without, byRate(with, without), spin, sync})
		progress("beside %d asleep: %.1f/s against %.1f/s: %.2f", many, with.rate(), without.rate(), byRate(with, without))
	}
	after := b.held()
	b.rows = append(b.rows, r,
		row{what: fmt.Sprintf("processor time while %d are asleep and nobody asks for anything", many), goal: "none to speak of", note: idle},
		row{what: "memory of API, ticket worker, delivery worker before and with them", goal: "flat", note: fmt.Sprintf("%s, then %s", memory, after)})
}

// idle watches for a while what the programs use while nothing is asked of them.
func (b *bench) idle() string {
	length := 30 * time.Second
	if b.smoke {
		length = time.Second
	}
	before := b.machine.used(b)
	ctx, cancel := context.WithTimeout(b.Context(), length)
	defer cancel()
	<-ctx.Done()
	used := b.machine.used(b).since(before)
	text := ""
	for _, program := range programs[:len(programs)-2] {
		text += fmt.Sprintf("%s %.1f %%, ", program, used.cpu[program].Seconds()*100/length.Seconds())
	}
	return text + "of one core"
}

// held tells how much memory our programs hold.
func (b *bench) held() string {
	return fmt.Sprintf("%d, %d, %d MB", memoryOf(b.apis.PID())>>20, memoryOf(b.tickets.PID())>>20, memoryOf(b.deliver.PID())>>20)
}
