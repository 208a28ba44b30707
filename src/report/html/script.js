'use strict';
// Zooms the picture, finds statements, remembers ticks. Everything that is said stands in the page without it.
const all = (selector, from = document) => [...from.querySelectorAll(selector)];
const byId = id => document.getElementById(id);
const keep = {
  get(key) { try { return localStorage.getItem(key); } catch { return null; } },
  set(key, value) { try { localStorage.setItem(key, value); } catch { /* a file without storage still works */ } },
};

const root = document.documentElement;
const kept = keep.get('rehearse-theme');
if (kept) root.dataset.theme = kept;
byId('theme').addEventListener('click', () => {
  const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  root.dataset.theme = dark ? 'light' : 'dark';
  keep.set('rehearse-theme', root.dataset.theme);
});

const list = byId('list');
const search = byId('search');
const fold = byId('fold');
const statement = index => list?.querySelector(`[data-i="${index}"]`);

function unfold(on) {
  list.classList.toggle('folded', !on);
  fold.setAttribute('aria-pressed', String(on));
}
fold?.addEventListener('click', () => unfold(list.classList.contains('folded')));

let waiting = 0;
search?.addEventListener('input', () => {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    const wanted = search.value.trim().toLowerCase();
    let found = 0;
    for (const one of list.children) {
      const hit = !wanted || one.textContent.toLowerCase().includes(wanted);
      one.classList.toggle('lost', !hit);
      one.classList.toggle('asked', Boolean(wanted) && hit);
      found += hit;
    }
    byId('matches').textContent = wanted ? `${found} found` : '';
  }, 120);
});

/** Opens a statement and goes there. */
function open(one) {
  if (!one) return;
  one.classList.remove('lost');
  one.classList.add('asked');
  one.open = true;
  one.scrollIntoView({ block: 'start' });
  one.querySelector('summary').focus({ preventScroll: true });
}
const toHash = () => {
  const one = location.hash.length > 1 && byId(decodeURIComponent(location.hash.slice(1)));
  if (one && one.classList.contains('statement')) open(one);
};
addEventListener('hashchange', toHash);

const picture = byId('picture');
if (picture) draw();
toHash();

function draw() {
  const number = name => Number(picture.dataset[name]);
  const whole = [number('from'), number('length')];
  const first = [number('first'), number('firstLength')];
  let view = first;
  const cursor = byId('cursor'), line = byId('line'), tip = byId('tip'), axis = byId('axis'), names = byId('names');
  const drawings = all('svg', picture);
  const span = rect => [Number(rect.getAttribute('x')), Number(rect.getAttribute('width'))];
  // Read once, when first needed: the drawings are the data.
  let read = null;
  const data = () => read ??= {
    bars: all('.bars rect', picture).map(rect => ({ rect, at: span(rect), index: Number(rect.dataset.i) })).sort((a, b) => a.at[0] - b.at[0]),
    rows: all('svg.blocked', picture).map(svg => ({ words: svg.closest('.row').dataset.of + ' ' + svg.closest('.row').querySelector('.label').firstChild.data,
      spans: all('rect:not(.fail)', svg).map(span) })),
    counts: all('svg[data-most]', picture).map(svg => ({ words: svg.closest('.row').querySelector('.label').firstChild.data, most: Number(svg.dataset.most),
      points: [...svg.firstElementChild.getAttribute('d').matchAll(/L(\S+) ([\d.]+)(?!\d*Z)/g)].map(([, x, y]) => [Number(x), Number(y)]) })),
  };
  /** A counted value at a moment; null where nothing was counted. */
  function counted({ most, points }, ms) {
    const next = points.findIndex(point => point[0] >= ms);
    if (next < 1 && points[next]?.[0] !== ms) return null;
    const [a, b] = [points[Math.max(next - 1, 0)], points[next]];
    const y = b[0] === a[0] ? b[1] : a[1] + (b[1] - a[1]) * (ms - a[0]) / (b[0] - a[0]);
    return Math.round((1 - y) / 0.94 * most);
  }
  const time = ms => ms < 99.5 ? `${Math.round(ms)} ms` : ms < 9995 ? `${(ms / 1000).toFixed(2)} s` : ms < 119500 ? `${(ms / 1000).toFixed(1)} s` : `${Math.floor(ms / 60000)} min ${Math.round(ms / 1000) % 60} s`;
  const name = bar => statement(bar.index)?.dataset.name ?? '';

  function show(from, length) {
    length = Math.min(Math.max(length, 5), whole[1]);
    from = Math.min(Math.max(from, whole[0]), whole[0] + whole[1] - length);
    view = [from, length];
    for (const svg of drawings) svg.setAttribute('viewBox', `${from} 0 ${length} 1`);
    picture.style.setProperty('--v0', from);
    picture.style.setProperty('--vd', length);
    ticks();
    label();
    line.hidden = tip.hidden = true;
  }
  function ticks() {
    const width = axis.clientWidth || 600;
    const least = view[1] / Math.max(2, Math.floor(width / 90));
    const power = 10 ** Math.floor(Math.log10(least));
    const nice = [1, 2, 5, 10].find(one => one * power >= least) * power;
    const step = [15000, 30000, 60000, 120000, 300000, 600000, 1800000, 3600000].find(one => least > 10000 && one >= least) ?? nice;
    axis.replaceChildren();
    // Counted from the first statement: that is when the upgrade began.
    const begin = data().bars[0]?.at[0] ?? whole[0];
    for (let at = Math.ceil((view[0] - begin) / step) * step; at <= view[0] + view[1] - begin; at += step) {
      const x = (at + begin - view[0]) / view[1];
      if (x < 0.02 || x > 0.98) continue;
      const mark = document.createElement('span');
      mark.textContent = at === 0 ? '0' : (at < 0 ? '−' : '') + (step >= 1000 ? time(Math.abs(at)).replace(/\.0+ s$/, ' s') : time(Math.abs(at)));
      mark.style.left = `${x * 100}%`;
      axis.append(mark);
    }
  }
  function label() {
    names.replaceChildren();
    const width = names.clientWidth;
    const wide = data().bars.map(bar => {
      const from = Math.max(bar.at[0], view[0]), to = Math.min(bar.at[0] + bar.at[1], view[0] + view[1]);
      return { bar, x: (from - view[0]) / view[1] * width, w: (to - from) / view[1] * width };
    }).filter(one => one.w > 44).slice(0, 60);
    for (const { bar, x, w } of wide) {
      const text = document.createElement('span');
      text.textContent = name(bar);
      text.style.left = `${x}px`;
      text.style.width = `${w}px`;
      if (bar.rect.classList.contains('loud')) text.className = 'on-loud';
      names.append(text);
    }
  }
  const running = at => data().bars.findLast(bar => bar.at[0] <= at && at <= bar.at[0] + Math.max(bar.at[1], view[1] / 300));
  const near = at => running(at) ?? data().bars.reduce((best, bar) => {
    const far = Math.max(bar.at[0] - at, at - bar.at[0] - bar.at[1], 0);
    return far < view[1] / 60 && (!best || far < best.far) ? { ...bar, far } : best;
  }, null);

  /** What is to be said of a moment. */
  function at(ms) {
    const bar = near(ms);
    const begin = data().bars[0]?.at[0] ?? whole[0];
    const blocked = data().rows.flatMap(row => row.spans.filter(one => one[0] <= ms && ms <= one[0] + one[1]).map(one => `${row.words} blocked ${time(one[1])}`))
      .concat(data().counts.flatMap(row => { const value = counted(row, ms); return value ? [`${row.words} ${value.toLocaleString('en')}`] : []; }));
    return { bar, when: (ms < begin ? '−' : '') + time(Math.abs(ms - begin)), what: bar ? `${name(bar)} (${time(bar.at[1])})` : 'no statement', blocked };
  }
  function point(ms, tell) {
    const said = at(ms);
    const x = (ms - view[0]) / view[1];
    const left = cursor.offsetLeft, width = cursor.clientWidth;
    line.className = 'line';
    line.hidden = x < 0 || x > 1;
    line.style.left = `${left + x * width}px`;
    line.style.width = '0';
    all('.here', picture).forEach(rect => rect.classList.remove('here'));
    said.bar?.rect.classList.add('here');
    tip.hidden = line.hidden;
    tip.replaceChildren();
    const head = document.createElement('p'), strong = document.createElement('b');
    strong.textContent = said.what;
    head.append(strong, ` at ${said.when}`);
    tip.append(head);
    for (const text of said.blocked.slice(0, 8)) {
      const row = document.createElement('p');
      row.textContent = text;
      tip.append(row);
    }
    tip.style.top = `${byId('names').closest('.row').offsetTop + 48}px`;
    if (x > 0.5) { tip.style.left = ''; tip.style.right = `${picture.clientWidth - left - x * width + 12}px`; }
    else { tip.style.right = ''; tip.style.left = `${left + x * width + 12}px`; }
    if (tell) {
      cursor.setAttribute('aria-valuenow', String(Math.round(ms - whole[0])));
      cursor.setAttribute('aria-valuetext', [said.when, said.what, ...said.blocked.slice(0, 4)].join('; '));
    }
    return said.bar;
  }

  let now = null;
  const moment = event => view[0] + (event.clientX - cursor.getBoundingClientRect().left) / cursor.clientWidth * view[1];
  let pressed = null;
  cursor.addEventListener('pointermove', event => {
    const ms = moment(event);
    if (pressed !== null && Math.abs(ms - pressed) / view[1] > 0.01 && event.pointerType === 'mouse') {
      const [a, b] = [Math.min(ms, pressed), Math.max(ms, pressed)];
      const scale = cursor.clientWidth / view[1];
      tip.hidden = true;
      line.className = 'line brush';
      line.style.left = `${cursor.offsetLeft + (a - view[0]) * scale}px`;
      line.style.width = `${(b - a) * scale}px`;
    } else point(ms);
  });
  cursor.addEventListener('pointerdown', event => {
    pressed = moment(event);
    if (event.pointerType === 'mouse') cursor.setPointerCapture(event.pointerId);
  });
  cursor.addEventListener('pointerup', event => {
    const ms = moment(event), from = pressed;
    pressed = null;
    if (from === null) return;
    if (event.pointerType === 'mouse' && Math.abs(ms - from) / view[1] > 0.01) return show(Math.min(ms, from), Math.abs(ms - from));
    const bar = point(ms);
    if (bar && event.pointerType === 'mouse') open(statement(bar.index));
  });
  cursor.addEventListener('pointerleave', () => { if (pressed === null) line.hidden = tip.hidden = true; });
  cursor.addEventListener('dblclick', () => show(...first));
  cursor.addEventListener('wheel', event => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    zoom(event.deltaY < 0 ? 0.8 : 1.25, moment(event));
  }, { passive: false });
  function zoom(by, around = view[0] + view[1] / 2) { show(around - (around - view[0]) * by, view[1] * by); }
  const focus = bar => show(bar.at[0] - Math.max(bar.at[1], 20) * 0.15, Math.max(bar.at[1], 20) * 1.3);

  cursor.addEventListener('keydown', event => {
    const bars = data().bars;
    const move = { ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1, PageDown: -10, PageUp: 10, Home: -bars.length, End: bars.length }[event.key];
    if (move) {
      now = now === null ? (move > 0 ? 0 : bars.length - 1) : Math.min(Math.max(now + move, 0), bars.length - 1);
      const bar = bars[now];
      const middle = bar.at[0] + bar.at[1] / 2;
      if (middle < view[0] || middle > view[0] + view[1]) show(middle - view[1] / 2, view[1]);
      point(middle, true);
    } else if (event.key === 'Enter' && now !== null) open(statement(bars[now].index));
    else if (event.key === '+') zoom(0.5);
    else if (event.key === '-') zoom(2);
    else if (event.key === '0') show(...first);
    else return;
    event.preventDefault();
  });
  cursor.addEventListener('blur', () => { line.hidden = tip.hidden = true; });
  all('[data-zoom]').forEach(button => button.addEventListener('click', () => {
    ({ run: () => show(...first), all: () => show(...whole), in: () => zoom(0.5), out: () => zoom(2) })[button.dataset.zoom]();
  }));
  document.addEventListener('click', event => {
    const button = event.target.closest('[data-show]');
    const bar = button && data().bars.find(one => one.index === Number(button.dataset.show));
    if (!bar) return;
    focus(bar);
    now = data().bars.indexOf(bar);
    cursor.focus({ preventScroll: true });
    byId('timeline').scrollIntoView({ block: 'start' });
    point(bar.at[0] + bar.at[1] / 2, true);
  });
  let width = 0;
  new ResizeObserver(() => { if (width !== (width = picture.clientWidth)) { ticks(); label(); } }).observe(picture);
}

const plan = byId('plan');
if (plan) {
  const key = `rehearse-plan-${plan.dataset.digest}`;
  const boxes = all('[data-todo]', plan);
  let done = [];
  try { done = JSON.parse(keep.get(key) ?? '[]'); } catch { done = []; }
  const ticked = new Set(Array.isArray(done) ? done : []);
  const tell = () => { byId('done').textContent = `${boxes.filter(box => box.checked).length} of ${boxes.length} done`; };
  for (const box of boxes) {
    box.checked = ticked.has(box.id);
    box.addEventListener('change', () => { keep.set(key, JSON.stringify(boxes.filter(one => one.checked).map(one => one.id))); tell(); });
  }
  tell();
}

// On paper what matters is open; plan.md is the plan to print.
let opened = [];
addEventListener('beforeprint', () => {
  const hurts = one => one.querySelector('summary .w2, summary .w3, summary .w4, .evidence > .error, .tag.error');
  opened = all('.statement:not(.plain):not([open])').filter(hurts).slice(0, 200).concat(all('.words:not([open])'));
  opened.forEach(one => { one.open = true; });
});
addEventListener('afterprint', () => { opened.forEach(one => { one.open = false; }); opened = []; });
