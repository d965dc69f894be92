// The package node-llama-cpp behind the part of OpenAI's completions API that the benchmark's client uses, since the package has no server:
//   node server.mjs NODE_MODULES FILE THREADS SLOTS CONTEXT PORT
// Each request has a sequence of its own; the package puts the tokens of all into one batch.
import { createServer } from 'node:http';
import { pathToFileURL } from 'node:url';
import path from 'node:path';

const [modules, file, threads, slots, contextSize, port] = process.argv.slice(2);
const { getLlama } = await import(pathToFileURL(path.join(modules, 'node-llama-cpp', 'dist', 'index.js')));
const llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, logLevel: 'error', maxThreads: Number(threads) });
const model = await llama.loadModel({ modelPath: file });
const context = await model.createContext({ sequences: Number(slots), contextSize: Number(contextSize), threads: Number(threads) });
const free = Array.from({ length: Number(slots) }, () => context.getSequence());
const waiting = [];

const take = () => free.length > 0 ? free.pop() : new Promise(resolve => waiting.push(resolve));
const giveBack = sequence => waiting.length > 0 ? waiting.shift()(sequence) : free.push(sequence);

async function complete(request, response) {
  const { prompt, max_tokens: limit } = request;
  const sequence = await take();
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  let count = 0;
  try {
    await sequence.clearHistory();
    for await (const token of sequence.evaluate(prompt, { temperature: 0, yieldEogToken: true })) {
      response.write(`data: ${JSON.stringify({ choices: [{ index: 0, text: model.detokenize([token]) }] })}\n\n`);
      if (++count >= limit) break;
    }
  } finally {
    giveBack(sequence);
  }

  response.write(`data: ${JSON.stringify({ choices: [], usage: { prompt_tokens: prompt.length, completion_tokens: count } })}\n\n`);
  response.end('data: [DONE]\n\n');
}

createServer(async (request, response) => {
  if (request.url !== '/v1/completions') {
    response.writeHead(200).end('{"status":"ok"}');
    return;
  }

  const parts = [];
  for await (const part of request) parts.push(part);
  await complete(JSON.parse(Buffer.concat(parts).toString()), response);
}).listen(Number(port), '127.0.0.1');

// Whoever started it is gone when standard input closes.
process.stdin.on('end', () => process.exit(0)).resume();
