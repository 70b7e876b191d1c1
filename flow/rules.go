package flow

// Rules is the version of the rules by which a ticket is decided. A ticket has those of the day on which it was opened, for good: what was decided once
// must come out the same when it is decided again in a replay. Reopening it, and moving it to another version of its service, give it the rules of
// the day. docs/decisions/0015 says what each version changed.
type Rules int

const (
	// RulesFirst are the rules of tickets that do not say by which they are decided.
	RulesFirst Rules = 0
	// RulesWeighed weigh votes by the voices that people carry, keep values exact, and stop what nobody waits for any more.
	RulesWeighed Rules = 1
	// RulesComplete take nothing from a person that is incomplete, or does not say who it is, whatever door it comes through.
	RulesComplete Rules = 2
	// RulesNow are the rules of new tickets.
	RulesNow = RulesComplete
)
