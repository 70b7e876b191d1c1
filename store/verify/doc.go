// Package verify finds what was changed, added or deleted by hand. It has no tables; with Options.Backfill it writes what chain would have written.
//
// See Verify for what it compares and what it cannot find.
package verify
