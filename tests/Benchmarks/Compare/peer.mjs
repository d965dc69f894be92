// llama.cpp of the package node-llama-cpp, told on standard input what to time; answers one line of JSON each:
//   node peer.mjs NODE_MODULES FILE THREADS SEQUENCES CONTEXT BATCH
//   {"op":"prefill","tokens":256}                             {"seconds":…}      one batch of a fresh sequence
//   {"op":"decode","sequences":8,"context":64,"steps":16}     {"seconds":…}      a step, of as many fresh sequences
// The batches go to llama_decode as they are: neither sampling nor the package's own queue is timed.
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import path from 'node:path';

const [modules, file, threads, sequences, contextSize, batchSize] = process.argv.slice(2);
const { getLlama } = await import(pathToFileURL(path.join(modules, 'node-llama-cpp', 'dist', 'index.js')));
const llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, logLevel: 'error', maxThreads: Number(threads) });
const model = await llama.loadModel({ modelPath: file });
const context = await model.createContext({
  sequences: Number(sequences), contextSize: Number(contextSize), batchSize: Number(batchSize), threads: Number(threads),
});
const native = context._ctx;
const words = count => Uint32Array.from({ length: count }, (_, i) => 300 + (i * 7919) % 20000);
const answer = value => process.stdout.write(JSON.stringify(value) + '\n');

async function fill(sequence, tokens) {
  native.initBatch(tokens);
  native.addToBatch(sequence, 0, words(tokens), Uint32Array.of(tokens - 1));
  await native.decodeBatch();
}

async function prefill({ tokens }) {
  native.disposeSequence(0);
  const start = performance.now();
  await fill(0, tokens);
  return (performance.now() - start) / 1000;
}

async function decode({ sequences: count, context: length, steps }) {
  for (let sequence = 0; sequence < count; sequence++) {
    native.disposeSequence(sequence);
    await fill(sequence, length);
  }

  const start = performance.now();
  for (let step = 0; step < steps; step++) {
    native.initBatch(count);
    for (let sequence = 0; sequence < count; sequence++) {
      native.addToBatch(sequence, length + step, Uint32Array.of(300 + step), Uint32Array.of(0));
    }

    await native.decodeBatch();
  }

  return (performance.now() - start) / 1000 / steps;
}

answer({ ready: true, system: llama.systemInfo });
for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  try {
    answer({ seconds: await (request.op === 'prefill' ? prefill(request) : decode(request)) });
  } catch (error) {
    answer({ error: String(error) });
  }
}

process.exit(0);
