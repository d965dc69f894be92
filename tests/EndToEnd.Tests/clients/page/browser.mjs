// One browser, its pages, and everything that it complains of.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const require = createRequire(join(process.env.CLUSTER_NODE_MODULES, 'package.json'));
const { chromium } = require('playwright-core');
const axeSource = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

export const devices = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };
const sheet = { width: 1100, height: 640 };
export const schemes = ['light', 'dark'];
export const views = ['cluster', 'traffic', 'playground'];

export class Browser {
  #complaints = [];
  #pages = [];

  static async start(address, program) {
    const browser = new Browser();
    browser.address = address;
    // A container's root has no user namespaces to put the sandbox in.
    browser.process = await chromium.launch({ executablePath: program, args: process.getuid() === 0 ? ['--no-sandbox'] : [] });
    return browser;
  }

  /** A page of its own session. */
  async open({ device = 'desktop', scheme = 'light', reducedMotion = 'no-preference', bypassCSP = false, prepare, view = 'cluster', live = true } = {}) {
    const context = await this.process.newContext({ viewport: devices[device] ?? sheet, colorScheme: scheme, reducedMotion, bypassCSP });
    await context.addInitScript(() => addEventListener('securitypolicyviolation', event =>
      console.error(`policy: ${event.violatedDirective} forbids ${event.blockedURI} at ${event.sourceFile}:${event.lineNumber}`)));
    const page = await context.newPage();
    page.setDefaultTimeout(60_000);
    page.on('console', message => ['error', 'warning'].includes(message.type()) && this.#complaints.push(`${message.type()}: ${message.text()}`));
    page.on('pageerror', error => this.#complaints.push(`exception: ${error.stack ?? error}`));
    this.#pages.push(page);
    await prepare?.(page);
    await page.goto(`${this.address}/#${view}`);
    if (live) {
      await page.waitForFunction(() => document.getElementById('live').textContent === 'live');
      await page.locator(`#view-${view} h1`).waitFor({ state: 'attached' });
    }

    return page;
  }

  async show(page, view) {
    await page.locator(`#nav-${view}`).click();
    await page.locator(`#view-${view} h1`).waitFor({ state: 'attached' });
  }

  /** What was complained of since the last call. */
  complaints() {
    return this.#complaints.splice(0);
  }

  /** Complaints of a kind that a step has brought about itself. */
  forgive(pattern) {
    this.#complaints = this.#complaints.filter(complaint => !pattern.test(complaint));
  }

  /** What axe finds against WCAG 2.2 AA and good practice; needs a page opened with `bypassCSP`. */
  async violations(page) {
    await page.evaluate(axeSource);
    const { violations } = await page.evaluate(() => globalThis.axe.run(document, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    }));
    return violations.map(({ id, help, nodes }) =>
      `${id}: ${help}\n${nodes.slice(0, 3).map(node => `  ${node.target.join(' ')}: ${node.failureSummary}`).join('\n')}`);
  }

  /** The text of the page that was opened last, for a failure. */
  async describe() {
    const page = this.#pages.at(-1);
    try {
      return page && !page.isClosed() ? `the page:\n${(await page.locator('body').innerText()).slice(0, 4000)}` : '';
    } catch (error) {
      return `the page cannot be read: ${error.message}`;
    }
  }

  close() {
    return this.process.close();
  }
}
