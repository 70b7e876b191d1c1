package notice

import (
	"fmt"
	"strconv"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// Sign gives the headers that the Standard Webhooks specification asks for: webhook-id, the same on every try; webhook-timestamp, of this
// try; and webhook-signature over both and the body, which is left out when the subscription has no secret. The secret is "whsec_" and
// base64. An error never contains the secret.
func Sign(secret, id string, at time.Time, body []byte) (map[string]string, error) {
	headers := map[string]string{
		standardwebhooks.HeaderWebhookID:        id,
		standardwebhooks.HeaderWebhookTimestamp: strconv.FormatInt(at.Unix(), 10),
	}
	if secret == "" {
		return headers, nil
	}
	key, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		return nil, fmt.Errorf("read the signing secret: %w", err)
	}
	signature, err := key.Sign(id, at, body)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	headers[standardwebhooks.HeaderWebhookSignature] = signature
	return headers, nil
}
