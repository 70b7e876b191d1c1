package ratelimit

import "sync"

// Counter counts what is open at once, by key. The zero Counter is ready for use.
type Counter struct {
	mu   sync.Mutex
	open map[string]int
}

// Enter counts one more, unless there are as many as there may be.
func (c *Counter) Enter(key string, most int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		c.open = map[string]int{}
	}
	if c.open[key] >= most {
		return false
	}
	c.open[key]++
	return true
}

// Leave counts one less.
func (c *Counter) Leave(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open[key]--; c.open[key] == 0 {
		delete(c.open, key)
	}
}
