package setup

import (
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // images without a zone database know the zones all the same

	"signalbox/activities"
)

// Outside is how places and times are named towards others. It must be the same in every process.
type Outside struct {
	PublicURL PublicURL `split_words:"true" default:"http://localhost:8080" desc:"where people find the pages, for links in callbacks; the same in every process"`
	TimeZone  Zone      `split_words:"true" default:"Asia/Shanghai" desc:"time zone of the itsm family's times, and of the day that its numbers are counted by; the same in every process"`
	Mail
}

// Mail is the mail server that people are told by.
type Mail struct {
	SMTPHost     string `envconfig:"SMTP_HOST" desc:"mail server by which people are told what they are asked for; none: nobody is told by mail; the same in every process"`
	SMTPPort     int    `envconfig:"SMTP_PORT" default:"587" desc:"its port"`
	SMTPTLS      string `envconfig:"SMTP_TLS" default:"starttls" desc:"starttls, tls (from the first byte) or none"`
	SMTPUser     string `envconfig:"SMTP_USER" desc:"user that signs in there; none: nobody does"`
	SMTPPassword string `envconfig:"SMTP_PASSWORD" desc:"password of the user"`
	MailFrom     string `split_words:"true" desc:"sender of mails, as in Signalbox <box@example.com>; required with a mail server"`
}

// server gives the mail server as it is sent by.
func (m Mail) server() activities.MailServer {
	return activities.MailServer{Host: m.SMTPHost, Port: m.SMTPPort, TLS: m.SMTPTLS, User: m.SMTPUser, Password: m.SMTPPassword, From: m.MailFrom}
}

// Check names every setting of the mail server at fault.
func (m Mail) Check() error {
	if m.SMTPHost == "" {
		return nil
	}
	var port, secure, from, password error
	if m.SMTPPort < 1 || m.SMTPPort > 65535 {
		port = wrong("SMTP_PORT", "must be from 1 to 65535")
	}
	if !slices.Contains([]string{activities.StartTLS, activities.TLS, activities.NoTLS}, m.SMTPTLS) {
		secure = wrong("SMTP_TLS", "must be starttls, tls or none")
	}
	if _, err := mail.ParseAddress(m.MailFrom); err != nil {
		from = wrong("MAIL_FROM", "must be an address, such as Signalbox <box@example.com>, with "+key("SMTP_HOST"))
	}
	if (m.SMTPUser == "") != (m.SMTPPassword == "") {
		password = wrong("SMTP_PASSWORD", "goes together with "+key("SMTP_USER")+": set both or none")
	}
	return errors.Join(port, secure, from, password)
}

// PublicURL is the start of an address that people open.
type PublicURL string

// Decode reads it; envconfig calls it.
func (u *PublicURL) Decode(text string) error {
	parsed, err := url.Parse(text)
	if err != nil || parsed.Host == "" || parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.RawQuery != "" || parsed.Fragment != "" {
		return errors.New("must be an http or https URL without a query")
	}
	*u = PublicURL(strings.TrimSuffix(text, "/"))
	return nil
}

// Zone is a time zone by its name in the IANA database.
type Zone struct{ *time.Location }

// Decode reads it; envconfig calls it.
func (z *Zone) Decode(text string) error {
	zone, err := time.LoadLocation(text)
	if err != nil || text == "" {
		return fmt.Errorf("must be the name of a time zone, such as Asia/Shanghai or UTC")
	}
	z.Location = zone
	return nil
}
