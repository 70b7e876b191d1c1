// Package mailtest is a mail server in this process, which keeps the mails that it is handed and sends none: for tests, and for trying things out.
package mailtest

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"sync"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// kept is how many mails are kept; older ones are forgotten.
const kept = 500

// Mail is one that was handed in.
type Mail struct {
	ID        string // Message-ID
	From, To  string // of the envelope
	Subject   string
	Text      string
	Header    mail.Header
	At        time.Time // of its Date
	Encrypted bool      // it came over TLS
	User      string    // who signed in
}

// Options of a server.
type Options struct {
	TLS      *tls.Config // offered by STARTTLS, or from the first byte
	FromTLS  bool        // from the first byte
	User     string      // who has to sign in; empty: nobody
	Password string
}

// Server is a mail server on loopback.
type Server struct {
	options  Options
	server   *smtp.Server
	listener net.Listener
	end      sync.Once

	mu     sync.Mutex
	mails  []Mail
	refuse func(stage, address string) error
	heard  chan struct{} // closed at every mail
}

// Start starts one at a free port of loopback.
func Start(o Options) (*Server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{options: o, listener: listener, heard: make(chan struct{})}
	s.server = smtp.NewServer(smtp.BackendFunc(s.session))
	s.server.Domain, s.server.AllowInsecureAuth, s.server.EnableSMTPUTF8 = "localhost", true, true
	s.server.ErrorLog = silent{}
	if o.TLS != nil && !o.FromTLS {
		s.server.TLSConfig = o.TLS
	}
	if o.FromTLS {
		listener = tls.NewListener(listener, o.TLS)
	}
	go func() { _ = s.server.Serve(listener) }() // ends with Close
	return s, nil
}

type silent struct{}

func (silent) Printf(string, ...any) {}
func (silent) Println(...any)        {}

// Port is where it listens.
func (s *Server) Port() int { return s.listener.Addr().(*net.TCPAddr).Port }

// Close ends it, with all connections. It may be repeated.
func (s *Server) Close() (err error) {
	s.end.Do(func() {
		if err = errors.Join(s.listener.Close(), s.server.Close()); errors.Is(err, net.ErrClosed) {
			err = nil // by the one for the other
		}
	})
	return err
}

// Refuse has the server ask at every stage, "mail", "rcpt" or "data", whether to refuse; nil: it takes everything.
func (s *Server) Refuse(f func(stage, address string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = f
}

// Reply is a refusal with a reply code.
func Reply(code int, text string) error {
	return &smtp.SMTPError{Code: code, EnhancedCode: smtp.NoEnhancedCode, Message: text}
}

func (s *Server) refused(stage, address string) error {
	s.mu.Lock()
	f := s.refuse
	s.mu.Unlock()
	if f == nil {
		return nil
	}
	return f(stage, address)
}

// Mails gives what was handed in, oldest first.
func (s *Server) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Mail(nil), s.mails...)
}

// Heard gives a channel that is closed when the next mail comes.
func (s *Server) Heard() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.heard
}

func (s *Server) session(c *smtp.Conn) (smtp.Session, error) {
	_, encrypted := c.TLSConnectionState()
	return &session{server: s, mail: Mail{Encrypted: encrypted || s.options.FromTLS}}, nil
}

// session is one connection.
type session struct {
	server *Server
	mail   Mail
}

// AuthMechanisms implements smtp.AuthSession.
func (s *session) AuthMechanisms() []string {
	if s.server.options.User == "" {
		return nil
	}
	return []string{sasl.Plain}
}

// Auth implements smtp.AuthSession.
func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != s.server.options.User || password != s.server.options.Password {
			return Reply(535, "authentication failed")
		}
		s.mail.User = user
		return nil
	}), nil
}

// Mail implements smtp.Session.
func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if s.server.options.User != "" && s.mail.User == "" {
		return Reply(530, "authentication required")
	}
	s.mail.From = from
	return s.server.refused("mail", from)
}

// Rcpt implements smtp.Session.
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.mail.To = to
	return s.server.refused("rcpt", to)
}

// Data implements smtp.Session.
func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if err := s.server.refused("data", s.mail.To); err != nil {
		return err
	}
	m := s.mail
	if err := m.read(raw); err != nil {
		return Reply(554, err.Error())
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.mails = append(s.server.mails, m)
	s.server.mails = s.server.mails[max(0, len(s.server.mails)-kept):]
	close(s.server.heard)
	s.server.heard = make(chan struct{})
	return nil
}

// read reads a mail of one part of text.
func (m *Mail) read(raw []byte) error {
	parsed, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return fmt.Errorf("not a mail: %w", err)
	}
	m.Header, m.ID = parsed.Header, parsed.Header.Get("Message-ID")
	m.Subject, err = new(mime.WordDecoder).DecodeHeader(parsed.Header.Get("Subject"))
	if err != nil {
		return fmt.Errorf("the subject: %w", err)
	}
	if m.At, err = parsed.Header.Date(); err != nil {
		return fmt.Errorf("the date: %w", err)
	}
	body := parsed.Body
	switch encoding := parsed.Header.Get("Content-Transfer-Encoding"); encoding {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "7bit", "8bit":
	default:
		return errors.New("a text in " + encoding)
	}
	text, err := io.ReadAll(body)
	m.Text = string(text)
	return err
}

// Reset implements smtp.Session.
func (s *session) Reset() { s.mail = Mail{Encrypted: s.mail.Encrypted, User: s.mail.User} }

// Logout implements smtp.Session.
func (s *session) Logout() error { return nil }
