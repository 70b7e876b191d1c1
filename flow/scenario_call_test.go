package flow

const hook = `
- {id: c, name: C, type: call, call: {url: 'https://host/x'}, processors: {persons: [ops]}, next: done}` + end

func method(m string) scenario {
	return scenario{"a request by " + m, `
- {id: c, name: C, type: call, call: {method: ` + m + `, url: 'https://host/x'}, next: done}` + end, `
	start     => c:calling
	calls     => ` + m + ` https://host/x
	called ok => completed approved`}
}

var callScenarios = []scenario{
	method("GET"), method("POST"), method("PUT"), method("PATCH"), method("DELETE"),

	{"an answer fills fields", `
- id: c
  name: C
  type: call
  call:
    url: 'https://host/${fields.name}/do?who=${opener}&n=${fields.n + 1}'
    headers: {X-Who: '${fields.name}'}
    body: {name: '${fields.name}', text: 'for ${fields.name} $${x}', n: '${fields.n}', list: ['${fields.tags}', true, 1], none: null}
    success: body.code == 0
    answer: {id: body.data.id, note: '"got " + string(status)'}
  fields: [{key: id, type: INT}, {key: note, type: STRING}]
  next: b
- {id: b, name: B, type: branch, cases: [{when: 'fields.id == 7 && nodes.c.passed && nodes.c.status == 201', next: done}], default: bad}
- {id: bad, name: Bad, type: end, status: terminated}
- {id: done, name: Done, type: end}
fields: [{key: name, type: STRING}, {key: n, type: INT}, {key: tags, type: MEMBERS}]`, `
	field name=a/b ?"&é =>
	field n=4           =>
	field tags=x,y      =>
	start     => c:calling
	calls     => POST https://host/a%2Fb%20%3F%22%26%C3%A9/do?who=olga&n=5 {"list":[["x","y"],true,1],"n":4,"name":"a/b ?\"\u0026é","none":null,"text":"for a/b ?\"\u0026é ${x}"}
	called ok {"code":0,"data":{"id":7}} => terminated refused
	fields    => {"id":7,"n":"4","name":"a/b ?\"\u0026é","note":"got 200","tags":"x,y"}`},

	{"a call that failed is retried or skipped by those who are asked", hook, `
	start        => c:calling
	retry by ops => refused conflict not possible
	called 500   => c:failed[ops]
	says         => call_failed(c >ops)
	retry by eve => refused forbidden asks ops
	retry by ops => c:calling
	called fail  => c:failed[ops]
	skip by root admin => completed approved
	says         => skipped(c root) left(c false) entered(done) finished(done)`},

	{"an answer that does not say what was hoped for is a failure", `
- id: c
  name: C
  type: call
  call: {url: 'https://host/x', success: 'status < 300 && body.ok', answer: {n: body.n}}
  fields: [{key: n, type: INT}]
  next: done` + end, `
	start                       => c:calling
	called ok not_json          => c:failed[]
	retry resend by root admin  => c:calling
	called ok {"ok":false}      => c:failed[]
	retry by root admin         => c:calling
	called ok {"ok":true,"n":"x"} => c:failed[]
	retry resend by root admin  => c:calling
	called ok {"ok":true,"n":1} => completed approved`},

	{"a request that cannot be made fails at once", `
- {id: c, name: C, type: call, call: {url: 'https://host/${fields.a}${fields.a}/x', headers: {H: '${fields.h}'}}, next: done}
- {id: done, name: Done, type: end}
fields: [{key: a, type: STRING}, {key: h, type: TEXT}]`, `
	field a=.  =>
	start      => c:failed[]
	says       => entered(c) call_failed(c)
	field a=b  => c:failed[]
	retry by root admin => c:calling`},

	{"a line break cannot get into a header", `
- {id: c, name: C, type: call, call: {url: 'https://host/x', headers: {H: '${fields.h + "\n" + "Evil: 1"}'}}, next: done}
- {id: done, name: Done, type: end}
fields: [{key: h, type: TEXT}]`, `
	start => c:failed[]`},

	{"an answer that comes while the ticket is suspended waits until it is resumed", hook, `
	start      => c:calling
	suspend    => c:calling
	calls      =>
	resume     => c:calling
	calls      => POST https://host/x`},
}
