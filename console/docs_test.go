package console_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"signalbox/api/openapi"
)

// Every call and webhook of every document has a page of its own, for strangers too, on which every field has a label and no mark of the documents' texts is left, and which is
// no larger than a page may be.
func TestEveryCallHasAPage(t *testing.T) {
	b := newSite(t).browser(t)
	b.headers = map[string]string{"Accept-Language": "zh-CN"}
	calls, largest := 0, 0
	for _, book := range openapi.Books() {
		paths := []string{"/docs/" + book.Name}
		for _, chapter := range book.Chapters {
			require.NotEmpty(t, chapter.Calls, "%s: nothing has the tag %s", book.Name, chapter.Name)
			for _, c := range chapter.Calls {
				for _, same := range c.Same {
					paths = append(paths, "/docs/"+book.Name+"/"+same.ID)
					calls++
				}
			}
		}
		for _, c := range book.Webhooks {
			paths = append(paths, "/docs/"+book.Name+"/"+c.ID)
		}
		for _, path := range paths {
			p := b.get(path)
			require.Equal(t, http.StatusOK, p.Status, path)
			require.Len(t, p.tags("h1"), 1, path)
			require.Less(t, len(p.Body), 100_000, path)
			largest = max(largest, len(p.Body))
			fields := map[string]bool{}
			for _, n := range p.all(func(n *html.Node) bool { return n.Data == "label" }) {
				fields[attr(n, "for")] = true
			}
			for _, n := range p.all(func(n *html.Node) bool { return n.Data == "input" || n.Data == "select" || n.Data == "textarea" }) {
				require.True(t, fields[attr(n, "id")], "%s: no label is for %s", path, attr(n, "id"))
			}
			for _, n := range p.all(func(n *html.Node) bool { return n.Data == "p" || n.Data == "td" || n.Data == "div" }) {
				if n.FirstChild != nil && n.FirstChild.Type == html.TextNode {
					require.NotContains(t, n.FirstChild.Data, "`", path)
					require.NotContains(t, n.FirstChild.Data, "**", path)
				}
			}
			require.NotRegexp(t, `(^| )(docs|kind|limit|between)\.[a-z_]+`, words(p.tags("main")[0]), path)
		}
	}
	require.Greater(t, calls, 250)
	t.Logf("the largest page has %d octets", largest)
	for _, nothing := range []string{"/docs/nothing", "/docs/issue/nothing", "/docs/issue/createIncident"} {
		require.Equal(t, http.StatusNotFound, b.get(nothing).Status, nothing)
	}
}

// In the menu of a document no two entries read alike, though the itsm family has each of its calls at seven addresses; each of these has its page and leads to the others.
func TestEntriesOfTheDocumentsCanBeToldApart(t *testing.T) {
	b := newSite(t).browser(t)
	entries := 0
	for _, book := range openapi.Books() {
		p := b.get("/docs/" + book.Name)
		seen := map[string]bool{}
		for _, n := range p.all(func(n *html.Node) bool {
			return n.Data == "a" && strings.HasPrefix(attr(n, "href"), "/docs/"+book.Name+"/") && n.Parent.Parent.Parent.Data == "li"
		}) {
			require.False(t, seen[words(n)], "%s: %s is there twice", book.Name, words(n))
			seen[words(n)] = true
		}
		require.Len(t, seen, book.Count+len(book.Webhooks), book.Name)
		entries += len(seen)
	}
	require.Greater(t, entries, 100)
	itsm := openapi.BookOf("itsm")
	require.Equal(t, 23, itsm.Count)
	page := b.get("/docs/itsm/" + itsm.Find("create_ticket")[0].ID)
	for _, at := range []string{"/api/c/compapi/itsm/create_ticket/", "/openapi/ticket/create_ticket/", "/prod/v2/itsm/create_ticket/"} {
		require.Contains(t, page.Body, at)
	}
}

// The overview says of every document what it is called and who calls it, in either language, families first; it finds calls by words.
func TestTheOverviewOfTheDocuments(t *testing.T) {
	for lang, families := range map[string]string{"en": "Families", "zh": "业务接口"} {
		b := newSite(t).browser(t)
		b.headers = map[string]string{"Accept-Language": lang}
		p := b.get("/docs")
		require.Equal(t, http.StatusOK, p.Status)
		text := words(p.tags("main")[0])
		require.Contains(t, text, families)
		place := 0
		for _, book := range openapi.Books() {
			var title, who string
			for _, n := range p.all(func(n *html.Node) bool { return n.Data == "dt" }) {
				if attr(n.FirstChild, "href") == "/docs/"+book.Name {
					title, who = words(n.FirstChild), words(n.NextSibling)
				}
			}
			require.NotEmpty(t, title, "%s is not on the overview", book.Name)
			require.NotEqual(t, book.Name, title, "[document] in locales/%s has no %s", lang, book.Name)
			require.NotEqual(t, book.Name, who, "[document_who] in locales/%s has no %s", lang, book.Name)
			at := strings.Index(p.Body, `href="/docs/`+book.Name+`"`)
			require.Greater(t, at, place, "%s is out of order", book.Name)
			place = at
		}
		require.Contains(t, p.Body, "/docs/issue/openIssue")
		for _, hook := range []string{"/docs/issue/postWebhookChanged", "/docs/itsm/postWebhookEnded", "/docs/subscription/postWebhookEvent"} {
			require.Contains(t, p.Body, hook)
		}
		found := b.get("/docs?q=Rotate+post")
		require.Contains(t, found.Body, "/docs/service/rotateServiceSecret")
		require.NotContains(t, words(found.one("found").Parent), "Open an issue")
	}
}
