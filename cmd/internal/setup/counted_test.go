package setup

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signalbox/api"
	"signalbox/desk"
	"signalbox/desk/desktest"
	"signalbox/store/storetest"
)

// TestWhatARequestAsksOfTheDatabase: how often a request makes PostgreSQL be waited for, with how many statements, and how many transactions it writes. Whoever adds to
// these makes every request slower; whoever takes away says so here.
func TestWhatARequestAsksOfTheDatabase(t *testing.T) {
	t.Parallel()
	dsn, work := storetest.Counted(t, storetest.Postgres(t))
	p := productOn(t, api.Config{AppRate: -1}, dsn, &desktest.Engine{})
	secret, err := p.container.Store.CreateApp(t.Context(), desk.App{Code: "demo", Tenant: "a", Scopes: []desk.Scope{desk.Read, desk.Write}})
	require.NoError(t, err)
	open := func() string {
		return p.must(p.call("POST", "/api/issue", secret, object{"title": "Gate blocked", "origin": "customs", "opener": "li",
			"relations": []any{object{"type": "order", "content": []string{"1"}}}})).word("result")
	}
	var numbers []string
	for range 20 {
		numbers = append(numbers, open())
	}
	require.NoError(t, p.container.Store.Post(t.Context()))
	n := 0
	next := func() string { n++; return numbers[n%len(numbers)] }
	type count struct{ trips, statements, commits int64 }
	for _, c := range []struct {
		what string
		do   func()
		want count
	}{
		{"open", func() { open() }, count{3, 13, 2}},
		{"read", func() { p.must(p.call("GET", "/api/issue/"+next(), secret, nil)) }, count{1, 1, 0}},
		{"a page of the list", func() { p.must(p.call("GET", "/api/issue", secret, nil)) }, count{2, 1, 0}},
		{"a page of what has words", func() { p.must(p.call("GET", "/api/issue?q=gate+blo", secret, nil)) }, count{4, 4, 0}},
		{"act", func() {
			p.must(p.call("POST", "/api/issue/"+next()+"/handle", secret, object{"action": "accept", "operator": "li"}))
		}, count{3, 9, 2}},
	} {
		// The fewest of some: who calls is looked up again every second, and a connection prepares what is new to it.
		var least count
		for i := 0; i < 20 && least != c.want; i++ {
			before := count{work.Trips.Load(), work.Statements.Load(), work.Commits.Load()}
			c.do()
			took := count{work.Trips.Load() - before.trips, work.Statements.Load() - before.statements, work.Commits.Load() - before.commits}
			if i == 0 || took.statements < least.statements || took.statements == least.statements && took.trips < least.trips {
				least = took
			}
		}
		assert.Equal(t, c.want, least, c.what)
	}
}
