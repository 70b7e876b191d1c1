package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/cmd/dev/e2e/harness"
)

// TestTheLargestTicketsAreHandled: as many people as one node may ask, asked by a field or by the fast approval, can vote, be replaced by an admin, and
// withdraw; and an expression that would compare them with each other is decided like any other.
func TestTheLargestTicketsAreHandled(t *testing.T) {
	t.Parallel()
	d := sharedDev(t)
	c := d.caller()
	const many = 2_000
	people := make([]string, many)
	for i := range people {
		people[i] = fmt.Sprintf("p%04d", i)
	}
	c.publish(t, `
key: crowd
name: Crowd
fields: [{key: ps, type: MEMBERS}, {key: qs, type: MEMBERS}]
nodes:
  - {id: same, name: Same, type: branch, cases: [{when: 'all(fields.ps, {# in fields.qs})', next: vote}], default: over}
  - {id: vote, name: Vote, type: approval, rule: percent, percent: 100, processors: {fields: [ps]}, next: over}
  - {id: over, name: Over, type: end}
`)
	list := strings.Join(people, ",")
	number := c.openService(t, "crowd", map[string]any{"ps": list, "qs": list})
	require.Len(t, c.issue(t, number).CurrentNodes[0].Pending, many)
	c.act(t, number, people[0], "approve", "vote", nil)
	c.act(t, number, "root", "reassign", "vote", map[string]any{"targets": []string{"boss"}, "comment": "all of you are away"})
	require.Equal(t, []string{"boss"}, c.issue(t, number).CurrentNodes[0].Pending)
	c.act(t, number, "boss", "approve", "vote", nil)
	require.Equal(t, "CLOSED", c.issue(t, number).Status)

	a, err := c.send(t.Context(), "POST", "/api/issue", "", map[string]any{"origin": "e2e", "title": "x", "service": "crowd", "fields": map[string]any{"ps": list + ",more", "qs": list}})
	require.NoError(t, err)
	require.Equal(t, 400, a.status, a)
	require.Contains(t, a.body, "at most 2000 items, not 2001")

	const quadratic = "{key: pairs, name: Pairs, fields: [{key: t, type: TEXT}, {key: ps, type: MEMBERS}], nodes: [{id: b, name: B, type: branch, cases: " +
		`[{when: 'all(fields.ps, {# in [fields.t + "a", fields.t + "b", fields.t + "c"]})', next: over}], default: over}, {id: over, name: Over, type: end}]}`
	a, err = c.send(t.Context(), "POST", "/api/service", "", []byte(quadratic))
	require.NoError(t, err)
	require.Equal(t, 400, a.status, a)
	require.Contains(t, a.body, "steps")

	var created struct{ SN string }
	call := itsm{c, t}
	call.done("create_ticket", map[string]any{"creator": "wang", "fast_approval": true,
		"fields": []map[string]any{{"key": "title", "value": "x"}, {"key": "APPROVER", "value": list}, {"key": "APPROVAL_CONTENT", "value": "x"}}}, &created)
	var nothing []any
	call.done("operate_ticket", map[string]any{"sn": created.SN, "operator": "wang", "action_type": "WITHDRAW", "action_message": "x"}, &nothing)
}

// TestADeadlineThatArrivesByMigrationCountsWorkingTime suspends a ticket for longer than a deadline that it has not got yet. When it is moved to the
// version that has it, that deadline has only begun.
func TestADeadlineThatArrivesByMigrationCountsWorkingTime(t *testing.T) {
	t.Parallel()
	d := sharedDev(t)
	c := d.caller()
	const patient = `
key: patient
name: Patient
nodes:
  - {id: v, name: Vote, type: approval, processors: {persons: [ann]}, next: over}
  - {id: over, name: Over, type: end}
`
	c.publish(t, patient)
	number := c.openService(t, "patient", nil)
	c.act(t, number, "root", "suspend", "", nil)
	c.publish(t, "{key: clock22, name: Clock, nodes: [{id: w, name: W, type: wait, for: 22s, next: over}, {id: over, name: Over, type: end}]}")
	clock := c.openService(t, "clock22", nil)
	harness.Until(t, "longer than the deadline has passed", time.Minute, func() error {
		if c.issue(t, clock).Status != "CLOSED" {
			return fmt.Errorf("the clock runs")
		}
		return nil
	})
	c.act(t, number, "root", "unsuspend", "", nil)
	c.publish(t, strings.Replace(patient, "persons: [ann]}", "persons: [ann]}, deadline: [{after: 20s, do: reject}]", 1))
	move := map[string]any{"version": 2, "operator": "root", "dry_run": true}
	dry := result[struct {
		Overdue []any
		Phase   string
	}](t, c.must(t, "POST", "/api/issue/"+number+"/migrate", move))
	require.Empty(t, dry.Overdue)
	move["dry_run"] = false
	c.must(t, "POST", "/api/issue/"+number+"/migrate", move)
	require.Equal(t, []string{"ann"}, c.issue(t, number).CurrentNodes[0].Pending)
	c.act(t, number, "ann", "approve", "v", nil)
	require.NotContains(t, c.happened(t, number), "expired v 1")
}
