// Streams of other people, so that a replica has more to do than one answer.
import { strict as assert } from 'node:assert';

/** Streams at once: a small model alone is done with its answer before a hand is at the button. */
const CROWD = 24;

/** One answer after another, each whole to its last event, until the signal. */
async function ask(address, model, seed, signal) {
  while (!signal.aborted) {
    const response = await fetch(`${address}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      signal,
      body: JSON.stringify({
        model, seed, stream: true, max_tokens: 1500, ignore_eos: true, temperature: 1,
        messages: [{ role: 'user', content: `Write a haiku about ${seed} clouds` }],
      }),
    });
    assert.equal(response.status, 200, 'one of the crowd is answered');
    assert.match((await response.text()).slice(-20), /data: \[DONE\]\s*$/, 'an answer to one of the crowd is whole');
  }
}

/** Does something among them. An answer of theirs that breaks is an error, too. */
export async function amongOthers(address, model, run) {
  const end = new AbortController();
  const crowd = Array.from({ length: CROWD }, (_, seed) => ask(address, model, seed, end.signal).catch(error => {
    if (!end.signal.aborted) {
      throw error;
    }
  }));
  // What breaks is told at the end, not as a rejection that nobody waits for.
  const all = Promise.allSettled(crowd);
  let result;
  try {
    result = await run();
  } finally {
    end.abort();
  }

  for (const { status, reason } of await all) {
    if (status === 'rejected') {
      throw reason;
    }
  }

  return result;
}
