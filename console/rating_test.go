package console_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/ticket"
)

// The opener of a ticket rates it, once it is completed and once; everybody sees what they thought of it.
func TestTheOpenerRatesATicketOnce(t *testing.T) {
	h := newSite(t)
	k := h.asked(t, ticket.Draft{Service: "purchase", Definition: defined(t, votes), Opener: "joe"})
	joe, ann := h.as(t, "shop", "joe"), h.as(t, "shop", "ann")
	rate := at(k) + "/rate"
	require.NotContains(t, joe.get(at(k)).forms(), rate, "it is not over")
	early := joe.get(at(k)).form(at(k) + "/say")
	early.Set("action", "rate")
	early.Set("stars", "5")
	p := joe.post(rate, early)
	require.Equal(t, http.StatusConflict, p.Status)
	require.Contains(t, p.section("now"), "the ticket is not completed")

	form := joe.get(at(k)).act("close")
	require.Equal(t, http.StatusSeeOther, joe.post(at(k)+"/act", form).Status)
	require.NotContains(t, ann.get(at(k)).forms(), rate, "she has not opened it")
	stranger := ann.get(at(k)).form(at(k) + "/say")
	stranger.Set("stars", "1")
	require.Equal(t, http.StatusForbidden, ann.post(rate, stranger).Status)
	require.Equal(t, http.StatusForbidden, h.as(t, "eye", "joe").post(rate, h.as(t, "eye", "joe").get(at(k)).form("/logout")).Status, "who may only look")

	p = joe.get(at(k))
	sound(t, at(k), p)
	form = p.filled(rate)
	require.Equal(t, "", form.Get("stars"))
	form.Set("comments", "Quick\nand kind")
	p = joe.post(rate, form)
	require.Equal(t, http.StatusBadRequest, p.Status)
	require.Contains(t, p.section("rating"), "must be from 1 to 6")
	form = p.filled(rate)
	require.Equal(t, "Quick\nand kind", form.Get("comments"), "what was typed is still there")
	form.Set("stars", "4")
	require.Equal(t, "Your rating is kept.", joe.told(joe.post(rate, form)))
	require.Equal(t, http.StatusSeeOther, joe.post(rate, form).Status, "a second click is the same")
	for _, b := range []*browser{joe, ann} {
		p = b.get(at(k))
		require.NotContains(t, p.forms(), rate)
		require.Contains(t, p.section("rating"), "Rating 4 of 6 stars by joe")
		require.Contains(t, p.section("rating"), "Quick and kind")
		sound(t, at(k), p)
	}
	again := joe.get(at(k)).form(at(k) + "/say")
	again.Set("action", "rate")
	again.Set("stars", "1")
	p = joe.post(rate, again)
	require.Equal(t, http.StatusConflict, p.Status)
	require.Contains(t, p.section("now"), "the ticket has a rating already")

	require.Equal(t, http.StatusSeeOther, joe.post(at(k)+"/act", joe.get(at(k)).act("reopen")).Status)
	require.Contains(t, ann.get(at(k)).section("rating"), "4 of 6 stars", "it is still there when the ticket is taken up again")
	kept, err := h.records.Ratings(t.Context(), []int64{k.ticket.ID})
	require.NoError(t, err)
	require.Equal(t, "joe", kept[k.ticket.ID].Operator)
}
