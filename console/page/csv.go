package page

import (
	"bytes"
	"encoding/csv"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// byteOrderMark tells spreadsheets that a file is UTF-8; without it they take Chinese for something else.
const byteOrderMark = "\uFEFF"

// CSV answers with a table as a file (RFC 4180), made whole before anything of it is sent; fill gives its rows, the first of which names the columns. A text that a
// spreadsheet would take for a formula stands behind an apostrophe.
func (v *Visit) CSV(name string, fill func(row func(cells ...string)) error) error {
	out := bytes.NewBufferString(byteOrderMark)
	w := csv.NewWriter(out)
	w.UseCRLF = true
	err := fill(func(cells ...string) {
		covered := make([]string, len(cells))
		for i, cell := range cells {
			covered[i] = harmless(cell)
		}
		_ = w.Write(covered) // a buffer takes everything
	})
	if err != nil {
		return err
	}
	w.Flush()
	v.Attachment(name)
	v.Set(fiber.HeaderContentType, "text/csv; charset=utf-8") // Attachment sets one by the name
	return v.Send(out.Bytes())
}

// formula is what a cell begins with that spreadsheets take for a formula, which could send what else is in the file elsewhere (OWASP, CSV injection).
const formula = "=+-@\t\r\n＝＋－＠"

func harmless(cell string) string {
	if cell != "" && strings.ContainsRune(formula, []rune(cell)[0]) {
		return "'" + cell
	}
	return cell
}

// Uncovered gives a cell of a file that CSV wrote as it was.
func Uncovered(cell string) string {
	if rest, ok := strings.CutPrefix(cell, "'"); ok && harmless(rest) != rest {
		return rest
	}
	return cell
}
