package activities

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"

	"signalbox/notice"
)

// ownClients are the clients for addresses that have TLS of their own: one for each TLS, so that no connection that one was shown its certificate on is another's.
// The zero value of what is not set is ready.
type ownClients struct {
	dialling dialling
	roots    *x509.CertPool // of those that say nothing of whom to trust

	mu    sync.Mutex
	known map[notice.TLS]*ownClient
	turn  int64
}

type ownClient struct {
	clients
	used int64
}

// maxOwnClients is how many are kept. One that is not was used longest ago, and is made anew when it is needed.
const maxOwnClients = 256

// of gives the clients for a TLS. An error tells that it cannot be read.
func (o *ownClients) of(own notice.TLS) (clients, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.turn++
	if c := o.known[own]; c != nil {
		c.used = o.turn
		return c.clients, nil
	}
	config, err := configOf(own, o.roots)
	if err != nil {
		return clients{}, err
	}
	if o.known == nil {
		o.known = map[notice.TLS]*ownClient{}
	}
	if len(o.known) >= maxOwnClients {
		var oldest notice.TLS
		least := o.turn
		for t, c := range o.known {
			if c.used < least {
				oldest, least = t, c.used
			}
		}
		o.known[oldest].kept.CloseIdleConnections()
		delete(o.known, oldest)
	}
	c := &ownClient{clients: newClients(o.dialling, config), used: o.turn}
	o.known[own] = c
	return c.clients, nil
}

// configOf gives what crypto/tls is to do for a TLS.
func configOf(own notice.TLS, roots *x509.CertPool) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
	if own.CA != "" {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM([]byte(own.CA)) {
			return nil, errors.New("whom the address is to be trusted by cannot be read")
		}
	}
	if own.Certificate != "" {
		pair, err := tls.X509KeyPair([]byte(own.Certificate), []byte(own.Key))
		if err != nil {
			return nil, fmt.Errorf("the certificate that the address is to be shown cannot be read: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}
