// Package callers knows the apps that call. Its tables are apps, app_secrets, buckets, signatures and budgets.
//
// It promises that a secret is found by its digest and lies encrypted; that what one process allows or uses up counts in all of them; and that a change to an
// app is known everywhere within a second.
//
// Buckets, signatures and budgets are locked one row at a time and beside the order of db/locks.go: nothing else is locked with them.
package callers
