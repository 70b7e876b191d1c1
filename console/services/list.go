package services

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"

	"signalbox/console/page"
	"signalbox/ticket"
)

const (
	listPage  = 50
	maxCursor = 512 // characters
)

// listView is a page of the list.
type listView struct {
	Terms       string
	Rows        []ticket.ServiceRecord
	First, Next string // addresses; First is empty on the first page, Next on the last
	Chosen      bool   // some were asked for
}

// list shows the tenant's services, the built-in ones among them.
func (r *Room) list(v *page.Visit) error {
	terms, err := v.Ask("q", ticket.MaxName)
	if err != nil {
		return err
	}
	cursor, err := v.Ask("cursor", maxCursor)
	if err != nil {
		return err
	}
	l := listView{Terms: terms, Chosen: terms != ""}
	query := url.Values{}
	if terms != "" {
		query.Set("q", terms)
	}
	if cursor != "" {
		l.First = page.Address("/services", query)
	}
	for {
		records, next, err := r.Records.ServicePage(v.Until, v.Who.App.Tenant, cursor, listPage)
		if err != nil {
			return err
		}
		for _, s := range records {
			if shown := spoken(v, s); matches(s, terms) || matches(shown, terms) {
				l.Rows = append(l.Rows, shown)
			}
		}
		if cursor = next; cursor == "" || len(l.Rows) >= listPage {
			break
		}
	}
	if cursor != "" {
		query.Set("cursor", cursor)
		l.Next = page.Address("/services", query)
	}
	for i := range l.Rows {
		l.Rows[i].ServiceType = cmp.Or(l.Rows[i].ServiceType, "request")
	}
	return v.Render(http.StatusOK, "services/list", v.T("services.title"), l)
}

// matches reports whether a service has all words, in its name, key or description.
func matches(s ticket.ServiceRecord, terms string) bool {
	text := strings.ToLower(s.Name + " " + s.Key + " " + s.Description)
	for word := range strings.FieldsSeq(strings.ToLower(terms)) {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}
