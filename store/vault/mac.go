package vault

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
)

// MAC is the HMAC-SHA256 of some parts. Their lengths keep the bounds between them.
func MAC(key []byte, parts ...string) []byte {
	mac := hmac.New(sha256.New, key)
	for _, part := range parts {
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		mac.Write([]byte(part))
	}
	return mac.Sum(nil)
}
