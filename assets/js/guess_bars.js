// A titled list of token, bar and figure.
const title = find('.title');
const list = find('.rows');
const empty = find('.empty');
const foot = find('.foot');
list.setAttribute('aria-label', settings.caption);
const render = () => {
  const value = props.value || {};
  const rows = value.rows || [];
  say(title, value.title);
  title.hidden = !value.title;
  title.dataset.tone = value.tone || '';
  list.hidden = !rows.length;
  empty.hidden = Boolean(rows.length) || !value.empty;
  say(empty, value.empty);
  foot.hidden = !value.foot;
  say(foot, value.foot);
  fill(
    list,
    rows,
    () => {
      const row = make('li', 'bar-row');
      const track = make('span', 'track');
      track.setAttribute('aria-hidden', 'true');
      track.append(make('span', 'bar'));
      row.append(make('code'), track, make('span', 'figure'), make('span', 'spoken'));
      return row;
    },
    (row, item) => {
      const [token, track, figure, spoken] = row.children;
      say(token, item.token);
      say(figure, item.text);
      say(spoken, item.note);
      row.title = item.note || item.token;
      row.dataset.tone = item.tone || value.tone || 'base';
      track.firstChild.style.width = Math.max(0, Math.min(1, Number(item.share) || 0)) * 100 + '%';
    },
  );
};
watch('value', render);
render();
