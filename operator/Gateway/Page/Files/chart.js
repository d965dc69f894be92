// Charts over the last 15 minutes, drawn as SVG. One cursor runs through all of them: by pointer, or with the arrow keys.

import { h } from './dom.js';
import { clock, number } from './format.js';
import { set, state } from './store.js';

const SLOTS = 180;
const HEIGHT = 100;

/**
 * A chart.
 * @param title what it shows; @param unit behind every value in words.
 * @param series `{ name, values, tone, dash, area }`, values by slot, null where there is none.
 * @param format how a value is written; @param ceiling the least that the axis reaches; @param marks `{ slot index, words }`.
 */
export function chart({ title, unit, series, format = number, ceiling = 0, most = null, marks = [] }) {
  const { first, length, slotSeconds } = state.traffic;
  const top = most ?? nice(Math.max(ceiling, ...series.flatMap(s => s.values.map(v => v ?? 0))));
  const end = length - 1; // The last slot has not passed yet.
  const offset = SLOTS - end;
  const at = state.cursor === null ? null : Math.min(Math.max(state.cursor - first, 0), end - 1);
  const shown = at ?? lastKnown(series, end);
  const when = i => new Date(new Date(state.traffic.until).getTime() - (length - 1 - i) * slotSeconds * 1000);
  const values = series.map(s => `${s.name} ${format(s.values[shown] ?? null)}`).join(', ');
  const words = series.length === 0 ? 'nothing yet' : `${at === null ? 'latest' : clock(when(at))}: ${values}`;
  const x = i => offset + i;
  const y = value => HEIGHT - (Math.min(value, top) / top) * HEIGHT;
  const cursorAt = event => {
    const box = event.currentTarget.getBoundingClientRect();
    const i = Math.round((event.clientX - box.left) / box.width * SLOTS - offset);
    set({ cursor: first + Math.min(Math.max(i, 0), Math.max(end - 1, 0)) });
  };
  return h('figure', { class: 'card chart', key: title },
    h('figcaption', {}, h('h3', {}, title), h('span', { class: 'aside' }, at === null ? unit : `${unit} · ${clock(when(at))}`)),
    h('div', { class: 'plot' },
      h('div', { class: 'axis', 'aria-hidden': 'true' },
        h('span', {}, format(top)), h('span', {}, format(top / 2)), h('span', {}, '0')),
      h('div', {
        class: 'area', tabindex: '0', role: 'slider', 'aria-label': `${title}, ${unit}`, 'aria-valuemin': '0', 'aria-valuemax': String(SLOTS),
        'aria-valuenow': String(SLOTS - (end - (at ?? end))), 'aria-valuetext': words,
        onpointermove: cursorAt, onpointerleave: () => set({ cursor: null }), onkeydown: event => step(event, end), onblur: () => set({ cursor: null }),
      },
      h('svg', { viewBox: `0 0 ${SLOTS} ${HEIGHT}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' },
        [0, 0.5].map(part => h('line', { class: 'grid', x1: 0, x2: SLOTS, y1: HEIGHT * part, y2: HEIGHT * part, 'vector-effect': 'non-scaling-stroke' })),
        h('line', { class: 'base', x1: 0, x2: SLOTS, y1: HEIGHT, y2: HEIGHT, 'vector-effect': 'non-scaling-stroke' }),
        marks.map(mark => h('line', {
          class: 'mark', x1: x(mark.index), x2: x(mark.index), y1: 0, y2: HEIGHT, 'vector-effect': 'non-scaling-stroke', key: `m${mark.index}`,
        })),
        series.map(s => [
          s.area && h('path', { class: `fill ${s.tone}`, d: areaOf(s.values, end, x, y), key: `a-${s.name}` }),
          h('path', { class: `dots ${s.tone}`, d: dotsOf(s.values, end, x, y), 'vector-effect': 'non-scaling-stroke', key: `d-${s.name}` }),
          h('path', {
            class: `line ${s.tone}`, d: pathOf(s.values, end, x, y), 'vector-effect': 'non-scaling-stroke',
            'stroke-dasharray': s.dash, key: `l-${s.name}`,
          }),
        ]),
        at !== null && h('line', { class: 'cursor', x1: x(at), x2: x(at), y1: 0, y2: HEIGHT, 'vector-effect': 'non-scaling-stroke', key: 'cursor' })))),
    h('div', { class: 'ticks', 'aria-hidden': 'true' }, ['15 min ago', '10', '5', 'now'].map(text => h('span', {}, text))),
    h('ul', { class: 'keys' },
      series.length === 0 && h('li', { class: 'aside' }, 'Nothing in the last 15 minutes.'),
      series.map(s => h('li', { key: s.name },
        h('span', { class: `key ${s.tone}`, 'data-dash': Boolean(s.dash), 'aria-hidden': 'true' }),
        h('span', { class: 'name' }, s.name), h('strong', {}, format(s.values[shown] ?? null)))),
      marks.length > 0 && h('li', { key: 'marks' },
        h('span', { class: 'key mark', 'aria-hidden': 'true' }), h('span', { class: 'name' }, 'streams moved'))));
}

function step(event, end) {
  const { first } = state.traffic;
  const now = state.cursor ?? first + end;
  const to = {
    ArrowLeft: now - 1, ArrowRight: now + 1, ArrowDown: now - 1, ArrowUp: now + 1, PageDown: now - 12, PageUp: now + 12, Home: first, End: first + end - 1,
  }[event.key];
  if (to !== undefined) {
    event.preventDefault();
    set({ cursor: Math.min(Math.max(to, first), first + Math.max(end - 1, 0)) });
  } else if (event.key === 'Escape') {
    set({ cursor: null });
  }
}

/** The latest slot that any of them knows something of. */
function lastKnown(series, end) {
  for (let i = end - 1; i >= 0; i--) {
    if (series.some(s => s.values[i] !== null)) {
      return i;
    }
  }

  return Math.max(0, end - 1);
}

function pathOf(values, end, x, y) {
  let path = '';
  let open = false;
  for (let i = 0; i < end; i++) {
    if (values[i] === null || values[i] === undefined) {
      open = false;
    } else {
      path += `${open ? 'L' : 'M'}${x(i)} ${y(values[i]).toFixed(2)}`;
      open = true;
    }
  }

  return path;
}

/** Points without neighbours, which no line would show: lines of no length, with round caps. */
function dotsOf(values, end, x, y) {
  const known = i => i >= 0 && i < end && values[i] !== null && values[i] !== undefined;
  return values.slice(0, end)
    .map((value, i) => (known(i) && !known(i - 1) && !known(i + 1) ? `M${x(i)} ${y(value).toFixed(2)}h0.01` : '')).join('');
}

function areaOf(values, end, x, y) {
  if (end < 1) {
    return '';
  }

  const points = values.slice(0, end).map((value, i) => `L${x(i)} ${y(value ?? 0).toFixed(2)}`).join('');
  return `M${x(0)} ${HEIGHT}${points}L${x(end - 1)} ${HEIGHT}Z`;
}

/** The next of 1, 2, 5, 10, 20 …, so that half of it is a plain number too. */
function nice(value) {
  if (!(value > 0)) {
    return 1;
  }

  const size = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map(factor => factor * size).find(candidate => candidate >= value);
}
