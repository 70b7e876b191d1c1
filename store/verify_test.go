package store_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"signalbox/desk"
	"signalbox/notice"
	"signalbox/store"
	"signalbox/store/verify"
	"signalbox/ticket"
)

// drawn opens a ticket the way the desk does: its id is drawn, its opening claimed and finished.
func (b *bench) drawn() *story {
	b.t.Helper()
	op, prepare := b.opening("")
	claimed, fresh, err := b.ledger.Claim(b.t.Context(), op, prepare)
	require.NoError(b.t, err)
	require.True(b.t, fresh)
	require.NoError(b.t, b.ledger.Finish(b.t.Context(), claimed, claimed.Opening))
	return &story{t: b.t, ticket: ticket.Fold(ticket.Ticket{}, claimed.Opening), events: claimed.Opening, at: b.clock.Now()}
}

// lived is a ticket with a timeline of six events, with an alert after the third.
func (b *bench) lived() *story {
	s := b.drawn()
	_, err := b.Register(b.t.Context(), s.ticket, notice.Subscription{URL: hook})
	require.NoError(b.t, err)
	b.act(s, ticket.Command{Action: ticket.Accept})
	b.project(s, s.relate("manifest", "1", "2")...)
	for _, work := range b.pending() {
		if work.Delivery.Lane.TicketID == s.ticket.ID {
			b.record(b.tried(work, notice.Failed))
		}
	}
	b.project(s, s.relate("manifest", "3")...)
	b.act(s, ticket.Command{Action: ticket.Say, Message: &ticket.Message{ID: "m", Author: "li", Content: "x"}})
	b.act(s, ticket.Command{Action: ticket.Revise, Message: &ticket.Message{ID: "m", Author: "li", Content: "y"}})
	return s
}

func (b *bench) verify(o verify.Options) (sum verify.Result, faults []string) {
	b.t.Helper()
	sum, err := b.Verify(b.t.Context(), o, func(f verify.Fault) {
		faults = append(faults, strings.TrimSpace(f.Number+" "+f.What))
	})
	require.NoError(b.t, err)
	require.EqualValues(b.t, len(faults), sum.Faults+sum.Unchained)
	return sum, faults
}

// tamper does something to the database as somebody would who may do everything there, but has no key.
func (b *bench) tamper(statements ...string) {
	b.t.Helper()
	tx, err := b.raw().Begin()
	require.NoError(b.t, err)
	defer tx.Rollback()
	if strings.HasPrefix(b.dsn, "postgres") {
		_, err := tx.Exec(`SET LOCAL session_replication_role = replica`) // foreign keys put aside
		require.NoError(b.t, err)
	}
	for _, statement := range statements {
		result, err := tx.Exec(statement)
		require.NoError(b.t, err, statement)
		n, err := result.RowsAffected()
		require.NoError(b.t, err)
		require.Positive(b.t, n, "it did nothing: %s", statement)
	}
	require.NoError(b.t, tx.Commit())
}

func TestNothingIsFoundWhereNobodyTouchedAnything(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		first, _ := b.lived(), b.lived()

		refused, prepare := b.opening("")
		refused, _, err := b.ledger.Claim(t.Context(), refused, prepare)
		require.NoError(t, err)
		require.NoError(t, b.ledger.Close(t.Context(), refused.ID, desk.Refused, "no"))
		again, prepare := b.opening("again")
		again, _, err = b.ledger.Claim(t.Context(), again, prepare)
		require.NoError(t, err)
		require.NoError(t, b.ledger.Close(t.Context(), again.ID, desk.Void, "no"))
		running, prepare := b.opening("")
		_, _, err = b.ledger.Claim(t.Context(), running, prepare)
		require.NoError(t, err)
		b.lived()

		sum, faults := b.verify(verify.Options{})
		require.Empty(t, faults)
		require.Equal(t, verify.Result{Tickets: 3, Rows: 21, Void: 2}, sum)

		repeated, prepare := b.opening("again")
		again, fresh, err := b.ledger.Claim(t.Context(), repeated, prepare)
		require.NoError(t, err)
		require.True(t, fresh)
		require.NoError(t, b.ledger.Finish(t.Context(), again, again.Opening))
		sum, faults = b.verify(verify.Options{})
		require.Empty(t, faults)
		require.Equal(t, verify.Result{Tickets: 4, Rows: 22, Void: 1}, sum, "an opening that was taken up again has its ticket")

		sum, faults = b.verify(verify.Options{Ticket: first.ticket.Number})
		require.Empty(t, faults)
		require.Equal(t, verify.Result{Tickets: 1, Rows: 7}, sum)
		sum, _ = b.verify(verify.Options{Tenant: "b"})
		require.Zero(t, sum)
		_, err = b.Verify(t.Context(), verify.Options{Ticket: "IM1"}, nil)
		require.True(t, ticket.Is(err, ticket.NotFound))
	})
}

// onceOnly is what a version that kept no account of ids would have left, so it can be taken in.
const onceOnly = "the first 3 ids of tickets were drawn by a version"

// TestEveryTamperingIsFound: each is done to the second of three tickets, of which the first and the last stay clean.
func TestEveryTamperingIsFound(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes long")
	}
	// Of the ticket with the id 2, which has the events 1 to 6.
	cases := map[string]struct {
		do   []string
		want string // in the words of the fault
	}{
		"a changed actor":          {[]string{`UPDATE events SET actor = 'wang' WHERE ticket_id = 2 AND seq = 3`}, "event 3 is not what was written there"},
		"a changed content":        {[]string{`UPDATE events SET content = replace(content, '"li"', '"wang"') WHERE ticket_id = 2 AND seq = 5`}, "event 5 is not what"},
		"a changed time":           {[]string{`UPDATE events SET at = (SELECT MIN(at) FROM events) WHERE ticket_id = 2 AND seq = 6`}, "event 6 is not what"},
		"a changed hash":           {[]string{`UPDATE events SET hash = 'abc' WHERE ticket_id = 2 AND seq = 4`}, "event 4 is not what"},
		"a row cut out":            {[]string{`DELETE FROM events WHERE ticket_id = 2 AND seq = 4`}, "event 4 is missing"},
		"two rows cut out":         {[]string{`DELETE FROM events WHERE ticket_id = 2 AND seq IN (3, 4)`}, "events 3 to 4 are missing"},
		"the first cut off":        {[]string{`DELETE FROM events WHERE ticket_id = 2 AND seq = 1`}, "event 1 is missing"},
		"the last cut off":         {[]string{`DELETE FROM events WHERE ticket_id = 2 AND seq = 6`}, "event 6 is missing"},
		"all cut off":              {[]string{`DELETE FROM events WHERE ticket_id = 2`}, "events 1 to 6 are missing"},
		"the last, covered up":     {[]string{`DELETE FROM events WHERE ticket_id = 2 AND seq = 6`, `UPDATE tickets SET seq = 5, chain = '5.0.' || (SELECT hash FROM events WHERE ticket_id = 2 AND seq = 5) || substr(chain, length(chain) - 64) WHERE id = 2`}, "the end of its chain is not what was written there"},
		"a row closed up":          {[]string{`DELETE FROM events WHERE ticket_id = 2 AND seq = 5`, `UPDATE events SET seq = 5 WHERE ticket_id = 2 AND seq = 6`}, "event 5 is not what"},
		"two rows swapped":         {[]string{`UPDATE events SET seq = -3 WHERE ticket_id = 2 AND seq = 3`, `UPDATE events SET seq = 3 WHERE ticket_id = 2 AND seq = 4`, `UPDATE events SET seq = 4 WHERE ticket_id = 2 AND seq = -3`}, "event 3 is not what"},
		"a row of another":         {[]string{`DELETE FROM events WHERE ticket_id = 2 AND seq = 2`, `UPDATE events SET ticket_id = 2 WHERE ticket_id = 3 AND seq = 2`}, "event 2 is not what"},
		"a row added":              {[]string{`INSERT INTO events (ticket_id, seq, at, type, actor, operation, content, hash) SELECT ticket_id, 7, at, type, actor, operation, content, hash FROM events WHERE ticket_id = 2 AND seq = 6`}, "event 7 is not what"},
		"an alert added":           {[]string{`INSERT INTO alerts SELECT 'x', 'a', 2, 6, 1, at, 'dropped', '', '', '', '', hash FROM events WHERE ticket_id = 2 AND seq = 3`}, "alert 1 after event 6 is not what"},
		"a changed alert":          {[]string{`UPDATE alerts SET reason = '' WHERE ticket_id = 2`}, "alert 1 after event 3 is not what"},
		"an alert moved":           {[]string{`UPDATE alerts SET seq = 5 WHERE ticket_id = 2`}, "alert 1 after event 5 is not what"},
		"an alert deleted":         {[]string{`DELETE FROM alerts WHERE ticket_id = 2`}, "event 4 is not what"},
		"a row added and bare":     {[]string{`INSERT INTO events (ticket_id, seq, at, type, actor, operation, content, hash) SELECT ticket_id, 7, at, type, actor, operation, content, '' FROM events WHERE ticket_id = 2 AND seq = 6`}, "not in the chain: 1"},
		"a row of no known type":   {[]string{`INSERT INTO events (ticket_id, seq, at, type, actor, operation, content, hash) SELECT ticket_id, 7, at, type, actor, operation, replace(content, '"type"', '"kind"'), '' FROM events WHERE ticket_id = 2 AND seq = 6`, `UPDATE tickets SET state = replace(state, '"customs"', '"post"') WHERE id = 2`}, "event 7 is not in the chain, and cannot be read"},
		"an alert as an event":     {[]string{`INSERT INTO alerts SELECT 'x', 'a', 2, 6, 0, at, 'dropped', '', '', '', '', '' FROM events WHERE ticket_id = 2 AND seq = 6`, `UPDATE tickets SET state = replace(state, '"customs"', '"post"') WHERE id = 2`}, "its state is not what its timeline comes to"},
		"a hash removed":           {[]string{`UPDATE events SET hash = '' WHERE ticket_id = 2 AND seq = 6`}, "does not end where its chain does"},
		"changed and stripped":     {[]string{`UPDATE events SET actor = 'wang' WHERE ticket_id = 2 AND seq = 3`, `UPDATE events SET hash = '' WHERE ticket_id = 2 AND seq = 5`}, "event 3 is not what"},
		"the chain removed":        {[]string{`UPDATE events SET hash = '' WHERE ticket_id = 2`, `UPDATE alerts SET hash = '' WHERE ticket_id = 2`, `UPDATE tickets SET chain = '' WHERE id = 2`}, "not in the chain: 7"},
		"the end removed":          {[]string{`UPDATE tickets SET chain = '' WHERE id = 2`}, "does not end where its chain does"},
		"the end of another":       {[]string{`UPDATE tickets SET chain = (SELECT chain FROM tickets WHERE id = 3) WHERE id = 2`}, "the end of its chain is not what"},
		"what was taken in":        {[]string{`UPDATE tickets SET chain = replace(chain, '7.0.', '7.3.') WHERE id = 2`}, "the end of its chain is not what"},
		"a changed state":          {[]string{`UPDATE tickets SET state = replace(state, '"customs"', '"post"') WHERE id = 2`}, "its state is not what its timeline comes to"},
		"a changed column":         {[]string{`UPDATE tickets SET origin = 'post', phase = 'completed' WHERE id = 2`}, "something else than its timeline: phase, origin"},
		"a changed message":        {[]string{`UPDATE messages SET content = 'z' WHERE ticket_id = 2`}, "message m of its conversation is not what was said"},
		"a message before another": {[]string{`UPDATE messages SET seq = 9 WHERE ticket_id = 2`}, "message m of its conversation is not what was said"},
		"when it was said":         {[]string{`UPDATE messages SET created_at = (SELECT MIN(at) FROM events) WHERE ticket_id = 2`}, "message m of its conversation is not what was said"},
		"when it was revised":      {[]string{`UPDATE messages SET updated_at = created_at WHERE ticket_id = 2`}, "message m of its conversation is not what was said"},
		"a message deleted":        {[]string{`DELETE FROM messages WHERE ticket_id = 2`}, "messages of its conversation that are missing: 1"},
		"a relation changed":       {[]string{`UPDATE relations SET content = '4' WHERE ticket_id = 2`}, "its relations of the type manifest are not"},
		"a relation's tenant":      {[]string{`UPDATE relations SET tenant = 'b' WHERE ticket_id = 2`}, "it has relations of another tenant"},
		"an end":                   {[]string{`UPDATE tickets SET ended_at = created_at WHERE id = 2`}, "something else than its timeline: ended_at"},
		"a tag added":              {[]string{`INSERT INTO ticket_tags (tenant, tag, ticket_id) VALUES ('a', 'z', 2)`}, "the tags that it is found by"},
		"a word deleted":           {[]string{`UPDATE unposted SET terms = replace(terms, ' x ', ' ') WHERE ticket_id = 2`}, "the words that it is found by"},
		"a word added":             {[]string{`UPDATE unposted SET terms = terms || 'y ' WHERE ticket_id = 2`}, "the words that it is found by"},
		"a word's tenant":          {[]string{`UPDATE unposted SET tenant = 'b' WHERE ticket_id = 2`}, "the words that it is found by"},
		"all words deleted":        {[]string{`DELETE FROM unposted WHERE ticket_id = 2`}, "the words that it is found by"},
		"somebody to wait for":     {[]string{`INSERT INTO waiting (tenant, person, ticket_id) VALUES ('a', 'wang', 2)`}, "whom it is listed as waiting for"},
		"nobody who took part":     {[]string{`DELETE FROM people WHERE ticket_id = 2`}, "its people, or their parts"},
		"somebody's place":         {[]string{`UPDATE people SET seq = 9 WHERE ticket_id = 2`}, "its people, or their parts"},
		"somebody who took part":   {[]string{`INSERT INTO people (tenant, person, part, ticket_id, seq) VALUES ('a', 'wang', 'follower', 2, 1)`}, "its people, or their parts"},
		"an approver":              {[]string{`INSERT INTO people (tenant, person, part, ticket_id, seq) VALUES ('a', 'wang', 'approver', 2, 1)`}, "its people, or their parts"},
		"a relation added":         {[]string{`INSERT INTO relations SELECT 2, 'other', place, content, tenant FROM relations WHERE ticket_id = 1`}, "relations of types that were never added: 1"},
		"the alerts that are left": {[]string{`DELETE FROM events WHERE ticket_id = 2`, `DELETE FROM tickets WHERE id = 2`}, "there are alerts of ticket 2, which has no row"},
		"its row deleted":          {[]string{`DELETE FROM tickets WHERE id = 2`}, "there are events of ticket 2, which has no row"},
		"all of it deleted":        {[]string{`DELETE FROM events WHERE ticket_id = 2`, `DELETE FROM alerts WHERE ticket_id = 2`, `DELETE FROM tickets WHERE id = 2`}, "the ticket with the id 2 is missing"},
		"deleted, explained":       {[]string{`DELETE FROM events WHERE ticket_id = 2`, `DELETE FROM alerts WHERE ticket_id = 2`, `DELETE FROM tickets WHERE id = 2`, `INSERT INTO unopened SELECT 2, false, created_at, chain FROM tickets WHERE id = 1`}, "the ticket with the id 2 is missing"},
		"deleted, claimed anew":    {[]string{`DELETE FROM events WHERE ticket_id = 2`, `DELETE FROM alerts WHERE ticket_id = 2`, `DELETE FROM tickets WHERE id = 2`, `UPDATE operations SET state = 'running', lease = created_at, seal = 'x' WHERE number LIKE '%0000000002'`}, "the ticket with the id 2 is missing"},
		"deleted, never done":      {[]string{`DELETE FROM events WHERE ticket_id = 2`, `DELETE FROM alerts WHERE ticket_id = 2`, `DELETE FROM tickets WHERE id = 2`, `UPDATE operations SET state = 'running', lease = created_at WHERE number LIKE '%0000000002'`}, "the ticket with the id 2 is missing"},
		"the last one deleted":     {[]string{`DELETE FROM events WHERE ticket_id = 3`, `DELETE FROM alerts WHERE ticket_id = 3`, `DELETE FROM tickets WHERE id = 3`}, "the ticket with the id 3 is missing"},
		"the counter put back":     {[]string{`DELETE FROM events WHERE ticket_id = 3`, `DELETE FROM alerts WHERE ticket_id = 3`, `DELETE FROM tickets WHERE id = 3`, `UPDATE counters SET value = 2 WHERE name = 'tickets'`}, "the counter of tickets was turned back"},
		"the mark put back":        {[]string{`DELETE FROM events WHERE ticket_id = 3`, `DELETE FROM alerts WHERE ticket_id = 3`, `DELETE FROM tickets WHERE id = 3`, `UPDATE counters SET value = 2, mark = 2 WHERE name = 'tickets'`}, "the counter of tickets is not what was written there"},
		"the counter unsealed":     {[]string{`UPDATE counters SET seal = '' WHERE name = 'tickets'`}, onceOnly},
		"a ticket out of thin air": {[]string{`UPDATE tickets SET id = 9, number = 'x', uuid = 'x' WHERE id = 3`, `UPDATE events SET ticket_id = 9 WHERE ticket_id = 3`}, "there is a ticket with the id 9"},
	}
	both(t, func(t *testing.T, b *bench) {
		b.lived()
		second := b.lived()
		b.lived()
		restore := b.snapshot()
		for name, c := range cases {
			t.Run(name, func(t *testing.T) {
				second := *second
				b.t, second.t = t, t
				restore()
				_, faults := b.verify(verify.Options{})
				require.Empty(t, faults)

				b.tamper(c.do...)
				_, faults = b.verify(verify.Options{})
				require.NotEmpty(t, faults)
				require.Contains(t, strings.Join(faults, "\n"), c.want)

				if c.want == onceOnly || strings.Contains(c.want, "phase, origin") || strings.HasSuffix(c.want, "ended_at") {
					return // the next event puts the row right
				}
				// What goes on afterwards hides nothing, whether or not it can be done, and taking in is not for what was tampered with.
				expired, err := b.ledger.Expired(t.Context(), 10)
				require.NoError(t, err)
				for _, op := range expired {
					require.NoError(t, b.ledger.Close(t.Context(), op.ID, desk.Void, "did not happen"))
				}
				op, prepare := b.opening("")
				if claimed, _, err := b.ledger.Claim(t.Context(), op, prepare); err == nil {
					_ = b.ledger.Finish(t.Context(), claimed, claimed.Opening)
				}
				said := second.do(ticket.Command{Action: ticket.Say, Message: &ticket.Message{ID: "m2", Author: "li", Content: "z"}})
				_ = b.ledger.Project(t.Context(), second.ticket.Identity, said)
				_, faults = b.verify(verify.Options{Backfill: !strings.Contains(c.want, "not in the chain")})
				require.NotEmpty(t, faults, "it was hidden by what came afterwards")
				_, faults = b.verify(verify.Options{})
				require.NotEmpty(t, faults, "it was taken in")
			})
		}
	})
}

// snapshot keeps what all tables hold now; restore puts it back, whatever was done to the rows meanwhile.
func (b *bench) snapshot() (restore func()) {
	b.t.Helper()
	db, tables := b.raw(), []string(nil)
	list, begin := `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'`, `BEGIN IMMEDIATE;`
	if strings.HasPrefix(b.dsn, "postgres") {
		list, begin = `SELECT tablename FROM pg_tables WHERE schemaname = 'public'`, `BEGIN; SET LOCAL session_replication_role = replica;`
	}
	require.NoError(b.t, sqlx.NewDb(db, "").Select(&tables, list))
	require.NotEmpty(b.t, tables)
	back := begin
	for _, table := range tables {
		_, err := db.Exec(fmt.Sprintf(`CREATE TABLE kept_%[1]s AS SELECT * FROM %[1]s`, table))
		require.NoError(b.t, err)
		back += fmt.Sprintf(`DELETE FROM %[1]s; INSERT INTO %[1]s SELECT * FROM kept_%[1]s;`, table)
	}
	return func() {
		b.t.Helper()
		_, err := db.Exec(back + `COMMIT`)
		require.NoError(b.t, err)
	}
}

// TestAnySingleChangeIsFound changes, deletes, adds or swaps whatever rows and columns.
func TestAnySingleChangeIsFound(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		for range 3 {
			b.lived()
		}
		_, err := b.raw().Exec(`CREATE TABLE kept AS SELECT * FROM events`)
		require.NoError(t, err)
		untouched := func() {
			_, faults := b.verify(verify.Options{})
			require.Empty(t, faults)
		}
		untouched()
		columns := []string{"at", "type", "actor", "operation", "content", "hash"}
		rapid.Check(t, func(r *rapid.T) {
			id, seq := rapid.IntRange(1, 3).Draw(r, "ticket"), rapid.IntRange(1, 6).Draw(r, "seq")
			other, otherSeq := rapid.IntRange(1, 3).Draw(r, "other ticket"), rapid.IntRange(1, 6).Draw(r, "other seq")
			column := rapid.SampledFrom(columns).Draw(r, "column")
			if id == other && seq == otherSeq {
				other = id%3 + 1
			}
			all := "at, type, actor, operation, content, hash"
			var do []string
			switch rapid.SampledFrom([]string{"change", "delete", "add", "swap"}).Draw(r, "what") {
			case "change":
				value := fmt.Sprintf("%s || ' '", column)
				if column == "at" {
					value = "'2020-01-01 00:00:00.000000+00:00'"
				}
				do = []string{fmt.Sprintf(`UPDATE events SET %s = %s WHERE ticket_id = %d AND seq = %d`, column, value, id, seq)}
			case "delete":
				do = []string{fmt.Sprintf(`DELETE FROM events WHERE ticket_id = %d AND seq = %d`, id, seq)}
			case "add":
				do = []string{fmt.Sprintf(`INSERT INTO events (ticket_id, seq, %s) SELECT %d, %d, %s FROM events WHERE ticket_id = %d AND seq = %d`,
					all, id, rapid.SampledFrom([]int{-1, 0, 7, 8}).Draw(r, "place"), all, other, otherSeq)}
			case "swap":
				do = []string{
					fmt.Sprintf(`UPDATE events SET seq = -100 WHERE ticket_id = %d AND seq = %d`, id, seq),
					fmt.Sprintf(`UPDATE events SET ticket_id = %d, seq = %d WHERE ticket_id = %d AND seq = %d`, id, seq, other, otherSeq),
					fmt.Sprintf(`UPDATE events SET ticket_id = %d, seq = %d WHERE ticket_id = %d AND seq = -100`, other, otherSeq, id),
				}
			}
			b.tamper(do...)
			_, faults := b.verify(verify.Options{})
			require.NotEmpty(t, faults, do)
			b.tamper(`DELETE FROM events`, `INSERT INTO events SELECT * FROM kept`)
		})
		untouched() // so each began with what nobody had touched
	})
}

// TestWhatIsGoingOnIsNoFault verifies while tickets are opened and acted on.
func TestWhatIsGoingOnIsNoFault(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		var stories []*story
		for range 4 {
			stories = append(stories, b.drawn())
		}
		done := make(chan struct{})
		var wg sync.WaitGroup
		for n, s := range stories {
			wg.Go(func() {
				for i := range 40 {
					events := s.relate("manifest", fmt.Sprint(i))
					if err := b.ledger.Project(t.Context(), s.ticket.Identity, events); err != nil {
						t.Error(err)
						return
					}
				}
				if n == 0 {
					close(done)
				}
			})
		}
		verified := 0
		for over := false; !over; verified++ {
			select {
			case <-done:
				over = true
			default:
			}
			_, faults := b.verify(verify.Options{})
			require.Empty(t, faults)
		}
		wg.Wait()
		sum, faults := b.verify(verify.Options{})
		require.Empty(t, faults)
		require.EqualValues(t, 4+160, sum.Rows)
		t.Logf("verified %d times meanwhile", verified)
	})
}

// TestAnOpeningThatIsTakenUpAgainIsNoFault: its id has no ticket, and is explained by its claim, then by a row of its own, then by its claim again.
func TestAnOpeningThatIsTakenUpAgainIsNoFault(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		first, prepare := b.opening("again")
		first, _, err := b.ledger.Claim(t.Context(), first, prepare)
		require.NoError(t, err)
		b.drawn()
		var wg sync.WaitGroup
		defer wg.Wait()
		steps := make(chan struct{}, 1)
		step := func() {
			select {
			case steps <- struct{}{}:
			default: // the one before is being verified still
			}
		}
		wg.Go(func() {
			defer close(steps)
			for range 200 {
				if err := b.ledger.Close(t.Context(), first.ID, desk.Void, "no"); err != nil {
					t.Error(err)
					return
				}
				step()
				repeated, prepare := b.opening("again")
				if _, fresh, err := b.ledger.Claim(t.Context(), repeated, prepare); err != nil || !fresh {
					t.Error(fresh, err)
					return
				}
				step()
			}
		})
		for range steps { // beside the next of them
			_, faults := b.verify(verify.Options{})
			require.Empty(t, faults)
		}
	})
}

// TestWhatAVersionWithoutTheChainWroteIsTakenInOnce: its rows are told of until somebody has them taken in, and counted as such for ever.
func TestWhatAVersionWithoutTheChainWroteIsTakenInOnce(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s := b.lived()
		b.lived()
		// As that version left it, with an id that it drew for nothing.
		b.tamper(`UPDATE events SET hash = ''`, `UPDATE alerts SET hash = ''`, `UPDATE tickets SET chain = ''`, `UPDATE counters SET value = 3, base = 0, mark = 0, seal = '' WHERE name = 'tickets'`)
		b.act(s, ticket.Command{Action: ticket.Say, Message: &ticket.Message{ID: "m2", Author: "li", Content: "z"}})
		b.drawn()

		sum, faults := b.verify(verify.Options{})
		require.Len(t, faults, 3, faults)
		require.EqualValues(t, 0, sum.Faults, faults)
		sum, faults = b.verify(verify.Options{Backfill: true})
		require.Empty(t, faults)
		require.Equal(t, verify.Result{Tickets: 3, Rows: 16, Backfilled: 14, Void: 1}, sum)
		sum, faults = b.verify(verify.Options{})
		require.Empty(t, faults)
		require.EqualValues(t, 14, sum.Backfilled)

		b.act(s, ticket.Command{Action: ticket.Say, Message: &ticket.Message{ID: "m3", Author: "li", Content: "z"}})
		b.drawn()
		_, faults = b.verify(verify.Options{})
		require.Empty(t, faults)
		b.tamper(`UPDATE events SET actor = 'x' WHERE ticket_id = 1 AND seq = 2`, `DELETE FROM events WHERE ticket_id = 2`,
			`DELETE FROM alerts WHERE ticket_id = 2`, `DELETE FROM tickets WHERE id = 2`)
		_, faults = b.verify(verify.Options{Backfill: true})
		require.Len(t, faults, 2, "what was taken in is guarded like the rest: %v", faults)
	})
}

// TestAForgedChainIsFound: whoever knows how the chain is made, and not the key, cannot make it.
func TestAForgedChainIsFound(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		b.lived()
		// The same ticket as another house chains it, with another key.
		b.tamper(`UPDATE data_keys SET purpose = 'mine' WHERE purpose = 'audit'`)
		other, err := store.Open(t.Context(), b.dsn, store.Options{MasterKey: masterKey, Now: b.clock.Now})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, other.Close()) })
		var faults []string
		_, err = other.Verify(t.Context(), verify.Options{Backfill: true}, func(f verify.Fault) { faults = append(faults, f.What) })
		require.NoError(t, err)
		require.GreaterOrEqual(t, len(faults), 8, faults)
	})
}
