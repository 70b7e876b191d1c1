package flow

import "testing"

func BenchmarkCompile(b *testing.B) {
	def := Builtin()[ServiceIncident].Definition()
	for b.Loop() {
		if _, err := Compile(def); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkIncident is all that a ticket's generation costs the interpreter.
func BenchmarkIncident(b *testing.B) {
	p := Builtin()[ServiceIncident]
	env := Env{Now: monday, Opener: "olga"}
	for b.Loop() {
		var pos Position
		for _, in := range []Input{Start{}, Act{Action: Accept, Actor: "ann"}, Act{Action: CommitSolution, Actor: "ann"}, Act{Action: Confirm, Actor: "olga", Pass: true}} {
			out, err := p.Step(pos, env, in)
			if err != nil {
				b.Fatal(err)
			}
			pos = Apply(pos, out.States)
		}
	}
}
