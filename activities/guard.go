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

// dialer gives a dialer that connects within the time limit, name look-up included, and only to the public Internet and where the operator lets
// addresses lead besides. It looks at the address that is about to be connected to, after the name was resolved: a check any earlier could be
// got round by a name that changes its address in between.
func dialer(reach notice.Reach, limit time.Duration) *net.Dialer {
	return &net.Dialer{Timeout: limit, KeepAlive: 15 * time.Second, ControlContext: guard(reach)}
}

// guard fails closed: what cannot be read as IP address and port over TCP is not connected to.
func guard(reach notice.Reach) func(ctx context.Context, network, address string, c syscall.RawConn) error {
	return func(_ context.Context, network, address string, _ syscall.RawConn) error {
		if network != "tcp4" && network != "tcp6" {
			return &notice.BlockedError{Why: fmt.Sprintf("%s is not TCP", network)}
		}
		target, err := netip.ParseAddrPort(address)
		if err != nil {
			return &notice.BlockedError{Why: "it is no IP address"}
		}
		if err := reach.CheckPort(target.Port()); err != nil {
			return err
		}
		return notice.CheckAddress(target.Addr(), reach.Networks)
	}
}
