package flow

import (
	"fmt"
	"slices"
	"strings"
)

// reserved are headers of a request that only whoever makes it can say: they are about the connection or the body (RFC 9110, section 7.6.1),
// tell a repetition, or count hops.
var reserved = []string{"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "host", "expect", "content-length",
	"content-encoding", "idempotency-key", "cdn-loop"}

// Reserved reports whether a header of a request cannot be set by its node; the case of its name does not matter. Those that sign it are among
// them.
func Reserved(name string) bool {
	low := strings.ToLower(name)
	return slices.Contains(reserved, low) || strings.HasPrefix(low, "webhook-") || strings.HasPrefix(low, "proxy-")
}

// callHeaders names the headers that requests of nodes must not set.
func callHeaders(def Definition) (faults Faults) {
	look := func(at string, r *Request) {
		if r == nil {
			return
		}
		for _, name := range sortedKeys(r.Headers) {
			if Reserved(name) {
				faults.add(at+".headers."+name, "cannot be set: Signalbox sets it itself, or leaves it out")
			}
		}
	}
	for i, n := range def.Nodes {
		look(fmt.Sprintf("nodes[%d].call", i), n.Call)
	}
	def.everyProcessors(func(path string, p *Processors) { look(path+".http", p.HTTP) })
	return faults
}
