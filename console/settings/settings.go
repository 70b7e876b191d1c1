// Package settings is how somebody wants pages to look.
package settings

import (
	"net/http"
	"time"

	"signalbox/console/page"
)

// Room is the area.
type Room struct{}

// Area gives its routes.
func (r *Room) Area() page.Area {
	return page.Area{Routes: []page.Route{
		{Method: http.MethodGet, Path: "/settings", Right: page.Anyone, Do: r.show},
		{Method: http.MethodPost, Path: "/settings", Right: page.Anyone, Do: r.save},
	}}
}

type view struct {
	Language, Zone, Theme string
	Problem               string // with the zone
}

func (r *Room) show(v *page.Visit) error {
	if v.Session().CSRF == "" {
		if err := v.Begin(page.Session{}); err != nil {
			return err
		}
	}
	language, zone, theme := v.Chosen()
	return v.Render(http.StatusOK, "settings/settings", v.T("settings.title"), view{Language: language, Zone: zone, Theme: theme})
}

func (r *Room) save(v *page.Visit) error {
	if v.Form.Expired() {
		return page.ErrExpired
	}
	w := view{Language: v.Form.Get("language"), Zone: v.Form.Text("zone"), Theme: v.Form.Get("theme")}
	if _, err := time.LoadLocation(w.Zone); err != nil {
		w.Problem = v.T("settings.no_zone")
		return v.Render(http.StatusBadRequest, "settings/settings", v.T("settings.title"), w)
	}
	v.Choose(w.Language, w.Zone, w.Theme)
	return v.Done("/settings", v.T("settings.saved"))
}
