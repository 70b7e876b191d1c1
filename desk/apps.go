package desk

import "time"

// AppRecord is an app with what those who look after apps see of it.
type AppRecord struct {
	App
	CreatedAt time.Time
	UpdatedAt time.Time
	// UsedAt is when it was last seen to call or to sign somebody in, written down at most every UsedEvery; nil: not since that is written down.
	UsedAt  *time.Time
	Secrets []AppSecret // those that work, newest first
}

// UsedEvery is how often it is written down that an app is used.
const UsedEvery = 10 * time.Minute

// AppSecret is what may be seen of a secret of an app.
type AppSecret struct {
	CreatedAt time.Time
	ExpiresAt *time.Time // nil: it does not expire
}
