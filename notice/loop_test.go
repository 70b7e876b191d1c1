package notice_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"signalbox/notice"
)

func TestHopsAreCounted(t *testing.T) {
	for _, c := range []struct {
		hops   int
		values []string
	}{
		{0, nil}, {0, []string{""}}, {0, []string{"cloudflare; loops=1", `AnotherCDN; abc=123; def="456", foo.example:8443`}},
		{1, []string{"signalbox-a"}}, {1, []string{"Signalbox-a ;hops=1"}}, {3, []string{"signalbox-a; hops=3"}}, {3, []string{`x, signalbox-a;trace="y";HOPS="3" , z`}},
		{2, []string{"signalbox-a", "signalbox-b"}}, {5, []string{"signalbox-a; hops=2", "signalbox-b; hops=5"}},
		{9, []string{"signalbox-a; hops=99999999999999999999999"}}, {9, []string{"signalbox-a; hops=-1"}}, {1, []string{"signalbox-a; hops=0"}},
	} {
		require.Equal(t, c.hops, notice.HopsOf(c.values), "%q", c.values)
	}
	rapid.Check(t, func(t *rapid.T) {
		hops := rapid.IntRange(0, 1_000).Draw(t, "hops")
		require.Equal(t, hops+1, notice.HopsOf([]string{rapid.SampledFrom([]string{"", "cloudflare; loops=3, "}).Draw(t, "before") + notice.LoopInfo("0b9", hops)}))
		notice.HopsOf([]string{rapid.String().Draw(t, "anything")})
	})
}
