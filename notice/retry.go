package notice

import (
	"fmt"
	"net/http"
	"time"
)

// maxRetryAfter bounds how long a receiver can put the next try off.
const maxRetryAfter = 24 * time.Hour

// maxDefer is how long a try may be put off after it was due, where no minute has to be kept.
const maxDefer = time.Minute

// TryLimit is within what time a try that was begun is over and written down, however its receiver behaves, where its address has no time-out of its own.
const TryLimit = 20 * time.Second

// TryLimit is the same for a subscription that may have one.
func (s Subscription) TryLimit() time.Duration { return TryLimit + s.Timeout }

// MaxTimeout is the longest time-out that an address may have of its own; the shortest is a second.
const MaxTimeout = time.Minute

// Latest is how long the try after made others may wait for its host, which answers nobody or has its share already; from then on it is
// made whatever the host does. Where a round has a fixed end, no wait may move it: the first try is counted as if it had been made when it
// was due, a later one waits for half the time before the next, and the last for nothing.
func (p Profile) Latest(made int, due time.Time) time.Time {
	switch {
	case !p.Steady:
		return due.Add(maxDefer)
	case made < len(p.Waits):
		return due.Add(p.Waits[made] / 2)
	}
	return due
}

// Try is a try that was made, with what the decision on a retry depends on.
type Try struct {
	Made         int        // tries made before it in this round
	FirstTry     *time.Time // start of the round's first try; nil when this is it
	FailingSince *time.Time // of the subscription
	Attempt      Attempt
	RetryAfter   time.Duration // asked for by the receiver; zero when it did not
	Jitter       float64       // between -1 and 1, drawn by the caller
}

// RetryDecision is what follows from a try.
type RetryDecision struct {
	Then    DeliveryState // Sent, Retrying (try again at NextTry) or Failed
	NextTry *time.Time    // set exactly when Then is Retrying; may have passed already
	Drop    string        // not empty: the address is dropped, for this reason
}

// Lost gives the try that began at a time and of which nothing is known but that, as it is written down later.
func Lost(delivery string, began, later time.Time) Attempt {
	return Attempt{DeliveryID: delivery, StartedAt: began, FinishedAt: later, Class: ErrorLost,
		Error: "the process that made the try was lost, or broke it off; whether it was heard is not known"}
}

// DecideRetry says what follows from a try. It is the one place that decides on retrying and giving up. A try that failed by us is one like any other, so that
// a round ends whatever becomes of us, but it takes no address with it.
func (p Profile) DecideRetry(t Try) RetryDecision {
	a := t.Attempt
	made := t.Made + 1
	switch {
	case a.Succeeded:
		return RetryDecision{Then: Sent}
	case a.Class == ErrorUnsendable: // trying again helps nobody
		return RetryDecision{Then: Failed}
	case p.Success == SuccessMail && a.Class == ErrorStatus && a.Status >= 500: // the mail or its recipient is refused for good (RFC 5321, section 4.2.1)
		return RetryDecision{Then: Failed}
	case p.Heeds && a.Status == http.StatusLoopDetected: // it leads back to where it came from, and would again
		return RetryDecision{Then: Failed}
	case p.Heeds && a.Status == http.StatusGone:
		return RetryDecision{Then: Failed, Drop: "the receiver answered 410 Gone"}
	case made < p.Tries():
		next := p.next(made, t)
		return RetryDecision{Then: Retrying, NextTry: &next}
	case a.Class.Ours() && made == 1: // the only one that the profile has: it is made again, once
		return RetryDecision{Then: Retrying, NextTry: &a.FinishedAt}
	case p.Drops && !a.Class.Ours():
		return RetryDecision{Then: Failed, Drop: fmt.Sprintf("failed %d times, the last time with: %s", made, a.Error)}
	case p.DropsAfter > 0 && !a.Class.Ours() && t.FailingSince != nil && a.FinishedAt.Sub(*t.FailingSince) >= p.DropsAfter:
		return RetryDecision{Then: Failed, Drop: fmt.Sprintf("every try since %s failed", t.FailingSince.UTC().Format(time.RFC3339))}
	}
	return RetryDecision{Then: Failed}
}

// next plans the try after the made-th.
func (p Profile) next(made int, t Try) time.Time {
	a, wait := t.Attempt, p.Waits[made-1]
	if p.Steady {
		first := a.StartedAt
		if t.FirstTry != nil {
			first = *t.FirstTry
		}
		due := first
		for _, w := range p.Waits[:made] {
			due = due.Add(w)
		}
		// After an outage of ours the plan lies behind us. Making up for it in one burst would give the receiver no time to recover. The limit
		// stays well below what Latest leaves between two tries: one that waited for its host, and then a moment for us, must not move the end.
		if due.Sub(a.StartedAt) < wait/4 {
			due = a.StartedAt.Add(wait)
		}
		return due
	}
	wait += time.Duration(float64(wait) * p.Jitter * t.Jitter)
	if p.Heeds && (a.Status == http.StatusTooManyRequests || a.Status == http.StatusServiceUnavailable) {
		wait = max(wait, min(t.RetryAfter, maxRetryAfter))
	}
	return a.FinishedAt.Add(wait)
}
