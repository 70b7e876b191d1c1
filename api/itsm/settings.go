package itsm

import (
	"errors"

	"signalbox/notice"
)

// Settings is what can be set about this family. The tags are for envconfig.
type Settings struct {
	ITSMCallbackProfile Profile `envconfig:"ITSM_CALLBACK_PROFILE" default:"once" desc:"how often the callback of a ticket that names no profile is tried: once, minutely or standard (itsm family)"`
}

// Profile is the name of a profile that this family's callbacks can have.
type Profile string

// profiles are those. The publish profile belongs to another contract.
var profiles = map[string]bool{notice.Once: true, notice.Minutely: true, notice.Standard: true}

// Decode reads it; envconfig calls it.
func (p *Profile) Decode(text string) error {
	if !profiles[text] {
		return errors.New("must be once, minutely or standard")
	}
	*p = Profile(text)
	return nil
}
