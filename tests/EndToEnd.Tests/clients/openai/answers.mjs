// Whole answers: the reference texts, their log-probabilities, every form of a prompt.
import { strict as assert } from 'node:assert';

export const answers = ({ client, model, expected, tolerance }) => [
  ['models.list and models.retrieve', async () => {
    const ids = (await client.models.list()).data.map(({ id }) => id);
    assert.ok(ids.includes(model));
    const card = await client.models.retrieve(model);
    assert.equal(card.id, model);
    assert.equal(card.object, 'model');
    return model;
  }],

  ...expected.chat.map(({ messages, text, prompt_ids, finish_reason }) => [`chat: ${messages.at(-1).content}`, async () => {
    const answer = await client.chat.completions.create({ model, messages, temperature: 0 });
    assert.equal(answer.object, 'chat.completion');
    assert.equal(answer.choices[0].message.content, text);
    assert.equal(answer.choices[0].message.role, 'assistant');
    assert.equal(answer.choices[0].finish_reason, finish_reason);
    assert.equal(answer.usage.prompt_tokens, prompt_ids.length);
    assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
  }]),

  ...expected.completions.map(({ prompt, prompt_ids, text, output_ids, finish_reason }) => [`completion: ${JSON.stringify(prompt)}, as text and as token ids`, async () => {
    const max_tokens = output_ids.length + (finish_reason === 'stop' ? 1 : 0);
    for (const form of [prompt, prompt_ids]) {
      const answer = await client.completions.create({ model, prompt: form, temperature: 0, max_tokens });
      assert.equal(answer.object, 'text_completion');
      assert.equal(answer.choices[0].text, text);
      assert.equal(answer.choices[0].finish_reason, finish_reason);
    }
  }]),

  ['lists of prompts, as texts and as token ids, with n', async () => {
    const max_tokens = 12;
    const alone = [];
    for (const { prompt } of expected.completions) {
      alone.push((await client.completions.create({ model, prompt, temperature: 0, max_tokens })).choices[0].text);
    }
    const texts = await client.completions.create({ model, prompt: expected.completions.map(({ prompt }) => prompt), temperature: 0, max_tokens });
    const ids = await client.completions.create({ model, prompt: expected.completions.map(({ prompt_ids }) => prompt_ids), temperature: 0, max_tokens, n: 2 });
    assert.deepEqual(texts.choices.map(({ text }) => text), alone);
    assert.deepEqual(texts.choices.map(({ index }) => index), alone.map((_, index) => index));
    assert.deepEqual(ids.choices.map(({ text }) => text), alone.flatMap((text) => [text, text]));
    return `${alone.length} prompts, ${ids.choices.length} choices`;
  }],

  ['echo puts the prompt before the completion', async () => {
    const { prompt } = expected.completions[0];
    const [plain, echoed] = await Promise.all([false, true].map((echo) => client.completions.create({ model, prompt, temperature: 0, max_tokens: 4, echo })));
    assert.equal(echoed.choices[0].text, prompt + plain.choices[0].text);
  }],

  ['logprobs and top_logprobs match the reference', async () => {
    const { messages, logprobs, text } = expected.chat[0];
    const answer = await client.chat.completions.create({ model, messages, temperature: 0, logprobs: true, top_logprobs: 5 });
    const { content } = answer.choices[0].logprobs;
    let worst = 0;
    logprobs.forEach((reference, i) => {
      const top = Object.values(reference.top).sort((a, b) => b - a);
      assert.equal(content[i].top_logprobs.length, 5);
      worst = Math.max(worst, Math.abs(content[i].logprob - reference.logprob), ...top.map((value, rank) => Math.abs(content[i].top_logprobs[rank].logprob - value)));
    });
    assert.ok(worst < tolerance, `off by ${worst}`);
    assert.equal(content.map(({ token }) => token).join('').startsWith(text), true);
    return `${logprobs.length} positions, off by ${worst.toExponential(1)} at most`;
  }],

  ['the bytes of log-probabilities make the characters that tokens are parts of', async () => {
    const answer = await client.chat.completions.create({ model, messages: expected.chat[0].messages, guided_choice: ['🌊 grün'], logprobs: true });
    const { content } = answer.choices[0].logprobs;
    assert.equal(answer.choices[0].message.content, '🌊 grün');
    assert.ok(content.some(({ token }) => token === '\ufffd'));
    assert.ok(new TextDecoder().decode(new Uint8Array(content.flatMap(({ bytes }) => bytes))).startsWith('🌊 grün'));
    return `${content.length} tokens`;
  }],

  ['continue_final_message goes on with an answer as it began', async () => {
    const { messages, text } = expected.chat[0];
    const begun = text.slice(0, text.indexOf(' ', 8));
    const answer = await client.chat.completions.create({ model, messages: [...messages, { role: 'assistant', content: begun }], continue_final_message: true, temperature: 0 });
    assert.equal(begun + answer.choices[0].message.content, text);
    return JSON.stringify(begun);
  }],

  ['logprobs of a completion, with text offsets', async () => {
    const answer = await client.completions.create({ model, prompt: expected.completions[0].prompt, temperature: 0, max_tokens: 8, logprobs: 3 });
    const { text, logprobs } = answer.choices[0];
    assert.equal(logprobs.tokens.length, 8);
    assert.equal(logprobs.tokens.join(''), text);
    logprobs.tokens.forEach((token, i) => {
      assert.equal(text.slice(logprobs.text_offset[i], logprobs.text_offset[i] + token.length), token);
      assert.equal(Object.keys(logprobs.top_logprobs[i]).length, 3);
      assert.equal(logprobs.top_logprobs[i][token], logprobs.token_logprobs[i]);
    });
  }],
];
