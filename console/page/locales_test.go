package page

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
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
	usedKeys  = regexp.MustCompile("(?:\\bt |\\.T\\(|\\bsay\\(lang, |Label: +)\"([a-z_0-9]+\\.[A-Za-z_0-9.-]+)\"")
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

func TestTextsAreInTheLanguageOfTheVisitor(t *testing.T) {
	require.Equal(t, "3 min ago", say("en", "time.ago", "Span", say("en", "time.minutes", "N", 3)))
	require.Equal(t, "3 分钟前", say("zh", "time.ago", "Span", say("zh", "time.minutes", "N", 3)))
	require.Equal(t, "待受理", wordIn("zh", "phase", "triggered"))
	require.Equal(t, "invented", wordIn("zh", "phase", "invented"), "what has no name is shown as it is")
	require.Equal(t, "no.such.key", say("zh", "no.such.key"))
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
