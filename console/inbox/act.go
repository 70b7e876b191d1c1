package inbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"golang.org/x/sync/errgroup"

	"signalbox/api"
	"signalbox/console/forms"
	"signalbox/console/page"
	"signalbox/desk"
	"signalbox/ticket"
)

const (
	// maxAtOnce is at how many places somebody can act at once.
	maxAtOnce = 50
	// sideBySide is how many of them are seen to at the same time.
	sideBySide = 6
	// shownTitle is how much of a title is told with what was done, in characters: it travels in a cookie.
	shownTitle = 80
)

// outcome is what came of a form, as it is told where not all of it was done.
type outcome struct {
	Problem     string // with the form itself, so that nothing was done
	NoteProblem string // with the comment
	NoteOf      string // the place beside which it was written; empty: below the list
	Note        string // the comment
	Done, Asked int
	Refused     []refused
	chosen      []place
}

// refused is a place at which nothing was done.
type refused struct {
	place
	Why string
}

// chose tells whether a place was chosen in the form that comes back, and what was written beside it.
func (o outcome) chose(p place) (ticked bool, note string) {
	if o.NoteOf == p.At() {
		return false, o.Note
	}
	return o.NoteOf == "" && slices.Contains(o.chosen, p), ""
}

// act does one thing at the places that were chosen: at each by itself, so that one that refuses keeps no other from being done.
func (r *Room) act(v *page.Visit) error {
	action := ticket.Action(v.Form.Get("action"))
	came := outcome{Note: v.Form.Text("note")}
	if v.Form.On("row") && len(v.Form.Values["at"]) == 1 {
		came.NoteOf = v.Form.Get("at")
	}
	for _, text := range v.Form.Values["at"] {
		p, ok := placeOf(text)
		if !ok {
			return ticket.RefuseField(ticket.Invalid, "at", "names no place of a ticket")
		}
		if !slices.Contains(came.chosen, p) {
			came.chosen = append(came.chosen, p)
		}
	}
	if !slices.Contains(quick, action) {
		return ticket.RefuseField(ticket.Invalid, "action", fmt.Sprintf("%q is nothing that can be done here", action))
	}
	var faults ticket.Faults
	faults.Text("note", came.Note, 0, ticket.MaxReason)
	switch {
	case len(came.chosen) == 0:
		came.Problem = v.T("inbox.none_chosen")
	case len(came.chosen) > maxAtOnce:
		came.Problem = v.T("inbox.too_many", "N", maxAtOnce)
	case action == ticket.Reject && came.Note == "":
		came.NoteProblem = v.T("inbox.say_why")
	case faults.Err() != nil:
		came.NoteProblem = v.T("inbox.too_long", "N", ticket.MaxReason)
	}
	if came.Problem != "" || came.NoteProblem != "" {
		return r.show(v, http.StatusBadRequest, came)
	}
	came.Asked = len(came.chosen)
	errs := r.all(v, action, came.chosen, came.Note)
	var undone []place
	for i, err := range errs {
		if err == nil {
			came.Done++
			continue
		}
		undone = append(undone, came.chosen[i])
		came.Refused = append(came.Refused, refused{came.chosen[i], r.why(v, came.chosen[i], err)})
	}
	if len(undone) == 0 {
		if came.Done == 1 {
			number := came.chosen[0].Number
			note := page.Note{Text: v.T("inbox.done_one"), Path: "/ticket/" + url.PathEscape(number), Label: number}
			if t, err := r.Reader.Ticket(v.Until, v.Who.App.Tenant, number); err == nil { // it is done, whatever it is called
				note.Label += " " + api.Shortened(t.Title, shownTitle)
			}
			return v.DoneTo(page.Home, note)
		}
		return v.Done(page.Home, v.T("inbox.done_all", "N", came.Done))
	}
	came.chosen = undone
	if came.Done > 0 {
		return r.show(v, http.StatusOK, came)
	}
	return r.show(v, http.StatusConflict, came)
}

// all does it everywhere, and gives for each place what kept it from being done.
func (r *Room) all(v *page.Visit, action ticket.Action, places []place, note string) []error {
	errs := make([]error, len(places))
	request, command := v.DeskRequest(), ticket.Command{Action: action, Operator: v.Who.Person, Personal: v.Who.Own, Note: note}
	ctx := v.Until
	v.EachRefused()
	var group errgroup.Group
	group.SetLimit(sideBySide)
	for i, p := range places {
		group.Go(func() error {
			errs[i] = r.one(v, ctx, request, command, p)
			return nil
		})
	}
	_ = group.Wait() // each tells for itself
	return errs
}

// one does it at one place. The request is known by the form, the place and the action: so the form that is sent again repeats what was not done, and gives what was done its
// answer, whatever else was chosen with it the second time.
func (r *Room) one(v *page.Visit, ctx context.Context, request desk.Request, c ticket.Command, p place) (err error) {
	defer func() {
		if p := recover(); p != nil { // the frame sees to those of its own goroutine
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	if err := ctx.Err(); err != nil {
		return err // there is no time left to begin it
	}
	ctx, trail := desk.WithTrail(ctx)
	defer func() { v.RefusedOne(trail, p.Number, err) }()
	c.Node, c.Round = p.Node, p.Round
	if request.Key != "" {
		request.Key = fmt.Sprintf("%s %s %s", request.Key, c.Action, digest(p.At()))
	}
	request.Fingerprint = digest(p.At() + "\n" + string(c.Action) + "\n" + c.Note)
	request.BodyDigest = request.Fingerprint
	_, err = r.Desk.Handle(ctx, request, desk.Handling{Ticket: p.Number, Command: c, Answer: desk.Answer{Status: http.StatusOK, Body: []byte(`{}`)}})
	return err
}

// why says in the visitor's language what kept something from being done. What is a fault of ours goes to the log alone.
func (r *Room) why(v *page.Visit, p place, err error) string {
	refusal := ticket.AsError(err)
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), ticket.Is(err, ticket.Unavailable), ticket.Is(err, ticket.Busy):
		return v.T("inbox.again")
	case refusal != nil:
		return forms.Told(v, refusal)
	}
	v.Site().Log.ErrorContext(v.Until, "console.failed", "request_id", v.RequestID(), "path", v.Path(), "ticket", p.Number, "error", err.Error())
	return v.T("problem.fault")
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}
