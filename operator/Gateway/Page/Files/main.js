import { h, render } from './dom.js';
import { changed, state, subscribe } from './store.js';
import { follow } from './live.js';
import { clusterView } from './cluster.js';
import { trafficView } from './traffic.js';
import { playgroundView } from './playground.js';

const views = { cluster: clusterView, traffic: trafficView, playground: playgroundView };
const themes = ['auto', 'light', 'dark'];
const live = document.getElementById('live');
const theme = document.getElementById('theme');

let shown = 'cluster';

/** The hash may be another one than a view's: that of the link to the content. */
function current() {
  const name = location.hash.slice(1);
  shown = name in views ? name : shown;
  return shown;
}

function draw() {
  current();
  for (const [name, view] of Object.entries(views)) {
    const section = document.getElementById(`view-${name}`);
    section.hidden = name !== shown;
    const link = document.getElementById(`nav-${name}`);
    if (name === shown) {
      link.setAttribute('aria-current', 'page');
      render(section, view());
    } else {
      link.removeAttribute('aria-current');
    }
  }

  const words = {
    waiting: 'connecting', live: 'live', locked: 'needs a key', lost: 'reconnecting',
  }[state.connection];
  if (live.textContent !== words) {
    live.textContent = words;
    live.dataset.state = state.connection;
  }

  const problems = [...(state.view?.problems ?? [])];
  if (state.connection === 'lost') {
    problems.unshift(`The gateway does not answer (${state.trouble}). What you see is what it last said.`);
  }

  render(document.getElementById('problems'), problems.map(problem => h('p', { class: 'notice', role: 'alert', key: problem }, problem)));
  document.title = `${shown[0].toUpperCase()}${shown.slice(1)} · Cluster`;
}

function applyTheme(name) {
  if (name === 'auto') {
    delete document.documentElement.dataset.theme;
  } else {
    document.documentElement.dataset.theme = name;
  }

  theme.textContent = `Theme: ${name}`;
  localStorage.setItem('cluster-theme', name);
}

theme.addEventListener('click', () => {
  const now = localStorage.getItem('cluster-theme') ?? 'auto';
  applyTheme(themes[(themes.indexOf(now) + 1) % themes.length]);
});

applyTheme(themes.includes(localStorage.getItem('cluster-theme')) ? localStorage.getItem('cluster-theme') : 'auto');
addEventListener('hashchange', () => {
  const before = shown;
  draw();
  if (shown !== before) {
    scrollTo(0, 0);
  }
});
subscribe(draw);
draw();
setInterval(changed, 5000); // ages
follow();
