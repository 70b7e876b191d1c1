package notice

import (
	"maps"
	"slices"
	"strings"

	"signalbox/ticket"
)

// Limits of the headers that a caller has sent along with deliveries, in bytes.
const (
	MaxHeaders     = 20
	maxHeaderName  = 100
	maxHeaderValue = 4 << 10
	maxHeadersSize = 8 << 10 // all together
)

// ours are headers that only we can say: they are about the connection or the body (RFC 9110, section 7.6.1), sign the delivery, or count its hops.
var ours = []string{"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "host", "expect", "content-length",
	"content-encoding", "cdn-loop"}

// CheckHeaders refuses headers that cannot be sent along with deliveries. The refusal names the header as a member of field.
func CheckHeaders(field string, headers map[string]string) error {
	var f ticket.Faults
	if len(headers) > MaxHeaders {
		f.Add(field, ticket.Over(MaxHeaders, "members", len(headers)))
		return f.Err()
	}
	size, seen := 0, map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		value, low := headers[name], strings.ToLower(name)
		size += len(name) + len(value)
		switch {
		case !headerName(name):
			f.Add(field, "has a member whose name is no name for a header")
		case seen[low]:
			f.Add(field+"."+name, "is there twice")
		case slices.Contains(ours, low), strings.HasPrefix(low, "proxy-"), strings.HasPrefix(low, "webhook-"):
			f.Add(field+"."+name, "cannot be set by a caller")
		case len(value) > maxHeaderValue:
			f.Add(field+"."+name, ticket.Over(maxHeaderValue, "bytes", len(value)))
		case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
			f.Add(field+"."+name, "must not contain control characters")
		}
		seen[low] = true
	}
	if size > maxHeadersSize {
		f.Add(field, ticket.Over(maxHeadersSize, "bytes in all", size))
	}
	return f.Err()
}

// headerName reports whether a text is a token (RFC 9110, section 5.6.2).
func headerName(name string) bool {
	return name != "" && len(name) <= maxHeaderName && !strings.ContainsFunc(name, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}
