package notice

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/language"

	"signalbox/ticket"
)

// Formats of letters: how a person is reached. All but mail are posted to an incoming webhook of the network.
const (
	FormatMail     Format = "mail"
	FormatWeCom    Format = "wecom"
	FormatDingTalk Format = "dingtalk"
	FormatFeishu   Format = "feishu"
	FormatSlack    Format = "slack"
	FormatTeams    Format = "teams"
)

// letterFormats lists them all. The names of networks are those that the directory has.
var letterFormats = []Format{FormatMail, FormatWeCom, FormatDingTalk, FormatFeishu, FormatSlack, FormatTeams}

// Letter reports whether what is sent in the format is a letter: for a person, and rendered as it is sent.
func (f Format) Letter() bool { return slices.Contains(letterFormats, f) }

// Letter is what a person is told at once: one item, or several in a digest. It is the body of a delivery as it is stored, and rendered for the network as it is sent.
type Letter struct {
	Language string `json:"language"` // one of Languages
	Zone     string `json:"zone"`     // IANA, of the times in it
	Items    []Item `json:"items"`
}

// ReadLetter reads a letter as Body wrote it.
func ReadLetter(body []byte) (l Letter, err error) {
	if err = json.Unmarshal(body, &l); err == nil && len(l.Items) == 0 {
		err = fmt.Errorf("a letter that tells nothing")
	}
	return l, err
}

// Body gives the letter as a delivery keeps it.
func (l Letter) Body() []byte { return marshal(l) }

// MaxDigest is how many items one digest has; what is beyond them comes with the next.
const MaxDigest = 200

// Digest makes one letter of several, in their order. The last one's language and zone are those of the day.
func Digest(letters []Letter) Letter {
	var out Letter
	for _, l := range letters {
		out.Language, out.Zone = l.Language, l.Zone
		out.Items = append(out.Items, l.Items...)
	}
	return out
}

// LanguageOf gives the language of ours that is nearest to one (BCP 47); English where none is near, or none is said.
func LanguageOf(tag string) string {
	_, i, confidence := letterLanguages.Match(language.Make(tag))
	if tag == "" || confidence == language.No {
		i = 0
	}
	return Languages[i]
}

// Languages are those that letters are written in.
var Languages = []string{"en", "zh"}

var letterLanguages = language.NewMatcher([]language.Tag{language.English, language.Chinese})

// Contact is where a person is reached in one way.
type Contact struct {
	Name    string // shown to people
	Address string // the e-mail address; in a network what it calls the person, who is named by it in the message. May be empty there
	Webhook string // that is posted to; empty: mail
	Secret  string // that the network has the message signed with; may be empty
}

// words are the sentences of letters in one language. A verb stands for a value.
type words struct {
	vote, act, reminded, escalated, mentioned, warned, breached, followed string
	due, open, digest, more                                               string
}

var letterWords = map[string]words{
	"en": {
		vote: "You are asked to approve or reject: %s", act: "You are asked to act: %s", reminded: "A reminder, this still waits for you: %s",
		escalated: "This was escalated to you: %s", mentioned: "%s mentioned you", warned: "SLA at risk: %s", breached: "SLA breached: %s", followed: "%s (%s)",
		due: "By %s", open: "Open %s", digest: "News of your tickets: %d", more: "…and %d more",
	},
	"zh": {
		vote: "请您审批：%s", act: "请您处理：%s", reminded: "提醒：仍在等待您处理：%s",
		escalated: "已升级给您处理：%s", mentioned: "%s 在留言中提到了您", warned: "SLA 即将超时：%s", breached: "SLA 已超时：%s", followed: "%s（%s）",
		due: "截止时间：%s", open: "查看 %s", digest: "您的工单动态：%d 条", more: "……另有 %d 条",
	},
}

func (l Letter) words() words {
	if w, ok := letterWords[l.Language]; ok {
		return w
	}
	return letterWords[Languages[0]]
}

// headline says in a sentence what an item is about.
func (l Letter) headline(i Item) string {
	w := l.words()
	switch i.Why {
	case Reminded:
		return fmt.Sprintf(w.reminded, i.Node)
	case Escalated:
		return fmt.Sprintf(w.escalated, i.Node)
	case Mentioned:
		return fmt.Sprintf(w.mentioned, i.By)
	case SLAWarned:
		return fmt.Sprintf(w.warned, i.SLA)
	case SLABreached:
		return fmt.Sprintf(w.breached, i.SLA)
	case Followed:
		labels := ticket.LabelsOf(i.Event, i.Led)
		if l.Language == "zh" {
			return fmt.Sprintf(w.followed, labels.ActionZh, i.By)
		}
		return fmt.Sprintf(w.followed, labels.Title, i.By)
	}
	if i.Vote {
		return fmt.Sprintf(w.vote, i.Node)
	}
	return fmt.Sprintf(w.act, i.Node)
}

// due says by when; empty: no time is set.
func (l Letter) due(i Item) string {
	if i.Due == nil {
		return ""
	}
	zone, err := time.LoadLocation(l.Zone)
	if err != nil {
		zone = time.UTC
	}
	return fmt.Sprintf(l.words().due, i.Due.In(zone).Format("2006-01-02 15:04 (UTC-07:00)"))
}

// subject is what the letter is about, in a line.
func (l Letter) subject() string {
	if len(l.Items) == 1 {
		return l.headline(l.Items[0])
	}
	return fmt.Sprintf(l.words().digest, len(l.Items))
}

// lines are what is said of an item below its headline, the longest last, so that what has to be cut off is that.
func (l Letter) lines(i Item) []string {
	out := []string{i.Title + " [" + i.Number + "]"}
	if due := l.due(i); due != "" {
		out = append(out, due)
	}
	return out
}

// text writes the letter as plain text of at most so many bytes. Items that have no room are counted.
func (l Letter) text(most int) string {
	var out strings.Builder
	if len(l.Items) > 1 {
		out.WriteString(l.subject() + "\n\n")
	}
	const reserved = 40 // for saying how many more there are
	for n, i := range l.Items {
		block := strings.Join(append(append([]string{l.headline(i)}, l.lines(i)...), i.URL), "\n") + "\n"
		if i.Text != "" {
			block += "> " + i.Text + "\n"
		}
		if n > 0 && out.Len()+len(block) > most-reserved {
			fmt.Fprintf(&out, l.words().more+"\n", len(l.Items)-n)
			break
		}
		out.WriteString(block)
		if n < len(l.Items)-1 {
			out.WriteString("\n")
		}
	}
	return strings.TrimSuffix(out.String(), "\n")
}

// Mail gives the letter as a mail.
func (l Letter) Mail() (subject, text string) {
	subject = l.subject()
	if len(l.Items) == 1 {
		subject += " – " + l.Items[0].Title + " [" + l.Items[0].Number + "]"
	}
	return subject, l.text(maxMail) + "\n"
}

const maxMail = 200 << 10 // bytes of text
