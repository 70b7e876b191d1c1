package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/BurntSushi/toml"
)

// caller is who calls, and where.
type caller struct {
	URL      string `toml:"url"`
	Secret   string `toml:"secret"`
	Operator string `toml:"operator"`
}

// caller puts together what flags, the environment and the profile say; what is said first counts, each by itself.
func (c *cli) caller() (caller, error) {
	secret := c.secret
	if c.secretFile != "" {
		if secret != "" {
			return caller{}, usagef("--secret-file: not together with --secret")
		}
		raw, err := c.readFile(c.secretFile)
		if err != nil {
			return caller{}, err
		}
		if secret = strings.TrimSpace(string(raw)); secret == "" {
			return caller{}, usagef("--secret-file: %s is empty", c.secretFile)
		}
		c.secret, c.secretFile = secret, "" // standard input is read once
	}
	who := caller{URL: first(c.url, c.env("SIGNALBOX_URL")), Secret: first(secret, c.env("SIGNALBOX_SECRET")), Operator: first(c.operator, c.env("SIGNALBOX_OPERATOR"))}
	profile, err := c.readProfile(who.URL == "" || who.Secret == "")
	if err != nil {
		return caller{}, usage{err}
	}
	// A secret is for the address that it stands beside. Where the address is said elsewhere, so has to be the secret.
	if who.URL == "" || who.URL == profile.URL {
		who.Secret = first(who.Secret, profile.Secret)
	}
	who.URL, who.Operator = first(who.URL, profile.URL), first(who.Operator, profile.Operator)
	switch {
	case who.URL == "":
		return caller{}, usagef("--url: say where Signalbox is, or set SIGNALBOX_URL, or keep a profile")
	case who.Secret == "":
		return caller{}, usagef("--secret-file: a secret is required, or SIGNALBOX_SECRET, or a profile with that address")
	}
	return who, nil
}

// readProfile reads the profile that is named, or else the default one; an empty one where there is none. A file that is not looked for by name may be missing, and is
// not read where it is not needed.
func (c *cli) readProfile(needed bool) (caller, error) {
	name, file := first(c.profile, c.env("SIGNALBOX_PROFILE")), first(c.profiles, c.env("SIGNALBOX_PROFILE_FILE"))
	named := name != "" || file != ""
	if !named && !needed {
		return caller{}, nil
	}
	if file == "" {
		folder, err := os.UserConfigDir()
		if err != nil {
			if named {
				return caller{}, fmt.Errorf("--profile-file: there is no configuration folder: %w", err)
			}
			return caller{}, nil
		}
		file = filepath.Join(folder, "signalbox", "profiles.toml")
	}
	opened, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) && !named {
		return caller{}, nil
	}
	if err != nil {
		return caller{}, err
	}
	defer func() { _ = opened.Close() }()
	info, err := opened.Stat()
	if err != nil {
		return caller{}, err
	}
	if others := info.Mode().Perm() & 0o077; runtime.GOOS != "windows" && (others != 0 || !info.Mode().IsRegular()) {
		return caller{}, fmt.Errorf("%s: others may read it (mode %04o); chmod 600 %s", file, info.Mode().Perm(), file)
	}
	var content struct {
		Default  string            `toml:"default"`
		Profiles map[string]caller `toml:"profiles"`
	}
	meta, err := toml.NewDecoder(opened).Decode(&content)
	if err != nil {
		var syntax toml.ParseError
		if errors.As(err, &syntax) {
			return caller{}, fmt.Errorf("%s:%d: is not TOML", file, syntax.Position.Line) // its text quotes the line, which may hold the secret
		}
		return caller{}, fmt.Errorf("%s: is not a profile file", file)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return caller{}, fmt.Errorf("%s: does not know %s", file, unknown[0])
	}
	name = first(name, content.Default)
	if name == "" {
		return caller{}, nil
	}
	found, ok := content.Profiles[name]
	if !ok {
		return caller{}, fmt.Errorf("%s: has no profile %q", file, name)
	}
	return found, nil
}

// first is the first text that is not empty.
func first(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}
