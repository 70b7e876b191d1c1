package activities

import (
	"context"
	"maps"
	"slices"
	"time"

	"signalbox/internal/tracing"
	"signalbox/notice"
)

// flight is a try under way.
type flight struct {
	lane notice.Lane
	slow bool
}

// landing is a try that came back.
type landing struct {
	*flight
	span   tracing.Span // of the try, until it is written down
	result notice.Result
	none   bool  // no try was made
	err    error // why not; nil: it is pending no more
}

// beginTries begins as many tries as there are slots for.
func (s *shift) beginTries(ctx context.Context) {
	for s.hasSlot() && len(s.deferred) < maxDeferred && len(s.batch) < maxBatch {
		s.alive()
		aside := slices.AppendSeq(slices.Collect(maps.Keys(s.busy)), maps.Keys(s.deferred))
		limit := min(max(s.slots(), leastPage), chunk)
		works, err := s.pending(ctx, aside, limit)
		if err != nil {
			s.fault(ctx, err)
			return
		}
		for _, w := range works {
			if !s.hasSlot() {
				return // still looking: the next landing makes room
			}
			s.begin(ctx, w)
		}
		if len(works) < limit {
			break
		}
	}
	if len(s.batch) >= maxBatch {
		return // much was put off; when that is written down there is more
	}
	// What is left waits for a landing, a notification or the poll, and each of them has us look again.
	s.look = false
}

func (s *shift) pending(ctx context.Context, aside []notice.Lane, limit int) ([]notice.Work, error) {
	ctx, cancel := context.WithTimeout(ctx, outboxLimit)
	defer cancel()
	return s.Outbox.Pending(ctx, s.partition, aside, limit, s.congested()...)
}

// slots is how many more tries may be under way; see slowAfter.
func (s *shift) slots() int {
	return min(s.concurrency()-(len(s.inFlight)-s.slow), overflow*s.concurrency()-len(s.inFlight))
}

func (s *shift) hasSlot() bool { return s.slots() > 0 }

// congested gives the hosts for which deferredPerHost lanes wait already.
func (s *shift) congested() (hosts []string) {
	waiting := map[string]int{}
	for _, host := range s.deferred {
		if waiting[host]++; waiting[host] == deferredPerHost {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// capacityFreed lets those lanes go on whose host has capacity again.
func (s *shift) capacityFreed() {
	freed := s.capacity.take()
	maps.DeleteFunc(s.deferred, func(_ notice.Lane, host string) bool { return freed[host] })
	s.look = true
}

// begin makes a try, unless one before it in its lane is under way or its host has its share already: a receiver that hangs must not keep
// the others waiting. A host that answers nobody is left alone; the lane's own workflow goes on with it.
func (s *shift) begin(ctx context.Context, w notice.Work) {
	f := &flight{lane: w.Delivery.Lane}
	if _, aside := s.deferred[f.lane]; aside || s.busy[f.lane] {
		return
	}
	if w.Delivery.FirstTry != nil { // begun by a drain that was lost
		s.busy[f.lane] = true
		s.batch = append(s.batch, s.conclude(ctx, w, Answer{Attempt: notice.Lost(w.Delivery.ID, *w.Delivery.FirstTry, s.Now())}))
		return
	}
	p, a, until := s.hosts().admit(host(w), false, s.capacity)
	switch a {
	case full:
		s.deferred[f.lane] = host(w)
		return
	case open:
		s.busy[f.lane] = true
		until = until.Add(s.scatter())
		if latest := s.profile(w).Latest(0, s.Now()); until.After(latest) {
			until = latest
		}
		s.batch = append(s.batch, s.putOff(w, until))
		return
	}
	s.busy[f.lane] = true
	s.inFlight[f] = true
	go func() {
		slow := time.AfterFunc(slowAfter, func() {
			select {
			case s.late <- f:
			case <-s.done:
			}
		})
		defer slow.Stop()
		s.landings <- s.fly(ctx, f, w, p) // never blocks: there is room for all that are under way
	}()
}

// fly makes a first try. Where the drain before this one was lost, any of those that it may have been making may be what takes us down: they are written
// down before they are made, so that there is an end to it. Others are not, for it costs a transaction each.
func (s *shift) fly(ctx context.Context, f *flight, w notice.Work, p *permit) landing {
	now := s.Now()
	if s.careful && w.Delivery.CreatedAt.Before(s.began) {
		limited, cancel := context.WithTimeout(ctx, outboxLimit)
		begun, err := s.Outbox.Begin(limited, w.Delivery.ID, now)
		cancel()
		if err != nil || !begun {
			p.release(nothing)
			return landing{flight: f, none: true, err: err}
		}
	}
	ctx, span := s.follow(ctx, w, "drain")
	answer, opened := s.attempt(ctx, w, p, now)
	result := s.conclude(ctx, w, answer)
	result.BreakerOpened = opened
	span.Text(tracing.Then, string(result.Then))
	return landing{flight: f, result: result, span: span}
}

func (s *shift) land(ctx context.Context, l landing) {
	delete(s.inFlight, l.flight)
	if l.slow {
		s.slow--
	}
	s.look = true
	if l.none {
		delete(s.busy, l.lane)
		if l.err != nil {
			s.fault(ctx, l.err)
		}
		return
	}
	if l.span.Recording() {
		s.spans[l.lane] = l.span
	}
	s.batch = append(s.batch, l.result)
}

// gather takes in what else lands within the time that is called gather: one transaction for many results costs hardly more than for one.
func (s *shift) gather(ctx context.Context) {
	timer := time.NewTimer(gather)
	defer timer.Stop()
	for len(s.inFlight) > 0 && len(s.batch) < maxBatch {
		select {
		case l := <-s.landings:
			s.land(ctx, l)
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}
