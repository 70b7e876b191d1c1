package flow

import (
	"fmt"
	"slices"
)

// TryAgain tells why an answer with this HTTP status is worth another attempt at the request; empty where the process is to say what it means. It is what
// a receiver says while it cannot do better: 408, 425, 429, and 5xx.
func TryAgain(status int) string {
	if status >= 500 || slices.Contains([]int{408, 425, 429}, status) {
		return fmt.Sprintf("HTTP %d", status)
	}
	return ""
}
