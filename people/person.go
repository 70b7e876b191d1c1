package people

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"

	"signalbox/flow"
)

// Limits of a tenant's directory; lengths are in characters.
const (
	MaxPersons  = 200_000 // of a tenant
	MaxGroups   = 20_000  // of a tenant
	MaxMembers  = 10_000  // of one group, persons and groups together
	MaxNesting  = 16      // groups within groups
	MaxAbsences = 1_000   // of one person, past ones that are still kept included
	MaxChain    = 16      // absent deputies, one for the other, until nobody stands in
	MaxServices = 100     // that one absence is for
	MaxChats    = 10      // of one person
	MaxName     = 255     // an id or a name, as tickets take them
	MaxEmail    = 254     // RFC 5321, section 4.5.3.1.3, without the angle brackets
	MaxWord     = 64      // a language, a time zone, the key of a service
	MaxAddress  = 255     // of a chat, and its secret
	MaxWebhook  = 2_000   // in bytes
)

// Person is somebody whom a ticket may ask.
type Person struct {
	ID       string `json:"id"`
	Name     string `json:"name,omitempty"`      // shown to people; empty: the id is
	Email    string `json:"email,omitempty"`     //
	Language string `json:"language,omitempty"`  // BCP 47, as in "de" or "zh-Hans-CN"
	TimeZone string `json:"time_zone,omitempty"` // IANA, as in "Europe/Zurich"
	Active   bool   `json:"active"`              // somebody who is not is asked for nothing
	Manager  string `json:"manager,omitempty"`   // id of a person
	Chats    []Chat `json:"chats,omitempty"`     // one for each network at most

	Letters Letters `json:"letters,omitzero"` // how they are told of things
}

// Chat is where somebody is reached in a network of messages.
type Chat struct {
	Network string `json:"network"`           // one of Networks
	Address string `json:"address"`           // as the network names its users: messages name the person by it; may be empty where there is a webhook
	Webhook string `json:"webhook,omitempty"` // the incoming webhook that messages are posted to. It lets everybody write there who knows it: see Shown
	Secret  string `json:"secret,omitempty"`  // that messages are signed with, where the network wants that (DingTalk, Feishu)
}

// Networks are those in which a person can have an address.
func Networks() []string { return []string{"dingtalk", "feishu", "slack", "teams", "wecom"} }

// Fault is one thing that is wrong with what is to be kept: the field at fault, as in "members[3].person", and a sentence that goes on from it.
type Fault struct{ Field, Message string }

// Faults are all that is wrong; none means that it may be kept.
type Faults []Fault

func (f *Faults) add(field, format string, values ...any) {
	*f = append(*f, Fault{field, fmt.Sprintf(format, values...)})
}

// Under gives the faults with their fields inside another.
func (f Faults) Under(field string) Faults {
	out := slices.Clone(f)
	for i := range out {
		out[i].Field = field + "." + out[i].Field
	}
	return out
}

// Folded gives an id as it is compared where case does not count: two ids of a tenant with the same are not both taken.
func Folded(id string) string { return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(id))) }

// Check tells what is wrong with a person by itself: whether there is such a manager only the directory knows.
func (p Person) Check() (f Faults) {
	f.person("id", p.ID)
	f.text("name", p.Name, 0, MaxName)
	f.text("email", p.Email, 0, MaxEmail)
	if p.Email != "" && !isEmail(p.Email) {
		f.add("email", "is not an e-mail address such as name@example.com")
	}
	if p.Language != "" {
		if _, err := language.Parse(p.Language); err != nil || utf8.RuneCountInString(p.Language) > MaxWord {
			f.add("language", "is not a language tag such as en or zh-Hans (BCP 47)")
		}
	}
	if _, err := p.Zone(); err != nil {
		f.add("time_zone", "is not a time zone such as Europe/Zurich (IANA)")
	}
	if p.Manager != "" {
		f.person("manager", p.Manager)
		if p.Manager == p.ID {
			f.add("manager", "must be somebody else")
		}
	}
	if len(p.Chats) > MaxChats {
		f.over("chats", MaxChats, "items", len(p.Chats))
		return f
	}
	seen := map[string]bool{}
	for i, chat := range p.Chats {
		at := fmt.Sprintf("chats[%d]", i)
		switch {
		case !slices.Contains(Networks(), chat.Network):
			f.add(at+".network", "must be one of %s", strings.Join(Networks(), ", "))
		case seen[chat.Network]:
			f.add(at+".network", "is there twice")
		}
		seen[chat.Network] = true
		f.chat(at, chat)
	}
	f.letters(p.Letters)
	return f
}

// Zone gives the person's time zone, UTC where none is kept.
func (p Person) Zone() (*time.Location, error) {
	// "Local" would be the zone of whichever machine is asked.
	if p.TimeZone == "Local" || len(p.TimeZone) > MaxWord {
		return nil, fmt.Errorf("%q is no time zone", p.TimeZone)
	}
	return time.LoadLocation(p.TimeZone)
}

// Label is what people are shown for the person.
func (p Person) Label() string {
	if p.Name == "" {
		return p.ID
	}
	return p.Name
}

// Equal reports whether two persons are kept alike.
func (p Person) Equal(other Person) bool { return reflect.DeepEqual(p.plain(), other.plain()) }

// plain gives a person in whom what is empty is written in one way.
func (p Person) plain() Person {
	if len(p.Chats) == 0 {
		p.Chats = nil
	}
	p.Letters = p.Letters.plain()
	return p
}

// Group is persons and other groups under one name.
type Group struct {
	ID      string   `json:"id"`
	Name    string   `json:"name,omitempty"` // shown to people; empty: the id is
	Members []Member `json:"members"`
}

// Member is a person or a group; just one of them is given.
type Member struct {
	Person string `json:"person,omitempty"`
	Group  string `json:"group,omitempty"`
}

// Check tells what is wrong with a group by itself: whether its members are known, and whether they lead back to it, only the directory knows.
func (g Group) Check() (f Faults) {
	f.group("id", g.ID)
	f.text("name", g.Name, 0, MaxName)
	if len(g.Members) > MaxMembers {
		f.over("members", MaxMembers, "items", len(g.Members))
		return f
	}
	return append(f, CheckMembers("members", g.Members)...)
}

// maxFaults is how many faults of a list are told at most.
const maxFaults = 20

// CheckMembers tells what is wrong with members by themselves. One that is there twice is no fault: it is one member.
func CheckMembers(field string, members []Member) (f Faults) {
	for i, m := range members {
		at := fmt.Sprintf("%s[%d]", field, i)
		switch {
		case (m.Person == "") == (m.Group == ""):
			f.add(at, "must have either person or group")
		case m.Person != "":
			f.person(at+".person", m.Person)
		default:
			f.group(at+".group", m.Group)
		}
		if len(f) >= maxFaults {
			break
		}
	}
	return f
}

// Label is what people are shown for the group.
func (g Group) Label() string {
	if g.Name == "" {
		return g.ID
	}
	return g.Name
}

// person checks the id of a person: lists of persons in forms have commas between them.
func (f *Faults) person(field, id string) {
	if f.id(field, id) && strings.Contains(id, ",") {
		f.add(field, "must not contain a comma")
	}
}

func (f *Faults) group(field, id string) { f.id(field, id) }

func (f *Faults) id(field, id string) bool {
	if !f.text(field, id, 1, MaxName) {
		return false
	}
	if strings.TrimSpace(id) != id {
		f.add(field, "must not begin or end with a blank")
		return false
	}
	if id == "." || id == ".." { // whoever asks for them leaves them out (RFC 3986, section 5.2.4)
		f.add(field, `must not be "." or "..", which cannot stand in an address`)
		return false
	}
	return true
}

// text checks a text that names somebody or something, and reports whether nothing is wrong with it.
func (f *Faults) text(field, value string, min, max int) bool {
	switch n := utf8.RuneCountInString(value); {
	case !utf8.ValidString(value):
		f.add(field, "must be valid UTF-8")
	case min > 0 && strings.TrimSpace(value) == "":
		f.add(field, "is required and must not be empty")
	case n > max:
		f.over(field, max, "characters", n)
	case strings.ContainsFunc(value, unicode.IsControl):
		f.add(field, "must not contain control characters")
	default:
		return true
	}
	return false
}

func (f *Faults) over(field string, most int, unit string, has int) {
	f.add(field, "%s", flow.Over(most, unit, has))
}

// mailbox is what is taken for an e-mail address: a dot-string or what providers allow beside it (RFC 5321, section 4.1.2; RFC 6531 for other
// letters), and a domain of labels. Quoted local parts and addresses of machines in brackets are not.
var mailbox = regexp.MustCompile(`^[^\s@<>(),:;"\\\[\]]{1,64}@(?:[\pL\pN](?:[\pL\pN-]{0,61}[\pL\pN])?\.)*[\pL\pN](?:[\pL\pN-]{0,61}[\pL\pN])?$`)

func isEmail(text string) bool { return mailbox.MatchString(text) }
