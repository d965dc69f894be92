// Everybody can use the page: on a phone, in the dark, by keyboard, with a screen reader, without motion.
import { strict as assert } from 'node:assert';
import { devices, schemes, views } from './browser.mjs';

export const access = ({ browser, deployment }) => [
  ['the cluster view shows nodes with their GPUs and deployments with their replicas', async () => {
    const page = await browser.open();
    const tiles = page.locator('.node .gpu:not(.sample)');
    await page.locator('.node .gpu[data-state="serving"]').nth(5).waitFor();
    assert.equal(await tiles.count(), 8);
    const held = await tiles.evaluateAll(all => all.filter(tile => tile.dataset.state === 'serving').length);
    assert.equal(held, 2 + 2 * 2, 'two replicas of one GPU, and two of two');
    assert.equal(await page.locator('.links .busy').count(), 2, 'a link in each replica of two GPUs');
    const card = page.locator('.deployment', { has: page.getByRole('heading', { name: deployment, exact: true }) });
    await card.getByText('2 of 2 ready').waitFor();
    assert.equal(await card.locator('tbody tr').count(), 2);
    await page.locator('.node .gpu[data-state="serving"].hue0').first().click();
    assert.equal(await card.locator('tr[data-selected="true"]').count(), 1, 'a tile shows its replica');
    assert.match(await page.locator('.gpu-detail').first().innerText(), /GPU \d+ MI300X · 192 GiB/);
    await page.context().close();
  }],

  ...views.map(view => [`${view}: no violation of WCAG 2.2 AA in light and dark, on desktop and phone, and nothing wider than the screen`, async () => {
    for (const device of Object.keys(devices)) {
      for (const scheme of schemes) {
        const page = await browser.open({ device, scheme, view, bypassCSP: true });
        const found = await browser.violations(page);
        assert.deepEqual(found, [], `${device}, ${scheme}`);
        const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(wider <= 0, `${device}: ${wider} pixels wider than the screen`);
        await page.context().close();
      }
    }
  }]),

  ...views.map(view => [`${view}: the keyboard reaches everything, and shows where it is`, async () => {
    const page = await browser.open({ view });
    const all = await page.evaluate(() => {
      const reachable = [...document.querySelectorAll('a[href], button:not(:disabled), input, select, textarea, summary, [tabindex="0"]')]
        .filter(element => element.checkVisibility());
      reachable.forEach((element, i) => { element.dataset.stop = i; });
      return reachable.length;
    });
    const reached = new Set();
    for (let i = 0; i < all + 5; i++) {
      await page.keyboard.press('Tab');
      const stop = await page.evaluate(() => {
        const { activeElement: element } = document;
        return { stop: element.dataset.stop, outline: getComputedStyle(element).outlineStyle, html: element.outerHTML.slice(0, 120) };
      });
      if (stop.stop !== undefined) {
        assert.notEqual(stop.outline, 'none', `focus cannot be seen on ${stop.html}`);
        reached.add(stop.stop);
      }
    }

    assert.equal(reached.size, all, 'every control was reached');
    await page.context().close();
    return `${all} stops`;
  }]),

  ['the link to the content leaves the view alone', async () => {
    const page = await browser.open({ view: 'traffic' });
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
    assert.ok(await page.locator('#view-traffic').isVisible());
    await page.context().close();
  }],

  ['nothing moves for who wants no motion', async () => {
    // A tile of the legend moves always.
    for (const [reducedMotion, moves] of [['no-preference', true], ['reduce', false]]) {
      const page = await browser.open({ reducedMotion });
      await page.locator('.legend').waitFor();
      assert.equal(await page.evaluate(() => document.getAnimations().length > 0), moves, reducedMotion);
      await page.context().close();
    }
  }],

  ['a theme is kept against that of the system', async () => {
    const page = await browser.open({ scheme: 'light' });
    const background = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    const light = await background();
    await page.getByRole('button', { name: /^Theme/ }).click();
    assert.equal(await background(), light);
    await page.getByRole('button', { name: 'Theme: light' }).click();
    assert.notEqual(await background(), light);
    await page.reload();
    await page.getByRole('button', { name: 'Theme: dark' }).waitFor();
    assert.notEqual(await background(), light);
    await page.context().close();
  }],
];
