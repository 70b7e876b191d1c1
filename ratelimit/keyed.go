package ratelimit

import (
	"sync"
	"time"
)

// Keyed is a bucket for each key, in this process. Buckets that are full again are forgotten, because a new one is full too.
type Keyed struct {
	mu     sync.Mutex
	fullAt Expiring[string]
}

// NewKeyed makes buckets for at most so many keys that are not full; with more, some count as full too early.
func NewKeyed(most int) *Keyed { return &Keyed{fullAt: NewExpiring[string](most)} }

// Take takes up to n from a key's bucket, of the rate and burst that b says, after giving back unused ones. It tells how many were to be had, and
// the bucket as it is then.
func (k *Keyed) Take(key string, b Bucket, n, unused int, now time.Time) (taken int, after Bucket) {
	after = k.change(key, b, now, func(b *Bucket) {
		b.Put(unused, now)
		taken = b.Take(n, now)
	})
	return taken, after
}

// Owe takes one from a key's bucket although it may be empty.
func (k *Keyed) Owe(key string, b Bucket, now time.Time) {
	k.change(key, b, now, func(b *Bucket) { b.Owe(1, now) })
}

// Due is how long it takes until one can be taken from a key's bucket; 0: now.
func (k *Keyed) Due(key string, b Bucket, now time.Time) time.Duration {
	return k.change(key, b, now, func(*Bucket) {}).Due(now)
}

func (k *Keyed) change(key string, b Bucket, now time.Time, with func(*Bucket)) Bucket {
	k.mu.Lock()
	defer k.mu.Unlock()
	before := k.fullAt.Until(key)
	b.FullAt = before
	if with(&b); !b.FullAt.Equal(before) {
		k.fullAt.Set(key, b.FullAt, now)
	}
	return b
}

// Len is how many keys are remembered.
func (k *Keyed) Len() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.fullAt.Len()
}

// Expiring remembers until when something holds, for a bounded number of keys. It is not safe for use by several goroutines at once.
type Expiring[K comparable] struct {
	most int
	all  map[K]time.Time
}

// NewExpiring makes one for at most so many keys.
func NewExpiring[K comparable](most int) Expiring[K] {
	return Expiring[K]{most: most, all: map[K]time.Time{}}
}

// Until is until when a key holds; the zero time where it is not known.
func (e Expiring[K]) Until(key K) time.Time { return e.all[key] }

// Set says until when a key holds. Where there is no room for it, what is over is forgotten first, and if that is not enough, any tenth.
func (e Expiring[K]) Set(key K, until, now time.Time) {
	if _, known := e.all[key]; !known && len(e.all) >= e.most {
		for key, until := range e.all {
			if !now.Before(until) {
				delete(e.all, key)
			}
		}
		for key := range e.all {
			if len(e.all) <= e.most-max(1, e.most/10) {
				break
			}
			delete(e.all, key)
		}
	}
	e.all[key] = until
}

// Len is how many keys are remembered.
func (e Expiring[K]) Len() int { return len(e.all) }
