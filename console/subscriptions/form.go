package subscriptions

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"signalbox/api/houseapi"
	"signalbox/console/page"
	"signalbox/notice"
	"signalbox/ticket"
)

// formView is the form for a new subscription, or for one that is to be changed.
type formView struct {
	ID       string // empty: it is a new one
	Path     string // that the form goes to
	Value    map[string]string
	Ordered  bool
	Fault    page.Fault
	Formats  []notice.Format
	Profiles []string

	HasHeaders, HasTLS bool   // of one that is to be changed
	HasTimeout         bool   // likewise
	Origin             string // that these were given for
}

// words are the fields that are texts and stay as they were typed.
var words = []string{"url", "format", "source", "topic", "type", "status", "key", "profile", "timeout"}

// long are those that nobody is shown again once they are stored.
var long = []string{"headers", "ca", "certificate", "private"}

func newForm() formView {
	return formView{Path: all, Ordered: true, Value: map[string]string{"format": string(notice.FormatEvent)}, Formats: []notice.Format{notice.FormatEvent, notice.FormatPublish},
		Profiles: houseapi.Profiles}
}

// formOf is the form to change a subscription by.
func formOf(sub notice.Subscription) formView {
	f := newForm()
	f.ID, f.Path, f.Ordered = sub.ID, pathOf(sub.ID), !sub.Unordered
	f.HasHeaders, f.HasTLS, f.Origin = sub.HasHeaders, !sub.Trust.None(), notice.OriginOf(sub.URL)
	f.Value = map[string]string{"url": sub.URL, "format": string(sub.Format), "source": sub.Filter.Source, "topic": sub.Filter.Topic, "type": sub.Filter.Type,
		"status": sub.Filter.Status, "key": sub.Filter.Key, "profile": sub.Profile}
	if sub.Timeout > 0 {
		f.HasTimeout, f.Value["timeout"] = true, strconv.Itoa(int(sub.Timeout/time.Second))
	}
	return f
}

// typed gives the form with what was sent, and why it was not taken.
func (f formView) typed(sent page.Form, fault page.Fault) formView {
	f.Fault, f.Ordered = fault, sent.On("ordered")
	for _, name := range append(words, long...) {
		if sent.Has(name) {
			f.Value[name] = sent.Get(name)
		}
	}
	return f
}

func (f formView) render(v *page.Visit, status int) error {
	title := v.T("subscription.new")
	if f.ID != "" {
		title = v.T("subscription.change")
	}
	return v.Render(status, "subscriptions/form", title, f)
}

// empty shows the form for a new one.
func (r *Room) empty(v *page.Visit) error { return newForm().render(v, http.StatusOK) }

// edit shows the form for one that is there.
func (r *Room) edit(v *page.Visit, sub notice.Registration) error {
	return formOf(sub.Subscription).render(v, http.StatusOK)
}

// read gives what the form says, as callers of the API say it. A field that is empty says nothing, unless it is one that a change can empty.
func read(form page.Form, change bool) (in houseapi.Lasting, err error) {
	var f ticket.Faults
	text := func(name string, always bool) *string {
		value := form.Text(name)
		if value == "" && !always {
			return nil
		}
		return &value
	}
	in.URL, in.Format, in.Profile = text("url", true), text("format", false), text("profile", false)
	in.Source, in.Topic, in.Type, in.Status, in.Key = text("source", change), text("topic", change), text("type", change), text("status", change), text("key", change)
	ordered := form.On("ordered")
	in.Ordered = &ordered
	if value := form.Text("timeout"); value != "" {
		seconds, err := strconv.Atoi(value)
		if err != nil {
			f.Add("timeout", "must be a whole number of seconds")
		}
		in.Timeout = &seconds
	}
	switch headers := headersOf(form.Get("headers"), &f); {
	case form.On("no_headers"):
		in.Headers = &map[string]string{}
	case len(headers) > 0:
		in.Headers = &headers
	}
	own := houseapi.ReachingTLS{CA: text("ca", false), Certificate: text("certificate", false), Key: text("private", false)}
	if form.On("no_tls") {
		own = houseapi.ReachingTLS{}
	}
	if form.On("no_tls") || own != (houseapi.ReachingTLS{}) {
		in.TLS = &own
	}
	return in, f.Err()
}

// headersOf reads headers as they are written one in a line.
func headersOf(text string, f *ticket.Faults) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if strings.TrimSpace(line) == "" {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); !ok || name == "" {
			f.Add("headers", "must be one in a line, like Authorization: Bearer abc")
			return nil
		}
		if _, twice := out[name]; twice {
			f.Add("headers."+name, "is there twice")
		}
		out[name] = strings.TrimSpace(value)
	}
	return out
}

// fields are those of the form by the names that refusals have for them.
var fields = strings.NewReplacer("tls.ca", "ca", "tls.certificate", "certificate", "tls.key", "private")

// inForm names a field as the form does.
func inForm(field string) string {
	if field == "tls" {
		return "ca"
	}
	return fields.Replace(field)
}

// refused shows the form again, beside what was wrong.
func (f formView) refused(v *page.Visit, err error) error {
	fault, ok := v.Fault(err)
	if !ok {
		return err
	}
	return f.typed(v.Form, fault.Renamed(inForm)).render(v, http.StatusBadRequest)
}
