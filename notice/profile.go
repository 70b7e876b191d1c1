package notice

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Names of the built-in profiles.
const (
	Minutely = "minutely" // seed 000: every minute, for ten minutes after the first try
	Once     = "once"     // seed 002: one try
	Standard = "standard" // the schedule of the Standard Webhooks specification
	Publish  = "publish"  // the same schedule, for receivers that speak seed 003
	Letters  = "letters"  // the same schedule, for what people are told
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
	// Heeds what receivers say in the words of HTTP: Retry-After with 429 and 503 puts the next try off, 410 drops the address, 508 gives the delivery up.
	Heeds bool
}

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
	// A mail server or network that is away for a week takes nobody's address with it.
	letters := standard
	letters.Name, letters.Waits, letters.DropsAfter = Letters, slices.Clone(standard.Waits), 0
	return Profiles{
		Letters:  letters,
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
	case s.Format == FormatMail:
		p.Success = SuccessMail
	case s.Format == FormatWeCom, s.Format == FormatDingTalk:
		p.Success = SuccessErrCode
	case s.Format == FormatFeishu:
		p.Success = SuccessFeishu
	case s.Format == FormatITSM:
		p.Success = SuccessITSM
	case s.Format == FormatPublish:
		p.Success = SuccessPublish
	case s.Format == FormatEvent && (p.Success == SuccessITSM || p.Success == SuccessPublish):
		p.Success = SuccessAny2xx // those rules are about answers in words that its receivers never promised
	}
	return p
}

// Override replaces all waits of profiles by others, by name: what operators and tests shorten. A profile that is not there, one that has
// no waits and a wait that is not positive are errors.
func (ps Profiles) Override(intervals map[string]time.Duration) error {
	for _, name := range slices.Sorted(maps.Keys(intervals)) {
		p, known := ps[name]
		switch {
		case !known:
			return fmt.Errorf("there is no profile %q; there are %s", name, strings.Join(slices.Sorted(maps.Keys(ps)), ", "))
		case len(p.Waits) == 0:
			return fmt.Errorf("the profile %s makes one try and waits for nothing", name)
		case intervals[name] <= 0:
			return fmt.Errorf("the interval of %s must be more than nothing", name)
		}
		ps[name] = p.Every(intervals[name])
	}
	return nil
}
