package activities

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/textproto"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"signalbox/notice"
)

// How a mail server is connected to.
const (
	StartTLS = "starttls" // a connection in plain that becomes one of TLS before anything is said, or no mail is sent
	TLS      = "tls"      // TLS from the first byte
	NoTLS    = "none"     // in plain
)

// MailServer is where mails are handed in: an operator's own, so the address guard, which is about addresses that callers name, has no part in it.
type MailServer struct {
	Host     string // empty: there is none
	Port     int
	TLS      string // StartTLS, TLS or NoTLS
	User     string // empty: nobody signs in
	Password string
	From     string // an address, with a name or without
}

// mailer hands mails in, each over a connection of its own.
type mailer struct {
	MailServer
	roots   *x509.CertPool
	connect func(ctx context.Context, network, address string) (net.Conn, error)
}

var errNoMailServer = unsendable("no mail server is set")

// send hands a letter in and notes in the attempt what the server said: its reply as the status, and where it refused the mail or its recipient for good, or for now, that
// as the class. What fails before is the connection's fault. The deadline of ctx ends it, whatever it waits for; it is given up where it goes on all the same.
func (m mailer) send(ctx context.Context, w notice.Work, l notice.Letter, a *notice.Attempt) error {
	end, _ := ctx.Deadline()
	type outcome struct {
		notice.Attempt
		error
	}
	began := *a
	o, err := supervise(time.Until(end)+StallGrace, func(func()) outcome {
		err := m.handIn(ctx, w, l, &began)
		return outcome{began, err}
	})
	if err == nil {
		*a, err = o.Attempt, o.error
	}
	if err != nil && !time.Now().Before(end) {
		err = fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
	}
	return err
}

// handIn is send without an end of its own making.
func (m mailer) handIn(ctx context.Context, w notice.Work, l notice.Letter, a *notice.Attempt) error {
	if m.Host == "" {
		return errNoMailServer
	}
	mail, err := m.message(w, l, a.StartedAt)
	if err != nil {
		return unsendable("the mail cannot be written: " + err.Error())
	}
	limit, _ := ctx.Deadline()
	var conn net.Conn
	client, err := m.client(func(ctx context.Context, network, address string) (net.Conn, error) {
		if conn, err = m.dial(ctx, network, address, limit); err != nil {
			return nil, err
		}
		return conn, nil
	}, time.Until(limit))
	if err != nil {
		return unsendable("the mail server is not set right: " + err.Error())
	}
	defer func() {
		if conn != nil {
			_ = conn.Close() // also where the client gave up before it was one
		}
	}()
	session, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return refusedEarly(err, a)
	}
	if err = client.SendWithSMTPClient(session, mail); err != nil && !mail.IsDelivered() { // what follows once it was taken over is of no account: who is told twice was told before
		var refused *gomail
		if errors.As(err, &refused) && refused.ErrorCode() > 0 {
			a.Status = refused.ErrorCode()
			if refused.Reason == gomailSender {
				return fmt.Errorf("the mail server does not take our sender: %s", serverLine(err))
			}
			a.Class, a.Error = notice.ErrorStatus, serverLine(err)
			return nil
		}
		return err
	}
	a.Status = mailTaken
	if err == nil {
		_ = session.Quit()
	}
	return nil
}

// mailTaken is the reply of a server that has taken a mail over (RFC 5321, section 4.2).
const mailTaken = 250

type gomail = mail.SendError

const gomailSender = mail.ErrSMTPMailFrom

// message writes a mail. Its Message-ID is the same on every try, so that a server or reader that got it twice can tell; what is about one ticket belongs together.
func (m mailer) message(w notice.Work, l notice.Letter, at time.Time) (*mail.Msg, error) {
	from, err := netmail.ParseAddress(m.From)
	if err != nil {
		return nil, errors.New("the sender is not an address")
	}
	out := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := errors.Join(out.FromFormat(from.Name, from.Address), out.AddToFormat(w.Contact.Name, w.Contact.Address)); err != nil {
		return nil, errors.New("the recipient is not an address")
	}
	_, domain, _ := strings.Cut(from.Address, "@")
	subject, text := l.Mail()
	out.Subject(subject)
	out.SetMessageIDWithValue(w.Delivery.ID + "@" + domain)
	out.SetDateWithValue(at)
	out.SetGenHeader("Auto-Submitted", "auto-generated") // nobody who is away answers (RFC 3834)
	if len(l.Items) == 1 {
		out.SetGenHeader("References", "<"+l.Items[0].Number+"@"+domain+">")
	}
	out.SetBodyString(mail.TypeTextPlain, text)
	return out, nil
}

func (m mailer) client(dial mail.DialContextFunc, limit time.Duration) (*mail.Client, error) {
	policy := map[string]mail.TLSPolicy{StartTLS: mail.TLSMandatory, TLS: mail.TLSOpportunistic, NoTLS: mail.NoTLS}[m.TLS]
	options := []mail.Option{mail.WithPort(m.Port), mail.WithDialContextFunc(dial), mail.WithTLSPolicy(policy), mail.WithTLSConfig(m.trust()), mail.WithTimeout(max(limit, time.Millisecond))}
	if m.User != "" {
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(m.User), mail.WithPassword(m.Password))
	}
	return mail.NewClient(m.Host, options...)
}

func (m mailer) trust() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: m.roots, ServerName: m.Host}
}

// dial connects. Everything that waits on the connection ends by the limit.
func (m mailer) dial(ctx context.Context, network, address string, limit time.Time) (net.Conn, error) {
	conn, err := m.connect(ctx, network, address)
	if err != nil {
		return nil, err
	}
	l := &line{Conn: conn}
	l.lend(limit)
	if m.TLS != TLS {
		return l, nil
	}
	secure := tls.Client(l, m.trust())
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = l.Close()
		return nil, err
	}
	return secure, nil
}

// refusedEarly gives the error of a server that says no before it has heard of a mail: to us, not to that.
func refusedEarly(err error, a *notice.Attempt) error {
	if reply := new(textproto.Error); errors.As(err, &reply) {
		a.Status = reply.Code
	}
	return err
}

// serverLine is what a server said, without what we know ourselves.
func serverLine(err error) string {
	text, _, _ := strings.Cut(err.Error(), ", affected recipient(s)")
	text, _, _ = strings.Cut(text, ", affected message ID")
	return errorLine(errors.New("the mail server refused it: " + strings.TrimPrefix(text, "send failed: ")))
}
