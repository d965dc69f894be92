// How tokens are chosen and when a text ends.
import { strict as assert } from 'node:assert';

export const sampling = ({ client, model, expected }) => {
  const { messages, text } = expected.chat[0];
  const chat = (fields) => client.chat.completions.create({ model, messages, ...fields });
  const contents = ({ choices }) => choices.map(({ message }) => message.content);

  return [
    ['n = 3', async () => {
      const answer = await chat({ n: 3, seed: 7, temperature: 1.5, max_tokens: 24 });
      assert.deepEqual(answer.choices.map(({ index }) => index), [0, 1, 2]);
      assert.ok(new Set(contents(answer)).size > 1);
      assert.ok(answer.usage.completion_tokens <= 72);
      return `${answer.usage.prompt_tokens} prompt tokens counted once`;
    }],

    ['best_of returns the likeliest, best first', async () => {
      const ask = (fields) => client.completions.create({ model, prompt: 'The sea', seed: 3, temperature: 1.2, max_tokens: 8, logprobs: 0, ...fields });
      const total = ({ logprobs }) => logprobs.token_logprobs.reduce((sum, value) => sum + value, 0);
      const all = (await ask({ n: 6 })).choices.sort((a, b) => total(b) - total(a));
      const best = (await ask({ n: 2, best_of: 6 })).choices;
      assert.deepEqual(best.map(({ text }) => text), all.slice(0, 2).map(({ text }) => text));
      return `log-probabilities ${best.map((choice) => total(choice).toFixed(2)).join(' and ')} of 6`;
    }],

    ['seed: the same text again, another with another', async () => {
      const ask = async (seed) => contents(await chat({ seed, n: 3, temperature: 1.5, max_tokens: 24 }));
      const [first, again, other] = [await ask(7), await ask(7), await ask(8_000)];
      assert.deepEqual(again, first);
      assert.notDeepEqual(other, first);
    }],

    ['seed: the same text whatever else runs', async () => {
      const ask = async (seed) => (await client.completions.create({ model, prompt: 'Once', seed, temperature: 1, max_tokens: 32 })).choices[0].text;
      const alone = [await ask(1), await ask(2), await ask(3)];
      assert.deepEqual(await Promise.all([ask(1), ask(2), ask(3)]), alone);
    }],

    ['stop ends the answer and is left out', async () => {
      const answer = await chat({ temperature: 0, stop: ['\n', 'never'] });
      assert.deepEqual(contents(answer), [text.split('\n')[0]]);
      assert.equal(answer.choices[0].finish_reason, 'stop');
      assert.equal(answer.choices[0].stop_reason, '\n');
      const included = await chat({ temperature: 0, stop: '\n', include_stop_str_in_output: true });
      assert.deepEqual(contents(included), [`${text.split('\n')[0]}\n`]);
    }],

    ['max_tokens and max_completion_tokens end with length', async () => {
      for (const limit of [{ max_tokens: 5 }, { max_completion_tokens: 5 }]) {
        const answer = await chat({ temperature: 0, ...limit });
        assert.equal(answer.choices[0].finish_reason, 'length');
        assert.equal(answer.usage.completion_tokens, 5);
      }
    }],

    ['logit_bias forbids and forces tokens', async () => {
      const forced = await client.completions.create({ model, prompt: 'The', temperature: 0, max_tokens: 3, logit_bias: { 36: 100 }, logprobs: 0 });
      assert.equal(new Set(forced.choices[0].logprobs.tokens).size, 1);
      const first = (await client.completions.create({ model, prompt: [36], temperature: 0, max_tokens: 1 })).choices[0].text;
      const { tokens: [id] } = await client.post('/../tokenize', { body: { prompt: first, add_special_tokens: false } });
      const other = (await client.completions.create({ model, prompt: [36], temperature: 0, max_tokens: 1, logit_bias: { [id]: -100 } })).choices[0].text;
      assert.notEqual(other, first);
    }],

    ['penalties, top_k, top_p, min_p, min_tokens and ignore_eos are taken', async () => {
      const answer = await chat({
        temperature: 0.8, top_k: 20, top_p: 0.9, min_p: 0.02, presence_penalty: 0.5, frequency_penalty: 0.5, repetition_penalty: 1.1, min_tokens: 60, ignore_eos: true, max_tokens: 64, seed: 1,
      });
      assert.equal(answer.usage.completion_tokens, 64);
    }],

    ['cached prompt tokens are reported', async () => {
      const prompt = Array.from({ length: 64 }, (_, i) => 100 + i);
      await client.completions.create({ model, prompt, max_tokens: 1 });
      const { usage } = await client.completions.create({ model, prompt, max_tokens: 1 });
      assert.equal(usage.prompt_tokens_details.cached_tokens, 48);
      return '48 of 64';
    }],
  ];
};
