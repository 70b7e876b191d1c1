// Package versions is what the pages of documents with keys and versions have in common, services and calendars: where one is written, tried and published, which versions
// there are, and how they differ. It is for pages what houseapi.Versioned is for calls.
package versions

import (
	"context"
	"html/template"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"signalbox/api"
	"signalbox/console/page"
	"signalbox/flow"
	"signalbox/ticket"
)

// Kind is a kind of such documents; R is one as it was published. All but Skeleton and Besides are needed. What the functions refuse with NotFound is not there.
type Kind[R any] struct {
	Desk     api.Desk
	Path     string // of the list, below which the documents are: /services/:key
	New      string // where a new one is written; it is not below Path, where any word may be a key
	Skeleton string // what a new one begins with
	Max      int    // bytes that one may be written with
	Words    func(v *page.Visit) Words

	Latest  func(ctx context.Context, tenant, key string) (R, error)
	Version func(ctx context.Context, tenant string, latest R, version int) (R, error)
	// List lists the versions of one, the latest first.
	List   func(ctx context.Context, tenant, key, cursor string, limit int) (list []R, next string, err error)
	Facts  func(R) Facts
	Source func(R) (string, error) // as somebody would write it
	// Text gives the text that one was published as, with its comments; empty: it was published without.
	Text func(ctx context.Context, tenant string, r R) (string, error)
	// Read reads what somebody wrote, and tells what is wrong with it, and shows what it would be.
	Read func(v *page.Visit, source string) (R, flow.Faults, Preview, error)
	// Publish makes it the next version, and keeps the text that it was read from, empty where there is none; what says what the latest version says is that version. Enable enables or disables one. Both join the transaction of ctx.
	Publish func(ctx context.Context, tenant, by string, r R, text string) (key string, version int, err error)
	Enable  func(ctx context.Context, tenant, key string, enabled bool) error
	// Besides does what else a button of the editor asks for; false: it is none of its.
	Besides func(v *page.Visit, what string, e Edit) (done bool, err error)
}

// Words are those in which kinds differ.
type Words struct {
	List, New, Definition string
	Enabled, Disabled     string // what was done
	Tries                 string // what the button beside "publish" says that Besides does as "simulate"; empty: there is none
}

// Facts are what is told of a version.
type Facts struct {
	Key, Name   string
	Version     int
	PublishedAt time.Time
	PublishedBy string
}

// Preview is what a draft would be.
type Preview struct {
	Draws   bool // it is a process
	Picture template.URL
	Name    string
	Month   any // of a calendar, as its template has it
}

// Found is a document that a path names: the version that it names, or else the latest.
type Found[R any] struct {
	Latest, Shown R
	IsLatest      bool
}

// Of finds the document and the version that the path names.
func (k Kind[R]) Of(h func(*page.Visit, Found[R]) error) page.Handler {
	return func(v *page.Visit) error {
		key, err := v.Param("key")
		if err != nil {
			return err
		}
		latest, err := k.Latest(v.Until, v.Who.App.Tenant, key)
		if err != nil {
			return err
		}
		f := Found[R]{latest, latest, true}
		if v.Params("version") != "" {
			if f.Shown, err = k.Numbered(v, latest, v.Params("version")); err != nil {
				return err
			}
			f.IsLatest = k.Facts(f.Shown).Version == k.Facts(latest).Version
		}
		return h(v, f)
	}
}

// Numbered gives a version by its number, as somebody wrote it; the latest where nobody did.
func (k Kind[R]) Numbered(v *page.Visit, latest R, number string) (R, error) {
	if number == "" {
		return latest, nil
	}
	n, err := strconv.ParseInt(number, 10, 32)
	if err != nil {
		return latest, page.ErrNoPage
	}
	return k.at(v, latest, n)
}

func (k Kind[R]) at(v *page.Visit, latest R, n int64) (R, error) {
	switch last := int64(k.Facts(latest).Version); {
	case n == last:
		return latest, nil
	case n < 1 || n > last || n > math.MaxInt32:
		return latest, page.ErrNoPage
	}
	return k.Version(v.Until, v.Who.App.Tenant, latest, int(n))
}

// PathOf is the page of a document, and versionPath that of a version of it.
func (k Kind[R]) PathOf(key string) string { return k.Path + "/" + key }

func (k Kind[R]) versionPath(f Facts) string {
	return k.PathOf(f.Key) + "/v/" + strconv.Itoa(f.Version)
}

// Routes gives the routes of the editor, and of enabling. Who may read may see what is found in a draft.
func (k Kind[R]) Routes() []page.Route {
	route := func(method, path string, right page.Right, do page.Handler) page.Route {
		return page.Route{Method: method, Path: path, Right: right, Do: do}
	}
	return []page.Route{
		route(http.MethodGet, k.New, page.Admin, k.begin),
		route(http.MethodPost, k.New, page.Admin, k.save),
		route(http.MethodPost, k.New+"/draft", page.Read, k.draft),
		route(http.MethodGet, k.Path+"/:key/edit", page.Admin, k.Of(k.edit)),
		route(http.MethodPost, k.Path+"/:key/edit", page.Admin, k.Of(func(v *page.Visit, _ Found[R]) error { return k.save(v) })),
		route(http.MethodPost, k.Path+"/:key/enable", page.Admin, k.Of(k.enable)),
	}
}

// enable says whether what the path names is enabled.
func (k Kind[R]) enable(v *page.Visit, f Found[R]) error {
	key, on := k.Facts(f.Latest).Key, v.Form.On("enabled")
	_, err := page.Transact(v, k.Desk, false, func(ctx context.Context) (bool, error) { return on, k.Enable(ctx, v.Who.App.Tenant, key, on) })
	switch {
	case err != nil:
		return v.Failed(k.PathOf(key), err)
	case on:
		return v.Done(k.PathOf(key), k.Words(v).Enabled)
	}
	return v.Done(k.PathOf(key), k.Words(v).Disabled)
}

// History is what the page of a version tells of all versions: for templates.
type History struct {
	Facts
	Path        string // of the document
	Latest      int
	IsLatest    bool
	Versions    []Line
	First, Next string // further versions
	Source      string // the version as it is written
	From        int    // the version that this one is compared with; 0: none
	Change      []page.Hunk
}

// Line is a version in the list of them.
type Line struct {
	Facts
	Path    string
	Current bool // it is what the page shows
	Before  int  // the version before it; 0: none
}

const (
	pageOfVersions = 20
	maxCursor      = 512 // characters
)

// History tells of the versions of what was found, and how the one that is shown differs from another one that the query asks for.
func (k Kind[R]) History(v *page.Visit, f Found[R]) (h History, err error) {
	h = History{Facts: k.Facts(f.Shown), Latest: k.Facts(f.Latest).Version, IsLatest: f.IsLatest}
	h.Path = k.PathOf(h.Key)
	if h.Source, err = k.written(v, f.Shown); err != nil {
		return h, err
	}
	cursor, err := v.Ask("cursor", maxCursor)
	if err != nil {
		return h, err
	}
	list, next, err := k.List(v.Until, v.Who.App.Tenant, h.Key, cursor, pageOfVersions)
	if err != nil {
		return h, err
	}
	for _, r := range list {
		line := Line{Facts: k.Facts(r), Before: k.Facts(r).Version - 1}
		if line.Path, line.Current = k.versionPath(line.Facts), line.Version == h.Version; line.Current {
			h.PublishedAt, h.PublishedBy = line.PublishedAt, line.PublishedBy
		}
		h.Versions = append(h.Versions, line)
	}
	if cursor != "" {
		h.First = v.Path()
	}
	if next != "" {
		h.Next = page.Address(v.Path(), url.Values{"cursor": {next}})
	}
	from, err := v.AskNumber("from", 0)
	if err != nil || from == 0 {
		return h, err
	}
	other, err := k.at(v, f.Latest, from)
	if err != nil {
		return h, err
	}
	before, after, err := k.alike(v, other, f.Shown)
	h.From, h.Change = int(from), page.Difference(before, after)
	return h, err
}

// written gives a version as it was written, or else as somebody would write it.
func (k Kind[R]) written(v *page.Visit, r R) (string, error) {
	text, err := k.Text(v.Until, v.Who.App.Tenant, r)
	if err != nil || text != "" {
		return text, err
	}
	return k.Source(r)
}

// alike gives two versions to be compared: as they were written where both were, so that what differs is what somebody changed, or else both as they are drawn.
func (k Kind[R]) alike(v *page.Visit, r, other R) (one, two string, err error) {
	if one, err = k.Text(v.Until, v.Who.App.Tenant, r); err == nil && one != "" {
		two, err = k.Text(v.Until, v.Who.App.Tenant, other)
	}
	if err != nil || one != "" && two != "" {
		return one, two, err
	}
	if one, err = k.Source(r); err != nil {
		return one, two, err
	}
	two, err = k.Source(other)
	return one, two, err
}

// errMeanwhile refuses to publish what was made of a version that is not the latest any more.
var errMeanwhile = ticket.Refuse(ticket.Conflict, "another version was published meanwhile")
