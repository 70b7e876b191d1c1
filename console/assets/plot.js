// Draws the tables of a page that say so as plots. The figures come from the table, which stays for whoever has no script or does not see the plot.
'use strict';

{
	const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
	const plot = (box, table) => {
		let drawn;
		const draw = () => {
			const rows = [...table.tBodies[0].rows];
			const days = rows.map((row) => row.cells[0].textContent.trim());
			const series = [...table.tHead.querySelectorAll('[data-series]')];
			const data = [rows.map((_, i) => i), ...series.map((head) => rows.map((row) => Number(row.dataset[head.dataset.series])))];
			const axis = { stroke: color('--dim'), grid: { stroke: color('--line'), width: 1 }, ticks: { stroke: color('--line'), width: 1 } };
			drawn?.destroy();
			drawn = new uPlot({
				width: Math.max(280, box.clientWidth),
				height: 240,
				scales: { x: { time: false }, y: { range: (_, min, max) => [0, Math.max(4, max * 1.1)] } },
				axes: [
					{ ...axis, values: (_, at) => at.map((i) => (Number.isInteger(i) && days[i] ? days[i].slice(5) : '')) },
					{ ...axis, values: (_, at) => at.map((n) => (Number.isInteger(n) ? String(n) : '')) },
				],
				series: [
					{ label: table.tHead.rows[0].cells[0].textContent, value: (_, i) => (i == null ? '' : days[i]) },
					...series.map((head, i) => ({ label: head.textContent, stroke: color(i ? (head.dataset.series === 'failed' ? '--on-red' : '--on-green') : '--link'), dash: i ? [6, 4] : undefined, width: 2, points: { show: true } })),
				],
			}, data, box);
		};
		box.hidden = false;
		draw();
		let width = box.clientWidth;
		new ResizeObserver(() => {
			if (box.clientWidth !== width) {
				width = box.clientWidth;
				drawn.setSize({ width: Math.max(280, width), height: 240 });
			}
		}).observe(box);
		matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
	};
	for (const box of document.querySelectorAll('[data-plot]')) {
		const table = document.getElementById(box.dataset.plot);
		if (table && window.uPlot) {
			plot(box, table);
		}
	}
}
