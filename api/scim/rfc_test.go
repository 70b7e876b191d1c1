package scim_test

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/people"
)

var (
	printed = regexp.MustCompile(`(?m)^### (\S+): (\d+) ?(\w*)\n(\w+) (\S+)\n((?:\S+: .*\n)*)`)
	header  = regexp.MustCompile(`(?m)^(\S+): (.*)$`)
)

// TestTheExamplesOfTheRFC sends every request that RFC 7644 prints for what is offered here, in an order in which they make sense, and looks at what has come of it.
func TestTheExamplesOfTheRFC(t *testing.T) {
	raw, err := os.ReadFile("testdata/rfc7644.http")
	require.NoError(t, err)
	b, text, ids := setup(t), string(raw), []string{}
	parts := printed.FindAllStringSubmatchIndex(text, -1)
	require.Len(t, parts, strings.Count(text, "\n### "))
	emails := func(user object) (values []any) {
		list, _ := user["emails"].([]any)
		for _, one := range list {
			values = append(values, one.(object)["value"])
		}
		return values
	}
	members := func() (who []string) {
		rec, err := b.back.Group(t.Context(), "north", people.Key{ID: "Group A"})
		require.NoError(t, err)
		for _, m := range rec.Members {
			who = append(who, m.Person)
		}
		return who
	}
	// What has come of each, by its place.
	come := map[int]func(out object){
		4: func(out object) { require.Equal(t, "bjensen", out["userName"]) },
		5: func(out object) { require.EqualValues(t, 1, out["totalResults"]) },
		6: func(out object) { require.Equal(t, []any{"bjensen@example.com", "babs@jensen.org"}, emails(out)) },
		7: func(out object) { require.Len(t, emails(out), 3); require.Equal(t, "Babs", out["nickName"]) },
		8: func(out object) { require.Equal(t, "Hollywood", out["addresses"].([]any)[0].(object)["locality"]) },
		9: func(out object) {
			require.Equal(t, "1010 Broadway Ave", out["addresses"].([]any)[0].(object)["streetAddress"])
		},
		10: func(out object) { require.Equal(t, []any{"bjensen@example.com", "babs@jensen.org"}, emails(out)) },
		11: func(out object) { require.Equal(t, []any{"babs@jensen.org"}, emails(out)) },
		14: func(object) { require.Equal(t, []string{"bjensen"}, members()) },
		15: func(object) { require.Equal(t, []string{"jsmith"}, members()) },
		16: func(object) { require.Equal(t, []string{"bjensen", "jsmith"}, members()) },
		17: func(object) { require.Equal(t, []string{"jsmith"}, members()) },
		18: func(object) { require.Empty(t, members()) },
	}
	for i, at := range parts {
		end := len(text)
		if i+1 < len(parts) {
			end = parts[i+1][0]
		}
		fill := strings.NewReplacer(ids...).Replace
		part := func(n int) string { return text[at[2*n]:at[2*n+1]] }
		status, err := strconv.Atoi(part(2))
		require.NoError(t, err)
		var headers []string
		for _, h := range header.FindAllStringSubmatch(part(6), -1) {
			headers = append(headers, h[1], h[2])
		}
		t.Logf("%s: %s %s", part(1), part(4), part(5))
		out := b.ask(part(4), fill(part(5)), fill(strings.TrimSpace(text[at[1]:end])), status, headers...)
		if name := part(3); name != "" {
			ids = append(ids, "{"+name+"}", out["id"].(string))
		}
		if look := come[i]; look != nil {
			look(out)
			delete(come, i)
		}
	}
	require.Empty(t, come)
}
