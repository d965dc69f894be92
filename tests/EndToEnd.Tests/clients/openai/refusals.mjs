// What the server refuses, and the error class, parameter and code a client sees.
import { strict as assert } from 'node:assert';

export const refusals = ({ openai, settings, client, model, guarded, capacity, expected }) => {
  const messages = [{ role: 'user', content: 'hi' }];
  const chat = (fields) => client.chat.completions.create({ model, messages, ...fields });
  const complete = (fields) => client.completions.create({ model, prompt: 'hi', ...fields });
  const long = { max_tokens: 1500, ignore_eos: true };
  const refusal = async (call, type) => {
    try {
      await call();
    } catch (error) {
      assert.ok(error instanceof type, `${error?.constructor?.name}: ${error}`);
      return error;
    }
    throw new Error(`expected ${type.name}`);
  };

  const bad = {
    'temperature -1': ['temperature', () => chat({ temperature: -1 })],
    'top_p 0': ['top_p', () => chat({ top_p: 0 })],
    'top_p 1.5': ['top_p', () => chat({ top_p: 1.5 })],
    'top_k -2': ['top_k', () => chat({ top_k: -2 })],
    'min_p 2': ['min_p', () => chat({ min_p: 2 })],
    'presence_penalty 3': ['presence_penalty', () => chat({ presence_penalty: 3 })],
    'repetition_penalty 0': ['repetition_penalty', () => chat({ repetition_penalty: 0 })],
    'temperature 1e400': [undefined, () => client.post('/chat/completions', { body: `{"model": "${model}", "messages": [{"role": "user", "content": "hi"}], "temperature": 1e400}`, headers: { 'Content-Type': 'application/json' } })],
    'n 0': ['n', () => chat({ n: 0 })],
    'n 1000': ['n', () => chat({ n: 1000 })],
    'best_of below n': ['best_of', () => complete({ n: 3, best_of: 2 })],
    'best_of streamed': ['best_of', () => complete({ best_of: 2, stream: true })],
    'max_tokens 0': ['max_tokens', () => chat({ max_tokens: 0 })],
    'max_tokens "many"': ['max_tokens', () => chat({ max_tokens: 'many' })],
    'logprobs 1000': ['logprobs', () => complete({ logprobs: 1000 })],
    'top_logprobs without logprobs': ['top_logprobs', () => chat({ top_logprobs: 3 })],
    'top_logprobs 21': ['top_logprobs', () => chat({ logprobs: true, top_logprobs: 21 })],
    'logit_bias of a word': ['logit_bias', () => chat({ logit_bias: { sea: 1 } })],
    'logit_bias of an unknown id': ['logit_bias', () => chat({ logit_bias: { 99999: 1 } })],
    'empty stop': ['stop', () => chat({ stop: [''] })],
    'stream_options without stream': ['stream_options', () => chat({ stream_options: { include_usage: true } })],
    'suffix': ['suffix', () => complete({ suffix: 'x' })],
    'an unknown field': ['colour', () => chat({ colour: 'blue' })],
    'no messages': ['messages', () => chat({ messages: [] })],
    'an image': ['messages[0].content[0]', () => chat({ messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'x' } }] }] })],
    'no prompt': ['prompt', () => complete({ prompt: undefined })],
    'an empty prompt': ['prompt', () => complete({ prompt: [] })],
    'a prompt too long': ['prompt', () => complete({ prompt: Array(5000).fill(10) })],
    'an unknown token': ['prompt', () => complete({ prompt: [99999] })],
    'an unknown response_format': ['response_format', () => chat({ response_format: { type: 'xml' } })],
    'a schema of an unknown type': ['json_schema', () => chat({ response_format: { type: 'json_schema', json_schema: { name: 'x', schema: { type: 'wind' } } } })],
    'a broken regex': ['regex', () => chat({ guided_regex: '(' })],
    'two constraints': ['guided_choice', () => chat({ guided_choice: ['a'], guided_regex: 'b' })],
    'tools that are none': ['tools', () => chat({ tools: [{ type: 'hammer' }] })],
    'a demanded call of no tool': ['tool_choice', () => chat({ tool_choice: 'required' })],
    'a demanded call of a tool that is not there': [
      'tool_choice', () => chat({ tools: [{ type: 'function', function: { name: 'f' } }], tool_choice: { type: 'function', function: { name: 'g' } } })],
  };

  return [
    ...Object.entries(bad).map(([name, [param, call]]) => [`BadRequestError: ${name}`, async () => {
      const error = await refusal(call, openai.BadRequestError);
      assert.equal(error.type, 'invalid_request_error');
      if (param !== undefined && error.param !== param) {
        assert.fail(`param is ${error.param}, not ${param}: ${error.message}`);
      }
      return error.message.replace(/^400 /, '');
    }]),

    ['NotFoundError: another model, for chat and for models.retrieve', async () => {
      for (const call of [() => chat({ model: 'gpt-4' }), () => client.models.retrieve('gpt-4')]) {
        assert.equal((await refusal(call, openai.NotFoundError)).code, 'model_not_found');
      }
    }],

    ['NotFoundError: an API this server has not', async () => {
      assert.equal((await refusal(() => client.embeddings.create({ model, input: 'hi' }), openai.NotFoundError)).code, 'unknown_url');
    }],

    ['BadRequestError: a conversation too long, by the code that clients look for', async () => {
      const error = await refusal(() => chat({ messages: [{ role: 'user', content: 'sea '.repeat(5000) }] }), openai.BadRequestError);
      assert.equal(error.code, 'context_length_exceeded');
      assert.equal(error.param, 'messages');
    }],

    ['APIError 415: what a web page may post without being asked', async () => {
      const error = await refusal(() => client.post('/completions', { body: '{"prompt": "hi"}', headers: { 'Content-Type': 'text/plain' } }), openai.APIError);
      assert.equal(error.status, 415);
    }],

    ['BadRequestError: a body that is no JSON', async () => {
      await refusal(() => client.post('/completions', { body: '{"model":', headers: { 'Content-Type': 'application/json' } }), openai.BadRequestError);
    }],

    ["APIConnectionTimeoutError: the client's own timeout frees the request", async () => {
      await refusal(() => client.completions.create({ model, prompt: 'The sea', ...long }, { timeout: 20 }), openai.APIConnectionTimeoutError);
    }],

    ["InternalServerError 504: the server's deadline, asked for by header", async () => {
      const error = await refusal(() => client.completions.create({ model, prompt: 'The sea', ...long }, { headers: { 'X-Request-Timeout': '0.05' } }), openai.InternalServerError);
      assert.equal(error.status, 504);
      assert.equal(error.code, 'deadline_exceeded');
    }],

    ...(guarded ? [['AuthenticationError: a wrong key and none', async () => {
      for (const hasKey of [true, false]) {
        const stranger = new openai.OpenAI({ ...settings, apiKey: 'wrong', defaultHeaders: hasKey ? {} : { Authorization: null } });
        assert.equal((await refusal(() => stranger.models.list(), openai.AuthenticationError)).status, 401);
      }
    }]] : []),

    ...(capacity ? [['RateLimitError: more than the server queues, with Retry-After, and room again afterwards', async () => {
      const asked = Array.from({ length: capacity + 4 }, () => {
        const controller = new AbortController();
        return { controller, answer: client.completions.create({ model, prompt: 'The sea', ...long }, { signal: controller.signal }) };
      });
      const error = await Promise.any(asked.map(({ answer }) => answer.then(() => Promise.reject(new Error('answered')), (refused) => refused)));
      assert.ok(error instanceof openai.RateLimitError, String(error));
      assert.equal(error.code, 'queue_full');
      assert.ok(Number(error.headers.get('retry-after')) > 0);
      asked.forEach(({ controller }) => controller.abort());
      const patient = new openai.OpenAI({ ...settings, maxRetries: 10 });
      assert.equal((await patient.completions.create({ model, prompt: 'hi', max_tokens: 1 })).choices.length, 1);
    }]] : []),

    ['after all that the reference answer is unchanged', async () => {
      const { messages: question, text } = expected.chat[0];
      const answer = await client.chat.completions.create({ model, messages: question, temperature: 0 });
      assert.equal(answer.choices[0].message.content, text);
    }],
  ];
};
