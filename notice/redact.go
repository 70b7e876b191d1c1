package notice

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Redacted stands for a value that is kept nowhere.
const Redacted = "[redacted]"

// Bounds of what is kept of a message's headers.
const (
	maxKeptHeaders = 64
	maxKeptValue   = 1 << 10 // bytes
)

// telling are parts of the names of headers that carry what lets somebody in.
var telling = []string{"auth", "cookie", "token", "secret", "passw", "key", "credential", "session", "signature", "csrf", "xsrf"}

// AnswerHeaders gives an answer's headers as they may be kept: without cookies and other credentials, told by their names, and no more of
// them than a person reads. Several values of one name are joined.
func AnswerHeaders(h map[string][]string) map[string]string {
	return kept(h, func(name string) bool {
		low := strings.ToLower(name)
		return slices.ContainsFunc(telling, func(part string) bool { return strings.Contains(low, part) })
	})
}

// SentHeaders gives a request's headers as they may be kept. Ours are kept as they are, the signature too: it opens nothing. The values of
// those that an address's owner had us add are not, since any of them may be a secret.
func SentHeaders(h map[string][]string, owners map[string]string) map[string]string {
	added := map[string]bool{}
	for name := range owners {
		added[strings.ToLower(name)] = true
	}
	return kept(h, func(name string) bool { return added[strings.ToLower(name)] })
}

func kept(h map[string][]string, secret func(name string) bool) map[string]string {
	if len(h) == 0 {
		return nil
	}
	out := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(h))[:min(len(h), maxKeptHeaders)] {
		if secret(name) {
			out[clip(name)] = Redacted
			continue
		}
		out[clip(name)] = clip(strings.Join(h[name], ", "))
	}
	return out
}

// clip makes a text fit to be kept: valid, and not too long.
func clip(text string) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, string(utf8.RuneError)), "\x00", "")
	if len(text) <= maxKeptValue {
		return text
	}
	return strings.ToValidUTF8(text[:maxKeptValue], "") + "…"
}
