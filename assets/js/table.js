// A table from plain cells, and what they mean.
const region = find('.scroll'), caption = find('caption'), head = find('thead tr'), body = find('tbody'), empty = find('.empty'), how = find('.how'), story = find('.how dl');
region.setAttribute('aria-label', settings.caption);
const render = () => {
  const value = props.value || {}, rows = value.rows || [], tones = value.tones || {};
  region.hidden = !rows.length;
  empty.hidden = Boolean(rows.length) || !value.empty;
  say(empty, value.empty);
  say(caption, value.caption);
  fill(head, value.head || [], () => { const cell = make('th'); cell.scope = 'col'; return cell; }, (cell, text, column) => { say(cell, text); cell.dataset.tone = tones[column] || ''; });
  fill(body, rows, () => make('tr'), (row, cells) => {
    fill(row, cells, () => {
      const cell = make(row.children.length ? 'td' : 'th');
      if (!row.children.length) cell.scope = 'row';
      return cell;
    }, (cell, text, column) => { say(cell, text); cell.dataset.tone = tones[column] || ''; });
  });
  how.hidden = !(value.how || []).length;
  fill(story, value.how || [], () => { const part = make('div'); part.append(make('dt'), make('dd')); return part; }, (part, item) => { say(part.firstChild, item.name); say(part.lastChild, item.text); });
};
watch('value', render);
render();
