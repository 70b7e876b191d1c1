package deliveries

import (
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"signalbox/console/page"
	"signalbox/notice"
)

// How much of a delivery its page shows; more of it is kept, and the whole body is an address of its own.
const (
	shownBody   = 24 << 10 // bytes
	shownAnswer = 4 << 10  // of the last try
	shownTries  = 12       // the newest
)

// showView is the page of one delivery.
type showView struct {
	notice.TenantDelivery
	Path       string
	Told       string // address of the page of its subscription; empty: there is none
	Body       string // its start
	BodySize   int
	BodyCut    bool
	Tries      []tryView // newest first
	TriesInAll int
	Curl       string // empty: it is no request of HTTP, or goes where nobody is told
	CanRepeat  bool
	CanTry     bool
	CanCancel  bool
	Lane       string // address in Temporal's web UI; empty: there is none
}

// tryView is one try, request and answer.
type tryView struct {
	notice.Attempt
	Took     time.Duration
	Request  []header
	Response []header
	Body     string // start of the answer
	Cut      bool
}

type header struct{ Name, Value string }

func headers(h map[string]string) (out []header) {
	for name, value := range h {
		out = append(out, header{name, value})
	}
	slices.SortFunc(out, func(a, b header) int { return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	return out
}

// start gives so many bytes of a text.
func start(body []byte, most int) (text string, cut bool) {
	if len(body) > most {
		for body, cut = body[:most], true; len(body) > most-utf8.UTFMax && !utf8.Valid(body); {
			body = body[:len(body)-1]
		}
	}
	return strings.ToValidUTF8(string(body), "\uFFFD"), cut
}

func (r *Room) show(v *page.Visit, d notice.TenantDelivery) error {
	w := showView{TenantDelivery: d, Path: pathOf(d.ID), Told: subscriptionPath(d), BodySize: len(d.Body), TriesInAll: len(d.Attempts), CanRepeat: repeats(d.State),
		CanTry: d.State == notice.Retrying, CanCancel: d.State == notice.Held || d.State == notice.Pending || d.State == notice.Retrying}
	w.Body, w.BodyCut = start(d.Body, shownBody)
	for i, a := range slices.Backward(d.Attempts) {
		if len(w.Tries) == shownTries {
			break
		}
		t := tryView{Attempt: a, Took: a.FinishedAt.Sub(a.StartedAt), Request: headers(a.Sent), Response: headers(a.Header)}
		most := shownAnswer
		if i < len(d.Attempts)-1 {
			most /= 4
		}
		t.Body, t.Cut = start(a.Answer, most)
		w.Tries = append(w.Tries, t)
	}
	w.Curl = curl(d)
	if r.LaneWorkflow != nil && d.State == notice.Retrying {
		w.Lane = r.Temporal.Workflow(r.LaneWorkflow(d.Lane))
	}
	return v.Render(http.StatusOK, "deliveries/show", d.ID, w)
}

// body gives the whole body, as it is sent.
func (r *Room) body(v *page.Visit, d notice.TenantDelivery) error {
	v.Attachment(d.ID + ".txt")
	v.Set(fiber.HeaderContentType, "text/plain; charset=utf-8")
	return v.Send(d.Body)
}
