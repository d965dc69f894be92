// The playground, a kill, and what traffic shows of it.
import { strict as assert } from 'node:assert';
import { amongOthers } from './crowd.mjs';

const question = 'Write a haiku about the sea';

/** Tokens: as many as the model's context lets an answer have, so that there is time to kill a replica in the middle. */
const LONG = 1900;

/** Asks, and waits for the whole answer unless `during` has something to do before. */
export async function chat(page, { limit, toLimit = true, during }) {
  await page.fill('#limit', String(limit));
  await page.getByLabel('Go on to the limit').setChecked(toLimit);
  const turns = await page.locator('.turn.assistant').count();
  await page.fill('#prompt', question);
  await page.keyboard.press('Enter');
  await page.locator('.turn.assistant').nth(turns).waitFor();
  await during?.();
  await page.locator('.turn.assistant').nth(turns).locator('.answer[aria-busy="false"]').waitFor({ timeout: 120_000 });
  const answer = page.locator('.turn.assistant').nth(turns);
  assert.equal(await answer.locator('[role="alert"]').count(), 0, `no error: ${await answer.innerText()}`);
  return (await answer.locator('.token').allTextContents()).join('');
}

/** Every replica serves. */
export const settled = page => page.waitForFunction(() => {
  const rows = [...document.querySelectorAll('.deployment tbody tr')];
  return rows.length >= 2 && rows.every(row => row.querySelector('.state').dataset.state === 'serving');
}, null, { timeout: 120_000 });

/** Asks among others and kills the replica that answers, in the middle. @returns how many marks of a move the answer has. */
export const chatThroughKill = (browser, page, model, check = () => {}) =>
  amongOthers(browser.address, model, () => chatUntilMoved(browser, page, check));

async function chatUntilMoved(browser, page, check) {
  // The answer may have been whole before the kill came: then there was nothing to move.
  for (let tries = 0; tries < 8; tries++) {
    check(await chat(page, {
      limit: LONG,
      during: async () => {
        await page.waitForFunction(() => document.querySelectorAll('.turn.assistant:last-child .token').length > 3);
        await page.getByRole('button', { name: 'Kill this replica' }).click();
      },
    }));
    const moved = await page.locator('.turn.assistant .move').count();
    if (moved > 0) {
      return moved;
    }

    await browser.show(page, 'cluster');
    await settled(page);
    await browser.show(page, 'playground');
    await page.getByRole('button', { name: 'Clear' }).click();
  }

  return 0;
}

export const chats = ({ browser, deployment }) => {
  let undisturbed;
  return [
    ['an answer shows its tokens, how likely they were, and the replica that gave it', async () => {
      const page = await browser.open({ view: 'playground' });
      await page.locator('#model').selectOption(deployment);
      undisturbed = await chat(page, { limit: LONG });
      assert.ok(undisturbed.length > 100, undisturbed);
      assert.ok((await page.locator('.token').count()) > 500);
      assert.match(await page.locator('.path li').innerText(), /\S+/);
      assert.match(await page.locator('aside').innerText(), /Tokens a second\s+\d/);
      await page.locator('.answer').focus();
      await page.keyboard.press('Home');
      await page.keyboard.press('ArrowRight');
      assert.match(await page.locator('.detail').innerText(), /token 2 · [\d.]+ %, log-probability -?[\d.]+/);
      assert.equal(await page.locator('.tops tr').count(), 5);
      await page.locator('.token').nth(4).hover();
      assert.match(await page.locator('.detail').innerText(), /token 5 ·/);
      await page.context().close();
      return `${undisturbed.length} characters`;
    }],

    ['a replica that is killed in the middle of an answer is replaced, and the answer is the same to the last character', async () => {
      const page = await browser.open({ view: 'playground', scheme: 'dark', bypassCSP: true });
      await page.locator('#model').selectOption(deployment);
      const moved = await chatThroughKill(browser, page, deployment, again => assert.equal(again, undisturbed));
      assert.equal(moved, 1, 'the mark where another replica took over');
      const path = await page.locator('.path li').allInnerTexts();
      assert.equal(path.length, 2);
      assert.match(path[1], /took over after \d+ tokens/);
      const colours = await page.locator('.turn.assistant .token').evaluateAll(tokens =>
        [tokens[0], tokens.at(-1)].map(token => getComputedStyle(token).borderBottomColor));
      assert.notEqual(colours[0], colours[1], 'tokens of another replica have another colour');
      await page.locator('.token').nth(2).hover();
      assert.deepEqual(await browser.violations(page), [], 'with an answer that has moved');
      await browser.show(page, 'cluster');
      await settled(page);
      assert.match(await page.locator('.deployment').first().innerText(), /[1-9]\d* restarts?/);
      await page.context().close();
      return path[1];
    }],

    ['traffic shows the requests, the move, and values by keyboard', async () => {
      const page = await browser.open({ view: 'traffic' });
      // Of the others' requests some were left in the middle.
      const moved = page.locator('.journal tr[data-moved="true"]').filter({ hasText: 'completed' }).first();
      await moved.waitFor();
      assert.match(await moved.innerText(), /→[^]*after \d+ tokens[^]*completed/);
      await page.waitForFunction(() => [...document.querySelectorAll('.chart .line')].filter(line => line.getAttribute('d')).length >= 8);
      assert.equal(await page.locator('.chart').count(), 8);
      assert.match(await page.locator('dl.figures').first().innerText(), /Streams moved\s+[1-9]/);
      const slider = page.getByRole('slider', { name: /^Tokens, a second/ });
      // The page draws when the browser asks it to, which may be after the key.
      const otherThan = async words => {
        await page.waitForFunction(([element, old]) => element.getAttribute('aria-valuetext') !== old, [await slider.elementHandle(), words]);
        return slider.getAttribute('aria-valuetext');
      };
      await slider.focus();
      const latest = await slider.getAttribute('aria-valuetext');
      assert.match(latest, /^latest: /);
      await page.keyboard.press('End');
      const last = await otherThan(latest);
      await page.keyboard.press('ArrowLeft');
      await otherThan(last);
      assert.match(last, /^\d\d:\d\d:\d\d: generated [\d.k]+, prompt [\d.k]+$/);
      assert.equal(await page.locator('.cursor').count(), 8, 'one cursor through all charts');
      await page.locator('#scope').selectOption(`default/${deployment}`);
      await page.locator('.journal tbody tr').first().waitFor();
      await page.context().close();
      return last;
    }],

    ['a request that is refused says why', async () => {
      const page = await browser.open({ view: 'playground', device: 'phone' });
      await page.locator('#model').selectOption(deployment);
      await page.fill('#limit', '-5');
      await page.fill('#prompt', question);
      await page.keyboard.press('Enter');
      const alert = page.locator('.turn.assistant [role="alert"]');
      await alert.waitFor();
      browser.forgive(/status of 400/);
      const words = await alert.innerText();
      assert.match(words, /-5/);
      await page.context().close();
      return words;
    }],
  ];
};
