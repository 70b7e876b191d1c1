package api_test

import (
	"net/netip"
	"testing"

	"github.com/kelseyhightower/envconfig"
	"github.com/stretchr/testify/require"

	"signalbox/api"
)

func TestSettingsHaveTheDefaultsOfTheCode(t *testing.T) {
	var c api.Config
	require.NoError(t, envconfig.Process("SIGNALBOX_NOBODY_SETS_THESE", &c))
	require.Equal(t, api.Config{}.Defaults(), c)

	t.Setenv("SIGNALBOX_TEST_CALLBACK_ALLOW", "127.0.0.0/8,::1/128")
	t.Setenv("SIGNALBOX_TEST_INCIDENT_TYPES", "a,b")
	require.NoError(t, envconfig.Process("SIGNALBOX_TEST", &c))
	require.Equal(t, []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}, c.CallbackAllow)
	require.Equal(t, []string{"a", "b"}, c.Defaults().IncidentTypes)
}
