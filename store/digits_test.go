package store_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/notice"
	"signalbox/ticket"
)

// Numbers come to whoever is told of a ticket with the digits they were written with: those of a form and of a definition in the request of a node, after the
// database has kept them, and those that are part of a text in every format of a subscription. No format has a number of its own.
func TestNumbersReachReceiversDigitByDigit(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		long := strings.Repeat("123456789", 8)
		def, err := b.PublishService(t.Context(), "a", "demo", parsed(t, `
key: exact
name: Exact
fields: [{key: i, type: INT}, {key: s, type: STRING}]
nodes:
- {id: c, name: C, type: call, call: {url: 'https://h/x?i=${fields.i}', body: {i: '${fields.i}', s: '${fields.s}', long: `+long+`, part: 1.500, deep: [{n: 9223372036854775808}]}}, next: done}
- {id: done, name: Done, type: end}`))
		require.NoError(t, err)
		def, err = b.ServiceVersion(t.Context(), "a", "exact", def.Version)
		require.NoError(t, err)
		d := draft(long)
		d.Service, d.Opener, d.Definition, d.Form = "exact", "li", &def, map[string]any{"i": json.Number("9223372036854775807"), "s": long + ".500"}
		s := b.opened("a", d)
		calls := b.read(s).Calls(b.clock.Now())
		require.Len(t, calls, 1)
		require.Equal(t, "https://h/x?i=9223372036854775807", calls[0].URL)
		require.Equal(t, `{"deep":[{"n":9223372036854775808}],"i":9223372036854775807,"long":`+long+`,"part":1.500,"s":"`+long+`.500"}`, calls[0].Body)

		sent := seed()
		sent.Key, sent.Changes, sent.Status = long, []string{long, "1.500"}, "9223372036854775808"
		event, publish := b.follow(notice.Filter{Source: sent.Source}), b.followAs("a", notice.FormatPublish, notice.Filter{Source: sent.Source})
		b.publish(sent)
		for _, sub := range []notice.Subscription{event, publish} {
			bodies := b.bodies(sub)
			require.Len(t, bodies, 1)
			require.Contains(t, bodies[0], `"event_status":"9223372036854775808","event_key":"`+long+`","changes":["`+long+`","1.500"]`)
		}
		b.emptied()
		asking := b.opened("a", asked(long, "wang", long))
		b.vote(asking, ticket.Approve, long)
		works := b.pending()
		require.Len(t, works, 1)
		require.Contains(t, string(works[0].Delivery.Body), `{"title":"`+long+`"`)
		require.Contains(t, string(works[0].Delivery.Body), `"last_approver":"`+long+`"`)
	})
}
