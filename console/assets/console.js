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

// What a page asks for by itself fails silently: it neither leads away nor covers what somebody is at.
document.addEventListener('htmx:beforeOnLoad', (event) => {
	if (event.detail.elt.id === 'live' && event.detail.xhr.status >= 400) event.preventDefault();
});
document.addEventListener('htmx:sendError', (event) => {
	if (event.detail.elt.id === 'live') event.preventDefault();
});
