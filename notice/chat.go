package notice

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// How many bytes of text the messages of the networks may have, as they document it, or less. All of them count what is around the text as well.
const (
	maxWeCom    = 2048     // text.content, developer.work.weixin.qq.com/document/path/91770
	maxDingTalk = 15 << 10 // of 20,000 in all
	maxFeishu   = 12 << 10 // of 20 KB in all
	maxSlack    = 35_000   // of 40,000 characters
	maxTeams    = 15 << 10 // of 28 KB in all
	maxCards    = 40       // items of a card
)

// Post gives what is posted to a contact's webhook, and where: the URL has the signature of DingTalk, the body that of Feishu. at is when the try is made, which a
// signature tells. The same arguments always give the same bytes.
func (l Letter) Post(f Format, to Contact, at time.Time) (address string, body []byte, err error) {
	switch f {
	case FormatWeCom:
		return to.Webhook, marshal(l.weCom(to)), nil
	case FormatDingTalk:
		address, err = signDingTalk(to.Webhook, to.Secret, at)
		return address, marshal(l.dingTalk(to)), err
	case FormatFeishu:
		return to.Webhook, marshal(l.feishu(to, at)), nil
	case FormatSlack:
		return to.Webhook, marshal(l.slack(to)), nil
	case FormatTeams:
		return to.Webhook, marshal(l.teams(to)), nil
	}
	return "", nil, fmt.Errorf("letters are not posted as %q", f)
}

// weComMessage is a text of a group's robot. Texts are used, not Markdown: nothing that a ticket says is taken for a format, and they name people.
type weComMessage struct {
	Type string `json:"msgtype"`
	Text struct {
		Content   string   `json:"content"`
		Mentioned []string `json:"mentioned_list,omitempty"` // by userid
	} `json:"text"`
}

func (l Letter) weCom(to Contact) (m weComMessage) {
	m.Type, m.Text.Content = "text", l.text(maxWeCom)
	if to.Address != "" {
		m.Text.Mentioned = []string{to.Address}
	}
	return m
}

// dingTalkMessage is a text of a custom robot.
type dingTalkMessage struct {
	At *dingTalkAt `json:"at,omitempty"`

	Text struct {
		Content string `json:"content"`
	} `json:"text"`
	Type string `json:"msgtype"`
}

type dingTalkAt struct {
	Users []string `json:"atUserIds"`
	All   bool     `json:"isAtAll"`
}

func (l Letter) dingTalk(to Contact) (m dingTalkMessage) {
	m.Type, m.Text.Content = "text", l.text(maxDingTalk)
	if to.Address != "" {
		m.At = &dingTalkAt{Users: []string{to.Address}}
		m.Text.Content += "\n@" + to.Address // or else nobody is named
	}
	return m
}

// signDingTalk signs an address: HMAC-SHA256 under the secret of the time in milliseconds and the secret, a line end between them.
func signDingTalk(address, secret string, at time.Time) (string, error) {
	if secret == "" {
		return address, nil
	}
	u, err := url.Parse(address)
	if err != nil {
		return "", fmt.Errorf("the webhook is not a URL")
	}
	stamp := strconv.FormatInt(at.UnixMilli(), 10)
	q := u.Query()
	q.Set("timestamp", stamp)
	q.Set("sign", mac(secret, stamp+"\n"+secret))
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// mac is HMAC-SHA256 in base64.
func mac(key, message string) string {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(message))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// feishuMessage is a post of a custom robot: paragraphs of texts and links, none of which are taken for a format.
type feishuMessage struct {
	Timestamp string `json:"timestamp,omitempty"` // seconds
	Sign      string `json:"sign,omitempty"`
	Type      string `json:"msg_type"`
	Content   struct {
		Post map[string]feishuPost `json:"post"` // by language
	} `json:"content"`
}

type feishuPost struct {
	Title   string        `json:"title"`
	Content [][]feishuTag `json:"content"`
}

type feishuTag struct {
	Tag  string `json:"tag"`
	Text string `json:"text,omitempty"`
	Href string `json:"href,omitempty"`
	User string `json:"user_id,omitempty"`
}

func (l Letter) feishu(to Contact, at time.Time) (m feishuMessage) {
	post := feishuPost{Title: l.subject()}
	add := func(tags ...feishuTag) { post.Content = append(post.Content, tags) }
	if to.Address != "" {
		add(feishuTag{Tag: "at", User: to.Address})
	}
	l.fit(maxFeishu, func(i Item) {
		if len(l.Items) > 1 {
			add(feishuTag{Tag: "text", Text: l.headline(i)})
		}
		for _, line := range l.lines(i) {
			add(feishuTag{Tag: "text", Text: line})
		}
		if i.Text != "" {
			add(feishuTag{Tag: "text", Text: "> " + i.Text})
		}
		add(feishuTag{Tag: "a", Text: fmt.Sprintf(l.words().open, i.Number), Href: i.URL})
	}, func(more string) { add(feishuTag{Tag: "text", Text: more}) })
	m.Type = "post"
	m.Content.Post = map[string]feishuPost{map[string]string{"en": "en_us", "zh": "zh_cn"}[l.Language]: post}
	if to.Secret != "" {
		m.Timestamp = strconv.FormatInt(at.Unix(), 10)
		m.Sign = mac(m.Timestamp+"\n"+to.Secret, "") // what is signed is the key, of nothing
	}
	return m
}

// fit gives the items for which there is room, and once there is none a line that says how many are left.
func (l Letter) fit(most int, item func(Item), rest func(line string)) {
	size := 0
	for n, i := range l.Items {
		size += len(l.headline(i)) + len(strings.Join(l.lines(i), "")) + 2*len(i.URL) + len(i.Text) + 250 // for what is around them
		if n > 0 && (size > most || n == maxCards) {
			rest(fmt.Sprintf(l.words().more, len(l.Items)-n))
			return
		}
		item(i)
	}
}

// slackMessage is a message of an incoming webhook, in mrkdwn.
type slackMessage struct {
	Text string `json:"text"`
}

// slackEscapes are what stands for the characters by which Slack knows links and mentions.
var slackEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

func (l Letter) slack(to Contact) slackMessage {
	var lines []string
	if to.Address != "" {
		lines = append(lines, "<@"+to.Address+">")
	}
	if len(l.Items) > 1 {
		lines = append(lines, l.subject())
	}
	l.fit(maxSlack, func(i Item) {
		lines = append(lines, "*"+slackEscapes.Replace(l.headline(i))+"*")
		for _, line := range l.lines(i) {
			lines = append(lines, slackEscapes.Replace(line))
		}
		if i.Text != "" {
			lines = append(lines, "> "+slackEscapes.Replace(i.Text))
		}
		lines = append(lines, "<"+i.URL+"|"+slackEscapes.Replace(fmt.Sprintf(l.words().open, i.Number))+">")
	}, func(more string) { lines = append(lines, more) })
	return slackMessage{Text: strings.Join(lines, "\n")}
}

// teamsMessage is an Adaptive Card, as workflows and connectors of Teams take it.
type teamsMessage struct {
	Type        string            `json:"type"`
	Attachments []teamsAttachment `json:"attachments"`
}

type teamsAttachment struct {
	Type    string    `json:"contentType"`
	URL     *string   `json:"contentUrl"` // null, as the documents have it
	Content teamsCard `json:"content"`
}

type teamsCard struct {
	Schema  string        `json:"$schema"`
	Type    string        `json:"type"`
	Version string        `json:"version"`
	Body    []teamsBlock  `json:"body"`
	Actions []teamsAction `json:"actions,omitempty"`
	Teams   *teamsExtra   `json:"msteams,omitempty"`
}

type teamsBlock struct {
	Type   string `json:"type"`
	Text   string `json:"text"`
	Weight string `json:"weight,omitempty"`
	Wrap   bool   `json:"wrap"`
}

type teamsAction struct {
	Type  string `json:"type"`
	Title string `json:"title"`
	URL   string `json:"url"`
}

type teamsExtra struct {
	Entities []teamsMention `json:"entities"`
}

type teamsMention struct {
	Type      string `json:"type"`
	Text      string `json:"text"`
	Mentioned struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"mentioned"`
}

// teamsPlain has a text say what it says: without it a title could be a link (Adaptive Cards know a little Markdown) or name people.
var teamsPlain = strings.NewReplacer("](", "]\u200b(", "<", "‹", ">", "›")

func (l Letter) teams(to Contact) teamsMessage {
	card := teamsCard{Schema: "http://adaptivecards.io/schemas/adaptive-card.json", Type: "AdaptiveCard", Version: "1.2"}
	add := func(weight, text string) {
		card.Body = append(card.Body, teamsBlock{Type: "TextBlock", Text: text, Weight: weight, Wrap: true})
	}
	if to.Address != "" {
		name := teamsPlain.Replace(to.Name)
		mention := teamsMention{Type: "mention", Text: "<at>" + name + "</at>"}
		mention.Mentioned.ID, mention.Mentioned.Name = to.Address, name
		card.Teams = &teamsExtra{Entities: []teamsMention{mention}}
		add("", mention.Text)
	}
	if len(l.Items) > 1 {
		add("Bolder", l.subject())
	}
	l.fit(maxTeams, func(i Item) {
		add("Bolder", teamsPlain.Replace(l.headline(i)))
		for _, line := range l.lines(i) {
			add("", teamsPlain.Replace(line))
		}
		if i.Text != "" {
			add("", teamsPlain.Replace(i.Text))
		}
		open := fmt.Sprintf(l.words().open, i.Number)
		if len(l.Items) == 1 {
			card.Actions = []teamsAction{{Type: "Action.OpenUrl", Title: open, URL: i.URL}}
		} else {
			add("", "["+open+"]("+i.URL+")")
		}
	}, func(more string) { add("", more) })
	return teamsMessage{Type: "message", Attachments: []teamsAttachment{{Type: "application/vnd.microsoft.card.adaptive", Content: card}}}
}
