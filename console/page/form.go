package page

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"signalbox/desk"
	"signalbox/ticket"
)

// MaxForm is how large a form may be, in octets.
const MaxForm = 2 << 20

// The fields that every form has besides its own; {{template "guard"}} writes them.
const (
	fieldGuard = "csrf"
	fieldKey   = "form_key" // no field of an area is called so
)

// Where people sign in and out, and change their password.
const (
	SignInPath   = "/login"
	SignOutPath  = "/logout"
	PasswordPath = "/settings/password"
	HeldPath     = "/login/held" // shows the form that was sent when the session was over
)

// Home is the page that one comes to who asked for none.
const Home = "/"

// Form is what a form of ours has sent.
type Form struct {
	url.Values
	expired bool
}

// Expired reports that the form did not come from a page of this session, which handlers hear of for strangers alone.
func (f Form) Expired() bool { return f.expired }

// Key is made with the form, so that sending it twice is known to be one thing.
func (f Form) Key() string { return f.Get(fieldKey) }

// Under gives the fields whose names begin with a prefix, without it: a form within the form.
func (f Form) Under(prefix string) Form {
	out := Form{Values: url.Values{}}
	for name, values := range f.Values {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			out.Values[rest] = values
		}
	}
	return out
}

// Text gives a field without blanks around it.
func (f Form) Text(name string) string { return strings.TrimSpace(f.Get(name)) }

// List gives what was written into a field as a list: separated by commas or line ends, blanks around each left out, and nothing twice. What has one of these in itself stands in
// quotation marks, as Listed writes it.
func (f Form) List(name string) (out []string) {
	for _, list := range f.Values[name] {
		for more := true; more; {
			var item string
			if item, list, more, _ = firstItem(list); item != "" && !slices.Contains(out, item) {
				out = append(out, item)
			}
		}
	}
	return out
}

func separates(r rune) bool { return r == ',' || r == '，' || r == '\n' }

// firstItem reads the first item of a list, and gives what stands behind its separator; more: there was one. open: it begins with a quotation mark that has no other.
func firstItem(list string) (item, rest string, more, open bool) {
	if quoted, ok := strings.CutPrefix(strings.TrimLeftFunc(list, unicode.IsSpace), `"`); ok {
		var said strings.Builder
		for {
			part, behind, closed := strings.Cut(quoted, `"`)
			if !closed {
				open = true
				break
			}
			said.WriteString(part)
			if quoted, ok = strings.CutPrefix(behind, `"`); ok { // two of them are one
				said.WriteByte('"')
				continue
			}
			behind = strings.TrimLeft(behind, " \t\r")
			first, size := utf8.DecodeRuneInString(behind)
			if behind != "" && !separates(first) {
				break
			}
			return said.String(), behind[size:], behind != "", false
		}
	}
	at := strings.IndexFunc(list, separates)
	if at < 0 {
		return strings.TrimSpace(list), "", false, open
	}
	_, size := utf8.DecodeRuneInString(list[at:])
	return strings.TrimSpace(list[:at]), list[at+size:], true, open
}

// Listed writes something so that Form.List reads it as one item.
func Listed(item string) string {
	if strings.HasPrefix(item, `"`) || strings.ContainsFunc(item, separates) || strings.TrimSpace(item) != item {
		return `"` + strings.ReplaceAll(item, `"`, `""`) + `"`
	}
	return item
}

// LastItem takes a list apart while somebody is typing its last item: what stands before it, and what of it there is.
func LastItem(list string) (before, last string) {
	rest, tail := list, list
	for more := true; more; {
		var open bool
		tail = rest
		if last, rest, more, open = firstItem(rest); open { // its end is not typed yet
			last = strings.ReplaceAll(strings.TrimPrefix(strings.TrimSpace(tail), `"`), `""`, `"`)
			break
		}
	}
	return strings.TrimSuffix(list, tail), last
}

// On reports whether a box was ticked.
func (f Form) On(name string) bool { return f.Get(name) != "" }

// guarded lets those through who have signed in, still may, and have the right; strangers are asked to sign in.
func (s *Site) guarded(right Right, h Handler) Handler {
	return func(v *Visit) error {
		if right == Anyone && !v.session.SignedIn() {
			return h(v)
		}
		if !v.session.SignedIn() {
			return v.askIn(v.session.CSRF == "" && v.Cookies(v.cookie("")) != "")
		}
		who, err := s.Who(v.Until, v.session)
		switch {
		case right == Anyone && err != nil:
			return h(v) // who cannot be told apart from a stranger is one here
		case ticket.Is(err, ticket.Unauthorized), ticket.Is(err, ticket.NotFound):
			v.End()
			return v.askIn(true)
		case err != nil:
			v.handsBack, v.again = true, true
			return unavailable{err}
		}
		v.Who = who
		if who.MustChange && right != Anyone {
			b := v.goesBack(Problem{http.StatusForbidden, v.T("signin.password_title"), v.T("held.password")}, true)
			if b.Path == "" {
				return v.To(PasswordPath)
			}
			b.Do, b.DoText = PasswordPath, v.T("signin.password_title")
			return v.giveBack(b)
		}
		if !who.May(right) {
			v.handsBack = true
			return errRight
		}
		return h(v)
	}
}

// unavailable is a fault behind us that may pass: an Unavailable refusal, so that the page says so.
type unavailable struct{ cause error }

func (u unavailable) Error() string { return "find who has signed in: " + u.cause.Error() }

func (u unavailable) Unwrap() []error {
	return []error{ticket.Refuse(ticket.Unavailable, "it cannot be told who this is"), u.cause}
}

// Unavailable makes an error of a fault behind us that may pass.
func Unavailable(cause error) error { return unavailable{cause} }

// askIn leads to the sign-in page, and from there back to where the visitor wanted to go. Whoever has sent a form comes back to its page, where a cookie holds it; a larger one goes back to them.
// Somebody who was exchanging a part of a page stays there, with all that they have typed on it. over: they have been signed in before.
func (v *Visit) askIn(over bool) error {
	back := v.OriginalURL()
	part, held := v.Get("HX-Request") != "", false
	switch {
	case part:
		back = Home
		if u, err := url.Parse(v.Get("HX-Current-URL")); err == nil {
			back = LocalPath(u.RequestURI())
		}
	case v.Method() != http.MethodGet:
		back = v.referer()
		var err error
		if held, err = v.hold(back); err != nil {
			return err
		}
	}
	query := url.Values{"return": {LocalPath(back)}}
	if over {
		query.Set("over", "1")
	}
	to := Address(SignInPath, query)
	b := v.goesBack(Problem{http.StatusUnauthorized, v.T("held.out"), v.T("held.out_text")}, true)
	if part {
		b.Text = v.T("held.out_part")
	} else if held || b.Path == "" {
		return v.To(to)
	}
	b.Do, b.DoText = to, v.T("signin.do")
	return v.giveBack(b)
}

// LocalPath gives a path on this host as it was asked for, or home. Browsers take "//host" and "/\host" for other hosts, and pass over tabs
// and line ends (WHATWG URL, basic URL parser), which url.Parse refuses.
func LocalPath(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || len(raw) > ticket.MaxURL || !strings.HasPrefix(raw, "/") || strings.HasPrefix(raw, "//") ||
		strings.ContainsRune(raw, '\\') || u.Host != "" || u.Scheme != "" {
		return Home
	}
	if path := strings.TrimRight(u.Path, "/"); path == SignInPath || strings.HasPrefix(path, SignInPath+"/") || path == SignOutPath || path == "" {
		return Home
	}
	return u.RequestURI()
}

// checked reads the form that was sent, and has h go on with it where it came from a page of this session.
func checked(h Handler) Handler {
	return func(v *Visit) error {
		raw := v.BodyRaw()
		if len(raw) > MaxForm {
			return ticket.Refuse(ticket.Invalid, "The form is too large.")
		}
		form, err := url.ParseQuery(string(raw))
		if err != nil {
			return ticket.Refuse(ticket.Invalid, "The form cannot be read.")
		}
		v.Form = Form{Values: form}
		if !v.session.ours(form.Get(fieldGuard)) {
			v.Form.expired = true
			if v.session.SignedIn() {
				v.handsBack, v.again = true, true
				return ErrExpired
			}
		}
		return h(v)
	}
}

// DeskRequest is what the desk is asked with: the form that was sent, by whoever sent it, under the key made with the form. route names what is asked for with the
// parameters of its path, as it stands in the table of routes: "POST /ticket/IM1/act".
func (v *Visit) DeskRequest() desk.Request {
	digest := sha256.New()
	for _, name := range sorted(v.Form.Values) {
		if name == fieldGuard || name == fieldKey {
			continue
		}
		for _, value := range v.Form.Values[name] {
			digest.Write([]byte(url.QueryEscape(name) + "=" + url.QueryEscape(value) + "&"))
		}
	}
	sum := hex.EncodeToString(digest.Sum(nil))
	return desk.Request{App: v.Who.App, Channel: ticket.ChannelPages, Key: v.Form.Key(), Method: v.Method(), Path: v.Path(), Route: v.Method() + " " + v.Path(), Fingerprint: sum,
		BodyDigest: sum, RequestID: v.RequestID(), Address: v.Address(), Operator: v.Who.Person}
}

// SecretRequest is DeskRequest for a form with something secret in it: no digest of it is kept, and so it cannot be known again.
func (v *Visit) SecretRequest() desk.Request {
	r := v.DeskRequest()
	r.Key, r.Fingerprint, r.BodyDigest = "", "", ""
	return r
}

func sorted(values url.Values) []string {
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Note is something that is told once, on the page that is shown next.
type Note struct {
	Text  string `json:"t"`
	Bad   bool   `json:"b,omitempty"`
	Path  string `json:"p,omitempty"` // of what it is about, which stands behind it as a link
	Label string `json:"l,omitempty"`
}

const (
	noteCookie = "note"
	noteFor    = time.Minute
)

// Done leads to another page of ours, which tells what was done.
func (v *Visit) Done(path, text string) error { return v.DoneTo(path, Note{Text: text}) }

// DoneTo is Done with more than a text.
func (v *Visit) DoneTo(path string, note Note) error {
	if err := v.Keep(noteCookie, note, noteFor); err != nil {
		return err
	}
	return v.To(path)
}

// Failed leads to another page of ours, which tells why something was not done. What is no refusal is an error as ever.
func (v *Visit) Failed(path string, err error) error {
	refusal := ticket.AsError(err)
	if refusal == nil {
		return err
	}
	v.Refused(err)
	if err := v.Keep(noteCookie, Note{Text: v.Refusal(refusal), Bad: true}, noteFor); err != nil {
		return err
	}
	return v.To(path)
}

// newKey is a key for a form.
func newKey() string { return uuid.NewString() }
