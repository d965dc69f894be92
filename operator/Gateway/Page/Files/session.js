// The key, and requests that carry it.

const KEY = 'cluster-api-key';
const dialog = document.getElementById('key-dialog');
const input = document.getElementById('key-input');
let asking = null;

export function headers(more = {}) {
  const key = sessionStorage.getItem(KEY);
  return key ? { ...more, authorization: `Bearer ${key}` } : more;
}

/** Asks the person for a key; completes when there is one. However many ask, there is one dialog. */
export function askForKey(why) {
  asking ??= new Promise(resolve => {
    const refused = sessionStorage.getItem(KEY) !== null;
    document.getElementById('key-why').textContent = refused ? `The key was refused: ${why}.` : 'This gateway asks for a key.';
    input.value = '';
    dialog.showModal();
    input.focus();
    document.getElementById('key-form').onsubmit = () => {
      sessionStorage.setItem(KEY, input.value.trim());
      input.value = '';
      asking = null;
      resolve();
    };
  });
  return asking;
}

// Escape would leave a page that shows nothing.
dialog.addEventListener('cancel', event => event.preventDefault());

/** The error's own words, where the answer has some. */
export async function reasonOf(response) {
  try {
    const body = await response.json();
    return body.error?.message ?? body.message ?? `the gateway answered ${response.status}`;
  } catch {
    return `the gateway answered ${response.status}`;
  }
}

/** SIGKILL, in local mode. */
export async function kill(replica) {
  const [namespace, pod] = replica.split('/');
  const response = await fetch(`/page/api/replicas/${encodeURIComponent(namespace)}/${encodeURIComponent(pod)}/kill`, {
    method: 'POST',
    headers: headers({ 'x-page-request': '1' }),
  });
  if (!response.ok) {
    throw new Error(await reasonOf(response));
  }
}
