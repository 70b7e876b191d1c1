package page

import (
	"fmt"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/gofiber/fiber/v2"
	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"

	"signalbox/console/locales"
)

// Languages are those that the pages speak, the first where nobody asks for another.
var Languages = []string{"en", "zh"}

// lookCookie holds what somebody chose; it is nothing secret, and scripts of ours write the zone into it.
const lookCookie = "signalbox-look"

// look is how somebody wants pages to look.
type look struct {
	Language string
	Zone     *time.Location // nil: UTC
	chosen   bool           // the zone was chosen
	spoken   bool           // the language was chosen
	Theme    string         // light or dark; empty: as the browser has it
}

func (l look) zone() *time.Location {
	if l.Zone == nil {
		return time.UTC
	}
	return l.Zone
}

var matcher = language.NewMatcher([]language.Tag{language.English, language.Chinese})

// looks reads how the visitor wants pages to look: as chosen, or else as the browser says.
func (v *Visit) looks() look {
	tags, _, _ := language.ParseAcceptLanguage(v.Get(fiber.HeaderAcceptLanguage))
	_, i, _ := matcher.Match(tags...)
	out := look{Language: Languages[i]}
	for part := range strings.SplitSeq(v.Cookies(lookCookie), "|") {
		name, value, _ := strings.Cut(part, ":")
		switch name {
		case "lang":
			if value == "en" || value == "zh" {
				out.Language, out.spoken = value, true
			}
		case "zone", "auto": // chosen, or what the browser's script wrote
			if zone, err := time.LoadLocation(value); err == nil && len(value) < 64 {
				out.Zone, out.chosen = zone, name == "zone"
			}
		case "theme":
			if value == "light" || value == "dark" {
				out.Theme = value
			}
		}
	}
	return out
}

// Choose keeps how the visitor wants pages to look, for a year. Empty values are for the browser to say.
func (v *Visit) Choose(lang, zone, theme string) {
	var parts []string
	for _, p := range [][2]string{{"lang", lang}, {"zone", zone}, {"theme", theme}} {
		if p[1] != "" {
			parts = append(parts, p[0]+":"+p[1])
		}
	}
	v.Cookie(&fiber.Cookie{Name: lookCookie, Value: strings.Join(parts, "|"), Path: "/", MaxAge: 365 * 24 * 3600, Secure: v.secure(), SameSite: fiber.CookieSameSiteLaxMode})
	v.Request().Header.SetCookie(lookCookie, strings.Join(parts, "|"))
	v.look = v.looks()
}

// Chosen gives what the visitor chose; empty where they leave it to the browser.
func (v *Visit) Chosen() (lang, zone, theme string) {
	if v.look.spoken {
		lang = v.look.Language
	}
	if v.look.chosen {
		zone = v.look.zone().String()
	}
	return lang, zone, v.look.Theme
}

// Language is the language of the page: "en" or "zh".
func (v *Visit) Language() string { return v.look.Language }

// Zone is the time zone of the visitor.
func (v *Visit) Zone() *time.Location { return v.look.zone() }

var texts, localizers = readTexts()

func readTexts() (map[string]map[string]bool, map[string]*i18n.Localizer) {
	bundle := i18n.NewBundle(language.English)
	bundle.RegisterUnmarshalFunc("toml", toml.Unmarshal)
	keys, out := map[string]map[string]bool{}, map[string]*i18n.Localizer{}
	for _, lang := range Languages {
		keys[lang] = map[string]bool{}
		files, err := locales.Files.ReadDir(lang)
		if err != nil {
			panic("console: " + err.Error()) // they are embedded
		}
		for _, f := range files {
			raw, err := locales.Files.ReadFile(lang + "/" + f.Name())
			if err != nil {
				panic("console: " + err.Error()) // it was listed a moment ago
			}
			messages, err := bundle.ParseMessageFileBytes(raw, lang+".toml")
			if err != nil {
				panic(fmt.Sprintf("console: locales/%s/%s: %v", lang, f.Name(), err)) // a fault of the build, found by any test
			}
			for _, m := range messages.Messages {
				if keys[lang][m.ID] {
					panic(fmt.Sprintf("console: locales/%s/%s has %s, which another file has", lang, f.Name(), m.ID))
				}
				keys[lang][m.ID] = true
			}
		}
		out[lang] = i18n.NewLocalizer(bundle, lang)
	}
	return keys, out
}

// T gives a text in the visitor's language. with are names and values for what is open in it: "Count", 3, "Name", "x". Count also chooses between one and
// many. A key that there is not is shown as itself, which a test finds.
func (v *Visit) T(key string, with ...any) string { return Say(v.look.Language, key, with...) }

// Say is Visit.T for whoever has no visit, in one of Languages.
func Say(lang, key string, with ...any) string {
	data := map[string]any{}
	for i := 0; i+1 < len(with); i += 2 {
		data[fmt.Sprint(with[i])] = with[i+1]
	}
	config := &i18n.LocalizeConfig{MessageID: key, TemplateData: data}
	if n, ok := data["Count"]; ok {
		config.PluralCount = n
	}
	text, err := localizers[lang].Localize(config)
	if err != nil && text == "" {
		return key
	}
	return text
}

// Word gives what one of our words is called in the visitor's language: a phase, a state. One that has no name is shown as it is.
func (v *Visit) Word(kind string, word any) string { return wordIn(v.look.Language, kind, word) }

func wordIn(lang, kind string, word any) string {
	key := kind + "." + fmt.Sprint(word)
	if !texts[lang][key] {
		return fmt.Sprint(word)
	}
	return Say(lang, key)
}

// Clock gives a time to the second, in a zone.
func Clock(t time.Time, zone *time.Location) string { return t.In(zone).Format(time.DateTime) }

// exact gives all of a time, in one of Languages.
func exact(lang string, t time.Time, zone *time.Location) string {
	t = t.In(zone)
	if lang == "zh" {
		return t.Format("2006年1月2日") + " 星期" + [...]string{"日", "一", "二", "三", "四", "五", "六"}[t.Weekday()] + t.Format(" 15:04:05.999999 MST")
	}
	return t.Format("Monday, 2 January 2006, 15:04:05.999999 MST")
}

// ago says how far a time is from now, in words: "5 min ago", "in 3 h"; from a week on it is the date.
func ago(lang string, t, now time.Time, zone *time.Location) string {
	d := now.Sub(t)
	future := d < 0
	if future {
		d = -d
	}
	var text string
	switch {
	case d < time.Minute:
		if future {
			return Say(lang, "time.soon")
		}
		return Say(lang, "time.now")
	case d < time.Hour:
		text = Say(lang, "time.minutes", "N", int(d/time.Minute))
	case d < 48*time.Hour:
		text = Say(lang, "time.hours", "N", int(d/time.Hour))
	case d < 7*24*time.Hour:
		text = Say(lang, "time.days", "N", int(d/(24*time.Hour)))
	default:
		return t.In(zone).Format("2006-01-02")
	}
	if future {
		return Say(lang, "time.in", "Span", text)
	}
	return Say(lang, "time.ago", "Span", text)
}
