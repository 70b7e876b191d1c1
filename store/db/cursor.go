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

// ParseCursor reads one; nil: the text is empty, and asks for the first page. Invalid, field "cursor": it is none.
func ParseCursor(text string) (*Cursor, error) {
	if text == "" {
		return nil, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	var c Cursor
	if err == nil {
		err = json.Unmarshal(raw, &c)
	}
	if err != nil || c.N <= 0 || c.At.Year() < 1 || c.At.Year() > 9999 || CleanText(c.ID) != c.ID {
		return nil, ErrCursor()
	}
	return &c, nil
}

// ErrCursor refuses a cursor as Invalid: it is that of no page of the list.
func ErrCursor() error {
	return ticket.RefuseField(ticket.Invalid, "cursor", "is not the next_cursor of a page")
}
