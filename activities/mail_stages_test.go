package activities_test

import (
	"bufio"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox/activities"
	"signalbox/notice"
)

// mailStage is how far a mail server comes, and what is to become of a mail.
type mailStage struct {
	name   string
	mode   string // of TLS
	serve  func(r *raw, c *net.TCPConn)
	class  notice.ErrorClass // empty: the mail is taken
	status int
}

// speaks is a mail server that does as it should, up to a command; "." is the end of a mail, and "" the greeting.
func speaks(until string, then func(c *net.TCPConn)) func(*raw, *net.TCPConn) {
	return func(_ *raw, c *net.TCPConn) {
		from := bufio.NewReader(c)
		reply := func(command, text string) bool {
			if command == until {
				then(c)
				untilClosed(from)
				return false
			}
			_, err := io.WriteString(c, text+"\r\n")
			return err == nil
		}
		for more := reply("", "220 box"); more; {
			line, err := from.ReadString('\n')
			if err != nil {
				return
			}
			switch command, _, _ := strings.Cut(strings.ToUpper(strings.TrimSpace(line)), " "); command {
			case "EHLO":
				more = reply(command, "250-box\r\n250 STARTTLS")
			case "STARTTLS":
				more = reply(command, "220 go ahead") && reply("handshake", "")
			case "DATA":
				more = reply(command, "354 go ahead")
				for more && line != ".\r\n" {
					if line, err = from.ReadString('\n'); err != nil {
						return
					}
				}
				more = more && reply(".", "250 taken")
			case "QUIT":
				reply(command, "221 bye")
				return
			default:
				more = reply(command, "250 well")
			}
		}
	}
}

func silence(*net.TCPConn) {}

// endless says something again and again, for as long as anybody listens.
func endless(text string) func(*net.TCPConn) {
	return func(c *net.TCPConn) {
		for _, err := io.WriteString(c, text); err == nil; _, err = io.WriteString(c, text) {
			time.Sleep(5 * time.Millisecond) // a drip, not a wait for a condition
		}
	}
}

func breaksOff(c *net.TCPConn) {
	_ = c.SetLinger(0)
	_ = c.Close()
}

func mailStages() []mailStage {
	all := []mailStage{
		{"half a greeting", activities.NoTLS, speaks("", func(c *net.TCPConn) { _, _ = io.WriteString(c, "220 bo") }), notice.ErrorTimeout, 0},
		{"a greeting without end", activities.NoTLS, speaks("", endless("220-box\r\n")), notice.ErrorTimeout, 0},
		{"a line without end", activities.NoTLS, speaks("EHLO", endless("250-xxxxxxxx")), notice.ErrorTimeout, 0},
		{"no handshake", activities.TLS, speaks("", silence), notice.ErrorTimeout, 0},
		{"half a handshake", activities.TLS, speaks("", func(c *net.TCPConn) { _, _ = c.Write([]byte{22, 3, 3, 0, 100, 2, 0}) }), notice.ErrorTimeout, 0},
		{"no answer to STARTTLS", activities.StartTLS, speaks("STARTTLS", silence), notice.ErrorTimeout, 0},
		{"no handshake behind STARTTLS", activities.StartTLS, speaks("handshake", silence), notice.ErrorTimeout, 0},
		{"resets behind STARTTLS", activities.StartTLS, speaks("handshake", breaksOff), notice.ErrorConnect, 0},
		{"resets at once", activities.NoTLS, speaks("", breaksOff), notice.ErrorConnect, 0},
		{"no answer to QUIT", activities.NoTLS, speaks("QUIT", silence), "", 250},
		{"resets at QUIT", activities.NoTLS, speaks("QUIT", breaksOff), "", 250},
		{"taken, and then silent", activities.NoTLS, speaks("RSET", silence), "", 250},
		{"taken, and then reset", activities.NoTLS, speaks("RSET", breaksOff), "", 250},
	}
	for _, command := range []string{"", "EHLO", "MAIL", "RCPT", "DATA", "."} {
		all = append(all, mailStage{"silent at " + command, activities.NoTLS, speaks(command, silence), notice.ErrorTimeout, 0})
	}
	for _, command := range []string{"MAIL", "RCPT", "DATA", "."} {
		all = append(all, mailStage{"resets at " + command, activities.NoTLS, speaks(command, breaksOff), notice.ErrorConnect, 0})
	}
	return all
}

// holds reports whether a try lasts as long as we let it.
func (s mailStage) holds() bool {
	return s.class == notice.ErrorTimeout || strings.Contains(s.name, "silent") || s.name == "no answer to QUIT"
}

// TestNothingHoldsAMailLongerThanItsTime: a mail server is held to what receivers are held to, and a mail that was taken over is not handed in again, whatever
// comes behind.
func TestNothingHoldsAMailLongerThanItsTime(t *testing.T) {
	var receivers []*raw
	var group sync.WaitGroup
	for _, s := range mailStages() {
		r := newRaw(t, s.serve)
		receivers = append(receivers, r)
		group.Go(func() {
			limit := 20 * time.Second
			if s.holds() {
				limit = 700 * time.Millisecond
			}
			for again := true; again; limit *= 3 { // a machine so busy that it was cut off before it had come so far
				sender := newSender(func(o *activities.SenderOptions) {
					o.Timeout = limit
					o.Mail = activities.MailServer{Host: "127.0.0.1", Port: r.Addr().(*net.TCPAddr).Port, TLS: s.mode, From: "box@example.com"}
				})
				out, err := sender.Send(t.Context(), mailed())
				if err != nil {
					t.Errorf("%s: %v", s.name, err)
					return
				}
				again = out.Attempt.Status != s.status && limit < time.Minute
				a := notice.BuiltIn().For(mailed().Subscription).Grade(out.Attempt)
				if !again && (a.Class != s.class || a.Status != s.status || a.Succeeded != (s.class == "")) {
					t.Errorf("%s: %q %d, not %q %d: %s", s.name, a.Class, a.Status, s.class, s.status, a.Error)
				}
				if took := a.FinishedAt.Sub(a.StartedAt); took > 2*time.Minute {
					t.Errorf("%s took %s", s.name, took)
				}
			}
		})
	}
	group.Wait()
	quiet(t, receivers)
}
