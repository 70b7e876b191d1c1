package e2e

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/api"
	"signalbox/api/exception"
	"signalbox/api/incident"
	"signalbox/api/issue"
	itsmapi "signalbox/api/itsm"
	"signalbox/api/publish"
	"signalbox/ticket"
)

// families are all of ticket's list, as far as their paths go.
func families(t *testing.T) map[ticket.Channel][]api.Family {
	t.Helper()
	all := map[ticket.Channel][]api.Family{
		ticket.ChannelIssue: {(&issue.Handler{}).Family()}, ticket.ChannelIncident: {(&incident.Handler{}).Family()},
		ticket.ChannelException: {(&exception.Handler{}).Family()}, ticket.ChannelPublish: {(&publish.Handler{}).Family()},
		ticket.ChannelITSM: (&itsmapi.Handler{}).Families(),
	}
	for _, c := range ticket.Families() {
		require.Contains(t, all, c, "the %s family is not among those that are tried end to end", c)
	}
	return all
}

// TestEveryFamilyIsTriedEndToEnd: requests of every family are among those that are sent many times at once. What a stranger is told, which
// TestAnotherTenantsTicketDoesNotExist shows on the whole system for the families in which a path names a ticket, is shown of all calls by
// TestNoTenantReachesAnother in cmd/internal/setup.
func TestEveryFamilyIsTriedEndToEnd(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("identical_calls_test.go")
	require.NoError(t, err)
	paths := regexp.MustCompile(`"(/[^"]*)"`).FindAllStringSubmatch(string(source), -1)
	for channel, parts := range families(t) {
		var prefixes []string
		for _, f := range parts {
			prefixes = append(prefixes, f.Prefixes...)
		}
		require.True(t, slices.ContainsFunc(paths, func(path []string) bool {
			return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(path[1], prefix) })
		}), "no call of the %s family is among those of identical_calls_test.go", channel)
	}
}
