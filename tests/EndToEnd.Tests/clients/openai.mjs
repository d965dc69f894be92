// A conversation with the HTTP API through the npm `openai` client.
// usage: node openai.mjs BASE_URL EXPECTED_JSON [OPTIONS_JSON]
//   options: apiKey         the key the server asks for
//            capacity       sequences after which it answers 429
//            tolerance      of log-probabilities, whose reference has a cache in float32
//            rendersTools   whether the model's template shows tools to the model
// Prints "ok N name (what was seen)" for each step; exits 1 at the first step that fails.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { answers } from './openai/answers.mjs';
import { streams } from './openai/streams.mjs';
import { sampling } from './openai/sampling.mjs';
import { structured } from './openai/structured.mjs';
import { tools } from './openai/tools.mjs';
import { refusals } from './openai/refusals.mjs';

const require = createRequire(join(process.env.CLUSTER_NODE_MODULES, 'package.json'));
const openai = require('openai');
const [baseURL, expectedFile, options = '{}'] = process.argv.slice(2);
const { apiKey = 'none', capacity, tolerance = 0.05, rendersTools = false } = JSON.parse(options);
const settings = { baseURL: `${baseURL}/v1`, apiKey, maxRetries: 0, timeout: 60_000 };
const client = new openai.OpenAI(settings);
const context = {
  openai,
  settings,
  client,
  capacity,
  tolerance,
  rendersTools,
  guarded: apiKey !== 'none',
  expected: JSON.parse(readFileSync(expectedFile, 'utf8')),
  model: (await client.models.list()).data[0].id,
};

let number = 0;
for (const steps of [answers, streams, sampling, structured, tools, refusals]) {
  for (const [name, run] of steps(context)) {
    number++;
    try {
      const seen = await run();
      console.log(`ok ${number} ${name}${seen === undefined ? '' : ` (${typeof seen === 'string' ? seen : JSON.stringify(seen)})`}`);
    } catch (error) {
      console.log(`not ok ${number} ${name}\n${error?.stack ?? error}`);
      process.exit(1);
    }
  }
}
console.log(`1..${number}`);
