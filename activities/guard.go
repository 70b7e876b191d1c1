package activities

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"signalbox/notice"
)

// Guard keeps outgoing calls away from addresses that are not on the public Internet, except for the ranges an operator allows, and from ports
// that no operator allows.
type Guard struct {
	Allow []netip.Prefix
	Ports []uint16 // that may be called; none named: any
}

// Dialer gives a dialer that connects within the time limit, name look-up included, and only where the guard lets it. The guard looks at the
// address that is about to be connected to, after the name was resolved: a check any earlier could be got round by a name that changes its
// address in between.
func (g Guard) Dialer(limit time.Duration) *net.Dialer {
	return &net.Dialer{Timeout: limit, KeepAlive: 15 * time.Second, ControlContext: g.control}
}

// control fails closed: what cannot be read as IP address and port over TCP is not connected to.
func (g Guard) control(_ context.Context, network, address string, _ syscall.RawConn) error {
	if network != "tcp4" && network != "tcp6" {
		return &notice.BlockedError{Why: fmt.Sprintf("%s is not TCP", network)}
	}
	target, err := netip.ParseAddrPort(address)
	if err != nil {
		return &notice.BlockedError{Why: "it is no IP address"}
	}
	if err := (notice.Reach{Ports: g.Ports}).CheckPort(target.Port()); err != nil {
		return err
	}
	return notice.CheckAddress(target.Addr(), g.Allow)
}
