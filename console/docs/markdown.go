package docs

import (
	"html/template"
	"regexp"
	"strings"

	"signalbox/api/openapi"
)

// html is a text that markdown has made.
type html = template.HTML

// markdown shows what the documents use of CommonMark: paragraphs, tables, **strong**, *emphasis*, `code` and [links](https://…). The name of a document in emphasis leads to
// it. Everything else is shown as it stands.
func markdown(source string) html {
	var out strings.Builder
	for block := range strings.SplitSeq(strings.TrimSpace(source), "\n\n") {
		block = strings.TrimSpace(block)
		switch lines := strings.Split(block, "\n"); {
		case block == "":
		case strings.HasPrefix(block, "|"):
			table(&out, lines)
		default:
			out.WriteString("<p>")
			inline(&out, strings.Join(lines, " "))
			out.WriteString("</p>\n")
		}
	}
	return html(out.String()) //nolint:gosec // every text in it is escaped
}

// table writes lines of cells, of which the first is the head and the second its rule.
func table(out *strings.Builder, lines []string) {
	out.WriteString(`<div class="scroll" tabindex="0" role="group"><table>`)
	for i, line := range lines {
		if i == 1 {
			continue
		}
		cell := "td"
		if i == 0 {
			cell = "th"
		}
		out.WriteString("<tr>")
		for text := range strings.SplitSeq(strings.Trim(strings.TrimSpace(line), "|"), "|") {
			tag := cell
			if strings.TrimSpace(text) == "" {
				tag = "td" // a head without words heads nothing
			}
			out.WriteString("<" + tag + ">")
			inline(out, strings.TrimSpace(text))
			out.WriteString("</" + tag + ">")
		}
		out.WriteString("</tr>\n")
	}
	out.WriteString("</table></div>\n")
}

var spans = regexp.MustCompile("`([^`]+)`|\\*\\*([^*]+)\\*\\*|\\*([^* ][^*]*)\\*|\\[([^\\]]+)\\]\\((https://[^)\\s]+)\\)")

func inline(out *strings.Builder, s string) {
	for {
		m := spans.FindStringSubmatchIndex(s)
		if m == nil {
			out.WriteString(template.HTMLEscapeString(s))
			return
		}
		group := func(i int) string { return s[m[2*i]:m[2*i+1]] }
		out.WriteString(template.HTMLEscapeString(s[:m[0]]))
		switch {
		case m[2] >= 0:
			out.WriteString("<code>" + template.HTMLEscapeString(group(1)) + "</code>")
		case m[4] >= 0:
			out.WriteString("<strong>")
			inline(out, group(2))
			out.WriteString("</strong>")
		case m[6] >= 0 && openapi.BookOf(group(3)) != nil:
			out.WriteString(`<a href="` + Path + "/" + group(3) + `">` + template.HTMLEscapeString(group(3)) + "</a>")
		case m[6] >= 0:
			out.WriteString("<em>")
			inline(out, group(3))
			out.WriteString("</em>")
		default:
			out.WriteString(`<a href="` + template.HTMLEscapeString(group(5)) + `" rel="noreferrer">`)
			inline(out, group(4))
			out.WriteString("</a>")
		}
		s = s[m[1]:]
	}
}
