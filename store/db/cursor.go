package db

import (
	"encoding/base64"
	"encoding/json"
	"time"

	"signalbox/ticket"
)

// Cursor is where a page ended. Callers see it as an opaque text.
type Cursor struct {
	At time.Time `json:"a"`
	N  int64     `json:"n"` // a ticket's id, or a delivery's sequence number
	ID string    `json:"i,omitempty"`
}

// String writes it as a cursor.
func (p Cursor) String() string {
	raw, err := json.Marshal(p)
	if err != nil {
		panic("store: a position that does not marshal: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// parseCursor reads one; Invalid, field "cursor": the text is none.
func parseCursor(text string) (p Cursor, err error) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(raw, &p)
	}
	if err != nil || p.N <= 0 || p.At.Year() < 1 || p.At.Year() > 9999 || CleanText(p.ID) != p.ID {
		return Cursor{}, ticket.RefuseField(ticket.Invalid, "cursor", "is not the next_cursor of a page")
	}
	return p, nil
}
