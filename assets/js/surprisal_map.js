// Words with their surprise. Colour, the thickness of the foot and the figure below say the same
// thing.
const strip = find('.strip');
const bar = find('.progress');
const note = find('.note');
const empty = find('.empty');
const legend = find('.legend');
const title = find('.title');
const movers = find('.movers');
strip.setAttribute('aria-label', settings.caption);
let live = null;
let words = [];
let moved = [];
let view = 'change';
const LEVELS = [1, 2.5, 4.5, 7, 10]; // nats: from there on, the next shade
const level = nats => LEVELS.filter(edge => nats >= edge).length;
const signed = change => (change < 0 ? '−' : '+') + Math.abs(change).toFixed(1);
const KEYS = {
  change: [
    ['down', '3', '−5.1', 'the tuned model expects it more'],
    ['none', '0', '0.0', 'no change'],
    ['up', '3', '+5.1', 'the tuned model expects it less'],
  ],
  level: [
    ['level', '0', '0.2', 'expected'],
    ['level', '2', '3.1', 'possible'],
    ['level', '5', '11.0', 'a surprise'],
  ],
};
const setWord = (chip, [text, base, tuned, opens], shown) => {
  const change = tuned - base;
  const by = Math.abs(change);
  const kind = shown !== 'change' ? 'level' : by < 0.5 ? 'none' : change < 0 ? 'down' : 'up';
  const nats = shown === 'base' ? base : tuned;
  chip.dataset.kind = kind;
  chip.dataset.level =
    kind === 'level' ? level(nats) : by < 0.5 ? 0 : by < 1.5 ? 1 : by < 3 ? 2 : by < 5 ? 3 : 4;
  chip.classList.toggle('opens', Boolean(opens));
  say(chip.firstChild, text);
  say(chip.lastChild, shown === 'change' ? (by < 0.05 ? '0' : signed(change)) : nats.toFixed(1));
  const spoken = text + ': base ' + base.toFixed(1) + ', tuned ' + tuned.toFixed(1) + ' nats';
  chip.setAttribute('aria-label', spoken);
  chip.title = spoken;
};
const newChip = tag => {
  const chip = make(tag, 'word');
  chip.append(make('b'), make('i'));
  return chip;
};
const settle = rove(strip, () => {});
const pick = index => trigger('pick', {reading: (props.value || {}).reading, index});
strip.addEventListener('click', event => {
  const chip = event.target.closest('.word');
  if (chip) {
    chip.focus();
    pick([...strip.children].indexOf(chip));
  }
});
movers.addEventListener('click', event => {
  const button = event.target.closest('button');
  if (button) pick(Number(button.dataset.index));
});
const draw = () => {
  fill(
    strip,
    words,
    () => {
      const chip = newChip('button');
      chip.type = 'button';
      chip.tabIndex = -1;
      return chip;
    },
    (chip, word) => setWord(chip, word, view),
  );
  settle();
  legend.hidden = !words.length;
  fill(
    legend,
    KEYS[view === 'change' ? 'change' : 'level'],
    () => {
      const item = make('li');
      const chip = newChip('span');
      item.append(chip, make('span'));
      return item;
    },
    (item, [kind, shade, figure, text]) => {
      const chip = item.firstChild;
      chip.dataset.kind = kind;
      chip.dataset.level = shade;
      say(chip.firstChild, 'word');
      say(chip.lastChild, figure);
      say(item.lastChild, text);
    },
  );
  title.hidden = !moved.length;
  say(title, 'Changed most');
  fill(
    movers,
    moved,
    () => {
      const row = make('li');
      const button = make('button');
      button.type = 'button';
      button.append(make('b'), make('span'), make('i'));
      row.append(button);
      return row;
    },
    (row, [index, text, base, tuned]) => {
      const [word, figures, change] = row.firstChild.children;
      row.firstChild.dataset.index = index;
      say(word, text);
      say(figures, base.toFixed(1) + ' → ' + tuned.toFixed(1));
      say(change, signed(tuned - base));
      change.className = tuned < base ? 'down' : 'up';
    },
  );
};
const setProgress = share => {
  bar.style.visibility = typeof share === 'number' ? 'visible' : 'hidden';
  if (typeof share !== 'number') return;
  bar.setAttribute('aria-valuenow', Math.round(share * 100));
  bar.firstChild.style.width = Math.round(share * 100) + '%';
};
const start = keepAsking(
  () => live,
  asked => server.poll({reading: asked.reading, visitor: asked.visitor, cursor: asked.cursor}),
  (answer, asked) => {
    if (answer === null) {
      say(note, 'This reading is not on the server any more.');
      setProgress(null);
      return false;
    }
    words = words.slice(0, asked.cursor).concat(answer.words);
    asked.cursor = answer.cursor;
    moved = answer.moved;
    say(note, answer.note);
    setProgress(answer.progress);
    if (answer.words.length || answer.final) draw();
    if (answer.final) {
      trigger('over', {reading: asked.reading});
      return false;
    }
    return true;
  },
  () => say(note, 'Connection lost, trying again…'),
  600,
);
let last = null;
const sync = () => {
  const value = props.value || {};
  view = value.show || 'change';
  if (value.reading !== last) {
    last = value.reading;
    words = [];
    moved = [];
    say(note, '');
    setProgress(null);
    live = value.reading ? {reading: value.reading, visitor: value.visitor, cursor: 0} : null;
    if (live) start();
  }
  empty.hidden = Boolean(value.reading);
  say(empty, value.empty);
  draw();
};
watch('value', sync);
sync();
