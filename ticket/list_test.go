package ticket_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/ticket"
)

// What has to be looked at one by one is counted less far than what an index counts.
func TestHowFarPagesCount(t *testing.T) {
	t.Parallel()
	for _, f := range []ticket.Filter{{Stuck: ticket.Causes}, {Sort: ticket.SortStuck}, {RelationItem: "N7"}} {
		require.Equal(t, ticket.MaxLookedAt, f.Most(), "%+v", f)
	}
	for _, f := range []ticket.Filter{{}, {RelationType: "order", RelationItem: "N7"}, {Sort: ticket.SortDue}} {
		require.Equal(t, ticket.MaxTotal, f.Most(), "%+v", f)
	}
}
