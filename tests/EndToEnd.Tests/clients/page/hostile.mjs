// What others may do to the page: names that are markup, a key that is asked for, a gateway that goes away, a page of another site.
import { strict as assert } from 'node:assert';

const markup = '<img src=x onerror="document.title=1"><script>document.title=1</script>';

function events(change) {
  const view = {
    mayKill: false, isComplete: true, problems: [markup],
    cluster: {
      nodes: [{
        name: markup, ready: true, words: markup, summary: markup, free: 1, simulated: false, guests: [markup],
        hives: [{ id: markup, gpus: [{
          index: 0, uuid: markup, name: markup, vramBytes: 1, partition: markup, numaNode: 0, state: 'serving', replica: `default/${markup}`,
          deployment: `default/${markup}`, words: markup,
        }] }],
      }],
      deployments: [{
        namespace: 'default', name: markup, servedName: markup, source: markup, tensorParallelSize: 1, allocation: markup, tone: 'bad', words: markup,
        rollout: { wanted: 1, ready: 1, updated: 1, outdated: 0 },
        conditions: [{ type: markup, tone: 'bad', title: markup, reason: markup, words: markup, since: null }],
        replicas: [{ namespace: 'default', pod: markup, node: markup, gpus: [0], state: 'failing', outdated: false, restarts: 1, created: null, words: markup }],
      }],
      events: [{ id: markup, warning: true, reason: markup, words: markup, about: markup, count: 2, last: null }],
    },
  };
  return `event: cluster\ndata: ${JSON.stringify({ ...view, ...change })}\n\n`;
}

export const hostile = ({ browser, address }) => [
  ['names that are markup are shown and never read', async () => {
    const page = await browser.open({
      prepare: page => page.route('**/page/events', route => route.fulfill({ contentType: 'text/event-stream', body: events() })),
      live: false,
    });
    await page.getByRole('heading', { name: markup }).first().waitFor();
    assert.equal(await page.locator('main img, main script').count(), 0);
    await browser.show(page, 'playground');
    assert.equal(await page.locator('#model').inputValue(), markup);
    assert.equal(await page.locator('main img, main script').count(), 0);
    assert.notEqual(await page.title(), '1');
    await page.context().close();
  }],

  ['a key is asked for, kept in the tab and sent with everything', async () => {
    const sent = [];
    const page = await browser.open({
      live: false,
      prepare: page => page.route(/\/(page\/events|v1\/.*)$/, route => {
        const { authorization } = route.request().headers();
        sent.push(authorization);
        return authorization === 'Bearer right'
          ? route.fulfill({ contentType: 'text/event-stream', body: events({ problems: [] }) })
          : route.fulfill({ status: 401, json: { error: { message: 'the API key is missing or wrong' } } });
      }),
    });
    const dialog = page.getByRole('dialog', { name: 'API key' });
    await dialog.waitFor();
    await page.keyboard.press('Escape');
    assert.ok(await dialog.isVisible(), 'there is nothing to see behind it');
    await page.getByLabel('Key', { exact: true }).fill('wrong');
    await page.keyboard.press('Enter');
    await page.getByText('The key was refused').waitFor();
    await page.getByLabel('Key', { exact: true }).fill('right');
    await page.keyboard.press('Enter');
    await dialog.waitFor({ state: 'hidden' });
    await page.locator('.deployment').waitFor();
    assert.deepEqual(sent.slice(0, 3), [undefined, 'Bearer wrong', 'Bearer right']);
    assert.equal(await page.evaluate(() => Object.values(localStorage).some(value => value.includes('right'))), false);
    const other = await page.context().newPage();
    await other.goto(`${address}/`);
    assert.equal(await other.evaluate(() => sessionStorage.length), 0, 'another tab does not have it');
    browser.forgive(/status of 401/);
    await page.context().close();
  }],

  ['a gateway that goes away is said so, and found again', async () => {
    let away = false;
    const page = await browser.open({
      prepare: page => page.route('**/page/events', async route => (away
        ? route.abort('connectionrefused')
        : route.fulfill({ contentType: 'text/event-stream', body: events({ problems: [] }) }))),
      live: false,
    });
    await page.locator('.deployment').waitFor();
    away = true;
    await page.getByText('The gateway does not answer').waitFor();
    assert.ok(await page.locator('.deployment').isVisible(), 'what it last said stays');
    away = false;
    await page.waitForFunction(() => document.getElementById('live').textContent === 'live');
    browser.forgive(/ERR_CONNECTION_REFUSED/);
    await page.context().close();
  }],

  ['a page of another site can neither frame it nor kill a replica', async () => {
    const page = await browser.open();
    const replica = await page.locator('.deployment tbody th button').first().getAttribute('title');
    const other = await page.context().newPage();
    await other.route('http://evil.test/', route => route.fulfill({ contentType: 'text/html', body: `<iframe src="${address}/"></iframe>` }));
    await other.goto('http://evil.test/');
    const framed = other.frames().find(frame => frame !== other.mainFrame());
    assert.equal(await framed?.locator('#main').count().catch(() => 0) ?? 0, 0);
    const [namespace, pod] = replica.split('/');
    for (const headers of [{}, { 'x-page-request': '1' }]) {
      const outcome = await other.evaluate(
        ([url, headers]) => fetch(url, { method: 'POST', headers }).then(response => response.status, () => 'refused'),
        [`${address}/page/api/replicas/${namespace}/${pod}/kill`, headers]);
      assert.equal(outcome, 'refused');
    }

    const plain = await page.evaluate(
      url => fetch(url, { method: 'POST' }).then(response => response.status), `/page/api/replicas/${namespace}/${pod}/kill`);
    assert.equal(plain, 403, 'without the header of the page');
    browser.forgive(/evil|frame|CORS|status of 403|ERR_FAILED|ERR_BLOCKED|local network/i);
    await browser.show(page, 'cluster');
    assert.ok(await page.locator(`.deployment tbody th button[title="${replica}"]`).isVisible());
    await page.context().close();
  }],
];
