package issue_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/api/apitest"
)

type feedPage struct {
	Items []struct {
		Event struct {
			Seq         int64
			Type, Actor string
			Before      map[string]any
			After       map[string]any
		}
		Issue struct{ ID, Status, Phase, Origin string }
	}
	Next string `json:"next_cursor"`
	More bool
}

// follow reads a page of the change feed.
func (b bench) follow(query string) (page feedPage) {
	b.T.Helper()
	b.Result(b.Do("GET", "/api/issue/changes"+query, nil), &page)
	return page
}

func TestTheChangeFeed(t *testing.T) {
	b := setup(t)
	page := b.follow("")
	require.Equal(t, feedPage{Items: page.Items, Next: "earliest"}, page)
	require.Empty(t, page.Items)

	first := b.open()
	b.Result(b.handle(first, "accept", nil), nil)
	second := b.open()
	var seen [][]any
	for cursor, more := "earliest", true; more; {
		page = b.follow("?limit=2&cursor=" + url.QueryEscape(cursor))
		for _, e := range page.Items {
			seen = append(seen, []any{e.Issue.ID, e.Event.Seq, e.Event.Type, e.Event.Actor, e.Issue.Phase, e.Issue.Status})
		}
		cursor, more = page.Next, page.More
	}
	require.Equal(t, [][]any{
		{first, int64(1), "opened", "writer", "acknowledged", "OPEN"}, // the issue as it is now
		{first, int64(2), "accepted", "zhang.san", "acknowledged", "OPEN"},
		{second, int64(1), "opened", "writer", "triggered", "OPEN"},
	}, seen)

	// An empty page says where to go on, and the end is where the last page ended.
	end := b.follow("?cursor=" + page.Next)
	require.Empty(t, end.Items)
	require.Equal(t, page.Next, end.Next)
	require.Equal(t, end, b.follow("?cursor=latest"))
	b.Result(b.Do("PUT", "/api/issue/"+second+"/status", `{"status":"CLOSED","operator":"x"}`), nil)
	page = b.follow("?cursor=" + end.Next)
	require.Len(t, page.Items, 1)
	require.Equal(t, "CLOSED", page.Items[0].Issue.Status)
	require.Equal(t, "completed", page.Items[0].Event.After["status"])

	// It is the tenant's alone, and so are its cursors.
	stranger := bench{b.T, b.As(apitest.Stranger), b.back}
	require.Empty(t, stranger.follow("").Items)
	b.Refused(stranger.Do("GET", "/api/issue/changes?cursor="+page.Next, nil), 410, "latest")
	for _, bad := range []string{"cursor=x", "cursor=1.1", "limit=0", "limit=201", "cursor=latest&cursor=earliest", "cusor=latest"} {
		b.Refused(b.Do("GET", "/api/issue/changes?"+bad, nil), 400, bad[:5])
	}
}
