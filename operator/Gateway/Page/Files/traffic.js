// Traffic: what went through this gateway in the last 15 minutes, and the last requests one by one.

import { h } from './dom.js';
import { chart } from './chart.js';
import { age, milliseconds, number, percent, shortName } from './format.js';
import { deploymentOf, set, state } from './store.js';

const RECENT = 12; // slots: a minute
const PERCENTILES = [['p50', '50', 'tone0', undefined], ['p90', '90', 'tone1', '5 3'], ['p99', '99', 'tone2', '1.5 3']];

export function trafficView() {
  const traffic = state.traffic;
  if (!traffic) {
    return h('p', { class: 'empty' }, 'Waiting for the gateway.');
  }

  const scope = traffic.deployments.has(state.scope) ? state.scope : '';
  const columns = scope ? traffic.deployments.get(scope).columns : traffic.total;
  const running = scope ? traffic.deployments.get(scope).running : traffic.running;
  return h('div', { class: 'traffic' },
    h('div', { class: 'toolbar' },
      h('h1', {}, 'Traffic'),
      h('label', { for: 'scope' }, 'Deployment'),
      h('select', { id: 'scope', 'prop:value': scope, onchange: event => set({ scope: event.target.value }) },
        h('option', { value: '', key: '' }, 'all'),
        [...traffic.deployments.keys()].map(name => h('option', { value: name, key: name }, name))),
      h('span', { class: 'aside' }, 'through this gateway, in slots of 5 seconds')),
    figures(columns, running),
    charts(columns, scope),
    journal(scope));
}

function figures(c, running) {
  const sum = values => values.slice(-RECENT - 1, -1).reduce((total, value) => total + (value ?? 0), 0);
  const seconds = Math.min(RECENT, c.started.length - 1) * state.traffic.slotSeconds || 1;
  const prompt = sum(c.promptTokens);
  const items = [
    ['Running now', number(running), ''],
    ['Requests', number(sum(c.started) / seconds), 'a second'],
    ['Tokens', number(sum(c.tokens) / seconds), 'a second'],
    ['First token, p50', milliseconds(latest(c.ttft50)), ''],
    ['Per token, p50', milliseconds(latest(c.tpot50)), ''],
    ['Prompt tokens from cache', percent(prompt > 0 ? sum(c.cachedTokens) / prompt : null), ''],
    ['Streams moved', number(c.moved.reduce((total, value) => total + (value ?? 0), 0)), 'in 15 min'],
  ];
  return h('dl', { class: 'figures' }, items.map(([name, value, rest]) =>
    h('div', { class: 'figure', key: name }, h('dt', {}, name), h('dd', {}, h('strong', {}, value), rest && h('span', {}, ` ${rest}`)))));
}

function latest(values) {
  return [...values.slice(-RECENT - 1)].reverse().find(value => value !== null) ?? null;
}

function charts(c, scope) {
  const rate = values => values.map(value => (value === null ? null : value / state.traffic.slotSeconds));
  const marks = c.moved.map((value, index) => (value > 0 ? { index } : null)).filter(mark => mark && mark.index < c.moved.length - 1);
  const replicas = [...state.traffic.replicas].filter(([name]) => !scope || (deploymentOf(name) ?? scope) === scope);
  const byReplica = (column, map = values => values) => replicas
    .map(([name, replica], i) => ({ name: shortName(name, deploymentOf(name)), values: map(replica.columns[column]), tone: `hue${i % 8}` }))
    .filter(s => s.values.some(value => value !== null));
  const percentiles = kind => PERCENTILES
    .map(([name, suffix, tone, dash]) => ({ name, values: c[kind + suffix], tone, dash }))
    .filter(s => s.values.some(value => value !== null));
  return h('div', { class: 'charts' },
    h('h2', { class: 'sr-only' }, 'Charts'),
    chart({
      title: 'Requests', unit: 'a second', ceiling: 1, marks,
      series: [
        { name: 'started', values: rate(c.started), tone: 'tone0', area: true },
        { name: 'refused or failed', values: rate(c.refused), tone: 'bad' },
      ],
    }),
    chart({
      title: 'Tokens', unit: 'a second', ceiling: 10, marks,
      series: [
        { name: 'generated', values: rate(c.tokens), tone: 'tone0', area: true },
        { name: 'prompt', values: rate(c.promptTokens), tone: 'tone1', dash: '5 3' },
      ],
    }),
    chart({ title: 'Time to first token', unit: 'milliseconds', series: percentiles('ttft'), format: milliseconds, ceiling: 1 }),
    chart({ title: 'Time per output token', unit: 'milliseconds', series: percentiles('tpot'), format: milliseconds, ceiling: 1 }),
    chart({ title: 'Tokens by replica', unit: 'a second', series: byReplica('tokens', rate), ceiling: 10, marks }),
    chart({ title: 'In work by replica', unit: 'requests', series: byReplica('running'), ceiling: 4 }),
    chart({ title: 'KV cache in use', unit: 'of its blocks', series: byReplica('kvUsage'), format: percent, most: 1 }),
    chart({ title: 'Prefix cache hits', unit: 'of tokens looked up', series: byReplica('prefixHitRate'), format: percent, most: 1 }));
}

const outcomes = { running: 'running', completed: 'completed', cancelled: 'client left', failed: 'failed', rejected: 'rejected' };

function journal(scope) {
  const entries = [...state.journal.values()].filter(e => !scope || e.deployment === scope)
    .sort((one, other) => new Date(other.started) - new Date(one.started)).slice(0, 100);
  const columns = ['Age', 'Model', 'Key', 'Replica', 'First token', 'Per token', 'Tokens', 'From cache', 'Outcome'];
  return h('section', { class: 'card journal', 'aria-label': 'Last requests' },
    h('header', {}, h('h2', {}, 'Last requests')),
    entries.length === 0
      ? h('p', { class: 'words' }, 'None yet. Send one from the playground.')
      : h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Table of the last requests' }, h('table', {},
        h('thead', {}, h('tr', {}, columns.map(name => h('th', { scope: 'col', key: name }, name)))),
        h('tbody', {}, entries.map(entry => row(entry))))));
}

function row(entry) {
  return h('tr', { key: entry.id, 'data-moved': entry.hops.length > 1 },
    h('td', { 'data-label': 'Age' }, h('time', { datetime: entry.started, title: entry.id }, age(entry.started))),
    h('td', { 'data-label': 'Model' }, entry.model),
    h('td', { 'data-label': 'Key' }, entry.keyName || '–'),
    h('td', { 'data-label': 'Replica' }, hops(entry)),
    h('td', { 'data-label': 'First token' }, milliseconds(entry.ttftMilliseconds)),
    h('td', { 'data-label': 'Per token' }, milliseconds(entry.tpotMilliseconds)),
    h('td', { 'data-label': 'Tokens' }, number(entry.tokens)),
    h('td', { 'data-label': 'From cache' },
      entry.cachedTokens === null || !entry.promptTokens ? '–' : `${entry.cachedTokens} of ${entry.promptTokens}`),
    h('td', { 'data-label': 'Outcome' }, h('span', { class: 'outcome', 'data-outcome': entry.outcome }, outcomes[entry.outcome])));
}

/** "a1 → b2 after 37 tokens". */
export function hops(entry) {
  if (entry.hops.length === 0) {
    return 'waits for one';
  }

  return entry.hops.map((hop, i) => [
    i > 0 && h('span', { class: 'hop', title: hop.reason }, ` → `),
    h('span', { class: 'mono', title: hop.replica }, shortName(hop.replica, entry.deployment)),
    i > 0 && h('span', { class: 'aside' }, ` after ${hop.tokens} tokens`),
  ]);
}
