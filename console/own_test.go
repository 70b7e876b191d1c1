package console_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/api"
	"signalbox/console/page"
	keeping "signalbox/console/people"
	"signalbox/desk"
	"signalbox/people"
)

// themself gives a browser of a person who has shown who they are, on the pages of the directory.
func (h *site) themself(t testing.TB, id string) *browser {
	t.Helper()
	site, err := page.New(page.Config{Key: bytes.Repeat([]byte{7}, 32), Now: h.clock, Log: slog.New(slog.DiscardHandler), Who: func(_ context.Context, s page.Session) (page.Who, error) {
		return page.Who{App: desk.Pages("north", false), Person: s.Person, Name: s.Person, Own: true}, nil
	}})
	require.NoError(t, err)
	app := api.New(api.Config{}, nil, nil, slog.New(slog.DiscardHandler)).App()
	room := keeping.Room{Desk: h.records, Directory: h.records, Now: h.clock}
	site.Mount(app, room.Area(), page.Area{Routes: []page.Route{{Method: http.MethodGet, Path: "/in", Right: page.Anyone, Do: func(v *page.Visit) error {
		return v.Begin(page.Session{App: desk.PagesApp, Person: id})
	}}}})
	b := &browser{t: t, app: app, cookies: map[string]string{}, headers: map[string]string{}}
	b.get("/in")
	return b
}

// A person sees their own page, says when they are away and how they want to be told, and nothing else of the directory.
func TestPersonsKeepWhatIsTheirs(t *testing.T) {
	h := newSite(t)
	boss := h.admin(t)
	boss.somebody("li.lei", "李雷", "email", "li@example.com", "manager", "", "slack.webhook", "https://hooks.slack.com/services/T/B/x")
	boss.somebody("han", "韩梅梅")
	boss.told(boss.fill("/directory/group", "/directory/group", "id", "ops"))
	boss.told(boss.fill("/groups/ops", "/groups/ops/members", "persons", "li.lei"))
	const me = "/people/li.lei"
	b := h.themself(t, "li.lei")
	require.Equal(t, me, b.get("/people").Header.Get("Location"))
	p := b.get(me)
	require.Contains(t, p.section("person"), "ops")
	for _, part := range []string{me + "/edit", me + "/remove", `href="/groups`, `href="/absences`} {
		require.NotContains(t, p.Body, part)
	}
	sound(t, me, p)

	require.Contains(t, b.told(b.fill(me, me+"/letters", "letters.when", "digest", "letters.minutes", "15", "language", "zh", "time_zone", "Asia/Shanghai", "email", "evil@example.com", "name", "Boss", "active", "")), "It is kept how to be told.")
	rec, err := h.records.Person(t.Context(), "north", people.Key{ID: "li.lei"})
	require.NoError(t, err)
	require.Equal(t, people.Letters{When: people.InDigest, Minutes: 15}, rec.Letters)
	require.Equal(t, "zh Asia/Shanghai 李雷 li@example.com", rec.Language+" "+rec.TimeZone+" "+rec.Name+" "+rec.Email)
	require.True(t, rec.Active)
	require.Len(t, rec.Chats, 1)
	bad := b.fill(me, me+"/letters", "letters.when", "digest", "letters.minutes", "99999")
	require.Equal(t, http.StatusBadRequest, bad.Status)
	require.NotEmpty(t, words(bad.one("letters.minutes-wrong")))

	require.Contains(t, b.told(b.fill(me, me+"/absences", "from", "2026-12-24", "deputy", "han")), "The absence is kept.")
	found, _, err := h.records.Absences(t.Context(), "north", people.AbsenceFilter{Person: "li.lei"}, "", 10)
	require.NoError(t, err)
	require.Equal(t, "li.lei", found[0].CreatedBy, "it is written down who said so")
	require.Contains(t, b.told(b.fill(me, me+"/absences/"+found[0].ID+"/end")), "The absence is ended.")

	form := b.get(me).whole(me + "/letters")
	for _, path := range []string{"/people/han", "/people/none", me + "/edit", "/directory/person", "/directory/group", "/groups", "/groups/ops", "/absences"} {
		require.Equal(t, http.StatusForbidden, b.get(path).Status, path)
	}
	for _, path := range []string{"/people/han/letters", "/people/han/absences", "/people/han/absences/" + found[0].ID + "/end", me + "/edit", me + "/remove", "/groups/ops/members"} {
		require.Equal(t, http.StatusForbidden, b.post(path, form).Status, path)
	}
}
