package flow

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// memberTypes says which types of node take a member; id, number, name, type and status belong to all.
var memberTypes = map[string][]NodeType{
	"next":       {Task, Approval, Call, Wait, Join},
	"action":     {Task},
	"fields":     {Task, Approval, Call},
	"processors": {Task, Approval, Call},
	"distribute": {Task},
	"assigners":  {Task},
	"deliver":    {Task, Approval},
	"terminable": {Task, Approval},
	"reject":     {Task, Approval},
	"deadline":   {Task, Approval},
	"calendar":   {Task, Approval, Wait},
	"rule":       {Approval},
	"n":          {Approval},
	"percent":    {Approval},
	"veto":       {Approval},
	"finish":     {Approval},
	"add":        {Approval},
	"four_eyes":  {Approval},
	"not":        {Approval},
	"retract":    {Approval},

	"skip_if_voted": {Approval},
	"if_nobody":     {Task, Approval},

	"call":     {Call},
	"for":      {Wait},
	"until":    {Wait},
	"cases":    {Branch},
	"default":  {Branch},
	"branches": {Parallel},
	"join":     {Parallel},
}

// members checks a node by itself: that it has what its type needs, nothing that its type does not take, and no unknown word.
func (b *builder) members(n *node) {
	at := func(member string) string { return n.path + "." + member }
	if n.Type == "" {
		b.add(at("type"), "is required")
		return
	}
	if !b.enum(at("type"), string(n.Type), "type") {
		return
	}
	given := reflect.ValueOf(b.p.def.Nodes[n.index]) // without the defaults that newNode filled in
	for i := range given.NumField() {
		member, _, _ := strings.Cut(given.Type().Field(i).Tag.Get("json"), ",")
		if types, ok := memberTypes[member]; ok && !given.Field(i).IsZero() && !slices.Contains(types, n.Type) {
			b.add(at(member), "a node of type %s does not take it", n.Type)
		}
	}
	if n.Type == End {
		b.enum(at("status"), string(n.Status), "end.status")
	} else {
		b.enum(at("status"), string(n.Status), "status")
	}
	if n.Next == "" && slices.Contains(memberTypes["next"], n.Type) {
		b.add(at("next"), "is required")
	}
	if slices.Contains(memberTypes["fields"], n.Type) {
		b.fields(at("fields"), n.Fields)
	}
	b.calendarNamed(n, at("calendar"))
	switch n.Type {
	case Task:
		b.task(n, at)
	case Approval:
		b.approval(n, at)
	case Call:
		b.people(at("processors"), n.Processors)
		if n.Call == nil {
			b.add(at("call"), "is required")
		} else {
			n.request = b.request(n.Call, at("call"))
		}
	case Wait:
		b.wait(n, at)
	case Branch:
		b.branch(n, at)
	case Parallel:
		b.parallel(n, at)
	}
	b.outsiders(n)
}

func (b *builder) task(n *node, at func(string) string) {
	b.enum(at("action"), string(n.Action), "action")
	b.asked(at("processors"), n.Processors)
	b.others(at("deliver"), n.Deliver)
	if n.Processors.Caller && n.Distribute != ByAll {
		b.add(at("processors.caller"), "the caller can only name who processes a task, not who claims it or is assigned")
	}
	if b.enum(at("distribute"), string(n.Distribute), "distribute") {
		switch assigned := n.Distribute == ByAssign || n.Distribute == AssignThenClaim; {
		case assigned:
			b.asked(at("assigners"), n.Assigners)
		case n.Assigners != nil:
			b.add(at("assigners"), "is only for tasks that are assigned")
		}
	}
	given := b.p.def.Nodes[n.index].Reject
	switch {
	case n.Action == Confirm && given == nil:
		b.add(at("reject"), "a confirm needs it: where does a no lead?")
	case n.Action != Confirm && given != nil:
		b.add(at("reject"), "is only for approvals and for tasks whose action is confirm")
	}
	b.reject(n, at("reject"))
	b.nobody(n, at("if_nobody"))
	b.deadline(n, at("deadline"))
}

func (b *builder) approval(n *node, at func(string) string) {
	b.asked(at("processors"), n.Processors)
	b.others(at("deliver"), n.Deliver)
	b.others(at("add"), n.Add)
	b.enum(at("rule"), string(n.Rule), "rule")
	switch fixed := len(n.Processors.Persons); {
	case n.Rule == NOfM && (n.N < 1 || n.N > MaxPersons):
		b.add(at("n"), "must be from 1 to %d", MaxPersons)
	case n.Rule == NOfM && n.Processors.fixed() && n.N > fixed:
		b.add(at("n"), "is greater than the number of persons asked, %d", fixed)
	case n.Rule != NOfM && n.N != 0:
		b.add(at("n"), "is only for the rule n-of-m")
	}
	switch {
	case n.Rule == PartOf && (n.Percent < 1 || n.Percent > 100):
		b.add(at("percent"), "must be from 1 to 100")
	case n.Rule != PartOf && n.Percent != 0:
		b.add(at("percent"), "is only for the rule percent")
	}
	if n.Rule == AnyOf && n.Finish != "" {
		b.add(at("finish"), "the rule any is over with the first vote")
	}
	if (n.Rule == NOfM || n.Rule == PartOf) && n.Finish != "" && !known("finish", n.Finish) {
		// It would refuse what the votes still missing could have passed.
		b.add(at("finish"), "a condition is only for the rules all and sequence; %s says itself what is enough", n.Rule)
	}
	if n.Rule != AnyOf && n.Processors.Anyone {
		b.add(at("processors"), "the rule %s counts those who are asked, so anyone cannot be asked", n.Rule)
	}
	if v := n.Veto; v != nil {
		b.persons(at("veto.persons"), v.Persons)
		if !v.Anyone && len(v.Persons) == 0 {
			b.add(at("veto"), "nobody is named")
		}
		for i, person := range v.Persons {
			if n.Processors.fixed() && !slices.Contains(n.Processors.Persons, person) {
				b.add(fmt.Sprintf("%s[%d]", at("veto.persons"), i), "%s is not among those who are asked", person)
			}
		}
	}
	if p := n.Processors; n.FourEyes && p.Opener && len(p.Persons) == 0 && !p.Caller && !p.Anyone && !p.changing() {
		b.add(at("four_eyes"), "the opener alone is asked, who may not vote then")
	}
	if n.Retract && n.Rule == AnyOf {
		b.add(at("retract"), "the rule any is over with the first vote")
	}
	if n.SkipIfVoted && n.needs() {
		b.add(at("skip_if_voted"), "the form has required fields that only a person can fill in")
	}
	b.reject(n, at("reject"))
	b.nobody(n, at("if_nobody"))
	b.deadline(n, at("deadline"))
}

func (b *builder) reject(n *node, at string) {
	r := n.Reject
	if r.Then == "" {
		b.add(at+".then", "is required")
	}
	b.enum(at+".then", string(r.Then), "reject.then")
	b.enum(at+".resubmit", string(r.Resubmit), "resubmit")
	back := r.Then == GoBack || r.Then == GoChoose
	switch {
	case r.Then == GoBack && r.To == "":
		b.add(at+".to", "is required to go back")
	case !back && r.To != "":
		b.add(at+".to", "is only for going back")
	}
	if !back && r.Resubmit != "" {
		b.add(at+".resubmit", "is only for going back")
	}
}

// nobody checks what is to happen where nobody is found.
func (b *builder) nobody(n *node, at string) {
	b.enum(at, string(n.IfNobody), "if_nobody")
	switch {
	case n.IfNobody != SkipIfNobody:
	case n.Type == Task && n.Action == CommitSolution:
		b.add(at, "a solution cannot be made up")
	case n.needs():
		b.add(at, "the form has required fields that only a person can fill in")
	}
}

// needs reports whether the form asks for something that only a person can fill in.
func (n *node) needs() bool {
	return slices.ContainsFunc(n.Fields, func(f Field) bool { return f.Required && f.Default == nil })
}

func (b *builder) deadline(n *node, at string) {
	if len(n.Deadline) > MaxStages {
		b.add(at, "%s", Over(MaxStages, "stages", len(n.Deadline)))
		return
	}
	for i, s := range n.Deadline {
		path := fmt.Sprintf("%s[%d]", at, i)
		after := b.length(path+".after", s.After, b.calendarOf(path+".calendar", s.Calendar, n.Calendar))
		if i > 0 && len(n.stages) == i && after.by == n.stages[i-1].after.by && after.d > 0 && after.d <= n.stages[i-1].after.d {
			b.add(path+".after", "must be later than the stage before it")
		}
		if s.Calendar != "" && !working(s.After) {
			b.add(path+".calendar", "is only for working time, such as after: 8 working hours")
		}
		n.stages = append(n.stages, stage{s, after})
		if s.Do == "" {
			b.add(path+".do", "is required")
		}
		b.enum(path+".do", string(s.Do), "deadline.do")
		b.enum(path+".mode", s.Mode, "escalate.mode")
		switch others := s.Do == DoEscalate || s.Do == DoReassign; {
		case others:
			b.asked(path+".to", s.To)
			if s.To != nil && s.To.Anyone && n.Type == Approval && n.Rule != AnyOf {
				b.add(path+".to", "the rule %s counts those who are asked, so anyone cannot be asked", n.Rule)
			}
		case s.To != nil:
			b.add(path+".to", "is only for escalate and reassign")
		}
		if s.Mode != "" && s.Do != DoEscalate {
			b.add(path+".mode", "is only for escalate")
		}
		b.verdict(n, s, path)
	}
}

// verdict checks the stages that answer in place of a person: what only a person can give cannot be made up.
func (b *builder) verdict(n *node, s Stage, path string) {
	final := s.Do == DoApprove || s.Do == DoReject
	switch {
	case !final:
	case path != fmt.Sprintf("%s.deadline[%d]", n.path, len(n.Deadline)-1):
		b.add(path+".do", "%s must be the last stage", s.Do)
	case s.Do == DoReject && n.Type == Task && n.Action != Confirm:
		b.add(path+".do", "a task that is not a confirm cannot be rejected")
	case s.Do == DoApprove && n.Type == Task && n.Action == CommitSolution:
		b.add(path+".do", "a solution cannot be made up")
	case s.Do == DoReject && n.Reject.Then == GoChoose && n.Reject.To == "":
		b.add(path+".do", "nobody chooses then where a rejection leads: say so in reject.to")
	case s.Do == DoApprove && n.needs():
		b.add(path+".do", "the form has required fields that only a person can fill in")
	}
}

func (b *builder) wait(n *node, at func(string) string) {
	switch {
	case (n.For == "") == (n.Until == ""):
		b.add(n.path, "a wait needs either for or until")
	case n.For != "":
		n.pause = b.length(at("for"), n.For, b.calendarOf(at("calendar"), "", n.Calendar))
	}
}

func (b *builder) branch(n *node, at func(string) string) {
	if len(n.Cases) < 1 || len(n.Cases) > MaxPaths {
		b.add(at("cases"), "there must be from 1 to %d cases, not %d", MaxPaths, len(n.Cases))
	}
	for i, c := range n.Cases {
		path := fmt.Sprintf("%s[%d]", at("cases"), i)
		b.text(path+".name", c.Name, 0, MaxName)
		if c.Next == "" {
			b.add(path+".next", "is required")
		}
	}
	if n.Default == "" {
		b.add(at("default"), "is required: where to go when no case holds")
	}
}

func (b *builder) parallel(n *node, at func(string) string) {
	if len(n.Branches) < 2 || len(n.Branches) > MaxPaths {
		b.add(at("branches"), "there must be from 2 to %d branches, not %d", MaxPaths, len(n.Branches))
	}
	seen := map[string]bool{}
	for i, branch := range n.Branches {
		path := fmt.Sprintf("%s[%d]", at("branches"), i)
		if b.text(path+".name", branch.Name, 1, MaxName) && seen[branch.Name] {
			b.add(path+".name", "the branch %q is there twice", branch.Name)
		}
		seen[branch.Name] = true
		if branch.Next == "" {
			b.add(path+".next", "is required")
		}
	}
	if n.Join == "" {
		b.add(at("join"), "is required: where do the branches meet?")
	}
}
