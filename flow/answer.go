package flow

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Calls lists the pending requests, each as it has to be made now. A suspended ticket has none.
func (p *Process) Calls(pos Position, env Env) []PendingCall {
	var out []PendingCall
	env.Fields = env.known()
	r := &run{p: p, pos: pos, env: env}
	for _, s := range pos.Nodes {
		if p.calling(s) {
			out = append(out, r.pendingCall(s))
		}
	}
	return out
}

// calling reports whether a node's request is pending.
func (p *Process) calling(s NodeState) bool {
	n := p.nodes[s.Node]
	return s.State == Calling && s.Held == "" && s.Paused == nil && n != nil && n.request != nil
}

// pendingCall makes a node's request.
func (r *run) pendingCall(s NodeState) PendingCall {
	n := r.p.nodes[s.Node]
	q := n.request
	call := PendingCall{Node: n.ID, Name: n.Name, Round: s.Round, Try: s.Try, Timeout: q.timeout, Attempts: q.attempts, Interval: q.interval, Coefficient: q.coefficient}
	if r.env.Rules >= RulesWeighed {
		call.Key = s.Known()
	}
	var err error
	if call.Method, call.URL, call.Headers, call.Body, err = q.render(r.world(n)); err != nil {
		call.Problem = err.Error()
	}
	return call
}

// tryCall fails a call at once when its request cannot be made.
func (r *run) tryCall(n *node, s *NodeState) {
	if _, _, _, _, err := n.request.render(r.world(n)); err != nil {
		r.fail(n, s, err.Error())
	}
}

// fail shows a request as failed; that of a call to those who may retry or skip it.
func (r *run) fail(n *node, s *NodeState, why string) {
	s.Reason = cut(why, MaxReason)
	if n.Type == Call {
		failed := false
		s.Result, s.Asked, s.Anyone = &failed, r.persons(n.Processors), n.Processors.Anyone
	}
	r.say(CallFailed, s, LogEntry{To: s.Asked, Note: s.Reason})
	r.sayFound(s)
	r.stand(n, s, Failed)
	r.attendNow(n, s)
}

// stand takes the state that an answer led to, or keeps it for when the ticket is resumed: a token must not move meanwhile.
func (r *run) stand(n *node, s *NodeState, state State) {
	if s.Paused != nil {
		s.Held = state
		return
	}
	if state == Failed {
		s.State = Failed
		return
	}
	r.leave(n, s, Done, LogEntry{})
	r.send(n.Next, n.scope)
}

func (r *run) release(n *node, s *NodeState) {
	state := s.Held
	s.Held = ""
	r.stand(n, s, state)
}

// Known is what a call's request is known by: the same from its first attempt to its last, and no other request of the ticket has it.
func (s NodeState) Known() string {
	return cmp.Or(s.Key, fmt.Sprintf("%s:%d:%d", s.Node, s.Round, s.Try))
}

// request makes a new request pending. Its key has the time in it, because a migration can give the name of this node to another one.
func (r *run) request(s *NodeState) {
	s.State, s.Kept = Calling, nil
	s.Try++
	if r.env.Rules >= RulesWeighed {
		s.Key = fmt.Sprintf("%s:%d:%d:%d", s.Node, s.Round, s.Try, r.env.Now.UnixMicro())
	}
}

// Awaits reports whether the process waits for what comes of the request of that key, also while it is suspended.
func (p Position) Awaits(key string) bool {
	return slices.ContainsFunc(p.Nodes, func(s NodeState) bool { return s.awaits() && s.Known() == key })
}

func (s NodeState) awaits() bool { return s.State == Calling && s.Held == "" }

// answers reports whether it is this node that waits for the answer.
func (c Called) answers(s NodeState) bool {
	if !s.awaits() {
		return false
	}
	if c.Key != "" {
		return s.Known() == c.Key
	}
	return s.Node == c.Node && s.Round == c.Round && s.Try == c.Try
}

func (c Called) apply(r *run) error {
	i := slices.IndexFunc(r.pos.Nodes, c.answers)
	if i < 0 {
		return nil
	}
	n := r.p.nodes[r.pos.Nodes[i].Node]
	s := r.touch(n)
	s.Status = c.Status
	if size := len(c.Body); size > MaxAnswer && r.env.Rules >= RulesWeighed {
		c.Error, c.Body = TooLarge(c.Status, int64(size)), ""
	}
	if n.outside() {
		r.find(n, s, c)
	} else {
		r.take(n, s, c)
	}
	return nil
}

// take does with an answer what its call says.
func (r *run) take(n *node, s *NodeState, c Called) {
	values, came, err := r.answered(n, c)
	if err != nil {
		why := err.Error()
		if s.Kept = r.keeps(c, came); s.Kept != nil {
			why = cut(why, MaxReason-len(came)) + string(came)
		}
		r.fail(n, s, why)
		return
	}
	s.Kept = nil
	r.set(values)
	done := true
	s.Result = &done
	r.say(CallDone, s, LogEntry{Note: fmt.Sprintf("HTTP %d", c.Status)})
	r.stand(n, s, Done)
}

// hint is what an answer that is no use says of its request all the same, as it is added to the reason: sending it again might repeat what has been done.
type hint string

const (
	succeeded hint = " (the request has succeeded: resend would send it again)"
	mayHave   hint = " (the request may have succeeded: resend would send it again)"
	noSuccess hint = ""
)

// keeps gives what is kept of an answer that is no use, nil where the request was no success. Cookies are nobody's business.
func (r *run) keeps(c Called, came hint) *Kept {
	switch {
	case r.env.Rules < RulesWeighed || came == noSuccess, r.env.Rules < RulesComplete && came == mayHave:
		return nil
	case c.Error != "":
		return &Kept{Lost: true}
	}
	kept := &Kept{Body: c.Body, Headers: maps.Clone(c.Headers)}
	delete(kept.Headers, "set-cookie")
	return kept
}

// read reads an answer, if it is a success, so that expressions can speak of it. With the error it tells what the request has come to.
func (r *run) read(n *node, c Called) (world exprEnv, _ hint, _ error) {
	good := c.Status >= 200 && c.Status < 300
	if c.Error != "" {
		came := noSuccess
		if good {
			came = succeeded
		}
		return world, came, errors.New(c.Error)
	}
	var body any
	read := json.Unmarshal
	if r.env.Rules >= RulesWeighed {
		read = DecodeExact
	}
	if read([]byte(c.Body), &body) != nil {
		body = c.Body
	}
	headers := maps.Clone(c.Headers)
	if headers == nil {
		headers = map[string]string{}
	}
	world = r.given(map[string]any{"status": c.Status, "headers": headers, "body": body})
	if n.request.success != nil {
		said, err := world.holds(n.request.success)
		if err != nil {
			came := noSuccess
			if good {
				came = mayHave
			}
			return world, came, fmt.Errorf("HTTP %d: success: %w", c.Status, err)
		}
		good = said
	}
	if !good {
		return world, noSuccess, fmt.Errorf("HTTP %d is no success", c.Status)
	}
	return world, succeeded, nil
}

// answered reads an answer to a call, and what it says about fields. With the error it tells what the request has come to.
func (r *run) answered(n *node, c Called) (map[string]any, hint, error) {
	world, came, err := r.read(n, c)
	if err != nil {
		return nil, came, err
	}
	values := map[string]any{}
	for _, key := range sortedKeys(n.request.answer) {
		value, err := world.compute(n.request.answer[key])
		if err != nil {
			return nil, succeeded, fmt.Errorf("answer %s: %w", key, err)
		}
		kept, err := r.p.field(n, key).canonical(plain(value), r.env.Rules)
		if err != nil {
			return nil, succeeded, fmt.Errorf("answer %s: %w", key, err)
		}
		values[key] = kept
	}
	return values, succeeded, nil
}

// MaxAnswer is how much of an answer to a request a process takes, in bytes. It becomes part of the ticket's history.
const MaxAnswer = 64 << 10

// TooLarge is the reason why an answer of that status and size is not taken, as people are told; a size below zero is not known.
func TooLarge(status int, size int64) string {
	has := fmt.Sprintf("%d", size)
	if size < 0 {
		has = fmt.Sprintf("more than %d", MaxAnswer)
	}
	return fmt.Sprintf("HTTP %d: the answer has %s bytes; at most %d are taken", status, has, MaxAnswer)
}

// NotText is the reason why an answer of that status is not taken of which a part (its body, or a header) is no UTF-8: whatever was kept of it would not be what
// was sent.
func NotText(status int, part string) string {
	return fmt.Sprintf("HTTP %d: the answer's %s is no valid UTF-8", status, part)
}

// plain makes text of what a text field can take as text.
func plain(value any) any {
	switch v := value.(type) {
	case nil:
		return ""
	case time.Duration:
		return v.String()
	}
	return value
}

// field finds a declaration, of this node before the opening form.
func (p *Process) field(n *node, key string) Field {
	for _, form := range [][]Field{n.Fields, p.def.Fields} {
		for _, f := range form {
			if f.Key == key {
				return f
			}
		}
	}
	return Field{Key: key, Type: Text}
}

// retry has a failed node done again. Where its request has succeeded, what is done again is to map the answer, unless it is to be sent again.
func (r *run) retry(n *node, s *NodeState, a Act) error {
	switch {
	case n.Type == Branch && a.Resend:
		return refuse(Invalid, "resend", "%q sends nothing", n.Name)
	case s.Kept != nil && s.Kept.Lost && !a.Resend:
		return refuse(Conflict, "resend", "the request of %q has succeeded, and its answer could not be kept: say true to send it again, or skip", n.Name)
	}
	s.Reason, s.Result, s.Asked, s.Anyone = "", nil, nil, false
	r.say(Retried, s, LogEntry{Who: a.Actor, Note: a.Comment})
	switch {
	case n.Type == Branch:
		r.choose(n, s)
	case s.Kept != nil && !a.Resend:
		r.take(n, s, Called{Status: s.Status, Headers: s.Kept.Headers, Body: s.Kept.Body})
	default:
		r.request(s)
		r.tryCall(n, s)
	}
	return nil
}

// missing is the form of what a call's answer would have filled in. Nothing of it has to be.
func (p *Process) missing(n *node) []Field {
	var form []Field
	if n.request == nil {
		return nil
	}
	for _, key := range sortedKeys(n.request.answer) {
		f := p.field(n, key)
		f.Required, f.Default = false, nil
		form = append(form, f)
	}
	return form
}

// skip passes a failed node by: a call without its answer, of which whoever skips it may give the fields, and a branch by its default.
func (r *run) skip(n *node, s *NodeState, a Act) error {
	if r.env.Rules >= RulesWeighed {
		values, err := r.env.Rules.fill(r.p.missing(n), a.Fields)
		if err != nil {
			return err
		}
		r.set(values)
	}
	s.Kept = nil
	if a.Actor != "" {
		s.By = []string{a.Actor}
	}
	r.say(Passed, s, LogEntry{Who: a.Actor, Note: a.Comment})
	r.leave(n, s, Skipped, LogEntry{})
	if n.Type == Branch {
		r.send(n.Default, n.scope)
	} else {
		r.send(n.Next, n.scope)
	}
	return nil
}

func cut(text string, max int) string {
	runes := []rune(text)
	if len(runes) > max {
		runes = runes[:max]
	}
	return string(runes)
}
