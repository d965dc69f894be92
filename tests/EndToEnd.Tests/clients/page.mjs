// The gateway's page in a headless Chromium, through npm's `playwright-core`; accessibility by `axe-core`.
// usage: node page.mjs GATEWAY_URL OPTIONS_JSON
//   options: chromium     the browser
//            kubectl      and kubeconfig, to roll a deployment out while the page is looked at
//            deployment   in the namespace default, with two replicas of one GPU; another one has two replicas of two
//            pictures     a folder for pictures of the page; none are taken without it
// Prints "ok N name (what was seen)" for each step; exits 1 at the first step that fails.
import { Browser } from './page/browser.mjs';
import { access } from './page/access.mjs';
import { changes } from './page/changes.mjs';
import { chats } from './page/chats.mjs';
import { hostile } from './page/hostile.mjs';
import { pictures } from './page/pictures.mjs';

const [address, options] = process.argv.slice(2);
const settings = JSON.parse(options);
const browser = await Browser.start(address, settings.chromium);
const context = { browser, address, ...settings };
let number = 0;
try {
  for (const steps of [access, changes, chats, hostile, ...(settings.pictures ? [pictures] : [])]) {
    for (const [name, run] of steps(context)) {
      number++;
      try {
        const seen = await run();
        const complaints = browser.complaints();
        if (complaints.length > 0) {
          throw new Error(`the browser complains:\n${complaints.join('\n')}`);
        }

        console.log(`ok ${number} ${name}${seen === undefined ? '' : ` (${seen})`}`);
      } catch (error) {
        console.log(`not ok ${number} ${name}\n${error?.stack ?? error}\n${await browser.describe()}`);
        process.exitCode = 1;
        break;
      }
    }

    if (process.exitCode) {
      break;
    }
  }
} finally {
  await browser.close();
}

if (!process.exitCode) {
  console.log(`1..${number}`);
}
