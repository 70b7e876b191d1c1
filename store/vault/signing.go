package vault

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"signalbox/notice"
	"signalbox/ticket"
)

// rotationOverlap is how long an earlier secret goes on signing after a rotation, and maxOlder how many of them there may be at once.
const (
	rotationOverlap = 24 * time.Hour
	maxOlder        = 4
)

// Signing is what is signed with for one address or service, as its row has it.
type Signing struct {
	Secret string `db:"secret"` // encrypted; empty: not made yet
	Older  string `db:"older"`  // JSON: []olderSecret
}

// olderSecret is a secret that was replaced and still signs.
type olderSecret struct {
	Sealed string    `json:"sealed"`
	Until  time.Time `json:"until"`
}

// still gives the earlier secrets that still sign, oldest first.
func (s Signing) still(now time.Time) ([]olderSecret, error) {
	still := []olderSecret{}
	if s.Older == "[]" {
		return still, nil
	}
	var all []olderSecret
	if err := json.Unmarshal([]byte(s.Older), &all); err != nil {
		return nil, fmt.Errorf("read earlier secrets: %w", err)
	}
	for _, o := range all {
		if now.Before(o.Until) {
			still = append(still, o)
		}
	}
	return still, nil
}

// OpenSigning gives what is signed with for this owner: the secret in force, and earlier ones that still sign.
func (v *Vault) OpenSigning(had Signing, owner string) (secret string, older []string, err error) {
	if secret, err = v.master.decrypt(had.Secret, owner); err != nil {
		return "", nil, fmt.Errorf("secret: %w", err)
	}
	still, err := had.still(v.db.Now())
	if err != nil {
		return "", nil, err
	}
	for _, o := range still {
		text, err := v.master.decrypt(o.Sealed, owner)
		if err != nil {
			return "", nil, fmt.Errorf("an earlier secret: %w", err)
		}
		older = append(older, text)
	}
	return secret, older, nil
}

// RotateSigning gives what an owner signs with from now on, and its new secret. Its row is held. TooMany: too many earlier secrets still sign.
func (v *Vault) RotateSigning(had Signing, owner string) (next Signing, secret string, err error) {
	older, err := had.still(v.db.Now())
	switch {
	case err != nil:
		return had, "", err
	case len(older) >= maxOlder:
		return had, "", ticket.Refuse(ticket.TooMany, fmt.Sprintf("%d earlier secrets still sign; the first of them ends at %s", len(older), older[0].Until.UTC().Format(time.RFC3339)))
	case had.Secret != "":
		older = append(older, olderSecret{had.Secret, v.db.Now().Add(rotationOverlap).UTC()})
	}
	kept, err := json.Marshal(older)
	if err != nil {
		return had, "", fmt.Errorf("write earlier secrets: %w", err)
	}
	secret = NewSigningSecret()
	return Signing{Secret: v.master.encrypt(secret, owner), Older: string(kept)}, secret, nil
}

// NewSigningSecret makes one as Standard Webhooks has it.
func NewSigningSecret() string { return NewSecret(notice.SecretPrefix, base64.StdEncoding) }

// ServiceOwner is the owner of what a service's requests are signed with. A key has no slash, so no two services have one owner.
func ServiceOwner(tenant, key string) string { return "service:" + tenant + "/" + key }
