package services

import (
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox/api/houseapi"
	"signalbox/console/forms"
	"signalbox/console/page"
	"signalbox/console/tickets"
	"signalbox/console/versions"
	"signalbox/flow"
	"signalbox/ticket"
)

// What somebody who plays a process through can have done, and how much of it their browser keeps.
const (
	maxSteps     = 200
	maxKept      = 256 << 10 // bytes of all steps
	maxElapsed   = int64(flow.MaxDuration / time.Second)
	shownPending = 50 // of those in whose names an admin may vote
	shownSent    = 50 // things that would be sent
)

// step is something that was done, or that some time passed.
type step struct {
	At   int64                `json:"at"` // in seconds since the opening; each act is a second after what was before it
	Act  *ticket.ScriptedAct  `json:"act,omitempty"`
	Call *ticket.ScriptedCall `json:"call,omitempty"`
}

// play is a process that is played through: what was filled in, and what was done.
type play struct {
	def      flow.Definition
	start    time.Time
	opener   string
	assignee string
	opened   forms.Opened
	groups   map[string][]string
	managers map[string]string
	steps    []step
}

// elapsed is how long after the opening it is, in seconds.
func (p play) elapsed() int64 {
	if len(p.steps) == 0 {
		return 0
	}
	return p.steps[len(p.steps)-1].At
}

// played plays it up to now.
func (p play) played(app string) (houseapi.Played, error) {
	lasts := time.Duration(p.elapsed()) * time.Second
	scene := houseapi.Scene{App: app, Opener: p.opener, Assignee: p.assignee, Form: p.opened.Form, Named: p.opened.Named, Start: p.start, For: &lasts,
		Script: ticket.Script{Groups: p.groups, Managers: p.managers}}
	for _, s := range p.steps {
		if s.Act != nil {
			scene.Script.Answers = append(scene.Script.Answers, *s.Act)
		}
		if s.Call != nil {
			scene.Script.Calls = append(scene.Script.Calls, *s.Call)
		}
	}
	return houseapi.Play(p.def, scene)
}

// since writes how long after a moment the next act is, for a script.
func (p play) since(at time.Time) string {
	if n := int64(p.start.Add(time.Duration(p.elapsed()+1)*time.Second).Sub(at) / time.Second); n > 0 {
		return strconv.FormatInt(n, 10) + "s"
	}
	return ""
}

// playView is the page on which a process is played through.
type playView struct {
	flow.Definition
	Path, Back string
	Draft      bool   // it is not published; then Source and the others are those of the editor
	Source, Of string //
	Based      string //
	Setting    []forms.Input
	Problem    string // with the setting, or with what was done last
	Steps      string // what was done, as the form carries it
	Done       int
	Played     *playedView // nil: the ticket is not opened yet
}

// playedView is what it has come to.
type playedView struct {
	Began, Now time.Time
	Ahead      *time.Time // when something happens by itself; nil: nothing does
	Span       forms.Input
	Ending     *flow.Ending
	Suspended  bool
	Picture    template.URL
	X, Y       int
	Story      tickets.Story
	Places     []actView
	Calls      []callView
	Refused    []string // what the process itself could not do
	Endless    bool
	Sent       []houseapi.Delivery
	MoreSent   int
}

// actView is a node, or the ticket as a whole, with what can be done there.
type actView struct {
	Prefix, Node, Name, Type string
	Round                    int
	Cause, Next              string
	Inputs                   []forms.Input
	Actions                  []string
	Problem                  string
}

// callView is an attempt at a request, of which it can be said what it comes to.
type callView struct {
	ticket.Attempt
	Prefix  string
	Body    page.Folded
	Inputs  []forms.Input
	Problem string
}

// simulate shows the form by which a version of a service is played through.
func (r *Room) simulate(v *page.Visit, f found) error {
	version, err := v.Ask("version", 10)
	if err != nil {
		return err
	}
	def, err := r.target(v, f, version)
	if err != nil {
		return err
	}
	return r.setting(v, playView{Definition: def, Path: pathOf(f.Key) + "/simulate", Back: pathOf(f.Key)})
}

// setting shows a process that is not opened yet.
func (r *Room) setting(v *page.Visit, w playView) error {
	p := play{def: w.Definition, start: r.Now().Truncate(time.Second), opener: v.Who.Person}
	w.Setting = p.setting(v, nil)
	return r.playing(v, http.StatusOK, w)
}

func (r *Room) playing(v *page.Visit, status int, w playView) error {
	w.Definition = v.Spoken(w.Definition)
	return v.Render(status, "services/simulate", v.T("play.title", "Name", w.Name), w)
}

// step goes on with a version of a service by what the form asks for.
func (r *Room) step(v *page.Visit, f found) error {
	v.Tries()
	def, err := r.target(v, f, v.Form.Get("version"))
	if err != nil {
		return err
	}
	return r.goOn(v, playView{Definition: def, Path: pathOf(f.Key) + "/simulate", Back: pathOf(f.Key)})
}

// stepOfDraft goes on with what is written in the editor, or leads back to it.
func (r *Room) stepOfDraft(v *page.Visit) error {
	v.Tries()
	e := versions.Editing(v)
	if v.Form.Get("do") == "edit" {
		return r.kind().Editor(v, http.StatusOK, e, "")
	}
	w, found, err := r.scene(v, e)
	switch {
	case err != nil:
		return err
	case !found:
		return r.kind().Editor(v, http.StatusBadRequest, e, v.T("play.faulty"))
	}
	return r.goOn(v, w)
}

// scene reads what is written in the editor as something to be played through; false where there are faults. It may name groups that are not there.
func (r *Room) scene(v *page.Visit, e versions.Edit) (playView, bool, error) {
	if len(e.Source) > ticket.MaxDefinition {
		return playView{}, false, nil
	}
	def, faults, err := houseapi.ReadScene(v.Until, r.Records, v.Who.App.Tenant, houseapi.Plainer([]byte(e.Source)))
	if err != nil || len(faults) > 0 {
		return playView{}, false, err
	}
	return playView{Definition: def, Path: draftPath + "/simulate", Draft: true, Source: e.Source, Of: e.Key, Based: strconv.Itoa(e.Based)}, true, nil
}

// groupPrefix tells the fields that say who is in a group.
const groupPrefix = "group."

// setting gives the fields for what a process is played through with. sent is what was filled in, nil where nothing was yet.
func (p play) setting(v *page.Visit, sent *page.Form) []forms.Input {
	out, _ := forms.Opening(v, v.Spoken(p.def))
	out = append([]forms.Input{
		{Name: "opener", Label: v.T("ticket.opener"), Kind: forms.Line, Max: ticket.MaxName, Hint: v.T("form.person"), Value: p.opener},
		{Name: "start", Label: v.T("play.start"), Kind: forms.Moment, Hint: v.T("form.zone", "Zone", v.Zone().String()), Value: v.ChosenMoment(p.start)}}, out...)
	out = append(out, forms.Input{Name: "assignee", Label: v.T("ticket.assignee"), Kind: forms.Line, Max: ticket.MaxName, Hint: v.T("form.person")})
	for _, id := range p.def.GroupsNamed() {
		out = append(out, forms.Input{Name: groupPrefix + id, Label: v.T("play.group", "Group", id), Kind: forms.Line, Hint: v.T("form.persons")})
	}
	out = append(out, forms.Input{Name: "managers", Label: v.T("play.managers"), Kind: forms.Text, Hint: v.T("play.managers.hint")})
	if sent != nil {
		for i := range out {
			if out[i].Refill(sent.Values); out[i].Name == "start" && out[i].Value == "" {
				out[i].Value = v.ChosenMoment(p.start)
			}
		}
	}
	forms.Numbered("setting", out)
	return out
}

// sentPlay reads what a form carries: what was filled in, and what was done.
func (r *Room) sentPlay(v *page.Visit, def flow.Definition) (play, error) {
	p := play{def: def, opener: v.Form.Text("opener"), assignee: v.Form.Text("assignee"), opened: forms.Open(v, v.Form, def), groups: map[string][]string{}, managers: map[string]string{}}
	var err error
	if p.start, err = v.Moment("start", v.Form.Text("start")); err != nil {
		return p, err
	}
	if p.start.IsZero() {
		p.start = r.Now()
	}
	p.start = p.start.Truncate(time.Second)
	for _, id := range def.GroupsNamed() {
		p.groups[id] = v.Form.List(groupPrefix + id)
	}
	for _, line := range v.Form.List("managers") {
		who, manager, ok := "", "", false
		for _, between := range []string{": ", "：", ":"} { // ids may have colons themselves
			if who, manager, ok = strings.Cut(line, between); ok {
				break
			}
		}
		if !ok {
			return p, ticket.RefuseField(ticket.Invalid, "managers", "must be lines such as ann: bob")
		}
		p.managers[strings.TrimSpace(who)] = strings.TrimSpace(manager)
	}
	kept := v.Form.Get("steps")
	if kept == "" {
		return p, nil
	}
	if len(kept) > maxKept {
		return p, ticket.RefuseField(ticket.Invalid, "steps", ticket.Over(maxKept, "bytes", len(kept)))
	}
	if err := json.Unmarshal([]byte(kept), &p.steps); err != nil {
		return p, ticket.RefuseField(ticket.Invalid, "steps", "is none of ours")
	}
	if len(p.steps) > maxSteps {
		return p, ticket.RefuseField(ticket.Invalid, "steps", ticket.Over(maxSteps, "items", len(p.steps)))
	}
	last := int64(0)
	for _, s := range p.steps {
		if s.At < last || s.At > maxElapsed {
			return p, ticket.RefuseField(ticket.Invalid, "steps", "is none of ours")
		}
		last = s.At
	}
	return p, nil
}

// pressed is what the button says that was pressed: open, undo, next, pass, or an act at a place, as in n0.approve.
type pressed struct{ place, what string }

func pressedOf(text string) pressed {
	place, what, ok := strings.Cut(text, ".")
	if !ok {
		return pressed{what: text}
	}
	return pressed{place, what}
}

// goOn plays what a form carries, does what its button says, and shows what it has come to.
func (r *Room) goOn(v *page.Visit, w playView) error {
	p, err := r.sentPlay(v, w.Definition)
	w.Setting = p.setting(v, &v.Form)
	var is houseapi.Played
	if err == nil {
		is, err = p.played(v.Who.App.Code)
	}
	if err != nil {
		return r.unplayable(v, w, p, err)
	}
	m := pressedOf(v.Form.Get("do"))
	next, wrong, err := p.done(v, is, m)
	if err != nil {
		return err
	}
	if wrong == nil && next != nil {
		if is, wrong, err = next.tried(v, is, m.place != ""); err != nil {
			return err
		}
		if wrong == nil {
			p = *next
		}
	}
	raw, err := json.Marshal(p.steps)
	if err != nil {
		return fmt.Errorf("write what was done: %w", err)
	}
	w.Steps, w.Done, w.Played = string(raw), len(p.steps), r.view(v, p, is, m, wrong)
	status := http.StatusOK
	if wrong != nil {
		status = http.StatusBadRequest
	}
	return r.playing(v, status, w)
}

// unplayable shows the form with why the ticket cannot be opened.
func (r *Room) unplayable(v *page.Visit, w playView, p play, err error) error {
	why := ticket.AsError(err)
	if why == nil {
		return err
	}
	why = forms.Misnamed(why)
	w.Problem = forms.Blame(v, w.Setting, why)
	raw, err := json.Marshal(p.steps)
	if err != nil {
		return fmt.Errorf("write what was done: %w", err)
	}
	w.Steps, w.Done = string(raw), len(p.steps)
	return r.playing(v, http.StatusBadRequest, w)
}

// done gives the play with what the button says done; nil where nothing changes. A refusal tells what is wrong with what was asked for.
func (p play) done(v *page.Visit, is houseapi.Played, m pressed) (*play, *ticket.Error, error) {
	next := p
	add := func(s step) (*play, *ticket.Error, error) {
		if len(p.steps) >= maxSteps {
			return nil, ticket.Refuse(ticket.TooMany, ticket.Over(maxSteps, "items", len(p.steps)+1)), nil
		}
		if s.At > maxElapsed {
			return nil, ticket.RefuseField(ticket.Invalid, "span", "must be above zero and at most 3650d"), nil
		}
		next.steps = append(slices.Clone(p.steps), s)
		return &next, nil, nil
	}
	switch {
	case m.place == "" && m.what == "undo":
		next.steps = p.steps[:max(0, len(p.steps)-1)]
		return &next, nil, nil
	case is.Stands.Ended():
		return nil, nil, nil
	case m.place == "" && m.what == "next" && is.Ahead != nil:
		wait := is.Ahead.Sub(p.start)
		return add(step{At: int64((wait + time.Second - 1) / time.Second)})
	case m.place == "" && m.what == "pass":
		span, err := flow.ParseDuration(v.Form.Text("span"))
		if err != nil {
			return nil, ticket.RefuseField(ticket.Invalid, "span", err.Error()), nil
		}
		return add(step{At: p.elapsed() + int64(span/time.Second)})
	case strings.HasPrefix(m.place, "c"):
		i, err := strconv.Atoi(m.place[1:])
		if err != nil || i < 0 || i >= len(is.Open) {
			return nil, errMoved, nil
		}
		call, why := answerOf(v.Form.Under(m.place + "."))
		if why != nil {
			return nil, why, nil
		}
		call.Node, call.After = is.Open[i].Node, p.since(is.Open[i].At)
		return add(step{At: p.elapsed() + 1, Call: &call})
	case m.place != "":
		act, why, err := p.act(v, is, m)
		if why != nil || err != nil {
			return nil, why, err
		}
		return add(step{At: p.elapsed() + 1, Act: &act})
	}
	return nil, nil, nil
}

// errMoved refuses what is done at a node that was left.
var errMoved = ticket.Refuse(ticket.Conflict, "this is not possible any more")

// answerOf reads what an attempt at a request comes to.
func answerOf(sent page.Form) (call ticket.ScriptedCall, why *ticket.Error) {
	if call.Error = sent.Text("error"); call.Error != "" {
		return call, nil
	}
	var err error
	if call.Status, err = strconv.Atoi(sent.Text("status")); err != nil || call.Status < 100 || call.Status > 599 {
		return call, ticket.RefuseField(ticket.Invalid, "status", "must be a number from 100 to 599")
	}
	if call.Body = forms.Lines(sent.Get("body")); len(call.Body) > flow.MaxText {
		return call, ticket.RefuseField(ticket.Invalid, "body", ticket.Over(flow.MaxText, "bytes", len(call.Body)))
	}
	return call, nil
}

// act reads what somebody does at a node, or with the ticket as a whole.
func (p play) act(v *page.Visit, is houseapi.Played, m pressed) (act ticket.ScriptedAct, why *ticket.Error, err error) {
	sent := v.Form.Under(m.place + ".")
	c := ticket.Command{Action: ticket.Action(m.what), Node: sent.Get("node"), Operator: sent.Text("who"), Admin: sent.On("admin"), Note: forms.Lines(sent.Text("comment"))}
	c.Round, _ = strconv.Atoi(sent.Get("round")) // of a form of ours it is a number
	began := is.Began
	if c.Node != "" {
		state, ok := is.Stands.Position.Find(c.Node)
		if !ok || state.Round != c.Round || !state.State.Open() {
			return act, errMoved, nil
		}
		began = state.Entered
	} else if !slices.Contains(wholes, c.Action) {
		return act, errMoved, nil
	}
	if err := forms.Fill(v, sent, is.Stands, &c); err != nil {
		if why = ticket.AsError(err); why == nil {
			return act, nil, err
		}
		return act, why, nil
	}
	act = ticket.ScriptedAct{After: p.since(began), Solution: c.Solution, Act: flow.Act{Action: flow.Action(c.Action), Node: c.Node, Round: c.Round, Actor: c.Operator, Admin: c.Admin,
		OnBehalf: c.OnBehalf, Comment: c.Note, Targets: c.Targets, Fields: c.Fields, Resend: c.Resend, Place: c.Place, To: c.To}}
	if c.Verdict != nil {
		act.Pass, act.Comment = c.Verdict.Passed, c.Verdict.Comment
	}
	return act, nil, nil
}

// wholes are what can be done with a ticket as a whole.
var wholes = []ticket.Action{ticket.Suspend, ticket.Unsuspend, ticket.Withdraw, ticket.Terminate, ticket.Close}

// tried plays with what was done last, and gives what it was before with the refusal where that was not taken. acted tells that it was an act or an answer.
func (p play) tried(v *page.Visit, was houseapi.Played, acted bool) (houseapi.Played, *ticket.Error, error) {
	is, err := p.played(v.Who.App.Code)
	if err != nil {
		if why := ticket.AsError(err); why != nil {
			return was, why, nil
		}
		return was, nil, err
	}
	last := -1
	for _, s := range p.steps {
		if s.Act != nil {
			last++
		}
	}
	if !acted || p.steps[len(p.steps)-1].Act == nil {
		return is, nil, nil
	}
	for _, refused := range is.Refused {
		if refused.Answer == last {
			field, message, ok := strings.Cut(refused.Why, ": ")
			if !ok || strings.Contains(field, " ") {
				field, message = "", refused.Why
			}
			return was, ticket.RefuseField(ticket.Invalid, field, message), nil
		}
	}
	if slices.Contains(is.Unused, last) {
		return was, errMoved, nil
	}
	return is, nil, nil
}

// view shows what a play has come to. wrong is why what the button said was not done; nil where it was.
func (r *Room) view(v *page.Visit, p play, is houseapi.Played, m pressed, wrong *ticket.Error) *playedView {
	is.Stands = v.SpokenTicket(is.Stands)
	picture := v.Draw(v.Spoken(p.def), &is.Position)
	out := &playedView{Began: is.Began, Now: is.Began.Add(time.Duration(p.elapsed()) * time.Second), Ahead: is.Ahead, Ending: is.Ending, Suspended: is.Suspended, Endless: is.Endless,
		Picture: page.Inline(picture.Bytes), X: picture.X, Y: picture.Y, Story: tickets.StoryOf(v, is.Stands, is.Events)}
	out.Sent = is.Deliveries[:min(len(is.Deliveries), shownSent)]
	out.MoreSent = len(is.Deliveries) - len(out.Sent)
	for _, refused := range is.Refused {
		out.Refused = append(out.Refused, v.Why(refused.Why))
	}
	out.Span = forms.Input{ID: "span", Name: "span", Label: v.T("play.span"), Kind: forms.Line, Max: 40, Hint: v.T("play.span.hint"), Value: v.Form.Text("span")}
	if wrong != nil && m.place == "" {
		out.Span.Problem = v.Explain(forms.Alone(wrong))
	}
	if wrong != nil && m.place != "" && !shows(is, m.place) {
		out.Refused = append(out.Refused, v.Explain(wrong))
	}
	if is.Stands.Ended() {
		return out
	}
	for i, open := range is.Open {
		c := callView{Attempt: open, Prefix: "c" + strconv.Itoa(i), Body: page.Fold(open.Body), Inputs: []forms.Input{
			{Name: "status", Label: v.T("play.status"), Kind: forms.Number, Value: "200"}, {Name: "body", Label: v.T("play.body"), Kind: forms.Text, Max: flow.MaxText, Value: "{}"},
			{Name: "error", Label: v.T("play.error"), Kind: forms.Line, Max: ticket.MaxName, Hint: v.T("play.error.hint")}}}
		if m.place == c.Prefix && wrong != nil {
			c.Problem = blamed(v, c.Inputs, v.Form.Under(c.Prefix+"."), wrong)
		}
		prefixed(c.Prefix, c.Inputs)
		out.Calls = append(out.Calls, c)
	}
	for i, n := range is.Stands.Nodes() {
		if a := placeOf(v, p, is.Stands, n, "n"+strconv.Itoa(i)); len(a.Actions) > 0 || a.Cause != "" {
			out.Places = append(out.Places, a)
		}
	}
	out.Places = append(out.Places, wholeOf(v, p, is.Stands))
	for i := range out.Places {
		a := &out.Places[i]
		sent := v.Form.Under(a.Prefix + ".")
		if m.place == a.Prefix && wrong != nil {
			a.Problem = blamed(v, a.Inputs, sent, wrong)
		}
		prefixed(a.Prefix, a.Inputs)
	}
	return out
}

// shows reports whether there is a place of that name where a refusal can be told.
func shows(is houseapi.Played, place string) bool {
	if place == "whole" {
		return !is.Stands.Ended()
	}
	i, err := strconv.Atoi(place[1:])
	if err != nil || i < 0 || is.Stands.Ended() {
		return false
	}
	return place[0] == 'c' && i < len(is.Open) || place[0] == 'n' && i < len(is.Stands.Nodes())
}

// blamed fills in what was sent, and puts what was wrong beside its field; it gives what stands beside none.
func blamed(v *page.Visit, inputs []forms.Input, sent page.Form, wrong *ticket.Error) string {
	for i := range inputs {
		inputs[i].Refill(sent.Values)
	}
	return forms.Blame(v, inputs, wrong)
}

// prefixed gives fields the names that they have in the form, which holds the fields of everything that can be done.
func prefixed(prefix string, inputs []forms.Input) {
	forms.Numbered(prefix, inputs)
	for i := range inputs {
		inputs[i].Name = prefix + "." + inputs[i].Name
	}
}

// placeOf gives what can be done at a node: by whom, all that any of it asks for, and a button for each.
func placeOf(v *page.Visit, p play, t ticket.Ticket, n ticket.Node, prefix string) actView {
	a := actView{Prefix: prefix, Node: n.Node, Name: n.Name, Type: string(n.Type), Round: n.Round}
	a.Cause, a.Next = tickets.ProblemOf(v, t, n)
	who := p.opener
	if len(n.Pending) > 0 {
		who = n.Pending[0]
	}
	a.Inputs = whoActs(v, who)
	actions := n.Actions
	if n.Type == flow.Approval || n.Type == flow.Task {
		actions = append(slices.Clone(actions), flow.Reassign)
	}
	state, _ := t.Position.Find(n.Node)
	for _, action := range actions {
		a.Actions = append(a.Actions, string(action))
		var of []forms.Choice
		switch action {
		case flow.Approve, flow.Reject:
			of = append(of, forms.Choice{Name: v.T("act.as_myself")})
			for _, name := range n.Pending[:min(len(n.Pending), shownPending)] {
				of = append(of, forms.Choice{Key: name, Person: true})
			}
		case flow.Remove:
			for _, added := range state.Added {
				of = append(of, forms.Choice{Key: added.Who, Person: true})
			}
		}
		for _, in := range (forms.Act{Ticket: t, Node: n, Action: action, By: who, Of: of}).Inputs(v) {
			if in.Required = in.Required && len(actions) == 1; !slices.ContainsFunc(a.Inputs, func(had forms.Input) bool { return had.Name == in.Name }) {
				a.Inputs = append(a.Inputs, in)
			}
		}
	}
	slices.SortStableFunc(a.Inputs, func(x, y forms.Input) int { return rankOf(x) - rankOf(y) })
	return a
}

// rankOf puts the comment behind everything else.
func rankOf(in forms.Input) int {
	if in.Name == "comment" || in.Name == "virtual_confirm_comment" {
		return 1
	}
	return 0
}

// wholeOf gives what can be done with the ticket as a whole.
func wholeOf(v *page.Visit, p play, t ticket.Ticket) actView {
	a := actView{Prefix: "whole", Name: v.T("now.whole"), Inputs: append(whoActs(v, p.opener), forms.Comment(v, false))}
	for _, action := range wholes {
		if action == ticket.Suspend && t.Suspended || action == ticket.Unsuspend && !t.Suspended {
			continue
		}
		a.Actions = append(a.Actions, string(action))
	}
	return a
}

// whoActs are the fields for who does something.
func whoActs(v *page.Visit, who string) []forms.Input {
	return []forms.Input{{Name: "who", Label: v.T("play.who"), Kind: forms.Line, Max: ticket.MaxName, Value: who}, {Name: "admin", Label: v.T("play.admin"), Kind: forms.Tick}}
}
