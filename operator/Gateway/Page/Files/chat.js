// One request of the playground: sends it, reads its stream, and knows where it has been.

import { set, state } from './store.js';
import { readEvents } from './stream.js';

/** @returns an answer that fills while it comes; `done` completes with its end. */
export function ask(body, { headers, reasonOf }) {
  const abort = new AbortController();
  const answer = {
    tokens: [],               // { text, logprob, top: [{ text, logprob }] }
    selected: null,           // index of the token that is looked at
    id: null,
    replica: null,            // whom the response names
    error: null,
    trouble: null,
    isDone: false,
    finish: null,
    firstMilliseconds: null,
    came: performance.now(),
    first: null,
    last: null,
    stop: () => abort.abort(),
    hops: () => entryOf(answer)?.hops ?? [],
    tokensPerSecond: () => speedOf(answer),
  };
  answer.done = run(answer, body, { headers, reasonOf, signal: abort.signal });
  return answer;
}

/** Its line in the gateway's journal, which knows of moves that the bytes of the answer do not show. */
function entryOf(answer) {
  if (!answer.id) {
    return null;
  }

  return state.journal.get(answer.id) ?? state.journal.get(answer.id.slice(answer.id.indexOf('-') + 1)) ?? null;
}

/** As the gateway measured it, which sees tokens one by one; until then as they came here. */
function speedOf(answer) {
  const measured = entryOf(answer)?.tpotMilliseconds;
  if (measured) {
    return 1000 / measured;
  }

  const seconds = answer.first === null ? 0 : (answer.last - answer.first) / 1000;
  return seconds > 0.2 ? (answer.tokens.length - 1) / seconds : null;
}

async function run(answer, body, { headers, reasonOf, signal }) {
  try {
    const response = await fetch('/v1/chat/completions', {
      method: 'POST',
      headers: headers({ 'content-type': 'application/json' }),
      body: JSON.stringify({ ...body, stream: true, logprobs: true, top_logprobs: 5 }),
      signal,
    });
    if (!response.ok) {
      answer.error = await reasonOf(response);
      return;
    }

    answer.replica = response.headers.get('x-cluster-replica');
    await readEvents(response, (_, data) => read(answer, data));
    if (answer.finish === null && answer.error === null) {
      answer.error = 'The stream ended before the answer did.';
    }
  } catch (error) {
    if (error.name !== 'AbortError') {
      answer.error = error.message;
    }
  } finally {
    answer.isDone = true;
    set({});
  }
}

function read(answer, data) {
  if (data === '[DONE]') {
    return;
  }

  const event = JSON.parse(data);
  answer.id ??= event.id ?? null;
  if (event.error) {
    answer.error = event.error.message;
    return;
  }

  const choice = event.choices?.[0];
  if (!choice) {
    return;
  }

  const text = choice.delta?.content ?? '';
  const details = choice.logprobs?.content ?? [];
  if (text || details.length) {
    const now = performance.now();
    answer.firstMilliseconds ??= now - answer.came;
    answer.first ??= now;
    answer.last = now;
    add(answer, text, details);
  }

  answer.finish = choice.finish_reason ?? answer.finish;
  set({});
}

/** The text of an event may be of several tokens, or of half a character more than they say: it is what is shown. */
function add(answer, text, details) {
  if (details.length <= 1) {
    answer.tokens.push(token(text, details[0]));
    return;
  }

  const joined = details.map(detail => detail.token).join('');
  details.forEach((detail, i) => answer.tokens.push(token(joined === text ? detail.token : i === 0 ? text : '', detail)));
}

function token(text, detail) {
  return {
    text,
    logprob: detail?.logprob ?? null,
    top: (detail?.top_logprobs ?? []).map(one => ({ text: one.token, logprob: one.logprob })),
  };
}
