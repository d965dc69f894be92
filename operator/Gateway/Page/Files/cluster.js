// The cluster: nodes with their GPUs, deployments with their replicas, events.

import { h } from './dom.js';
import { age, gibibytes, number, plural, shortName } from './format.js';
import { hue, set, state } from './store.js';
import { kill } from './session.js';
import { hiveView, legend } from './gpus.js';

/** Letters that are shown, and that a text may have before some are folded away. */
const SHORT = 140;
const LONG = 200;

const signs = { good: '✓', busy: '◐', bad: '!', quiet: '·' };

export function clusterView() {
  const view = state.view;
  if (!view) {
    return h('p', { class: 'empty' }, 'Waiting for the gateway.');
  }

  const { nodes, deployments, events } = view.cluster;
  return h('div', { class: 'cluster' },
    h('h1', { class: 'sr-only' }, 'Cluster'),
    figures(nodes, deployments),
    h('div', { class: 'columns' },
      h('div', { class: 'stack' },
        h('h2', {}, 'Nodes'),
        nodes.length === 0 && h('p', { class: 'empty' }, view.isComplete ? 'No node reports GPUs.' : 'Reading nodes.'),
        view.namespace && h('p', { class: 'hint' }, `Only pods of the namespace ${view.namespace} are known: GPUs that others hold look free.`),
        nodes.map(nodeView),
        nodes.some(n => n.hives.length > 0) && legend()),
      h('div', { class: 'stack' },
        h('h2', {}, 'Deployments'),
        deployments.length === 0
          && h('p', { class: 'empty' }, view.isComplete ? 'No ModelDeployment yet. Apply one with kubectl.' : 'Reading deployments.'),
        deployments.map(deploymentView),
        eventsView(events))));
}

function figures(nodes, deployments) {
  const gpus = nodes.flatMap(n => n.hives.flatMap(hive => hive.gpus));
  const free = gpus.filter(g => g.state === 'free').length;
  const broken = gpus.filter(g => g.state === 'marked' || g.state === 'unhealthy').length;
  const wanted = deployments.reduce((sum, d) => sum + d.rollout.wanted, 0);
  const ready = deployments.reduce((sum, d) => sum + d.rollout.ready, 0);
  const traffic = state.traffic;
  const recent = traffic ? lastFull(traffic.total.tokens) : null;
  return h('dl', { class: 'figures' },
    figure('GPUs in use', `${gpus.length - free - broken}`, `of ${gpus.length}${broken ? `, ${broken} out of service` : ''}`),
    figure('Replicas serving', `${ready}`, `of ${wanted}`, ready < wanted ? 'busy' : 'good'),
    figure('Requests running', number(traffic?.running ?? 0), ''),
    figure('Tokens', number(recent === null ? 0 : recent / traffic.slotSeconds), 'a second'));
}

function lastFull(values) {
  return values.length > 1 ? values[values.length - 2] ?? 0 : 0;
}

function figure(name, value, rest, tone) {
  return h('div', { class: 'figure', key: name, 'data-tone': tone },
    h('dt', {}, name), h('dd', {}, h('strong', {}, value), rest && h('span', {}, ` ${rest}`)));
}

function nodeView(node) {
  const gpus = node.hives.flatMap(hive => hive.gpus);
  return h('article', { class: 'card node', key: node.name, 'aria-label': `Node ${node.name}` },
    h('header', {},
      h('h3', {}, node.name),
      chip(node.ready ? 'good' : 'bad', node.ready ? 'ready' : 'not ready'),
      node.simulated && chip('quiet', 'simulated'),
      h('span', { class: 'aside' }, node.summary)),
    (!node.ready || node.words !== 'ready') && h('p', { class: 'words', 'data-tone': node.ready ? 'busy' : 'bad' }, sentence(node.words)),
    node.hives.map(hive => hiveView(node, hive)),
    node.guests.length > 0
      && h('p', { class: 'words' }, `On GPUs that the kubelet chose: ${node.guests.join(', ')}.`),
    gpus.length > 0 && gpuDetail(node, gpus));
}

/** A line that is always there, so that nothing moves when a tile is pointed at. */
function gpuDetail(node, gpus) {
  const shown = state.gpu?.node === node.name ? gpus.find(g => g.index === state.gpu.index) : null;
  return h('p', { class: 'gpu-detail', 'aria-live': 'polite' }, shown
    ? [
      h('strong', {}, `GPU ${shown.index}`), ` ${shown.name}`,
      shown.vramBytes && ` · ${gibibytes(shown.vramBytes)}`,
      shown.partition && ` · ${shown.partition}`,
      shown.numaNode !== null && ` · NUMA ${shown.numaNode}`,
      shown.uuid && h('span', { class: 'mono' }, ` · ${shown.uuid}`),
      ` · ${shown.replica ? `${shown.replica}, ` : ''}${shown.words}`,
    ]
    : `${plural(node.free, 'GPU')} free. Point at one to see what it is and who holds it.`);
}

function deploymentView(d) {
  const name = `${d.namespace}/${d.name}`;
  return h('article', { class: `card deployment hue${hue(name)}`, key: name, 'aria-label': `Deployment ${name}` },
    h('header', {},
      h('span', { class: 'swatch', 'aria-hidden': 'true' }),
      h('h3', {}, d.name),
      h('span', { class: 'aside' }, d.namespace),
      chip(d.tone, toneWords(d))),
    folded(d.words, { 'data-tone': d.tone, 'aria-live': 'polite' }),
    h('dl', { class: 'facts' },
      fact('Model', d.servedName), fact('Source', d.source),
      fact('Replica', d.tensorParallelSize ? plural(d.tensorParallelSize, 'GPU') : 'GPUs undecided'),
      fact('Allocation', d.allocation)),
    rolloutView(d),
    d.replicas.length > 0 && replicaTable(d, name),
    conditionsView(d.conditions));
}

function toneWords(d) {
  return { good: 'serving', busy: 'changing', bad: 'needs attention', quiet: 'at zero' }[d.tone];
}

function fact(name, value) {
  return h('div', { key: name }, h('dt', {}, name), h('dd', {}, value));
}

/** A cell for each wanted replica while they can be told apart, else a bar. */
function rolloutView({ rollout, replicas }) {
  const active = replicas.filter(r => r.state !== 'ending' && r.state !== 'ended');
  const cells = Math.max(rollout.wanted, active.length);
  const words = rollout.outdated > 0
    ? `${rollout.updated} of ${rollout.wanted} up to date, ${rollout.ready} ready`
    : `${rollout.ready} of ${rollout.wanted} ready`;
  const order = { serving: 0, starting: 1, pending: 2, failing: 3 };
  const sorted = [...active].sort((a, b) => a.outdated - b.outdated || order[a.state] - order[b.state]);
  return h('div', { class: 'rollout' },
    h('div', { class: 'rollout-bar', role: 'img', 'aria-label': words },
      cells > 48
        ? h('span', { class: 'fill', style: { width: `${100 * rollout.ready / Math.max(1, rollout.wanted)}%` } })
        : Array.from({ length: cells }, (_, i) =>
          h('span', { class: 'cell', 'data-state': sorted[i]?.state ?? 'missing', 'data-outdated': sorted[i]?.outdated ?? false }))),
    h('span', { class: 'aside' }, words));
}

function replicaTable(d, name) {
  const columns = ['Replica', 'State', 'Node', 'GPUs', 'Age', ...(state.view.mayKill ? [''] : [])];
  return h('table', { class: 'replicas' },
    h('caption', { class: 'sr-only' }, `Replicas of ${name}`),
    h('thead', {}, h('tr', {}, columns.map(column =>
      h('th', { scope: 'col', key: `c-${column}` }, column || h('span', { class: 'sr-only' }, 'Kill'))))),
    h('tbody', {}, d.replicas.map(replica => replicaRow(d, replica))));
}

function replicaRow(d, replica) {
  const id = `${replica.namespace}/${replica.pod}`;
  const name = `${d.namespace}/${d.name}`;
  return h('tr', { key: id, 'data-selected': state.selected === id },
    h('th', { scope: 'row' },
      h('button', {
        type: 'button', class: 'link mono', 'aria-pressed': String(state.selected === id), title: id,
        onclick: () => set({ selected: state.selected === id ? null : id }),
      }, shortName(id, name))),
    h('td', { 'data-label': 'State' },
      h('span', { class: 'state', 'data-state': replica.state }, replica.state),
      replica.outdated && h('span', { class: 'outdated' }, ' outdated'),
      replica.restarts > 0 && h('span', { class: 'aside' }, ` · ${plural(replica.restarts, 'restart')}`),
      replica.state !== 'serving' && folded(replica.words, { class: 'why' })),
    h('td', { 'data-label': 'Node' }, replica.node ?? '–'),
    h('td', { 'data-label': 'GPUs', class: 'mono' }, replica.gpus.length ? replica.gpus.join(',') : '–'),
    h('td', { 'data-label': 'Age' }, age(replica.created)),
    state.view.mayKill && h('td', { class: 'act' },
      h('button', {
        type: 'button', class: 'danger small', disabled: replica.state !== 'serving', 'aria-label': `Kill replica ${replica.pod}`,
        onclick: event => killFrom(event.currentTarget, id),
      }, 'Kill')));
}

async function killFrom(button, replica) {
  button.setAttribute('aria-busy', 'true');
  try {
    await kill(replica);
    set({ killTrouble: null });
  } catch (error) {
    set({ killTrouble: error.message });
  } finally {
    button.removeAttribute('aria-busy');
  }
}

function conditionsView(conditions) {
  if (conditions.length === 0) {
    return null;
  }

  return h('details', { class: 'conditions' },
    h('summary', {}, conditions.map(c => h('span', { class: 'condition', 'data-tone': c.tone, key: c.type },
      h('span', { class: 'sign', 'aria-hidden': 'true' }, signs[c.tone]), c.title))),
    h('dl', {}, conditions.map(c => h('div', { key: c.type, 'data-tone': c.tone },
      h('dt', {}, c.type), h('dd', {}, sentence(c.words), c.since && h('span', { class: 'aside' }, ` ${since(c.since)}`))))));
}

function since(moment) {
  const words = age(moment);
  return words === 'now' ? 'Since just now.' : `For ${words}.`;
}

function eventsView(events) {
  return h('section', { class: 'card events', 'aria-label': 'Events' },
    h('header', {}, h('h3', {}, 'Events')),
    state.killTrouble && h('p', { class: 'words', 'data-tone': 'bad', role: 'alert' }, sentence(state.killTrouble)),
    events.length === 0
      ? h('p', { class: 'words' }, 'None in the last hour.')
      : h('ol', { tabindex: '0', 'aria-label': 'Events, newest first' }, events.map(event => h('li', { key: event.id, 'data-warning': event.warning },
        h('time', { datetime: event.last }, age(event.last)),
        h('span', { class: 'reason' }, event.warning && h('span', { class: 'sign' }, '! '), event.reason),
        h('span', { class: 'about mono' }, event.about),
        folded(event.words, {}, event.count > 1 && h('span', { class: 'aside' }, ` × ${event.count}`))))));
}

/** A worker's last words may be a page of its log: those are folded. */
function folded(text, attributes = {}, rest = null) {
  const words = sentence(text);
  const all = { ...attributes, class: `words ${attributes.class ?? ''}`.trim() };
  return words.length <= LONG
    ? h('div', all, words, rest)
    : h('details', all, h('summary', {}, `${words.slice(0, SHORT)}…`, rest), words);
}

export function chip(tone, words) {
  return h('span', { class: 'chip', 'data-tone': tone }, h('span', { class: 'sign', 'aria-hidden': 'true' }, signs[tone]), words);
}

export function sentence(words) {
  const text = words.trim();
  // A name stays as it is written: kernel.numa_balancing.
  const first = /^[a-z]+[\s,:;]/.test(text) ? text[0].toUpperCase() : text[0];
  return text ? first + text.slice(1) + (/[.!?…]$/.test(text) ? '' : '.') : '';
}
