package flow

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func builtin(t *testing.T, key string) *player {
	pl := play(t, `- {id: done, name: Done, type: end}`)
	pl.p = Builtin()[key]
	return pl
}

func TestTheIncidentGoesAcceptSolveConfirm(t *testing.T) {
	pl := builtin(t, ServiceIncident)
	pl.lines(`start => accept[anyone]`)
	require.Equal(t, Triggered, pl.status)
	pl.lines(`
		commit-solution by bob => refused conflict not possible
		accept by alice        => solve[anyone alice]`)
	require.Equal(t, Acknowledged, pl.status)
	require.Equal(t, "alice", pl.env.Assignee)
	pl.lines(`
		accept by bob   => refused conflict already done by alice
		commit-solution => confirm[anyone olga]`)
	require.Equal(t, Resolved, pl.status)
	pl.lines(`confirm no by olga say worse => solve[anyone alice]`)
	require.Equal(t, Acknowledged, pl.status)
	pl.lines(`
		commit-solution by alice => confirm[anyone olga]
		confirm by olga          => completed approved`)
	require.Equal(t, Completed, pl.status)
	pl.lines(`confirm by olga => refused conflict already done by olga`)
	// Reopened, it begins anew, and the assignee is still asked.
	pl.lines(`start => accept[anyone alice]`)
	require.Equal(t, Triggered, pl.status)
	pl.lines(`
		suspend  => accept[anyone alice]
		accept   => refused conflict suspended
		suspend  => refused conflict already
		stop     =>
		start    => accept[anyone alice]`)
}

func TestAnyOneApproverDecidesAFastApproval(t *testing.T) {
	pl := builtin(t, ServiceFastApproval)
	pl.env.Fields["APPROVER"] = "alice(Alice Lee), bob"
	pl.lines(`
		start            => approval[alice bob]
		approve by carol => refused forbidden asks alice, bob
		approve by root admin => refused forbidden asks
		reject by bob    => completed refused
		approve by alice => refused conflict already rejected by bob`)
}

func TestBuiltinNumbersAreTheirOwn(t *testing.T) {
	seen := map[int64]string{}
	for key, p := range Builtin() {
		require.Equal(t, key, p.def.Key)
		for _, n := range p.def.Nodes {
			require.Empty(t, seen[n.Number], "the number %d is there twice", n.Number)
			require.Positive(t, n.Number)
			require.Less(t, n.Number, int64(FirstNumber))
			seen[n.Number] = key + "." + n.ID
		}
	}
}
