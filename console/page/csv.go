package page

import (
	"bytes"
	"encoding/csv"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// CSV answers with a table as a file (RFC 4180), in UTF-8 with the mark by which spreadsheets know it. The first row names the columns. A text that a spreadsheet would
// take for a formula stands behind an apostrophe.
func (v *Visit) CSV(name string, rows [][]string) error {
	out := bytes.NewBufferString("\ufeff")
	w := csv.NewWriter(out)
	w.UseCRLF = true
	for _, row := range rows {
		for i, cell := range row {
			if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
				row[i] = "'" + cell
			}
		}
		if err := w.Write(row); err != nil {
			return err
		}
	}
	w.Flush()
	v.Set(fiber.HeaderContentType, "text/csv; charset=utf-8")
	v.Attachment(name)
	v.Set(fiber.HeaderContentType, "text/csv; charset=utf-8")
	return v.Send(out.Bytes())
}
