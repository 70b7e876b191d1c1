package page

import "net/http"

// secretView is the page that shows a secret, once.
type secretView struct {
	Of, Secret, Text, Back string
}

// ShowSecret answers with a page that shows the new secret of something, which is shown nowhere else: of says what it signs for, text what becomes of the one before, and back is the
// page that it was asked for on.
func (v *Visit) ShowSecret(title, of, secret, text, back string) error {
	return v.Render(http.StatusOK, "secret", title, secretView{Of: of, Secret: secret, Text: text, Back: back})
}
