package people

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// When somebody is told of things.
const (
	Each     = "each"   // of each at once; also where nothing was said
	InDigest = "digest" // of several at once, every so many minutes
	Never    = "none"
)

// ByMail is the way of being told that is no network.
const ByMail = "mail"

// Letters is how a person wants to be told of what concerns them.
type Letters struct {
	When    string   `json:"when"`              // Each, InDigest or Never; empty: Each
	Minutes int      `json:"minutes,omitempty"` // of a digest: how long the first thing in it waits at most
	By      []string `json:"by,omitempty"`      // ByMail and networks; none named: every way there is
}

// MaxMinutes is the longest that a digest may wait.
const MaxMinutes = 24 * 60

func (f *Faults) letters(l Letters) {
	switch {
	case l.When != "" && l.When != Each && l.When != InDigest && l.When != Never:
		f.add("letters.when", "must be each, digest or none")
	case l.When == InDigest && (l.Minutes < 1 || l.Minutes > MaxMinutes):
		f.add("letters.minutes", "must be from 1 to %d", MaxMinutes)
	case l.When != InDigest && l.Minutes != 0:
		f.add("letters.minutes", "is only for a digest")
	}
	ways := append([]string{ByMail}, Networks()...)
	if len(l.By) > len(ways) {
		f.over("letters.by", len(ways), "items", len(l.By))
		return
	}
	for i, way := range l.By {
		switch at := fmt.Sprintf("letters.by[%d]", i); {
		case !slices.Contains(ways, way):
			f.add(at, "must be one of %s", strings.Join(ways, ", "))
		case slices.Contains(l.By[:i], way):
			f.add(at, "is there twice")
		}
	}
}

// plain gives preferences in which what says nothing is written in one way.
func (l Letters) plain() Letters {
	if l.When == "" {
		l.When = Each
	}
	if len(l.By) == 0 {
		l.By = nil
	}
	return l
}

// Ways lists how the person is to be told: by mail where they have an address, and in the networks where they have a webhook. Somebody who wants none, or is not
// active, is told in none.
func (p Person) Ways() (ways []string) {
	if !p.Active || p.Letters.When == Never {
		return nil
	}
	if p.Email != "" {
		ways = append(ways, ByMail)
	}
	for _, chat := range p.Chats {
		if chat.Webhook != "" {
			ways = append(ways, chat.Network)
		}
	}
	if len(p.Letters.By) > 0 {
		ways = slices.DeleteFunc(ways, func(way string) bool { return !slices.Contains(p.Letters.By, way) })
	}
	return ways
}

// Redacted stands in what is shown for what is secret.
const Redacted = "[redacted]"

// Shown gives a chat as it may be seen: of its webhook the origin alone, and of its secret that there is one.
func (c Chat) Shown() Chat {
	if c.Webhook != "" {
		u, err := url.Parse(c.Webhook)
		c.Webhook = Redacted
		if err == nil && u.Host != "" {
			c.Webhook = u.Scheme + "://" + u.Host + "/" + Redacted
		}
	}
	if c.Secret != "" {
		c.Secret = Redacted
	}
	return c
}

// Completed gives chats in which what was shown and handed back as it was shown is what it was. What is only shown, and was not there, is a fault.
func Completed(chats, had []Chat) (full []Chat, f Faults) {
	full = slices.Clone(chats)
	for i := range full {
		c, old := &full[i], Chat{}
		if at := slices.IndexFunc(had, func(h Chat) bool { return h.Network == c.Network }); at >= 0 {
			old = had[at]
		}
		if old.Webhook != "" && c.Webhook == old.Shown().Webhook {
			c.Webhook = old.Webhook
		}
		if old.Secret != "" && c.Secret == Redacted {
			c.Secret = old.Secret
		}
		if strings.Contains(c.Webhook, Redacted) {
			f.add(fmt.Sprintf("chats[%d].webhook", i), "is what callers are shown; give the whole address")
		}
		if c.Secret == Redacted {
			f.add(fmt.Sprintf("chats[%d].secret", i), "is what callers are shown; give the secret")
		}
	}
	return full, f
}

// chat checks what a chat says beside its network.
func (f *Faults) chat(at string, c Chat) {
	min := 1
	if c.Webhook != "" {
		min = 0
	}
	if f.text(at+".address", c.Address, min, MaxAddress) && (strings.ContainsAny(c.Address, "<>|") || strings.EqualFold(strings.TrimPrefix(c.Address, "@"), "all")) {
		f.add(at+".address", "must name one user of the network")
	}
	u, err := url.Parse(c.Webhook)
	switch {
	case c.Webhook == "":
		if c.Secret != "" {
			f.add(at+".secret", "signs what is sent to a webhook, and there is none")
		}
	case len(c.Webhook) > MaxWebhook:
		f.over(at+".webhook", MaxWebhook, "bytes", len(c.Webhook))
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Host == "", u.User != nil, u.Fragment != "",
		strings.ContainsFunc(c.Webhook, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		f.add(at+".webhook", "must be the address of an incoming webhook, such as https://example.com/hook")
	}
	f.text(at+".secret", c.Secret, 0, MaxAddress)
}
