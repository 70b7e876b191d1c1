package diagram

import (
	"container/list"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"sync"

	"signalbox/flow"
)

// Picture is a drawing as it is sent.
type Picture struct {
	Bytes []byte // nobody changes them
	Tag   string // equal for equal bytes, and for no others
	// Where the first node stands at which the ticket is, in hundredths of the width and of the height from the left and the top; both 0: it is at none.
	X, Y int
}

// Tagged gives a text with its tag.
func Tagged(text []byte) Picture {
	sum := sha256.Sum256(text)
	return Picture{Bytes: text, Tag: hex.EncodeToString(sum[:16])}
}

// kept are the pictures that were asked for lately.
var kept = newCache(16 << 20)

// Draw is SVG for those who ask for the same picture again and again: what looks the same is drawn once, also where many ask for it at the same time, and
// kept for as long as 16 MiB of pictures hold it.
func Draw(def flow.Definition, pos *flow.Position) Picture { return DrawIn(def, pos, nil) }

// DrawIn is Draw in another language.
func DrawIn(def flow.Definition, pos *flow.Position, in flow.Phrases) Picture {
	return drawn(flow.DrawIn(def, pos, in))
}

// DrawFor is DrawIn for somebody who knows persons by other names than their ids; see flow.DrawFor.
func DrawFor(def flow.Definition, pos *flow.Position, in flow.Phrases, called func(id string) string) Picture {
	return drawn(flow.DrawFor(def, pos, in, called))
}

func drawn(d flow.Drawing) Picture {
	return kept.picture(d, func(d flow.Drawing) Picture {
		p := arrange(d)
		picture := Tagged(p.svg(d))
		picture.X, picture.Y = p.current()
		return picture
	})
}

// cache keeps pictures by what they show, and forgets those first that nobody asked for for the longest time.
type cache struct {
	mu    sync.Mutex
	most  int // octets
	size  int
	byKey map[[sha256.Size]byte]*list.Element
	used  *list.List // of *entry; lately used ones first
}

type entry struct {
	key  [sha256.Size]byte
	draw func() Picture
	size int // 0 until it is drawn
}

func newCache(most int) *cache {
	return &cache{most: most, byKey: map[[sha256.Size]byte]*list.Element{}, used: list.New()}
}

func (c *cache) picture(d flow.Drawing, draw func(flow.Drawing) Picture) Picture {
	text, err := json.Marshal(d)
	if err != nil {
		return draw(d) // texts that are no UTF-8 are replaced, so that there is no such drawing
	}
	e := c.entry(sha256.Sum256(text), func() Picture { return draw(d) })
	p := e.draw() // outside the lock: others wait for this picture alone
	c.drawn(e, len(p.Bytes))
	return p
}

// entry finds what is kept under a key, or makes it.
func (c *cache) entry(key [sha256.Size]byte, draw func() Picture) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, ok := c.byKey[key]; ok {
		c.used.MoveToFront(at)
		return at.Value.(*entry)
	}
	e := &entry{key: key, draw: sync.OnceValue(draw)}
	c.byKey[key] = c.used.PushFront(e)
	return e
}

// drawn notes how large a picture became, and makes room for it.
func (c *cache) drawn(e *entry, size int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, ok := c.byKey[e.key]; !ok || at.Value.(*entry) != e || e.size > 0 {
		return
	}
	e.size = size
	c.size += size
	for at := c.used.Back(); at != nil && c.size > c.most; {
		before := at.Prev()
		if old := at.Value.(*entry); old.size > 0 { // what is being drawn is waited for
			c.size -= old.size
			delete(c.byKey, old.key)
			c.used.Remove(at)
		}
		at = before
	}
}
