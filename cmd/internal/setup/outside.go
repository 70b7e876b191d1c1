package setup

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
	_ "time/tzdata" // images without a zone database know the zones all the same
)

// Outside is how places and times are named towards others. It must be the same in every process.
type Outside struct {
	PublicURL PublicURL `split_words:"true" default:"http://localhost:8080" desc:"where people find the operators' pages, for links in callbacks; the same in every process"`
	TimeZone  Zone      `split_words:"true" default:"Asia/Shanghai" desc:"time zone of the itsm family's times, and of the day that its numbers are counted by; the same in every process"`
}

// PublicURL is the start of an address that people open.
type PublicURL string

// Decode reads it; envconfig calls it.
func (u *PublicURL) Decode(text string) error {
	parsed, err := url.Parse(text)
	if err != nil || parsed.Host == "" || parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.RawQuery != "" || parsed.Fragment != "" {
		return errors.New("must be an http or https URL without a query")
	}
	*u = PublicURL(strings.TrimSuffix(text, "/"))
	return nil
}

// Zone is a time zone by its name in the IANA database.
type Zone struct{ *time.Location }

// Decode reads it; envconfig calls it.
func (z *Zone) Decode(text string) error {
	zone, err := time.LoadLocation(text)
	if err != nil || text == "" {
		return fmt.Errorf("must be the name of a time zone, such as Asia/Shanghai or UTC")
	}
	z.Location = zone
	return nil
}
