package activities_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/activities"
	"signalbox/activities/mailtest"
	"signalbox/activities/trusttest"
	"signalbox/notice"
)

// letter is work that tells ada of a ticket in a way.
func letter(f notice.Format, to notice.Contact) notice.Work {
	due := time.Date(2026, 12, 1, 9, 30, 0, 0, time.UTC)
	l := notice.Letter{Language: "zh", Zone: "Asia/Shanghai", Items: []notice.Item{{Why: notice.Asked, Number: "IM1", Title: "印章: été", URL: "https://box.example.com/ticket/IM1", Node: "盖章", Vote: true, Due: &due}}}
	to.Name = "Ada Lovelace"
	return notice.Work{
		Delivery:     notice.Delivery{ID: "msg_1", Type: "asked", Body: l.Body()},
		Subscription: notice.Subscription{ID: "s-1", Format: f, Profile: notice.Letters, Host: "mail"},
		Contact:      to,
	}
}

func mailed() notice.Work {
	return letter(notice.FormatMail, notice.Contact{Address: "ada@example.com"})
}

func mailServer(t *testing.T, o mailtest.Options) *mailtest.Server {
	t.Helper()
	s, err := mailtest.Start(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// mailSender sends mails to a server in plain, unless it is changed.
func mailSender(s *mailtest.Server, change ...func(*activities.MailServer)) *activities.Sender {
	return newSender(func(o *activities.SenderOptions) {
		o.Reach = notice.Reach{} // the guard is about addresses that callers name
		o.Mail = activities.MailServer{Host: "127.0.0.1", Port: s.Port(), TLS: activities.NoTLS, From: "Signalbox <box@box.example.com>"}
		for _, f := range change {
			f(&o.Mail)
		}
	})
}

func TestAMailIsHandedIn(t *testing.T) {
	server := mailServer(t, mailtest.Options{})
	s := mailSender(server)
	a := send(t, s, mailed())
	require.Equal(t, 250, a.Status)
	require.Equal(t, notice.ErrorNone, a.Class)
	require.True(t, notice.BuiltIn().For(mailed().Subscription).Grade(a).Succeeded)
	send(t, s, mailed())
	mails := server.Mails()
	require.Len(t, mails, 2)
	m := mails[0]
	require.Equal(t, []string{"box@box.example.com", "ada@example.com"}, []string{m.From, m.To})
	require.Equal(t, "请您审批：盖章 – 印章: été [IM1]", m.Subject)
	require.Equal(t, "请您审批：盖章\r\n印章: été [IM1]\r\n截止时间：2026-12-01 17:30 (UTC+08:00)\r\nhttps://box.example.com/ticket/IM1\r\n", m.Text)
	require.Equal(t, "<msg_1@box.example.com>", m.ID)
	require.Equal(t, m.ID, mails[1].ID, "whoever gets it twice can tell")
	require.Equal(t, "auto-generated", m.Header.Get("Auto-Submitted"))
	require.Equal(t, "<IM1@box.example.com>", m.Header.Get("References"))
	require.Equal(t, `"Ada Lovelace" <ada@example.com>`, m.Header.Get("To"))
	require.WithinDuration(t, a.StartedAt, m.At, 2*time.Second)
}

// TestWhatAMailServerSaysDecides whether a mail is tried again: not where it or its recipient is refused for good; where it is us that are refused, an operator mends that.
func TestWhatAMailServerSaysDecides(t *testing.T) {
	profile := notice.BuiltIn().For(mailed().Subscription)
	for name, c := range map[string]struct {
		stage  string
		code   int
		status int
		class  notice.ErrorClass
		then   notice.DeliveryState
	}{
		"no such mailbox":      {"rcpt", 550, 550, notice.ErrorStatus, notice.Failed},
		"greylisted":           {"rcpt", 450, 450, notice.ErrorStatus, notice.Retrying},
		"refused by its words": {"data", 554, 554, notice.ErrorStatus, notice.Failed},
		"full":                 {"data", 452, 452, notice.ErrorStatus, notice.Retrying},
		"our sender":           {"mail", 553, 553, notice.ErrorConnect, notice.Retrying},
	} {
		t.Run(name, func(t *testing.T) {
			server := mailServer(t, mailtest.Options{})
			server.Refuse(func(stage, _ string) error {
				if stage == c.stage {
					return mailtest.Reply(c.code, "no: "+name)
				}
				return nil
			})
			a := profile.Grade(send(t, mailSender(server), mailed()))
			require.False(t, a.Succeeded)
			require.Equal(t, c.status, a.Status)
			require.Equal(t, c.class, a.Class, a.Error)
			require.Contains(t, a.Error, "no: "+name)
			require.NotContains(t, a.Error, "msg_1")
			require.Equal(t, c.then, profile.DecideRetry(notice.Try{Attempt: a}).Then)
			require.Empty(t, server.Mails())
		})
	}
}

func TestAMailServerIsSignedInToOverTLS(t *testing.T) {
	authority := trusttest.New(t)
	cert, key := authority.Issue("mail", x509.ExtKeyUsageServerAuth)
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM([]byte(authority.PEM)))
	for mode, from := range map[string]bool{activities.StartTLS: false, activities.TLS: true} {
		t.Run(mode, func(t *testing.T) {
			server := mailServer(t, mailtest.Options{TLS: &tls.Config{Certificates: []tls.Certificate{pair}}, FromTLS: from, User: "box", Password: "secret"})
			sender := func(trusted *x509.CertPool, password string) *activities.Sender {
				return newSender(func(o *activities.SenderOptions) {
					o.RootCAs = trusted
					o.Mail = activities.MailServer{Host: "127.0.0.1", Port: server.Port(), TLS: mode, From: "box@example.com", User: "box", Password: password}
				})
			}
			require.Equal(t, 250, send(t, sender(pool, "secret"), mailed()).Status)
			require.True(t, server.Mails()[0].Encrypted)
			require.Equal(t, "box", server.Mails()[0].User)
			wrong := send(t, sender(pool, "guess"), mailed())
			require.Equal(t, 535, wrong.Status)
			require.Equal(t, notice.ErrorConnect, wrong.Class, "it is tried again once the password was mended")
			require.Equal(t, notice.ErrorTLS, send(t, sender(nil, "secret"), mailed()).Class, "nobody vouches for its certificate")
			require.Len(t, server.Mails(), 1)
		})
	}
	plain := mailServer(t, mailtest.Options{User: "box", Password: "secret"})
	a := send(t, mailSender(plain, func(m *activities.MailServer) { m.TLS = activities.StartTLS }), mailed())
	require.Zero(t, a.Status, "a server without STARTTLS gets nothing")
	a = send(t, mailSender(plain, func(m *activities.MailServer) { m.User, m.Password = "box", "secret" }), mailed())
	require.NotEqual(t, 250, a.Status, "no password is sent in plain")
	require.Empty(t, plain.Mails())
}

// TestAMailServerThatIsAwayIsTriedAgain, one that is silent is given up in time, and none at all cannot be sent by.
func TestAMailServerThatIsAwayIsTriedAgain(t *testing.T) {
	server := mailServer(t, mailtest.Options{})
	gone := mailSender(server)
	require.NoError(t, server.Close())
	a := send(t, gone, mailed())
	require.Equal(t, notice.ErrorConnect, a.Class)
	require.Equal(t, notice.Retrying, notice.BuiltIn().For(mailed().Subscription).DecideRetry(notice.Try{Attempt: a}).Then)

	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer silent.Close()
	held := make(chan net.Conn, 1)
	go func() {
		conn, err := silent.Accept()
		if err == nil {
			held <- conn // and says nothing
		}
	}()
	s := newSender(func(o *activities.SenderOptions) {
		o.Timeout = 100 * time.Millisecond
		o.Mail = activities.MailServer{Host: "127.0.0.1", Port: silent.Addr().(*net.TCPAddr).Port, TLS: activities.NoTLS, From: "box@example.com"}
	})
	require.Equal(t, notice.ErrorTimeout, send(t, s, mailed()).Class)
	(<-held).Close()
	require.Equal(t, notice.ErrorUnsendable, send(t, newSender(), mailed()).Class)
}

// TestALetterIsPostedToAWebhook as the network wants it, signed at that moment; behind the guard, like everything that goes to an address which somebody named.
func TestALetterIsPostedToAWebhook(t *testing.T) {
	for f, answer := range map[notice.Format]string{notice.FormatWeCom: `{"errcode":0,"errmsg":"ok"}`, notice.FormatDingTalk: `{"errcode":0,"errmsg":"ok"}`,
		notice.FormatFeishu: `{"code":0,"msg":"success","data":{}}`, notice.FormatSlack: "ok", notice.FormatTeams: ""} {
		t.Run(string(f), func(t *testing.T) {
			var got []byte
			var path, kind string
			receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got, _ = io.ReadAll(r.Body)
				path, kind = r.URL.String(), r.Header.Get("Content-Type")
				_, _ = io.WriteString(w, answer)
			}))
			defer receiver.Close()
			w := letter(f, notice.Contact{Address: "U1", Webhook: receiver.URL + "/hook?key=k", Secret: "s"})
			a := notice.BuiltIn().For(w.Subscription).Grade(send(t, newSender(), w))
			require.True(t, a.Succeeded, a.Error)
			l, err := notice.ReadLetter(w.Delivery.Body)
			require.NoError(t, err)
			address, body, err := l.Post(f, w.Contact, a.StartedAt)
			require.NoError(t, err)
			require.Equal(t, string(body), string(got))
			require.Equal(t, address, receiver.URL+path)
			require.Equal(t, "application/json; charset=utf-8", kind)
			blocked := send(t, newSender(func(o *activities.SenderOptions) { o.Reach = notice.Reach{} }), w)
			require.Equal(t, notice.ErrorBlocked, blocked.Class)
			for _, secret := range []string{"key=k", receiver.URL} {
				require.NotContains(t, a.Error+blocked.Error, secret)
			}
		})
	}
}
