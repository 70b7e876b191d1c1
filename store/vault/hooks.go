package vault

import (
	"encoding/json"
	"fmt"
)

// Hook is what is secret of a chat of a person.
type Hook struct {
	Webhook string `json:"webhook"`
	Secret  string `json:"secret,omitempty"`
}

// HooksOwner is the owner of a person's webhooks.
func HooksOwner(uid string) string { return "person:" + uid + ":hooks" }

// SealHooks gives what is stored of a person's webhooks, by network; nothing where there are none.
func (v *Vault) SealHooks(hooks map[string]Hook, uid string) (string, error) {
	if len(hooks) == 0 {
		return "", nil
	}
	raw, err := json.Marshal(hooks)
	if err != nil {
		return "", fmt.Errorf("write webhooks: %w", err)
	}
	return v.Encrypt(string(raw), HooksOwner(uid)), nil
}

// OpenHooks gives back what SealHooks sealed.
func (v *Vault) OpenHooks(sealed, uid string) (hooks map[string]Hook, err error) {
	if sealed == "" {
		return nil, nil
	}
	plain, err := v.Decrypt(sealed, HooksOwner(uid))
	if err == nil {
		err = json.Unmarshal([]byte(plain), &hooks)
	}
	if err != nil {
		return nil, fmt.Errorf("open the webhooks of %s: %w", uid, err)
	}
	return hooks, nil
}
