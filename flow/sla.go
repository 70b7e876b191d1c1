package flow

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	"signalbox/calendar"
)

// SLA is something that is promised of a ticket as a whole: that it comes to a certain place within a certain time. docs/decisions/0032 says what its clock does
// when a ticket is suspended, reopened, moved to another version, or gets another target.
type SLA struct {
	Name     string    `json:"name"`               // a word
	Until    string    `json:"until"`              // the node that has to be done, or end: the ticket is over
	Target   string    `json:"target,omitempty"`   // a duration or working time; for all that By has no target for
	By       *TargetBy `json:"by,omitempty"`       // targets by what a field says
	Warn     string    `json:"warn,omitempty"`     // at how much of the target there is a warning, such as 80 %; never unless said
	Pause    []string  `json:"pause,omitempty"`    // nodes: while the ticket stands at one of them the clock stops
	Calendar string    `json:"calendar,omitempty"` // that working time is counted by; that of the definition unless said
}

// TargetBy chooses a target by the value of a field, as it is at every moment.
type TargetBy struct {
	Field   string            `json:"field"`   // the key of a field
	Targets map[string]string `json:"targets"` // by value
}

// Limits of SLAs.
const (
	MaxSLAs    = 10
	MaxTargets = 100 // of one SLA by values
)

// UntilEnd is what SLA.Until says for the end of the ticket.
const UntilEnd = "end"

// The stages of the timers of an SLA.
const (
	StageWarn   = 0
	StageBreach = 1
)

// promise is an SLA with everything worked out that does not depend on a ticket.
type promise struct {
	SLA
	by      *calendar.Hours // nil where no target is working time
	target  length          // zero where every value has its own
	targets map[string]length
	warn    time.Duration // in percent
}

var percentText = regexp.MustCompile(`^([1-9]\d?) ?%$`)

// promises checks the SLAs. It comes after the forms, because targets go by their fields.
func (b *builder) promises() {
	list := b.p.def.SLA
	if len(list) > MaxSLAs {
		b.add("sla", "%s", Over(MaxSLAs, "SLAs", len(list)))
		return
	}
	seen := map[string]bool{}
	for i, s := range list {
		path := fmt.Sprintf("sla[%d]", i)
		switch {
		case !b.text(path+".name", s.Name, 1, MaxWord):
		case !word.MatchString(s.Name):
			b.add(path+".name", "must be a word of letters, digits and '_' that does not begin with a digit")
		case seen[s.Name]:
			b.add(path+".name", "the name %q is there twice", s.Name)
		}
		seen[s.Name] = true
		b.promise(path, s)
	}
}

func (b *builder) promise(path string, s SLA) {
	p := promise{SLA: s, targets: map[string]length{}}
	until := b.p.nodes[s.Until]
	switch {
	case s.Until == "":
		b.add(path+".until", "is required: a node, or end")
	case s.Until == UntilEnd && until != nil && until.Type != End:
		b.add(path+".until", "end is the end of the ticket, and the node %q is none: call it otherwise", s.Until)
	case s.Until != UntilEnd && until == nil:
		b.add(path+".until", "there is no node %q", s.Until)
	case until != nil && !until.known:
		b.add(path+".until", "the ticket never comes to %q", s.Until)
	}
	key := b.calendarOf(path+".calendar", s.Calendar)
	works := working(s.Target)
	if s.Target != "" {
		p.target = b.length(path+".target", s.Target, key)
	}
	if by := s.By; by != nil {
		f, kind := b.p.declaration(by.Field)
		switch {
		case by.Field == "":
			b.add(path+".by.field", "is required")
		case kind == "":
			b.add(path+".by.field", "there is no field %q", by.Field)
		case f == nil:
			b.add(path+".by.field", "must be a field that holds one value: SELECT, RADIO, STRING, INT, BOOL or MEMBER, not %s", kind)
		}
		switch n := len(by.Targets); {
		case n == 0:
			b.add(path+".by.targets", "is required")
		case n > MaxTargets:
			b.add(path+".by.targets", "%s", Over(MaxTargets, "values", n))
			return
		}
		for _, value := range sortedKeys(by.Targets) {
			at := path + ".by.targets." + value
			p.targets[value] = b.length(at, by.Targets[value], key)
			works = works || working(by.Targets[value])
			if f != nil && len(f.Choice) > 0 && !slices.ContainsFunc(f.Choice, func(c Choice) bool { return c.Key == value }) {
				b.add(at, "is no choice of the field %q", by.Field)
			}
		}
		if s.Target == "" && (f == nil || !f.Required || len(f.Choice) == 0 || slices.ContainsFunc(f.Choice, func(c Choice) bool { return by.Targets[c.Key] == "" })) {
			b.add(path+".target", "is required: some values of the field have no target of their own, or it may be empty")
		}
	} else if s.Target == "" {
		b.add(path+".target", "is required, or by")
	}
	if works {
		p.by = b.hours[key]
	} else if s.Calendar != "" {
		b.add(path+".calendar", "is only for working time, such as target: 8 working hours")
	}
	if parts := percentText.FindStringSubmatch(s.Warn); parts != nil {
		n, _ := strconv.Atoi(parts[1])
		p.warn = time.Duration(n)
	} else if s.Warn != "" {
		b.add(path+".warn", "must be from 1 %% to 99 %%, such as 80 %%")
	}
	named := map[string]bool{}
	for i, id := range s.Pause {
		at := fmt.Sprintf("%s.pause[%d]", path, i)
		switch n := b.p.nodes[id]; {
		case n == nil:
			b.add(at, "there is no node %q", id)
		case named[id]:
			b.add(at, "the node %q is there twice", id)
		case !n.Type.stays():
			b.add(at, "no ticket stands at %q, which is %s", id, n.Type.article())
		}
		named[id] = true
	}
	b.p.slas = append(b.p.slas, p)
}

// stays reports whether a ticket can stand at a node of the type while time passes.
func (t NodeType) stays() bool { return t == Task || t == Approval || t == Call || t == Wait }

// declaration finds the field of a key: its type, and the field itself where it holds one value.
func (p *Process) declaration(key string) (*Field, FieldType) {
	forms := [][]Field{p.def.Fields}
	for _, n := range p.def.Nodes {
		forms = append(forms, n.Fields)
	}
	for _, form := range forms {
		for i, f := range form {
			if f.Key != key {
				continue
			}
			switch f.Type {
			case Select, Radio, String, Int, Bool, Member:
				return &form[i], f.Type
			}
			return nil, f.Type
		}
	}
	return nil, ""
}

// SLAClock is what is known of one SLA of a ticket, in its present generation. Times are UTC, to the microsecond; lengths of time are in nanoseconds.
type SLAClock struct {
	Name     string        `json:"name"`
	Calendar string        `json:"calendar,omitempty"` // that Worked is counted by
	Version  int           `json:"version,omitempty"`  // of the calendar
	Target   time.Duration `json:"target"`
	Working  bool          `json:"working,omitempty"` // the target is working time
	Elapsed  time.Duration `json:"elapsed,omitempty"` // how long it has run, until Since
	Worked   time.Duration `json:"worked,omitempty"`  // what of that was working time
	Since    *time.Time    `json:"since,omitempty"`   // since when it runs; nil: it stands still, or is over
	Warn     *time.Time    `json:"warn,omitempty"`    // when the warning comes
	Due      *time.Time    `json:"due,omitempty"`     // when the target is used up, if it runs on; stays when that has come, until it is over
	Warned   *time.Time    `json:"warned,omitempty"`
	Breached *time.Time    `json:"breached,omitempty"` // since when the promise is broken
	Over     *time.Time    `json:"over,omitempty"`     // when the ticket came to where the SLA leads, or ended
}

// Used is how much of the target was used when the clock last stood still or was set.
func (c SLAClock) Used() time.Duration {
	if c.Working {
		return c.Worked
	}
	return c.Elapsed
}

// timers are those of a clock that runs.
func (c SLAClock) timers() (out []Timer) {
	if c.Since == nil || c.Over != nil {
		return nil
	}
	if c.Warn != nil && c.Warned == nil {
		out = append(out, Timer{Stage: StageWarn, Kind: TimerSLA, At: *c.Warn, SLA: c.Name})
	}
	if c.Due != nil && c.Breached == nil {
		out = append(out, Timer{Stage: StageBreach, Kind: TimerSLA, At: *c.Due, SLA: c.Name})
	}
	return out
}

// ApplySLA gives the position with the changed clocks in it. It cannot refuse, and the position it is given stays as it was.
func ApplySLA(p Position, changed []SLAClock) Position {
	if len(changed) == 0 {
		return p
	}
	p.SLA = slices.Clone(p.SLA)
	for _, c := range changed {
		if i := slices.IndexFunc(p.SLA, func(have SLAClock) bool { return have.Name == c.Name }); i >= 0 {
			p.SLA[i] = c
		} else {
			p.SLA = append(p.SLA, c)
		}
	}
	return p
}

// lapse notes that a warning or the end of a target has come.
func (r *run) lapse(f Fired) {
	i := slices.IndexFunc(r.pos.SLA, func(c SLAClock) bool { return c.Name == f.SLA })
	if i < 0 {
		return
	}
	c := r.pos.SLA[i]
	for _, t := range c.timers() {
		if t.Stage != f.Stage || t.At.After(r.env.Now) {
			continue
		}
		at, kind := t.At, SLAWarned
		if f.Stage == StageWarn {
			c.Warned, c.Warn = &at, nil
		} else {
			c.Breached, kind = &at, SLABreached
		}
		r.tell(kind, c)
		r.setClock(c)
		return
	}
}

// tell adds to the timeline what came of a clock.
func (r *run) tell(kind string, c SLAClock) {
	note := c.Name
	for _, p := range r.p.slas {
		if p.Name == c.Name {
			_, text := p.chosen(r.env.Fields)
			if note = c.Name + ": " + text; kind == SLAWarned {
				note = c.Name + ": " + p.Warn + " of " + text
			}
		}
	}
	r.out.ProcessLog = append(r.out.ProcessLog, LogEntry{Kind: kind, Note: note})
}

func (r *run) setClock(c SLAClock) {
	r.pos = ApplySLA(r.pos, []SLAClock{c})
	r.out.SLA = ApplySLA(Position{SLA: r.out.SLA}, []SLAClock{c}).SLA
}

// keepTime has the clocks of all SLAs follow where the ticket stands after a step. Whatever stops one, sets it going or ends it is found here, by how things are.
func (r *run) keepTime(in Input) {
	_, began := in.(Start)
	_, moved := in.(Moved)
	_, stopped := in.(Stop)
	ended := stopped || r.out.Ending != nil
	for _, p := range r.p.slas {
		i := slices.IndexFunc(r.pos.SLA, func(c SLAClock) bool { return c.Name == p.Name })
		c := SLAClock{Name: p.Name}
		switch {
		case !began && i < 0 && (!moved || r.came(p.Until)):
			continue // it was not promised when the ticket began
		case !began && i >= 0:
			c = r.pos.SLA[i]
		}
		if next, changed := p.follow(c, r.env, ended || r.reached(p.Until), !r.pos.Paused() && !r.standsAt(p.Pause)); changed || i < 0 || began {
			r.setClock(next)
		}
	}
}

// follow gives a clock as it goes on at this moment: over, or running or not, with the target of the moment.
func (p promise) follow(c SLAClock, env Env, over, runs bool) (next SLAClock, changed bool) {
	target, _ := p.chosen(env.Fields)
	fresh := c.Target != target.d || c.Working != (target.by != nil)
	if c.Over != nil || !over && !fresh && runs == (c.Since != nil) && (c.Since == nil || c.Due != nil) {
		return c, false
	}
	now := env.Now
	c = p.counted(c, now)
	c.Since, c.Warn = nil, nil
	if fresh {
		c.Target, c.Working = target.d, target.by != nil
		if c.Used() < c.Target {
			c.Breached = nil
		}
		if c.Used() < p.warning(c.Target) {
			c.Warned = nil
		}
	}
	if c.Breached == nil || over {
		c.Due = nil
	}
	switch {
	case over:
		c.Over = &now
	case runs:
		c.Since = &now
		if c.Breached == nil {
			due := length{max(0, c.Target-c.Used()), target.by}.from(now)
			c.Due = &due
		}
		if p.warn > 0 && c.Warned == nil && c.Breached == nil {
			warn := length{max(0, p.warning(c.Target)-c.Used()), target.by}.from(now)
			c.Warn = &warn
		}
	}
	return p.named(c), true
}

// named gives a clock with the calendar that it counts by.
func (p promise) named(c SLAClock) SLAClock {
	if c.Calendar, c.Version = "", 0; p.by != nil {
		c.Calendar, c.Version = p.by.Calendar().Key, p.by.Calendar().Version
	}
	return c
}

// counted gives a clock with all that it has run until a moment.
func (p promise) counted(c SLAClock, at time.Time) SLAClock {
	if c.Since == nil {
		return c
	}
	c.Elapsed += max(0, at.Sub(*c.Since))
	if p.by != nil {
		c.Worked += p.by.Between(*c.Since, at)
	}
	c.Since = &at
	return c
}

// warning is how much of a target is used when the warning comes.
func (p promise) warning(target time.Duration) time.Duration {
	return (target / 100 * p.warn).Truncate(time.Microsecond)
}

// chosen is the target by the fields of a ticket, and its text.
func (p promise) chosen(fields map[string]any) (length, string) {
	if p.By != nil {
		value := p.value(fields)
		if l, ok := p.targets[value]; ok {
			return l, p.By.Targets[value]
		}
	}
	return p.target, p.Target
}

func (p promise) value(fields map[string]any) string {
	if v, ok := fields[p.By.Field]; ok && v != nil {
		return fmt.Sprint(v)
	}
	return ""
}

// reached reports whether a node was done within this step.
func (r *run) reached(node string) bool {
	return slices.ContainsFunc(r.out.ProcessLog, func(e LogEntry) bool { return e.Kind == Left && e.Node == node })
}

// came reports whether a node has been done.
func (r *run) came(node string) bool {
	s, _ := r.pos.Find(node)
	return s.State == Done || s.State == Skipped || r.p.nodes[node] != nil && s.Round > 1
}

// standsAt reports whether the ticket stands at one of some nodes.
func (r *run) standsAt(nodes []string) bool {
	return slices.ContainsFunc(r.pos.Nodes, func(s NodeState) bool { return s.State.Open() && slices.Contains(nodes, s.Node) })
}

// recountSLA has the clocks of a ticket count by its target. One that the target knows nothing of is gone.
func (p *Process) recountSLA(target *Process, clocks []SLAClock, at time.Time) (out []SLAClock) {
	for _, to := range target.slas {
		i := slices.IndexFunc(clocks, func(c SLAClock) bool { return c.Name == to.Name })
		if i < 0 {
			continue
		}
		c := clocks[i]
		for _, from := range p.slas {
			if from.Name == to.Name && c.Over == nil {
				c = to.named(from.counted(c, at))
				if to.by != nil && (from.by == nil || from.by.Calendar().Key != to.by.Calendar().Key) {
					c.Worked = to.by.Between(at.Add(-c.Elapsed), at) // as if it had run without a stop until now
				}
				if c.Since != nil && c.Breached == nil {
					c.Due, c.Warn = nil, nil // which is worked out as the ticket is moved
				}
			}
		}
		out = append(out, c)
	}
	return out
}
