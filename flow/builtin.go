package flow

import (
	"embed"
	"sync"
)

// Keys of the built-in services.
const (
	ServiceIncident     = "incident"
	ServiceFastApproval = "fast_approval"
)

// FirstNumber is the lowest integer id that a publisher gives out; those below belong to the built-in services and their nodes.
const FirstNumber = 1000

//go:embed builtin/*.yaml
var builtinFiles embed.FS

// Builtin gives the processes that are there without being published, by key. They are compiled once, on first use.
var Builtin = sync.OnceValue(func() map[string]*Process {
	out := map[string]*Process{}
	for _, key := range []string{ServiceIncident, ServiceFastApproval} {
		source, err := builtinFiles.ReadFile("builtin/" + key + ".yaml")
		if err != nil {
			panic("flow: " + err.Error()) // embedded
		}
		def, faults := Parse(source)
		if len(faults) > 0 {
			panic("flow: " + key + ": " + faults.Error()) // the tests compile them
		}
		process, err := Compile(def)
		if err != nil {
			panic("flow: " + err.Error())
		}
		out[key] = process
	}
	return out
})
