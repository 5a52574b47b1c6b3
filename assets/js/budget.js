// Bars of shares; every part is also written out below its bar, since a thin part has no room for
// words.
const bars = find('.bars');
const note = find('.note');
bars.setAttribute('role', 'group');
bars.setAttribute('aria-label', settings.caption);
const render = () => {
  const value = props.value || {};
  fill(
    bars,
    value.bars || [],
    () => {
      const figure = make('figure');
      const bar = make('div', 'bar');
      bar.setAttribute('aria-hidden', 'true');
      figure.append(make('figcaption'), bar, make('ul'));
      return figure;
    },
    (figure, item) => {
      const [title, bar, list] = figure.children;
      say(title, item.title);
      fill(
        bar,
        item.parts,
        () => make('span'),
        (span, part) => {
          span.dataset.kind = part.kind;
          span.style.flexGrow = part.share;
          span.title = part.name + ' ' + part.text;
        },
      );
      fill(
        list,
        item.parts,
        () => {
          const line = make('li');
          line.append(make('i'), make('span'));
          return line;
        },
        (line, part) => {
          line.firstChild.dataset.kind = part.kind;
          say(line.lastChild, part.name + ' ' + part.text);
        },
      );
    },
  );
  say(note, value.note);
  note.hidden = !value.note;
};
watch('value', render);
render();
