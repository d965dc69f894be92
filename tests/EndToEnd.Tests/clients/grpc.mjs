// A conversation with a running worker by the real gRPC client of node.
//
//   CLUSTER_NODE_MODULES=<folder holding node_modules> node grpc.mjs <host:port> <folder of the worker's .proto files> <prompt> [answer]
//
// The protocol's own .proto files, health and reflection, are beside this one. With an answer, the prompt as a chat message must get exactly that, greedily.
//
// Prints one JSON line for each step, {"step", "ok", …what came back}, and exits 1 when a step did not go as it must.

import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const [address, protoFolder, prompt, expectedAnswer] = process.argv.slice(2);
if (!prompt) {
  console.error('usage: node grpc.mjs <host:port> <folder of the .proto files> <prompt> [answer]');
  process.exit(2);
}

const require = createRequire(path.join(path.resolve(process.env.CLUSTER_NODE_MODULES ?? '.'), 'package.json'));
const grpc = require('@grpc/grpc-js');
const protoLoader = require('@grpc/proto-loader');

const definitions = grpc.loadPackageDefinition(
  protoLoader.loadSync(
    ['vllm_engine.proto', 'cluster/v1/text_generation.proto', 'grpc/health/v1/health.proto', 'grpc/reflection/v1/reflection.proto'],
    { includeDirs: [protoFolder, fileURLToPath(new URL('protos', import.meta.url))], keepCase: true, longs: Number, enums: String, oneofs: true, defaults: true }));

const connect = (Service, options = {}) => new Service(address, grpc.credentials.createInsecure(), options);
const health = connect(definitions.grpc.health.v1.Health);
const vllm = connect(definitions.vllm.grpc.engine.VllmEngine);
const text = connect(definitions.cluster.v1.TextGeneration);
const textGzip = connect(definitions.cluster.v1.TextGeneration, { 'grpc.default_compression_algorithm': 2 });
const reflection = connect(definitions.grpc.reflection.v1.ServerReflection);
const clients = [health, vllm, text, textGzip, reflection];

/** One response, or the error as the client raises it. */
const call = (client, method, request, options = {}) => new Promise((resolve, reject) =>
  client[method](request, new grpc.Metadata(), options, (error, response) => error ? reject(error) : resolve(response)));

/** All responses of a stream; onMessage may cancel it. */
const stream = (client, method, request, options = {}, onMessage = () => {}) => new Promise((resolve, reject) => {
  const messages = [];
  const running = client[method](request, new grpc.Metadata(), options);
  running.on('data', message => {
    messages.push(message);
    onMessage(running, messages);
  });
  running.on('error', error => reject(Object.assign(error, { messages })));
  running.on('end', () => resolve(messages));
});

/** The failure of a call that must fail. */
const failure = async promise => {
  let answer;
  try {
    answer = await promise;
  } catch (error) {
    return { code: grpc.status[error.code] ?? String(error), details: error.details, messages: error.messages?.length ?? 0 };
  }

  throw new Error(`the call must fail but was answered: ${JSON.stringify(answer).slice(0, 200)}`);
};

const expect = (truth, what) => {
  if (!truth) {
    throw new Error(`expected ${what}`);
  }
};

const greedy = { temperature: 0, max_tokens: 24 };
const endless = { temperature: 0, ignore_eos: true };
let ids;
let whole;

const steps = {
  async health() {
    const answers = {};
    for (const service of ['', 'liveness', 'readiness', 'cluster.v1.TextGeneration', 'vllm.grpc.engine.VllmEngine']) {
      answers[service] = (await call(health, 'Check', { service })).status;
    }

    expect(Object.values(answers).every(status => status === 'SERVING'), `SERVING everywhere, got ${JSON.stringify(answers)}`);
    const unknown = await failure(call(health, 'Check', { service: 'nobody' }));
    expect(unknown.code === 'NOT_FOUND', `NOT_FOUND for an unknown service, got ${unknown.code}`);
    return { answers };
  },

  async healthWatch() {
    const ended = await failure(stream(health, 'Watch', { service: 'readiness' }, {}, running => running.cancel()));
    expect(ended.code === 'CANCELLED' && ended.messages === 1, `one status, then CANCELLED, got ${JSON.stringify(ended)}`);
    return ended;
  },

  async reflection() {
    const names = await new Promise((resolve, reject) => {
      const running = reflection.ServerReflectionInfo();
      running.on('data', response => {
        resolve(response.list_services_response.service.map(service => service.name));
        running.end();
      });
      running.on('error', reject);
      running.write({ list_services: '' });
    });
    expect(names.includes('vllm.grpc.engine.VllmEngine'), `the engine among the services, got ${names}`);
    return { names };
  },

  /** A client that has no .proto files: all it knows of the service, it asks. */
  async callThroughReflection() {
    const files = await new Promise((resolve, reject) => {
      const running = reflection.ServerReflectionInfo();
      running.on('data', response => {
        resolve(response.file_descriptor_response.file_descriptor_proto);
        running.end();
      });
      running.on('error', reject);
      running.write({ file_containing_symbol: 'cluster.v1.TextGeneration' });
    });

    // A FileDescriptorSet: each file as field 1, with its length as a varint.
    const set = Buffer.concat(files.flatMap(file => {
      const length = [];
      for (let rest = file.length; ; rest >>>= 7) {
        length.push(rest > 127 ? (rest & 127) | 128 : rest);
        if (rest <= 127) {
          return [Buffer.from([10, ...length]), file];
        }
      }
    }));
    const found = grpc.loadPackageDefinition(protoLoader.loadFileDescriptorSetFromBuffer(set, { keepCase: true })).cluster.v1.TextGeneration;
    const client = connect(found);
    clients.push(client);
    const answer = await call(client, 'Generate', { prompt, sampling: { temperature: 0, max_tokens: 4 } });
    expect(answer.token_ids.length === 4, `four tokens, got ${JSON.stringify(answer)}`);
    return { methods: Object.keys(found.service), text: answer.text };
  },

  async modelInfo() {
    const info = await call(vllm, 'GetModelInfo', {});
    expect(info.is_generation && info.vocab_size > 0 && info.max_context_length > 0, `a generative model, got ${JSON.stringify(info)}`);
    return info;
  },

  async serverInfo() {
    const info = await call(vllm, 'GetServerInfo', {});
    expect(!info.is_paused && info.uptime_seconds >= 0, `a running server, got ${JSON.stringify(info)}`);
    return info;
  },

  async tokenize() {
    const tokenized = await call(text, 'Tokenize', { text: prompt, add_special_tokens: false });
    const back = await call(text, 'Detokenize', { token_ids: tokenized.token_ids });
    expect(back.text === prompt, `the prompt back, got ${JSON.stringify(back.text)}`);
    ids = (await call(text, 'Tokenize', { text: prompt })).token_ids;
    return { tokens: ids.length };
  },

  async generate() {
    whole = await call(text, 'Generate', { prompt, sampling: { ...greedy, logprobs: 2 } });
    expect(whole.text.length > 0 && ['FINISH_REASON_STOP', 'FINISH_REASON_LENGTH'].includes(whole.finish_reason), `text and a reason, got ${JSON.stringify(whole)}`);
    expect(whole.usage.prompt_tokens === ids.length, `${ids.length} prompt tokens, got ${whole.usage.prompt_tokens}`);
    expect(whole.logprobs.length === whole.token_ids.length, 'log-probabilities for every token');
    return { text: whole.text, finish_reason: whole.finish_reason, usage: whole.usage };
  },

  async generateGzip() {
    const answer = await call(textGzip, 'Generate', { prompt, sampling: { ...greedy, logprobs: 2 } });
    expect(answer.text === whole.text, `the same text, got ${JSON.stringify(answer.text)}`);
    return { text: answer.text };
  },

  async generateStream() {
    const parts = await stream(text, 'GenerateStream', { prompt, sampling: greedy });
    const joined = parts.map(part => part.text).join('');
    expect(joined === whole.text, `the unary text in parts, got ${JSON.stringify(joined)}`);
    expect(parts.at(-1).finish_reason === whole.finish_reason, `the unary reason in the last part, got ${parts.at(-1).finish_reason}`);
    return { parts: parts.length, text: joined };
  },

  async generateBatch() {
    const requests = [{ prompt, sampling: greedy }, { prompt, sampling: { temperature: -1 } }, { prompt, sampling: { regex: '[0-9]{3}' } }];
    const answers = (await stream(text, 'GenerateBatch', { requests })).sort((one, other) => one.index - other.index);
    expect(answers.length === 3, `three answers, got ${JSON.stringify(answers)}`);
    expect(answers[0].response.text === whole.text, `the unary text, got ${JSON.stringify(answers[0])}`);
    expect(answers[1].failure.code === grpc.status.INVALID_ARGUMENT, `INVALID_ARGUMENT, got ${JSON.stringify(answers[1])}`);
    expect(/^[0-9]{3}$/.test(answers[2].response.text), `three digits, got ${JSON.stringify(answers[2])}`);
    return { failure: answers[1].failure.message, digits: answers[2].response.text };
  },

  async chat() {
    const answer = await call(text, 'Generate', { chat: { messages: [{ role: 'user', content: prompt }] }, sampling: { temperature: 0 } })
      .catch(error => error);
    if (answer instanceof Error) {
      expect(answer.code === grpc.status.FAILED_PRECONDITION, `text or FAILED_PRECONDITION, got ${answer}`);
      return { refused: answer.details };
    }

    expect(!expectedAnswer || answer.text === expectedAnswer, `the reference answer, got ${JSON.stringify(answer.text)}`);
    return { text: answer.text, finish_reason: answer.finish_reason };
  },

  async vllmStream() {
    const responses = await stream(vllm, 'Generate', {
      request_id: 'grpc-js-stream',
      tokenized: { original_text: prompt, input_ids: ids },
      sampling_params: { ...greedy, skip_special_tokens: true },
      stream: true,
    });
    const complete = responses.at(-1).complete;
    const chunked = responses.slice(0, -1).flatMap(response => response.chunk.token_ids);
    expect(complete && chunked.join() === complete.output_ids.join(), 'chunks that add up to the complete');
    expect(chunked.join() === whole.token_ids.join(), `the tokens of the text API, got ${chunked}`);
    return { chunks: responses.length - 1, complete };
  },

  async vllmWhole() {
    const responses = await stream(vllm, 'Generate', { text: prompt, sampling_params: greedy });
    expect(responses.length === 1 && responses[0].complete.output_ids.join() === whole.token_ids.join(), 'one complete with the same tokens');
    return { finish_reason: responses[0].complete.finish_reason };
  },

  async abort() {
    // A small model may fill its length before the second call arrives; once in a few tries the abort is faster.
    const reasons = [];
    for (let attempt = 0; attempt < 5 && !reasons.includes('abort'); attempt++) {
      let aborting;
      const responses = await stream(
        vllm, 'Generate', { request_id: `grpc-js-abort-${attempt}`, text: prompt, sampling_params: endless, stream: true }, {},
        () => aborting ??= call(vllm, 'Abort', { request_ids: [`grpc-js-abort-${attempt}`] }));
      await aborting;
      reasons.push(responses.at(-1).complete.finish_reason);
    }

    expect(reasons.at(-1) === 'abort', `abort, got ${reasons}`);
    return { reasons };
  },

  async cancel() {
    const ended = await failure(stream(text, 'GenerateStream', { prompt, sampling: endless }, {}, running => running.cancel()));
    expect(ended.code === 'CANCELLED', `CANCELLED, got ${ended.code}`);
    return ended;
  },

  async deadline() {
    const ended = await failure(stream(text, 'GenerateStream', { prompt, sampling: endless }, { deadline: Date.now() + 5 }));
    expect(ended.code === 'DEADLINE_EXCEEDED', `DEADLINE_EXCEEDED, got ${ended.code}`);
    return ended;
  },

  // Its own deadline and the server's pass at the same moment, so that some calls are reset while the server ends them.
  async manyDeadlines() {
    const codes = {};
    for (let i = 0; i < 400; i++) {
      const { code } = await failure(stream(text, 'GenerateStream', { prompt, sampling: endless }, { deadline: Date.now() + 1 + i % 14 }));
      codes[code] = (codes[code] ?? 0) + 1;
    }
    expect(codes.DEADLINE_EXCEEDED === 400, `DEADLINE_EXCEEDED 400 times, got ${JSON.stringify(codes)}`);
    return codes;
  },

  async invalidArgument() {
    const ended = await failure(call(text, 'Generate', { prompt, sampling: { top_p: 7 } }));
    expect(ended.code === 'INVALID_ARGUMENT' && ended.details.includes('top_p'), `INVALID_ARGUMENT naming top_p, got ${JSON.stringify(ended)}`);
    const two = await failure(stream(vllm, 'Generate', { text: prompt, sampling_params: { n: 2 } }));
    expect(two.code === 'INVALID_ARGUMENT' && two.details.startsWith('n '), `INVALID_ARGUMENT naming n, got ${JSON.stringify(two)}`);
    return ended;
  },

  async unknownModel() {
    const ended = await failure(call(text, 'Generate', { model: 'größe-海', prompt }));
    expect(ended.code === 'NOT_FOUND' && ended.details.includes("'größe-海'"), `NOT_FOUND naming the model, got ${JSON.stringify(ended)}`);
    return ended;
  },

  async unimplemented() {
    const ended = await failure(call(vllm, 'Embed', { request_id: 'e' }));
    expect(ended.code === 'UNIMPLEMENTED', `UNIMPLEMENTED, got ${ended.code}`);
    return ended;
  },

  async tooLarge() {
    const ended = await failure(call(text, 'Tokenize', { text: 'x'.repeat(33 * 1024 * 1024) }));
    expect(ended.code === 'RESOURCE_EXHAUSTED', `RESOURCE_EXHAUSTED, got ${ended.code}: ${ended.details}`);
    return ended;
  },

  async stillHealthy() {
    const { status } = await call(health, 'Check', { service: '' });
    expect(status === 'SERVING', `SERVING after all this, got ${status}`);
    return { status };
  },
};

let failed = false;
for (const [step, run] of Object.entries(steps)) {
  try {
    console.log(JSON.stringify({ step, ok: true, ...(await run()) }));
  } catch (error) {
    failed = true;
    console.log(JSON.stringify({ step, ok: false, error: error.message }));
  }
}

clients.forEach(client => client.close());
process.exitCode = failed ? 1 : 0;
