// Token chips: real buttons, reused from draw to draw.
const strip = find('.strip'), note = find('.note'), legend = find('.legend');
const MARK = {mask: 'M', random: 'R', kept: 'K'};
const SPOKEN = {untouched: 'in plain sight', mask: 'hidden', random: 'swapped for a random word', kept: 'left as it is, still guessed', special: 'protected'};
const HINT = 'Click a piece, or move with the arrow keys, to read what happened to it.';
strip.setAttribute('aria-label', settings.caption);

const padlock = () => {
  const draw = (tag, attributes) => {
    const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
    Object.entries(attributes).forEach(([name, value]) => node.setAttribute(name, value));
    return node;
  };
  const svg = draw('svg', {class: 'lock', width: 8, height: 10, viewBox: '0 0 8 10', 'aria-hidden': 'true'});
  svg.append(draw('rect', {x: 0, y: 4, width: 8, height: 6, rx: 1, fill: 'currentColor'}),
    draw('path', {d: 'M2 4V3a2 2 0 0 1 4 0v1', fill: 'none', stroke: 'currentColor', 'stroke-width': 1.2}));
  return svg;
};
const newChip = tag => {
  const chip = make(tag, 'chip'), text = make('b');
  const mark = make('i');
  mark.setAttribute('aria-hidden', 'true');
  text.append(make('span'));
  chip.append(mark, text, make('s'));
  return chip;
};
const setChip = (chip, token) => {
  const [mark, text, old] = chip.children;
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
};
const tokens = () => (props.value || {}).tokens || [];
const tell = index => {
  const token = tokens()[index];
  if (!token) { say(note, HINT); return; }
  const asked = token.label === -100 || token.label === undefined || token.label === null ? 'label −100, nothing to guess here' : 'label ' + token.label;
  say(note, [token.text + (token.old ? ', instead of ' + token.old : ''), token.why, 'id ' + token.id, asked].filter(Boolean).join(' · '));
};
const settle = rove(strip, tell);
strip.addEventListener('click', event => {
  const chip = event.target.closest('.chip');
  if (!chip) return;
  chip.focus();
  trigger('pick', {index: [...strip.children].indexOf(chip)});
});

const KEY = [['mask', '[MASK]', 'hidden, must be guessed'], ['random', 'hut', 'swapped for a random word'], ['kept', 'soul', 'left as it is, still guessed'], ['special', '[SEP]', 'protected']];
KEY.forEach(([fate, text, words]) => {
  const item = make('li'), chip = newChip('span');
  setChip(chip, {fate, text});
  item.append(chip, make('span', '', words));
  legend.append(item);
});

const render = () => {
  fill(strip, tokens(), () => { const chip = newChip('button'); chip.type = 'button'; chip.tabIndex = -1; return chip; }, (chip, token) => {
    setChip(chip, token);
    const spoken = token.text + ', ' + (SPOKEN[token.fate] || token.fate) + (token.old ? ', instead of ' + token.old : '');
    if (chip.getAttribute('aria-label') !== spoken) chip.setAttribute('aria-label', spoken);
    chip.title = token.why || '';
  });
  settle();
  legend.hidden = !(props.value || {}).legend;
  tell([...strip.children].indexOf(document.activeElement));
};
watch('value', render);
render();
