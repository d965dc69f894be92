// What llama.cpp goes on with: node llama.mjs NODE_MODULES FILE COUNT ID,ID,…
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import path from 'node:path';

const [modules, file, count, ids] = process.argv.slice(2);
const { getLlama } = await import(pathToFileURL(path.join(modules, 'node-llama-cpp', 'dist', 'index.js')));
const llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, logLevel: 'error' });
const model = await llama.loadModel({ modelPath: file });
const context = await model.createContext({ contextSize: 128, threads: 2 });
const found = [];
for await (const token of context.getSequence().evaluate(ids.split(',').map(Number), { temperature: 0 })) {
  found.push(token);
  if (found.length >= Number(count)) break;
}

console.log(JSON.stringify(found));
process.exit(0);
