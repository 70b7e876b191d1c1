package flow

// memberScenarios show members that no other story turns on.
var memberScenarios = []scenario{
	{"a request says how long a try may take, and how often and when it is made again", `
- {id: c, name: C, type: call, call: {url: 'https://host/x', timeout: 5s, retry: {attempts: 5, interval: 1m, coefficient: 1.5}}, next: done}` + end, `
	start     => c:calling
	limits    => 5s 5 1m0s 1.5
	called ok => completed approved`},

	{"a veto is that person's alone", `
- {id: v, name: Vote, type: approval, rule: n-of-m, n: 1, veto: {persons: [ann]}, processors: {persons: [ann, bob, joe]}, next: done}` + end, `
	start          => v[ann bob joe]
	reject by bob  => v[ann joe]
	reject by ann  => completed refused`},
}
