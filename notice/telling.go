package notice

import (
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"signalbox/flow"
	"signalbox/ticket"
)

// Reason is why somebody is told of an event. It is the type of the delivery that tells them, and stored as it stands here.
type Reason string

const (
	Asked       Reason = "asked"        // to act at a node
	Reminded    Reason = "reminded"     // they have not acted yet
	Escalated   Reason = "escalated"    // others have not acted, so they are asked
	Mentioned   Reason = "mentioned"    // in a message of the conversation
	SLAWarned   Reason = "sla_warned"   // so much of an SLA's target is used as it warns at
	SLABreached Reason = "sla_breached" // all of it is
	Followed    Reason = "followed"     // they follow the ticket
	InDigest    Reason = "digest"       // of a delivery alone: it tells of several events
)

// Item is one thing that a letter tells. Its times are UTC.
type Item struct {
	Why    Reason      `json:"why"`
	Number string      `json:"number"`
	Title  string      `json:"title"`
	URL    string      `json:"url"`               // of the ticket's page
	At     time.Time   `json:"at"`                // when it happened
	Node   string      `json:"node,omitempty"`    // the name of the node where somebody is asked
	Vote   bool        `json:"vote,omitempty"`    // they are asked to approve
	Due    *time.Time  `json:"due,omitempty"`     // by when
	SLA    string      `json:"sla,omitempty"`     // which one, and how much of it
	By     string      `json:"by,omitempty"`      // whose doing it was
	Event  ticket.Type `json:"event,omitempty"`   // what happened to a ticket that is followed
	Led    string      `json:"outcome,omitempty"` // the kind of flow.LogEntry that tells events of one type apart
	Text   string      `json:"text,omitempty"`    // the beginning of a message
}

// Limits of what an item quotes, in characters. With them an item of three bytes a character fits into the smallest message of all networks.
const (
	maxQuotedTitle = 150
	maxQuotedName  = 60
	maxQuotedText  = 300
)

// Telling is what somebody is told of an event.
type Telling struct {
	// To is who: the first of these whom the directory knows. A message that says @ada.smith may mean ada.smith, or ada at the end of a sentence.
	To   []string
	Item Item
}

// Tell gives who is told of an event as somebody whom the ticket concerns, the most important first: who is in two of them is told the first. Nobody is told that they
// mentioned themselves, or of what they did to a ticket that they follow. before and after are the ticket around the event; followers are who follows it as they are told.
func Tell(c Context, before ticket.Ticket, e ticket.Event, after ticket.Ticket, followers []string) []Telling {
	t := teller{event: e, after: after, followers: followers}
	t.item = Item{Number: after.Number, Title: brief(after.Title, maxQuotedTitle), URL: c.TicketURL(after.Number), At: e.At.UTC()}
	t.asked()
	t.sla()
	t.mentioned()
	t.followed(before)
	return t.out
}

// Told is what one person is told of an event.
type Told struct {
	Person string
	Item   Item
}

// Tellings gives of some tellings those to people who are known, in their order, and to each the first.
func Tellings(list []Telling, known func(id string) bool) (out []Told) {
	for _, t := range list {
		i := slices.IndexFunc(t.To, known)
		if i >= 0 && !slices.ContainsFunc(out, func(had Told) bool { return had.Person == t.To[i] }) {
			out = append(out, Told{t.To[i], t.Item})
		}
	}
	return out
}

// Named gives the ids of those whom events name by themselves, before anything is known of the ticket: nearly all who are told of them.
func Named(events []ticket.Event) (ids []string) {
	for _, e := range events {
		for _, h := range e.ProcessLog {
			if h.Notifies() {
				ids = append(ids, h.To...)
			}
		}
		if m := e.After.Message; m != nil {
			for _, one := range Mentions(m.Content) {
				ids = append(ids, one...)
			}
		}
	}
	return ids
}

type teller struct {
	event     ticket.Event
	after     ticket.Ticket
	followers []string
	item      Item // what all items of the event say
	out       []Telling
}

func (t *teller) tell(item Item, to ...string) { t.out = append(t.out, Telling{To: to, Item: item}) }

// asked tells those whom the process asks for something, as far as they are still asked for it once the event is over.
func (t *teller) asked() {
	var nodes []ticket.Node
	for i, h := range t.event.ProcessLog {
		if !h.Notifies() {
			continue
		}
		if nodes == nil {
			if nodes = t.after.Nodes(); len(nodes) == 0 {
				return
			}
		}
		at := slices.IndexFunc(nodes, func(n ticket.Node) bool { return n.Node == h.Node })
		if at < 0 {
			continue
		}
		node, item := nodes[at], t.item
		item.Why = map[string]Reason{flow.Reminded: Reminded, flow.Escalated: Escalated}[h.Kind]
		if item.Why == "" {
			item.Why = Asked
		}
		item.Node, item.Vote, item.Due = brief(node.Name, maxQuotedName), node.Type == flow.Approval, utc(node.Due)
		if item.Due == nil {
			item.Due = utc(t.after.DueAt())
		}
		for _, person := range h.To {
			earlier := slices.ContainsFunc(t.event.ProcessLog[:i], func(e flow.LogEntry) bool {
				return e.Notifies() && e.Node == h.Node && e.Kind == h.Kind && slices.Contains(e.To, person)
			})
			if slices.Contains(node.Pending, person) && !earlier {
				t.tell(item, person)
			}
		}
	}
}

// sla tells those who can still keep the promise: who is asked, or the assignee, or where there is neither the opener.
func (t *teller) sla() {
	why := map[ticket.Type]Reason{ticket.SLAWarned: SLAWarned, ticket.SLABreached: SLABreached}[t.event.Type]
	if why == "" {
		return
	}
	to := t.after.WaitingFor()
	for _, other := range []string{t.after.Assignee, t.after.Opener} {
		if len(to) == 0 && other != "" {
			to = []string{other}
		}
	}
	for _, h := range t.event.ProcessLog {
		if h.Kind != flow.SLAWarned && h.Kind != flow.SLABreached {
			continue
		}
		item := t.item
		item.Why, item.SLA = why, brief(h.Note, maxQuotedName)
		name, _, _ := strings.Cut(h.Note, ":")
		if i := slices.IndexFunc(t.after.Position.SLA, func(c flow.SLAClock) bool { return c.Name == name }); i >= 0 {
			item.Due = utc(t.after.Position.SLA[i].Due)
		}
		for _, person := range to {
			t.tell(item, person)
		}
		return
	}
}

// mentioned tells those whom a message mentions, and once it was edited those whom it did not mention before.
func (t *teller) mentioned() {
	m := t.event.After.Message
	if m == nil {
		return
	}
	had := map[string]bool{t.event.Actor: true}
	if earlier := t.event.Before.Message; earlier != nil {
		for _, ids := range Mentions(earlier.Content) {
			had[ids[0]] = true
		}
	}
	item := t.item
	item.Why, item.By, item.Text = Mentioned, brief(t.event.Actor, maxQuotedName), brief(m.Content, maxQuotedText)
	for _, ids := range Mentions(m.Content) {
		if !had[ids[0]] {
			t.tell(item, slices.DeleteFunc(ids, func(id string) bool { return id == t.event.Actor })...)
		}
	}
}

// followed tells those who follow the ticket what the stream is told of it too, and of broken promises. That others are reminded is no news.
func (t *teller) followed(before ticket.Ticket) {
	log := t.event.ProcessLog
	if len(t.followers) == 0 || t.event.Type == ticket.Opened || len(log) > 0 && log[0].Kind == flow.Reminded {
		return
	}
	if _, moved := OfTicket(before, t.event, t.after); !moved && t.event.Type != ticket.SLABreached {
		return
	}
	item := t.item
	item.Why, item.By, item.Event = Followed, brief(t.event.Actor, maxQuotedName), t.event.Type
	if len(log) > 0 {
		item.Led = log[0].Kind
	}
	if m := t.event.After.Message; m != nil {
		item.Text = brief(m.Content, maxQuotedText)
	}
	for _, person := range t.followers {
		if person != t.event.Actor {
			t.tell(item, person)
		}
	}
}

// MaxMentions is how many mentions of a message count; others mention nobody.
const MaxMentions = 50

// Mentions finds the mentions of a message: an @ that does not stand within a word, and an id behind it. Where an id ends is not written: for each mention all that it may
// be are given, the longest first. It ends before a blank at the latest, and never within a word of an alphabet; characters of Chinese, Japanese and Korean are each a
// word of their own.
func Mentions(text string) (list [][]string) {
	for _, m := range MentionsIn(text) {
		list = append(list, m.IDs)
	}
	return list
}

// Mention is one of them.
type Mention struct {
	At  int      // where its @ stands, in octets
	IDs []string // all that it may be, the longest first; at least one
}

// MentionsIn is Mentions for whoever shows the text.
func MentionsIn(text string) (list []Mention) {
	for at := 0; len(list) < MaxMentions; {
		i := strings.IndexByte(text[at:], '@')
		if i < 0 {
			return list
		}
		at += i + 1
		if last, _ := utf8.DecodeLastRuneInString(text[:at-1]); within(last) {
			continue
		}
		if ids := idsAt(text[at:]); len(ids) > 0 {
			list = append(list, Mention{At: at - 1, IDs: ids})
			at += len(ids[0])
		}
	}
	return list
}

// idsAt gives the ids that a text may begin with, the longest first.
func idsAt(text string) (ids []string) {
	var last rune
	for i, r := range text + " " {
		blank := unicode.IsSpace(r) || unicode.IsControl(r) || r == ','
		if i > 0 && (blank || !within(last) || !within(r)) && utf8.RuneCountInString(text[:i]) <= ticket.MaxName {
			ids = append(ids, text[:i])
		}
		if blank || len(ids) > maxEnds {
			break
		}
		last = r
	}
	slices.Reverse(ids)
	return ids
}

// maxEnds bounds how many ids one mention may be.
const maxEnds = 40

// within reports whether a character is part of a word that goes on on both sides of it.
func within(r rune) bool {
	return (unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_') && !unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul)
}

// brief makes a text one line of at most so many characters.
func brief(text string, most int) string {
	text = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, "?"), func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most-1]) + "…"
}

func utc(at *time.Time) *time.Time {
	if at == nil {
		return nil
	}
	u := at.UTC()
	return &u
}
