// What the page knows: the latest view of the cluster, 15 minutes of traffic, the journal, and what the person looks at.

export const state = {
  connection: 'waiting', // waiting · live · lost · locked
  view: null,            // the last `cluster` event
  traffic: null,         // columns of the last 15 minutes
  journal: new Map(),    // by request id
  selected: null,        // namespace/pod
  cursor: null,          // slot under the pointer, in every chart
  scope: '',             // deployment whose traffic is shown; '' for all
};

const listeners = new Set();
let scheduled = false;

export function subscribe(listener) {
  listeners.add(listener);
}

/** Views are drawn once a frame, however much has changed. A hidden tab draws nothing until it is seen again. */
export function changed() {
  if (!scheduled) {
    scheduled = true;
    requestAnimationFrame(() => {
      scheduled = false;
      listeners.forEach(listener => listener());
    });
  }
}

export function set(change) {
  Object.assign(state, change);
  changed();
}

const SLOTS = 180;
const JOURNAL = 256;

/** A new connection begins with everything. */
export function forgetTraffic() {
  state.traffic = null;
  state.journal.clear();
}

export function addTraffic({ traffic, journal }) {
  const known = state.traffic ?? { first: traffic.firstSlot, length: 0, total: {}, deployments: new Map(), replicas: new Map() };
  const length = traffic.total.started.length;
  const end = traffic.firstSlot + length;
  const first = Math.max(known.first, end - SLOTS);
  const shift = first - known.first;
  const columns = (old, fresh) => merge(old ?? {}, fresh, { shift, length: end - first, at: traffic.firstSlot - first });
  state.traffic = {
    first,
    length: end - first,
    slotSeconds: traffic.slotSeconds,
    lastSlotSeconds: traffic.lastSlotSeconds,
    until: traffic.until,
    running: traffic.running,
    total: columns(known.total, flat(traffic.total)),
    deployments: new Map(traffic.deployments.map(d =>
      [d.deployment, { running: d.running, columns: columns(known.deployments.get(d.deployment)?.columns, flat(d.series)) }])),
    replicas: new Map(traffic.replicas.map(r => [r.replica, {
      load: r.load,
      columns: columns(
        known.replicas.get(r.replica)?.columns, { tokens: r.tokens, running: r.running, kvUsage: r.kvUsage, prefixHitRate: r.prefixHitRate }),
    }])),
  };
  // Newest last in what is sent newest first, so that the oldest is forgotten first.
  for (const entry of [...journal].reverse()) {
    state.journal.set(entry.id, entry);
  }

  while (state.journal.size > JOURNAL) {
    state.journal.delete(state.journal.keys().next().value);
  }

  changed();
}

function flat(series) {
  const { ttft, tpot, ...counts } = series;
  return {
    ...counts,
    ttft50: ttft.p50, ttft90: ttft.p90, ttft99: ttft.p99,
    tpot50: tpot.p50, tpot90: tpot.p90, tpot99: tpot.p99,
  };
}

function merge(old, fresh, { shift, length, at }) {
  const merged = {};
  for (const [name, values] of Object.entries(fresh)) {
    const column = new Array(length).fill(null);
    (old[name] ?? []).forEach((value, i) => {
      if (i >= shift && i - shift < length) {
        column[i - shift] = value;
      }
    });
    values.forEach((value, i) => {
      if (at + i >= 0) {
        column[at + i] = value;
      }
    });
    merged[name] = column;
  }

  return merged;
}

/** A number for the colour of a deployment: the same for as long as the same ones are there. */
export function hue(deployment) {
  const all = state.view?.cluster.deployments ?? [];
  const index = all.findIndex(d => `${d.namespace}/${d.name}` === deployment);
  return index < 0 ? 7 : index % 7;
}

/** The deployment of a replica, by what is in the cluster or, for one that has gone, by the journal. */
export function deploymentOf(replica) {
  for (const d of state.view?.cluster.deployments ?? []) {
    if (d.replicas.some(r => r.pod === replica || `${r.namespace}/${r.pod}` === replica)) {
      return `${d.namespace}/${d.name}`;
    }
  }

  return null;
}

export function findReplica(name) {
  for (const d of state.view?.cluster.deployments ?? []) {
    const replica = d.replicas.find(r => r.pod === name || `${r.namespace}/${r.pod}` === name);
    if (replica) {
      return replica;
    }
  }

  return null;
}
