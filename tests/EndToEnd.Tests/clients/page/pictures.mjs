// Pictures for the documents.
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { strict as assert } from 'node:assert';
import { chat } from './chats.mjs';

const MOST_BYTES = 150 << 10;

export const pictures = ({ browser, deployment, pictures: folder }) => [
  ['pictures of the three views, and of the first one in the dark and on a phone', async () => {
    const taken = [];
    const take = async (page, name) => {
      const path = join(folder, `page-${name}.png`);
      await page.screenshot({ path, animations: 'disabled' });
      assert.ok(statSync(path).size < MOST_BYTES, `${path} has ${statSync(path).size} bytes`);
      taken.push(`${name} ${Math.ceil(statSync(path).size / 1024)} KiB`);
    };
    const page = await browser.open({ view: 'playground' });
    await page.locator('#model').selectOption(deployment);
    await chat(page, {
      limit: 1200,
      during: async () => {
        await page.waitForFunction(() => document.querySelectorAll('.turn.assistant:last-child .token').length > 20);
        await page.getByRole('button', { name: 'Kill this replica' }).click();
      },
    });
    await page.locator('.turns').evaluate(element => {
      const mark = element.querySelector('.move');
      element.scrollTop = mark ? mark.offsetTop - element.offsetTop - 120 : 0;
    });
    await page.locator('.token').nth(6).dispatchEvent('pointerenter');
    await take(page, 'playground');
    await browser.show(page, 'cluster');
    await page.locator('.gpu[data-state="serving"]').first().hover();
    await take(page, 'cluster');
    await browser.show(page, 'traffic');
    await take(page, 'traffic');
    await page.context().close();
    const dark = await browser.open({ scheme: 'dark' });
    await take(dark, 'cluster-dark');
    await dark.context().close();
    const phone = await browser.open({ device: 'phone' });
    await take(phone, 'phone');
    await phone.context().close();
    return taken.join(', ');
  }],
];
