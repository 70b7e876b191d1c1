package page

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestListsAreReadAsTheyAreWritten(t *testing.T) {
	odd := []string{"ann", "ann lee", "a,b", "a，b", "cn=ops, ou=it", `"`, `""`, `"a", "b"`, `a"b`, `"a`, `a,"b`, "(x)", "[x]", "a\nb", " a ", "李 雷", strings.Repeat("界", 255)}
	write := func(items []string) string {
		var out []string
		for _, item := range items {
			out = append(out, Listed(item))
		}
		return strings.Join(out, ", ")
	}
	read := func(list string) []string { return Form{Values: url.Values{"x": {list}}}.List("x") }
	require.Equal(t, odd, read(write(odd)))
	for i, item := range odd {
		require.Equal(t, []string{item}, read(write(odd[i:i+1])), "%q alone", item)
		before, last := LastItem("ann, " + Listed(item))
		require.Equal(t, "ann,", before, "%q", item)
		require.Equal(t, item, last)
	}
	for list, want := range map[string][]string{
		"": nil, " , ，\n": nil, "a, b，c\nd,a": {"a", "b", "c", "d"}, `"a`: {`"a`}, `"a,b`: {`"a`, "b"}, `"a" b, c`: {`"a" b`, "c"}, `a "b, c" d`: {`a "b`, `c" d`}, ` "a,b" , c`: {"a,b", "c"}, `"a"`: {"a"}, `"a",`: {"a"},
	} {
		require.Equal(t, want, read(list), "%q", list)
	}
	for list, want := range map[string][2]string{
		"": {"", ""}, "a": {"", "a"}, "a,": {"a,", ""}, "a, b": {"a,", "b"}, "a， b c": {"a，", "b c"}, `a, "b, c`: {"a,", "b, c"}, `"a,b", "c""`: {`"a,b",`, `c"`},
	} {
		before, last := LastItem(list)
		require.Equal(t, want, [2]string{before, last}, "%q", list)
	}
}
