// Package ports finds loopback TCP ports for programs that must be told their port before they listen on it.
package ports

import (
	"fmt"
	"net"
	"strconv"
)

// Loopback is the only address that anything in dev mode and its tests listens on.
const Loopback = "127.0.0.1"

// Free returns n different ports on which nothing listens on Loopback. Another process may still take one before the
// caller does, but the kernel will not hand them out again as "any port" for some tens of seconds.
func Free(n int) ([]int, error) {
	found := make([]int, 0, n)
	for range n {
		l, err := net.Listen("tcp", net.JoinHostPort(Loopback, "0"))
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		// All listeners stay open until the last is found, so that the ports differ.
		defer l.Close()
		if err := linger(l); err != nil {
			return nil, fmt.Errorf("reserve a free port: %w", err)
		}
		found = append(found, l.Addr().(*net.TCPAddr).Port)
	}
	return found, nil
}

// Check returns an error that names the port when something already listens on it.
func Check(port int) error {
	l, err := net.Listen("tcp", Address(port))
	if err != nil {
		return fmt.Errorf("port %d: %w", port, err)
	}
	return l.Close()
}

// Address is the loopback host:port of a port.
func Address(port int) string { return net.JoinHostPort(Loopback, strconv.Itoa(port)) }

// linger leaves a connection of l in TIME_WAIT: the kernel then keeps the port out of its choice for ":0", while an
// explicit listen on it still works because Go sets SO_REUSEADDR. For that the listening side must be first to close.
func linger(l net.Listener) error {
	far, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return err
	}
	defer far.Close()
	near, err := l.Accept()
	if err != nil {
		return err
	}
	return near.Close()
}
