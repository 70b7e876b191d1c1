// Trying calls of the API: the key is kept for as long as the tab, and sent with nothing but the calls.
'use strict';

{
	const kept = 'signalbox-key';
	const store = {
		get: () => { try { return sessionStorage.getItem(kept) || ''; } catch { return ''; } },
		set: (value) => { try { value ? sessionStorage.setItem(kept, value) : sessionStorage.removeItem(kept); } catch { /* then it is typed again */ } },
	};
	const box = document.querySelector('[data-key]');
	if (box) {
		const key = document.getElementById('key');
		key.value = store.get();
		box.hidden = false;
		key.addEventListener('input', () => store.set(key.value.trim()));
		box.addEventListener('reset', () => store.set(''));
		box.addEventListener('submit', (event) => event.preventDefault());
	}

	// A bare secret is an Access_Key; whoever names a scheme is taken at their word.
	const credential = (text) => (/^(Access_Key|Bearer|SDK-HMAC-SHA256)\s/i.test(text) ? text : 'Access_Key ' + text);

	// Numbers of more digits than JavaScript has would be shown as others.
	const pretty = (text) => {
		if (/[\d.]{16}/.test(text.replace(/"(?:[^"\\]|\\.)*"/g, '""'))) return text;
		try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; }
	};

	const form = document.getElementById('try');
	if (form) {
		const by = (id) => document.getElementById(id);
		const body = by('body');
		document.querySelectorAll('[data-acts], [data-examples]').forEach((e) => { e.hidden = false; });
		by('example')?.addEventListener('change', (event) => { body.value = by(event.target.value).textContent; });

		const show = (outcome, headers, text) => {
			by('answer').hidden = false;
			by('outcome').textContent = outcome;
			by('headers').textContent = headers;
			by('shown').textContent = text;
			by('shown').hidden = text === '';
		};

		form.addEventListener('submit', async (event) => {
			event.preventDefault();
			let path = form.dataset.path;
			const query = new URLSearchParams(), headers = new Headers();
			const fields = [...form.querySelectorAll('[data-in]')];
			for (const field of fields) field.removeAttribute('aria-invalid');
			const missing = fields.find((f) => f.value === '' && 'required' in f.dataset);
			if (missing) {
				missing.setAttribute('aria-invalid', 'true');
				missing.focus();
				show(form.dataset.missing + ' ' + missing.dataset.name, '', '');
				return;
			}
			try {
				for (const field of fields) {
					const name = field.dataset.name;
					if (field.value === '') continue;
					const values = 'list' in field.dataset ? field.value.split(',').map((v) => v.trim()).filter(Boolean) : [field.value];
					for (const value of values) {
						if (field.dataset.in === 'path') path = path.replace('{' + name + '}', encodeURIComponent(value));
						else if (field.dataset.in === 'query') query.append(name, value);
						else if (field.dataset.in === 'header') headers.append(name, value);
					}
				}
				const key = store.get() || by('key').value.trim();
				if (key) headers.set('Authorization', credential(key));
				const request = { method: form.dataset.method, headers, credentials: 'omit', cache: 'no-store', redirect: 'manual' };
				if (body && body.value.trim() !== '' && request.method !== 'GET') {
					headers.set('Content-Type', by('type')?.value || body.dataset.type);
					request.body = body.value;
				}
				show(form.dataset.sending, '', '');
				const began = performance.now();
				const answer = await fetch(path + (query.size ? '?' + query : ''), request);
				const text = await answer.text();
				const told = [...answer.headers].filter(([name]) => /^(content-type|etag|location|retry-after|x-(?!content|frame)|ratelimit)/.test(name)).map(([name, value]) => name + ': ' + value);
				const json = /json/.test(answer.headers.get('Content-Type') || '');
				show(answer.status + ' ' + answer.statusText + ' · ' + Math.round(performance.now() - began) + ' ms', told.join('\n'), (json ? pretty(text) : text).slice(0, 200000));
			} catch (fault) {
				show(form.dataset.failed + ' ' + fault.message, '', '');
			}
			by('answer').scrollIntoView({ block: 'nearest' });
		});
	}
}
