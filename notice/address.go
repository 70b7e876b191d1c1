package notice

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"signalbox/ticket"
)

// BlockedError tells that an address must not be called.
type BlockedError struct {
	Why string // what kind of address it is
}

// Error never contains the address: a subscriber could learn from it what our resolver knows of our own network.
func (e *BlockedError) Error() string { return "the address is not allowed: " + e.Why }

// kinds of special addresses, in the words of the IANA registries (RFC 6890 and what updates it). The first match counts.
var kinds = []struct {
	prefix netip.Prefix
	why    string
}{
	{netip.MustParsePrefix("0.0.0.0/8"), "it is unspecified"},
	{netip.MustParsePrefix("10.0.0.0/8"), "it is private"},
	{netip.MustParsePrefix("100.64.0.0/10"), "it is shared by a carrier"},
	{netip.MustParsePrefix("127.0.0.0/8"), "it is a loopback address"},
	{netip.MustParsePrefix("168.63.129.16/32"), "it serves a cloud's metadata"},
	{netip.MustParsePrefix("169.254.0.0/16"), "it is link-local"},
	{netip.MustParsePrefix("172.16.0.0/12"), "it is private"},
	{netip.MustParsePrefix("192.0.0.0/24"), "it is reserved for protocols"},
	{netip.MustParsePrefix("192.0.2.0/24"), "it is for documentation"},
	{netip.MustParsePrefix("192.88.99.0/24"), "it is a relay"},
	{netip.MustParsePrefix("192.168.0.0/16"), "it is private"},
	{netip.MustParsePrefix("198.18.0.0/15"), "it is for benchmarks"},
	{netip.MustParsePrefix("198.51.100.0/24"), "it is for documentation"},
	{netip.MustParsePrefix("203.0.113.0/24"), "it is for documentation"},
	{netip.MustParsePrefix("224.0.0.0/4"), "it is a multicast address"},
	{netip.MustParsePrefix("255.255.255.255/32"), "it is the broadcast address"},
	{netip.MustParsePrefix("240.0.0.0/4"), "it is reserved"},
	{netip.MustParsePrefix("::/128"), "it is unspecified"},
	{netip.MustParsePrefix("::1/128"), "it is a loopback address"},
	{netip.MustParsePrefix("fc00::/7"), "it is private"},
	{netip.MustParsePrefix("fe80::/10"), "it is link-local"},
	{netip.MustParsePrefix("ff00::/8"), "it is a multicast address"},
	{netip.MustParsePrefix("2001::/23"), "it is reserved for protocols"}, // Teredo among them
	{netip.MustParsePrefix("2001:db8::/32"), "it is for documentation"},
	{netip.MustParsePrefix("3fff::/20"), "it is for documentation"},
}

var (
	ipv4   = netip.MustParsePrefix("0.0.0.0/0")
	global = netip.MustParsePrefix("2000::/3") // all of IPv6 that is given out for use on the Internet
	sixTo4 = netip.MustParsePrefix("2002::/16")
	nat64  = netip.MustParsePrefix("64:ff9b::/96")
)

// CheckAddress gives a *BlockedError unless the address is on the public Internet or in one of the allowed ranges. An IPv4 address inside an
// IPv6 one is checked as the IPv4 address that it stands for.
func CheckAddress(ip netip.Addr, allow []netip.Prefix) error {
	ip = ip.WithZone("").Unmap()
	if !ip.IsValid() {
		return &BlockedError{Why: "it is no IP address"}
	}
	for _, prefix := range allow {
		if prefix.Contains(ip) {
			return nil
		}
	}
	if inner, ok := embedded(ip); ok {
		return CheckAddress(inner, allow)
	}
	for _, kind := range kinds {
		if kind.prefix.Contains(ip) {
			return &BlockedError{Why: kind.why}
		}
	}
	if !ipv4.Contains(ip) && !global.Contains(ip) {
		return &BlockedError{Why: "it is not public"}
	}
	return nil
}

// embedded finds the IPv4 address to which NAT64 (RFC 6052) and 6to4 (RFC 3056) carry a packet.
func embedded(ip netip.Addr) (netip.Addr, bool) {
	raw := ip.As16()
	var v4 uint32
	switch {
	case nat64.Contains(ip):
		v4 = binary.BigEndian.Uint32(raw[12:])
	case sixTo4.Contains(ip):
		v4 = binary.BigEndian.Uint32(raw[2:])
	default:
		return netip.Addr{}, false
	}
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, v4))), true
}

// Reach is where an operator lets addresses lead. The zero value is the public Internet, at any port.
type Reach struct {
	Networks []netip.Prefix // that are not public, and allowed all the same
	Ports    []uint16       // that are allowed; none named: any
}

// CheckPort gives a *BlockedError unless the port is allowed.
func (r Reach) CheckPort(port uint16) error {
	if len(r.Ports) == 0 || slices.Contains(r.Ports, port) {
		return nil
	}
	return &BlockedError{Why: fmt.Sprintf("port %d is not among those that an operator lets us call", port)}
}

// CheckURL refuses an address that can never be called: not http or https, over-long, without a host, with a user or a fragment, with a bad
// port or one that is not allowed, or literally pointing where the allowed ranges do not lead. It asks no name server: what a name resolves to is
// checked at every call. The refusal names the field "url".
func CheckURL(raw string, reach Reach) error {
	if fault := urlFault(raw, reach); fault != "" {
		return ticket.RefuseField(ticket.Invalid, "url", fault)
	}
	return nil
}

func urlFault(raw string, reach Reach) string {
	switch {
	case strings.TrimSpace(raw) == "":
		return "is required and must not be empty"
	case !utf8.ValidString(raw):
		return "must be valid UTF-8"
	case utf8.RuneCountInString(raw) > ticket.MaxURL:
		return ticket.Over(ticket.MaxURL, "characters", utf8.RuneCountInString(raw))
	case strings.ContainsFunc(raw, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) || r == '\\' }):
		return "must not contain blanks, control characters or backslashes"
	}
	p, fault := parseAddress(raw)
	if fault != "" {
		return fault
	}
	if err := reach.CheckPort(p.port); err != nil {
		return "cannot be called: " + err.Error()
	}
	if p.ip.IsValid() {
		return blockedFault(p.ip, reach.Networks)
	}
	return nameFault(p.name, reach.Networks)
}

func nameFault(name string, allow []netip.Prefix) string {
	if _, err := idna.Lookup.ToASCII(strings.ReplaceAll(name, "_", "-")); err != nil || len(name) > 253 {
		return badHost
	}
	labels := strings.Split(strings.TrimSuffix(name, "."), ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 {
			return badHost
		}
	}
	switch last := labels[len(labels)-1]; {
	case last == "localhost":
		if blockedFault(netip.AddrFrom4([4]byte{127, 0, 0, 1}), allow) != "" && blockedFault(netip.IPv6Loopback(), allow) != "" {
			return "must not point to localhost: it is a loopback address"
		}
	case number(last):
		// Some resolvers read 127.1, 0x7f000001 and 017700000001 as addresses (WHATWG URL, "ends in a number").
		return badHost
	}
	return ""
}

func blockedFault(ip netip.Addr, allow []netip.Prefix) string {
	if err := CheckAddress(ip, allow); err != nil {
		return "cannot be called: " + err.Error()
	}
	return ""
}

// number reports whether a label could be read as a number: digits, or hexadecimal with 0x in front.
func number(label string) bool {
	if rest, hex := strings.CutPrefix(label, "0x"); hex {
		return strings.Trim(rest, "0123456789abcdef") == ""
	}
	return label != "" && strings.Trim(label, "0123456789") == ""
}
