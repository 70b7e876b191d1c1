package notice

import "strings"

// Overlaps reports whether there can be an event that both filters choose.
func (f Filter) Overlaps(other Filter) bool {
	either := func(a, b string) bool { return a == "" || b == "" || a == b }
	return either(f.Source, other.Source) && either(f.Topic, other.Topic) && either(f.Type, other.Type) && either(f.Status, other.Status) &&
		keysOverlap(f.Key, other.Key)
}

func keysOverlap(a, b string) bool {
	shortA, openA := strings.CutSuffix(a, "*")
	shortB, openB := strings.CutSuffix(b, "*")
	switch {
	case a == "" || b == "":
		return true
	case openA && openB:
		return strings.HasPrefix(shortA, shortB) || strings.HasPrefix(shortB, shortA)
	case openA:
		return strings.HasPrefix(b, shortA)
	case openB:
		return strings.HasPrefix(a, shortB)
	}
	return a == b
}
