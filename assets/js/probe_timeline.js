// What the model put into the pinned sentences, evaluation by evaluation.
const scroll = find('.scroll');
const empty = find('.empty');
const head = find('thead tr');
const body = find('tbody');
let live = null;
say(find('caption'), settings.caption);
scroll.setAttribute('aria-label', settings.caption);
const show = value => {
  if (!value.rows) return;
  scroll.hidden = !value.rows.length;
  empty.hidden = !value.empty;
  say(empty, value.empty);
  const titles = [
    'sentence',
    ...(value.steps || []).map(step => (step ? 'step ' + step : 'before')),
    'best five now',
  ];
  fill(
    head,
    titles,
    () => {
      const cell = make('th');
      cell.scope = 'col';
      return cell;
    },
    (cell, text) => say(cell, text),
  );
  fill(
    body,
    value.rows,
    () => {
      const row = make('tr');
      const name = make('th');
      name.scope = 'row';
      row.append(name);
      return row;
    },
    (row, item) => {
      const cells = [...item.cells, {now: item.now}];
      fill(
        row,
        [item, ...cells],
        () => {
          const cell = make('td');
          cell.append(make('b'), make('span', 'share'), make('span', 'mark'));
          return cell;
        },
        (cell, part, index) => {
          if (!index) return say(cell, part.sentence);
          cell.className = part.now !== undefined ? 'now' : part.changed ? 'changed' : '';
          say(cell.children[0], part.now !== undefined ? '' : part.token);
          say(cell.children[1], part.now !== undefined ? part.now : part.share);
          say(cell.children[2], part.changed ? 'new' : '');
          cell.title = part.others || '';
        },
      );
    },
  );
};
const start = keepAsking(
  () => live,
  asked => server.poll({run: asked.run, visitor: asked.visitor, seen: asked.seen}),
  (answer, asked) => {
    if (answer === null) return false;
    asked.seen = answer.seen;
    show(answer);
    return !answer.final;
  },
  () => {},
  1500,
);
let last;
const sync = () => {
  const value = props.value || {};
  const text = JSON.stringify(value);
  if (text === last) return;
  last = text;
  show(value);
  live = value.run ? {run: value.run, visitor: value.visitor, seen: null} : null;
  if (live) start();
};
watch('value', sync);
sync();
