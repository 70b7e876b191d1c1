// Line numbers beside a text that is written, and marks where something is wrong in it. Without it the faults are listed all the same.
'use strict';

for (const area of document.querySelectorAll('textarea[data-numbered]')) {
	const gutter = document.createElement('pre');
	gutter.className = 'gutter';
	gutter.setAttribute('aria-hidden', 'true');
	area.before(gutter);
	const follow = () => { gutter.scrollTop = area.scrollTop; };
	const number = () => {
		const bad = new Set(Array.from(document.querySelectorAll('#found [data-line]'), (a) => a.dataset.line));
		const lines = [];
		for (let n = 1, last = area.value.split('\n').length; n <= last; n++) {
			if (bad.has(String(n))) {
				const mark = document.createElement('b');
				mark.textContent = n;
				lines.push(mark);
			} else {
				lines.push(n + '\n');
			}
		}
		gutter.replaceChildren(...lines);
		follow();
	};
	area.addEventListener('input', number);
	area.addEventListener('scroll', follow);
	document.body.addEventListener('htmx:afterSwap', number);
	document.addEventListener('click', (event) => {
		const link = event.target.closest('#found [data-line]');
		if (!link) return;
		event.preventDefault();
		const lines = area.value.split('\n');
		const at = Number(link.dataset.line) - 1;
		const start = lines.slice(0, at).reduce((n, line) => n + line.length + 1, 0);
		area.focus();
		area.setSelectionRange(start, start + (lines[at] || '').length);
		area.scrollTop = Math.max(0, (at - 5) * area.scrollHeight / lines.length);
	});
	number();
}
