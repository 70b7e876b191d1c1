package deliveries

import (
	"regexp"
	"strings"

	"signalbox/notice"
)

// maxCurl is how large a body may be that a command is given for, in bytes: what is larger nobody pastes.
const maxCurl = 8 << 10

// token is the member of a callback that lets its receiver in.
var token = regexp.MustCompile(`"token":"(?:[^"\\]|\\.)*"`)

// curl gives a command that sends what the last try sent, without what is secret: the values of headers that the address's owner added, and the token of a callback. The
// signature stays, which opens nothing and is good for some minutes. Empty: it is no request, or was never sent.
func curl(d notice.TenantDelivery) string {
	if d.Subscription.URL == "" || d.Subscription.Person != "" || len(d.Attempts) == 0 || len(d.Body) > maxCurl {
		return ""
	}
	var out strings.Builder
	out.WriteString("curl -i " + quoted(d.Subscription.URL))
	for _, h := range headers(d.Attempts[len(d.Attempts)-1].Sent) {
		switch strings.ToLower(h.Name) {
		case "content-length", "accept-encoding": // curl's own business
		default:
			out.WriteString(" \\\n  -H " + quoted(h.Name+": "+h.Value))
		}
	}
	body := string(d.Body)
	if d.Subscription.Format == notice.FormatITSM {
		body = token.ReplaceAllString(body, `"token":"`+notice.Redacted+`"`)
	}
	out.WriteString(" \\\n  --data-binary " + quoted(body))
	return out.String()
}

// quoted gives a text as a shell takes it as one word (POSIX, section 2.2.2).
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
