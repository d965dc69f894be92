// Server-sent events over fetch: EventSource can send no Authorization header, and no POST.

/** Calls `handle(event, data)` for every event of a response, until it ends. */
export async function readEvents(response, handle) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let pending = '';
  let name = 'message';
  let data = [];
  for (;;) {
    const { value, done } = await reader.read();
    if (done) {
      return;
    }

    const lines = (pending + value).split('\n');
    pending = lines.pop();
    for (const raw of lines) {
      const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
      if (line === '') {
        if (data.length > 0) {
          handle(name, data.join('\n'));
        }

        [name, data] = ['message', []];
      } else if (line.startsWith('data:')) {
        data.push(line.slice(line[5] === ' ' ? 6 : 5));
      } else if (line.startsWith('event:')) {
        name = line.slice(6).trim();
      }
    }
  }
}
