// A table with real headers, so that a screen reader can say where it is.
const head = find('thead');
const body = find('tbody');
find('.scroll').setAttribute('aria-label', settings.caption);
say(find('caption'), settings.caption);
const fillCells = (row, texts, scope) =>
  fill(
    row,
    texts,
    () => make(scope || !row.children.length ? 'th' : 'td'),
    (cell, text, index) => {
      if (cell.tagName === 'TH') cell.scope = scope || (index === 0 ? 'row' : 'col');
      say(cell, text);
    },
  );
const render = () => {
  const {columns = [], rows = '[]'} = props.value || {};
  if (!head.firstChild) head.append(make('tr'));
  fillCells(head.firstChild, columns, 'col');
  fill(
    body,
    JSON.parse(rows),
    () => make('tr'),
    (row, texts) => {
      if (isNew(row, texts)) fillCells(row, texts);
    },
  );
};
watch('value', render);
render();
