package api

import (
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// Address is where a request comes from: the other end of its connection or, when that is a trusted proxy, the last address in
// X-Forwarded-For that is not one itself. What stands before it there may have been written by anybody.
func Address(c *fiber.Ctx) string { return visitOf(c).address }

func (s *Server) address(c *fiber.Ctx) string {
	peer, ok := netip.AddrFromSlice(c.Context().RemoteIP())
	if !ok {
		return c.Context().RemoteAddr().String()
	}
	from := peer.Unmap()
	if !s.trusted(from) {
		return from.String()
	}
	var hops []string
	for _, line := range c.Request().Header.PeekAll(fiber.HeaderXForwardedFor) {
		hops = append(hops, strings.Split(string(line), ",")...)
	}
	for _, hop := range slices.Backward(hops) {
		next, ok := parseAddress(strings.TrimSpace(hop))
		if !ok {
			break
		}
		if from = next; !s.trusted(from) {
			break
		}
	}
	return from.String()
}

// trusted reports whether an address is that of a proxy whose word counts.
func (s *Server) trusted(a netip.Addr) bool {
	return slices.ContainsFunc(s.config.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

func (s *Server) trustedPeer(peer net.Addr) bool {
	a, err := netip.ParseAddrPort(peer.String())
	return err == nil && s.trusted(a.Addr().Unmap().WithZone(""))
}

// parseAddress reads an address, with or without a port.
func parseAddress(text string) (netip.Addr, bool) {
	if a, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return a.Unmap().WithZone(""), true
	}
	a, err := netip.ParseAddrPort(text)
	return a.Addr().Unmap().WithZone(""), err == nil
}

// network is what counts as one address: in IPv6 the /64 that every customer has to himself.
func network(address string) string {
	a, ok := parseAddress(address)
	if !ok || a.Is4() {
		return address
	}
	prefix, err := a.Prefix(64)
	if err != nil {
		return address
	}
	return prefix.String()
}
