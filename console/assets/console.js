// What pages do in a browser beside htmx. Without it they work as well.
'use strict';

// The zone of times, for the next page, unless somebody chose one.
{
	const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
	const kept = document.cookie.split('; ').find((c) => c.startsWith('signalbox-look='));
	const parts = kept ? decodeURIComponent(kept.slice('signalbox-look='.length)).split('|').filter(Boolean) : [];
	if (zone && /^[\w+\/-]+$/.test(zone) && !parts.some((p) => p.startsWith('zone:') || p.startsWith('auto:'))) {
		parts.push('auto:' + zone);
		document.cookie = 'signalbox-look=' + parts.join('|') + '; path=/; max-age=31536000; samesite=lax' + (location.protocol === 'https:' ? '; secure' : '');
	}
}

// Whoever signs out takes the key along that they tried calls with.
document.addEventListener('submit', (event) => {
	if (event.target.getAttribute('action') !== '/logout') return;
	try { sessionStorage.removeItem('signalbox-key'); } catch { /* then none was kept */ }
});

// The picture of a process is scrolled to where the ticket stands.
{
	const look = () => document.querySelectorAll('.picture[data-x]').forEach((box) => {
		const img = box.querySelector('img');
		const centre = () => {
			box.scrollLeft = img.offsetLeft - box.offsetLeft + (img.offsetWidth * box.dataset.x) / 100 - box.clientWidth / 2;
			box.scrollTop = img.offsetTop - box.offsetTop + (img.offsetHeight * box.dataset.y) / 100 - box.clientHeight / 2;
		};
		if (img.complete) centre();
		else img.addEventListener('load', centre, { once: true });
	});
	look();
	document.addEventListener('htmx:oobAfterSwap', look);
}

// A list that is asked for again and again stays as it is while somebody is writing in it.
document.addEventListener('htmx:beforeRequest', (event) => {
	if (event.detail.elt.id === 'rows' && [...event.detail.elt.querySelectorAll('input:not([type=hidden])')].some((i) => i === document.activeElement || i.value)) event.preventDefault();
});

// A filter asks for nothing that its list shows or will show already: a field that is left is one that was changed to browsers, also where what was typed has been asked for.
// (Before `hx-sync`, which would end what is under way.)
{
	const asked = new WeakMap();
	const of = (form) => new URLSearchParams(new FormData(form)).toString();
	const forms = () => document.querySelectorAll('form.filter').forEach((form) => asked.has(form) || asked.set(form, of(form)));
	forms();
	for (const shown of ['htmx:load', 'htmx:historyRestore']) document.addEventListener(shown, forms);
	document.addEventListener('htmx:confirm', (event) => {
		const form = event.detail.elt;
		if (!form.matches('form.filter')) return;
		if (event.detail.triggeringEvent?.type !== 'submit' && asked.get(form) === of(form)) event.preventDefault();
		else asked.set(form, of(form));
	});
	// What failed may be asked for again.
	for (const failed of ['htmx:responseError', 'htmx:sendError', 'htmx:timeout']) document.addEventListener(failed, (event) => asked.delete(event.detail.elt));
}

// What somebody is about to click on stays where it is: a link that is replaced between press and release is never followed.
{
	let held = false, waiting = null;
	document.addEventListener('pointerdown', () => { held = true; }, true);
	const release = () => setTimeout(() => { // once the click has had its effect
		held = false;
		const form = waiting;
		waiting = null;
		if (form?.isConnected) form.requestSubmit();
	});
	for (const over of ['pointerup', 'pointercancel']) document.addEventListener(over, release, true);
	document.addEventListener('dragend', release, true);
	// Whoever leaves wants the list no more.
	document.addEventListener('click', (event) => {
		const to = event.target.closest('a[href]:not([download]), button:not([type=button])');
		if (to && !event.defaultPrevented && !event.ctrlKey && !event.metaKey && !event.shiftKey) waiting = null;
	});
	document.addEventListener('htmx:beforeSwap', (event) => {
		const elt = event.detail.requestConfig?.elt;
		if (!held || !elt) return;
		if (elt.matches('form.filter')) waiting = elt;
		else if (!elt.matches('[hx-trigger^="every"]')) return;
		event.detail.shouldSwap = false; // who asks again and again will ask again
	});
}

// What a page asks for by itself fails silently: it neither leads away nor covers what somebody is at. Where it goes on asking and the session is over, that is said once, for as long
// as it is.
{
	const again = '[hx-trigger^="every"]';
	const byItself = (elt) => elt.matches(again) || elt.hasAttribute('list');
	let over = false;
	document.addEventListener('htmx:beforeOnLoad', (event) => {
		const { elt, xhr } = event.detail;
		if (!byItself(elt)) return;
		if (xhr.status === 401 && elt.matches(again) && !over) {
			over = true;
		} else if (xhr.status >= 400) {
			event.preventDefault();
		} else if (over && elt.matches(again)) {
			over = false;
			document.querySelector('#notice > #problem')?.remove();
		}
	});
	document.addEventListener('htmx:sendError', (event) => {
		if (byItself(event.detail.elt)) event.preventDefault();
	});
	// Nor is said anew what is still said.
	document.addEventListener('htmx:oobBeforeSwap', (event) => {
		const { target, fragment } = event.detail;
		if (target.querySelector('[role=status]') && target.textContent === fragment.textContent) event.detail.shouldSwap = false;
	});
}

// Nobody is suggested behind a list of persons that is too long for an address.
document.addEventListener('htmx:configRequest', (event) => {
	if (event.detail.elt.hasAttribute('list') && event.detail.elt.value.length > 1000) event.preventDefault();
});

// Earlier entries come in the place of the link that asked for them: the keyboard goes on with the first of them.
document.addEventListener('htmx:load', (event) => {
	const first = event.detail.elt.matches('ol.events') && event.detail.elt.querySelector('li');
	if (first && (!document.activeElement || document.activeElement === document.body)) {
		first.tabIndex = -1;
		first.focus();
	}
});
