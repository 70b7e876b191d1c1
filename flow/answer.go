package flow

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/expr-lang/expr"
)

// Calls lists the pending requests, each as it has to be made now. A suspended ticket has none.
func (p *Process) Calls(pos Position, env Env) []PendingCall {
	var out []PendingCall
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

// fail shows a call as failed, to those who may retry or skip it.
func (r *run) fail(n *node, s *NodeState, why string) {
	failed := false
	s.Result, s.Reason = &failed, cut(why, MaxReason)
	s.Asked, s.Anyone = r.persons(n.Processors), n.Processors.Anyone
	r.say(CallFailed, s, LogEntry{To: s.Asked, Note: s.Reason})
	r.stand(n, s, Failed)
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

func (c Called) apply(r *run) error {
	was, _ := r.pos.Find(c.Node)
	if was.State != Calling || was.Round != c.Round || was.Try != c.Try || was.Held != "" {
		return nil
	}
	n := r.p.nodes[c.Node]
	s := r.touch(n)
	s.Status = c.Status
	values, err := r.answered(n, c)
	if err != nil {
		r.fail(n, s, err.Error())
		return nil
	}
	r.set(values)
	done := true
	s.Result = &done
	r.say(CallDone, s, LogEntry{Note: fmt.Sprintf("HTTP %d", c.Status)})
	r.stand(n, s, Done)
	return nil
}

// answered reads an answer: whether it is a success, and what it says about fields.
func (r *run) answered(n *node, c Called) (map[string]any, error) {
	if c.Error != "" {
		return nil, errors.New(c.Error)
	}
	var body any
	if json.Unmarshal([]byte(c.Body), &body) != nil {
		body = c.Body
	}
	headers := maps.Clone(c.Headers)
	if headers == nil {
		headers = map[string]string{}
	}
	world := map[string]any{"status": c.Status, "headers": headers, "body": body}
	good := c.Status >= 200 && c.Status < 300
	if n.request.success != nil {
		var err error
		if good, err = holds(n.request.success, world); err != nil {
			return nil, fmt.Errorf("HTTP %d: success: %w", c.Status, err)
		}
	}
	if !good {
		return nil, fmt.Errorf("HTTP %d is no success", c.Status)
	}
	values := map[string]any{}
	for _, key := range sortedKeys(n.request.answer) {
		value, err := expr.Run(n.request.answer[key], world)
		if err != nil {
			return nil, fmt.Errorf("answer %s: %s", key, firstLine(err))
		}
		kept, err := r.p.field(n, key).canonical(plain(value))
		if err != nil {
			return nil, fmt.Errorf("answer %s: %w", key, err)
		}
		values[key] = kept
	}
	return values, nil
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

// retry has a failed node done again.
func (r *run) retry(n *node, s *NodeState, a Act) {
	s.Reason, s.Result, s.Asked, s.Anyone = "", nil, nil, false
	r.say(Retried, s, LogEntry{Who: a.Actor, Note: a.Comment})
	if n.Type == Branch {
		r.choose(n, s)
		return
	}
	s.State = Calling
	s.Try++
	r.tryCall(n, s)
}

// skip passes a failed node by: a call without its answer, a branch by its default.
func (r *run) skip(n *node, s *NodeState, a Act) {
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
}

func cut(text string, max int) string {
	runes := []rune(text)
	if len(runes) > max {
		runes = runes[:max]
	}
	return string(runes)
}
