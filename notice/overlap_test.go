package notice_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"signalbox/notice"
)

// Whatever two filters both choose, they are said to overlap; and where they are, there is such an event.
func TestFiltersOverlapWhereAnEventIsForBoth(t *testing.T) {
	word := rapid.SampledFrom([]string{"", "a", "b"})
	key := rapid.SampledFrom([]string{"", "*", "k", "k*", "k.1", "k.1*", "k.2", "x*"})
	filter := rapid.Custom(func(t *rapid.T) notice.Filter {
		return notice.Filter{Source: word.Draw(t, "source"), Topic: word.Draw(t, "topic"), Type: word.Draw(t, "type"), Status: word.Draw(t, "status"), Key: key.Draw(t, "key")}
	})
	rapid.Check(t, func(t *rapid.T) {
		f, g := filter.Draw(t, "one"), filter.Draw(t, "other")
		found := false
		of := func(a, b string) string { return max(a, b) } // the one that is set
		for _, k := range []string{"k", "k.1", "k.1.1", "k.2", "x", "y"} {
			p := notice.Published{Source: of(f.Source, g.Source), Topic: of(f.Topic, g.Topic), Type: of(f.Type, g.Type), Status: of(f.Status, g.Status), Key: k}
			found = found || f.Matches(p) && g.Matches(p)
		}
		require.Equal(t, found, f.Overlaps(g), "%+v %+v", f, g)
		require.Equal(t, f.Overlaps(g), g.Overlaps(f))
	})
}
