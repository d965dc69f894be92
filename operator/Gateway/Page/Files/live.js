// The page's own stream of events: connects, and connects again.

import { addTraffic, forgetTraffic, set } from './store.js';
import { askForKey, headers, reasonOf } from './session.js';
import { readEvents } from './stream.js';

const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 10000;

export async function follow() {
  let pause = FIRST_PAUSE;
  for (;;) {
    try {
      const response = await fetch('/page/events', { headers: headers(), cache: 'no-store' });
      if (response.status === 401 || response.status === 403) {
        set({ connection: 'locked' });
        await askForKey(await reasonOf(response));
        continue;
      }

      if (!response.ok) {
        throw new Error(await reasonOf(response));
      }

      forgetTraffic();
      set({ connection: 'live', trouble: null });
      pause = FIRST_PAUSE;
      await readEvents(response, (name, data) => {
        const value = JSON.parse(data);
        if (name === 'cluster') {
          set({ view: value });
        } else if (name === 'traffic') {
          addTraffic(value);
        }
      });
      throw new Error('the gateway ended the stream');
    } catch (error) {
      set({ connection: 'lost', trouble: error.message });
    }

    await new Promise(resolve => setTimeout(resolve, pause));
    pause = Math.min(pause * 2, LONGEST_PAUSE);
  }
}
