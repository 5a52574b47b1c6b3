// The table of runs. It stays with what the server says while it is looked at; ticked boxes are the
// page's own.
const RESTING_MS = 6000; // while none of them is alive
const scroll = find('.scroll');
const empty = find('.empty');
const head = find('thead tr');
const body = find('tbody');
let live = null;
let drawn = null; // drawn: the rows as they were last drawn
say(find('caption'), settings.caption);
scroll.setAttribute('aria-label', settings.caption);
const ticked = () =>
  [...body.querySelectorAll('input:checked')].map(box => box.closest('tr').dataset.run);
const choices = gather((_, turn) => trigger('choose', {ids: ticked(), turn}));
const create = () => {
  const row = make('tr');
  const first = make('td');
  const box = make('input');
  const named = make('th');
  const name = make('button', 'name');
  const why = make('div', 'why');
  const state = make('td', 'state');
  box.type = 'checkbox';
  box.addEventListener('change', () => {
    row.dataset.chosen = box.checked;
    choices.add();
  });
  name.type = 'button';
  name.addEventListener('click', () => trigger('open', {run: row.dataset.run}));
  named.scope = 'row';
  named.append(name, why);
  state.append(make('i'), make('span'));
  state.firstChild.setAttribute('aria-hidden', 'true');
  first.append(box);
  row.append(first, named, state);
  return row;
};
const draw = (rows, titles) =>
  fill(body, (drawn = rows), create, (row, item) => {
    const [first, named, state] = row.children;
    row.dataset.run = item.id;
    first.firstChild.setAttribute('aria-label', 'Choose ' + item.name);
    say(named.firstChild, item.name);
    named.firstChild.title = 'Open in Train';
    say(named.lastChild, item.why);
    state.dataset.state = item.state;
    say(state.firstChild, item.mark);
    say(state.lastChild, item.state);
    while (row.children.length > 3 + item.cells.length) row.lastChild.remove();
    item.cells.forEach((text, index) => {
      if (!row.children[3 + index]) row.append(make('td'));
      row.children[3 + index].dataset.head = titles[index] || '';
      say(row.children[3 + index], text);
    });
  });
const render = () => {
  const value = props.value || {};
  const chosen = new Set(value.chosen || []);
  const rows = value.rows || [];
  scroll.hidden = !rows.length;
  empty.hidden = Boolean(rows.length);
  say(empty, value.empty);
  fill(
    head,
    rows.length ? ['chosen', 'run', 'state', ...(value.head || [])] : [],
    () => {
      const cell = make('th');
      cell.scope = 'col';
      return cell;
    },
    (cell, text) => say(cell, text),
  );
  draw(rows, value.head || []);
  if (!choices.pending(value.turn))
    for (const row of body.children)
      row.dataset.chosen = row.querySelector('input').checked = chosen.has(row.dataset.run);
  choices.answered(value.turn);
};
// Numbers are drawn where they stand; another run, or another state of one, is news for the whole
// tab.
const states = rows => rows.map(row => row.id + ' ' + row.state).join();
const start = keepAsking(
  () => live,
  asked => server.poll({visitor: asked.visitor}),
  answer => {
    if (answer === null) return false;
    if (states(answer.rows) !== states(drawn)) trigger('changed', {});
    else draw(answer.rows, (props.value || {}).head || []);
    return answer.is_alive || RESTING_MS;
  },
  () => {},
  2000,
);
const sync = () => {
  render();
  const visitor = (props.value || {}).visitor;
  if (visitor === undefined || live?.visitor === visitor) return;
  live = {visitor};
  start();
};
watch('value', sync);
sync();
