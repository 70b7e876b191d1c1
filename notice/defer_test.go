package notice_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/notice"
)

func TestWaitingForAHostNeverMovesTheEndOfTenMinutes(t *testing.T) {
	minutely, due := notice.BuiltIn().Of(notice.Minutely), time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for made := range 10 {
		require.Equal(t, due.Add(30*time.Second), minutely.Latest(made, due), "and so before the next is due")
	}
	require.Equal(t, due, minutely.Latest(10, due), "the last try is the tenth minute's")
	for _, name := range []string{notice.Once, notice.Standard, notice.Publish} {
		require.Equal(t, due.Add(time.Minute), notice.BuiltIn().Of(name).Latest(0, due), name)
	}
}

func TestIntervalsCanBeShortened(t *testing.T) {
	ps := notice.BuiltIn()
	require.NoError(t, ps.Override(map[string]time.Duration{notice.Minutely: time.Second, notice.Standard: time.Millisecond}))
	require.Equal(t, 11, ps[notice.Minutely].Tries())
	require.Equal(t, time.Second, ps[notice.Minutely].Waits[9])
	require.Equal(t, 10, ps[notice.Standard].Tries())
	require.Equal(t, time.Minute, notice.BuiltIn()[notice.Minutely].Waits[0], "the contract's own stay")
	require.ErrorContains(t, ps.Override(map[string]time.Duration{"hourly": time.Second}), `no profile "hourly"; there are letters, minutely, once, publish, standard`)
	require.ErrorContains(t, ps.Override(map[string]time.Duration{notice.Once: time.Second}), "one try")
	require.ErrorContains(t, ps.Override(map[string]time.Duration{notice.Minutely: 0}), "more than nothing")
}
