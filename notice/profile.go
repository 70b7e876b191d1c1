package notice

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Names of the built-in profiles.
const (
	Minutely = "minutely" // seed 000: every minute, for ten minutes after the first try
	Once     = "once"     // seed 002: one try
	Standard = "standard" // the schedule of the Standard Webhooks specification
	Publish  = "publish"  // the same schedule, for receivers that speak seed 003
)

// Success is the rule by which an answer counts as success.
type Success string

const (
	SuccessOK      Success = "200"     // HTTP 200 exactly (seed 000)
	SuccessAny2xx  Success = "2xx"     // Standard Webhooks
	SuccessITSM    Success = "itsm"    // HTTP 200 or 201, and JSON with the number 0 as code (seed 002)
	SuccessPublish Success = "publish" // HTTP 200, and JSON with the string "000" as code (seed 003)
)

// Profile says how often a delivery is tried, what counts as success and what giving up means. It is data: tests and settings may use other
// waits, and a workflow can remember it.
type Profile struct {
	Name  string
	Waits []time.Duration // before the second, third… try; there is one try more than there are waits
	// Steady counts all waits from the start of the first try, so that a slow receiver does not stretch a round. Otherwise each wait
	// counts from the end of the try before it.
	Steady  bool
	Jitter  float64 // share of a wait by which it may be shorter or longer, against many deliveries being tried at the same moments
	Success Success
	Drops   bool // the address is dropped as soon as one delivery was tried in vain
	// DropsAfter drops the address when a delivery was tried in vain and every try at the address failed for this long; zero: never.
	DropsAfter time.Duration
	// Heeds what receivers say in the words of HTTP: Retry-After with 429 and 503 puts the next try off, 410 drops the address.
	Heeds bool
}

// maxRetryAfter bounds how long a receiver can put the next try off.
const maxRetryAfter = 24 * time.Hour

// Tries is how many tries a delivery gets in a round.
func (p Profile) Tries() int { return len(p.Waits) + 1 }

// Every gives the profile with the same number of tries, all waits replaced by one.
func (p Profile) Every(wait time.Duration) Profile {
	p.Waits = slices.Repeat([]time.Duration{wait}, len(p.Waits))
	return p
}

// Profiles are the profiles in force, by name.
type Profiles map[string]Profile

// BuiltIn gives the profiles as the contracts have them. The caller may change the copy it gets.
func BuiltIn() Profiles {
	standard := Profile{
		Name: Standard,
		Waits: []time.Duration{5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour,
			20 * time.Hour, 24 * time.Hour},
		Jitter: 0.1, Success: SuccessAny2xx, DropsAfter: 5 * 24 * time.Hour, Heeds: true,
	}
	publish := standard
	publish.Name, publish.Waits, publish.Success, publish.DropsAfter = Publish, slices.Clone(standard.Waits), SuccessPublish, 0
	return Profiles{
		Minutely: {Name: Minutely, Waits: slices.Repeat([]time.Duration{time.Minute}, 10), Steady: true, Success: SuccessOK, Drops: true},
		Once:     {Name: Once, Success: SuccessITSM},
		Standard: standard,
		Publish:  publish,
	}
}

// Of gives the profile of that name. A name of another build gets the standard one, which never drops an address rashly.
func (ps Profiles) Of(name string) Profile {
	if p, ok := ps[name]; ok {
		return p
	}
	return ps[Standard]
}

// For gives the profile of a subscription. What counts as success is up to what is delivered, where its contract says so, however often it
// is tried.
func (ps Profiles) For(s Subscription) Profile {
	p := ps.Of(s.Profile)
	switch {
	case s.Format == FormatITSM:
		p.Success = SuccessITSM
	case s.Format == FormatPublish:
		p.Success = SuccessPublish
	case s.Format == FormatEvent && (p.Success == SuccessITSM || p.Success == SuccessPublish):
		p.Success = SuccessAny2xx // those rules are about answers in words that its receivers never promised
	}
	return p
}

// Try is a try that was made, with what its judgement depends on.
type Try struct {
	Made         int        // tries made before it in this round
	FirstTry     *time.Time // start of the round's first try; nil when this is it
	FailingSince *time.Time // of the subscription
	Attempt      Attempt
	RetryAfter   time.Duration // asked for by the receiver; zero when it did not
	Jitter       float64       // between -1 and 1, drawn by the caller
}

// Ruling is what follows from a try.
type Ruling struct {
	Then    DeliveryState // Sent, Retrying (try again at NextTry) or Failed
	NextTry *time.Time    // set exactly when Then is Retrying; may have passed already
	Drop    string        // not empty: the address is dropped, for this reason
}

// Judge says what follows from a try. It is the one place that decides on retrying and giving up.
func (p Profile) Judge(t Try) Ruling {
	a := t.Attempt
	made := t.Made + 1
	switch {
	case a.Succeeded:
		return Ruling{Then: Sent}
	case a.Class == ErrorUnsendable: // trying again helps nobody
		return Ruling{Then: Failed}
	case p.Heeds && a.Status == http.StatusGone:
		return Ruling{Then: Failed, Drop: "the receiver answered 410 Gone"}
	case made < p.Tries():
		next := p.next(made, t)
		return Ruling{Then: Retrying, NextTry: &next}
	case p.Drops:
		return Ruling{Then: Failed, Drop: fmt.Sprintf("failed %d times, the last time with: %s", made, a.Error)}
	case p.DropsAfter > 0 && t.FailingSince != nil && a.FinishedAt.Sub(*t.FailingSince) >= p.DropsAfter:
		return Ruling{Then: Failed, Drop: fmt.Sprintf("every try since %s failed", t.FailingSince.UTC().Format(time.RFC3339))}
	}
	return Ruling{Then: Failed}
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

// Grade completes an attempt that got an answer by the profile's rule: Succeeded, or Class and Error. An attempt that failed before there was
// an answer stays as it is.
func (p Profile) Grade(a Attempt) Attempt {
	if a.Status == 0 {
		return a
	}
	a.Succeeded = false
	if !p.Success.counts(a.Status) {
		a.Class, a.Error = ErrorStatus, fmt.Sprintf("the receiver answered %d %s", a.Status, http.StatusText(a.Status))
		return a
	}
	want, judged := p.Success.code()
	if !judged {
		a.Succeeded, a.Class, a.Error = true, ErrorNone, ""
		return a
	}
	var answer map[string]json.RawMessage // a struct would take "Code" for it as well
	switch err := json.Unmarshal(a.Answer, &answer); {
	case a.Class != ErrorNone: // the answer broke off, and what it said is not known
	case err != nil:
		a.Class, a.Error = ErrorBadBody, fmt.Sprintf("the receiver's answer is not a JSON object of at most %d bytes", MaxAnswer)
	case string(answer["code"]) != want:
		a.Class, a.Error = ErrorBadBody, fmt.Sprintf("the receiver's answer does not have %s as its code", want)
	default:
		a.Succeeded, a.Error = true, ""
	}
	return a
}

// counts reports whether the rule takes this HTTP status for success.
func (s Success) counts(status int) bool {
	switch s {
	case SuccessITSM:
		return status == http.StatusOK || status == http.StatusCreated
	case SuccessAny2xx:
		return status >= 200 && status <= 299
	}
	return status == http.StatusOK
}

// code is the JSON text that the answer's member "code" must have, where the rule looks at it at all.
func (s Success) code() (text string, judged bool) {
	switch s {
	case SuccessITSM:
		return "0", true
	case SuccessPublish:
		return `"000"`, true
	}
	return "", false
}
