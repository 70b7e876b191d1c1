package page

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/stretchr/testify/require"

	"signalbox/console/locales"
)

// sources gives what the pages are made of: templates and Go, without tests.
func sources(t *testing.T) (all []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(path, "_test.go") || !slices.Contains([]string{".go", ".html"}, filepath.Ext(path)) {
			return err
		}
		raw, err := os.ReadFile(path)
		all = append(all, string(raw))
		return err
	}))
	require.Greater(t, len(all), 20)
	return all
}

var (
	usedKeys  = regexp.MustCompile("(?:\\bt |\\.T\\(|\\b[Ss]ay\\(lang, |Label: +)\"([a-z_0-9]+\\.[A-Za-z_0-9.-]+)\"")
	wordKinds = regexp.MustCompile("(?:\\bword |\\.Word\\()\"([a-z_]+)\"")
)

// TestEveryTextIsThereInEveryLanguage holds the locale files against each other and against what the pages say.
func TestEveryTextIsThereInEveryLanguage(t *testing.T) {
	for _, lang := range Languages {
		for key := range texts[Languages[0]] {
			require.True(t, texts[lang][key], "locales/%s has no %s", lang, key)
		}
		for key := range texts[lang] {
			require.True(t, texts[Languages[0]][key], "locales/%s has %s, which locales/%s has not", lang, key, Languages[0])
		}
	}
	used, kinds := map[string]bool{}, map[string]bool{}
	all := sources(t)
	for _, source := range all {
		for _, m := range usedKeys.FindAllStringSubmatch(source, -1) {
			used[m[1]] = true
		}
		for _, m := range wordKinds.FindAllStringSubmatch(source, -1) {
			kinds[m[1]] = true
		}
	}
	require.NotEmpty(t, used)
	for key := range used {
		require.True(t, texts["en"][key], "the pages say %s, which locales/en has not", key)
	}
	for key := range texts["en"] {
		kind, _, _ := strings.Cut(key, ".")
		require.True(t, used[key] || kinds[kind], "nothing says %s of the locales", key)
	}
}

// What is counted is said of one as of many: a text with a Count has both.
func TestWhatIsCountedIsSaidOfOneAndOfMany(t *testing.T) {
	files, err := fs.Glob(locales.Files, "en/*.toml")
	require.NoError(t, err)
	counted := 0
	for _, file := range files {
		raw, err := locales.Files.ReadFile(file)
		require.NoError(t, err)
		var all map[string]any
		_, err = toml.Decode(string(raw), &all)
		require.NoError(t, err)
		var look func(path string, in map[string]any)
		look = func(path string, in map[string]any) {
			for key, value := range in {
				if within, ok := value.(map[string]any); ok {
					look(path+"."+key, within)
				} else if text := value.(string); strings.Contains(text, "{{.Count}}") {
					counted++
					require.True(t, in["one"] != nil && in["other"] != nil, "%s: %s.%s says %q of any number; call it N where it has no plural", file, path, key, text)
				}
			}
		}
		look("", all)
	}
	require.Greater(t, counted, 20)
}

func TestTextsAreInTheLanguageOfTheVisitor(t *testing.T) {
	require.Equal(t, "3 min ago", Say("en", "time.ago", "Span", Say("en", "time.minutes", "N", 3)))
	require.Equal(t, "3 分钟前", Say("zh", "time.ago", "Span", Say("zh", "time.minutes", "N", 3)))
	require.Equal(t, "待受理", wordIn("zh", "phase", "triggered"))
	require.Equal(t, "invented", wordIn("zh", "phase", "invented"), "what has no name is shown as it is")
	require.Equal(t, "no.such.key", Say("zh", "no.such.key"))
}

// TestASecretIsMaskedOnEveryPage: what pages show of it differs each time, all of it fits, and nothing else does.
func TestASecretIsMaskedOnEveryPage(t *testing.T) {
	s := Session{CSRF: random()}
	one, other := s.guard(), s.guard()
	require.NotEqual(t, one, other)
	require.NotContains(t, one, s.CSRF)
	require.True(t, s.ours(one))
	require.True(t, s.ours(other))
	for _, bad := range []string{"", s.CSRF, one[:len(one)-4], one + "AAAA", "%", Session{CSRF: random()}.guard()} {
		require.False(t, s.ours(bad), bad)
	}
	require.False(t, Session{}.ours(Session{}.guard()))
}

func TestAllOfATimeIsToldInEachLanguage(t *testing.T) {
	at := time.Date(2026, 12, 3, 1, 2, 3, 4000, time.UTC)
	require.Equal(t, "Thursday, 3 December 2026, 01:02:03.000004 UTC", exact("en", at, time.UTC))
	require.Equal(t, "2026年12月3日 星期四 01:02:03.000004 UTC", exact("zh", at, time.UTC))
}
