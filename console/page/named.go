package page

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"html"
	"html/template"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"signalbox/notice"
)

// named is whom a page names. While the page is made, a mark stands wherever somebody is named; once it is made, all of them are looked up at once, and what they are called takes the place
// of the marks. So no area asks for names, and a page asks for them in one statement, however many there are.
type named struct {
	mark   string // begins all marks of the page; nobody can have written it into a text, since it is another one each time
	ids    map[string]int
	order  []string // the ids, by their numbers
	spoken []mentioned
}

// mentioned is somebody whom a text mentions. Where the id ends is not written: the longest first, these are all that it may be.
type mentioned struct {
	ids   []string
	text  string // what stands there, the @ left out
	shown string // how much of it is taken for a name where nobody of these is known
}

// What of somebody a mark stands for.
const (
	markName    = 'n' // what they are called
	markTitle   = 't' // their id as the title of an element, where they are called something else
	markMention = 'm' // all of an element
)

// maxMentioned bounds how many ids are looked up because a text may mention them: a text can be written so that they are many.
const maxMentioned = 1_000

func newNamed() *named {
	return &named{mark: "p" + strings.ToLower(rand.Text()), ids: map[string]int{}}
}

func (n *named) at(what byte, i int) string { return n.mark + string(what) + strconv.Itoa(i) + "." }

func (n *named) number(id string) int {
	i, ok := n.ids[id]
	if !ok {
		i = len(n.order)
		n.ids[id], n.order = i, append(n.order, id)
	}
	return i
}

// person shows whoever has an id, by the name that the directory has, with the id as the title. In an attribute no more than the name is left of it.
func (v *Visit) person(id any, class ...string) template.HTML {
	text := idOf(id)
	if text == "" {
		return ""
	}
	i, more := v.named.number(text), ""
	if len(class) > 0 {
		more = ` class="` + html.EscapeString(strings.Join(class, " ")) + `"`
	}
	return template.HTML("<bdi" + more + v.named.at(markTitle, i) + ">" + v.named.at(markName, i) + "</bdi>") //nolint:gosec // what takes the places of the marks is escaped
}

// called is what somebody is called, for where no element can be: in attributes, options and sentences.
func (v *Visit) called(id any) string {
	text := idOf(id)
	if text == "" {
		return ""
	}
	return v.named.at(markName, v.named.number(text))
}

// idOf reads an id as templates have it: a text, or the address of one.
func idOf(id any) string {
	switch id := id.(type) {
	case string:
		return id
	case *string:
		if id == nil {
			return ""
		}
		return *id
	}
	return fmt.Sprint(id)
}

// tells shows a text of others, in which whoever is mentioned is called by name.
func (v *Visit) tells(text string) template.HTML {
	var out strings.Builder
	from := 0
	for _, m := range notice.MentionsIn(text) {
		rest := text[m.At+1:]
		shown := strings.TrimRight(beginsName.FindString(rest), "._-")
		length := max(len(m.IDs[0]), len(shown))
		out.WriteString(html.EscapeString(Text(text[from:m.At])))
		out.WriteString(v.named.at(markMention, len(v.named.spoken)))
		v.named.spoken = append(v.named.spoken, mentioned{m.IDs, rest[:length], shown})
		from = m.At + 1 + length
	}
	out.WriteString(html.EscapeString(Text(text[from:])))
	return template.HTML(out.String()) //nolint:gosec // all of it is escaped
}

// Why is Reason for a sentence that the page shows, in which persons are called by name. Nothing else may take it: only the page has the name in its place.
func (v *Visit) Why(sentence string) string {
	for _, s := range personal() {
		found := s.is.FindStringSubmatchIndex(sentence)
		if found == nil {
			continue
		}
		var out strings.Builder
		from := 0
		for _, group := range s.persons {
			out.WriteString(sentence[from:found[2*group]] + v.calledAll(sentence[found[2*group]:found[2*group+1]]))
			from = found[2*group+1]
		}
		return v.Reason(out.String() + sentence[from:])
	}
	if strings.Contains(sentence, "very approval was passed: ") {
		sentence = decided.ReplaceAllStringFunc(sentence, func(part string) string {
			found := decided.FindStringSubmatch(part)
			return found[1] + v.calledAll(found[2])
		})
	}
	return v.Reason(sentence)
}

// decided is what a process says of an approval in the end, and whose votes it were.
var decided = regexp.MustCompile(`("(?:[^"\\]|\\.)*" was (?:approved|rejected) by )([^;]+)`)

// calledAll is called for whoever a sentence lists.
func (v *Visit) calledAll(ids string) string {
	if ids == "a deadline" { // nobody's votes
		return ids
	}
	list := strings.Split(ids, ", ")
	for i, id := range list {
		list[i] = v.called(id)
	}
	return strings.Join(list, ", ")
}

// personalSentences are those of the rules in which persons are named, each or as a list, by %p.
var personalSentences = []string{
	"manager of %p", "manager of %p, who has none", "the manager of %p", "%p, who is not active any more and has neither deputy nor manager to take over",
	"%p opened the ticket", "%p has handled this node already", "%p opened the ticket, and may not act at %q", "%p has handled this node already, and may not act at %q",
	"%p opened the ticket, and may not vote at %q", "%p has handled this node already, and may not vote at %q",
	"%q asks %p", "%q is already done by %p", "%q is already approved by %p", "%q is already rejected by %p", "%q is already skipped by %p", "%q is already cancelled by %p",
	"%p acted at %q", "%p acted at %q, and may not act at %q", "%p acted at %q, and may not vote at %q", "%p has acted for %p already", "%p has voted already", "%p is asked already",
	"%p is not among those who are asked", "%p was not added in this round", "%p has no vote to take back at %q", "%p can be removed by whoever added them, and by an admin",
	"%p is not asked any more, or others speak in their place, or they speak for others as well",
}

type personalSentence struct {
	is      *regexp.Regexp
	fixed   int   // how much of it is
	persons []int // the groups that are ids
}

var personal = sync.OnceValue(func() (out []personalSentence) {
	for _, sentence := range personalSentences {
		expression, fixed, _ := expressionOf(sentence)
		s := personalSentence{fixed: fixed, is: regexp.MustCompile("(?s)^" + expression + "$")}
		for i, v := range verb.FindAllString(sentence, -1) {
			if v == "%p" {
				s.persons = append(s.persons, i+1)
			}
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b personalSentence) int { return b.fixed - a.fixed })
	return out
})

// beginsName is what is taken for the name of whoever is mentioned, where nobody of that name is known.
var beginsName = regexp.MustCompile(`^[\p{L}\p{N}][\p{L}\p{N}._-]*`)

// name puts what people are called into a page that was made. Whoever has no name, or cannot be looked up, is called by the id.
func (v *Visit) name(page []byte) []byte {
	n := v.named
	if len(n.order)+len(n.spoken) == 0 {
		return page
	}
	names := v.namesOf(n.wanted())
	labels := n.labels(names)
	var out bytes.Buffer
	out.Grow(len(page))
	mark := []byte(n.mark)
	for {
		i := bytes.Index(page, mark)
		if i < 0 {
			break
		}
		out.Write(page[:i])
		page = page[i+len(mark):]
		end := bytes.IndexByte(page, '.')
		number, _ := strconv.Atoi(string(page[1:end])) // nobody else writes marks
		switch page[0] {
		case markName:
			out.WriteString(html.EscapeString(Text(labels(n.order[number]))))
		case markTitle:
			if id := n.order[number]; names[id] != "" {
				out.WriteString(` title="` + html.EscapeString(Text(id)) + `"`)
			}
		case markMention:
			n.spoken[number].write(&out, names, labels)
		}
		page = page[end+1:]
	}
	out.Write(page)
	return out.Bytes()
}

// wanted is who is looked up: whoever is named, and then who may be mentioned.
func (n *named) wanted() []string {
	var more []string
	for _, m := range n.spoken {
		more = append(more, m.ids...)
	}
	return slices.Concat(n.order, more[:min(len(more), maxMentioned)])
}

// labels gives what people are called on a page. Where two would be called the same, the id stands behind the name.
func (n *named) labels(names map[string]string) func(id string) string {
	taken := map[string]int{}
	for _, id := range n.order {
		if names[id] == "" {
			taken[id]++
		}
	}
	for _, name := range names {
		taken[name]++
	}
	return func(id string) string {
		switch name := names[id]; {
		case name == "":
			return id
		case taken[name] > 1 && name != id:
			return name + " (" + id + ")"
		default:
			return name
		}
	}
}

func (m mentioned) write(out *bytes.Buffer, names map[string]string, labels func(string) string) {
	for _, id := range m.ids {
		if names[id] != "" {
			out.WriteString(`<bdi class="mention" title="` + html.EscapeString(Text(id)) + `">@` + html.EscapeString(Text(labels(id))) + `</bdi>` + html.EscapeString(Text(m.text[len(id):])))
			return
		}
	}
	if m.shown == "" {
		out.WriteString("@" + html.EscapeString(Text(m.text)))
		return
	}
	out.WriteString(`<bdi class="mention">@` + html.EscapeString(Text(m.shown)) + `</bdi>` + html.EscapeString(Text(m.text[len(m.shown):])))
}

// namesOf finds what persons of the visitor's tenant are called. A page is of use without: what goes wrong is for the log alone.
func (v *Visit) namesOf(ids []string) map[string]string {
	tenant := v.Who.App.Tenant
	if v.site.Names == nil || tenant == "" || len(ids) == 0 {
		return nil
	}
	names, err := v.site.Names(v.Until, tenant, ids)
	if err != nil {
		v.site.Log.WarnContext(v.Until, "console.names", "request_id", v.RequestID(), "error", err)
		return nil
	}
	return names
}
