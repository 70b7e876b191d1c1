// Package mailbox shows the mails that a development system keeps in place of sending them.
package mailbox

import (
	"net/http"
	"slices"
	"time"

	"signalbox/console/page"
)

// Mail is one that a development system shows in place of sending it.
type Mail struct {
	At      time.Time
	To      string
	Subject string
	Text    string
}

// Room is the area. It is there in development alone, where everybody may read everybody's.
type Room struct {
	Mails func() []Mail // oldest first
}

// Area gives its routes.
func (r *Room) Area() page.Area {
	return page.Area{Routes: []page.Route{{Method: http.MethodGet, Path: "/mailbox", Right: page.Read, Do: r.show}}, Menu: []page.Entry{{Path: "/mailbox", Label: "menu.mailbox", Right: page.Read}}}
}

// show shows the mails that would have been sent, newest first.
func (r *Room) show(v *page.Visit) error {
	mails := r.Mails()
	slices.Reverse(mails)
	return v.Render(http.StatusOK, "mailbox/mailbox", v.T("menu.mailbox"), mails)
}
