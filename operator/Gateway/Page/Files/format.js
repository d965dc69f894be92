// Numbers and times as people read them.

const units = [['day', 86400], ['h', 3600], ['min', 60], ['s', 1]];

/** "3 min", "2 h", "now". */
export function age(moment, now = Date.now()) {
  if (!moment) {
    return '';
  }

  const seconds = Math.max(0, (now - new Date(moment).getTime()) / 1000);
  for (const [unit, length] of units) {
    if (seconds >= length) {
      const count = Math.floor(seconds / length);
      return `${count} ${unit}${unit === 'day' && count > 1 ? 's' : ''}`;
    }
  }

  return 'now';
}

export function clock(moment) {
  return new Date(moment).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false });
}

/** Three digits that matter. */
export function number(value) {
  if (value === null || value === undefined || Number.isNaN(value)) {
    return '–';
  }

  const size = Math.abs(value);
  if (size >= 1e6) {
    return `${trim(value / 1e6)}M`;
  }

  if (size >= 1e4) {
    return `${trim(value / 1e3)}k`;
  }

  return size >= 100 || Number.isInteger(value) ? Math.round(value).toString() : trim(value);
}

function trim(value) {
  const size = Math.abs(value);
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : 2;
  return digits === 0 ? value.toFixed(0) : value.toFixed(digits).replace(/\.?0+$/, '').replace(/^-0$/, '0');
}

export function milliseconds(value) {
  if (value === null || value === undefined) {
    return '–';
  }

  return value >= 1000 ? `${number(value / 1000)} s` : `${number(value)} ms`;
}

export function percent(value) {
  return value === null || value === undefined ? '–' : `${number(value * 100)} %`;
}

export function plural(count, one, many = `${one}s`) {
  return `${number(count)} ${count === 1 ? one : many}`;
}

export function gibibytes(bytes) {
  return bytes ? `${Math.round(bytes / 2 ** 30)} GiB` : '';
}

/** What tells a pod from others of its deployment: "haiku-x7k2p" → "x7k2p". */
export function shortName(pod, deployment) {
  const name = pod.slice(pod.indexOf('/') + 1);
  const prefix = deployment ? `${deployment.slice(deployment.indexOf('/') + 1)}-` : '';
  return prefix && name.startsWith(prefix) ? name.slice(prefix.length) : name;
}
