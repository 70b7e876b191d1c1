package flow

const seeking = `
- {id: v, name: Vote, type: approval, rule: all, processors: {persons: [ann], http: {url: 'https://who.example.com/of/${opener}', answer: {persons: body.people}}}, reject: {then: back, to: v}, next: done}` + end

var outsideScenarios = []scenario{
	{"http: who is asked is asked for as the node is entered, in each round anew", seeking, `
	start                              => v:calling
	says                               => entered(v)
	calls                              => POST https://who.example.com/of/olga
	approve by ann                     => refused conflict not possible
	called ok {"people":["bob","sue"]} => v[ann bob sue]
	says                               => call_done(v >ann,bob,sue) found(v >bob,sue)
	approve by ann                     => v[bob sue]
	approve by bob                     => v[sue]
	reject by sue                      => v:calling
	called ok {"people":"joe, bob(Bob, the builder)"} => v[ann joe bob]`},

	{"http: what is no answer is shown, and an admin asks again or reassigns", seeking, `
	start                        => v:calling
	called fail                  => v:failed[]
	says                         => call_failed(v)
	approve by ann               => refused conflict not possible
	retry by ann                 => refused forbidden nobody is asked
	skip by root admin           => refused conflict not possible
	add by root admin to joe     => refused conflict not possible
	retry by root admin          => v:calling
	called 404                   => v:failed[]
	retry by root admin          => v:calling
	called ok {}                 => v:failed[]
	retry by root admin          => v:calling
	called ok {"people":[7]}     => v:failed[]
	retry by root admin          => v:calling
	called ok {"people":["a,b"]} => v:failed[]
	retry by root admin          => v:calling
	called ok {"people":["bob"]} => v[ann bob]
	reject by ann                => v[bob]
	approve by bob               => v:calling
	reassign by root admin to joe => v[joe]
	calls                        =>
	approve by joe               => completed approved`},

	{"http: the body alone, nobody in it, and four eyes", `
- {id: a, name: A, type: approval, four_eyes: true, processors: {http: {url: 'https://who/', method: GET}}, next: b}
- {id: b, name: B, type: task, distribute: claim, processors: {http: {url: 'https://who/', method: GET}}, next: c}
- {id: c, name: C, type: approval, if_nobody: skip, processors: {http: {url: 'https://who/', method: GET}}, next: d}
- {id: d, name: D, type: approval, processors: {http: {url: 'https://who/', method: GET}}, next: done}` + end, `
	start                    => a:calling
	called ok ["olga"]       => a[]
	says                     => call_done(a) found(a >olga) barred(a >olga)
	reassign by root admin to ann => a[ann]
	approve by ann           => b:calling
	called ok ["bob","sue"]  => b:claiming[bob sue]
	claim by sue             => b[sue]
	submit by sue            => c:calling
	called ok []             => d:calling
	says                     => call_done(c) found(c) skipped(c) left(c) entered(d)
	called ok []             => d[]
	approve by ann           => refused forbidden nobody is asked`},

	{"http: a deadline asks others meanwhile, and then no answer is waited for", `
- {id: v, name: V, type: approval, processors: {http: {url: 'https://who/'}}, deadline: [{after: 1h, do: remind}, {after: 2h, do: escalate, to: {persons: [boss]}}], next: t}
- {id: t, name: T, type: task, distribute: claim, processors: {http: {url: 'https://who/'}}, deadline: [{after: 1h, do: reassign, to: {persons: [boss, chief]}}, {after: 2h, do: approve}], next: u}
- {id: u, name: U, type: task, processors: {http: {url: 'https://who/'}}, deadline: [{after: 2h, do: approve}], next: done}` + end, `
	start           => v:calling
	due             => v:calling
	says            => reminded(v)
	called fail     => v:failed[]
	due             => v[boss]
	says            => escalated(v >boss)
	approve by boss => t:calling
	due             => t:claiming[boss chief]
	calls           =>
	claim by boss   => t[boss]
	submit by boss  => u:calling
	due             => completed approved`},

	{"http: in a suspension nobody asks", `
- {id: v, name: V, type: approval, processors: {http: {url: 'https://who/'}}, next: w}
- {id: w, name: W, type: approval, if_nobody: skip, processors: {http: {url: 'https://who/'}}, next: done}` + end, `
	start                 => v:calling
	suspend               => v:calling
	calls                 =>
	resume                => v:calling
	calls                 => POST https://who/
	called ok ["ann"]     => v[ann]
	approve by ann        => w:calling
	called ok []          => completed approved`},

	{"http: straight back to who rejected, and only those who are found again have voted", `
- {id: t, name: T, type: task, processors: {anyone: true}, next: v}
- {id: v, name: V, type: approval, rule: all, processors: {http: {url: 'https://who/'}}, reject: {then: back, to: t, resubmit: rejector}, next: done}` + end, `
	start                         => t[anyone]
	submit by olga                => v:calling
	called ok ["ann","bob","joe"] => v[ann bob joe]
	approve by ann                => v[bob joe]
	approve by bob                => v[joe]
	reject by joe                 => t[anyone]
	submit by olga                => v:calling
	called fail                   => v:failed[]
	retry by root admin           => v:calling
	called ok ["ann","joe","sue"] => v[joe sue]
	says                          => call_done(v >joe,sue) found(v >ann,joe,sue) carried(v ann true)
	approve by joe                => v[sue]
	approve by sue                => completed approved`},
}
