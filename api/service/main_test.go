package service_test

import (
	"testing"

	"signalbox/internal/testmain"
)

func TestMain(m *testing.M) { testmain.Computing(m) }
