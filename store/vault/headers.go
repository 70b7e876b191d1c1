package vault

import (
	"context"
	"encoding/json"
	"fmt"

	"signalbox/store/db"
	"signalbox/ticket"
)

// EncryptedMark begins a body that was encrypted because it tells a secret; no JSON begins so.
const EncryptedMark = "sealed:"

// EncryptOpening encrypts the headers that an opening wants sent along, which may hold a credential, before anybody writes the opening down: it is
// kept with its operation, in the ticket's events and in Temporal.
func (v *Vault) EncryptOpening(ctx context.Context, q *db.Tx, events []ticket.Event) error {
	for i := range events {
		o := events[i].After.Opening
		if o == nil || o.Callback == nil || len(o.Callback.Headers) == 0 {
			continue
		}
		headers, err := json.Marshal(o.Callback.Headers)
		if err != nil {
			return fmt.Errorf("write headers: %w", err)
		}
		encrypted, err := v.EncryptLasting(ctx, q, string(headers), openingOwner(o.Identity))
		if err != nil {
			return fmt.Errorf("encrypt headers: %w", err)
		}
		opening, callback := *o, *o.Callback
		callback.Headers, callback.Encrypted = nil, encrypted
		opening.Callback, events[i].After.Opening = &callback, &opening
	}
	return nil
}

// DecryptHeaders gives what EncryptOpening encrypted, or what an opening from before it has in plain.
func (v *Vault) DecryptHeaders(ctx context.Context, q *db.Tx, id ticket.Identity, c ticket.Callback) (headers map[string]string, err error) {
	if c.Encrypted == "" {
		return c.Headers, nil
	}
	text, err := v.DecryptLasting(ctx, q, c.Encrypted, openingOwner(id))
	if err == nil {
		err = json.Unmarshal([]byte(text), &headers)
	}
	return headers, db.Wrap("open the headers of a callback", err)
}

// openingOwner is the owner of what is encrypted in a ticket's opening.
func openingOwner(id ticket.Identity) string { return "opening:" + id.Number }

// HeadersOwner is the owner of a subscription's encrypted headers.
func HeadersOwner(subscription string) string { return subscription + ":headers" }

// TLSOwner is the owner of what a subscription's address is connected to with.
func TLSOwner(subscription string) string { return subscription + ":tls" }
