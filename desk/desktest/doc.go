// Package desktest says what the desk expects of those it works with, for tests: one conformance suite for desk.Ledger and one for desk.Engine,
// which every implementation passes, and a small engine in memory for tests that are about neither.
package desktest

import "encoding/json"

// clone copies what crosses into an implementation or out of it, as a database and a server would.
func clone[T any](v T) T {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	var out T
	if err := json.Unmarshal(raw, &out); err != nil {
		panic(err)
	}
	return out
}

func asJSON(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(raw)
}
