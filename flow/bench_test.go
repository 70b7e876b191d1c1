package flow

import (
	"fmt"
	"testing"
)

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

// BenchmarkSteps is what a step of an expression takes, of several kinds.
func BenchmarkSteps(b *testing.B) {
	p, fields := largest(b)
	for i, code := range []string{`all(fields.ps, {# in fields.qs})`, `count(fields.ps, # endsWith "7")`, `count(fields.ps, len(#) * fields.i / 1.5 > 3)`,
		`fields.t matches "^(a|b)*$"`, `upper(fields.u) == lower(fields.u)`, `count(fields.ps, string(fields.i) == #)`} {
		f, err := compile(code, p.sees(p.nodes["b"]))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprint(i), func(b *testing.B) {
			steps := 0
			for b.Loop() {
				r := &run{p: p, env: Env{Now: monday, Rules: RulesNow, Opener: "olga", Fields: fields}}
				_, _ = r.world(p.nodes["b"]).compute(f)
				steps += r.spent.steps
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(steps), "ns/step")
			b.ReportMetric(float64(steps)/float64(b.N), "steps")
		})
	}
}
