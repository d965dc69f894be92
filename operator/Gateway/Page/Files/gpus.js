// GPUs as tiles, the XGMI links between them, and which replica holds which.

import { h } from './dom.js';
import { gibibytes, shortName } from './format.js';
import { hue, set, state } from './store.js';

const signs = { starting: '◐', ending: '◌', failing: '!', marked: '✕', unhealthy: '✕' };

const words = {
  free: 'free', serving: 'serving', starting: 'starting', ending: 'ending', failing: 'failing', marked: 'wrong results',
  unhealthy: 'not well',
};

/** Four in a row, as hives of eight are drawn; a smaller one as it comes. */
const columnsOf = count => (count <= 4 ? count : count <= 8 ? 4 : 8);

export function hiveView(node, hive) {
  const columns = columnsOf(hive.gpus.length);
  const caption = hive.id ? `XGMI hive ${hive.id}` : 'not linked by XGMI';
  return h('figure', { class: 'hive', key: hive.id ?? '-', 'data-linked': hive.id !== null },
    h('figcaption', {}, caption),
    h('div', { class: 'mesh', style: { '--columns': columns } },
      hive.id !== null && linksView(hive.gpus, columns),
      hive.gpus.map(gpu => tile(node, gpu))));
}

/** XGMI links every GPU of a hive with every other one. Those within a replica carry its tensor-parallel sums, and are drawn thick. */
function linksView(gpus, columns) {
  const rows = Math.ceil(gpus.length / columns);
  const place = i => [((i % columns) + 0.5) * 100 / columns, (Math.floor(i / columns) + 0.5) * 100 / rows];
  const links = [];
  for (let a = 0; a < gpus.length; a++) {
    for (let b = a + 1; b < gpus.length; b++) {
      const near = Math.abs((a % columns) - (b % columns)) <= 1 && Math.abs(Math.floor(a / columns) - Math.floor(b / columns)) <= 1;
      const busy = gpus[a].replica !== null && gpus[a].replica === gpus[b].replica;
      if (!near && !busy) {
        continue; // Behind other tiles.
      }

      const [[x1, y1], [x2, y2]] = [place(a), place(b)];
      links.push({ busy, line: h('line', {
        x1, y1, x2, y2, 'vector-effect': 'non-scaling-stroke',
        class: busy ? `xgmi busy hue${hue(gpus[a].deployment)}` : 'xgmi', key: `${a}-${b}`,
      }) });
    }
  }

  links.sort((one, other) => one.busy - other.busy);
  return h('svg', { class: 'links', viewBox: '0 0 100 100', preserveAspectRatio: 'none', 'aria-hidden': 'true', key: 'links' },
    links.map(link => link.line));
}

function tile(node, gpu) {
  const selected = gpu.replica !== null && gpu.replica === state.selected;
  const point = () => set({ gpu: { node: node.name, index: gpu.index } });
  const spoken = `, ${gpu.name} ${gibibytes(gpu.vramBytes)}, ${gpu.words}${gpu.replica ? ', replica ' : ''}`;
  return h('button', {
    type: 'button', class: `gpu${gpu.deployment ? ` hue${hue(gpu.deployment)}` : ''}`, key: `gpu-${gpu.index}`, 'data-state': gpu.state,
    'data-selected': selected, 'data-dimmed': state.selected !== null && !selected, 'aria-pressed': String(selected),
    onpointerenter: point, onfocus: point,
    onclick: () => set({ selected: gpu.replica === null || selected ? null : gpu.replica }),
  },
  h('span', { class: 'index' }, h('span', { class: 'sr-only' }, 'GPU '), gpu.index, h('span', { class: 'sr-only' }, spoken)),
  signs[gpu.state] && h('span', { class: 'sign', 'aria-hidden': 'true' }, signs[gpu.state]),
  h('span', { class: 'holder', 'aria-hidden': gpu.replica ? null : 'true' },
    gpu.replica ? shortName(gpu.replica, gpu.deployment) : words[gpu.state]));
}

export function legend() {
  return h('ul', { class: 'legend', 'aria-label': 'What the tiles mean' },
    Object.entries(words).map(([name, text]) =>
      h('li', { key: name }, h('span', { class: 'gpu sample hue0', 'data-state': name }, signs[name] ?? ''), text)),
    h('li', { key: 'links' }, h('span', { class: 'sample-link', 'aria-hidden': 'true' }), 'one replica over XGMI'));
}
