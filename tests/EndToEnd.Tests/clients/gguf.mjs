// What a public reader of GGUF files finds in one: node gguf.mjs NODE_MODULES FILE
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import path from 'node:path';

const [modules, file] = process.argv.slice(2);
const require = createRequire(path.join(modules, 'index.js'));
const { gguf } = await import(pathToFileURL(require.resolve('@huggingface/gguf')));
const { metadata, tensorInfos } = await gguf(file, { allowLocalFile: true });

const plain = (_, value) => (typeof value === 'bigint' ? Number(value) : value);
console.log(JSON.stringify({ metadata, tensors: tensorInfos }, plain));
