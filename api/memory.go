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
	expires time.Time
}

func newMemory(now func() time.Time) *memory {
	return &memory{now: now, buckets: ratelimit.NewKeyed(keptLogins), signatures: map[string]signature{}}
}

// TakeRequests implements Shared.
func (m *memory) TakeRequests(_ context.Context, app string, b ratelimit.Bucket, n, unused int) (int, ratelimit.Bucket, error) {
	taken, after := m.buckets.Take(app, b, n, unused, m.now())
	return taken, after, nil
}

// UseSignature implements Shared. Only signatures that fit come here, so there are as many as their callers can make.
func (m *memory) UseSignature(_ context.Context, digest, key string, expires time.Time) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	if first, seen := m.signatures[digest]; seen && now.Before(first.expires) {
		return key != "" && first.key == key, nil
	}
	if len(m.signatures)%1_000 == 999 {
		for digest, s := range m.signatures {
			if !now.Before(s.expires) {
				delete(m.signatures, digest)
			}
		}
	}
	m.signatures[digest] = signature{key, expires}
	return true, nil
}
