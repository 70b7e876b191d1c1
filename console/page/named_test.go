package page

import (
	"context"
	"errors"
	"html/template"
	"log/slog"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"
	"github.com/valyala/fasthttp"

	"signalbox/desk"
)

// naming renders a template of its own for a visitor of a tenant with those names; asked is how often names were asked for.
func naming(t *testing.T, names map[string]string, text string, data any) (out string, asked int) {
	t.Helper()
	app := fiber.New()
	c := app.AcquireCtx(&fasthttp.RequestCtx{})
	defer app.ReleaseCtx(c)
	v := &Visit{Ctx: c, named: newNamed(), Who: Who{App: desk.App{Tenant: "north"}}, Until: t.Context(), site: &Site{Config: Config{Log: slog.New(slog.DiscardHandler)}}}
	v.site.Names = func(_ context.Context, tenant string, ids []string) (map[string]string, error) {
		require.Equal(t, "north", tenant)
		if asked++; names == nil {
			return nil, errors.New("gone")
		}
		out := map[string]string{}
		for _, id := range ids {
			if names[id] != "" {
				out[id] = names[id]
			}
		}
		return out, nil
	}
	v.look.Language = "en"
	s := &set{visit: v}
	made, err := template.New("page").Funcs(s.functions()).Parse(text)
	require.NoError(t, err)
	var page strings.Builder
	require.NoError(t, made.Execute(&page, data))
	return string(v.name([]byte(page.String()))), asked
}

func TestPersonsAreCalledByName(t *testing.T) {
	known := map[string]string{"chen": "Chen Li", `e"<b>`: `<i>"Eve" & 'co'`, "amy1": "Amy", "amy2": "Amy", "Bob": "Zoe", "sneaky": "ann"}
	for _, c := range []struct {
		name, text string
		data       any
		want       string
	}{
		{"a name", `{{person .}}`, "chen", `<bdi title="chen">Chen Li</bdi>`},
		{"with a class", `{{person . "strong"}}`, "chen", `<bdi class="strong" title="chen">Chen Li</bdi>`},
		{"nobody known", `{{person .}}`, "nobody", `<bdi>nobody</bdi>`},
		{"nobody", `{{person .}}`, "", ``},
		{"what is no text is shown so", `{{person .}}`, "a\u202eb", `<bdi>a[U+202E]b</bdi>`},
		{"escaped", `{{person .}}`, `e"<b>`, `<bdi title="e&#34;&lt;b&gt;">&lt;i&gt;&#34;Eve&#34; &amp; &#39;co&#39;</bdi>`},
		{"in an option", `<option value="{{.}}">{{called .}}</option>`, "chen", `<option value="chen">Chen Li</option>`},
		{"in an attribute", `<b aria-label="{{called .}}">`, `e"<b>`, `<b aria-label="&lt;i&gt;&#34;Eve&#34; &amp; &#39;co&#39;">`},
		{"no element in an attribute", `<b title="{{person .}}">`, "chen", `<b title="Chen Li">`},
		{"two of one name are told apart", `{{range .}}{{person .}} {{end}}`, []string{"amy1", "amy2", "chen"}, `<bdi title="amy1">Amy (amy1)</bdi> <bdi title="amy2">Amy (amy2)</bdi> <bdi title="chen">Chen Li</bdi> `},
		{"nobody is taken for an id", `{{range .}}{{person .}} {{end}}`, []string{"ann", "sneaky"}, `<bdi>ann</bdi> <bdi title="sneaky">ann (sneaky)</bdi> `},
		{"a mention", `{{tells .}}`, "Ask @chen, or @nobody. Not a@chen <b>", `Ask <bdi class="mention" title="chen">@Chen Li</bdi>, or <bdi class="mention">@nobody</bdi>. Not a@chen &lt;b&gt;`},
		{"a mention that ends in a character", `{{tells .}}`, "@chen请看", `<bdi class="mention" title="chen">@Chen Li</bdi>请看`},
		{"mentions of nobody", `{{tells .}}`, "@李雷. Ask @wang.xiaoming.", `<bdi class="mention">@李雷</bdi>. Ask <bdi class="mention">@wang.xiaoming</bdi>.`},
		{"no mention", `{{tells .}}`, "@ at @-x <b>", `@ at @-x &lt;b&gt;`},
		{"in a sentence", `{{text (reason .)}}`, "manager of chen, who has none", `manager of Chen Li, who has none`},
		{"twice in a sentence", `{{reason .}}`, "Bob has acted for chen already", `Zoe has acted for Chen Li already`},
		{"a list in a sentence", `{{reason .}}`, `"Board" asks chen, nobody, Bob`, `&#34;Board&#34; asks Chen Li, nobody, Zoe`},
		{"of what an end rests on", `{{reason .}}`, `every approval was passed: "A; b" was approved by chen, Bob; "C" was approved by a deadline`, `every approval was passed: &#34;A; b&#34; was approved by Chen Li, Zoe; &#34;C&#34; was approved by a deadline`},
		{"no person in a sentence", `{{reason .}}`, "chen", `chen`},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, n := naming(t, known, c.text, c.data)
			require.Equal(t, c.want, out)
			require.LessOrEqual(t, n, 1)
		})
	}
	out, asked := naming(t, nil, `{{person .}} {{tells "@chen"}}`, "chen")
	require.Equal(t, `<bdi>chen</bdi> <bdi class="mention">@chen</bdi>`, out, "a page is of use without names")
	require.Equal(t, 1, asked)
	_, asked = naming(t, known, `{{.}}`, "chen")
	require.Zero(t, asked, "nobody is named")
}

// TestSentencesAboutPersonsAreSaid: each of them is one of the rules', which page tells in Chinese.
func TestSentencesAboutPersonsAreSaid(t *testing.T) {
	for _, sentence := range personalSentences {
		said, ok := inChinese(filled(strings.ReplaceAll(sentence, "%p", "%s")))
		require.True(t, ok, "%q is said as %q", sentence, said)
	}
}
