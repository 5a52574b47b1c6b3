// A sentence of buttons: a click or Space asks the server to hide a word or to show it again; the new value redraws it.
const strip = find('.strip');
strip.setAttribute('aria-label', settings.caption);
const settle = rove(strip, () => {});
const toggles = gather((indexes, turn) => trigger('toggle', {indexes, turn}));
strip.addEventListener('click', event => {
  const word = event.target.closest('.chip');
  if (!word) return;
  word.focus();
  toggles.add([...strip.children].indexOf(word));
});
const render = () => {
  fill(strip, (props.value || {}).words || [], () => { const word = make('button', 'chip'); word.type = 'button'; word.tabIndex = -1; return word; }, (word, item) => {
    say(word, item.blank ? '____' : item.text);
    word.dataset.fate = item.blank ? 'mask' : 'untouched';
    word.setAttribute('aria-pressed', String(Boolean(item.blank)));
    if (item.blank) word.setAttribute('aria-label', 'blank'); else word.removeAttribute('aria-label');
    word.title = item.blank ? 'Show this word again' : 'Hide this word';
  });
  settle();
  toggles.answered((props.value || {}).turn);
};
watch('value', render);
render();
