// An answer, token by token: coloured by the replica that made it, with a mark where another one took over.

import { h } from './dom.js';
import { number, percent, shortName } from './format.js';
import { deploymentOf, set } from './store.js';

export function answerText(answer, shade) {
  const hops = answer.hops();
  const moves = new Map(hops.slice(1).map((hop, i) => [hop.tokens, { hop, segment: i + 1 }]));
  let segment = 0;
  const parts = [];
  answer.tokens.forEach((token, i) => {
    const move = moves.get(i);
    if (move) {
      segment = move.segment;
      parts.push(moveMark(move.hop, segment));
    }

    parts.push(h('span', {
      key: `t${i}`, class: `token segment${segment % 4}`, 'data-selected': answer.selected === i,
      'data-unlikely': shade ? level(token.logprob) : null, onpointerenter: () => select(answer, i),
    }, token.text));
  });

  // A move whose next token has not come yet, or was never counted here.
  for (const [at, { hop, segment: next }] of moves) {
    if (at >= answer.tokens.length) {
      parts.push(moveMark(hop, next));
    }
  }

  return h('div', {
    class: 'answer', tabindex: '0', role: 'group', 'aria-label': `Answer, ${answer.tokens.length} tokens. Arrow keys walk through them.`,
    'aria-busy': String(!answer.isDone), onkeydown: event => walk(event, answer),
  }, parts.length ? parts : answer.isDone || answer.error ? '' : h('span', { class: 'waiting' }, 'thinking'));
}

function moveMark(hop, segment) {
  return h('span', { class: `move segment${segment % 4}`, key: `move${segment}`, title: hop.reason },
    h('span', { 'aria-hidden': 'true' }, '⤳ '), `now ${shortName(hop.replica, deploymentOf(hop.replica))}`);
}

function walk(event, answer) {
  const last = answer.tokens.length - 1;
  const now = answer.selected ?? -1;
  const to = { ArrowRight: now + 1, ArrowLeft: now - 1, Home: 0, End: last }[event.key];
  if (to !== undefined && last >= 0) {
    event.preventDefault();
    select(answer, Math.min(Math.max(to, 0), last));
  }
}

function select(answer, index) {
  answer.selected = index;
  set({});
}

/** 0 sure … 3 surprised. */
function level(logprob) {
  const probability = logprob === null ? 1 : Math.exp(logprob);
  return probability > 0.9 ? 0 : probability > 0.5 ? 1 : probability > 0.2 ? 2 : 3;
}

export function tokenDetail(answer) {
  const token = answer.selected === null ? null : answer.tokens[answer.selected];
  return h('div', { class: 'card detail', key: 'detail' },
    h('header', {}, h('h2', {}, 'Token')),
    token === null || token === undefined
      ? h('p', { class: 'words' }, 'Point at a token, or walk through the answer with the arrow keys, to see what else the model thought of.')
      : [
        h('p', { 'aria-live': 'polite' },
          h('strong', { class: 'mono' }, visible(token.text)), ` · token ${answer.selected + 1}`,
          token.logprob !== null && ` · ${percent(Math.exp(token.logprob))}, log-probability ${number(token.logprob)}`),
        token.top.length > 0 && h('table', { class: 'tops' },
          h('caption', { class: 'sr-only' }, 'Likeliest tokens here'),
          h('tbody', {}, token.top.map((top, i) => h('tr', { key: i, 'data-chosen': top.text === token.text },
            h('th', { scope: 'row', class: 'mono' }, visible(top.text)),
            h('td', { class: 'meter' }, h('span', { style: { width: `${Math.max(1, 100 * Math.exp(top.logprob))}%` } })),
            h('td', { class: 'number' }, percent(Math.exp(top.logprob))))))),
      ]);
}

/** Spaces and line breaks can be seen. */
function visible(text) {
  return text === '' ? '∅' : text.replaceAll('\n', '⏎').replaceAll(' ', '␣');
}
