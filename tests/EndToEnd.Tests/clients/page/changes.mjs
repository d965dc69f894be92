// A rollout, as the page shows it.
import { strict as assert } from 'node:assert';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

export const changes = ({ browser, kubectl, kubeconfig, deployment }) => [
  ['a rollout can be watched: replicas are outdated, end, start and serve, and the tiles go with them', async () => {
    const page = await browser.open({ device: 'phone', bypassCSP: true });
    const card = page.locator('.deployment', { has: page.getByRole('heading', { name: deployment, exact: true }) });
    await page.evaluate(() => {
      // What passes too quickly to be waited for is seen by who watches all the time.
      globalThis.seen = new Set();
      setInterval(() => document.querySelectorAll('[data-state]:not(.sample)').forEach(element =>
        globalThis.seen.add(`${element.className.split(' ')[0]} ${element.dataset.state}${element.dataset.outdated === 'true' ? ' outdated' : ''}`)), 10);
    });
    const before = await card.locator('tbody th').allInnerTexts();
    const patch = JSON.stringify({ spec: { engine: { maxNumSeqs: 32 } } });
    await run(kubectl, ['patch', 'mdep', deployment, '-n', 'default', '--type', 'merge', '-p', patch], {
      env: { ...process.env, KUBECONFIG: kubeconfig },
    });
    await page.waitForFunction(() => globalThis.seen.has('cell serving outdated'));
    assert.deepEqual(await browser.violations(page), [], 'in the middle of a rollout');
    await page.waitForFunction(
      ([name, old]) => {
        const card = [...document.querySelectorAll('.deployment')].find(element => element.querySelector('h3').textContent === name);
        const rows = [...card.querySelectorAll('tbody tr')];
        return rows.length === 2 && rows.every(row => row.querySelector('.state').dataset.state === 'serving'
          && !old.includes(row.querySelector('th').innerText)) && card.querySelector('.chip').textContent.includes('serving');
      },
      [deployment, before], { timeout: 120_000 });
    const seen = await page.evaluate(() => [...globalThis.seen].sort());
    for (const state of ['gpu ending', 'gpu starting', 'gpu free', 'gpu serving', 'cell serving', 'state ending']) {
      assert.ok(seen.includes(state), `'${state}' was never seen, only: ${seen.join(', ')}`);
    }

    assert.ok((await page.locator('.events li').count()) > 0, 'events are shown');
    await page.context().close();
    return seen.join(', ');
  }],
];
