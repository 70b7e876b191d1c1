package store_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/people"
	"signalbox/store/verify"
	"signalbox/ticket"
)

// Whom the opening named, and who came later, follow a ticket until they say otherwise, and may come back.
func TestFollowing(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		d := asked("标题", "wang", "alice")
		d.Followers = []string{"zhou", "lu"}
		one, other := b.opened("a", d), b.opened("a", asked("标题", "wang", "alice"))
		follow := func(person string, on bool) {
			t.Helper()
			require.NoError(t, b.Follow(t.Context(), one.ticket, person, on))
		}
		followers := func(first string, limit int) []string {
			t.Helper()
			list, err := b.Followers(t.Context(), one.ticket, first, limit)
			require.NoError(t, err)
			return list
		}
		lists := func(person string) (numbers []string) {
			t.Helper()
			page, err := b.Tickets(t.Context(), "a", ticket.Filter{Follower: person})
			require.NoError(t, err)
			for _, one := range page.Items {
				numbers = append(numbers, one.Number)
			}
			return numbers
		}
		require.ElementsMatch(t, []string{"zhou", "lu"}, followers("", 9))
		for range 2 { // the second time changes nothing
			follow("li", true)
			follow("zhou", false)
		}
		require.Equal(t, []string{"li", "lu"}, followers("li", 9), "who looks is first")
		require.Equal(t, []string{"li"}, followers("li", 1))
		require.Equal(t, []string{one.ticket.Number}, lists("li"))
		require.Empty(t, lists("zhou"))
		sound := func() {
			t.Helper()
			_, err := b.Verify(t.Context(), verify.Options{Ticket: one.ticket.Number}, func(f verify.Fault) { t.Error(f) })
			require.NoError(t, err)
		}
		sound()
		b.vote(one, ticket.Approve, "alice")
		follow("zhou", true)
		follow("li", false)
		require.ElementsMatch(t, []string{"zhou", "lu"}, followers("", 9))
		require.Empty(t, lists("li"))
		sound()
		page, next, err := b.FollowersPage(t.Context(), one.ticket, "", 1)
		require.NoError(t, err)
		require.Equal(t, []string{"lu"}, page)
		page, next, err = b.FollowersPage(t.Context(), one.ticket, next, 1)
		require.NoError(t, err)
		require.Equal(t, []string{"zhou"}, page)
		require.Empty(t, next)
		of, err := b.FollowersOf(t.Context(), []ticket.Ticket{one.ticket, other.ticket})
		require.NoError(t, err)
		require.Equal(t, map[int64][]string{one.ticket.ID: {"lu", "zhou"}}, of)
		none, err := b.Followers(t.Context(), other.ticket, "zhou", 9)
		require.NoError(t, err)
		require.Empty(t, none)
	})
}

// What is open of somebody's is found whatever became of the ticket and of them meanwhile, and in tickets of versions that did not say who had ended.
func TestWhatIsOpenOfSomebody(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		d := asked("标题", "wang", "alice")
		d.Followers = []string{"zhou"}
		one, other := b.opened("a", d), b.opened("a", d)
		open := func(f ticket.Filter) (numbers []string) {
			t.Helper()
			yes := true
			f.Open = &yes
			for _, f.Sort = range []ticket.Sort{ticket.SortOpened, ticket.SortDue} {
				page, err := b.Tickets(t.Context(), "a", f)
				require.NoError(t, err)
				numbers = nil
				for _, one := range page.Items {
					numbers = append(numbers, one.Number)
				}
				total, err := b.Count(t.Context(), "a", f, 9)
				require.NoError(t, err)
				require.Equal(t, len(numbers), total.N)
			}
			return numbers
		}
		both, opened, followed := []string{other.ticket.Number, one.ticket.Number}, ticket.Filter{Opener: "wang"}, ticket.Filter{Follower: "zhou"}
		marked := func() int { return b.count(`SELECT COUNT(*) FROM people WHERE ended`) }
		sound := func() {
			t.Helper()
			_, faults := b.verify(verify.Options{Ticket: one.ticket.Number})
			require.Empty(t, faults)
		}
		require.Equal(t, both, open(opened))
		require.Equal(t, both, open(followed))
		require.NoError(t, b.Follow(t.Context(), one.ticket, "li", true))
		b.act(one, ticket.Command{Action: ticket.Close})
		require.Equal(t, both[:1], open(opened))
		require.Equal(t, both[:1], open(followed))
		require.Equal(t, 3, marked(), "it is not looked at again for whoever opened or follows it")
		sound()
		for _, on := range []bool{false, true} { // who comes back while it is over
			require.NoError(t, b.Follow(t.Context(), one.ticket, "zhou", on))
		}
		require.NoError(t, b.Follow(t.Context(), one.ticket, "zhou", false))
		b.act(one, ticket.Command{Action: ticket.Reopen})
		require.Equal(t, both, open(opened))
		require.Equal(t, both[:1], open(followed))
		require.NoError(t, b.Follow(t.Context(), one.ticket, "zhou", true))
		require.Equal(t, both, open(followed), "left while it was over, and back when it was open again")
		require.Equal(t, both[1:], open(ticket.Filter{Follower: "li"}))
		require.Zero(t, marked())
		sound()

		_, err := b.raw().Exec(`UPDATE people SET ended = true`)
		require.NoError(t, err)
		_, faults := b.verify(verify.Options{Ticket: one.ticket.Number})
		require.Len(t, faults, 1)
		require.Contains(t, faults[0], "does not find it")

		b.act(other, ticket.Command{Action: ticket.Close})
		_, err = b.raw().Exec(`UPDATE people SET ended = false`)
		require.NoError(t, err)
		require.Equal(t, both[1:], open(opened), "it is held against the ticket")
		require.NoError(t, b.MarkEnded(t.Context()))
		require.Zero(t, marked(), "it was looked at before: there was nothing when it was migrated")
		_, err = b.raw().Exec(`UPDATE unended SET up_to = 1000`)
		require.NoError(t, err)
		for range 2 {
			require.NoError(t, b.MarkEnded(t.Context()))
			require.Equal(t, 2, marked())
		}
		require.Equal(t, 2, b.count(`SELECT COUNT(*) FROM people WHERE ended AND ticket_id = `+fmt.Sprint(other.ticket.ID)))
		require.Equal(t, both[1:], open(opened))
		sound()
	})
}

// As many follow a ticket as it has room for; whoever does already, or stops, is refused nothing.
func TestATicketHasRoomForSoManyFollowers(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		d := asked("标题", "wang", "alice")
		d.Followers = []string{"zhou"}
		s := b.opened("a", d)
		for i := range ticket.MaxFollowing - 1 {
			require.NoError(t, b.Follow(t.Context(), s.ticket, fmt.Sprint("p", i), true))
		}
		require.True(t, ticket.Is(b.Follow(t.Context(), s.ticket, "late", true), ticket.TooMany))
		require.NoError(t, b.Follow(t.Context(), s.ticket, "p0", true))
		require.NoError(t, b.Follow(t.Context(), s.ticket, "zhou", false))
		require.NoError(t, b.Follow(t.Context(), s.ticket, "late", true))
		require.True(t, ticket.Is(b.Follow(t.Context(), s.ticket, "zhou", true), ticket.TooMany), "also one whom the opening named")
	})
}

// Letters go to whoever follows a ticket as what happened is projected, and to nobody who has stopped: also where its opening is projected together with what came after.
func TestWhoFollowsIsTold(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		b.mailing()
		b.crewOfLetters()
		for _, id := range []string{"li", "wu"} {
			_, err := b.keep(people.Person{ID: id, Active: true, Email: id + "@example.com"})
			require.NoError(t, err)
		}
		d := draft("Please")
		d.Followers = []string{"flo", "wu"}
		s := b.opened("a", d)
		said := 0
		say := func() (told []string) {
			t.Helper()
			before, err := b.lettersOf(s)
			require.NoError(t, err)
			said++
			b.act(s, ticket.Command{Action: ticket.Say, Operator: "ada", Message: &ticket.Message{ID: fmt.Sprint("m", said), Author: "ada", Content: "news"}})
			after, err := b.lettersOf(s)
			require.NoError(t, err)
			for who, n := range after {
				for range n - before[who] {
					told = append(told, who)
				}
			}
			slices.Sort(told)
			return told
		}
		require.Equal(t, []string{"flo", "wu"}, say())
		require.NoError(t, b.Follow(t.Context(), s.ticket, "li", true))
		require.NoError(t, b.Follow(t.Context(), s.ticket, "gone", true))
		require.NoError(t, b.Follow(t.Context(), s.ticket, "ada", true))
		require.NoError(t, b.Follow(t.Context(), s.ticket, "flo", false))
		require.Equal(t, []string{"li", "wu"}, say(), "not who is away for good, nor who said it")
		require.NoError(t, b.Follow(t.Context(), s.ticket, "flo", true))
		require.NoError(t, b.Follow(t.Context(), s.ticket, "li", false))
		require.Equal(t, []string{"flo", "wu"}, say())

		together := b.begin("a", d)
		together.do(ticket.Command{Action: ticket.Say, Operator: "ada", Message: &ticket.Message{ID: "m", Author: "ada", Content: "news"}})
		b.project(together, together.events...)
		told, err := b.lettersOf(together)
		require.NoError(t, err)
		require.Equal(t, map[string]int{"flo": 1, "wu": 1}, told)
	})
}

// lettersOf counts the letters about a ticket by who gets them.
func (b *bench) lettersOf(s *story) (map[string]int, error) {
	list, _, err := b.Registered(b.t.Context(), s.ticket.ID, "", ticket.MaxPage)
	out := map[string]int{}
	for _, r := range list {
		for _, n := range r.Counts {
			if r.Person != "" {
				out[r.Person] += n
			}
		}
	}
	return out, err
}
