// Tools: shown to the model by its template, and calls in its output parsed. The sample model was not trained to call any, so a regex makes it.
import { strict as assert } from 'node:assert';

const definitions = [{
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'The weather in a city',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
}];
const bounded = [{
  type: 'function',
  function: { name: 'get_weather', parameters: { type: 'object', properties: { city: { enum: ['Paris', 'Oslo', 'Lima'] } }, required: ['city'], additionalProperties: false } },
}];
const call = '<tool_call>\n\\{"name": "get_weather", "arguments": \\{"city": "(Paris|Oslo|Lima)"\\}\\}\n</tool_call>';

export const tools = ({ client, model, rendersTools }) => {
  const messages = [{ role: 'user', content: 'What is the weather in Oslo?' }];
  const request = { model, messages, tools: definitions, temperature: 0, max_tokens: 250 };
  const assertCalls = (message, count) => {
    assert.equal(message.tool_calls.length, count);
    for (const { id, type, function: { name, arguments: text } } of message.tool_calls) {
      assert.ok(id.length > 0);
      assert.equal(type, 'function');
      assert.equal(name, 'get_weather');
      assert.match(JSON.parse(text).city, /^(Paris|Oslo|Lima)$/);
    }
  };

  return [
    ['tools are accepted; tool_choice none keeps them from the model', async () => {
      const { usage: free } = await client.chat.completions.create({ ...request, tool_choice: 'auto' });
      const { usage: none, choices } = await client.chat.completions.create({ ...request, tool_choice: 'none' });
      const { usage: without } = await client.chat.completions.create({ model, messages, max_tokens: 1 });
      assert.equal(none.prompt_tokens, without.prompt_tokens);
      assert.ok(rendersTools ? free.prompt_tokens > without.prompt_tokens : free.prompt_tokens === without.prompt_tokens);
      assert.equal(choices[0].message.tool_calls, undefined);
      return `${free.prompt_tokens} prompt tokens, ${none.prompt_tokens} without`;
    }],

    ['a call becomes tool_calls', async () => {
      const { choices: [{ message, finish_reason }] } = await client.chat.completions.create({ ...request, guided_regex: call });
      assert.equal(finish_reason, 'tool_calls');
      assert.equal(message.content, null);
      assertCalls(message, 1);
      return message.tool_calls[0].function.arguments;
    }],

    ['text and two calls, and only one with parallel_tool_calls false', async () => {
      const guided_regex = `Let me look\\.\n${call}\n${call}`;
      const { choices: [{ message }] } = await client.chat.completions.create({ ...request, guided_regex });
      assert.equal(message.content, 'Let me look.');
      assertCalls(message, 2);
      const { choices: [{ message: single }] } = await client.chat.completions.create({ ...request, guided_regex, parallel_tool_calls: false });
      assertCalls(single, 1);
    }],

    ["calls are streamed as the client's helper expects them", async () => {
      const { choices: [{ message, finish_reason }] } = await client.chat.completions.stream({ ...request, guided_regex: `${call}${call}` }).finalChatCompletion();
      assert.equal(finish_reason, 'tool_calls');
      assertCalls(message, 2);
    }],

    ['the result of a call is taken back', async () => {
      const { choices: [{ message }] } = await client.chat.completions.create({ ...request, guided_regex: call });
      const answer = await client.chat.completions.create({
        ...request,
        messages: [...messages, message, { role: 'tool', tool_call_id: message.tool_calls[0].id, content: '12 degrees' }],
      });
      assert.equal(answer.choices[0].message.role, 'assistant');
    }],

    ['a call that is demanded comes, whatever the model', async () => {
      const named = { type: 'function', function: { name: 'get_weather' } };
      const said = [];
      for (const tool_choice of ['required', named]) {
        const { choices: [{ message }] } = await client.chat.completions.create({ ...request, tools: bounded, tool_choice, parallel_tool_calls: false, temperature: 1, seed: 7 });
        assertCalls(message, 1);
        said.push(message.tool_calls[0].function.arguments);
      }
      return said.join(' ');
    }],

    ['without tools the same output is text', async () => {
      const { choices: [{ message, finish_reason }] } = await client.chat.completions.create({ model, messages, temperature: 0, max_tokens: 250, guided_regex: call });
      assert.equal(finish_reason, 'stop');
      assert.ok(message.content.startsWith('<tool_call>'));
    }],
  ];
};
