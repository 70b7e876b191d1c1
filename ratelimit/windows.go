package ratelimit

import "time"

// Windows counts by key in windows of time: in the running one and in the one before it, so that nothing is forgotten before a window has
// passed. It is for limits that are not to be refilled little by little. It is not safe for use by several goroutines at once.
type Windows struct {
	window       time.Duration
	most         int
	began        time.Time
	count, older map[string]int
}

// NewWindows makes windows of a length, with at most so many keys in each: a flood of keys makes windows shorter, never the memory larger.
func NewWindows(window time.Duration, most int) *Windows {
	return &Windows{window: window, most: most, count: map[string]int{}, older: map[string]int{}}
}

// Count is how often a key was added, in the running window and the one before.
func (w *Windows) Count(key string, now time.Time) int {
	w.turn(now)
	return w.count[key] + w.older[key]
}

// Add counts a key once more.
func (w *Windows) Add(key string, now time.Time) {
	w.turn(now)
	w.count[key]++
}

// Remove takes back one count of a key.
func (w *Windows) Remove(key string) {
	for _, counts := range []map[string]int{w.count, w.older} {
		if counts[key] > 0 {
			counts[key]--
			return
		}
	}
}

// Len is how many keys are remembered.
func (w *Windows) Len() int { return len(w.count) + len(w.older) }

// turn begins a new window when the running one is over or full.
func (w *Windows) turn(now time.Time) {
	age := now.Sub(w.began)
	switch {
	case age >= 2*w.window:
		w.older, w.count, w.began = map[string]int{}, map[string]int{}, now
	case age >= w.window, len(w.count) >= w.most:
		w.older, w.count, w.began = w.count, map[string]int{}, now
	}
}
