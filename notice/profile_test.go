package notice_test

import (
	"net/http"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"signalbox/notice"
)

func TestWhatCountsAsSuccess(t *testing.T) {
	cases := []struct {
		profile string
		status  int
		answer  string
		class   notice.ErrorClass
	}{
		{notice.Minutely, 200, "", ""},
		{notice.Minutely, 200, "not json", ""},
		{notice.Minutely, 201, "", notice.ErrorStatus},
		{notice.Minutely, 204, "", notice.ErrorStatus},
		{notice.Minutely, 302, "", notice.ErrorStatus},
		{notice.Minutely, 500, "", notice.ErrorStatus},
		{notice.Once, 200, `{"code":0}`, ""},
		{notice.Once, 201, `{"result":true,"code": 0, "message":"ok"}`, ""},
		{notice.Once, 200, `{"code":"0"}`, notice.ErrorBadBody},
		{notice.Once, 200, `{"code":0.0}`, ""},
		{notice.Once, 200, `{"code":-0}`, ""},
		{notice.Once, 200, `{"code": 0E+7 }`, ""},
		{notice.Once, 200, "\ufeff{\"code\":0}", ""},
		{notice.Once, 200, "\ufeff\ufeff{\"code\":0}", notice.ErrorBadBody},
		{notice.Once, 200, `{"code":0.01}`, notice.ErrorBadBody},
		{notice.Once, 200, `{"code":1e-400}`, notice.ErrorBadBody},
		{notice.Once, 200, `{"code":10}`, notice.ErrorBadBody},
		{notice.Once, 200, `{"code":[0]}`, notice.ErrorBadBody},
		{notice.Once, 200, `{"code":false}`, notice.ErrorBadBody},
		{notice.Once, 200, `{"code":null}`, notice.ErrorBadBody},
		{notice.Once, 200, `{}`, notice.ErrorBadBody},
		{notice.Publish, 200, "\ufeff{\"code\":\"00\\u0030\"}", ""},
		{notice.Once, 200, `{"code":1}`, notice.ErrorBadBody},
		{notice.Once, 200, `{}`, notice.ErrorBadBody},
		{notice.Once, 200, ``, notice.ErrorBadBody},
		{notice.Once, 200, `[0]`, notice.ErrorBadBody},
		{notice.Once, 202, `{"code":0}`, notice.ErrorStatus},
		{notice.Publish, 200, `{"code":"000","msg":"成功"}`, ""},
		{notice.Publish, 200, `{"code":0}`, notice.ErrorBadBody},
		{notice.Publish, 200, `{"code":"500","Code":"000"}`, notice.ErrorBadBody},
		{notice.Publish, 200, `null`, notice.ErrorBadBody},
		{notice.Publish, 201, `{"code":"000"}`, notice.ErrorStatus},
		{notice.Standard, 200, "", ""},
		{notice.Standard, 204, "", ""},
		{notice.Standard, 299, "", ""},
		{notice.Standard, 301, "", notice.ErrorStatus},
		{notice.Standard, 199, "", notice.ErrorStatus},
	}
	for _, c := range cases {
		a := notice.BuiltIn().Of(c.profile).Grade(notice.Attempt{Status: c.status, Answer: []byte(c.answer)})
		require.Equal(t, c.class, a.Class, "%s %d %s", c.profile, c.status, c.answer)
		require.Equal(t, c.class == "", a.Succeeded)
		require.Equal(t, c.class == "", a.Error == "")
	}
}

func TestAnAnswerThatBrokeOffCountsOnlyWhereItsBodyDoesNot(t *testing.T) {
	broken := notice.Attempt{Status: 200, Class: notice.ErrorTimeout, Error: "no end of the answer", Answer: []byte(`{"code":0}`)}
	require.True(t, notice.BuiltIn().Of(notice.Minutely).Grade(broken).Succeeded)
	once := notice.BuiltIn().Of(notice.Once).Grade(broken)
	require.False(t, once.Succeeded)
	require.Equal(t, notice.ErrorTimeout, once.Class)

	unanswered := notice.Attempt{Class: notice.ErrorDNS, Error: "no such host"}
	require.Equal(t, unanswered, notice.BuiltIn().Of(notice.Minutely).Grade(unanswered))
}

// round makes the tries of one delivery, each lasting so long and begun so late after its plan, until nothing more is planned.
func round(p notice.Profile, lasting, late time.Duration, failing int) (starts []time.Time, last notice.RetryDecision) {
	start := epoch
	var first *time.Time
	for made := 0; ; made++ {
		starts = append(starts, start)
		a := notice.Attempt{StartedAt: start, FinishedAt: start.Add(lasting), Error: "x", Succeeded: made >= failing}
		decision := p.DecideRetry(notice.Try{Made: made, FirstTry: first, Attempt: a})
		if decision.NextTry == nil {
			return starts, decision
		}
		if first == nil {
			first = &starts[0]
		}
		start = decision.NextTry.Add(late)
	}
}

func TestMinutelyIsElevenTriesOverTenMinutesThenTheAddressIsDropped(t *testing.T) {
	minutely := notice.BuiltIn().Of(notice.Minutely)
	starts, last := round(minutely, 10*time.Second, 0, 99)
	require.Len(t, starts, 11)
	for i, start := range starts {
		require.Equal(t, time.Duration(i)*time.Minute, start.Sub(epoch))
	}
	require.Equal(t, notice.Failed, last.Then)
	require.Equal(t, "failed 11 times, the last time with: x", last.Drop)
}

func TestLatenessDoesNotAddUpAndAnOutageIsNotMadeUpForInABurst(t *testing.T) {
	minutely := notice.BuiltIn().Of(notice.Minutely)
	starts, _ := round(minutely, 10*time.Second, 2*time.Second, 99)
	require.Equal(t, 10*time.Minute+2*time.Second, starts[10].Sub(epoch))

	late := epoch.Add(2*time.Minute + 40*time.Second) // due at one minute, but nobody was there
	decision := minutely.DecideRetry(notice.Try{Made: 1, FirstTry: &epoch, Attempt: notice.Attempt{StartedAt: late, FinishedAt: late.Add(time.Second)}})
	require.Equal(t, late.Add(time.Minute), *decision.NextTry)
}

func TestOnceIsOneTryAndKeepsTheAddress(t *testing.T) {
	starts, last := round(notice.BuiltIn().Of(notice.Once), time.Second, 0, 99)
	require.Len(t, starts, 1)
	require.Equal(t, notice.RetryDecision{Then: notice.Failed}, last)
}

func TestStandardFollowsItsTable(t *testing.T) {
	starts, last := round(notice.BuiltIn().Of(notice.Standard), 0, 0, 99)
	want := []time.Duration{5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour,
		20 * time.Hour, 24 * time.Hour}
	require.Len(t, starts, len(want)+1)
	for i, wait := range want {
		require.Equal(t, wait, starts[i+1].Sub(starts[i]))
	}
	require.Equal(t, notice.RetryDecision{Then: notice.Failed}, last, "nothing is known of how long it has been failing")
}

// A try that was lost with its process counts, so that a round ends whatever becomes of us. It is no fault of the receiver's.
func TestATryThatWasLostIsATry(t *testing.T) {
	since := epoch.Add(-6 * 24 * time.Hour)
	for name, most := range map[string]int{notice.Minutely: 11, notice.Standard: 10, notice.Publish: 10, notice.Once: 2} {
		p := notice.BuiltIn().Of(name)
		for made := range most {
			decision := p.DecideRetry(notice.Try{Made: made, FirstTry: &epoch, FailingSince: &since, Attempt: notice.Lost("d", epoch, epoch.Add(time.Minute))})
			require.Empty(t, decision.Drop)
			if made == most-1 {
				require.Equal(t, notice.Failed, decision.Then)
				continue
			}
			require.Equal(t, notice.Retrying, decision.Then, "%s, try %d", name, made+1)
			require.NotNil(t, decision.NextTry)
		}
	}
	require.Equal(t, notice.Failed, notice.BuiltIn().Of(notice.Once).DecideRetry(notice.Try{Attempt: notice.Attempt{Class: notice.ErrorTimeout}}).Then)
}

func TestStandardHeedsTheReceiver(t *testing.T) {
	standard := notice.BuiltIn().Of(notice.Standard)
	answer := func(status int, retryAfter time.Duration) notice.RetryDecision {
		return standard.DecideRetry(notice.Try{Attempt: notice.Attempt{StartedAt: epoch, FinishedAt: epoch, Status: status}, RetryAfter: retryAfter})
	}
	require.Equal(t, epoch.Add(time.Hour), *answer(429, time.Hour).NextTry)
	require.Equal(t, epoch.Add(time.Hour), *answer(503, time.Hour).NextTry)
	require.Equal(t, epoch.Add(5*time.Second), *answer(429, time.Second).NextTry, "never sooner than planned")
	require.Equal(t, epoch.Add(24*time.Hour), *answer(503, 1000*time.Hour).NextTry)
	require.Equal(t, epoch.Add(5*time.Second), *answer(500, time.Hour).NextTry)
	require.Equal(t, notice.Failed, answer(410, 0).Then)
	require.NotEmpty(t, answer(410, 0).Drop)
	require.Equal(t, notice.RetryDecision{Then: notice.Failed}, answer(508, 0), "what leads back to where it came from does so again")

	gone := notice.Attempt{StartedAt: epoch, FinishedAt: epoch, Status: 410}
	require.Equal(t, notice.Retrying, notice.BuiltIn().Of(notice.Minutely).DecideRetry(notice.Try{Attempt: gone}).Then, "seed 000 knows no such answer")
}

func TestStandardDropsAnAddressThatFailedForFiveDays(t *testing.T) {
	standard := notice.BuiltIn().Of(notice.Standard)
	last := func(failing time.Duration) notice.RetryDecision {
		since := epoch.Add(-failing)
		return standard.DecideRetry(notice.Try{Made: 9, FirstTry: &epoch, FailingSince: &since, Attempt: notice.Attempt{FinishedAt: epoch}})
	}
	require.Empty(t, last(5*24*time.Hour-time.Second).Drop)
	require.NotEmpty(t, last(5*24*time.Hour).Drop)
	since := epoch.Add(-6 * 24 * time.Hour)
	require.Equal(t, notice.Retrying, standard.DecideRetry(notice.Try{Made: 3, FailingSince: &since, Attempt: notice.Attempt{FinishedAt: epoch}}).Then)
}

func TestUnknownProfilesAreTreatedAsStandard(t *testing.T) {
	require.Equal(t, notice.Standard, notice.BuiltIn().Of("of a newer build").Name)
}

// Whatever the profile and however slow the receiver: tries are never more than promised, never out of order, a success ends the round, and
// jitter stays within its share.
func TestEveryRoundEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := notice.BuiltIn().Of(rapid.SampledFrom([]string{notice.Minutely, notice.Once, notice.Standard, notice.Publish}).Draw(t, "profile"))
		if rapid.Bool().Draw(t, "shortened") {
			p = p.Every(time.Duration(rapid.IntRange(1, 5000).Draw(t, "ms")) * time.Millisecond)
		}
		failing := rapid.IntRange(0, 12).Draw(t, "failing")
		lasting := time.Duration(rapid.IntRange(0, 10_000).Draw(t, "lasting")) * time.Millisecond
		starts, last := round(p, lasting, 0, failing)
		require.Equal(t, min(failing+1, p.Tries()), len(starts))
		require.Equal(t, failing < p.Tries(), last.Then == notice.Sent)
		require.Equal(t, p.Drops && last.Then != notice.Sent, last.Drop != "")
		for i := 1; i < len(starts); i++ {
			require.True(t, starts[i].After(starts[i-1]))
		}
		jitter := rapid.Float64Range(-1, 1).Draw(t, "jitter")
		made := rapid.IntRange(0, p.Tries()-1).Draw(t, "made")
		decision := p.DecideRetry(notice.Try{Made: made, FirstTry: &epoch, Jitter: jitter, Attempt: notice.Attempt{StartedAt: epoch, FinishedAt: epoch}})
		if decision.NextTry != nil && !p.Steady {
			wait := p.Waits[made]
			require.InDelta(t, float64(wait), float64(decision.NextTry.Sub(epoch)), 0.1*float64(wait)+1)
		}
	})
}

func TestSignaturesAreVerifiedByTheStandardLibraryOfReceivers(t *testing.T) {
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	body := []byte(`{"id":"IM1","type":"relations","details":{}}`)
	headers, err := notice.Sign(secret, "d-1", time.Now(), body)
	require.NoError(t, err)
	sent := http.Header{}
	for name, value := range headers {
		sent.Set(name, value)
	}
	receiver, err := standardwebhooks.NewWebhook(secret)
	require.NoError(t, err)
	require.NoError(t, receiver.Verify(body, sent))
	require.Error(t, receiver.Verify(append(body, ' '), sent))
	sent.Set("webhook-id", "d-2")
	require.Error(t, receiver.Verify(body, sent))

	headers, err = notice.Sign("", "d-1", epoch, body)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"webhook-id": "d-1", "webhook-timestamp": "1767323045"}, headers)

	_, err = notice.Sign("whsec_not base64!", "d-1", epoch, body)
	require.Error(t, err)
	require.NotContains(t, err.Error(), "not base64!")
}
