package setup

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/notice"
)

func workerSettings(t *testing.T, settings ...string) (WorkerSettings, error) {
	t.Helper()
	t.Setenv("SIGNALBOX_DATABASE_URL", "sqlite:x")
	t.Setenv("SIGNALBOX_MASTER_KEY", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
	for i := 0; i < len(settings); i += 2 {
		t.Setenv(settings[i], settings[i+1])
	}
	var s Worker
	_, err := Load("worker", nil, &s, &bytes.Buffer{})
	return s.WorkerSettings, err
}

func TestOperatorsShortenIntervals(t *testing.T) {
	s, err := workerSettings(t)
	require.NoError(t, err)
	profiles, err := s.profiles()
	require.NoError(t, err)
	require.Equal(t, notice.BuiltIn(), profiles, "the contracts' own unless somebody says otherwise")

	s, err = workerSettings(t, "SIGNALBOX_PROFILE_INTERVALS", "minutely:1s,publish:20ms")
	require.NoError(t, err)
	profiles, err = s.profiles()
	require.NoError(t, err)
	require.Equal(t, time.Second, profiles[notice.Minutely].Waits[0])
	require.Equal(t, 20*time.Millisecond, profiles[notice.Publish].Waits[8])
	require.Equal(t, 5*time.Second, profiles[notice.Standard].Waits[0])
}

func TestSettingsOfWorkersThatCannotBe(t *testing.T) {
	for name, value := range map[string]string{
		"SIGNALBOX_KEEP_OPERATIONS": "23h", "SIGNALBOX_KEEP_DELIVERIES": "0s", "SIGNALBOX_DELIVERY_PER_HOST": "0", "SIGNALBOX_DELIVERY_CONCURRENCY": "-1",
		"SIGNALBOX_PRUNE_EVERY": "-1s", "SIGNALBOX_COMPARE_EVERY": "0s", "SIGNALBOX_ATTEND_EVERY": "0s", "SIGNALBOX_PROFILE_INTERVALS": "hourly:1s",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := workerSettings(t, name, value)
			require.ErrorContains(t, err, name)
		})
	}
}
