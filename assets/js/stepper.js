// Steps through one draw: each step adds a row under the tokens and shows both versions of its
// code.
const [back, on] = element.querySelectorAll('.moves button');
const where = find('.where');
const words = find('.words');
const codes = element.querySelectorAll('pre');
const scroll = find('.scroll');
const head = find('thead');
const body = find('tbody');
let at = 0;
let draw = {};
scroll.setAttribute('aria-label', settings.caption + ', a table that scrolls sideways');
const steps = () => draw.steps || [];

const fillRow = (row, name, cells, tag, lit) => {
  if (!row.firstChild) {
    const title = make('th');
    title.scope = 'row';
    row.append(title);
  }
  say(row.firstChild, name);
  while (row.children.length > cells.length + 1) row.lastChild.remove();
  cells.forEach((text, index) => {
    let cell = row.children[index + 1];
    if (!cell) {
      cell = make(tag);
      if (tag === 'th') cell.scope = 'col';
      row.append(cell);
    }
    say(cell, text);
    const look = lit?.[index] ? 'lit' : 'dim';
    if (lit && cell.className !== look) cell.className = look;
  });
};
const render = () => {
  const all = steps();
  at = Math.max(0, Math.min(at, all.length - 1));
  const step = all[at];
  element.hidden = !step;
  if (!step) return;
  say(where, 'Step ' + (at + 1) + ' of ' + all.length + ': ' + step.name);
  say(words, step.words);
  say(codes[0], step.theirs);
  say(codes[1], step.ours);
  back.disabled = at === 0;
  on.disabled = at === all.length - 1;
  if (!head.firstChild) head.append(make('tr'));
  fillRow(head.firstChild, 'piece', draw.tokens, 'th');
  fill(
    body,
    all.slice(0, at + 1),
    () => make('tr'),
    (row, item, index) => {
      fillRow(row, item.name, item.cells, 'td', item.lit);
      row.classList.toggle('now', index === at);
    },
  );
};
const move = by => {
  at += by;
  render();
  if (document.activeElement?.disabled || document.activeElement === document.body)
    (back.disabled ? on : back).focus();
};
back.addEventListener('click', () => move(-1));
on.addEventListener('click', () => move(1));
find('.moves').addEventListener('keydown', event => {
  const by = {ArrowRight: 1, ArrowLeft: -1}[event.key];
  if (!by || at + by < 0 || at + by >= steps().length) return;
  event.preventDefault();
  move(by);
});
const take = () => {
  draw = JSON.parse((props.value || {}).draw || '{}');
  render();
};
watch('value', take);
take();
