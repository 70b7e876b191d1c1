package store_test

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"signalbox/store"
	"signalbox/store/tickets"
	"signalbox/store/verify"
	"signalbox/ticket"
)

func TestWordsThatAreFound(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		d := draft("Gate BLOCKED, Ärger am Tor: 海关清关延误")
		d.Origin, d.Tags = "Customs-Office", []string{"Priority.One"}
		d.Description = "the driver waits since 07:45 " + strings.Repeat("海", 1964) + " within beyond"
		s := b.opened("a", d)
		for _, posted := range []bool{false, true} {
			if posted {
				require.NoError(t, b.Post(t.Context()))
				require.Zero(t, b.count(`SELECT COUNT(*) FROM unposted`))
			}
			b.findsTheWords(s)
		}

		d = draft("many")
		var text strings.Builder
		for i := range 600 {
			fmt.Fprintf(&text, "w%d ", i)
		}
		d.Description = text.String()
		b.opened("a", d)
		for range 2 {
			page, err := b.Tickets(t.Context(), "a", ticket.Filter{Terms: "many w1 w2 w3 w4 w5 w6 w7 w8 w100"})
			require.NoError(t, err)
			require.Len(t, page.Items, 1)
			page, err = b.Tickets(t.Context(), "a", ticket.Filter{Terms: "many w1 w2 w3 w4 w5 w6 w7 w8x w100"})
			require.NoError(t, err)
			require.Empty(t, page.Items)
			require.NoError(t, b.Post(t.Context()))
		}
		require.Equal(t, 256, b.count(`SELECT COUNT(*) FROM postings WHERE members LIKE '%02%'`), "the most telling words of the second ticket")
	})
}

// findsTheWords looks for what a ticket has in it, and for what it has not.
func (b *bench) findsTheWords(s *story) {
	t := b.t
	for _, words := range []string{"gate", "GATE blocked", "blocked gate", "ärger", "海关", "关清", "清关延误 gate", "误", "海", "customs office", "priority", "prior",
		"blo", "tor 07", s.ticket.Number, s.ticket.Number[:10], "driver wai", "within", "gate  ", "关", "海 关", "office海关"} {
		page, err := b.Tickets(t.Context(), "a", ticket.Filter{Terms: words})
		require.NoError(t, err)
		require.Len(t, page.Items, 1, words)
		page, err = b.Tickets(t.Context(), "b", ticket.Filter{Terms: words})
		require.NoError(t, err)
		require.Empty(t, page.Items, words)
	}
	for _, words := range []string{"gates", "ate", "blocked nothing", "关海", "延海", "!!!", "beyond", "bl", "100", "gat blocked", "申"} {
		page, err := b.Tickets(t.Context(), "a", ticket.Filter{Terms: words})
		require.NoError(t, err)
		require.Empty(t, page.Items, words)
	}
	all, err := b.Tickets(t.Context(), "a", ticket.Filter{Terms: " "})
	require.NoError(t, err)
	require.Len(t, all.Items, 1)
}

// Spellings that are the same word to whoever reads them find each other, whichever of them was written down.
func TestSpellingsThatFold(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		found := func(words string) int {
			page, err := b.Tickets(t.Context(), "a", ticket.Filter{Terms: words})
			require.NoError(t, err)
			return len(page.Items)
		}
		for i, spellings := range [][]string{
			{"ＩＭ１２３４", "im1234", "IM1234", "ｉｍ１２３４"},
			{"oﬃce", "office", "OFFICE"},
			{"Straße", "STRASSE", "strasse", "straße", "STRA\u1e9eE"},
			{"Z\u00fcrich", "Zu\u0308rich", "ZU\u0308RICH", "z\u00fcrich"},
			{"Καφές", "ΚΑΦΈΣ", "καφέσ"},
			{"カタカナ", "ｶﾀｶﾅ"},
			{"ガス", "ｶﾞｽ", "カ\u3099ス"},
			{"한국", "\u1112\u1161\u11ab\u1100\u116e\u11a8"},
			{"①②③", "123"},
			{"㍿", "株式会社"},
		} {
			for _, written := range spellings {
				b.opened("a", draft(fmt.Sprint("spelled", i, " ", written)))
			}
			for _, asked := range spellings {
				require.Equal(t, len(spellings), found(fmt.Sprint("spelled", i, " ", asked)), "%q", asked)
				require.Equal(t, len(spellings), found(fmt.Sprint(asked, " spelled", i)), "%q, not at the end", asked)
			}
		}
		require.Zero(t, found("spelled3 zurich"), "an accent is a difference")
	})
}

// asVersionBefore leaves a ticket as the version did that knew no postings: its words are rows of their own.
func (b *bench) asVersionBefore(s *story) {
	b.t.Helper()
	exec := func(query string, args ...any) {
		_, err := b.raw().Exec(query, args...)
		require.NoError(b.t, err)
	}
	exec(`DELETE FROM unposted WHERE ticket_id = $1`, s.ticket.ID)
	exec(`UPDATE tickets SET posted = false WHERE id = $1`, s.ticket.ID)
	for _, term := range tickets.Terms(s.ticket) {
		exec(`INSERT INTO words (tenant, term, ticket_id) VALUES ($1, $2, $3)`, s.ticket.Tenant, []byte(term), s.ticket.ID)
	}
}

// What the version before opened, in its time or beside this one, is found as well, before somebody posts it and afterwards; and verify has nothing to say at any time.
func TestWordsOfTheVersionBefore(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		first := b.opened("a", draft("die Straße"))
		_, err := b.raw().Exec(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600)
			INSERT INTO tickets (id, tenant, number, uuid, open, phase, origin, service, assignee, created_at, updated_at, seq, state, chain, folded)
			SELECT 10000 + i, tenant, 'X' || i, 'u' || i, open, phase, origin, service, assignee, created_at, updated_at, seq, state, chain, folded FROM tickets, n WHERE id = ` + fmt.Sprint(first.ticket.ID))
		require.NoError(t, err) // more than one batch, of another tenant
		var want []string
		for i := range 12 {
			s := b.opened("b", draft("die Straße"))
			if i < 7 {
				b.asVersionBefore(s)
			} else if i < 10 {
				require.NoError(t, b.Post(t.Context()))
				b.asVersionBefore(b.opened("b", draft("eine Straße")))
			}
			want = append(want, s.ticket.Number)
		}
		slices.Reverse(want)
		for _, posted := range []bool{false, true} {
			if posted {
				for range 2 {
					_, err := b.Migrate(t.Context())
					require.NoError(t, err)
				}
				require.Zero(t, b.count(`SELECT COUNT(*) FROM tickets WHERE NOT posted`))
			}
			for _, f := range []ticket.Filter{{Terms: "die STRASSE"}, {Terms: "die"}, {Terms: "die stra"}, {Terms: "die", CreatedAfter: epoch.Add(-time.Hour)}, {Terms: "die", Origin: "customs"}} {
				f.Limit = 4
				require.Equal(t, want, numbers(b.pages(t, "b", f)), "%+v", f)
			}
			require.Empty(t, b.pages(t, "b", ticket.Filter{Terms: "der", Limit: 4}))
			_, faults := b.verify(verify.Options{})
			require.NotContains(t, fmt.Sprint(faults), "words")
		}
	})
}

// Whatever words are looked for, with whatever else, by pages, in whatever blocks the tickets lie, posted or not: what is found is what has them.
func TestAnyWordsAreFound(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		var stories []*story
		titles := []string{"gate blocked", "gate open", "海关清关延误", "海关 gate", "gateway of all gates", "nothing", "blocked gateway"}
		for i := range 90 {
			d := draft(fmt.Sprintf("%s serial%d code%d", titles[i%len(titles)], i, i%3))
			d.Origin, d.Assignee = []string{"customs", "harbour"}[i/3%2], []string{"", "li", "wang"}[i%3]
			s := b.opened([]string{"a", "a", "b"}[i/5%3], d)
			b.clock.pass(time.Minute)
			if i%17 == 0 {
				require.NoError(t, b.Post(t.Context()))
			}
			stories = append(stories, s)
			b.n += []int{0, 0, 100, 0, 511, 7000}[i%6] // ids that others have
		}
		words := func(text string) []string {
			return strings.Fields(strings.NewReplacer("海关清关延误", "海关清关延误 海关 关清 清关 关延 延误", "海关 ", "海关 ").Replace(text))
		}
		rapid.Check(t, func(r *rapid.T) {
			asked := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"gate", "blocked", "海关", "清关", "code0", "code1", "serial7", "nowhere", "gateway"}), 0, 3, rapid.ID).Draw(r, "words")
			last := rapid.SampledFrom([]string{"gat", "gate", "serial", "serial1", "cod", "code1", "blo", "nowh", "海关", "im2"}).Draw(r, "beginning")
			f := ticket.Filter{Terms: strings.Join(append(asked, last), " "), Limit: rapid.IntRange(1, 40).Draw(r, "limit"),
				Origin: rapid.SampledFrom([]string{"", "", "harbour"}).Draw(r, "origin"), Assignee: rapid.SampledFrom([]string{"", "", "li", "nobody"}).Draw(r, "assignee")}
			if rapid.Bool().Draw(r, "by time") {
				f.CreatedAfter = stories[rapid.IntRange(0, len(stories)-1).Draw(r, "after")].ticket.CreatedAt
			}
			tenant := rapid.SampledFrom([]string{"a", "b"}).Draw(r, "tenant")
			var want []string
			for _, s := range slices.Backward(stories) {
				have := append(words(s.ticket.Title), strings.ToLower(s.ticket.Number))
				all := !slices.ContainsFunc(asked, func(word string) bool { return !slices.Contains(have, word) }) &&
					slices.ContainsFunc(have, func(word string) bool { return strings.HasPrefix(word, last) })
				if s.ticket.Tenant == tenant && all && matches(s, f) {
					want = append(want, s.ticket.Number)
				}
			}
			require.Equal(r, want, numbers(b.pages(r, tenant, f)))
		})
		_, faults := b.verify(verify.Options{})
		require.NotContains(t, fmt.Sprint(faults), "words")
	})
}

// Whoever changes what a posted ticket is found by is found out, as it is while the ticket waits.
func TestPostingsAreVerified(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		for range 3 {
			b.drawn()
		}
		require.NoError(t, b.Post(t.Context()))
		restore := b.snapshot()
		for what, do := range map[string]string{
			"taken away": `UPDATE postings SET members = replace(members, '02', '') WHERE members = '010203'`,
			"put to it":  `INSERT INTO postings SELECT tenant, term || term, block, '02' FROM postings WHERE members = '010203'`,
			"another's":  `UPDATE postings SET tenant = 'b' WHERE members = '010203'`,
			"deleted":    `DELETE FROM postings`,
		} {
			restore()
			_, faults := b.verify(verify.Options{})
			require.Empty(t, faults, what)
			b.tamper(do)
			_, faults = b.verify(verify.Options{})
			require.Contains(t, strings.Join(faults, "\n"), "the words that it is found by are not its own", what)
		}
	})
}

// Several who post at once, beside openings: every ticket is found once, and is posted in the end.
func TestPostingBesideOpenings(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		step, done := alongside(3, func() { require.NoError(t, b.Post(background())) }, func() { require.NoError(t, b.Post(background())) })
		for i := range 60 {
			b.opened("a", draft("gate"))
			step()
			require.Len(t, b.pages(t, "a", ticket.Filter{Terms: "gate", Limit: 25}), i+1)
		}
		done()
		require.NoError(t, b.Post(t.Context()))
		require.Zero(t, b.count(`SELECT COUNT(*) FROM unposted`))
		require.Len(t, b.pages(t, "a", ticket.Filter{Terms: "gate", Limit: 25}), 60)
	})
}

// Who opens posts as well, so that what waits stays few.
func TestWhatWaitsStaysFew(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		for range 511 {
			b.opened("a", draft("gate"))
		}
		require.Equal(t, 511, b.count(`SELECT COUNT(*) FROM unposted`))
		b.opened("a", draft("gate"))
		require.Eventually(t, func() bool { return b.count(`SELECT COUNT(*) FROM unposted`) <= 1 }, time.Minute, 10*time.Millisecond)
		require.Len(t, b.pages(t, "a", ticket.Filter{Terms: "gate", Limit: 200}), 512)
	})
}

// However many tickets have the words, a page of them costs what a page costs: rows that PostgreSQL itself counts, with ten thousand tickets, all of which have them.
func TestCommonWordsCostAPage(t *testing.T) {
	t.Parallel()
	b := crowded(t)
	db := b.raw()
	db.SetMaxOpenConns(1)
	rows := func() (n int) {
		_, err := db.Exec(`SELECT pg_stat_force_next_flush()`)
		require.NoError(t, err)
		require.NoError(t, db.QueryRow(`SELECT SUM(seq_tup_read + COALESCE(idx_tup_fetch, 0)) FROM pg_stat_user_tables WHERE relname IN ('tickets', 'postings', 'unposted', 'words')`).Scan(&n))
		return n
	}
	no := false
	for name, f := range map[string]ticket.Filter{
		"a word": {Terms: "gate"}, "two": {Terms: "海关 gate"}, "a beginning": {Terms: "gat"}, "of many words": {Terms: "im"}, "a beginning of many": {Terms: "im1"}, "with a rare one": {Terms: "word7 gate"},
		"far behind": {Terms: "gate", Cursor: "eyJhIjoiMjAyNi0wMS0wNVQwMDowMDowMFoiLCJuIjo1MDAwfQ"}, "of somebody": {Terms: "gate", Assignee: "person7"}, "closed": {Terms: "gate", Open: &no},
		"before": {Terms: "gate", CreatedBefore: time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC)}, "nowhere": {Terms: "gate nowhere"},
	} {
		before := rows()
		s, err := store.Open(t.Context(), b.dsn+"&application_name=observed", store.Options{MasterKey: masterKey, Connections: 1, Log: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		page, err := s.Tickets(t.Context(), "a", f)
		require.NoError(t, err)
		require.NoError(t, s.Close())
		counted(t, db)
		require.LessOrEqual(t, len(page.Items), ticket.DefaultPage)
		require.Less(t, rows()-before, 1_500, name)
	}
}
