package diagram

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/flow"
)

func named(name string) flow.Drawing { return flow.Drawing{Key: "k", Title: name} }

func TestAPictureIsMadeOnce(t *testing.T) {
	c := newCache(1 << 20)
	var drawn atomic.Int64
	begin := make(chan struct{})
	draw := func(d flow.Drawing) Picture {
		<-begin
		drawn.Add(1)
		return Tagged([]byte("picture of " + d.Title))
	}
	var all sync.WaitGroup
	pictures := make([]Picture, 50)
	for i := range pictures {
		all.Go(func() { pictures[i] = c.picture(named("a"), draw) })
	}
	close(begin)
	all.Wait()
	require.EqualValues(t, 1, drawn.Load(), "also where many ask at the same time")
	for _, p := range pictures {
		require.Equal(t, Tagged([]byte("picture of a")), p)
	}
	other := c.picture(named("b"), draw)
	require.NotEqual(t, pictures[0].Tag, other.Tag)
	require.EqualValues(t, 2, drawn.Load())
}

func TestPicturesTakeBoundedMemory(t *testing.T) {
	c := newCache(100)
	drawn := map[string]int{}
	ask := func(name string) {
		c.picture(named(name), func(d flow.Drawing) Picture {
			drawn[name]++
			return Tagged([]byte(strings.Repeat("x", 30)))
		})
		require.LessOrEqual(t, c.size, 100)
		require.Len(t, c.byKey, c.used.Len())
	}
	for i := range 50 {
		ask(fmt.Sprint(i))
		ask("often")
	}
	require.Equal(t, 1, drawn["often"], "what is asked for is kept")
	ask("0")
	require.Equal(t, 2, drawn["0"], "what nobody asked for is forgotten")
	c.picture(named("large"), func(flow.Drawing) Picture { return Tagged(make([]byte, 1000)) })
	require.Zero(t, c.size, "what is too large is not kept")
}

func TestAPictureOfAPositionIsItsOwn(t *testing.T) {
	process := flow.Builtin()[flow.ServiceIncident]
	def := process.Definition()
	require.Equal(t, Tagged(SVG(def, nil)), Draw(def, nil))
	require.Equal(t, Draw(def, nil), Draw(def, nil))
	require.NotEqual(t, Draw(def, nil).Tag, Draw(def, &flow.Position{Nodes: []flow.NodeState{{Node: def.Nodes[0].ID, State: flow.Active}}}).Tag)
}
