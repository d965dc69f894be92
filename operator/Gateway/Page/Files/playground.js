// The playground: a chat with a model, with what came from which replica, and how sure the model was.

import { h } from './dom.js';
import { milliseconds, number, shortName } from './format.js';
import { deploymentOf, findReplica, set, state } from './store.js';
import { headers, kill, reasonOf } from './session.js';
import { ask } from './chat.js';
import { answerText, tokenDetail } from './answer.js';

export const chat = {
  turns: [],        // { role, text } and { role: 'assistant', answer }
  running: null,    // the answer that is coming
  model: '',
  temperature: '0',
  limit: '256',
  toLimit: false,   // ignore_eos
  shade: false,
  draft: '',
};

export function playgroundView() {
  const models = [...new Set((state.view?.cluster.deployments ?? []).map(d => d.servedName))].sort();
  if (!models.includes(chat.model)) {
    chat.model = models[0] ?? '';
  }

  const last = chat.running ?? chat.turns.findLast(turn => turn.answer)?.answer ?? null;
  return h('div', { class: 'playground' },
    h('div', { class: 'toolbar' }, h('h1', {}, 'Playground'), settings(models)),
    h('div', { class: 'columns wide' },
      h('div', { class: 'card talk' },
        h('div', { class: 'turns', tabindex: '0', role: 'log', 'aria-label': 'Conversation', 'aria-live': 'off' },
          h('div', { class: 'turn-list' }, chat.turns.length === 0 && h('p', { class: 'empty' }, models.length
            ? 'Write something below. Every answer shows which replica it came from, token by token.'
            : 'No model yet: apply a ModelDeployment first.'),
          chat.turns.map((turn, i) => turnView(turn, i)))),
        composer(models)),
      h('aside', { class: 'stack', 'aria-label': 'About the answer' }, last ? about(last) : nothingYet())));
}

function settings(models) {
  const field = (name, label, control) => h('div', { class: 'field', key: name }, h('label', { for: name }, label), control);
  return h('div', { class: 'settings' },
    field('model', 'Model', h('select', { id: 'model', 'prop:value': chat.model, onchange: event => change({ model: event.target.value }) },
      models.map(name => h('option', { value: name, key: name }, name)))),
    field('temperature', 'Temperature', h('input', {
      id: 'temperature', type: 'number', min: '0', max: '2', step: '0.1', 'prop:value': chat.temperature,
      oninput: event => change({ temperature: event.target.value }),
    })),
    field('limit', 'Most tokens', h('input', {
      id: 'limit', type: 'number', min: '1', max: '100000', step: '1', 'prop:value': chat.limit, oninput: event => change({ limit: event.target.value }),
    })),
    h('label', { class: 'check', key: 'to-limit' },
      h('input', { type: 'checkbox', 'prop:checked': chat.toLimit, onchange: event => change({ toLimit: event.target.checked }) }),
      'Go on to the limit'),
    h('label', { class: 'check', key: 'shade' },
      h('input', { type: 'checkbox', 'prop:checked': chat.shade, onchange: event => change({ shade: event.target.checked }) }),
      'Shade unlikely tokens'));
}

function change(values) {
  Object.assign(chat, values);
  set({});
}

function turnView(turn, i) {
  if (!turn.answer) {
    return h('article', { class: 'turn user', key: i, 'aria-label': 'You' }, h('p', {}, turn.text));
  }

  return h('article', { class: 'turn assistant', key: i, 'aria-label': 'Answer' },
    answerText(turn.answer, chat.shade),
    turn.answer.error && h('p', { class: 'words', 'data-tone': 'bad', role: 'alert' }, turn.answer.error));
}

function composer(models) {
  const send = event => {
    event.preventDefault();
    start();
  };
  return h('form', { class: 'composer', onsubmit: send },
    h('label', { for: 'prompt', class: 'sr-only' }, 'Message'),
    h('textarea', {
      id: 'prompt', rows: '2', placeholder: 'Write a haiku about the sea', 'prop:value': chat.draft,
      oninput: event => { chat.draft = event.target.value; },
      onkeydown: event => {
        if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
          send(event);
        }
      },
    }),
    h('div', { class: 'buttons' },
      chat.running
        ? h('button', { type: 'button', key: 'stop', onclick: () => chat.running?.stop() }, 'Stop')
        : h('button', { type: 'submit', class: 'primary', key: 'send', disabled: models.length === 0 }, 'Send'),
      h('button', {
        type: 'button', class: 'ghost', key: 'clear', disabled: chat.turns.length === 0 || chat.running !== null,
        onclick: () => change({ turns: [] }),
      }, 'Clear')));
}

async function start() {
  const text = chat.draft.trim() || document.getElementById('prompt').placeholder;
  if (chat.running || !chat.model) {
    return;
  }

  chat.draft = '';
  chat.turns.push({ role: 'user', text });
  const messages = chat.turns.map(turn => ({ role: turn.role, content: turn.answer ? turn.answer.tokens.map(t => t.text).join('') : turn.text }));
  const answer = ask(
    { model: chat.model, messages, temperature: Number(chat.temperature) || 0, max_tokens: Number(chat.limit) || 256, ignore_eos: chat.toLimit || undefined },
    { headers, reasonOf });
  chat.turns.push({ role: 'assistant', answer });
  change({ running: answer });
  await answer.done;
  change({ running: null });
  document.getElementById('prompt')?.focus();
}

function nothingYet() {
  return h('div', { class: 'card' }, h('p', { class: 'words' }, 'Which replica answers, and how fast, stands here.'));
}

/** The replica that answers now: where the journal says the request is, else whom the response names. */
function replicaOf(answer) {
  return answer.hops().at(-1)?.replica ?? answer.replica;
}

function about(answer) {
  const pod = replicaOf(answer);
  const found = pod ? findReplica(pod) : null;
  const full = found ? `${found.namespace}/${found.pod}` : null;
  const hops = answer.hops();
  return [
    h('div', { class: 'card', key: 'replica' },
      h('header', {}, h('h2', {}, answer.isDone ? 'Answered by' : 'Answering')),
      h('ol', { class: 'path', 'aria-live': 'polite', 'aria-label': 'Replicas that this answer came from' },
        (hops.length ? hops : pod ? [{ replica: pod, tokens: 0, reason: '' }] : []).map((hop, i, all) =>
          h('li', { key: i, class: `segment${i % 4}`, 'data-now': i === all.length - 1 },
            h('span', { class: 'mono' }, shortName(hop.replica, deploymentOf(hop.replica))),
            i > 0 && h('span', { class: 'words' }, ` took over after ${hop.tokens} tokens${hop.reason ? `: ${hop.reason}` : ''}`)))),
      !pod && h('p', { class: 'words' }, 'Waiting for a replica.'),
      found && h('p', { class: 'words' }, `On node ${found.node ?? '–'}, GPU ${found.gpus.join(', ') || 'of the kubelet’s choice'}.`),
      state.view?.mayKill && h('button', {
        type: 'button', class: 'danger', disabled: !full || found.state !== 'serving', onclick: () => killReplica(answer, full),
      }, 'Kill this replica'),
      answer.trouble && h('p', { class: 'words', 'data-tone': 'bad', role: 'alert' }, answer.trouble)),
    h('dl', { class: 'card figures compact', key: 'figures' },
      figure('Tokens', number(answer.tokens.length)),
      figure('Tokens a second', number(answer.tokensPerSecond())),
      figure('First token', milliseconds(answer.firstMilliseconds)),
      figure('Replicas', number(Math.max(hops.length, pod ? 1 : 0)))),
    tokenDetail(answer),
  ];
}

function figure(name, value) {
  return h('div', { class: 'figure', key: name }, h('dt', {}, name), h('dd', {}, h('strong', {}, value)));
}

async function killReplica(answer, replica) {
  try {
    await kill(replica);
    answer.trouble = null;
  } catch (error) {
    answer.trouble = error.message;
  }

  set({});
}
