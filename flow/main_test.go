package flow

import (
	"testing"

	"signalbox/internal/testmain"
)

func TestMain(m *testing.M) { testmain.Computing(m) }
