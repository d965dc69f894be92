// Structured output: every answer has the shape asked for, however it is sampled.
import { strict as assert } from 'node:assert';

const schema = {
  type: 'object',
  properties: {
    city: { enum: ['Paris', 'Oslo', 'Lima'] },
    degrees: { type: 'integer', minimum: -40, maximum: 50 },
    sunny: { type: 'boolean' },
    hours: { type: 'array', items: { type: 'integer', minimum: 0, maximum: 23 }, minItems: 1, maxItems: 3 },
  },
  required: ['city', 'degrees', 'sunny', 'hours'],
  additionalProperties: false,
};
const response_format = { type: 'json_schema', json_schema: { name: 'weather', strict: true, schema } };

function assertWeather({ city, degrees, sunny, hours, ...rest }) {
  assert.ok(schema.properties.city.enum.includes(city));
  assert.ok(Number.isInteger(degrees) && degrees >= -40 && degrees <= 50);
  assert.equal(typeof sunny, 'boolean');
  assert.ok(hours.length >= 1 && hours.length <= 3 && hours.every((hour) => Number.isInteger(hour) && hour >= 0 && hour <= 23));
  assert.deepEqual(rest, {});
}

export const structured = ({ client, model }) => {
  const messages = [{ role: 'user', content: 'What is the weather?' }];
  const ask = async (fields) => {
    const answer = await client.chat.completions.create({ model, messages, temperature: 1.2, max_tokens: 200, ...fields });
    assert.deepEqual(answer.choices.map(({ finish_reason }) => finish_reason), answer.choices.map(() => 'stop'));
    return answer.choices.map(({ message }) => message.content);
  };

  return [
    ['response_format json_schema: every sample parses and fits', async () => {
      const texts = await ask({ response_format, n: 8, seed: 1 });
      const values = texts.map((text) => JSON.parse(text));
      values.forEach(assertWeather);
      return JSON.stringify(values[0]);
    }],

    ["response_format json_schema through the client's parse and stream helpers", async () => {
      const request = { model, messages, response_format, temperature: 1, max_tokens: 200, seed: 2 };
      const { choices: [{ message }] } = await client.chat.completions.parse(request);
      assertWeather(message.parsed);
      const streamed = await client.chat.completions.stream(request).finalChatCompletion();
      assert.equal(streamed.choices[0].message.content, message.content);
    }],

    ['response_format json_object: an object', async () => {
      const texts = await ask({ response_format: { type: 'json_object' }, n: 8, seed: 3, max_tokens: 1500 });
      const values = texts.map((text) => JSON.parse(text));
      assert.ok(values.every((value) => typeof value === 'object' && !Array.isArray(value)));
      return `${values.length} samples`;
    }],

    ['guided_choice', async () => {
      const choices = ['yes', 'no', 'perhaps'];
      const texts = await ask({ guided_choice: choices, n: 8, seed: 4 });
      assert.ok(texts.every((text) => choices.includes(text)));
      return texts.join(' ');
    }],

    ['guided_regex', async () => {
      const texts = await ask({ guided_regex: '(\\d{1,3}\\.){3}\\d{1,3}', n: 4, seed: 5 });
      assert.ok(texts.every((text) => /^(\d{1,3}\.){3}\d{1,3}$/.test(text)));
      return texts[0];
    }],

    ['guided_json and structured_outputs: json, choice, regex, json_object', async () => {
      assertWeather(JSON.parse((await ask({ guided_json: schema, seed: 6 }))[0]));
      assertWeather(JSON.parse((await ask({ structured_outputs: { json: schema }, seed: 7 }))[0]));
      assert.ok(['a', 'b'].includes((await ask({ structured_outputs: { choice: ['a', 'b'] }, seed: 8 }))[0]));
      assert.match((await ask({ structured_outputs: { regex: '[A-F0-9]{8}' }, seed: 9 }))[0], /^[A-F0-9]{8}$/);
      assert.equal(typeof JSON.parse((await ask({ structured_outputs: { json_object: true }, seed: 3, max_tokens: 1500 }))[0]), 'object');
    }],
  ];
};
