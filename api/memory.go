package api

import (
	"context"
	"signalbox/ratelimit"
	"sync"
	"time"
)

// memory is Shared for a process that is alone.
type memory struct {
	now func() time.Time

	buckets *ratelimit.Keyed // one for each app

	mu         sync.Mutex
	signatures map[string]signature
}

type signature struct {
	key     string
	uses    int
	expires time.Time
}

// NewMemory gives a Shared for a process that is alone, by a clock. It forgets signatures when they have expired.
func NewMemory(now func() time.Time) Shared { return newMemory(now) }

func newMemory(now func() time.Time) *memory {
	return &memory{now: now, buckets: ratelimit.NewKeyed(keptLogins), signatures: map[string]signature{}}
}

// TakeRequests implements Shared.
func (m *memory) TakeRequests(_ context.Context, app string, b ratelimit.Bucket, n, unused int) (int, ratelimit.Bucket, error) {
	taken, after := m.buckets.Take(app, b, n, unused, m.now())
	return taken, after, nil
}

// UseSignature implements Shared. Only signatures that fit come here, so there are as many as their callers can make.
func (m *memory) UseSignature(_ context.Context, digest, key string, expires time.Time, repeats bool) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	if first, seen := m.signatures[digest]; seen && first.uses > 0 && now.Before(first.expires) {
		ok := repeats || key != "" && first.key == key
		if ok {
			first.uses++
			m.signatures[digest] = first
		}
		return ok, nil
	}
	if len(m.signatures)%1_000 == 999 {
		for digest, s := range m.signatures {
			if !now.Before(s.expires) {
				delete(m.signatures, digest)
			}
		}
	}
	m.signatures[digest] = signature{key, 1, expires}
	return true, nil
}

// ReturnSignature implements Shared.
func (m *memory) ReturnSignature(_ context.Context, digest string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s, seen := m.signatures[digest]; seen && s.uses > 0 {
		s.uses--
		m.signatures[digest] = s
	}
	return nil
}
