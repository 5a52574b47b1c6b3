// A line for each count: the band is where 95 of 100 draws fall, the thin mark what is expected,
// the round one what was found.
const list = find('.rows');
list.setAttribute('aria-label', settings.caption);
const render = () => {
  fill(
    list,
    (props.value || {}).rows || [],
    () => {
      const row = make('li');
      const track = make('span', 'track');
      track.setAttribute('aria-hidden', 'true');
      track.append(make('span', 'band'), make('span', 'expected'), make('span', 'found'));
      row.append(make('b'), track, make('span', 'text'));
      return row;
    },
    (row, item) => {
      const [name, track, text] = row.children;
      const [band, expected, found] = track.children;
      const most = Math.max(item.high, item.found, 1) * 1.15;
      const per = number => (100 * number) / most + '%';
      say(name, item.name);
      say(text, item.text);
      band.style.left = per(item.low);
      band.style.width = per(item.high - item.low);
      expected.style.left = per(item.expected);
      found.style.left = per(item.found);
      found.dataset.outside = item.found < item.low || item.found > item.high;
    },
  );
};
watch('value', render);
render();
