// Streams: the same answers in pieces, and streams that are left.
import { strict as assert } from 'node:assert';

export const streams = ({ openai, client, model, expected }) => [
  ['chat streamed, with stream_options.include_usage', async () => {
    const { messages, text, prompt_ids } = expected.chat[0];
    const stream = await client.chat.completions.create({ model, messages, temperature: 0, stream: true, stream_options: { include_usage: true } });
    const chunks = [];
    for await (const chunk of stream) {
      chunks.push(chunk);
    }
    const last = chunks.pop();
    assert.deepEqual(last.choices, []);
    assert.equal(last.usage.prompt_tokens, prompt_ids.length);
    assert.equal(last.usage.total_tokens, last.usage.prompt_tokens + last.usage.completion_tokens);
    assert.equal(chunks[0].choices[0].delta.role, 'assistant');
    assert.equal(chunks.map(({ choices }) => choices[0].delta.content ?? '').join(''), text);
    assert.deepEqual(chunks.map(({ choices }) => choices[0].finish_reason).filter(Boolean), ['stop']);
    assert.ok(chunks.every(({ usage, id, object }) => !usage && id === last.id && object === 'chat.completion.chunk'));
    return `${chunks.length} chunks`;
  }],

  ['token counts in every event, with stream_options.continuous_usage_stats', async () => {
    const stream = await client.completions.create({
      model, prompt: expected.completions[0].prompt, temperature: 0, max_tokens: 8, stream: true, stream_options: { include_usage: true, continuous_usage_stats: true },
    });
    const counts = [];
    for await (const { usage } of stream) {
      counts.push(usage.completion_tokens);
    }
    assert.deepEqual(counts, counts.toSorted((a, b) => a - b));
    assert.equal(counts.at(-1), 8);
    return counts.join(' ');
  }],

  ["the client's stream helper puts a chat together again, log-probabilities and all", async () => {
    const { messages } = expected.chat[1];
    const request = { model, messages, temperature: 0, n: 2, logprobs: true, top_logprobs: 2 };
    const whole = await client.chat.completions.create(request);
    const streamed = await client.chat.completions.stream(request).finalChatCompletion();
    whole.choices.forEach((choice, i) => {
      assert.equal(streamed.choices[i].message.content, choice.message.content);
      assert.equal(streamed.choices[i].finish_reason, choice.finish_reason);
      assert.deepEqual(streamed.choices[i].logprobs.content, choice.logprobs.content);
    });
  }],

  ['completions streamed, several prompts at once', async () => {
    const prompt = expected.completions.map(({ prompt }) => prompt);
    const request = { model, prompt, temperature: 0, max_tokens: 24 };
    const whole = await client.completions.create(request);
    const stream = await client.completions.create({ ...request, stream: true });
    const texts = prompt.map(() => '');
    const finished = prompt.map(() => 0);
    for await (const { choices: [{ index, text, finish_reason }] } of stream) {
      texts[index] += text;
      finished[index] += finish_reason ? 1 : 0;
    }
    assert.deepEqual(texts, whole.choices.map(({ text }) => text));
    assert.deepEqual(finished, prompt.map(() => 1));
  }],

  ['a stream is aborted in the middle, by leaving it and by its controller', async () => {
    for (const leave of [() => {}, (stream) => stream.controller.abort()]) {
      const stream = await client.completions.create({ model, prompt: 'The sea', max_tokens: 1024, stream: true, seed: 1, ignore_eos: true });
      let chunks = 0;
      for await (const _ of stream) {
        if (++chunks === 3) {
          leave(stream);
          break;
        }
      }
      assert.equal(chunks, 3);
    }
    const answer = await client.chat.completions.create({ model, messages: expected.chat[0].messages, temperature: 0 });
    assert.equal(answer.choices[0].message.content, expected.chat[0].text);
  }],

  ['a whole answer is aborted while it is made', async () => {
    const controller = new AbortController();
    const asking = client.completions.create({ model, prompt: 'The sea', max_tokens: 1500, ignore_eos: true }, { signal: controller.signal });
    setImmediate(() => controller.abort());
    await assert.rejects(asking, openai.APIUserAbortError);
  }],
];
