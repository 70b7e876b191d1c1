package ratelimit

import (
	"net/netip"
	"strings"
)

// Network is what counts as one caller's address: in IPv6 the /64 that every customer has to himself. What is no address stands for itself.
func Network(address string) string {
	a, ok := ParseAddress(address)
	if !ok {
		return strings.Clone(address)
	}
	if a.Is4() {
		return a.String()
	}
	prefix, _ := a.Prefix(64) // an IPv6 address has more than 64 bits
	return prefix.String()
}

// ParseAddress reads an IP address, with or without a port; one that maps IPv4 into IPv6 as IPv4, and without a zone.
func ParseAddress(text string) (netip.Addr, bool) {
	if a, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return a.Unmap().WithZone(""), true
	}
	a, err := netip.ParseAddrPort(text)
	return a.Addr().Unmap().WithZone(""), err == nil
}
