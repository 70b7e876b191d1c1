package outbox

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"signalbox/notice"
)

// words from which filters and events are made, so that they meet often; some are cut in the middle of a character by a prefix of another.
var words = []string{"", "a", "b", "ab", "a.b", "中", "中文", "中国", "a中", "é", "\uFFFD", "*", "a*"}

func TestSelectorsFindExactlyWhatFiltersChoose(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.SampledFrom(words)
		f := notice.Filter{Source: word.Draw(t, "source"), Topic: word.Draw(t, "topic"), Type: word.Draw(t, "type"), Status: word.Draw(t, "status"),
			Key: word.Draw(t, "key") + rapid.SampledFrom([]string{"", "*"}).Draw(t, "open")}
		p := notice.Published{Key: word.Draw(t, "event key") + word.Draw(t, "more")}
		for i, to := range []*string{&p.Source, &p.Topic, &p.Type, &p.Status} {
			own := []string{f.Source, f.Topic, f.Type, f.Status}[i]
			if *to = word.Draw(t, "event"); rapid.Bool().Draw(t, "alike") {
				*to = own
			}
		}
		form, selector := selectorOf(f)
		got, ok := selectorFor(p, form)
		require.Equal(t, f.Matches(p), ok && got == selector, "%+v %+v", f, p)
	})
}

func TestLanesOfTheStreamAreApartFromTickets(t *testing.T) {
	require.Equal(t, StreamLane("a", "k"), StreamLane("a", "k"))
	require.NotEqual(t, StreamLane("a", "k"), StreamLane("b", "k"))
	require.NotEqual(t, StreamLane("a", "bk"), StreamLane("ab", "k"))
	require.Equal(t, int64(-7950697502322065526), StreamLane("north", "a.gs.cert.1"), "stored rows rely on it")
	rapid.Check(t, func(t *rapid.T) {
		require.Negative(t, StreamLane(rapid.String().Draw(t, "tenant"), rapid.String().Draw(t, "key")))
	})
}
