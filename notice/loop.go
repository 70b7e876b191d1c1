package notice

import (
	"fmt"
	"strconv"
	"strings"
)

// LoopHeader tells through how many installations of ours what is sent has come (RFC 8586). What leads back to us, straight or by others, is told from what is new by
// it alone.
const LoopHeader = "CDN-Loop"

// MaxHops is how many hops an event or a request may have come; one that has come further is refused.
const MaxHops = 8

// loopPrefix begins the pseudonyms of our installations (RFC 8586, section 2).
const loopPrefix = "signalbox-"

// LoopInfo is the value of LoopHeader of what this installation sends because of something that came so many hops: itself, and one hop more.
func LoopInfo(installation string, hops int) string {
	return fmt.Sprintf("%s%s; hops=%d", loopPrefix, installation, hops+1)
}

// HopsOf tells how many hops something came, by the values of its LoopHeader; 0: nobody of ours sent it. Others' entries do not count. An entry without a count is one
// hop, and several entries are at least as many.
func HopsOf(values []string) (hops int) {
	entries := 0
	for _, entry := range strings.Split(strings.Join(values, ","), ",") {
		name, parameters, _ := strings.Cut(strings.TrimSpace(entry), ";")
		if !strings.HasPrefix(strings.ToLower(name), loopPrefix) {
			continue
		}
		entries++
		for _, parameter := range strings.Split(parameters, ";") {
			key, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
			if !strings.EqualFold(key, "hops") {
				continue
			}
			n, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 16)
			if err != nil { // of any length: it is not for us to take
				n = MaxHops + 1
			}
			hops = max(hops, int(n))
		}
	}
	return max(hops, entries)
}
