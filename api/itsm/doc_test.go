package itsm_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/api/apitest"
	"signalbox/api/itsm"
)

func TestEveryCallIsInTheDocumentAndTheOtherWayRound(t *testing.T) {
	handler := itsm.Handler{}
	require.Equal(t, apitest.Mounted(handler.Families()...), apitest.LoadContract(t, "itsm").Routes())
}
