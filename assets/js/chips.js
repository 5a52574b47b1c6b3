// Token chips: real buttons, reused from draw to draw; the pieces of a word stand in a box of their
// own, so that no line breaks inside a word.
const strip = find('.strip');
const note = find('.note');
const legend = find('.legend');
const heading = find('.heading');
const MARK = {mask: 'M', random: 'R', kept: 'K'};
const SPOKEN = {
  untouched: 'in plain sight',
  mask: 'hidden',
  random: 'swapped for a random word',
  kept: 'left as it is, still guessed',
  special: 'protected',
  padding: 'padding',
};
const OWN = {
  force: {mark: '+', spoken: 'forced by you'},
  forbid: {mark: '×', spoken: 'forbidden by you'},
};
const HINT = 'Click a piece, or move with the arrow keys, to read what happened to it.';
strip.setAttribute('aria-label', settings.caption);

const padlock = () => {
  const draw = (tag, attributes) => {
    const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
    Object.entries(attributes).forEach(([name, value]) => node.setAttribute(name, value));
    return node;
  };
  const svg = draw('svg', {
    class: 'lock',
    width: 8,
    height: 10,
    viewBox: '0 0 8 10',
    'aria-hidden': 'true',
  });
  svg.append(
    draw('rect', {x: 0, y: 4, width: 8, height: 6, rx: 1, fill: 'currentColor'}),
    draw('path', {
      d: 'M2 4V3a2 2 0 0 1 4 0v1',
      fill: 'none',
      stroke: 'currentColor',
      'stroke-width': 1.2,
    }),
  );
  return svg;
};
const newChip = tag => {
  const chip = make(tag, 'chip');
  const text = make('b');
  const mark = make('i');
  mark.setAttribute('aria-hidden', 'true');
  text.append(make('span'));
  const own = make('u');
  const ids = make('span', 'ids');
  own.setAttribute('aria-hidden', 'true');
  ids.append(make('span'), make('span'));
  chip.append(mark, text, make('s'), own, ids);
  return chip;
};
const newButton = () => {
  const chip = newChip('button');
  chip.type = 'button';
  chip.tabIndex = -1;
  return chip;
};
const setChip = (chip, token) => {
  const [mark, text, old, own, ids] = chip.children;
  if (chip.dataset.fate !== token.fate) {
    chip.dataset.fate = token.fate;
    text.querySelector('svg')?.remove();
    if (token.fate === 'special') text.prepend(padlock());
  }
  chip.classList.toggle('joined', Boolean(token.joined));
  say(mark, MARK[token.fate]);
  mark.hidden = !MARK[token.fate];
  say(text.lastChild, token.text);
  say(old, token.old);
  say(own, OWN[token.mark]?.mark);
  own.hidden = !token.mark;
  own.className = token.mark || '';
  say(ids.firstChild, token.input === undefined ? '' : String(token.input));
  say(ids.lastChild, token.label === undefined ? '' : String(token.label).replace('-', '−'));
  ids.lastChild.className = token.label === -100 ? 'passed-over' : '';
};
let tokens = [];
const chips = () => [...strip.querySelectorAll('.chip')];
const wordsOf = all =>
  all.reduce((words, token) => {
    if (token.joined && words.length) words.at(-1).push(token);
    else words.push([token]);
    return words;
  }, []);
const tell = index => {
  const token = tokens[index];
  if (!token) {
    say(note, (props.value || {}).hint || HINT);
    return;
  }
  const asked =
    token.label === -100 ? 'label −100, nothing to guess here' : 'label ' + token.label;
  say(
    note,
    [
      token.text + (token.old ? ', instead of ' + token.old : ''),
      token.why,
      ...(token.fate === 'padding' ? [] : ['id ' + token.id, asked]),
    ].join(' · '),
  );
};
const settle = rove(strip, tell);
const picks = gather((indexes, turn) => trigger('pick', {indexes, turn}));
strip.addEventListener('click', event => {
  const chip = event.target.closest('.chip');
  if (!chip) return;
  chip.focus();
  picks.add(chips().indexOf(chip));
});

const KEY = [
  ['mask', '[MASK]', 'hidden, must be guessed'],
  ['random', 'hut', 'swapped for a random word'],
  ['kept', 'soul', 'left as it is, still guessed'],
  ['special', '[SEP]', 'protected'],
  ['untouched', 'soul', 'your choice: + hide it, × leave it', 'force', 'of-own'],
  [
    'untouched',
    'soul',
    'under it: the id the model sees, then the label it must guess',
    '',
    'of-ids',
  ],
];
KEY.forEach(([fate, text, words, mark, className]) => {
  const item = make('li', className);
  const chip = newChip('span');
  setChip(chip, {fate, text, mark, ...(className === 'of-ids' ? {input: 4, label: 1002} : {})});
  item.append(chip, make('span', '', words));
  legend.append(item);
});

const render = () => {
  tokens = JSON.parse((props.value || {}).tokens || '[]');
  say(heading, (props.value || {}).heading);
  heading.hidden = !heading.textContent;
  [strip, legend].forEach(part =>
    part.classList.toggle('with-ids', Boolean((props.value || {}).rows)),
  );
  fill(
    strip,
    wordsOf(tokens),
    () => make('span', 'word'),
    (box, word) =>
      fill(box, word, newButton, (chip, token) => {
        if (!isNew(chip, token)) return;
        setChip(chip, token);
        const spoken =
          token.text +
          ', ' +
          (SPOKEN[token.fate] || token.fate) +
          (token.old ? ', instead of ' + token.old : '') +
          (token.mark ? ', ' + OWN[token.mark].spoken : '');
        if (chip.getAttribute('aria-label') !== spoken) chip.setAttribute('aria-label', spoken);
        chip.title = token.why || '';
      }),
  );
  settle();
  legend.hidden = !(props.value || {}).legend;
  legend.querySelector('.of-own').hidden = Boolean((props.value || {}).fixed);
  tell(chips().indexOf(document.activeElement));
  picks.answered((props.value || {}).turn);
};
watch('value', render);
render();
