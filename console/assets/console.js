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
