// Package page is the frame of the pages: who looks and what they may, the forms they send, the words and the time of their country, and a page
// for whatever goes wrong. The areas of the pages stand on it, each a package of its own beside it.
package page

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"signalbox/desk"
)

// Config is what the frame stands on. Key, Now and Who are needed.
type Config struct {
	Key     []byte           // the master key, at least 32 bytes; the key of the cookies is derived from it
	Now     func() time.Time //
	Log     *slog.Logger     // slog.Default unless set
	Timeout time.Duration    // how long a page may take; 10 s unless set

	// Secure keeps the cookies to https even where a request does not look like it. A request that does (TLS, or X-Forwarded-Proto
	// from a proxy that the application trusts) gets secure cookies anyway.
	Secure bool
	// Address tells where a request comes from; nil means the address that Fiber finds.
	Address func(c *fiber.Ctx) string
	// Audit is told what was refused to somebody who is known; nil: nobody is.
	Audit Audit
	// Names tells what persons of a tenant are called, out of some; who is not known, or has no name, is left out. It is asked once for a page, for all whom the page names. Nil: pages show ids.
	Names func(ctx context.Context, tenant string, ids []string) (map[string]string, error)
	// Who tells who has signed in, as things are now: Unauthorized when they may not any more, any other error when it cannot be told.
	Who func(ctx context.Context, s Session) (Who, error)
}

// Who is who looks at a page.
type Who struct {
	App    desk.App // whose rights count; they see what its tenant has
	Person string   // the id that they act under
	Name   string   // as they are greeted; Person unless there is another
	Own    bool     // they have shown that they are this person, so that they act as themselves alone; not set: they act with the rights of the app

	Groups     []string // of the directory that they are in, also through others
	Password   bool     // they have signed in with a password of their own
	MustChange bool     // which they have to change before anything else
}

// Right is what somebody must be allowed for a page.
type Right string

// The rights that a page can ask for.
const (
	Anyone    Right = ""                // also those who have not signed in
	Read      Right = Right(desk.Read)  //
	Act       Right = Right(desk.Write) // open and handle tickets, redeliver, keep subscriptions
	Directory Right = Right(desk.Directory)
	Admin     Right = Right(desk.Admin)
)

// May reports whether they may.
func (w Who) May(r Right) bool { return r == Anyone || w.App.May(desk.Scope(r)) }

// Handler answers a request with a page. Its error becomes one as well.
type Handler func(*Visit) error

// Route is one call of the pages. Those that change something are POST: their form is read, and known to be from a page of ours, before the
// handler is asked.
type Route struct {
	Method string
	Path   string // as Fiber has it
	Right  Right
	Do     Handler
}

// Entry is a place in the bar that is on every page.
type Entry struct {
	Path  string
	Label string // key of its text
	Right Right
	// Count gives a number to stand beside it; nil, or 0: none. An error is none as well.
	Count func(v *Visit) (int, error)
}

// Area is a part of the pages.
type Area struct {
	Routes []Route
	Menu   []Entry
}

// Site is the pages together.
type Site struct {
	Config
	cookies *cookies
	menu    []Entry
}

// New makes a frame, or tells what is wrong with the config.
func New(config Config) (*Site, error) {
	if config.Now == nil || config.Who == nil {
		return nil, errors.New("Now and Who are needed")
	}
	config.Log = cmp.Or(config.Log, slog.Default())
	config.Timeout = cmp.Or(config.Timeout, 10*time.Second)
	cookies, err := newCookies(config.Key)
	if err != nil {
		return nil, err
	}
	return &Site{Config: config, cookies: cookies}, nil
}

// Mount serves areas on an application, whose strings must be Immutable, and the assets. What is not there in a folder of theirs is a page that says so; no error
// reaches the application's own handler.
func (s *Site) Mount(app *fiber.App, areas ...Area) {
	if !app.Config().Immutable {
		panic("console: the application's strings change under whoever keeps them; set Immutable")
	}
	mountAssets(app)
	var folders []string
	for _, area := range areas {
		s.menu = append(s.menu, area.Menu...)
		for _, r := range area.Routes {
			switch r.Method {
			case http.MethodGet:
				app.Get(r.Path, s.page(s.guarded(r.Right, r.Do)))
			case http.MethodPost:
				app.Post(r.Path, s.page(s.guarded(r.Right, checked(r.Do))))
			default:
				panic(fmt.Sprintf("console: %s %s is neither read nor sent by a form", r.Method, r.Path))
			}
			if folder, _, _ := strings.Cut(strings.TrimPrefix(r.Path, "/"), "/"); folder != "" && !slices.Contains(folders, folder) {
				folders = append(folders, folder)
			}
		}
	}
	for _, folder := range folders {
		app.Get("/"+folder+"/*", s.page(s.guarded(Read, func(*Visit) error { return ErrNoPage })))
	}
}

// Nothing answers with the page that says that nothing is there, for paths that no area has a folder for.
func (s *Site) Nothing() fiber.Handler {
	return s.page(s.guarded(Anyone, func(*Visit) error { return ErrNoPage }))
}

// address is where a request comes from.
func (s *Site) address(c *fiber.Ctx) string {
	if s.Address != nil {
		return s.Address(c)
	}
	return c.IP()
}
