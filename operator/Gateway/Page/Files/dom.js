// A small virtual DOM: views are functions of the state that are called whenever it changes, and only what differs is touched, so that
// focus, selection and scrolling stay. Text becomes text nodes and nothing else: markup in a model's name is shown, never read.

const SVG = 'http://www.w3.org/2000/svg';

/** What to show. Props: attributes, `on…` listeners, `style` (an object), `key` (same key, same element), `prop:…` (DOM properties). */
export function h(tag, props, ...children) {
  return { tag, props: props ?? {}, key: props?.key, children: children.flat(Infinity).filter(isShown) };
}

function isShown(child) {
  return child !== null && child !== undefined && child !== false && child !== '';
}

/** Makes the children of an element what is given. */
export function render(parent, ...children) {
  patchChildren(parent, children.flat(Infinity).filter(isShown), parent.namespaceURI === SVG);
}

function patchChildren(parent, wanted, inSvg) {
  const before = parent.vnodes ?? [];
  const byKey = new Map(before.filter(v => v.key !== undefined).map(v => [v.key, v]));
  const free = before.filter(v => v.key === undefined);
  const now = [];
  let place = parent.firstChild;
  for (const child of wanted) {
    const vnode = typeof child === 'object' ? child : { tag: null, text: String(child), props: {}, children: [] };
    let old;
    if (vnode.key !== undefined) {
      old = byKey.get(vnode.key);
      byKey.delete(vnode.key);
    } else {
      const index = free.findIndex(v => v.tag === vnode.tag);
      old = index < 0 ? undefined : free.splice(0, index + 1)[index];
      // Those before it have no counterpart any more; their elements go below.
    }

    if (old && old.tag === vnode.tag) {
      vnode.node = old.node;
      update(vnode, old, inSvg);
    } else {
      create(vnode, inSvg);
    }

    if (vnode.node === place) {
      place = place.nextSibling;
    } else {
      parent.insertBefore(vnode.node, place);
    }

    now.push(vnode);
  }

  const kept = new Set(now.map(v => v.node));
  for (const v of before) {
    if (!kept.has(v.node)) {
      v.node.remove();
    }
  }

  parent.vnodes = now;
}

function create(vnode, inSvg) {
  if (vnode.tag === null) {
    vnode.node = document.createTextNode(vnode.text);
    return;
  }

  const svg = inSvg || vnode.tag === 'svg';
  vnode.node = svg ? document.createElementNS(SVG, vnode.tag) : document.createElement(vnode.tag);
  for (const [name, value] of Object.entries(vnode.props)) {
    setProp(vnode.node, name, undefined, value);
  }

  patchChildren(vnode.node, vnode.children, svg);
  // A select knows its value only when its options are there.
  if (vnode.tag === 'select' && 'prop:value' in vnode.props) {
    vnode.node.value = vnode.props['prop:value'];
  }
}

function update(vnode, old, inSvg) {
  if (vnode.tag === null) {
    if (vnode.text !== old.text) {
      vnode.node.data = vnode.text;
    }

    return;
  }

  for (const name of Object.keys(old.props)) {
    if (!(name in vnode.props)) {
      setProp(vnode.node, name, old.props[name], undefined);
    }
  }

  patchChildren(vnode.node, vnode.children, inSvg || vnode.tag === 'svg');
  for (const [name, value] of Object.entries(vnode.props)) {
    setProp(vnode.node, name, old.props[name], value);
  }
}

/** These tell false from absent; of others the presence counts. */
function isWord(name) {
  return name.startsWith('data-') || name.startsWith('aria-');
}

function setProp(node, name, before, value) {
  if (name === 'key') {
    return;
  }

  if (name.startsWith('prop:')) {
    const property = name.slice(5);
    if (node[property] !== value) {
      node[property] = value;
    }
  } else if (name.startsWith('on')) {
    if (before !== value) {
      node[name.toLowerCase()] = value ?? null;
    }
  } else if (name === 'style') {
    for (const [property, text] of Object.entries(value ?? {})) {
      node.style.setProperty(property, text);
    }
  } else if (value === undefined || value === null || (value === false && !isWord(name))) {
    node.removeAttribute(name);
  } else if (before !== value) {
    node.setAttribute(name, value === true && !isWord(name) ? '' : value);
  }
}
