package ratelimit

import "time"

// Bucket is how many requests may be made: it holds Burst at most and is refilled steadily, Rate a minute (the generic cell rate algorithm,
// ITU-T I.371). The zero FullAt is a full bucket. Rate and Burst must be positive.
type Bucket struct {
	Rate, Burst int
	FullAt      time.Time // when it is full again, if nothing is taken meanwhile
}

// each is how long it takes to refill one.
func (b Bucket) each() time.Duration { return time.Minute / time.Duration(b.Rate) }

// missing is how long it takes until the bucket is full. A bucket that seems to be more than empty was taken from under a larger burst, or
// by a clock that runs ahead; it counts as empty.
func (b Bucket) missing(now time.Time) time.Duration {
	return min(max(b.FullAt.Sub(now), 0), time.Duration(b.Burst)*b.each())
}

// Left is how many can be taken now.
func (b Bucket) Left(now time.Time) int {
	each := b.each()
	return b.Burst - int((b.missing(now)+each-1)/each)
}

// Take takes n, or as many as are left, and tells how many.
func (b *Bucket) Take(n int, now time.Time) int {
	taken := max(0, min(n, b.Left(now)))
	b.FullAt = now.Add(b.missing(now) + time.Duration(taken)*b.each())
	return taken
}

// Put gives back n that were taken and not used.
func (b *Bucket) Put(n int, now time.Time) {
	b.FullAt = now.Add(max(0, b.missing(now)-time.Duration(n)*b.each()))
}

// Wait is how long it takes until one can be taken; 0: now.
func (b Bucket) Wait(now time.Time) time.Duration {
	return max(0, b.missing(now)-time.Duration(b.Burst-1)*b.each())
}

// Owe takes n although the bucket may hold fewer: what it lacks then has to be refilled before anything can be taken. It is for what can only be
// counted once it is done.
func (b *Bucket) Owe(n int, now time.Time) {
	b.FullAt = now.Add(max(0, b.FullAt.Sub(now)) + time.Duration(n)*b.each())
}

// Due is how long it takes until one can be taken, all that is owed included; 0: now.
func (b Bucket) Due(now time.Time) time.Duration {
	return max(0, max(0, b.FullAt.Sub(now))-time.Duration(b.Burst-1)*b.each()) // a zero FullAt is as far away as a Duration can tell
}
