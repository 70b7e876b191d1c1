// Package verify finds what was changed, added or deleted by hand, and makes anew what is kept beside the events. It has no tables; with Options.Backfill it writes what chain would have
// written, and Remake what tickets would have.
//
// See Verify for what it compares and what it cannot find.
package verify
