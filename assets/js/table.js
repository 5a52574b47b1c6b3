// A table from plain cells, and what they mean. On a phone the sheet lays each row out as a block,
// which would take the roles away: so they are said.
const region = find('.scroll');
const caption = find('caption');
const head = find('thead tr');
const body = find('tbody');
const empty = find('.empty');
const how = find('.how');
const story = find('.how dl');
region.setAttribute('aria-label', settings.caption);
find('table').setAttribute('role', 'table');
head.setAttribute('role', 'row');
const cellOf = (tag, scope, role) => {
  const cell = make(tag);
  if (scope) cell.scope = scope;
  cell.setAttribute('role', role);
  return cell;
};
const render = () => {
  const value = props.value || {};
  const rows = value.rows || [];
  const tones = value.tones || {};
  region.hidden = !rows.length;
  empty.hidden = Boolean(rows.length) || !value.empty;
  say(empty, value.empty);
  say(caption, value.caption);
  fill(
    head,
    value.head || [],
    () => cellOf('th', 'col', 'columnheader'),
    (cell, text, column) => {
      say(cell, text);
      cell.dataset.tone = tones[column] || '';
    },
  );
  fill(
    body,
    rows,
    () => {
      const row = make('tr');
      row.setAttribute('role', 'row');
      return row;
    },
    (row, cells) => {
      fill(
        row,
        cells,
        () => (row.children.length ? cellOf('td', '', 'cell') : cellOf('th', 'row', 'rowheader')),
        (cell, text, column) => {
          say(cell, text);
          cell.dataset.tone = tones[column] || '';
          cell.dataset.head = (value.head || [])[column] || '';
        },
      );
    },
  );
  how.hidden = !(value.how || []).length;
  fill(
    story,
    value.how || [],
    () => {
      const part = make('div');
      part.append(make('dt'), make('dd'));
      return part;
    },
    (part, item) => {
      say(part.firstChild, item.name);
      say(part.lastChild, item.text);
    },
  );
};
watch('value', render);
render();
