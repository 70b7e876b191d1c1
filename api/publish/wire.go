package publish

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"signalbox/api"
	"signalbox/notice"
	"signalbox/ticket"
)

// event is the body of seed 003, its members as they came: which of them is at fault first is for the table of the seed to say, not for the
// order in which a caller wrote them.
type event struct {
	Source  json.RawMessage `json:"event_source"`
	Topic   json.RawMessage `json:"event_topic"`
	Type    json.RawMessage `json:"event_type"`
	Status  json.RawMessage `json:"event_status"`
	Key     json.RawMessage `json:"event_key"`
	Changes json.RawMessage `json:"changes"`
}

// envelope is around every answer of this family, in this order.
type envelope struct {
	RequestID string `json:"request_id"`
	Code      string `json:"code"`
	Message   string `json:"msg"`
}

// read gives the event that a request publishes. Refusals tell of the first fault in the order of the seed's table.
func read(c *fiber.Ctx) (p notice.Published, err error) {
	var in event
	if err := api.Decode(c, &in); err != nil && len(strings.TrimSpace(string(c.BodyRaw()))) > 0 {
		return p, err // a body that is not there lacks its first parameter
	}
	for _, member := range []struct {
		name string
		raw  json.RawMessage
		to   *string
	}{
		{"event_source", in.Source, &p.Source}, {"event_topic", in.Topic, &p.Topic}, {"event_type", in.Type, &p.Type}, {"event_status", in.Status, &p.Status},
	} {
		if *member.to, err = text(member.name, member.raw); err != nil {
			return p, err
		}
	}
	if notice.Reserved(p.Source) {
		return p, wrong("event_source", "不能是"+notice.OurSource+"，该来源由本系统保留")
	}
	if missing := len(in.Key) == 0 || string(in.Key) == "null" || string(in.Key) == `""`; !missing {
		if p.Key, err = text("event_key", in.Key); err != nil {
			return p, err
		}
	}
	p.Changes, err = changes(in.Changes)
	return p, err
}

// text gives a parameter that must be a string and not empty; blanks alone are nothing.
func text(name string, raw json.RawMessage) (string, error) {
	var value string
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return "", missing(name)
	case json.Unmarshal(raw, &value) != nil:
		return "", wrong(name, "必须是字符串")
	}
	return value, check(name, value)
}

func check(name, value string) error {
	switch {
	case strings.TrimSpace(value) == "":
		return missing(name)
	case utf8.RuneCountInString(value) > notice.MaxEventWord:
		return wrong(name, fmt.Sprintf("长度不能超过%d个字符", notice.MaxEventWord))
	case strings.ContainsFunc(value, unicode.IsControl):
		return wrong(name, "不能包含控制字符")
	}
	return nil
}

func changes(raw json.RawMessage) ([]string, error) {
	const name = "changes"
	var items []json.RawMessage
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return nil, missing(name)
	case json.Unmarshal(raw, &items) != nil:
		return nil, wrong(name, "必须是字符串数组")
	case len(items) == 0:
		return nil, missing(name)
	case len(items) > notice.MaxChanges:
		return nil, wrong(name, fmt.Sprintf("不能超过%d项", notice.MaxChanges))
	}
	list := make([]string, len(items))
	for i, item := range items {
		var err error
		if list[i], err = text(fmt.Sprintf("%s[%d]", name, i), item); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// missing refuses in the seed's own words.
func missing(name string) error { return wrong(name, "不能为空") }

func wrong(name, how string) error { return ticket.Refuse(ticket.Invalid, "参数"+name+how) }
