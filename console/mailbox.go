package console

import (
	"net/http"
	"slices"
	"time"
)

// Mail is one that a development system shows in place of sending it.
type Mail struct {
	At      time.Time
	To      string
	Subject string
	Text    string
}

// mailbox shows the mails that would have been sent, newest first. It is there in development alone, where everybody may read everybody's.
func (s *Console) mailbox(q *request) error {
	mails := s.Mailbox()
	slices.Reverse(mails)
	return q.render(http.StatusOK, "mailbox", "Mailbox", mails)
}
