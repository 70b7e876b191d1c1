package check

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const root = "../.."

// read gives a file of the repository.
func read(t testing.TB, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{root}, path...)...))
	require.NoError(t, err)
	return string(text)
}

// golden compares a text with a file, or writes that.
func golden(t *testing.T, write bool, path, got string) {
	t.Helper()
	if write {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
		return
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got, "make golden writes it anew")
}

// settings reads the table of settings: which programs take each.
func settings(t testing.TB) map[string][]string {
	t.Helper()
	text := read(t, "README.md")
	if page, err := os.ReadFile(filepath.Join(root, "docs", "settings.md")); err == nil {
		text += string(page)
	}
	out := map[string][]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(SIGNALBOX_[A-Z_]+)` \\|.*\\| ([a-z, ]+) \\|$").FindAllStringSubmatch(text, -1) {
		out[m[1]] = strings.Split(m[2], ", ")
	}
	require.Greater(t, len(out), 50, "the table is read")
	return out
}

// metric is one of docs/metrics.md.
type metric struct {
	labels []string
	values map[string]bool // what its meaning has in backticks, which names the values that labels may have
	kind   string          // histogram, or nothing
}

// metrics reads docs/metrics.md.
func metrics(t testing.TB) map[string]metric {
	t.Helper()
	out := map[string]metric{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ([^|]*) \\| (.*) \\|$").FindAllStringSubmatch(read(t, "docs", "metrics.md"), -1) {
		one := metric{values: map[string]bool{}}
		for _, label := range strings.Split(strings.ReplaceAll(m[2], "`", ""), ", ") {
			if label = strings.TrimSpace(label); label != "" {
				one.labels = append(one.labels, label)
			}
		}
		for _, v := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(m[3], -1) {
			one.values[v[1]] = true
		}
		if strings.HasPrefix(m[3], "histogram") {
			one.kind = "histogram"
		}
		out[m[1]] = one
	}
	require.Greater(t, len(out), 40, "the page is read")
	return out
}
