package notice

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"signalbox/ticket"
)

// Sign gives the headers that the Standard Webhooks specification asks for: webhook-id, the same on every try; webhook-timestamp, of this
// try; and webhook-signature over both and the body, which is left out when the subscription has no secret. The secret is "whsec_" and
// base64. Older secrets, of which a receiver may not have heard yet that they were replaced, sign as well: the specification lets signatures
// stand side by side, with blanks between them. An error never contains the secret.
func Sign(secret, id string, at time.Time, body []byte, older ...string) (map[string]string, error) {
	headers := map[string]string{
		standardwebhooks.HeaderWebhookID:        id,
		standardwebhooks.HeaderWebhookTimestamp: strconv.FormatInt(at.Unix(), 10),
	}
	if secret == "" {
		return headers, nil
	}
	var signatures []string
	for _, secret := range append([]string{secret}, older...) {
		key, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			return nil, fmt.Errorf("read the signing secret: %w", err)
		}
		signature, err := key.Sign(id, at, body)
		if err != nil {
			return nil, fmt.Errorf("sign: %w", err)
		}
		signatures = append(signatures, signature)
	}
	headers[standardwebhooks.HeaderWebhookSignature] = strings.Join(signatures, " ")
	return headers, nil
}

// SecretPrefix begins every signing secret, as Standard Webhooks has it.
const SecretPrefix = "whsec_"

// CheckSecret refuses a signing secret that is not "whsec_" and 24 to 64 bytes in base64 (Standard Webhooks). The refusal names the field.
func CheckSecret(field, secret string) error {
	text, found := strings.CutPrefix(secret, SecretPrefix)
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if !found || err != nil || len(raw) < 24 || len(raw) > 64 || strings.ContainsAny(text, "\r\n") {
		return ticket.RefuseField(ticket.Invalid, field, "must be whsec_ and 24 to 64 bytes in base64")
	}
	return nil
}
