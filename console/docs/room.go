// Package docs is the pages to read about the calls of the API, and to try them: an overview, a page for each document, and one for each call and webhook. They are made of
// the OpenAPI documents, whose texts they show as they stand, in English. Anybody may read them.
package docs

import (
	"cmp"
	"net/http"
	"strings"

	"signalbox/api/openapi"
	"signalbox/console/page"
)

// Room is the area.
type Room struct {
	PublicURL string // where the API is found, for commands; empty: where the page was asked for
}

// Path is where the pages are.
const Path = "/docs"

// Area gives its routes.
func (r *Room) Area() page.Area {
	get := func(path string, do page.Handler) page.Route {
		return page.Route{Method: http.MethodGet, Path: path, Right: page.Anyone, Do: do}
	}
	return page.Area{Routes: []page.Route{get(Path, r.overview), get(Path+"/:document", r.document), get(Path+"/:document/:call", r.call)}}
}

// entry leads to a call or webhook.
type entry struct {
	Path, Method, At, Summary string
	Webhook, Current          bool
}

func entryOf(b *openapi.Book, c *openapi.Call) entry {
	return entry{Path: Path + "/" + b.Name + "/" + c.ID, Method: c.Method, At: c.Path, Summary: c.Summary, Webhook: c.Webhook}
}

func entriesOf(b *openapi.Book, calls []*openapi.Call) (out []entry) {
	for _, c := range calls {
		out = append(out, entryOf(b, c))
	}
	return out
}

// shelf is documents that belong together.
type shelf struct {
	Label string
	Books []bookView
}

// bookView is a document as it is shown.
type bookView struct {
	Name, Title, Who, Path string
	Count                  int
	Current                bool
	About                  html
	Chapters               []chapterView
	Webhooks               []entry
}

type chapterView struct {
	Name    string
	About   html
	Entries []entry
}

func titleOf(v *page.Visit, name string) string { return v.Word("document", name) }

// bookOf shows a document; open: with its calls.
func bookOf(v *page.Visit, b *openapi.Book, open bool) bookView {
	out := bookView{Name: b.Name, Title: titleOf(v, b.Name), Who: v.Word("document_who", b.Name), Path: Path + "/" + b.Name, Count: b.Count, Webhooks: entriesOf(b, b.Webhooks)}
	if !open {
		return out
	}
	out.About = markdown(b.About)
	for _, chapter := range b.Chapters {
		out.Chapters = append(out.Chapters, chapterView{chapter.Name, markdown(chapter.About), entriesOf(b, chapter.Calls)})
	}
	return out
}

// shelves are all documents: the families first, then the house's own. current is the one that is open; at is the call that is.
func shelves(v *page.Visit, current *openapi.Book, at *openapi.Call) []shelf {
	out := []shelf{{Label: v.T("docs.families")}, {Label: v.T("docs.house")}}
	for _, b := range openapi.Books() {
		view := bookOf(v, b, b == current)
		view.Current = b == current
		if view.Current && at != nil {
			here := entryOf(b, at.Main).Path
			mark := func(entries []entry) {
				for i := range entries {
					entries[i].Current = entries[i].Path == here
				}
			}
			for _, chapter := range view.Chapters {
				mark(chapter.Entries)
			}
			mark(view.Webhooks)
		}
		i := 1
		if openapi.IsFamily(b.Name) {
			i = 0
		}
		out[i].Books = append(out[i].Books, view)
	}
	return out
}

// origin is where commands find the API.
func (r *Room) origin(v *page.Visit) string {
	return strings.TrimSuffix(cmp.Or(r.PublicURL, v.BaseURL()), "/")
}

type overviewView struct {
	Shelves  []shelf
	Origin   string
	First    entry // the call to begin with
	Read     entry
	Query    string
	Asked    bool
	Found    []found
	Webhooks []found
}

// found is a call with the document that it is in.
type found struct {
	Book string
	entry
}

// maxQuery is how many characters are looked for at most.
const maxQuery = 100

func (r *Room) overview(v *page.Visit) error {
	query, err := v.Ask("q", maxQuery)
	if err != nil {
		return err
	}
	issue := openapi.BookOf("issue")
	view := overviewView{Shelves: shelves(v, nil, nil), Origin: r.origin(v), Query: query, Asked: strings.TrimSpace(query) != "",
		First: entryOf(issue, issue.Call("openIssue")), Read: entryOf(issue, issue.Call("readIssue"))}
	for _, b := range openapi.Books() {
		for _, c := range b.Webhooks {
			view.Webhooks = append(view.Webhooks, found{titleOf(v, b.Name), entryOf(b, c)})
		}
		if !view.Asked {
			continue
		}
		for _, c := range b.Find(query) {
			view.Found = append(view.Found, found{titleOf(v, b.Name), entryOf(b, c)})
		}
	}
	return v.Render(http.StatusOK, "docs/overview", v.T("docs.title"), view)
}

type documentView struct {
	Shelves []shelf
	Book    bookView
}

func (r *Room) document(v *page.Visit) error {
	b, err := bookAt(v)
	if err != nil {
		return err
	}
	return v.Render(http.StatusOK, "docs/document", titleOf(v, b.Name), documentView{shelves(v, b, nil), bookOf(v, b, true)})
}

func bookAt(v *page.Visit) (*openapi.Book, error) {
	name, err := v.Param("document")
	if err != nil {
		return nil, err
	}
	if b := openapi.BookOf(name); b != nil {
		return b, nil
	}
	return nil, page.ErrNoPage
}
