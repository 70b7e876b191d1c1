package api

import "time"

// Value gives what a pointer points to; the zero value for nil.
func Value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// Shortened gives a text, or its first max characters.
func Shortened(text string, max int) string {
	if runes := []rune(text); len(runes) > max {
		return string(runes[:max])
	}
	return text
}

// Each gives what f makes of each item; an empty list for nil, which JSON would write as null.
func Each[A, B any](items []A, f func(A) B) []B {
	out := make([]B, len(items))
	for i, item := range items {
		out[i] = f(item)
	}
	return out
}

// List gives an empty list for nil, which JSON would write as null.
func List[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

// UTC gives a time that may not be there in the zone that answers are written in.
func UTC(at *time.Time) *time.Time {
	if at == nil {
		return nil
	}
	u := at.UTC()
	return &u
}
