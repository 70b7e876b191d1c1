package api

import (
	"net"
	"net/netip"
	"signalbox/ratelimit"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// Address is where a request comes from: the other end of its connection or, when that is a trusted proxy, the last address in
// X-Forwarded-For that is not one itself. What stands before it there may have been written by anybody.
func Address(c *fiber.Ctx) string { return requestOf(c).address }

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
		next, ok := ratelimit.ParseAddress(strings.TrimSpace(hop))
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
