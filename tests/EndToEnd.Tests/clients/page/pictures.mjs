// Pictures for the documents.
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { strict as assert } from 'node:assert';
import { chatThroughKill, settled } from './chats.mjs';

const MOST_BYTES = 150 << 10;

/** Some load for the charts to show: half a minute of chats, more and less of them at a time. */
const busy = (page, model) => page.evaluate(async name => {
  const until = performance.now() + 30_000;
  const ask = async (user, pause) => {
    for (let i = 0; performance.now() < until; i++) {
      await fetch('/v1/chat/completions', {
        method: 'POST', headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          model: name, stream: true, max_tokens: 40, seed: i, temperature: 1,
          messages: [{ role: 'system', content: 'You write haikus. Three lines, five, seven and five syllables.' }, { role: 'user', content: `${user} ${i % 5}` }],
        }),
      }).then(response => response.text());
      await new Promise(resolve => setTimeout(resolve, pause * (1 + Math.sin(performance.now() / 4000))));
    }
  };
  await Promise.all([ask('the sea', 100), ask('the city', 300), ask('rain', 700)]);
}, model);

export const pictures = ({ browser, deployment, pictures: folder }) => [
  ['pictures of the three views, and of the first one in the dark and on a phone', async () => {
    const taken = [];
    const take = async (page, name) => {
      const path = join(folder, `page-${name}.png`);
      await page.screenshot({ path, animations: 'disabled' });
      assert.ok(statSync(path).size < MOST_BYTES, `${path} has ${statSync(path).size} bytes`);
      taken.push(`${name} ${Math.ceil(statSync(path).size / 1024)} KiB`);
    };
    const page = await browser.open({ device: 'sheet' });
    await settled(page);
    await page.locator('.gpu[data-state="serving"]').first().hover();
    await take(page, 'cluster');
    await browser.show(page, 'playground');
    await page.locator('#model').selectOption(deployment);
    assert.equal(await chatThroughKill(browser, page, deployment), 1);
    await page.locator('.turn.assistant .move').evaluate(mark => mark.scrollIntoView({ block: 'center' }));
    await page.locator('.token').nth(6).dispatchEvent('pointerenter');
    await take(page, 'playground');
    await busy(page, deployment);
    await browser.show(page, 'traffic');
    await take(page, 'traffic');
    await page.context().close();
    const dark = await browser.open({ device: 'sheet', scheme: 'dark' });
    await settled(dark);
    await take(dark, 'cluster-dark');
    await dark.context().close();
    const phone = await browser.open({ device: 'phone' });
    await take(phone, 'phone');
    await phone.context().close();
    return taken.join(', ');
  }],
];
