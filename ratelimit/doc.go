// Package ratelimit counts how often something is done and says when it is too often. It is pure: the time is handed in. What is counted by
// key takes bounded memory, whatever keys a stranger makes up.
package ratelimit
