// A conversation with the HTTP API through the npm `openai` client.
// usage: node openai.mjs BASE_URL EXPECTED_JSON
// Prints one JSON line a step; exits 1 at the first step that fails.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { strict as assert } from 'node:assert';
import { join } from 'node:path';

const require = createRequire(join(process.env.CLUSTER_NODE_MODULES, 'package.json'));
const { OpenAI } = require('openai');
const [baseURL, expectedFile] = process.argv.slice(2);
const expected = JSON.parse(readFileSync(expectedFile, 'utf8'));
const client = new OpenAI({ baseURL: `${baseURL}/v1`, apiKey: 'none', maxRetries: 0, timeout: 30_000 });

async function step(name, run) {
  try {
    const detail = await run();
    console.log(JSON.stringify({ step: name, ok: true, detail }));
  } catch (error) {
    console.log(JSON.stringify({ step: name, ok: false, error: String(error?.stack ?? error) }));
    process.exit(1);
  }
}

async function status(call) {
  try {
    await call();
  } catch (error) {
    return { status: error.status, message: error.message, param: error.param, code: error.code };
  }
  throw new Error('expected an error');
}

let model;
await step('models.list', async () => {
  const list = await client.models.list();
  model = list.data[0].id;
  return model;
});

for (const { messages, text, finish_reason } of expected.chat) {
  await step(`chat: ${messages.at(-1).content}`, async () => {
    const answer = await client.chat.completions.create({ model, messages, temperature: 0 });
    assert.equal(answer.choices[0].message.content, text);
    assert.equal(answer.choices[0].message.role, 'assistant');
    assert.equal(answer.choices[0].finish_reason, finish_reason);
    assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
    return text;
  });
}

await step('chat streamed, with usage', async () => {
  const { messages, text, prompt_ids } = expected.chat[0];
  const stream = await client.chat.completions.create({ model, messages, temperature: 0, stream: true, stream_options: { include_usage: true } });
  let streamed = '';
  let chunks = 0;
  let finish;
  let usage;
  for await (const chunk of stream) {
    chunks++;
    streamed += chunk.choices[0]?.delta.content ?? '';
    finish = chunk.choices[0]?.finish_reason ?? finish;
    usage = chunk.usage ?? usage;
  }
  assert.equal(streamed, text);
  assert.equal(finish, 'stop');
  assert.equal(usage.prompt_tokens, prompt_ids.length);
  assert.ok(chunks > 5, `only ${chunks} chunks`);
  return { chunks, usage };
});

for (const { prompt, prompt_ids, text, output_ids, finish_reason } of expected.completions) {
  await step(`completion: ${JSON.stringify(prompt)}`, async () => {
    const answer = await client.completions.create({ model, prompt, temperature: 0, max_tokens: output_ids.length + (finish_reason === 'stop' ? 1 : 0) });
    assert.equal(answer.choices[0].text, text);
    assert.equal(answer.choices[0].finish_reason, finish_reason);
    const ids = await client.completions.create({ model, prompt: prompt_ids, temperature: 0, max_tokens: output_ids.length });
    assert.equal(ids.choices[0].text, text);
    return text;
  });
}

await step('completion streamed', async () => {
  const { prompt, text, output_ids } = expected.completions[0];
  const stream = await client.completions.create({ model, prompt, temperature: 0, max_tokens: output_ids.length + 1, stream: true });
  let streamed = '';
  for await (const chunk of stream) {
    streamed += chunk.choices[0]?.text ?? '';
  }
  assert.equal(streamed, text);
  return streamed.length;
});

await step('log-probabilities match the reference', async () => {
  const { messages, logprobs } = expected.chat[0];
  const answer = await client.chat.completions.create({ model, messages, temperature: 0, logprobs: true, top_logprobs: 5 });
  let worst = 0;
  logprobs.forEach((reference, i) => {
    const position = answer.choices[0].logprobs.content[i];
    worst = Math.max(worst, Math.abs(position.logprob - reference.logprob));
    Object.values(reference.top).forEach((value, rank) => {
      const sorted = Object.values(reference.top).sort((a, b) => b - a);
      worst = Math.max(worst, Math.abs(position.top_logprobs[rank].logprob - sorted[rank]));
    });
  });
  assert.ok(worst < 1e-3, `off by ${worst}`);
  return { worst };
});

await step('n = 3 with a seed is reproducible', async () => {
  const ask = () => client.chat.completions.create({ model, messages: expected.chat[1].messages, n: 3, seed: 7, temperature: 1.5, max_tokens: 24 });
  const [first, second] = [await ask(), await ask()];
  assert.equal(first.choices.length, 3);
  assert.deepEqual(first.choices.map((choice) => choice.message.content), second.choices.map((choice) => choice.message.content));
  return new Set(first.choices.map((choice) => choice.message.content)).size;
});

await step('stop text ends the answer and is left out', async () => {
  const { messages, text } = expected.chat[0];
  const answer = await client.chat.completions.create({ model, messages, temperature: 0, stop: ['\n'] });
  assert.equal(answer.choices[0].message.content, text.split('\n')[0]);
  assert.equal(answer.choices[0].finish_reason, 'stop');
  return answer.choices[0].message.content;
});

await step('a stream can be abandoned in the middle', async () => {
  const stream = await client.completions.create({ model, prompt: 'The sea', max_tokens: 512, stream: true, temperature: 1, seed: 1 });
  let chunks = 0;
  for await (const _ of stream) {
    if (++chunks === 3) {
      stream.controller.abort();
      break;
    }
  }
  return chunks;
});

await step('bad requests', async () => {
  const messages = [{ role: 'user', content: 'hi' }];
  const table = {
    unknownModel: await status(() => client.chat.completions.create({ model: 'gpt-4', messages })),
    temperature: await status(() => client.chat.completions.create({ model, messages, temperature: -1 })),
    topP: await status(() => client.chat.completions.create({ model, messages, top_p: 0 })),
    wrongType: await status(() => client.chat.completions.create({ model, messages, max_tokens: 'many' })),
    unknownField: await status(() => client.chat.completions.create({ model, messages, colour: 'blue' })),
    noMessages: await status(() => client.chat.completions.create({ model, messages: [] })),
    image: await status(() => client.chat.completions.create({ model, messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'x' } }] }] })),
    tooLong: await status(() => client.completions.create({ model, prompt: Array(5000).fill(10) })),
    badToken: await status(() => client.completions.create({ model, prompt: [99999] })),
  };
  assert.equal(table.unknownModel.status, 404);
  assert.equal(table.unknownModel.code, 'model_not_found');
  for (const [name, { status }] of Object.entries(table).slice(1)) {
    assert.equal(status, 400, name);
  }
  return table;
});
